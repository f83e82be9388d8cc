"""The task of driving in traffic: to reach the goal without a collision and without leaving the road."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Task
from ...core.settings import Count, settings
from ._flow import ESPEED, EX, EYAW, GOAL, judge
from .road import Road
from .state import ACTION, rows, traffic_space


@settings
class TrafficTask(Task):
    """Minimise ``-sum v cos(yaw) dt``, minus the way along the road [m], until the goal is reached.

    The constraint is the depth [m] by which the own car overlaps another one, and how far its middle is beside the road
    [m].

    Attributes:
        cars: number of other cars in the state.
        road: the lanes.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> x = ReactiveTraffic(cars=50).start(0)
        >>> TrafficTask(cars=50).constraint(x, [0.0, 0.0]).shape
        (2,)
    """

    cars: Count
    road: Road = Road()

    def __post_init__(self) -> None:
        for name, value in (("state", traffic_space(self.cars)), ("action", ACTION), ("dt", 0.1), ("horizon", 1000)):
            object.__setattr__(self, name, value)

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """Minus the way along the road in a tick [m]."""
        x = np.asarray(x)
        return -self.dt * x[..., ESPEED] * np.cos(x[..., EYAW])

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        """The depths [m] of a collision, and of the middle of the car beside the road ``(..., 2)``."""
        x = np.asarray(x, dtype=np.float64)
        xs = rows(x, self.state.size, "x of traffic")
        out = np.empty((len(xs), 2))
        judge(xs, self.road.packed, out)
        return out.reshape(*x.shape[:-1], 2)

    def done(self, x: Any, r: Any = None) -> Any:
        """Whether the goal is reached."""
        x = np.asarray(x)
        return x[..., EX] >= x[..., GOAL]
