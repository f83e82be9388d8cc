"""Drawings of tracks and of detections."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..core import BOX, Scans, Space, SpaceError, TrackTable
from ..core.settings import instance
from .palette import styled


def draw_tracks(ax: Axes, tracks: TrackTable, *, names: bool = True, **style: Any) -> list[Line2D]:
    """The path of each track in a colour of its own, with its number where it ends unless `names` is False.

    A path is of x and y, or of the middles of boxes; the y axis of an image points down (`ax.invert_yaxis()`). Paths
    are lines through the rows, also over gaps.

    Raises:
        SpaceError: when the states have no x and y and are no boxes.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.viz import map_figure
        >>> tracks = TrackTable([0, 1, 0, 1], [3, 3, 7, 7], [[0, 0], [4, 0], [1, 3], [3, 2]], space=Space("x y [m]"))
        >>> figure, ax = map_figure([[0, 0], [5, 4]])
        >>> [line.get_label() for line in draw_tracks(ax, tracks)]
        ['3', '7']
    """
    places = _places(instance(tracks, TrackTable, "draw_tracks").space, tracks.x)
    lines = list[Line2D]()
    for id in tracks.ids.tolist():
        path = places[tracks.id == id]
        usual: dict[str, Any] = {"linewidth": 1.4, "solid_capstyle": "round", "zorder": 4, "label": str(id)}
        (line,) = ax.plot(*path.T, **styled(Line2D, style, color=f"C{id % 10}", **usual))
        if names:
            ax.annotate(str(id), path[-1], (3, 3), textcoords="offset points", fontsize=7, color=line.get_color())
        lines.append(line)
    return lines


def draw_detections(ax: Axes, scans: Scans, **style: Any) -> PathCollection:
    """The detections of scans that are places or boxes, as small grey dots.

    Scans of a sensor that is given by its name are taken for boxes if they have four columns, else for x and y.

    Raises:
        SpaceError: when their sensor reads no x and y, such as range and azimuth.

    Example:
        >>> from pilotage.models import position
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [5, 4]])
        >>> draw_detections(ax, Scans(position(std=0.1), [[[1.0, 2.0]], []], [0.0, 1.0])).get_offsets().tolist()
        [[1.0, 2.0]]
    """
    reading = getattr(instance(scans, Scans, "draw_detections").sensor, "reading", None)
    boxes = reading is None and scans.z.shape[1] == 4
    space = BOX if boxes else reading
    z = scans.z[:, :2] if space is None else _places(space, scans.z)
    given = styled(PathCollection, style, s=4.0, facecolor="0.7", edgecolor="none", zorder=2)
    return ax.scatter(*z.T, **given)


def _places(space: Space, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places ``(R, 2)`` of states or readings: x and y, or the middles of boxes."""
    if space == BOX:
        return x[:, :2] + 0.5 * x[:, 2:]
    if not {"x", "y"} <= set(space.names):
        raise SpaceError(f"{space} has no x and y; expected places in the plane or boxes")
    return x[:, [space.find("x"), space.find("y")]]
