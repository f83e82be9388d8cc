"""Many random rollouts of one plan: the drivers of `path_integral` with their models and their memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dynamics import Dynamics
from ..core.errors import ModelError
from ..core.task import Task
from ..models import FAST, bind, parameters
from .path_integral import improve, sample_blocks

Array = NDArray[np.float64]
BLOCK = 64
"""Samples side by side in compiled rollouts: a block's noise fits the first cache, its loops fill SIMD registers."""


class Rollouts:
    """Samples around a plan, their costs and weights.

    Rollouts of traced models run compiled, in blocks of `BLOCK` samples; all others as plain Python, one batched call
    of the protocol a step. What is compiled, is so when this is made.

    Args:
        dynamics, task: the models; the task is mounted on state and action of the dynamics already.
        steps: length of a plan, T.
        samples: how many, K.
        threads: compiled blocks are split over so many.

    Attributes:
        drivers: `sample_blocks` and `improve`, bound to the models.
    """

    def __init__(self, dynamics: Dynamics, task: Any, steps: int, samples: int, threads: int) -> None:
        self.dynamics, self.task = dynamics, task
        self.steps, self.samples, self.threads = steps, samples, threads
        compiled = all(getattr(model, "generated", None) for model in (dynamics, task))
        lanes = BLOCK if compiled else samples
        blocks, numbers = -(-samples // lanes), steps * dynamics.action.size
        self._costs, self._weights = np.full((blocks, lanes), np.inf), np.zeros((blocks, lanes))
        self._deviations = np.zeros((blocks, -(-numbers // 4) * 4, lanes))
        self._c = parameters(task)
        self.drivers = bind(
            sample_blocks,
            improve,
            dynamics=dynamics,
            task=task,
            lanes=lanes,
            fastmath=FAST,
            nogil=True,
            purpose="MPPI",
        )
        self._sample = split(self.drivers[0], blocks, threads if compiled else 1)
        self._compile(lanes)

    def __reduce__(self) -> Any:
        """Another process binds its own drivers, and has its own memory."""
        return Rollouts, (self.dynamics, self.task, self.steps, self.samples, self.threads)

    @property
    def costs(self) -> Array:
        """Cost of each sample, ``(K,)``, infinite where it was not finite."""
        return self._costs.ravel()[: self.samples]

    @property
    def weights(self) -> Array:
        """Weight of each sample, ``(K,)``; their sum is 1."""
        return self._weights.ravel()[: self.samples]

    def retarget(self, task: Any) -> Rollouts:
        """The same for another task: this object, when the two differ in parameters only."""
        key = getattr(task, "kernel_key", None)
        if key is None or key != getattr(self.task, "kernel_key", None):
            return Rollouts(self.dynamics, task, self.steps, self.samples, self.threads)
        self.task, self._c = task, parameters(task)
        return self

    def sample(
        self, x: Array, plan: Array, stages: Array, limits: Array, price: Array, dt: float, correlation: float, key: Any
    ) -> None:
        """Draw and roll out; see `sample_blocks`."""
        self._sample(x, plan, stages, limits, price, dt, correlation, key, *self._memory(dt))

    def improve(self, plan: Array, limits: Array, temperature: float, effective: float) -> float:
        """Move the plan to the weighted mean; see `improve`."""
        return self.drivers[1](
            plan, limits, temperature, effective, self.samples, self._costs, self._deviations, self._weights
        )

    def references(self, x: Array, t: float) -> Array:
        """Stage data ``(T + 1, nr)`` of the task, with nr = 0 where there is none."""
        size = getattr(self.task, "reference_size", None)
        given = self.task.reference(x, t, self.steps)
        if given is None and not size:
            return np.zeros((self.steps + 1, 0))
        rows = np.array(given, dtype=np.float64, order="C")
        if rows.ndim != 2 or len(rows) != self.steps + 1 or (size is not None and rows.shape[1] != size):
            raise ModelError(
                f"reference() of the task gave an array of shape {rows.shape}; expected ({self.steps + 1}, "
                f"{size or 'nr'}), a row for each step and one for the end"
            )
        return rows

    def _memory(self, dt: float) -> tuple[Array, ...]:
        return parameters(self.dynamics, dt), self._c, self._costs, self._deviations

    def _compile(self, lanes: int) -> None:
        """Let the drivers be compiled, or loaded, before the first tick: by a rehearsal of two steps.

        Models that run as Python are not called for it, others stand in: the compiled algebra around them is the same.
        """
        dynamics = self.dynamics if hasattr(self.dynamics, "generated") else Still(self.dynamics)
        task = self.task if hasattr(self.task, "generated") else Free()
        drivers = bind(sample_blocks, improve, dynamics=dynamics, task=task, lanes=lanes, fastmath=FAST, nogil=True)
        plan = np.zeros((2, dynamics.action.size))
        stages, key = np.zeros((3, int(getattr(task, "reference_size", 0)))), np.zeros(3, dtype=np.int64)
        rest = np.zeros((3, plan.shape[1])), plan, 0.1, 0.5, key, parameters(dynamics, 0.1), self._c
        costs, deviations = np.zeros((1, lanes)), np.zeros((1, -(-plan.size // 4) * 4, lanes))
        drivers[0](0, 1, dynamics.state.identity(), plan, stages, *rest, costs, deviations)
        drivers[1](plan, rest[0], 0.0, 0.5, lanes, costs, deviations, np.zeros((1, lanes)))


class Still(Dynamics):
    """Stands in for dynamics that are not compiled: of their spaces, and at rest."""

    def __init__(self, other: Dynamics) -> None:
        self.state, self.action = other.state, other.action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The same state."""
        return x


class Free(Task):
    """Stands in for a task that is not compiled: nothing costs anything."""

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """Nothing."""
        return np.zeros(np.shape(x)[:-1])


def split(sample: Callable[..., None], blocks: int, threads: int) -> Callable[..., None]:
    """`sample` over all blocks, in `threads` threads; the result does not depend on how many."""
    if threads == 1:
        return lambda *rest: sample(0, blocks, *rest)
    pool = ThreadPoolExecutor(threads)
    cuts = [blocks * i // threads for i in range(threads + 1)]

    def run(*rest: Any) -> None:
        waiting = [pool.submit(sample, a, b, *rest) for a, b in pairwise(cuts[1:])]
        sample(cuts[0], cuts[1], *rest)
        for each in waiting:
            each.result()

    return run
