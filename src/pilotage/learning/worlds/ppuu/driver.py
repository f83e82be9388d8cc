"""A policy for dense traffic: a network that looks at the cars around."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....core import Action, ActionStatus
from ....core.arrays import Array
from ....core.errors import ShapeError
from ....core.settings import Count, Natural, instance, settings
from ....core.states import state_of
from ....envs.traffic import Road, others
from ....envs.traffic.state import ACTION, traffic_space
from ...networks import SetAttention
from ._features import AROUND, alone, alone_size, around
from .ego import ACCEL, CURVATURE, DT
from .scenes import REACH, Scene


@settings
class DriverSettings:
    """The sizes of a driver.

    Attributes:
        neighbours: cars that it looks at, the nearest.
        past: ticks of which accelerations are known.
        width, heads, layers: of the attention.
        seed: seed of the initial weights.

    Example:
        >>> DriverSettings().neighbours
        12
    """

    neighbours: Count = 12
    past: Count = 5
    width: Count = 64
    heads: Count = 4
    layers: Natural = 1
    seed: Natural = 0


class TrafficDriver:
    """A policy that drives the own car by what it sees of the cars around.

    ::

        accel = 6.2 tanh g_1,   curvature = 0.065 tanh g_2,   g = f(own; {neighbour_j})

    f is a `SetAttention` over the nearest neighbours. It takes batches of scenes for training, and is a controller of
    the environment `Traffic`: `act` remembers the last states, since accelerations are seen in differences of speed.

    Args:
        settings: the sizes.
        road: the lanes, for `act`.
        cars: number of other cars in the states that `act` takes.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> TrafficDriver().act(ReactiveTraffic().start(0)).u.tolist()
        [0.0, 0.0]
    """

    dt = DT
    action = ACTION

    def __init__(self, settings: DriverSettings | None = None, road: Road | None = None, cars: int = 50) -> None:
        self.state = traffic_space(cars)
        self.settings = s = DriverSettings() if settings is None else settings
        self.road = Road() if road is None else instance(road, Road, "TrafficDriver")
        self.network = SetAttention(
            AROUND, 2, query=alone_size(s.past), width=s.width, heads=s.heads, layers=s.layers, seed=s.seed
        ).float()
        torch.nn.init.zeros_(self.network.linear.weight)
        torch.nn.init.zeros_(self.network.linear.bias)
        self.modules: dict[str, torch.nn.Module] = {"driver": self.network}
        self._seen, self._last = list[Array](), np.zeros(2)

    def __call__(self, scene: Scene) -> Tensor:
        """Acceleration [m/s^2] and curvature [1/m] ``(..., 2)`` in scenes."""
        objects, there = around(scene, self.settings.neighbours, first=True)
        found = self.network(objects[..., 0, :, :], there[..., 0, :], alone(scene)[..., 0, :])
        return torch.tanh(found) * torch.tensor([ACCEL, CURVATURE]).to(found)

    def reset(self, *, seed: int | None = None) -> None:
        """Start a new episode."""
        self._seen, self._last = [], np.zeros(2)

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action in a state ``(n,)`` of the environment `Traffic`. If the state is NaN, the last one is held.

        Raises:
            ShapeError: if the state has the wrong length.
        """
        begun = time.perf_counter()
        x = state_of(belief_or_state, self.state, finite=False)
        if not np.isfinite(x).all():
            reason = "the state is NaN or infinite; fell back to hold"
            return Action(self._last.copy(), ActionStatus.FALLBACK, None, reason=reason)
        self._seen = [*self._seen, x][-(self.settings.past + 1) :]
        with torch.no_grad():
            u = self(scene_of(np.stack(self._seen), self.road, self.settings.past)).double().numpy()
        self._last = u
        return Action(u.copy(), ActionStatus.SOLVED, solve_time=time.perf_counter() - begun)


def scene_of(xs: Array, road: Road, past: int = 5, cars: int = 20) -> Scene:
    """The scene at the end of a history of states ``(T, n)`` of the environment, T up to ``past + 1``.

    Args:
        xs: states of `ReactiveTraffic` or `ReplayedTraffic`, whose other cars keep their rows.
        road: the lanes.
        past: ticks of accelerations; those before the history are 0.
        cars: number of cars in the scene.

    Raises:
        ShapeError: if there is no state.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> scene_of(ReactiveTraffic().start(0)[None], Road()).past.shape
        torch.Size([20, 5, 2])
    """
    if xs.ndim != 2 or not len(xs):
        raise ShapeError(f"xs has shape {xs.shape}; expected (T, n), one state or more")
    rows = np.concatenate([xs[:, None, :6], others(xs)[..., :6]], 1)
    x0 = xs[-1, 0]
    there = rows[-1, :, 4] > 0.0
    there[0] = True
    far = np.where(there, np.abs(rows[-1, :, 0] - x0), np.inf)
    far[0] = -1.0
    near = np.argsort(far, kind="stable")[:cars]
    near = near[far[near] < REACH]
    picked = rows[:, near]
    velocity = picked[..., 3, None] * np.stack([np.cos(picked[..., 2]), np.sin(picked[..., 2])], -1)
    change = np.diff(velocity, axis=0)[-past:] / DT
    known = (picked[1:, :, 4] > 0.0) & (picked[:-1, :, 4] > 0.0)
    change = np.where(known[-past:, :, None], change, 0.0)
    out, accel = np.zeros((cars, 4), np.float32), np.zeros((cars, past, 2), np.float32)
    sizes, seen = np.ones((cars, 2), np.float32), np.zeros(cars, bool)
    n = len(near)
    out[:n] = np.concatenate([picked[-1, :, :2] - [x0, 0.0], velocity[-1]], -1)
    accel[:n, past - len(change) :] = change.transpose(1, 0, 2)
    sizes[:n], seen[:n] = picked[-1, :, 4:6], True
    lanes = np.array([0.5 * road.width, road.lane_width], np.float32)
    return Scene(*(torch.from_numpy(each) for each in (out, accel, sizes, seen, lanes)))
