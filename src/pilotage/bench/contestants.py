"""The controllers that a benchmark compares, by name: functions from a task, a model and a seed to a controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..control import ILQR, MPPI, PurePursuit
from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.protocols import Controller
from ..core.results import Action, ActionStatus
from ..core.space import Space
from ..core.states import state_of
from .benchmark_task import BenchmarkTask
from .registry import Registry

controllers = Registry("controller", "pilotage.bench.controllers")
"""The controllers by name: functions ``(benchmark_task, model, seed, **settings) -> Controller``.

A function may have an attribute `fits`, a function from a benchmark task to whether it can be used for it.
"""


def fits(name: str, benchmark: BenchmarkTask) -> bool:
    """Whether a controller can be used for a task.

    Example:
        >>> from pilotage.bench import benchmark_task
        >>> fits("mppi", benchmark_task("pendulum")), fits("pure_pursuit", benchmark_task("pendulum"))
        (True, False)
    """
    test: Callable[[BenchmarkTask], Any] | None = getattr(controllers.get(name), "fits", None)
    return test is None or bool(test(benchmark))


class Baseline:
    """A controller that does not look: a constant action, or random ones.

    Args:
        state, action: the spaces.
        u: the action ``(m,)``; None for actions drawn evenly within the bounds.

    Example:
        >>> from pilotage.models import unicycle
        >>> Baseline(unicycle().state, unicycle().action, [1.0, 0.0]).act([0.0, 0.0, 0.0]).u
        array([1., 0.])
    """

    def __init__(self, state: Space, action: Space, u: Any = None) -> None:
        self.state, self.action = state, action
        self.u = None if u is None else action.clip(action.check(u, "u"))
        self.reset()

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode, with random actions of the seed."""
        self._rng = np.random.default_rng(seed)

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t`."""
        rest = self.action.clip(np.zeros(self.action.size)) if self.u is None else self.u
        if not np.isfinite(state_of(belief_or_state, self.state, finite=False)).all():
            return Action(rest, ActionStatus.FALLBACK, reason="the state is not finite; fell back to rest")
        return Action(self._drawn() if self.u is None else self.u.copy())

    def _drawn(self) -> Array:
        low, high = self.action.low, self.action.high
        low, high = np.where(np.isfinite(low), low, -1.0), np.where(np.isfinite(high), high, 1.0)
        return self._rng.uniform(low, high)


@controllers.add
def rest(benchmark: BenchmarkTask, model: Dynamics, seed: int) -> Controller:
    """A baseline that always gives the resting action of the task."""
    return Baseline(model.state, model.action, benchmark.action)


@controllers.add
def random(benchmark: BenchmarkTask, model: Dynamics, seed: int) -> Controller:
    """A baseline of random actions, drawn evenly within the bounds."""
    return Baseline(model.state, model.action)


@controllers.add
def ilqr(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`ILQR` with a horizon of 30 steps and 50 iterations per tick."""
    return ILQR(model, benchmark.known[1], **{"horizon": 30, "iterations": 50, **settings})


@controllers.add
def mppi(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`MPPI` with 500 samples of 30 steps."""
    return MPPI(model, benchmark.known[1], **{"horizon": 30, "samples": 500, "rng": seed, **settings})


@controllers.add
def pure_pursuit(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`PurePursuit` of the path of the task; for tasks that have one."""
    assert benchmark.path is not None
    return PurePursuit(model, benchmark.path(seed), **settings)


pure_pursuit.fits = lambda benchmark: benchmark.path is not None  # type: ignore[attr-defined]
