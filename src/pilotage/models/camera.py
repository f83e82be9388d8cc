"""Cameras: pixels of points in space, of one camera or a pair of them, and bearings of a pair in the plane."""

from __future__ import annotations

from typing import Any

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.space import Space
from .motion import cartesian
from .relative import POSES, seen_from
from .trace.params import Values
from .trace.portable import variants
from .trace.sensor import SensorFamily, TracedSensor, sensor

LENS = {"focal": (500.0, 500.0), "centre": (320.0, 240.0)}


def pinhole(*, distorted: bool = False, std: Any = 1.0, **settings: Any) -> TracedSensor:
    """The pixel at which a camera sees a point.

    ::

        (X, Y, Z) = R' (point - position)          Z ahead, X to the right, Y down
        x = X / Z,    y = Y / Z
        u = fx x + cx,    v = fy y + cy    [px]

    With a distorted lens, (x, y) is first moved to ::

        r2 = x^2 + y^2,    s = 1 + k1 r2 + k2 r2^2
        (s x + 2 p1 x y + p2 (r2 + 2 x^2),    s y + p1 (r2 + 2 y^2) + 2 p2 x y)

    The state is the pose of the camera, and the context the point ``(3,)`` [m]; as a factor, it joins a camera and a
    landmark. Points behind the camera have pixels too, which no camera sees.

    Args:
        distorted: whether the lens is distorted.
        std: standard deviation of the noise [px].
        settings: `focal` lengths (fx, fy) and the principal point `centre` (cx, cy) [px]; of a distorted lens,
            `distortion` (k1, k2, p1, p2); `noise`, as for all sensors.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision" (2004), equation 6.4; Brown,
    "Decentering distortion of lenses" (1966), for the distortion, in the order of OpenCV.

    Example:
        >>> camera = pinhole(focal=(400.0, 400.0), centre=(320.0, 240.0))
        >>> camera.observe([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], context=[1.0, 0.5, 4.0]).tolist()
        [420.0, 290.0]
    """
    return _pinhole(bool(distorted))(std=std, **settings)


@variants
def _pinhole(distorted: bool) -> SensorFamily:
    params = {**LENS, "distortion": (0.0, 0.0, 0.0, 0.0)} if distorted else LENS

    @sensor(state=POSES[3], reading=Space("u v [px]"), context=cartesian(3, 1), params=params)
    def pinhole(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
        right, down, ahead = seen_from(x, c, 3, m)
        a, b = right / ahead, down / ahead
        if distorted:
            a, b = distort(a, b, p.distortion)
        return p.focal[0] * a + p.centre[0], p.focal[1] * b + p.centre[1]

    return pinhole


def distort(a: Any, b: Any, k: Components) -> tuple[Any, Any]:
    """The point (a, b) of the image plane where a lens with the distortion k = (k1, k2, p1, p2) shows it."""
    r2 = a * a + b * b
    s = 1.0 + k[0] * r2 + k[1] * r2 * r2
    return (
        s * a + 2.0 * k[2] * a * b + k[3] * (r2 + 2.0 * a * a),
        s * b + k[2] * (r2 + 2.0 * b * b) + 2.0 * k[3] * a * b,
    )


@sensor(
    state=POSES[3],
    reading=Space("u v right [px]"),
    context=cartesian(3, 1),
    params={**LENS, "baseline": 0.1},
    std=1.0,
)
def stereo_pinhole(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The pixels at which a pair of rectified cameras sees a point.

    ::

        (X, Y, Z) = R' (point - position)          Z ahead, X to the right, Y down
        u = fx X / Z + cx,    v = fy Y / Z + cy,    right = fx (X - baseline) / Z + cx    [px]

    The state is the pose of the left camera; the right one is `baseline` [m] to its right. The context is the point
    ``(3,)`` [m]. Parameters: `focal` lengths (fx, fy), the principal point `centre` (cx, cy) [px], `baseline` [m].
    Default noise: 1 px.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision" (2004), section 11.12.

    Example:
        >>> camera = stereo_pinhole(focal=(400.0, 400.0), centre=(320.0, 240.0), baseline=0.2)
        >>> camera.observe([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], context=[1.0, 0.5, 4.0]).tolist()
        [420.0, 290.0, 400.0]
    """
    right, down, ahead = seen_from(x, c, 3, m)
    u = p.focal[0] * right / ahead + p.centre[0]
    return u, p.focal[1] * down / ahead + p.centre[1], u - p.focal[0] * p.baseline / ahead


@sensor(
    state=POSES[2],
    reading=Space("left: angle", "right: angle"),
    context=cartesian(2, 1),
    params={"baseline": 0.1},
    std=0.002,
)
def stereo_bearings(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The bearings at which a pair of cameras in the plane sees a point.

    ::

        (X, Y) = R' (point - position)             X ahead, Y to the left
        left = atan2(Y, X),    right = atan2(Y + baseline, X)    [rad]

    The state is the pose of the left camera ``(x, y, yaw)``; the right one is `baseline` [m] to its right. The context
    is the point ``(2,)`` [m]. Default noise: 0.002 rad, which is 1 px at a focal length of 500 px.

    Source: the camera of Hartley and Zisserman, "Multiple View Geometry in Computer Vision" (2004), in the plane.

    Example:
        >>> stereo_bearings(baseline=1.0).observe([0.0, 0.0, 0.0], context=[2.0, 0.0]).round(3).tolist()
        [0.0, 0.464]
    """
    ahead, left = seen_from(x, c, 2, m)
    return m.atan2(left, ahead), m.atan2(left + p.baseline, ahead)
