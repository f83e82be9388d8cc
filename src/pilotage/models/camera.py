"""The pinhole camera: pixels of points in space."""

from __future__ import annotations

from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.space import Space
from .motion import cartesian
from .relative import POSES, seen_from
from .trace.params import Values
from .trace.sensor import sensor


@sensor(
    state=POSES[3],
    reading=Space("u v [px]"),
    context=cartesian(3, 1),
    params={"focal": (500.0, 500.0), "centre": (320.0, 240.0)},
    std=1.0,
)
def pinhole(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """The pixel at which a camera sees a point.

    ::

        (X, Y, Z) = R' (point - position)          Z ahead, X to the right, Y down
        u = fx X / Z + cx,    v = fy Y / Z + cy    [px]

    The state is the pose of the camera, and the context the point ``(3,)`` [m]; as a factor, it joins a camera and a
    landmark. Parameters: `focal` lengths (fx, fy) and the principal point `centre` (cx, cy) [px]. Points behind the
    camera have pixels too, which no camera sees. Default noise: 1 px.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision" (2004), equation 6.4.

    Example:
        >>> camera = pinhole(focal=(400.0, 400.0), centre=(320.0, 240.0))
        >>> camera.observe([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], context=[1.0, 0.5, 4.0]).tolist()
        [420.0, 290.0]
    """
    right, down, ahead = seen_from(x, c, 3, m)
    return p.focal[0] * right / ahead + p.centre[0], p.focal[1] * down / ahead + p.centre[1]
