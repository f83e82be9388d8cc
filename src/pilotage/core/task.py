"""What is to be achieved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .belief import Belief
from .space import Space


class Task(ABC):
    """Minimise ``sum_t cost(x_t, u_t, r_t) + terminal_cost(x_T, r_T)`` subject to ``constraint(x_t, u_t) <= 0``.

    Subclasses write `cost`, and set `initial`, `dt` and `horizon` where the defaults do not fit. Costs know nothing of
    the dynamics, so that one task can be put to several robots.

    Attributes:
        initial: where an episode starts; None leaves it to whoever runs it.
        dt: seconds between decisions; default 0.1.
        horizon: decisions in an episode; default 200.

    Example:
        >>> class Hover(Task):
        ...     dt, horizon = 0.1, 50
        ...
        ...     def cost(self, x, u, r=None):
        ...         return (x[..., 2] - 1.0) ** 2 + 0.01 * (u**2).sum(-1)
        >>> float(Hover().cost(np.array([0.0, 0.0, 3.0]), np.zeros(4)))
        4.0
    """

    initial: Belief | None = None
    dt: float = 0.1
    horizon: int = 200
    live: bool = False
    """Whether the parameters of machine code may change in place, as tensors under an optimiser do."""

    def on(self, state: Space, action: Space) -> Task:
        """This task for a robot of that state and action. Default: itself.

        Tasks that read some components by name (`pilotage.models.task`) find them in larger spaces.
        """
        return self

    @abstractmethod
    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """Cost ``(...)`` of a step from states ``(..., n)`` under actions ``(..., m)``; stage data ``(..., nr)``."""

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        """Cost ``(...)`` of ending in states ``(..., n)``. Default: 0."""
        return np.zeros(np.shape(x)[:-1])

    def constraint(self, x: Any, u: Any) -> Any:
        """Values ``(..., k)`` that must not be positive. Default: none, k = 0."""
        return np.zeros((*np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1]), 0))

    def done(self, x: Any) -> Any:
        """Whether the episode is over in states ``(..., n)``, shape ``(...)`` of bool. Default: never."""
        return np.zeros(np.shape(x)[:-1], dtype=bool)

    def reference(self, x: Any, t: float, steps: int) -> Any:
        """Stage data ``(steps + 1, nr)`` for costs that vary in time, seen from state `x` at time `t`.

        The row k is handed to the costs as `r` at time ``t + k dt``. Default: None, the cost does not vary.
        """
        return None
