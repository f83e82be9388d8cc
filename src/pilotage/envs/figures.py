"""Figures of the models of the library: drawings of states as lines and polygons in metres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..core.arrays import Array
from ..core.rotations import rotate
from .canvas import BLUE, GRID, INK, ORANGE, Canvas, Color

State: TypeAlias = Mapping[str, float]
"""The components of a state by name."""


class Stroke(NamedTuple):
    """A polyline ``(K, 2)``, or a filled polygon if `width` is 0; a single point is a dot `width` pixels wide."""

    points: Any
    color: Color = INK
    width: float = 0.0


class Figure(NamedTuple):
    """The drawing of a model's states.

    Attributes:
        needs: components of the state that it needs.
        strokes: a function from a state and the parameters of the model to strokes.
        window: middle and half side of a fixed picture [m]; None for plan views.
    """

    needs: tuple[str, ...]
    strokes: Callable[[State, Any], list[Stroke]]
    window: Callable[[State, Any], tuple[tuple[float, float], float]] | None


def figure_of(model: Any, names: tuple[str, ...]) -> Figure | None:
    """The figure of a model whose states have components of these names, if there is one.

    Example:
        >>> from pilotage.models import pendulum
        >>> figure_of(pendulum(), ("theta", "theta_rate")).needs
        ('theta',)
    """
    found = FIGURES.get(getattr(model, "name", ""))
    return found if found is not None and {*found.needs} <= {*names} else None


def put(canvas: Canvas, strokes: list[Stroke], scale: float = 1.0) -> None:
    """Draw strokes, the first one at the bottom, with widths multiplied by `scale`."""
    for points, color, width in strokes:
        if np.ndim(points) == 1:
            canvas.dot(points, color, width * scale)
        elif width:
            canvas.line(points, color, width * scale)
        else:
            canvas.polygon(points, color)


def box_at(place: Any, yaw: float, low: tuple[float, float], high: tuple[float, float]) -> Array:
    """The corners ``(4, 2)`` of the rectangle from `low` to `high` in a frame at `place` that is rotated by `yaw`."""
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    c, s = np.cos(yaw), np.sin(yaw)
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(place)


def _chain(angles: Any, lengths: Any) -> list[Stroke]:
    """Rods one after another from the origin, which point along `angles` from +x."""
    steps = np.stack([np.cos(angles), np.sin(angles)], -1) * np.asarray(lengths)[:, None]
    joints = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])
    rods = [Stroke(joints[k : k + 2], BLUE if k % 2 == 0 else ORANGE, 10) for k in range(len(steps))]
    return [*rods, *(Stroke(joint, INK, 11) for joint in joints)]


def _pendulum(x: State, p: Any) -> list[Stroke]:
    return _chain([x["theta"] + 0.5 * np.pi], [p["length"]])


def _cart_pole(x: State, p: Any) -> list[Stroke]:
    at, length = x["x"], 2.0 * p["half_length"]
    wide, high = 0.4 * length, 0.24 * length
    tip = [at + length * np.sin(x["theta"]), length * np.cos(x["theta"])]
    return [
        Stroke([(at - 9.0 * length, -0.5 * high), (at + 9.0 * length, -0.5 * high)], GRID, 3),
        Stroke(box_at((at, 0.0), 0.0, (-0.5 * wide, -0.5 * high), (0.5 * wide, 0.5 * high)), INK),
        Stroke([(at, 0.0), tip], ORANGE, 10),
        Stroke((at, 0.0), BLUE, 10),
    ]


def _acrobot(x: State, p: Any) -> list[Stroke]:
    first = x["theta1"] - 0.5 * np.pi
    return _chain([first, first + x["theta2"]], [p["length1"], 2.0 * p["center2"]])


def _arm(x: State, p: Any) -> list[Stroke]:
    return _chain(np.cumsum([x[f"joint{i + 1}"] for i in range(len(p["lengths"]))]), p["lengths"])


def _quadrotor(x: State, p: Any) -> list[Stroke]:
    """Seen from behind and above, at an angle, over the point on the ground beneath it."""
    arm = float(p.get("arm", 0.17))
    place, q = np.array([x["x"], x["y"], x["z"]]), [x[f"q.{name}"] for name in "wxyz"]
    corners = [(a, b, 0.0) for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    rotors = [place + np.array(rotate(q, [arm * e / np.sqrt(2.0) for e in corner])) for corner in corners]
    ring = [(0.45 * arm * np.cos(a), 0.45 * arm * np.sin(a), 0.0) for a in np.linspace(0.0, 2.0 * np.pi, 17)]
    blades = [np.array([rotor + np.array(rotate(q, [*e])) for e in ring]) for rotor in rotors]
    shadow = np.array([[place[0] + 3 * e[0], place[1] + 3 * e[1], 0.0] for e in ring])
    strokes = [Stroke(_slanted(shadow), GRID), Stroke(_slanted(np.array([place, [*place[:2], 0.0]])), GRID, 2)]
    strokes += [Stroke(_slanted(np.array([place, rotor])), INK, 5) for rotor in rotors]
    return strokes + [Stroke(_slanted(b), ORANGE if k in (0, 3) else BLUE, 3) for k, b in enumerate(blades)]


def _slanted(points: Array) -> Array:
    """Points ``(..., 3)`` on the picture: x to the right, z up, y away and to the upper right at half its length."""
    return np.stack([points[..., 0] + 0.35 * points[..., 1], points[..., 2] + 0.35 * points[..., 1]], -1)


def _truck(x: State, p: Any) -> list[Stroke]:
    """A cab with a windscreen and a box trailer over a double axle."""
    hitch, base = (x["x"], x["y"]), p["wheelbase"]
    cab = _car(x["x"], x["y"], x["yaw"], base, 1.1)
    screen = Stroke(box_at(hitch, x["yaw"], (0.55 * base, -0.42), (0.8 * base, 0.42)), (190, 222, 240))
    return [*trailer(hitch, x["trailer_yaw"], p["trailer_length"]), *cab, screen, Stroke(hitch, INK, 6)]


def trailer(hitch: Any, yaw: float, length: float, front: float = 0.04) -> list[Stroke]:
    """A box over a double axle, `length` behind the hitch; the box begins at the share `front` of the length."""
    wheels = [
        Stroke(box_at(hitch, yaw, (-length * at - 0.22, side - 0.12), (-length * at + 0.22, side + 0.12)))
        for at in (0.92, 1.08)
        for side in (-0.55, 0.55)
    ]
    box = Stroke(box_at(hitch, yaw, (-1.1 * length, -0.58), (-front * length, 0.58)), BLUE)
    roof = Stroke(box_at(hitch, yaw, (-1.07 * length, -0.46), (-(front + 0.03) * length, 0.46)), (86, 156, 219))
    ribs = [
        Stroke(box_at(hitch, yaw, (-length * at, -0.46), (-length * at + 0.05, 0.46)), BLUE)
        for at in (0.28, 0.48, 0.68, 0.88)
    ]
    return [box, *wheels, roof, *ribs]


def _car(x: float, y: float, yaw: float, base: float, width: float, rear: float = 0.0) -> list[Stroke]:
    """A body over two axles, the rear one `rear` behind the point, and a bright front."""
    back, front, half = -rear - 0.2 * base, base - rear + 0.25 * base, 0.5 * width
    wheels = [
        Stroke(
            box_at((x, y), yaw, (axle - 0.13 * base, side - 0.07 * width), (axle + 0.13 * base, side + 0.07 * width))
        )
        for axle in (-rear, base - rear)
        for side in (-half, half)
    ]
    body = Stroke(box_at((x, y), yaw, (back, -half), (front, half)), (90, 110, 122))
    return [
        *wheels,
        body,
        Stroke(box_at((x, y), yaw, (front - 0.22 * base, -0.85 * half), (front, 0.85 * half)), ORANGE),
    ]


def _bicycle(x: State, p: Any) -> list[Stroke]:
    base = p["wheelbase"]
    return _car(x["x"], x["y"], x["yaw"], base, 0.6 * base)


def _dynamic_bicycle(x: State, p: Any) -> list[Stroke]:
    base = p["front"] + p["rear"]
    return _car(x["x"], x["y"], x["yaw"], base, 0.6 * base, p["rear"])


def _fixed(reach: Callable[[Any], float]) -> Callable[[State, Any], tuple[tuple[float, float], float]]:
    return lambda x, p: ((0.0, 0.0), 1.2 * float(reach(p)))


def _track(x: State, p: Any) -> tuple[tuple[float, float], float]:
    """The middle of the track, or the cart where it has left that."""
    reach = 5.6 * p["half_length"]
    return (0.0 if abs(x["x"]) < reach else x["x"], 0.4 * reach), reach


def _airspace(x: State, p: Any) -> tuple[tuple[float, float], float]:
    middle = _slanted(np.array([x["x"], x["y"], x["z"]]))
    return (float(middle[0]), float(middle[1])), 6.0 * float(p.get("arm", 0.17))


CAR = ("x", "y", "yaw")
FIGURES: dict[str, Figure] = {
    "pendulum": Figure(("theta",), _pendulum, _fixed(lambda p: p["length"])),
    "cart_pole": Figure(("x", "theta"), _cart_pole, _track),
    "acrobot": Figure(("theta1", "theta2"), _acrobot, _fixed(lambda p: p["length1"] + 2.0 * p["center2"])),
    "planar_arm": Figure(("joint1",), _arm, _fixed(lambda p: sum(p["lengths"]))),
    "quadrotor": Figure(("x", "y", "z", "q.w"), _quadrotor, _airspace),
    "truck": Figure((*CAR, "trailer_yaw"), _truck, None),
    "bicycle": Figure(CAR, _bicycle, None),
    "tricycle": Figure(CAR, _bicycle, None),
    "dynamic_bicycle": Figure(CAR, _dynamic_bicycle, None),
}
"""The figures by the name of the model."""
