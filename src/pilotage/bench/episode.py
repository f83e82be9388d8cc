"""One episode of a benchmark task in virtual time, in which an action arrives as late as its computation takes."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.errors import SettingError, counted
from ..core.results import ActionStatus
from ..core.settings import shown
from ..core.task import MAX_VIOLATION
from ._world import Pieces, Tick, World
from .benchmark_task import BenchmarkTask
from .delays import Delay, delays_of
from .disturbances import disturbance_of
from .outcome import Failure, RunStatus, RunTimeout, blamed

EXACT = 1e-9
"""Rounding of shares of a tick."""


@dataclass(eq=False)
class Episode:
    """The course of an episode.

    Attributes:
        dt: seconds of a tick.
        status, reason: the outcome, and a sentence if it is not a success.
        cost: the cost up to the end; infinite if the run failed.
        xs, us: states ``(T + 1, n)``, and the actions ``(T, m)`` that acted at the end of each tick.
        digests: a checksum of state and action at each tick, ``(T,)``.
        delays: delay of each decision in virtual time [s].
        spent: computing time of each decision on this machine [s].
        missed: ticks that ended without the action that was due.
        violations, worst: ticks that violated the constraint, and its largest value; minus infinity without one.
        fallbacks: decisions with status FALLBACK.
        done: whether the task was done before its horizon.

    Example:
        >>> Episode(dt=0.1).status
        <RunStatus.SUCCESS: 'success'>
    """

    dt: float = math.nan
    status: RunStatus = RunStatus.SUCCESS
    reason: str = ""
    cost: float = 0.0
    xs: list[Array] = field(default_factory=list)
    us: list[Array] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    missed: int = 0
    violations: int = 0
    worst: float = -math.inf
    fallbacks: int = 0
    done: bool = False


def simulate(
    benchmark: BenchmarkTask,
    controller: Any,
    *,
    seed: int = 0,
    estimator: str = "truth",
    disturbances: Sequence[Any] = (),
    delays: Any = None,
) -> Episode:
    """Run a controller on a task for one episode.

    ::

        tick k:   b_k = the state, or the belief of the filter at k dt
                  u arrives at k dt + delay; until then, the last action acts
                  cost = sum_k sum_i share_i cost(x_k, u_i) + terminal_cost(x_T)       share_i of the tick with u_i

    A controller that is late misses ticks; it is asked again at the first tick after its action arrived. If the plant
    integrates rates (`Dynamics.continuous`), an action can arrive within a tick; otherwise, one that arrives before the
    end of a tick acts in all of it. Actions are clipped to the bounds, as motors do. Initial states, noise, gusts,
    readings and gaps depend on the seed only, not on the controller, as far as the models allow.

    Args:
        benchmark: the task.
        controller: the controller; it is asked once before the episode, to compile what it has to, and then reset.
        seed: seed of the episode, and of the controller.
        estimator: "truth" for the state, "estimate" for the belief of the task's filter.
        disturbances: how the plant differs from the model: each a `Disturbance`, or a mapping as in a `Run`.
        delays: the delays of actions, such as `Lognormal`, or as `timing` of a `Run`; default: none.

    Returns:
        The episode up to its end, or to the error of the controller that its status and reason tell.

    Raises:
        SettingError: if the task has no filter for an estimate, or a disturbance does not fit the plant.

    Example:
        >>> from pilotage.bench import benchmark_task
        >>> from pilotage.control import ILQR
        >>> cart = benchmark_task("double_integrator")
        >>> episode = simulate(cart, ILQR(*cart.known, horizon=50), seed=1)
        >>> episode.status.value, abs(episode.cost - cart.best(1)) < 1e-3
        ('success', True)
    """
    if estimator not in ("truth", "estimate"):
        raise SettingError(f"estimator is {estimator!r}; expected truth or estimate")
    world = World(benchmark, seed, estimator, tuple(map(disturbance_of, disturbances)))
    episode, delay = (
        Episode(world.dt, xs=[world.x]),
        (delays if hasattr(delays, "start") else delays_of(delays, "delays")).start(seed),
    )
    try:
        _prepare(controller, world, seed)
        _loop(world, controller, delay, episode)
        _conclude(world, episode)
    except Failure as failure:
        episode.status, episode.reason, episode.cost = failure.status, failure.reason, math.inf
    except RunTimeout:  # of the run around it, which says how long it waited
        episode.status, episode.cost = RunStatus.TIMEOUT, math.inf
    return episode


def _prepare(controller: Any, world: World, seed: int) -> None:
    """Reset the controller, ask it once, and reset it again."""
    with blamed("reset"):
        controller.reset(seed=seed)
    with blamed("act"):
        controller.act(world.x.copy(), 0.0)
    with blamed("reset"):
        controller.reset(seed=seed)


def _loop(world: World, controller: Any, delay: Delay, episode: Episode) -> None:
    """All ticks of the episode."""
    link = _Link(world.benchmark.action, world.dt, world.plant.continuous)
    for k in range(world.ticks):
        with blamed("the estimator"):
            belief = world.perceive(k)
        if link.free():
            u, spent = _decide(world, controller, belief, k * world.dt, episode)
            episode.spent.append(spent)
            episode.delays.append(delay(spent))
            link.send(u, episode.delays[-1])
        pieces = link.tick()
        episode.missed += link.coming is not None
        with blamed("the task"):
            tick = world.tick(k, pieces)
        if _noted(episode, tick, world.x, link.held).done:
            episode.done = True
            return


class _Link:
    """The way of actions from the controller to the plant, in virtual time.

    Attributes:
        held: the action that acts.
        coming: the action that is under way, or None.
        left: ticks until it arrives.
    """

    def __init__(self, rest: Array, dt: float, continuous: bool) -> None:
        self.dt, self.continuous = dt, continuous
        self.held: Array = rest
        self.coming: Array | None = None
        self.left = 0.0

    def free(self) -> bool:
        """Whether no action is under way; one that is due now arrives."""
        if self.coming is not None and self.left < EXACT:
            self.held, self.coming = self.coming, None
        return self.coming is None

    def send(self, u: Array, delay: float) -> None:
        """Send an action, which arrives after `delay` seconds."""
        self.coming, self.left = u, delay / self.dt

    def tick(self) -> Pieces:
        """The actions of the coming tick, with their shares."""
        if self.left > 1.0 - EXACT:
            self.left -= 1.0
            return [(1.0, self.held)]
        assert self.coming is not None
        before, self.held, self.coming = self.held, self.coming, None
        if self.left < EXACT or not self.continuous:
            return [(1.0, self.held)]
        return [(self.left, before), (1.0 - self.left, self.held)]


def _noted(episode: Episode, tick: Tick, x: Array, u: Array) -> Tick:
    """A tick, noted in the episode with the state and the action at its end."""
    episode.cost += tick.cost
    episode.worst, episode.violations = (
        max(episode.worst, tick.worst),
        episode.violations + (tick.worst > MAX_VIOLATION),
    )
    episode.xs.append(x)
    episode.us.append(u)
    episode.digests.append(zlib.crc32(np.concatenate([x, u]).tobytes()))
    return tick


def _decide(world: World, controller: Any, belief: Any, t: float, episode: Episode) -> tuple[Array, float]:
    """The action of the controller within the bounds, and the computing time."""
    space, begun = world.plant.action, time.perf_counter()
    with blamed("act"):
        action = controller.act(belief, t)
    spent = time.perf_counter() - begun
    if not hasattr(action, "u"):
        raise Failure(RunStatus.INVALID, f"at {t:.4g} s act gave {shown(action)}; expected an Action")
    u = np.asarray(action.u, dtype=np.float64)
    if u.shape != (space.size,) or not np.isfinite(u).all():
        wanted = counted(space.size, "finite number")
        raise Failure(RunStatus.INVALID, f"at {t:.4g} s the action was {u.tolist()}; expected {wanted}")
    episode.fallbacks += getattr(action, "status", None) is ActionStatus.FALLBACK
    return space.clip(u), spent


def _conclude(world: World, episode: Episode) -> None:
    """The terminal cost and the verdict."""
    x, benchmark = world.x, world.benchmark
    with blamed("the task"):
        episode.cost += world.finish()
        reached = benchmark.success is None or bool(benchmark.success(x))
    if not math.isfinite(episode.cost):
        raise Failure(RunStatus.DIVERGED, f"the cost is {episode.cost}")
    if episode.violations:
        episode.status = RunStatus.VIOLATED
        episode.reason = f"the constraint was {episode.worst:.3g} at worst, in {episode.violations} ticks"
    elif benchmark.finish and not episode.done:
        episode.status, episode.reason = RunStatus.MISSED, f"the task was not done after {len(episode.us)} ticks"
    elif not reached:
        episode.status, episode.reason = RunStatus.MISSED, "the last state does not reach the goal"
