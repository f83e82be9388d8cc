"""The demo of a robot that maps a building and lives in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gymnasium")
pytest.importorskip("matplotlib")

from pilotage.cli.main import main
from pilotage.maps import OccupancyGrid


def test_a_building_is_explored_and_lived_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solid = np.pad(np.zeros((30, 50), dtype=bool), 1, constant_values=True)
    solid[:18, 25], solid[24:28, 38:42] = True, True
    OccupancyGrid.from_occupied(solid, 0.1).save(tmp_path / "rooms.yaml")
    words = ["demo", "explore", "--map", str(tmp_path / "rooms.yaml"), "--seed", "2", "--goals", "1"]
    assert main([*words, "--out", str(tmp_path / "shown")]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 places" in said and "rooms" in said
    names = ["explore-live.png", "explore-map.png", "explore.gif", "explore.pgm", "explore.yaml"]
    assert sorted(file.name for file in (tmp_path / "shown").iterdir()) == names
    with Image.open(tmp_path / "shown" / "explore.gif") as film:
        assert getattr(film, "n_frames", 1) > 3


@pytest.mark.slow
def test_the_ring(tmp_path: Path) -> None:
    assert main(["demo", "explore", "--out", str(tmp_path), "--no-animation"]) == 0


def test_an_exploration_that_is_cut_short_is_not_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["demo", "explore", "--seconds", "1", "--goals", "1", "--no-animation", "--out", str(tmp_path)]
    assert main(words) == 1
    assert "not as it should be" in capsys.readouterr().out
