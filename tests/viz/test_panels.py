"""Films side by side: their titles, last pictures, sizes and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from pilotage.core import SettingError
from pilotage.viz import draw_panels

BLACK = np.zeros((20, 30, 3), dtype=np.uint8)
RED = BLACK + np.array([255, 0, 0], dtype=np.uint8)


def test_a_film_that_ends_first_stays_at_its_last_picture(tmp_path: Path) -> None:
    films = {"short": [RED], "long": [BLACK, RED, BLACK]}
    figure = draw_panels(films, tmp_path / "film.gif", columns=2, fps=5.0)
    assert [np.array(ax.images[0].get_array()).max(axis=(0, 1)).tolist() for ax in figure.axes] == [
        [255, 0, 0],
        [0] * 3,
    ]
    with Image.open(tmp_path / "film.gif") as film:
        assert getattr(film, "n_frames", 1) >= 3
        colors = []
        for frame in range(3):
            film.seek(frame)
            width, height = film.size
            pixels = np.asarray(film.convert("RGB")).astype(int)
            colors.append([tuple(pixels[round(0.7 * height), round(at * width)] > 128) for at in (0.25, 0.75)])
    red, black = (True, False, False), (False, False, False)
    assert colors == [[red, black], [red, red], [red, black]]


@pytest.mark.parametrize("films", [{}, {"none": []}])
def test_no_pictures_are_refused(films: dict[str, list[np.ndarray]]) -> None:
    with pytest.raises(SettingError, match="pictures"):
        draw_panels(films)
