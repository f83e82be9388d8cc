"""The samples of a tick: memory, machine code of traced models, and one call per tick of all others."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array, numbers
from ...core.compiled import Compiled
from ...core.declared import called, returned
from ...core.errors import ModelError, SettingError
from ...core.results import ActionStatus
from ...core.settings import Count, NonNegative, Positive, settings
from ...core.space import Space
from ...models.trace import LANES, ParameterMemory, code_of, real_of
from ..receding import Horizon, Solution, Stopwatch
from ..trajectory.ilqr import Sweeps
from . import _rollouts
from .noise import basis_of

DRAWN = np.array([0, 0, 1])
DRIVERS = {
    "double": (_rollouts.roll, _rollouts.fill, _rollouts.moments),
    "single": (_rollouts.roll_single, _rollouts.fill_single, _rollouts.moments_single),
}

FEW = 8
"""Samples of a model without machine code that are rolled out first, where there is a budget."""

Law = tuple[Array, Array, Array]
"""Nominal states, nominal actions and gains of a feedback."""

Precision = Literal["double", "single"]
"""The precision of rollouts."""


@settings
class Sampler(ABC):
    """Settings that all solvers by samples share; subclasses move the plan."""

    samples: Count = 1000
    std: Any = None
    noise: Any = None
    penalty: NonNegative = 1000.0
    iterations: Count = 1
    threads: Count = 1
    budget: Positive | None = None
    redraw: bool = True
    scales: Any = 1.0
    precision: Precision = "double"
    feedback: bool = False

    def workspace(self, problem: Horizon) -> Samples:
        """The machine code and memory for rollouts of a problem."""
        return Samples(problem, self)

    def init(self, seed: int) -> Any:
        """The state at the start of an episode: the key of random numbers, memory of the algorithm, last solution."""
        return key_of(seed), None, None

    @abstractmethod
    def step(
        self, workspace: Samples, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """Improve the plan by samples around it."""


class Samples:
    """Samples around a plan, and their costs.

    Attributes:
        problem: the problem to be solved.
        std: standard deviation of the noise ``(T, m)``.
        costs: cost of each sample ``(K,)``, infinite where it was not finite.
        weights: weight of each sample ``(K,)``, if the solver has written any.
        violations: largest value of the constraint along each sample ``(K,)``.
        drawn: number of samples that were drawn in time.
    """

    def __init__(self, problem: Horizon, sampler: Sampler, correlation: float = 0.0) -> None:
        T, m, count = problem.steps, problem.action.size, sampler.samples
        self.problem, self.std = problem, np.tile(spread(sampler.std, problem.action), (T, 1))
        self._real, self._basis = real_of(sampler.precision).dtype, basis_of(sampler.noise, T)
        self._settings = np.array([correlation, sampler.penalty, *factors(sampler.scales)])
        self._limits, self._free = problem.limits, np.zeros((T, m))
        blocks = -(-count // LANES)
        self._padded = np.full((blocks, LANES), np.inf), np.zeros((blocks, LANES))
        self._violations = np.full((blocks, LANES), -np.inf)
        self.costs, self.weights = (each.ravel()[:count] for each in self._padded)
        self.violations, self.drawn = self._violations.ravel()[:count], count
        self._deviations = np.zeros((blocks, T * m, LANES), self._real)
        rows = -(-T * m // 4) * 4
        self._pool, self._pooled = np.empty((0 if sampler.redraw else blocks, rows, LANES), self._real), None
        roll, fill, moments = DRIVERS[sampler.precision]
        self._fill: Any = None if sampler.redraw else fill.compiled
        self._sweeps: Sweeps | None = None
        self._moments, self._square = moments.compiled, np.zeros(T * m)
        dynamics, task = problem.dynamics, problem.task
        state = problem.dynamics.state
        self._none = np.empty((0, state.size)), np.empty((0, m)), np.empty((0, m, state.dim))
        self._coded = isinstance(dynamics, Compiled) and isinstance(task, Compiled)
        other = task if isinstance(dynamics, Compiled) else dynamics
        if sampler.precision == "single" and not self._coded:
            raise SettingError(
                f"precision is single, but {other!r} is no traced model, which could be compiled for it; leave it out"
            )
        if sampler.threads > 1 and not self._coded:
            raise SettingError(
                f"threads is {sampler.threads}, but {other!r} has no machine code to run in them; leave it out, and "
                "give a simulator threads of its own"
            )
        if sampler.feedback and not self._coded:
            raise SettingError(
                f"feedback is True, but {other!r} is no traced model, whose derivatives give the gains; leave it out"
            )
        if self._coded:
            wanted = (dynamics, "y"), (task, "l"), (task, "g"), (task, "T"), (dynamics.state, "minus")
            codes = [code_of(model, name, lanes=True, precision=sampler.precision) for model, name in wanted]
            self._codes = codes  # whose machine code lives as long as they do
            addresses = [code.address for code in codes]
            self._addresses = np.array([*addresses[:4], codes[2].size, addresses[4]], dtype=np.int64)
            self._dt = np.array([problem.dt], self._real)
            models = (dynamics, problem.dt), (task, None)
            self._parameters = [ParameterMemory(*each, sampler.precision) for each in models]
            self._roll, self._threads = split(roll.compiled, sampler.threads), sampler.threads
            self._sweeps = Sweeps(problem, False) if sampler.feedback else None
        else:
            self._draw = _rollouts.draw.compiled
            if isinstance(dynamics, Compiled):  # its rollout is compiled here, and not in the first tick
                dynamics.rollout(dynamics.state.identity(), np.zeros((1, m)), problem.dt)

    @property
    def padded(self) -> tuple[Array, Array]:
        """Costs and weights of the samples that were drawn, in blocks; infinite and zero in lanes beyond."""
        costs, weights = self._padded
        blocks = -(-self.drawn // LANES)
        weights[blocks:] = 0.0
        return costs[:blocks], weights[:blocks]

    @cached_property
    def precision(self) -> Array:
        """The inverse of the covariance ``(T, T)`` of the noise of a component whose standard deviation is 1."""
        T, W = self.problem.steps, self._basis
        apart = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
        P: Any = W @ W.T if W.shape[1] else self._settings[0] ** apart
        return np.asarray(np.linalg.pinv(P, hermitian=True), dtype=np.float64)

    def roll(
        self, x: Array, plan: Array, rows: Array, key: NDArray[np.int64], watch: Stopwatch, *, std: Array | None = None,
        price: Array | None = None, kept: Array | None = None, count: int | None = None, law: Law | None = None,
    ) -> None:  # fmt: skip
        """Draw samples around `plan`, and add up what they cost from `x`.

        Args:
            x, plan, rows: state, plan ``(T, m)`` and references.
            key: of the random numbers.
            watch: the time of the decision, within which as many samples are drawn as end.
            std: of the noise ``(T, m)``, instead of the one of the settings.
            price: cost of each unit of a deviation ``(T, m)``.
            kept: plans ``(q, T, m)`` that are the first samples; default: the plan itself.
            count: only so many samples are drawn; others cost infinitely much.
            law: the feedback of every second sample, see `law`; the first of these has no noise.
        """
        std = self.std if std is None else std
        first = self._free[None] if kept is None else (kept - plan) / std
        first = first if law is None else np.concatenate([first, self._free[None]])  # the plan with feedback
        if len(self._pool) and self._pooled != (seed := key[:2].tobytes()):
            basis = self._basis.astype(self._real)
            self._fill(plan.shape[1], self._settings[0], basis, np.array([*key[:2], 1]), self._pool)
            self._pooled = seed
        given = (
            plan, std, self._limits, self._free if price is None else price, self._settings, self._basis,
            first.reshape(len(first), plan.size),
        )  # fmt: skip
        noise = *(np.ascontiguousarray(each, self._real) for each in given), key, self._pool
        costs, drawn = self._padded[0], len(self.costs) if count is None else count
        if self._coded:
            p, c = self._parameters
            p.refresh()
            c.refresh()
            given = x.astype(self._real), rows.astype(self._real)
            feedback = [each.astype(self._real) for each in law or self._none]
            done = 0
            for part in watch.batches(-(-drawn // LANES), self._threads, f"times {LANES} samples"):
                self._roll(
                    *part, self._addresses, *given, *noise, *feedback, self._dt, p.vector, c.vector, costs,
                    self._violations, self._deviations,
                )  # fmt: skip
                done = part[1] * LANES
        else:
            self._draw(*noise, costs, self._deviations)
            done = 0
            for start, done in watch.batches(drawn, FEW, "samples"):
                self.costs[start:done] += self._charged(x, plan, rows, start, done)
            costs[~np.isfinite(costs)] = np.inf
            self._violations[np.isinf(costs)] = np.inf
        self.drawn = drawn = min(done, drawn)
        costs.ravel()[drawn:] = np.inf
        self._violations.ravel()[drawn:] = np.inf

    def law(self, x: Array, us: Array, rows: Array, last: Solution | None = None, passed: float = 0.0) -> Law | None:
        """The feedback of samples: nominal states ``(T+1, n)``, their actions `us`, and gains; None if not wanted.

        ::

            u_t = clip(us_t + noise_t + K_t (x_t (-) nominal_t))

        The nominal states are those of the last solution, if `us` is the rest of its plan; else the rollout from x.
        """
        if self._sweeps is None:
            return None
        p = self.problem
        xs = None if last is None else last.states_after(passed, us, p.dynamics.state)
        with np.errstate(all="ignore"):
            xs = np.ascontiguousarray(p.dynamics.rollout(x, us, p.dt) if xs is None else xs)
        return xs, us, self._sweeps.gains(xs, us, rows)

    def taken(self, which: Any, plan: Array) -> Array:
        """The actions ``(..., T, m)`` of samples by their numbers, which were drawn around `plan`."""
        k = np.asarray(which)
        return self.problem.action.clip(
            plan + self._deviations[k // LANES, :, k % LANES].reshape(*k.shape, *plan.shape)
        )

    def mean(self, plan: Array, spread: bool = False) -> tuple[Array, Array]:
        """The weighted mean of the samples ``(T, m)``, and the mean square of their deviations from `plan`."""
        moved, square = np.empty(plan.size), self._square if spread else self._square[:0]
        weights = self.padded[1]
        self._moments(weights, self._deviations[: len(weights)], moved, square)
        return self.problem.action.clip(plan + moved.reshape(plan.shape)), square.reshape(-1, plan.shape[1])

    def solution(
        self, x: Array, plan: Array, cost: float, before: Array, rows: Array, watch: Stopwatch | None, **stats: Any
    ) -> Solution:
        """The plan with a status: whether the samples it was made of have finite costs and keep the constraint.

        Args:
            x, plan, cost, rows: state, improved plan, its cost, and references.
            before: the plan before, which a solution without use keeps.
            watch: the time of the decision, which says what was left undone.
            stats: other statistics of the solver.
        """
        p, count, least = self.problem, self.drawn, float(self.violations.min())
        late = "" if watch is None else watch.reason
        stats = {"costs": self.costs.copy(), "violation": least, **stats}
        if not np.isfinite(self.costs).any():
            why = joined(f"none of {count} samples has a finite cost", late)
            return Solution(before, np.inf, ActionStatus.FALLBACK, why, stats=stats)
        if least <= 0.0:
            xs = None if self._sweeps is None else p.dynamics.rollout(x, plan, p.dt)
            return Solution(plan, cost, ActionStatus.IMPROVED if late else ActionStatus.SOLVED, late, xs, stats)
        why = joined(f"all {count} samples violate the constraint, which is at {least:.2g} in the best", late)
        xs = np.concatenate([x[None], p.dynamics.rollout(x, plan, p.dt)[1:]])
        own = p.worst(x[None], plan[:1], rows[:1])
        if used := p.tolerated(p.worst(xs[1:], plan, rows[1:]), own):
            return Solution(plan, cost, ActionStatus.IMPROVED, f"{why}; {used}", xs, stats)
        return Solution(before, np.inf, ActionStatus.FALLBACK, why, stats=stats)

    def _charged(self, x: Array, plan: Array, rows: Array, start: int, stop: int) -> Array:
        """Costs ``(K,)`` of the samples from `start` up to `stop`, by the methods of dynamics and task."""
        dynamics, task, T, K = self.problem.dynamics, self.problem.task, len(plan), stop - start
        us = self.taken(np.arange(start, stop), plan)
        x0 = np.broadcast_to(x, (K, len(x)))
        xs = _answer(dynamics.rollout(x0, us, self.problem.dt), (K, T + 1, len(x)), "rollout", dynamics)
        staged = rows.shape[1] > 0
        r, after, last = ((rows[:-1],), (rows[1:],), (rows[-1],)) if staged else ((), (), ())
        with np.errstate(invalid="ignore", over="ignore"):
            total = _answer(task.cost(xs[:, :-1], us, *r), (K, T), "cost", task).sum(-1)
            g = np.asarray(task.constraint(xs[:, 1:], us, *after), dtype=np.float64)
            g = _answer(g, (K, T, g.shape[-1] if g.ndim else 0), "constraint", task)
            self.violations[start:stop] = np.where(np.isnan(g), np.inf, g).max((-2, -1), initial=-np.inf)
            fine = self._settings[1] * (1.0 + np.where(g > 0.0, g, 0.0))
            total = total + np.where(g <= 0.0, 0.0, fine).sum((-1, -2))
            return total + _answer(task.terminal_cost(xs[:, -1], *last), (K,), "terminal_cost", task)


def joined(*sentences: str) -> str:
    """Sentences, but for empty ones, as one."""
    return "; ".join(filter(None, sentences))


def _answer(value: Any, shape: tuple[int, ...], method: str, model: Any) -> Array:
    """The answer of a user's method as an array of the right shape: one for each sample."""
    if value is None or np.shape(value) != shape:
        raise ModelError(f"{method}() of {called(model)} returned {returned(value)}; expected {shape}")
    return np.asarray(value, dtype=np.float64)


def split(sample: Callable[..., None], threads: int) -> Callable[..., None]:
    """`sample` over blocks from one up to another, in `threads` threads; the result does not depend on how many."""
    if threads == 1:
        return sample

    def run(start: int, stop: int, *rest: Any) -> None:
        cuts = [start + (stop - start) * i // threads for i in range(threads + 1)]
        waiting = [_pool(threads).submit(sample, a, b, *rest) for a, b in pairwise(cuts[1:])]
        sample(cuts[0], cuts[1], *rest)
        for each in waiting:
            each.result()

    return run


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork


def key_of(seed: int) -> NDArray[np.int64]:
    """The key of the random numbers at the start of an episode: two words of the seed, and how often was drawn."""
    return np.array([*np.random.SeedSequence(seed).generate_state(2, np.uint32), 0], dtype=np.int64)


def spread(std: ArrayLike | None, action: Space) -> Array:
    """The standard deviation of the noise per component, ``(m,)``."""
    if std is None:
        free = [name for name, low, high in zip(action.names, action.low, action.high, strict=True)
                if not np.isfinite(high - low)]  # fmt: skip
        if free:
            raise SettingError(f"the action {', '.join(free)} has no bounds to take the noise from; give std")
        return (action.high - action.low) / 4.0
    given = numbers(std, "std")
    if given.shape not in ((), (action.size,)) or not (np.isfinite(given) & (given > 0.0)).all():
        raise SettingError(f"std is {std}; expected a positive number, or one for each of {', '.join(action.names)}")
    return np.broadcast_to(given, (action.size,)).copy()


def factors(scales: ArrayLike) -> Array:
    """The factors of the standard deviation that the samples take in turn, ``(q,)``."""
    given = np.atleast_1d(numbers(scales, "scales"))
    if given.ndim != 1 or not len(given) or not (np.isfinite(given) & (given > 0.0)).all():
        raise SettingError(f"scales is {scales}; expected positive numbers, such as (1, 0.3, 0.1)")
    return given
