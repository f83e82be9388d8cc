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


def at_once(name: str) -> object:
    """The shortest track is a default test; the others are slow."""
    return name if name == "Oschersleben" else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [at_once(name) for name in tracks()])
def test_a_lap_is_within_the_limits_clear_of_walls_and_no_slower_than_published(folder: Path, name: str) -> None:
    lap = race(folder / name)
    assert lap.clearance > 0.0, f"a car of {FOOTPRINT} touches a wall"
    assert lap.used <= 1.0 + 1e-9, "of the largest acceleration of the published profile"
    assert (lap.published is None) == (name == "Montreal")
    assert lap.published is None or lap.seconds < lap.published
