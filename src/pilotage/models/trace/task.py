"""Tasks as functions of scalar components for cost and constraint, from which derivatives are derived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Never, final

from ...core.belief import Belief
from ...core.errors import ModelError
from ...core.space import Space
from ._functions import takes
from .family import Family, parenthesised
from .mounting import names_read
from .sensor import NOTHING
from .traced_task import Cost, Gauge, References, TracedTask, Weights


@final
class TaskFamily(Family[TracedTask]):
    """All tasks that share their functions; made by `task`.

    Calls take the parameters, `initial`, `dt`, `horizon`, `done`, `references`, `gauge` and `reads`; see `task`.
    """

    kind: ClassVar[str] = "task"

    def __init__(self, body: Cost, params: Mapping[str, Any] | None, **settings: Any) -> None:
        self.stage = settings["stage"]
        if not isinstance(self.stage, Space):
            raise ModelError(f"the stage of {body.__name__} is {self.stage!r}; a Space was expected: Space('x y [m]')")
        more = ("r", "p", "m") if self.stage.size else ("p", "m")
        super().__init__(body, ("x", "u", *more), params, state=settings["state"], action=settings["action"])
        for role, arguments in (("terminal", ("x", *more)), ("constraint", ("x", "u", *more))):
            if settings[role] is not None:
                takes(settings[role], arguments, f"the {role} function of {self.__name__}")
        self.state, self.action, self._declared = settings["state"], settings["action"], settings

    @property
    def functions(self) -> dict[str, Any]:
        return {role: self._declared[role] for role in ("terminal", "constraint")}

    def __call__(
        self,
        *unnamed: Never,
        initial: Belief | None = None,
        dt: float = 0.1,
        horizon: int = 200,
        done: Callable[..., Any] | None = None,
        references: References | None = None,
        gauge: Gauge | None = None,
        reads: str | Sequence[str] | None = None,
        **params: Any,
    ) -> TracedTask:
        settings: dict[str, Any] = {**self._declared, "needs": self._declared["state"], "state": None}
        return TracedTask(
            self.__wrapped__, **settings, params=self.values(params, unnamed), reads=names_read(reads),
            references=references, done=done, gauge=gauge, initial=initial, dt=dt, horizon=horizon,
        )  # fmt: skip


@parenthesised
def task(
    *,
    state: Space,
    action: Space,
    params: Mapping[str, Any] | None = None,
    terminal: Cost | None = None,
    constraint: Cost | None = None,
    weights: Weights = None,
    terminal_weights: Weights = None,
    stage: Space = NOTHING,
    optional: Space = NOTHING,
) -> Callable[[Cost], TaskFamily]:
    """Decorator for a task given by its cost per step, ``l(x, u, p, m)``, or ``l(x, u, r, p, m)`` with a reference.

    Args:
        state: the components that the task needs; in a larger state, it finds them by name.
        action: the space of actions.
        params: parameters with their default values; read a raster with ``m.lookup(p.name, x, y)``.
        terminal: ``(x, p, m)`` or ``(x, r, p, m)``: the cost of the last state.
        constraint: ``(x, u, p, m)`` or ``(x, u, r, p, m)``: one or more values that must not be positive. Planners,
            controllers and environments all use this function.
        weights: with weights, the cost function returns residuals r, and the cost is ``sum w r^2``: one weight per
            residual, or the name of the parameter with the weights. Solvers then use the Gauss-Newton Hessian.
        terminal_weights: the same for the terminal cost.
        stage: the space of the reference of each stage, such as the position to reach at that time.
        optional: components that the functions receive after those of `state`; 0 if the state lacks them.

    Call the result with parameter values and these settings to get a task:

    - `initial`, the belief at the start of an episode; `dt` [s]; `horizon`, the number of decisions in an episode;
    - ``done(x) -> bool``, or ``done(x, r)`` with a stage: whether the episode is over, for arrays ``(..., n)`` of the
      components in `state`;
    - ``references(x, t, steps, carry) -> (rows, carry)``: the references ``(steps + 1, stage.size)`` of the coming
      stages, from a state at time t, and the carry for the next call; see `pilotage.core.Task`;
    - `gauge`: how to tell that a robot makes no headway, a `Gauge`;
    - `reads`: other names for the components.

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
    return lambda body: TaskFamily(
        body, params, state=state, action=action, terminal=terminal, constraint=constraint, weights=weights,
        terminal_weights=terminal_weights, stage=stage, optional=optional,
    )  # fmt: skip
