"""The task: costs, constraint and end of an episode."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, cast

import numpy as np

from .belief import Belief
from .declared import called, returned
from .errors import ModelError
from .space import Space

MAX_VIOLATION = 1e-3
"""The largest value of a constraint that is no violation, in the units of the constraint: controllers plan within it,
the benchmark counts what is above it, and environments end there, unless a setting says otherwise."""


class Task(ABC):
    """Minimise ``sum_t cost(x_t, u_t, r_t) + terminal_cost(x_T, r_T)`` subject to ``constraint(x_{t+1}, u_t) <= 0``.

    Subclasses implement `cost`, and set `initial`, `dt` and `horizon` if the defaults do not fit. Costs do not depend
    on the dynamics, so one task can be used for several robots. Methods receive `r` only if the task has a `stage`.

    A task defines once what is forbidden: the `constraint` of a state and the action that led there. Environments end
    an episode when it is above a tolerance (`MAX_VIOLATION`, 1e-3, as for controllers) or NaN, samplers penalise it,
    optimisers enforce it, and planners check edges.

    A cost that varies in time declares a `stage`, the space of its reference `r`. The pure function `references`
    returns the references. Anything it has to remember from one decision to the next, such as the robot's progress
    along a path, is a value called the carry. The caller keeps it for one robot and one episode, starts with None, and
    passes it on::

        carry = None                                            # at the start of an episode
        rows, carry = task.references(x, t, steps, carry)       # at each decision; rows[k] is for time t + k dt
        over = task.done(x, rows[0])

    One task therefore serves any number of robots. A controller that gets a new task passes the old carry on to it, so
    a carry should contain what it belongs to, as the carry of `pilotage.control.follow` contains its path.

    Attributes:
        state, action: the spaces of the task; empty for a task that accepts any.
        stage: the space of the reference of each stage; empty for costs that do not vary.
        initial: the belief at the start of an episode; None leaves it to the caller.
        dt: seconds between decisions; default 0.1.
        horizon: number of decisions in an episode; default 200.

    Example:
        >>> class Hover(Task):
        ...     dt, horizon = 0.1, 50
        ...
        ...     def cost(self, x, u, r=None):
        ...         return (x[..., 2] - 1.0) ** 2 + 0.01 * (u**2).sum(-1)
        >>> float(Hover().cost(np.array([0.0, 0.0, 3.0]), np.zeros(4)))
        4.0
    """

    state: Space = Space()
    action: Space = Space()
    stage: Space = Space()
    initial: Belief | None = None
    dt: float = 0.1
    horizon: int = 200
    patience: float = math.inf
    """Seconds after which a robot that has not `advanced` is stuck."""
    instead: ClassVar[str] = "; follow(path, grid) and reach(dynamics, goal) make one"
    """End of the sentence that refuses what is no task."""
    live: bool = False
    """Whether the parameters of machine code may change in place, as tensors under an optimiser do."""

    def on(self, state: Space, action: Space | None = None) -> Task:
        """This task for a robot with the given state and action. Default: itself.

        Tasks that read some components by name (`pilotage.models.task`) find them in larger spaces.
        """
        return self

    @abstractmethod
    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """Cost ``(...)`` of a step from states ``(..., n)`` with actions ``(..., m)`` and references ``(..., nr)``."""

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        """Cost ``(...)`` of ending in states ``(..., n)``. Default: 0."""
        return np.zeros(np.shape(x)[:-1])

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        """Values ``(..., k)`` that must not be positive when actions `u` lead to states `x`. Default: none, k = 0.

        NaN counts as violated.
        """
        return np.zeros((*np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1]), 0))

    def done(self, x: Any, r: Any = None) -> Any:
        """Whether the episode is over at states ``(..., n)``, bools ``(...)``. Default: never."""
        return np.zeros(np.shape(x)[:-1], dtype=bool)

    def advanced(self, x: Any, r: Any, x0: Any, r0: Any) -> bool:
        """Whether a robot in the state `x` ``(n,)`` has come nearer to the end than in `x0` before. Default: it has.

        `r` and `r0` are the references of these stages. Controllers say STUCK where it has not for `patience` seconds.
        """
        return True

    def obstruction(self, x: Any, rows: Any) -> str:
        """What keeps a robot in the state `x` ``(n,)`` from the references ahead ``(steps + 1, nr)``; may be empty."""
        return ""

    def references(self, x: Any, t: float, steps: int, carry: Any = None) -> tuple[Any, Any]:
        """References ``(steps + 1, nr)`` of the coming stages from state `x` at time `t`, and the next carry.

        Default: ``(None, None)``, for a cost that does not vary.

        Args:
            x: one state ``(n,)``.
            t: seconds.
            steps: number of steps; row k is the reference `r` at time ``t + k dt``.
            carry: the carry that the last call of this episode returned; None at its start.
        """
        return None, None


def references_of(task: Task, x: Any, t: float, steps: int, carry: Any) -> tuple[np.ndarray[Any, Any], Any]:
    """References ``(steps + 1, nr)`` of the coming stages as float64, nr = 0 without a stage, and the next carry.

    Raises:
        ModelError: when the task's own function returns something else.
    """
    size = task.stage.size
    if not size:
        return np.zeros((steps + 1, 0)), carry
    return rows_of(task, task.references(x, t, steps, carry), steps, size)


def rows_of(task: Task, answer: Any, steps: int, size: int) -> tuple[np.ndarray[Any, Any], Any]:
    """The rows ``(steps + 1, size)`` and the carry that the references of a task answered; a `ModelError` if not so."""
    if not isinstance(answer, tuple) or len(answer) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise ModelError(f"references of {called(task)} returned {returned(answer)}; a pair (rows, carry) was expected")
    given, carry = cast("tuple[Any, Any]", answer)
    rows = np.array(np.nan if given is None else given, dtype=np.float64, order="C")
    if rows.shape != (steps + 1, size):
        raise ModelError(
            f"references of {called(task)} returned an array of shape {rows.shape}; expected ({steps + 1}, {size}), a "
            "row for each step and one for the end"
        )
    return rows, carry
