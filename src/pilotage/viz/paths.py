"""Where things are, were and shall be: paths, poses, goals, scans."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.text import Text
from numpy.typing import ArrayLike, NDArray

from .palette import INK, PAPER, PLAN, SURPRISE, TRUTH

ARROW = np.array([[1.0, 0.0], [-0.7, 0.72], [-0.35, 0.0], [-0.7, -0.72]])
"""Outline of an arrowhead that looks along x, in units of its size."""


def draw_path(ax: Axes, path: ArrayLike, **style: Any) -> Line2D:
    """A path ``(K, 2)`` or more columns, the first two of them x and y [m]; NaN interrupts it."""
    points = np.asarray(path, dtype=np.float64).reshape(-1, np.shape(path)[-1])
    given = {"color": TRUTH, "linewidth": 1.4, "solid_capstyle": "round", "solid_joinstyle": "round", "zorder": 4}
    return ax.plot(points[:, 0], points[:, 1], **{**given, **style})[0]


def draw_pose(ax: Axes, pose: ArrayLike, size: float = 0.2, **style: Any) -> Polygon:
    """A pose (x, y, yaw) as an arrowhead that reaches `size` metres ahead."""
    patch = Polygon(arrow(pose, size), closed=True, **{"facecolor": INK, "edgecolor": "none", "zorder": 7, **style})
    ax.add_patch(patch)
    return patch


def arrow(pose: ArrayLike, size: float) -> NDArray[np.float64]:
    """Corners ``(4, 2)`` of the arrowhead of a pose."""
    x, y, yaw = np.asarray(pose, dtype=np.float64)[:3]
    c, s = np.cos(yaw), np.sin(yaw)
    return size * ARROW @ np.array([[c, s], [-s, c]]) + (x, y)


def draw_goals(ax: Axes, goals: ArrayLike, *, names: bool = True, **style: Any) -> tuple[PathCollection, list[Text]]:
    """Goals ``(K, 2)`` or more columns [m], numbered in their order unless `names` is off."""
    points = np.asarray(goals, dtype=np.float64).reshape(-1, np.shape(goals)[-1])
    given = {"s": 95, "facecolor": PLAN, "edgecolor": PAPER, "linewidth": 1.0, "zorder": 6, **style}
    dots = ax.scatter(points[:, 0], points[:, 1], **given)
    label = {"color": PAPER, "fontsize": 7, "weight": "bold", "ha": "center", "va": "center_baseline"}
    texts = [
        ax.text(x, y, str(i + 1), zorder=given["zorder"], **label) for i, (x, y) in enumerate(points[:, :2]) if names
    ]
    return dots, texts


def draw_scan(
    ax: Axes, pose: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float = np.inf, **style: Any
) -> LineCollection:
    """A lidar scan from the pose of the sensor: beams ``(B,)`` [m] at angles ``(B,)`` [rad].

    Beams of `max_range` and more saw nothing; they and NaN are left out.
    """
    given = {"color": SURPRISE, "linewidth": 0.4, "alpha": 0.4, **style}
    lines = LineCollection(list(beams(pose, ranges, angles, max_range)), **given)
    ax.add_collection(lines, autolim=False)
    return lines


def beams(pose: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float = np.inf) -> NDArray[np.float64]:
    """Start and end of every beam that hit something, ``(K, 2, 2)``."""
    x, y, yaw = np.asarray(pose, dtype=np.float64)[:3]
    z, a = np.asarray(ranges, dtype=np.float64), np.asarray(angles, dtype=np.float64) + yaw
    hit = (z < max_range) & (z >= 0)
    ends = np.stack([x + z[hit] * np.cos(a[hit]), y + z[hit] * np.sin(a[hit])], axis=-1)
    return np.stack([np.broadcast_to([x, y], ends.shape), ends], axis=1)
