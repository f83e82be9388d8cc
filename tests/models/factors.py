"""Factors of one, two, three and six variables, as functions of components."""

from __future__ import annotations

from typing import Any

from pilotage.core import Space
from pilotage.core.rotations import conjugate, product, rotate, rotation_exp

POSE, PLACE, VECTOR = Space("pose: SE3"), Space("x y z [m]"), Space("vx vy vz [m/s]")
PIXEL, LENS, BIAS = Space("u v [px]"), Space("focal [px]"), Space("ax ay az [m/s^2]", "gx gy gz [rad/s]")
GRAVITY = (0.0, 0.0, -9.81)


def sky(north: Any, c: Any, p: Any, m: Any) -> Any:
    return north


def planar(place: Any, pose: Any, c: Any, p: Any, m: Any) -> Any:
    d, s, k = (place[0] - pose[0], place[1] - pose[1]), m.sin(pose[2]), m.cos(pose[2])
    return m.atan2(k * d[1] - s * d[0], k * d[0] + s * d[1]), m.hypot(*d)


def pixel(pose: Any, point: Any, lens: Any, c: Any, p: Any, m: Any) -> Any:
    right, down, depth = rotate(conjugate(pose[3:]), [point[i] - pose[i] for i in range(3)])
    return lens[0] * right / depth, lens[0] * down / depth


def preintegrated(
    pose_i: Any, v_i: Any, b_i: Any, pose_j: Any, v_j: Any, b_j: Any, c: Any, p: Any, m: Any
) -> list[Any]:
    (dt,), back = c, conjugate(pose_i[3:])
    turn = product(product(back, pose_j[3:]), rotation_exp([b * dt for b in b_i[3:]], m))
    dv = rotate(back, [v_j[k] - v_i[k] - GRAVITY[k] * dt for k in range(3)])
    dp = rotate(back, [pose_j[k] - pose_i[k] - v_i[k] * dt - GRAVITY[k] * dt * dt / 2.0 for k in range(3)])
    return [
        *turn,
        *(dv[k] + b_i[k] * dt for k in range(3)),
        *(dp[k] + b_i[k] * dt * dt / 2.0 for k in range(3)),
        *(b_j[k] - b_i[k] for k in range(6)),
    ]


KINDS: dict[str, tuple[Any, dict[str, Space], Space, Space]] = {
    "one": (sky, {"north": Space("north: S2")}, Space("seen: S2"), Space()),
    "two": (planar, {"place": Space("x y [m]"), "pose": Space("p: SE2")}, Space("b: angle", "range [m]"), Space()),
    "three": (pixel, {"pose": POSE, "point": PLACE, "lens": LENS}, PIXEL, Space()),
    "six": (
        preintegrated,
        {"pose_i": POSE, "v_i": VECTOR, "b_i": BIAS, "pose_j": POSE, "v_j": VECTOR, "b_j": BIAS},
        Space("turn: quaternion", "dvx dvy dvz [m/s]", "dx dy dz [m]", "walk: float64[6]"),
        Space("dt [s]"),
    ),
}
