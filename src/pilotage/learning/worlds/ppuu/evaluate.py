"""The evaluation of drivers in traffic under frozen conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....core.arrays import Array
from ....core.settings import Count, Natural, settings
from ....envs.traffic import ReactiveTraffic, ReplayedTraffic, TrafficTask
from ....envs.traffic.state import ACTION
from ...evaluation import EvaluationProtocol, SuccessRate


class Driver(Protocol):
    """A controller of the own car."""

    def reset(self, *, seed: int | None = None) -> None:
        """Start a new episode."""
        ...

    def act(self, belief_or_state: Any, t: float | None = None) -> Any:
        """The action, with its ``u``."""
        ...


@settings(kw_only=True)
class DriveOptions:
    """Conditions of an evaluation in simulated traffic.

    Attributes:
        episodes: number of episodes.
        budget: largest number of ticks in an episode.
        seed: seed of the first episode; the others follow.

    Example:
        >>> DriveOptions().episodes
        200
    """

    episodes: Count = 200
    budget: Count = 1000
    seed: Natural = 1_000_000


@dataclass(frozen=True, eq=False)
class Drives:
    """The result of an evaluation.

    Attributes:
        success: the share of episodes that reached the goal without a collision and without leaving the road.
        distances: the way along the road in each episode [m].
        collided, off_road: whether an episode ended so.
        speeds: the mean speed in each episode [m/s].

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> drives = evaluate_driver(hold, ReactiveTraffic(), DriveOptions(episodes=3, budget=20))
        >>> drives.distances.shape
        (3,)
    """

    success: SuccessRate
    distances: Array
    collided: NDArray[np.bool_]
    off_road: NDArray[np.bool_]
    speeds: Array

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "success": self.success.to_json(),
            "distance": float(self.distances.mean()),
            "collided": float(self.collided.mean()),
            "off_road": float(self.off_road.mean()),
            "speed": float(self.speeds.mean()),
        }


def hold(x: Array) -> Array:
    """No action: the speed and the course stay as they are.

    Example:
        >>> hold(np.zeros(10)).tolist()
        [0.0, 0.0]
    """
    return np.zeros(2)


def evaluate_driver(
    driver: Driver | Callable[[Array], Array],
    traffic: ReactiveTraffic | ReplayedTraffic,
    options: DriveOptions | None = None,
) -> Drives:
    """Let a driver drive: in simulated traffic from seeded starts, in a recording in the place of each car in turn.

    Args:
        driver: a controller, or a function from states ``(n,)`` to actions ``(2,)``.
        traffic: the traffic.
        options: the conditions; of a recording, only the budget counts.
    """
    options = DriveOptions() if options is None else options
    task = TrafficTask(traffic.cars, traffic.road)
    recorded = isinstance(traffic, ReplayedTraffic)
    starts = traffic.vehicles if recorded else range(options.seed, options.seed + options.episodes)
    rows = list[tuple[bool, float, bool, bool, float]]()
    for k in starts:
        x = traffic.start(vehicle=int(k)) if isinstance(traffic, ReplayedTraffic) else traffic.start(int(k))
        rows.append(_episode(driver, traffic, task, x, options.budget))
    won, distances, collided, off, speeds = (np.array(column) for column in zip(*rows, strict=True))
    protocol = EvaluationProtocol(
        world="ppuu", starts=repr(traffic), goals="end of road",
        budget=options.budget, episodes=len(rows), seed=options.seed, success=(),
    )  # fmt: skip
    return Drives(protocol.rate(won), distances, collided, off, speeds)


def _episode(
    driver: Any, traffic: Any, task: TrafficTask, x: Array, budget: int
) -> tuple[bool, float, bool, bool, float]:
    """Whether it succeeds, the way [m], whether it collides, whether it leaves the road, and the mean speed [m/s]."""
    act = driver.act if hasattr(driver, "act") else None
    if act is not None:
        driver.reset()
    x0, speeds = x[0], [x[3]]
    for _ in range(budget):
        u = np.clip(
            ACTION.check(driver(x) if act is None else act(x).u, "the action of a driver"), ACTION.low, ACTION.high
        )
        x = traffic.step(x, u, task.dt)
        speeds.append(x[3])
        hit, beside = task.constraint(x, u) > 0.0
        if hit or beside or task.done(x):
            return (
                bool(task.done(x) and not (hit or beside)),
                x[0] - x0,
                bool(hit),
                bool(beside),
                float(np.mean(speeds)),
            )
    return False, x[0] - x0, False, False, float(np.mean(speeds))
