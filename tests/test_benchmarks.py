"""The harness of `python -m benchmarks`: what it measures is what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import harness
from benchmarks.accuracy import Figures, Table, shown
from benchmarks.harness import Contest, absolute, measure, missing, row
from benchmarks.report import measure_into

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty register of rows, for one test."""
    monkeypatch.setattr(harness, "REGISTRY", {})
    monkeypatch.setattr(harness, "LIMITS", set())
    monkeypatch.setattr(harness, "_one_thread", lambda: None)


def sleeper(seconds: float) -> Callable[[], None]:
    return lambda: time.sleep(seconds)


def test_ratio_is_of_the_work_done() -> None:
    @row("nap", peer="longer nap", bar=2.0, unit="ms")
    def _(quick: bool) -> Contest:
        return Contest(ours=sleeper(0.004), peer=sleeper(0.016), work=2)

    result = measure(harness.REGISTRY["nap"], quick=True)
    assert result.ratio == pytest.approx(4.0, rel=0.4)
    assert result.ours == pytest.approx(2.0, rel=0.4), "4 ms for two pieces of work"
    assert result.reached
    assert {"name", "ours", "peer", "peer_name", "unit", "ratio", "note"} <= set(result.record())


def test_sides_alternate() -> None:
    calls: list[str] = []

    @row("turns", peer="peer", bar=1.0)
    def _(quick: bool) -> Contest:
        ours = lambda: (calls.append("ours"), time.sleep(0.03))
        peer = lambda: (calls.append("peer"), time.sleep(0.03))
        return Contest(ours=ours, peer=peer)

    measure(harness.REGISTRY["turns"], quick=True)
    measured = calls[-10:]
    assert measured == ["peer", "ours"] * 5


def test_disagreement_is_loud() -> None:
    def check() -> None:
        raise AssertionError("3 is not 4")

    @row("wrong", peer="truth", bar=1.0)
    def _(quick: bool) -> Contest:
        return Contest(ours=lambda: 3, peer=lambda: 4, check=check)

    with pytest.raises(AssertionError, match="3 is not 4"):
        measure(harness.REGISTRY["wrong"], quick=True)


def test_remark_of_the_check_is_in_the_note() -> None:
    @row("right", peer="truth", bar=0.0, note="threes")
    def _(quick: bool) -> Contest:
        return Contest(ours=lambda: 3, peer=lambda: 3, check=lambda: "equal")

    assert measure(harness.REGISTRY["right"], quick=True).note == "threes; equal"


@pytest.mark.parametrize(("seconds", "reached"), [(0.3, True), (0.5, False)])
def test_limits(seconds: float, reached: bool) -> None:
    @absolute("start", limit=0.4)
    def _(quick: bool) -> Contest:
        return Contest(ours=lambda: seconds, timed=False)

    result = measure(harness.REGISTRY["start"], quick=True)
    assert (result.ours, result.peer) == (pytest.approx(seconds), pytest.approx(0.4))
    assert result.reached is reached


def test_missing_peer() -> None:
    @row("lonely", peer="nobody", bar=1.0, needs=["json", "no_such_package"])
    def _(quick: bool) -> Contest:
        return Contest(ours=int, peer=int)

    assert missing(harness.REGISTRY["lonely"]) == ["no_such_package"]


def test_two_rows_of_one_name() -> None:
    register = row("twin", peer="other", bar=1.0)
    register(lambda quick: Contest(ours=int, peer=int))
    with pytest.raises(AssertionError, match="two rows are named 'twin'"):
        register(lambda quick: Contest(ours=int, peer=int))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


def test_command_lists_rows() -> None:
    done = run("--list")
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert len(set(listed)) == len(listed)


def test_command_refuses_unknown_rows() -> None:
    done = run("no_such_row")
    assert done.returncode == 2
    assert "no row or topic is named no_such_row" in done.stderr


def test_command_refuses_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    done = run("--json", str(tmp_path / "nowhere" / "rows.json"))
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks: ")
    assert "Traceback" not in done.stderr


def test_rows_take_the_place_of_older_ones_when_all_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @row("quick", peer="other", bar=0.0)
    def _(quick: bool) -> Contest:
        return Contest(ours=lambda: time.sleep(0.002), peer=lambda: time.sleep(0.002))

    @row("stopped", peer="other", bar=0.0)
    def _(quick: bool) -> Contest:
        raise KeyboardInterrupt

    rows, file, part = list(harness.REGISTRY.values()), tmp_path / "rows.json", tmp_path / "rows.json.part"
    file.write_text("older\n")
    with pytest.raises(KeyboardInterrupt):
        measure_into(file, rows, True)
    assert file.read_text() == "older\n"
    assert [json.loads(line)["name"] for line in part.read_text().splitlines()] == ["quick"]
    assert "the rows measured so far are in" in capsys.readouterr().err
    assert measure_into(file, rows[:1], True) == 0
    assert [json.loads(line)["name"] for line in file.read_text().splitlines()] == ["quick"]
    assert not part.exists()


@pytest.mark.parametrize(("error", "code", "verdict"), [(0.02, 0, "reached"), (0.04, 1, "MISSED")])
def test_tables_tell_whether_their_bars_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: float, code: int, verdict: str
) -> None:
    made = lambda quick: Figures(("filter", "error"), [("ours", error)], [("within 3 %", error <= 0.03)])
    file = tmp_path / "tables.json"
    assert measure_into(file, [Table("ungm", "here", made, (), "one problem")], True) == code
    printed = capsys.readouterr().out
    assert f"| ours | {error:.3g} |" in printed
    assert f"{verdict}: within 3 %" in printed
    assert json.loads(file.read_text())["table"] == [{"filter": "ours", "error": error}]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1712.4, "1710"), (-23456.0, "-23500"), (2.5e9, "2.5e+09"), (0.01234, "0.0123"), (9.0, "9"), (3, "3")],
)
def test_numbers_of_tables_have_three_digits(value: float, text: str) -> None:
    assert shown(value) == text


@pytest.mark.slow
def test_command_writes_an_object_a_row(tmp_path: Path) -> None:
    name = run("--list").stdout.split()[0]
    done = run(name, "--quick", "--json", str(tmp_path / "rows.json"))
    assert done.returncode in (0, 1), done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.json").read_text().splitlines()]
    assert [entry["name"] for entry in rows] == [name]


def test_comparison_writes_its_table_into_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks import comparison

    monkeypatch.setattr(comparison, "DOCS", tmp_path)
    (tmp_path / "pictures").mkdir()
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n", encoding="utf-8")
    lines: list[tuple[object, ...]] = [("one: a", name, "all", 3.0, 0.5, "m", 1.0) for name in comparison.ASSUMED]
    comparison.write(lines, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("| one: a |") == 4
    assert (tmp_path / "pictures" / "which-filter.png").stat().st_size > 1000


def test_times_in_the_picture_of_the_filters_need_no_powers_of_ten() -> None:
    from benchmarks.comparison import time_of

    said = [time_of(us) for us in (3.21, 9.97, 459.0, 1710.0, 23500.0)]
    assert said == ["3.2 us", "10 us", "459 us", "1.7 ms", "24 ms"]
