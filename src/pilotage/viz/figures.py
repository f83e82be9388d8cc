"""Figures with axes in metres, equally scaled in x and y."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from ..core import ShapeError
from ..core.arrays import numbers
from ..maps import OccupancyGrid
from .palette import CYCLE, INK, MUTED, PAPER, SHADE

STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Lengths of scale bars [m]."""


def map_figure(
    what: OccupancyGrid | ArrayLike, *, width: float = 7.0, strip: float = 0.0, head: float = 0.36, dpi: int = 150
) -> tuple[Figure, Axes]:
    """A figure whose height fits a map, with axes that show the known part of the map.

    Args:
        what: a map, or the lower left and upper right corner ``(2, 2)`` of the area to show [m].
        width: width of the figure [inches].
        strip: height to leave free below the axes, for more axes [inches].
        head: height to leave free above the axes, for a title [inches].
        dpi: pixels per inch.

    Raises:
        ShapeError: if `what` is neither a map nor two corners.

    Example:
        >>> figure, ax = map_figure(OccupancyGrid.from_ascii(["....", "...."]), width=4.0)
        >>> ax.get_xlim(), ax.get_aspect()
        ((np.float64(-0.12), np.float64(4.12)), 1.0)
    """
    low, high = known_corners(what) if isinstance(what, OccupancyGrid) else corners(what)
    margin = 0.03 * float(np.max(high - low))
    low, high = low - margin, high + margin
    left, right, bottom = 0.62, 0.18, 0.55
    inner = width - left - right
    tall = min(inner * float((high - low)[1] / (high - low)[0]), 1.05 * width)
    height = tall + bottom + head + strip
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=PAPER)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((left / width, (bottom + strip) / height, inner / width, tall / height))
    fit_axes(ax, low, high)
    ax.set_prop_cycle(color=CYCLE)
    return figure, ax


def corners(what: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower left and upper right corner of a rectangle, checked."""
    given = numbers(what, "the corners of a map")
    if given.shape != (2, 2) or not (given[0] < given[1]).all() or not np.isfinite(given).all():
        raise ShapeError(
            f"{given.tolist()} are no corners; expected the lower left and the upper right one, [[x, y], [x, y]]"
        )
    return given[0], given[1]


def known_corners(grid: OccupancyGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower left and upper right corner of the known cells in the world [m]; of all cells if none is known."""
    known = ~grid.unknown
    if not known.any():
        known = np.ones(grid.shape, dtype=bool)
    rows, columns = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    x, y = (columns[0], columns[-1] + 1), (rows[0], rows[-1] + 1)
    corners = grid.grid_to_world([[a, b] for a in x for b in y])
    return corners.min(axis=0), corners.max(axis=0)


def fit_axes(ax: Axes, low: ArrayLike, high: ArrayLike, *, labels: bool = True) -> None:
    """Set axes to the rectangle between two corners [m], equally scaled, with or without labels in metres.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().add_subplot()
        >>> fit_axes(ax, (0, 0), (4, 3))
        >>> ax.get_ylim()
        (np.float64(0.0), np.float64(3.0))
    """
    (x0, y0), (x1, y1) = corners([low, high])  # pyright: ignore[reportArgumentType]
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    ax.set_aspect("equal")
    if labels:
        ax.set_xlabel("x [m]", color=MUTED)
        ax.set_ylabel("y [m]", color=MUTED)
    else:
        ax.set_xticks([])
        ax.set_yticks([])
    quiet(ax)


def quiet(ax: Axes) -> None:
    """Give axes a thin grey frame and small grey labels."""
    ax.tick_params(length=3, width=0.6, color=SHADE, labelcolor=MUTED, labelsize=8)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(8)
    for name, spine in ax.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(SHADE)
        spine.set_linewidth(0.6)


def scale_bar(ax: Axes, length: float | None = None) -> Any:
    """A scale bar in the lower left corner, labelled in metres. Its default length is a round fifth of the width.

    Example:
        >>> figure, ax = map_figure([[0, 0], [40, 30]])
        >>> scale_bar(ax).get_xdata().round(3).tolist()
        [-0.352, 4.648]
    """
    (x0, x1), y0 = ax.get_xlim(), ax.get_ylim()[0]
    span = x1 - x0
    size = max((s for s in STEPS if s <= 0.22 * span), default=STEPS[0]) if length is None else length
    x, y = x0 + 0.02 * span, y0 + 0.02 * span
    # A white rim, so that it can be read on walls too.
    style: dict[str, Any] = {"zorder": 9, "path_effects": [withStroke(linewidth=4.5, foreground=PAPER)]}
    (bar,) = ax.plot([x, x + size], [y, y], color=INK, linewidth=1.8, solid_capstyle="butt", **style)
    style["path_effects"] = [withStroke(linewidth=2.5, foreground=PAPER)]
    ax.text(x + size / 2, y + 0.008 * span, f"{size:g} m", color=INK, fontsize=7, ha="center", va="bottom", **style)
    return bar
