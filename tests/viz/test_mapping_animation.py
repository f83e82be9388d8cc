"""The animation of a growing map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from pilotage.core import PilotageError, ShapeError
from pilotage.maps import OccupancyGrid
from pilotage.viz import MappingFrame, mapping_animation

SMALL = OccupancyGrid.from_probability(np.zeros((10, 10)), 0.1, (0.0, 0.0, 0.0))
LARGE = OccupancyGrid.from_probability(np.pad(np.zeros((28, 38)), 1, constant_values=1), 0.1, (-1.0, -1.0, 0.0))
HERE = np.array([[0.5, 0.5, 0.0]])


def test_the_map_grows_and_the_frame_stays(tmp_path: Path) -> None:
    plan = np.array([[0.5, 0.5], [2.0, 1.0]])
    frames = [MappingFrame(SMALL, HERE, plan, "1 s"), MappingFrame(LARGE, HERE)]
    with Image.open(mapping_animation(tmp_path / "map.gif", frames, width=3.0)) as film:
        assert getattr(film, "n_frames", 1) == 2
        first = np.asarray(film.convert("RGB"), dtype=int)
        film.seek(1)
        last = np.asarray(film.convert("RGB"), dtype=int)
    white = [(picture.min(axis=-1) > 245).mean() for picture in (first, last)]
    assert 0.03 < white[0] < 0.2 and white[1] > 0.6


def test_films_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        mapping_animation(tmp_path / "map.gif", [])
    with pytest.raises(PilotageError, match=r"map\.txt"):
        mapping_animation(tmp_path / "map.txt", [MappingFrame(SMALL, HERE)])
    assert not list(tmp_path.iterdir())
