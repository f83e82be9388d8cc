"""Drawings of paths, poses, goals and scans."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray

from ..core import Belief, Plan, ShapeError
from ..core.arrays import numbers
from .palette import INK, PAPER, PLAN, SURPRISE, styled

ARROW = np.array([[1.0, 0.0], [-0.7, 0.72], [-0.35, 0.0], [-0.7, -0.72]])
"""Outline of an arrowhead that points along x, in units of its size."""


def rows(given: ArrayLike, name: str) -> NDArray[np.float64]:
    """Points ``(K, 2)`` from an array ``(..., 2)`` or more columns, x and y [m] first; an empty array gives none."""
    points = numbers(given, name)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim == 0 or points.shape[-1] < 2:
        raise ShapeError(f"{name} has shape {points.shape}; expected (K, 2) or more columns, x and y first")
    return points.reshape(-1, points.shape[-1])[:, :2]


def draw_path(ax: Axes, path: ArrayLike | Plan | Belief, **style: Any) -> Line2D:
    """A path ``(K, 2)`` or more columns, x and y [m] first; a `Plan`; or the means of beliefs. NaN interrupts the line.

    Without a `color`, each path takes the next one of the axes.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> draw_path(ax, [[0, 0], [4, 0], [4, 3]], color="black").get_xydata().shape
        (3, 2)
    """
    points = rows(_means(path) if isinstance(path, Belief) else _states(path), "path")
    usual: dict[str, Any] = {"solid_capstyle": "round", "solid_joinstyle": "round", "zorder": 4}
    given = styled(Line2D, style, color=None, linewidth=1.4, **usual)
    return ax.plot(*points.T, **given)[0]


def _states(path: Any) -> Any:
    """The states of a plan; all else as it is."""
    if isinstance(path, Plan):
        if path.xs is None:
            raise ShapeError(f"the plan has no path to draw: {path}")
        return path.xs
    return path


def _means(beliefs: Belief) -> NDArray[np.float64]:
    """The mean x and y of beliefs, ``(..., 2)``."""
    known = beliefs.moments()
    return known.mean[..., [known.space.find("x"), known.space.find("y")]]


def draw_pose(ax: Axes, pose: ArrayLike, size: float = 0.2, **style: Any) -> Polygon:
    """A pose (x, y, yaw) as an arrowhead that reaches `size` metres ahead.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> draw_pose(ax, [1.0, 2.0, 0.0], size=0.5).get_xy()[0].tolist()  # its tip
        [1.5, 2.0]
    """
    given = styled(Polygon, style, facecolor=INK, edgecolor="none", zorder=7)
    patch = Polygon(arrow(pose, size), closed=True, **given)
    ax.add_patch(patch)
    return patch


def arrow(pose: ArrayLike, size: float) -> NDArray[np.float64]:
    """Corners ``(4, 2)`` of the arrowhead of a pose."""
    x, y, yaw = posed(pose)
    c, s = np.cos(yaw), np.sin(yaw)
    return size * ARROW @ np.array([[c, s], [-s, c]]) + (x, y)


def posed(pose: ArrayLike) -> NDArray[np.float64]:
    """x, y and yaw of one pose; further components are ignored."""
    given = numbers(pose, "a pose")
    if given.ndim != 1 or len(given) < 3:
        raise ShapeError(f"a pose has shape {given.shape}; expected (3,): x [m], y [m], yaw [rad]")
    return given[:3]


def draw_goals(ax: Axes, goals: ArrayLike, *, names: bool = True, **style: Any) -> tuple[PathCollection, list[Text]]:
    """Goals ``(K, 2)`` or more columns [m] as dots, numbered in order unless `names` is False.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> dots, names = draw_goals(ax, [[1, 1], [3, 2]])
        >>> [name.get_text() for name in names]
        ['1', '2']
    """
    points = rows(goals, "goals")
    given = styled(PathCollection, style, s=95, facecolor=PLAN, edgecolor=PAPER, linewidth=1.0, zorder=6)
    dots = ax.scatter(points[:, 0], points[:, 1], **given)
    label = {"color": PAPER, "fontsize": 7, "weight": "bold", "ha": "center", "va": "center_baseline"}
    texts = [ax.text(x, y, str(i + 1), zorder=given["zorder"], **label) for i, (x, y) in enumerate(points) if names]
    return dots, texts


def draw_scan(
    ax: Axes, pose: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float = np.inf, **style: Any
) -> LineCollection:
    """A lidar scan as lines from the pose of the sensor: ranges ``(B,)`` [m] at angles ``(B,)`` [rad].

    Ranges of `max_range` or more, which hit nothing, and NaN are left out.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> len(draw_scan(ax, [1, 1, 0], [2.0, 9.0], [0.0, 1.0], max_range=8.0).get_segments())
        1
    """
    given = styled(LineCollection, style, color=SURPRISE, linewidth=0.4, alpha=0.4)
    lines = LineCollection(list(beams(pose, ranges, angles, max_range)), **given)
    ax.add_collection(lines, autolim=False)
    return lines


def beams(pose: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float = np.inf) -> NDArray[np.float64]:
    """Start and end points ``(K, 2, 2)`` of the beams that hit something."""
    x, y, yaw = posed(pose)
    z, a = numbers(ranges, "ranges"), numbers(angles, "angles") + yaw
    if z.ndim != 1 or z.shape != a.shape:
        raise ShapeError(f"a scan has ranges of shape {z.shape} and angles of shape {a.shape}; expected (B,) both")
    hit = (z < max_range) & (z >= 0)
    ends = np.stack([x + z[hit] * np.cos(a[hit]), y + z[hit] * np.sin(a[hit])], axis=-1)
    return np.stack([np.broadcast_to([x, y], ends.shape), ends], axis=1)
