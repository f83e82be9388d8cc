"""The result of a planner: a path, or the reason why there is none."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from .arrays import numbers
from .errors import ShapeError, counted
from .settings import Interval, shown
from .space import Space

Budget = Annotated[float, Interval(0.0, ends="[]")]
"""Seconds that a planner may spend."""
Array = NDArray[np.float64]


class PlanStatus(enum.Enum):
    """The outcome of a planning query."""

    SOLVED = "solved"
    NO_PATH = "no path"
    INVALID = "invalid"
    BUDGET = "budget spent"


class Stats(dict[str, Any]):
    """Counts and arrays by name, of which arrays are shown by their shape.

    Example:
        >>> Stats(iterations=3, gains=np.zeros((40, 2, 3)))
        {'iterations': 3, 'gains': <array (40, 2, 3)>}
    """

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {_brief(value)}' for name, value in self.items())}}}"


def _brief(value: Any) -> str:
    shape: tuple[int, ...] = getattr(value, "shape", ())
    return f"<array {shape}>" if shape else repr(value)


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """A path, with controls and times if the planner knows them, or the reason why there is none.

    A plan is true if it is solved: ``if plan: ...`` means ``if plan.ok: ...``.

    Attributes:
        status: the outcome of the query.
        space: the space of `xs`; None without a path.
        xs: states from start to goal ``(T+1, n)``, or None. The path between two of them is `Space.interpolate`. If the
            states have a yaw, a vehicle drives steps against its heading in reverse.
        us: controls between the states ``(T, m)``, if the planner uses a model; None for a geometric path.
        ts: times of the states ``(T+1,)`` [s], from 0; None if the planner does not know them.
        cost: cost of the path; infinity if there is none.
        lower_bound: lower bound of the cost of any path.
        reason: one sentence, empty if solved ("start is in collision by 0.12 m").
        stats: effort: ``seconds``, ``expansions`` and other numbers that the planner counts.
        seed: the seed that repeats the query; None for deterministic planners and for generators passed as `rng`.
        footprint: the footprint of the robot that the problem was posed for, such as a `Footprint`, which controllers
            use by default; None if there was none.

    Raises:
        ShapeError: if `xs`, `us` and `ts` do not fit the space or each other.

    Example:
        >>> print(Plan(PlanStatus.NO_PATH, reason="the goal is in another component"))
        no path: the goal is in another component
        >>> print(Plan(PlanStatus.SOLVED, Space("x y [m]"), [[0.0, 0.0], [3.0, 4.0]], cost=5.0))
        solved: cost 5 over 2 states
    """

    status: PlanStatus
    space: Space | None = None
    xs: Array | None = None
    us: Array | None = None
    ts: Array | None = None
    cost: float = float("inf")
    lower_bound: float = 0.0
    reason: str = ""
    stats: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())
    seed: int | None = None
    footprint: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.status, PlanStatus):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"the status of a plan is {shown(self.status)}; expected one, such as PlanStatus.SOLVED")
        if self.space is not None and not isinstance(self.space, Space):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"the space of a plan is {shown(self.space)}; expected a Space, or None without a path")
        object.__setattr__(self, "stats", Stats(self.stats))
        if self.xs is None:
            return
        xs = np.asarray(self.xs, dtype=np.float64)
        if self.space is None or xs.ndim != 2 or not len(xs) or xs.shape[1] != self.space.size:
            raise ShapeError(f"the states of a plan have shape {xs.shape}; expected (T+1, n) in {shown(self.space)}")
        object.__setattr__(self, "xs", xs)
        for name, count in (("us", len(xs) - 1), ("ts", len(xs))):
            given = getattr(self, name)
            if given is None:
                continue
            object.__setattr__(self, name, numbers(given, f"{name} of a plan"))
            if len(given) != count:
                raise ShapeError(
                    f"{name} of a plan has {counted(len(given), 'row')}; {counted(len(xs), 'state')} need {count}"
                )

    def __repr__(self) -> str:
        return f"Plan({self})"

    def __str__(self) -> str:
        if self.xs is None:
            return f"{self.status.value}: {self.reason}"
        return f"{self.status.value}: cost {self.cost:.4g} over {counted(len(self.xs), 'state')}"

    @property
    def ok(self) -> bool:
        """True if `xs` leads from the start to the goal."""
        return self.status is PlanStatus.SOLVED

    def __bool__(self) -> bool:
        return self.ok
