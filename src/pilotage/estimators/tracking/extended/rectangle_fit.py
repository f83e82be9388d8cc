"""The rectangle that fits the points of a lidar best: the L-shape of the near sides of a vehicle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....core.arrays import numbers
from ....core.errors import ShapeError
from ....core.settings import Count, Positive, setting
from .extent import Outline


def fit_rectangle(points: Any, *, steps: int = 90, least: float = 0.01, kind: str = "") -> Outline:
    """The rectangle around points whose sides are nearest to them, by a search over its direction.

    ::

        theta* = argmax  sum_j  1 / max(d_j(theta), least)

    d is the distance of a point to the nearer side of the rectangle of that direction around all points, where for each
    of the two directions it is the side to which the points are nearer together: sides that the lidar does not see do
    not count.

    Source: Zhang, Xu, Dong and Dolan, "Efficient L-shape fitting for vehicle detection using laser scanners", IV 2017,
    algorithms 2 and 4.

    Args:
        points: ``(n, 2)`` [m], three or more.
        steps: directions that are tried within a quarter turn.
        least: distance from which on points are on a side [m].
        kind: name of the outline.

    Raises:
        ShapeError: when there are fewer than three points, or they are not in the plane.

    Example:
        >>> side = np.linspace(0.0, 4.0, 9)
        >>> points = np.concatenate([np.stack([side, 0.0 * side], -1), np.stack([0.0 * side, side / 2.0], -1)])
        >>> found = fit_rectangle(points)
        >>> round(found.length, 3), round(found.width, 3), round(found.heading, 3), found.center.round(3).tolist()
        (4.0, 2.0, 0.0, [2.0, 1.0])
    """
    p = numbers(points, "points")
    if p.ndim != 2 or p.shape[1] != 2 or len(p) < 3:
        raise ShapeError(f"points have shape {p.shape}; expected three or more in the plane, (n, 2)")
    angles = 0.5 * math.pi * np.arange(setting(steps, Count, "steps")) / steps
    c, s = np.cos(angles), np.sin(angles)
    along = np.stack([np.outer(c, p[:, 0]) + np.outer(s, p[:, 1]), np.outer(c, p[:, 1]) - np.outer(s, p[:, 0])])
    low, high = along.min(-1, keepdims=True), along.max(-1, keepdims=True)
    near = np.where(
        np.square(high - along).sum(-1, keepdims=True) < np.square(along - low).sum(-1, keepdims=True),
        high - along,
        along - low,
    )
    best = int((1.0 / np.maximum(near.min(0), setting(least, Positive, "least"))).sum(-1).argmax())
    size, middle = (high - low)[:, best, 0], 0.5 * (high + low)[:, best, 0]
    frame = np.array([[c[best], -s[best]], [s[best], c[best]]])
    turned = bool(size[1] > size[0])
    heading = float(angles[best]) + (0.5 * math.pi if turned else 0.0)
    return Outline(frame @ middle, float(size.max()), float(size.min()), heading, True, float(len(p)), kind)
