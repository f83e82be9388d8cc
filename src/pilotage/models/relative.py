"""Sensors of whole poses: factors between two poses, between a pose and a landmark, and on one pose.

The other pose or the landmark is the context. Derivatives with respect to it are derived too, so each of these sensors
can be a factor of a graph (``code_of(sensor, "e E G")``).
"""

from __future__ import annotations

from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.rotations import conjugate, product, rotate
from ..core.space import Space
from .motion import axes_of, cartesian
from .trace.params import Values
from .trace.portable import variants
from .trace.sensor import SensorFamily, TracedSensor, sensor

POSES = {2: Space("pose: SE2"), 3: Space("pose: SE3")}


def relative_pose(axes: int = 2, *, std: Any = None, **settings: Any) -> TracedSensor:
    """A pose relative to the robot's, as measured by odometry between two times or by scan matching.

    ::

           pose ----z----> context          z = pose^-1 context

    The context is the other pose: ``(x, y, yaw)``, or ``(x, y, z, qw, qx, qy, qz)``. The reading has the same form.

    Args:
        axes: 2 for poses in the plane, 3 in space.
        std: standard deviation of the noise in the tangent space [m, rad]; default 0.1 m and 0.02 rad.
        settings: `reads`, `noise`, as for all sensors.

    Source: Grisetti, Kümmerle, Stachniss and Burgard, "A Tutorial on Graph-Based SLAM" (2010), eq. 30; with the
    logarithm of the group as the residual, as in Sola, Deray and Atchuthan (2018), section V.

    Example:
        >>> import numpy as np
        >>> relative_pose().observe([1.0, 0.0, np.pi / 2], context=[1.0, 2.0, np.pi]).round(3).tolist()
        [2.0, 0.0, 1.571]
    """
    axes = axes_of(axes, 2)
    return _relative_pose(axes)(std=_std(axes) if std is None else std, **settings)


@variants
def _relative_pose(axes: int) -> SensorFamily:
    def relative_pose(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        place = seen_from(x, c, axes, m)
        return [*place, c[2] - x[2]] if axes == 2 else [*place, *product(conjugate(x[3:]), c[3:])]

    return sensor(state=POSES[axes], reading=POSES[axes], context=POSES[axes])(relative_pose)


def relative_position(axes: int = 2, *, std: Any = 0.1, **settings: Any) -> TracedSensor:
    """The position of a landmark relative to the robot, as measured by a depth camera or a scan feature.

    ::

           pose ----z----> * context          z = R' (context - position)      [m]

    The context is the landmark's position ``(2,)`` or ``(3,)`` [m].

    Args:
        axes: 2 or 3.
        std: standard deviation of the noise [m]; one number, or one per axis.
        settings: `reads`, `noise`, as for all sensors.

    Source: Thrun, Burgard and Fox, "Probabilistic Robotics" (2005), section 6.6.

    Example:
        >>> import numpy as np
        >>> relative_position().observe([1.0, 0.0, np.pi / 2], context=[1.0, 2.0]).round(3).tolist()
        [2.0, 0.0]
    """
    return _relative_position(axes_of(axes, 2))(std=std, **settings)


@variants
def _relative_position(axes: int) -> SensorFamily:
    place = cartesian(axes, 1)

    @sensor(state=POSES[axes], reading=place, context=place)
    def relative_position(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        return seen_from(x, c, axes, m)

    return relative_position


def absolute_pose(axes: int = 2, *, std: Any = None, **settings: Any) -> TracedSensor:
    """The pose in the world, as measured by motion capture; as a factor, a prior on a pose.

    ::

        z = pose          (x, y, yaw) or (x, y, z, qw, qx, qy, qz)

    Args:
        axes: 2 for poses in the plane, 3 in space.
        std: standard deviation of the noise in the tangent space [m, rad]; default 0.1 m and 0.02 rad.
        settings: `reads`, `noise`, as for all sensors.

    Source: Dellaert and Kaess, "Factor Graphs for Robot Perception" (2017), section 2.

    Example:
        >>> absolute_pose(std=0.01).observe([1.0, 2.0, 0.5]).tolist()
        [1.0, 2.0, 0.5]
    """
    axes = axes_of(axes, 2)
    return _absolute_pose(axes)(std=_std(axes) if std is None else std, **settings)


@variants
def _absolute_pose(axes: int) -> SensorFamily:
    @sensor(state=POSES[axes], reading=POSES[axes])
    def absolute_pose(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        return x

    return absolute_pose


def _std(axes: int) -> tuple[float, ...]:
    return (0.1,) * axes + (0.02,) * (1 if axes == 2 else 3)


def seen_from(x: Components, place: Components, axes: int, m: Mathematics) -> list[Any]:
    """``R' (place - position)``: a point of the world in the frame of the pose x."""
    d = [place[i] - x[i] for i in range(axes)]
    if axes == 3:
        return rotate(conjugate(x[3:]), d)
    s, c = m.sin(x[2]), m.cos(x[2])
    return [c * d[0] + s * d[1], c * d[1] - s * d[0]]
