"""The controllers that a benchmark compares, by name: functions from a task, a model and a seed to a controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..control import (
    CEM,
    ICEM,
    ILQR,
    LQR,
    MPPI,
    SQP,
    GradientMPC,
    LinearMPC,
    PredictiveSampling,
    PurePursuit,
    RegulatedPurePursuit,
    SpaceTimePursuit,
    Stanley,
    TrackAvoidance,
)
from ..core.arrays import Array
from ..core.compiled import Compiled
from ..core.dynamics import Dynamics
from ..core.errors import PilotageError
from ..core.protocols import Controller
from ..core.registry import Registry
from ..core.results import Action, ActionStatus
from ..core.space import Space
from ..core.states import state_of
from .benchmark_task import BenchmarkTask

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
            return Action(rest.copy(), ActionStatus.FALLBACK, reason="the state is not finite; fell back to rest")
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
    """`ILQR` with a horizon of 30 steps, and 50 iterations per tick from the last plan and 50 from rest."""
    return _predictive(ILQR, "ilqr", benchmark, model, settings, horizon=30, iterations=50, restart=True)


@controllers.add
def ddp(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`ILQR` with second derivatives of the dynamics: differential dynamic programming."""
    return ilqr(benchmark, model, seed, **{"second_order": True, **settings})


@controllers.add
def sqp(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`SQP` with a horizon of 30 steps, and 20 quadratic programs per tick from the last plan and 20 from rest."""
    return _predictive(SQP, "sqp", benchmark, model, settings, horizon=30, iterations=20, restart=True)


@controllers.add
def sqp_real_time(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`SQP` with one quadratic program per tick for the last plan, and 20 from rest."""
    return sqp(benchmark, model, seed, **{"real_time": True, **settings})


@controllers.add
def gradient_mpc(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`GradientMPC` with a horizon of 30 steps, and 30 iterations per tick from the last plan and 30 from rest."""
    stock: dict[str, Any] = {"horizon": 30, "iterations": 30, "restart": True}
    return _predictive(GradientMPC, "gradient_mpc", benchmark, model, settings, **stock)


@controllers.add
def mppi(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`MPPI` with 500 samples of 30 steps, or what suits the task."""
    return _sampling(MPPI, "mppi", benchmark, model, settings, samples=500, rng=seed)


@controllers.add
def cem(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`CEM` with 4 times 125 samples of 30 steps, or what suits the task, from the last plan and from rest."""
    return _sampling(CEM, "cem", benchmark, model, settings, samples=125, restarts=1, rng=seed)


@controllers.add
def icem(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`ICEM` with 4 iterations, of 125 samples of 30 steps and then fewer, from the last plan and from rest."""
    return _sampling(ICEM, "icem", benchmark, model, settings, samples=125, restarts=1, rng=seed)


@controllers.add
def predictive_sampling(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`PredictiveSampling` with 500 samples of 30 steps, or what suits the task."""
    return _sampling(PredictiveSampling, "predictive_sampling", benchmark, model, settings, samples=500, rng=seed)


def among_tracks(kind: Callable[..., Any], **stock: Any) -> Callable[..., Controller]:
    """A contestant that keeps clear of predicted tracks, by `TrackAvoidance`, for tasks that have them.

    Args:
        kind: a contestant with a predictive controller, ``(benchmark_task, model, seed, **settings)``.
        stock: settings of it that hold among tracks, unless those of the suite say otherwise.
    """

    def made(
        benchmark: BenchmarkTask,
        model: Dynamics,
        seed: int,
        risk: float | None = 0.1,
        foresight: float = 0.9,
        count: int = 8,
        **settings: Any,
    ) -> Controller:
        assert benchmark.tracks is not None
        margin = "map_margin" if "map_margin" in getattr(benchmark.known[1], "params", {}) else None
        return TrackAvoidance(
            kind(benchmark, model, seed, **{**stock, **settings}), benchmark.tracks, radius=0.2, risk=risk,
            foresight=foresight, count=count, margin=margin,
        )  # fmt: skip

    made.__name__ = made.__qualname__ = f"{kind.__name__}_tracks"
    made.__doc__ = (
        f"`{kind.__name__}` that keeps clear of predicted tracks, by `TrackAvoidance`; for tasks that have them."
    )
    made.fits = lambda benchmark: benchmark.tracks is not None and fits(kind.__name__, benchmark)  # type: ignore[attr-defined]
    return made


mppi_tracks = controllers.add(among_tracks(mppi, feedback=False))
ilqr_tracks = controllers.add(among_tracks(ilqr, restart=False))


@controllers.add
def lqr(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`LQR` with the goal and the weights of the task; for tasks made by `reach` whose goal a linear feedback keeps."""
    return LQR(model, **{**_quadratic(benchmark, model), **settings})


@controllers.add
def linear_mpc(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`LinearMPC` with a horizon of 30 steps; for the tasks of `lqr`."""
    return LinearMPC(model, **{**_quadratic(benchmark, model), "horizon": 30, **settings})


@controllers.add
def pure_pursuit(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`PurePursuit` of the path of the task; for tasks that have one."""
    return PurePursuit(model, _path(benchmark, seed), **{**_pace(benchmark), **settings})


@controllers.add
def regulated_pure_pursuit(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`RegulatedPurePursuit` of the path of the task."""
    return RegulatedPurePursuit(model, _path(benchmark, seed), **{**_pace(benchmark), **settings})


@controllers.add
def stanley(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`Stanley` along the path of the task."""
    return Stanley(model, _path(benchmark, seed), **{**_pace(benchmark), **settings})


@controllers.add
def space_time_pursuit(benchmark: BenchmarkTask, model: Dynamics, seed: int, **settings: Any) -> Controller:
    """`SpaceTimePursuit` to the end of the path of the task, among its tracks on its map."""
    assert benchmark.tracks is not None and benchmark.grid is not None
    goal = np.asarray(_path(benchmark, seed))[-1, :2]
    return SpaceTimePursuit(model, benchmark.grid, goal, benchmark.tracks, **{"speed": 1.3, **settings})


def _predictive(
    kind: Any, name: str, benchmark: BenchmarkTask, model: Dynamics, settings: dict[str, Any], **stock: Any
) -> Controller:
    """A predictive controller with its stock settings, then those that suit the task, then those of the suite.

    Its first plan is the resting action of the task: a drone begins by hovering.
    """
    tuned = (benchmark.tuned or {}).get(name, {})
    return kind(model, benchmark.known[1], **{"brake": benchmark.action, **stock, **tuned, **settings})


def _sampling(
    kind: Any, name: str, benchmark: BenchmarkTask, model: Dynamics, settings: dict[str, Any], **stock: Any
) -> Controller:
    """A sampling controller with feedback where it has derivatives; `sampling` comes before its stock settings."""
    feedback = isinstance(model, Compiled) and _derived(benchmark)
    stock = {"horizon": 30, "feedback": feedback, **stock, **(benchmark.sampling or {})}
    return _predictive(kind, name, benchmark, model, settings, **stock)


def _path(benchmark: BenchmarkTask, seed: int) -> Any:
    assert benchmark.path is not None
    return benchmark.path(seed)


def _pace(benchmark: BenchmarkTask) -> dict[str, float]:
    """The speed along the path as a setting of path trackers, if the task was made by `follow`."""
    params: dict[str, Any] = getattr(benchmark.known[1], "params", {})
    return {"speed": float(params["speed"])} if "speed" in params else {}


def _quadratic(benchmark: BenchmarkTask, model: Dynamics) -> dict[str, Any]:
    """Goal, weights and time step of a task made by `reach`, as settings of linear controllers."""
    task: Any = benchmark.known[1]
    Q, R = np.split(np.asarray(task.params["weights"]), [model.state.dim])
    return {"goal": task.params["goal"], "Q": Q, "R": R, "dt": task.dt}


def _linear(benchmark: BenchmarkTask) -> bool:
    """Whether `lqr` exists for the task."""
    try:
        lqr(benchmark, benchmark.known[0], 0)
    except (AttributeError, KeyError, ValueError, PilotageError):  # it has no such parameters, or no linear feedback
        return False
    return True


def _derived(benchmark: BenchmarkTask) -> bool:
    """Whether the task has the derivatives that trajectory optimisation needs."""
    return isinstance(benchmark.known[1], Compiled)


for _each in (ilqr, sqp, sqp_real_time, gradient_mpc):
    _each.fits = _derived  # type: ignore[attr-defined]
for _each in (pure_pursuit, regulated_pure_pursuit, stanley):
    _each.fits = lambda benchmark: benchmark.path is not None  # type: ignore[attr-defined]
space_time_pursuit.fits = lambda benchmark: None not in (benchmark.tracks, benchmark.grid, benchmark.path)  # type: ignore[attr-defined]
for _each in (lqr, linear_mpc):
    _each.fits = _linear  # type: ignore[attr-defined]
ddp.fits = lambda benchmark: benchmark.known[0].state.flat and _derived(benchmark)  # type: ignore[attr-defined]
