"""Positions and poses in the plane, from beliefs over any space that has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import Array
from .errors import ShapeError
from .space import Space


def planar(belief: Any, names: Sequence[str]) -> tuple[Array, Array]:
    """Mean and covariance of x, y and, if it is named, yaw, of which the position varies along the axes of the world.

    The tangent of a pose in SE(2) lies in the frame of the robot, so its covariance is turned by the heading.

    Raises:
        ShapeError: if these are components of something else than a pose in the plane.

    Example:
        >>> from pilotage.core import Gaussian
        >>> pose = Gaussian(Space("pose: SE2"), [1.0, 2.0, np.pi / 2.0], np.diag([0.09, 0.01, 0.04]))
        >>> planar(pose, ("x", "y"))[1].round(3)
        array([[0.01, 0.  ],
               [0.  , 0.09]])
    """
    moments = belief.moments()
    space, mean = moments.space, np.asarray(moments.mean)
    at = [space.find(name, "the footprint") for name in names]
    tangent = [tangent_column(space, i) for i in at]
    P = np.asarray(moments.cov)[..., tangent, :][..., tangent]
    part, stored, _ = next(row for row in space.layout if row[1].start <= at[0] < row[1].stop)
    if not part.flat and part.side == "right":  # the tangent of a pose lies in its own frame
        yaw, turn = mean[..., stored.start + 2], np.eye(len(at))
        turn[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
        return mean[..., at], turn @ P @ turn.T
    return mean[..., at], P


def tangent_column(space: Space, index: int) -> int:
    """The tangent column of a component of a pose in the plane."""
    part, s, t = next(row for row in space.layout if row[1].start <= index < row[1].stop)
    if part.size != part.dim:
        raise ShapeError(f"{part} is not a pose in the plane; expected x, y and yaw")
    return t.start + index - s.start
