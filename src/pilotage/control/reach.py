"""The task of being somewhere: quadratic costs around a goal, on any space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

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
    """Come to a goal and stay there.

    ::

        d = x (-) goal
        cost = sum_i weights_i d_i^2 + sum_j effort_j u_j^2,      terminal cost = final sum_i weights_i d_i^2

    Args:
        dynamics: what is to get there; the cost is taken in the tangent of its state space, so angles are right.
        goal: a state ``(n,)``, or values by component name; what is not named is free (for spaces of reals and angles).
        weights: per tangent component, one number or ``(d,)`` or by name.
        effort: per action component, one number or ``(m,)``.
        final: how much more the end of the horizon weighs than a step.
        tolerance: the task is done when every weighted ``|d_i|`` is below it; default: it is never done. A robot that
            moves by less for 5 s elsewhere is STUCK.
        initial, dt, horizon: settings of every task: where an episode starts, seconds between decisions, their number
            in an episode.

    Example:
        >>> from pilotage.models import pendulum
        >>> hang = reach(pendulum(), {"theta": 3.14, "theta_rate": 0.0})
        >>> float(hang.cost([-3.14, 0.0], [0.0])) < 1e-4
        True
    """
    instance(dynamics, Dynamics, "reach")
    space, action = dynamics.state, dynamics.action
    w = _by_name(weights, space, 0.0, "weights")
    if isinstance(goal, Mapping):
        given = _named(goal, space, "goal")
        w = np.where([name in given for name in space.tangent_names], w, 0.0)
        goal = [given.get(name, 0.0) for name in space.names]
    target = space.normalize(space.check(goal, "goal"))
    price = _spread(effort, action.size, "effort")
    limit = None if tolerance is None else _spread(tolerance, space.dim, "tolerance")

    done = None if limit is None else There(space, target, np.where(w > 0.0, limit, np.inf))
    running, ending = (*w.tolist(), *price.tolist()), tuple((number(final, "final") * w).tolist())
    return _family(space, action)(
        goal=tuple(target.tolist()), weights=running, final=ending, done=done, gauge=done, initial=initial, dt=dt,
        horizon=horizon,
    )  # fmt: skip


class There:
    """Whether every component of ``x (-) goal`` is within its limit; a robot outside that does not move is stuck."""

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


def _by_name(given: Any, space: Space, default: float, what: str) -> Array:
    if isinstance(given, Mapping):
        values = _named(given, space, what)
        return np.array([values.get(name, default) for name in space.tangent_names])
    return _spread(given, space.dim, what)


def _spread(given: ArrayLike, size: int, what: str) -> Array:
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
