"""The task of reaching a goal, with quadratic costs on any space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.arrays import Array, numbers
from ..core.belief import Belief
from ..core.dynamics import Dynamics
from ..core.errors import SettingError
from ..core.settings import by_name, instance, number
from ..core.space import Space
from ..models import TracedTask, task
from ..models.trace.portable import variants
from ..models.trace.task import TaskFamily


@by_name
def reach(
    dynamics: Dynamics,
    goal: ArrayLike | Mapping[str, float],
    *,
    weights: ArrayLike | Mapping[str, float] = 1.0,
    effort: ArrayLike = 0.01,
    final: float = 10.0,
    tolerance: ArrayLike | None = None,
    initial: Belief | None = None,
    dt: float = 0.1,
    horizon: int = 200,
) -> TracedTask:
    """The task of reaching a goal and staying there.

    ::

        d = x (-) goal
        cost = sum_i weights_i d_i^2 + sum_j effort_j u_j^2,      terminal cost = final sum_i weights_i d_i^2

    Args:
        dynamics: model of the robot; the cost uses the tangent of its state space, so that angles wrap correctly.
        goal: a state ``(n,)``, or values by component name; other components are free (for spaces of reals and angles).
        weights: one number, ``(d,)`` for the tangent components, or by name.
        effort: one number, or ``(m,)`` for the action components.
        final: weight of the end of the horizon relative to a step.
        tolerance: the task is done once every weighted ``|d_i|`` is below it; default: it is never done. A robot that
            moves by less than this in 5 s elsewhere is STUCK.
        initial, dt, horizon: settings of every task: the initial belief of an episode, the seconds between decisions,
            and the number of decisions in an episode.

    Example:
        >>> from pilotage.models import pendulum
        >>> hang = reach(pendulum(), {"theta": 3.14, "theta_rate": 0.0})
        >>> float(hang.cost([-3.14, 0.0], [0.0])) < 1e-4
        True
    """
    instance(dynamics, Dynamics, "reach")
    space, action = dynamics.state, dynamics.action
    target, given = goal_of(goal, space)
    w = np.where(given, weights_of(weights, space, 0.0, "weights"), 0.0)
    price = spread(effort, action.size, "effort")
    limit = None if tolerance is None else spread(tolerance, space.dim, "tolerance")

    done = None if limit is None else There(space, target, np.where(w > 0.0, limit, np.inf))
    running, ending = (*w.tolist(), *price.tolist()), tuple((number(final, "final") * w).tolist())
    return _family(space, action)(
        goal=tuple(target.tolist()), weights=running, final=ending, done=done, gauge=done, initial=initial, dt=dt,
        horizon=horizon,
    )  # fmt: skip


class There:
    """Whether every component of ``x (-) goal`` is within its limit; a robot outside is stuck if it does not move."""

    patience = 5.0

    def __init__(self, space: Space, goal: Array, limit: Array) -> None:
        self.space, self.goal, self.limit = space, goal, limit

    def __call__(self, x: Array, r: Any = None) -> Any:
        return (np.abs(self.space.minus(x, self.goal)) <= self.limit).all(-1)

    def advanced(self, x: Array, r: Any, x0: Array, r0: Any) -> bool:
        """Whether the robot has moved by more than the tolerance."""
        return bool((np.abs(self.space.minus(x, x0)) > np.minimum(self.limit, 1e3)).any())

    def explain(self, x: Array, rows: Any, constraint: Any, params: Any) -> str:
        """The components that are too far from the goal."""
        off = np.abs(self.space.minus(x, self.goal))
        far = [f"{n} is {d:.2g} from the goal" for n, d, l in zip(self.space.tangent_names, off, self.limit) if d > l]
        return f"{', '.join(far)}, and it does not move"


@variants
def _family(space: Space, action: Space) -> TaskFamily:
    def away(x: Any, p: Any, m: Any) -> Any:
        return space.components_minus(x, p.goal, m)

    params = {"goal": (0.0,) * space.size, "weights": (1.0,) * (space.dim + action.size), "final": (1.0,) * space.dim}

    @task(state=space, action=action, params=params, terminal=away, weights="weights", terminal_weights="final")
    def reach(x: Any, u: Any, p: Any, m: Any) -> Any:
        return [*away(x, p, m), *u]

    return reach


def goal_of(goal: Any, space: Space) -> tuple[Array, NDArray[np.bool_]]:
    """A goal as a state ``(n,)``, and which components of the tangent ``(d,)`` it gives: all, or those named."""
    if not isinstance(goal, Mapping):
        return _one(goal, space), np.ones(space.dim, dtype=bool)
    named = _named(goal, space, "goal")
    given = np.array([name in named for name in space.tangent_names], dtype=bool)
    return _one([named.get(name, 0.0) for name in space.names], space), given


def _one(goal: Any, space: Space) -> Array:
    return space.normalize(space.check(goal, "goal"))


def weights_of(given: Any, space: Space, default: float, what: str) -> Array:
    """Numbers ``(d,)`` for the components of the tangent, from one number, an array or a mapping by name."""
    if isinstance(given, Mapping):
        values = _named(given, space, what)
        return np.array([values.get(name, default) for name in space.tangent_names])
    return spread(given, space.dim, what)


def spread(given: ArrayLike, size: int, what: str) -> Array:
    """Numbers ``(size,)`` from one number or an array."""
    array = numbers(given, what)
    if array.shape not in ((), (size,)):
        raise SettingError(f"{what} has shape {array.shape}; expected a number or ({size},)")
    return np.broadcast_to(array, (size,)).copy()


def _named(given: Mapping[str, float], space: Space, what: str) -> dict[str, float]:
    if not space.flat:
        raise SettingError(f"{what} by name needs a space of reals and angles; give an array for {space}")
    for name in given:
        space.index(name)
    return {name: number(value, f"{what} of {name}") for name, value in given.items()}
