"""The parking environment: a car backs into a bay between two others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Gaussian
from ..models import bicycle, task
from ._preset import Preset
from .canvas import BLUE, GREEN, INK, Canvas
from .drawing import Scene, seconds
from .figures import FIGURES, box_at, put
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

CAR = bicycle(noise=0.0)
FREE = bicycle(noise=0.0, limits={"x": (-60.0, 60.0), "y": (-60.0, 60.0), "speed": (-60.0, 60.0)})
"""The same car, with the range of positions and speeds that an observation shows."""
BAY = (0.0, -5.2, math.pi / 2)
"""Pose of the rear axle of a parked car."""
PARKED = ((-3.0, -4.0), (3.0, -4.0))
"""Centres of the cars beside the bay."""
HALF = (0.9, 2.25)
"""Half of their width and length."""
DISCS, RADIUS, WALL = (0.0, 1.35, 2.7), 1.1, 6.0
"""Discs of the car ahead of its rear axle, and their radius; the wall on the other side of the lane [m]."""


def _touching(x: Any, u: Any, p: Any, m: Any) -> list[Any]:
    """Overlap of each disc with the parked cars and the wall."""
    g = []
    for ahead in DISCS:
        px, py = x[0] + ahead * m.cos(x[2]), x[1] + ahead * m.sin(x[2])
        g += [RADIUS - m.maximum(m.abs(px - a) - HALF[0], m.abs(py - b) - HALF[1]) for a, b in PARKED]
        g.append(py + RADIUS - WALL)
    return g


def _astray(x: Any, p: Any, m: Any) -> list[Any]:
    return [x[0] - BAY[0], x[1] - BAY[1], m.cos(x[2]) - math.cos(BAY[2]), m.sin(x[2]) - math.sin(BAY[2]), x[3]]


@task(
    state=CAR.state, action=CAR.action, params={"final": (20.0, 20.0, 40.0, 40.0, 10.0)}, constraint=_touching,
    terminal=_astray, terminal_weights="final", weights=(0.05, 0.05, 0.1, 0.1, 0.02, 0.02, 0.1),
)  # fmt: skip
def park(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The car stands in the bay and touches nothing."""
    return [*_astray(x, p, m), *u]


ARRIVING = Gaussian.of(CAR.state, [3.0, 2.0, 0.0, 0.0], std=[0.5, 0.3, 0.1, 0.01])
PARK = park(initial=ARRIVING, dt=0.1, horizon=100)


def parked(x: Any) -> dict[str, Any]:
    """Whether the car stands in the bay, within 0.4 m and 0.15 rad, for states ``(..., 4)``."""
    turn = np.abs(np.arctan2(np.sin(x[..., 2] - BAY[2]), np.cos(x[..., 2] - BAY[2])))
    return {"parked": (np.hypot(x[..., 0] - BAY[0], x[..., 1] - BAY[1]) < 0.4) & (turn < 0.15)}


def draw_lot(scene: Scene) -> NDArray[np.uint8]:
    """The lane from above, with the wall, the parked cars, the bay and the car."""
    canvas = Canvas((-9.0, -8.0), (13.0, 8.0), size=scene.size, paper=(236, 237, 238))
    canvas.polygon(box_at((2.0, WALL), 0.0, (-11.0, 0.0), (11.0, 2.0)), (150, 160, 166))
    for k in range(-3, 5):
        canvas.line([(3.0 * k - 1.5, -7.0), (3.0 * k - 1.5, -1.5)], (255, 255, 255), 2)
    low, high = (-1.35, BAY[1] - 1.2), (1.35, -1.5)
    canvas.polygon(box_at((0.0, 0.0), 0.0, low, high), (206, 232, 214))
    canvas.line(box_at((0.0, 0.0), 0.0, low, high)[[0, 1, 2, 3, 0]], GREEN, 2)
    for place in PARKED:
        canvas.polygon(box_at(place, 0.0, (-HALF[0], -HALF[1]), HALF), (120, 132, 140))
        canvas.polygon(box_at(place, 0.0, (-0.7, -1.3), (0.7, 0.9)), INK)
    canvas.line(np.array(scene.states)[:, :2], BLUE, 2)
    put(canvas, FIGURES["bicycle"].strokes(scene.present, scene.model.params))
    seconds(canvas, scene)
    return canvas.pixels()


class Lot(Preset):
    """The arguments that the environments of parking share."""

    def __init__(self, **settings: Any) -> None:
        self._fill(FREE, None, PARK, settings, drawing=draw_lot, inform=parked)


class Parking(Lot, ModelEnv):
    """A car that backs into a bay between two others: ``gymnasium.make("pilotage/Parking-v0")``.

    State and observation are x, y [m] and yaw [rad] of the rear axle, and the speed [m/s]; the actions are acceleration
    [m/s^2] and steering angle [rad]. The cost of a tick of 0.1 s is that of the task `parking` of the benchmark, with a
    terminal cost. An episode ends when the car touches another one or the wall, and is truncated after 100 ticks.
    ``info`` holds "parked".

    Args:
        settings: settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/Parking-v0")
        >>> env.reset(options={"state": [0.0, -5.2, 1.57, 0.0]})[1]["parked"]
        True
    """


class ParkingVector(Lot, ModelVectorEnv):
    """A vector environment of `Parking`: ``gymnasium.make_vec("pilotage/Parking-v0", num_envs=64)``."""
