"""Episodes of controllers: their cost, and the plans of a teacher along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import ActionStatus, Controller, Dynamics, SettingError, Task
from ..core.arrays import Array
from ..core.results import EMPTY
from ..core.task import references_of
from .policy import NetworkPolicy


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Demonstrations of a teacher: its plans, and the states in which it made them.

    Attributes:
        xs: states ``(N, n)``.
        rows: references of the task in these states ``(N, nr)``.
        plans: actions of the teacher ``(N, H, m)``.

    Example:
        >>> some = Demonstrations(np.zeros((3, 2)), np.zeros((3, 0)), np.zeros((3, 1, 1)))
        >>> Demonstrations.joined([some, Demonstrations.none(2, 0, 1, 1)])
        Demonstrations(3 states)
    """

    xs: Array
    rows: Array
    plans: Array

    @classmethod
    def none(cls, n: int, nr: int, steps: int, m: int) -> Demonstrations:
        """An empty set of these sizes."""
        return cls(np.zeros((0, n)), np.zeros((0, nr)), np.zeros((0, steps, m)))

    def __len__(self) -> int:
        return len(self.xs)

    @classmethod
    def joined(cls, parts: Sequence[Demonstrations]) -> Demonstrations:
        """The demonstrations of all parts, in their order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("xs", "rows", "plans")))

    def __repr__(self) -> str:
        return f"Demonstrations({len(self)} states)"


def drive(controller: Controller, dynamics: Dynamics, task: Task, x: Array, length: int) -> float:
    """The cost of an episode of at most `length` steps that a controller drives from the state `x` ``(n,)``."""
    controller.reset(seed=0)
    total, carry, row = 0.0, None, EMPTY
    for k in range(length):
        rows, carry = references_of(task, x, k * task.dt, 1, carry)
        row, action = rows[0], controller.act(x, k * task.dt)
        if action.status is ActionStatus.DONE:
            break
        total += float(task.cost(x, action.u, *given(row)))
        x = dynamics.step(x, action.u, task.dt)
    return total + float(task.terminal_cost(x, *given(row)))


def demonstrate(
    teacher: Controller, policy: NetworkPolicy | None, dynamics: Dynamics, task: Task, x: Array,
    length: int, steps: int, beta: float, rng: np.random.Generator,
) -> Demonstrations:  # fmt: skip
    """The teacher's plans along an episode in which it acts with probability `beta`, and else the policy."""
    teacher.reset(seed=int(rng.integers(2**31)))
    carry: Any = None
    xs: list[Array] = []
    kept: list[Array] = []
    plans: list[Array] = []
    for k in range(length):
        rows, carry = references_of(task, x, k * task.dt, 1, carry)
        action = teacher.act(x, k * task.dt)
        if action.status is ActionStatus.DONE:
            break
        if action.status is not ActionStatus.FALLBACK:
            xs.append(x)
            kept.append(rows[0])
            plans.append(planned(action, steps))
        u = action.u if policy is None or rng.random() < beta else policy.evaluate(x, rows[0]).plan[0]
        x = dynamics.step(x, u, task.dt)
    if not xs:
        return Demonstrations.none(x.size, task.stage.size, steps, dynamics.action.size)
    return Demonstrations(np.array(xs), np.array(kept), np.array(plans))


def planned(action: Any, steps: int) -> Array:
    """The next actions ``(H, m)`` of the teacher."""
    if steps == 1:
        return action.u[None]
    if action.plan is None or len(action.plan) < steps:
        found = "none" if action.plan is None else f"{len(action.plan)} actions"
        raise SettingError(f"steps is {steps}, but the teacher's plan has {found}; steps=1 learns its actions alone")
    return action.plan[:steps]


def given(row: Array) -> Sequence[Array]:
    """The reference as the last argument of a cost, if there is one."""
    return (row,) if row.size else ()
