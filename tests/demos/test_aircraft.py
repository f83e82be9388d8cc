"""The demo of aircraft holds what it says, on invented flights of another seed, and on recorded ones where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from pilotage.cli.main import main


@pytest.mark.parametrize("real", [False, True])
def test_an_imm_foretells_aircraft_better(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    real: bool,
) -> None:
    data = request.getfixturevalue("data") if real else tmp_path
    if real and not (data / "mot").is_dir():
        pytest.skip(f"no data of tracking at {data}")
    monkeypatch.setenv("PILOTAGE_DATA", str(data))
    assert main(["demo", "aircraft", "--minutes", "4", "--seed", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert ("recorded" in said[0]) == real
    line, either = ([float(word) for word in row.split()[1:] if word[-1].isdigit()] for row in said[2:4])
    assert either[2] > line[2] and either[4] < line[4]
    assert [file.name for file in tmp_path.iterdir()] == ["aircraft.png"]
