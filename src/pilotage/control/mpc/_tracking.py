"""The task of linear predictive controllers: quadratic costs with full matrices, and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import SettingError
from ...core.settings import shown
from ...core.space import Space
from ...core.task import Task


class Tracking(Task):
    """Quadratic costs of the deviation from a goal or a reference, and hard bounds as the constraint.

    ::

        d = x (-) r,    cost = d' Q d + (u - ug)' R (u - ug),    terminal cost = d' P d
        low <= C (x (-) goal) <= high
    """

    def __init__(
        self, dynamics: Dynamics, goal: Array, ug: Array, weights: tuple[Array, Array, Array], rows: Any,
        reference: Callable[[Array], Any] | None, dt: float,
    ) -> None:  # fmt: skip
        self.space, self.goal, self.ug, self.dt, self.reference = dynamics.state, goal, ug, dt, reference
        self.Q, self.R, self.P = weights
        self.C, self.low, self.high = rows
        self.stage = Space() if reference is None else dynamics.state

    def __repr__(self) -> str:
        goal = ", ".join(f"{name} {value:g}" for name, value in zip(self.space.names, self.goal, strict=True))
        return f"goal {goal}" if self.reference is None else f"reference around {goal}"

    def _away(self, x: Any, r: Any) -> Any:
        return self.space.minus(x, self.goal if r is None else r)

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        d, v = self._away(x, r), u - self.ug
        return ((d @ self.Q) * d).sum(-1) + ((v @ self.R) * v).sum(-1)

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        d = self._away(x, r)
        return ((d @ self.P) * d).sum(-1)

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        y = self.space.minus(x, self.goal) @ self.C.T
        return np.concatenate(
            [(y - self.high)[..., np.isfinite(self.high)], (self.low - y)[..., np.isfinite(self.low)]], -1
        )

    def references(self, x: Any, t: float, steps: int, carry: Any = None) -> tuple[Any, Any]:
        if self.reference is None:
            return None, None
        return self.reference(np.asarray(t + self.dt * np.arange(steps + 1), dtype=np.float64)), None


def ordered(given: Mapping[str, Any], names: tuple[str, ...], what: str, default: Any) -> list[tuple[str, Any]]:
    """Names and values in the order of `names`."""
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"{what} is {shown(given)}; expected values by name, of {', '.join(names)}")
    for name in given:
        if name not in names:
            raise SettingError(f"{what} names {name!r}; expected some of {', '.join(names)}")
    return [(name, given.get(name, default)) for name in names]


def limits(given: Mapping[str, Any], names: tuple[str, ...], what: str) -> Array:
    """Lower and upper limits ``(2, len(names))``; infinite for names that are not given."""
    pairs = ordered(given, names, what, (-np.inf, np.inf))
    found = [numbers(pair, f"{what} of {name}") for name, pair in pairs]
    for (name, pair), each in zip(pairs, found, strict=True):
        if each.shape != (2,) or not each[0] <= each[1]:
            raise SettingError(f"{what} of {name} is {shown(pair)}; expected (low, high)")
    return np.reshape(found, (-1, 2)).T.copy()
