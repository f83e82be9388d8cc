"""Racing on the F1TENTH tracks: laps within the limits of the published lines, no slower, clear of walls."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.racing import FOOTPRINT, race, tracks


@pytest.fixture
def folder(data: Path) -> Path:
    if not (data / "racetracks").is_dir():
        pytest.skip(f"there are no race tracks in {data}; set PILOTAGE_DATA")
    return data / "racetracks"


def held(folder: Path, name: str) -> None:
    lap = race(folder / name)
    assert lap.clearance > 0.0, f"a car of {FOOTPRINT} touches a wall"
    assert lap.used <= 1.0 + 1e-9, "of the largest acceleration of the published profile"
    if lap.published is not None:
        assert lap.seconds < lap.published


def test_a_lap_of_the_shortest_track(folder: Path) -> None:
    held(folder, "Oschersleben")


@pytest.mark.slow
@pytest.mark.parametrize("name", tracks())
def test_a_lap_of_every_track(folder: Path, name: str) -> None:
    held(folder, name)
