"""Declaring tasks: a decorated cost becomes a family, and the family makes members with parameter values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Never, final

from ..core.belief import Belief
from ..core.settings import whole
from ..core.space import Space
from .family import Family, parenthesised
from .mounting import names_read
from .traced_task import Reference, StageBody, TerminalBody, TracedTask
from .tracing.functions import takes


@final
class TaskFamily(Family[TracedTask]):
    """All tasks that share one cost function; made by `task`.

    Keyword arguments beside the parameters: `initial`, `dt`, `horizon`, `done`, `constraint`, `reference`, `reads`;
    see `task`.
    """

    kind: ClassVar[str] = "task"

    def __init__(
        self,
        body: StageBody,
        params: Mapping[str, Any] | None,
        *,
        state: Space,
        action: Space,
        terminal: TerminalBody | None,
        reference: int,
    ) -> None:
        self._reference_size = whole(reference, "reference of a task", 0)
        more = ("r", "p", "m") if self._reference_size else ("p", "m")
        super().__init__(body, ("x", "u", *more), params, state=state, action=action)
        if terminal is not None:
            takes(terminal, ("x", *more), f"the terminal cost of {self.__name__}")
        self.state = state
        self.action = action
        self._terminal = terminal

    @property
    def functions(self) -> dict[str, Any]:
        return {"terminal": self._terminal}

    def __call__(
        self,
        *unnamed: Never,
        initial: Belief | None = None,
        dt: float = 0.1,
        horizon: int = 200,
        done: Callable[[Any], Any] | None = None,
        constraint: Callable[[Any, Any], Any] | None = None,
        reference: Reference | None = None,
        reads: str | Sequence[str] | None = None,
        **params: Any,
    ) -> TracedTask:
        return TracedTask(
            self.__wrapped__,
            self._terminal,
            self.state,
            self.action,
            self._reference_size,
            self.values(params, unnamed),
            reads=names_read(reads),
            reference=reference,
            done=done,
            constraint=constraint,
            initial=initial,
            dt=dt,
            horizon=horizon,
        )


@parenthesised
def task(
    *,
    state: Space,
    action: Space,
    params: Mapping[str, Any] | None = None,
    terminal: TerminalBody | None = None,
    reference: int = 0,
) -> Callable[[StageBody], TaskFamily]:
    """Declare a task by its cost: ``l(x, u, p, m) -> cost of a step``, or ``l(x, u, r, p, m)`` with a reference.

    Args:
        state: the components it needs; on a larger state they are found by name.
        action: the actions.
        params: parameters and their default values; rasters are read with ``m.lookup(p.name, x, y)``.
        terminal: ``(x, p, m)`` or ``(x, r, p, m)``: the cost of the last state.
        reference: how many numbers each stage brings along, such as the point to be at by then.

    The family makes tasks with parameter values and these settings, none of which is compiled:

    - `initial`, a belief: where an episode starts; `dt` [s]; `horizon`, decisions in an episode;
    - ``done(x) -> bool``: where the episode is over, and ``constraint(x, u) -> (..., k)``: values that must not be
      positive, for environments. Both are handed arrays ``(..., n)`` of the components named in `state`;
    - ``reference(x, t, steps) -> (steps + 1, reference)``: the stages that come, seen from a state at time t;
    - `reads`: other names for the components needed.

    Example:
        >>> from pilotage.core import Space
        >>> @task(state=Space("x y [m]"), action=Space("vx vy [m/s]"), params=dict(goal=(1.0, 0.0)))
        ... def reach(x, u, p, m):
        ...     return (x[0] - p.goal[0]) ** 2 + (x[1] - p.goal[1]) ** 2 + 0.1 * (u[0] ** 2 + u[1] ** 2)
        >>> float(reach().cost([0.0, 0.0], [1.0, 0.0]))
        1.1
        >>> errand = reach(goal=(2.0, 0.0), dt=0.05, done=lambda x: abs(x[..., 0] - 2.0) < 0.1)
        >>> bool(errand.done([1.95, 0.0]))
        True
    """
    return lambda body: TaskFamily(body, params, state=state, action=action, terminal=terminal, reference=reference)
