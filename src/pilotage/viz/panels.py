"""Panels: films of several episodes side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..core import SettingError
from .animation import write_animation
from .palette import INK


def draw_panels(
    films: Mapping[str, Sequence[NDArray[np.uint8]]],
    file: str | os.PathLike[str] | None = None,
    *,
    columns: int = 2,
    width: float = 4.4,
    fps: float = 10.0,
) -> Figure:
    """A figure of films side by side, each with its title, which shows their last pictures.

    Args:
        films: pictures ``(height, width, 3)`` of each film, by title, such as those of `render` of an environment. All
            have one size. A film that ends before the others stays at its last picture.
        file: path of an animation, see `write_animation`; None for none.
        columns: number of films side by side.
        width: width of a film in the figure [in].
        fps: pictures per second.

    Raises:
        SettingError: if a film has no picture, or there is none.

    Example:
        >>> black = np.zeros((20, 30, 3), dtype=np.uint8)
        >>> figure = draw_panels({"short": [black], "long": [black, black + 255]})
        >>> [ax.get_title() for ax in figure.axes]
        ['short', 'long']
    """
    if not films or not all(len(film) for film in films.values()):
        raise SettingError(f"films have {[len(film) for film in films.values()]} pictures; expected one or more each")
    high, wide = next(iter(films.values()))[0].shape[:2]
    rows, columns = math.ceil(len(films) / columns), min(columns, len(films))
    figure = Figure(figsize=(columns * width, rows * (width * high / wide + 0.3)), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.subplots_adjust(0.005, 0.005, 0.995, 1.0 - 0.28 / figure.get_figheight(), 0.02, 0.3 * high / wide / width)
    shown = []
    for ax, (title, film) in zip(axes, films.items(), strict=False):
        ax.set_title(title, color=INK, fontsize=10, pad=4)
        shown.append(ax.imshow(film[0]))
    for ax in axes:
        ax.set_axis_off()

    def update(frame: int) -> None:
        for image, film in zip(shown, films.values(), strict=True):
            image.set_data(film[min(frame, len(film) - 1)])

    longest = max(len(film) for film in films.values())
    if file is not None:
        write_animation(file, figure, shown, update, longest + round(fps), fps=fps)
        for image in shown:
            image.set_animated(False)
    update(longest)
    return figure
