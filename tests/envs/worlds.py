"""Small worlds to test environments in."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core import Gaussian, Sensor, Space
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.models import dynamics, sensor, task

STATE = Space("x y [m] in [-20, 20]", "yaw: angle", "speed [m/s] in [-4, 4]")
ACTION = Space("accel [m/s^2] in [-1, 1]", "turn [rad/s] in [-1, 1]")


@dynamics(state=STATE, action=ACTION, noise=(0.02, 0.02, 0.05, 0.1))
def rover(x, u, p, m):
    _, _, yaw, speed = x
    return speed * m.cos(yaw), speed * m.sin(yaw), u[1], u[0]


@sensor(state=Space("x y [m]"), reading=Space("x y [m] in [-20, 20]"), std=0.5)
def fix(x, c, p, m):
    return x[0], x[1]


@sensor(state=Space("yaw: angle"), reading=Space("heading: angle"), std=0.2)
def compass(x, c, p, m):
    return (x[0],)


@sensor(state=Space("x y [m]"), reading=Space("distance [m] in [0, 60]"), context=Space("px py [m]"), std=0.1)
def beacon(x, c, p, m):
    return (m.hypot(x[0] - c[0], x[1] - c[1]),)


def _arrived(x, p, m):
    return 5.0 * (x[0] ** 2 + x[1] ** 2)


def _outside(x, u, p, m):
    return m.abs(x[0]) - p.fence, m.abs(x[1]) - p.fence


@task(
    state=Space("x y [m]"),
    action=ACTION,
    params={"effort": 0.1, "fence": 3.2},
    terminal=_arrived,
    constraint=_outside,
)
def home(x, u, p, m):
    return 0.1 * (x[0] ** 2 + x[1] ** 2) + p.effort * u[0] ** 2


START = Gaussian.of(STATE, [2.5, -1.5, 2.6, 0.5], std=[0.9, 0.9, 0.3, 0.1])


def going_home(**settings):
    """The task, with an end near the origin and a fence at 3.2 m unless told otherwise."""
    given = {
        "initial": START,
        "dt": 0.1,
        "horizon": 40,
        "done": lambda x: np.hypot(x[..., 0], x[..., 1]) < 1.5,
        **settings,
    }
    return home(**given)


WALLS = OccupancyGrid.from_ascii(["#" * 42, *["#" + "." * 40 + "#"] * 40, "#" * 42], origin=(-21, -21, 0))
LIDAR = Lidar(WALLS, 8, 15.0)


class Camera(Sensor):
    """A picture of 64 x 64 grey levels from above, with a bright spot at the robot."""

    state, reading, context = STATE, Space("camera: uint8[64, 64]"), Space()

    def observe(self, x: Any, context: Any = None) -> Any:
        x = np.asarray(x)
        rows, columns = np.mgrid[:64, :64]
        away = (columns - 31.5 - x[..., 0, None, None]) ** 2 + (rows - 31.5 + x[..., 1, None, None]) ** 2
        return np.rint(255.0 * np.exp(-away / 8.0)).astype(np.uint8).reshape(*x.shape[:-1], -1)

    def noise(self, x: Any, context: Any = None) -> Any:
        return np.broadcast_to(0.0, (4096, 4096))

    def sample(self, x: Any, context: Any = None, *, rng: Any = None) -> Any:
        return self.observe(x)


SENSORS = {"fix": fix(), "compass": compass(), "beacon": (beacon(), [4.0, 1.0])}
