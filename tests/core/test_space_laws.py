"""Every kind of space obeys the laws, on arrays and on tensors."""

from __future__ import annotations

import pytest

from pilotage.core import Space
from pilotage.testing import check_space

SPACES = [
    Space("x y [m]"),
    Space("speed [m/s] in [-2, 10]", "charge in [0, inf]", "drop in [-inf, 0]"),
    Space("yaw: angle"),
    Space("x y [m]", "yaw: angle", "speed [m/s] in [-2, 10]", "steer: angle"),
    Space("q: quaternion"),
    Space("pose: SE2"),
    Space("pose: SE3"),
    Space("nav: SE3[v]", "bias"),
    Space("map: SE2[tree] left", "arm: quaternion left", "pose: SE2 left"),
    Space("n: S2"),
    Space("x [m]", "n: S2", "yaw: angle", "m: S2", "y [m]"),
    Space("camera: uint8[3, 4]"),
    Space("latent: float32[5]"),
    Space("pose: SE2", "camera: uint8[2, 2]", "latent: float64[3] in [-1, 1]"),
    Space("pose: SE2", "speed [m/s]", "bearing: angle", "arm: quaternion", "body: SE3"),
    Space("pose: SE2", "hand: SE3").bounded({"pose.x": (0, 5), "pose.y": (-1, 1), "hand.z": (0, 2)}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_laws(space: Space, seed: int) -> None:
    pytest.importorskip("torch")
    check_space(space, rng=seed)
