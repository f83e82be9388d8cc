"""The motions of vehicles: arcs of a car, and actions of any model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.dynamics import Dynamics
from ...core.errors import PilotageError, SettingError
from ...core.problem import Problem
from ...core.settings import shown
from ...core.space import Space
from ...models.trace import Code, code_of, parameters
from ..steering import Dubins
from ..steering._curves import POSE, Curve, driven

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
UNTIMED = np.zeros(1)


@dataclass(frozen=True)
class Motions:
    """The motions of a vehicle: lists of actions of a step.

    Attributes:
        rows: actions ``(R, m)``; those of a motion follow one another.
        first: the first action of each motion, and R.
        groups: the first motion of each group, and the number of motions; the first group follows the start.
        after: the group of the motions that may follow each motion.
        code: the step.
        parameters: duration of a step, and the parameters of its code.
    """

    rows: Array
    first: Integers
    groups: Integers
    after: Integers
    code: Code
    parameters: Array

    @classmethod
    def alike(cls, rows: Array, count: int, code: Code, parameters: Array) -> Motions:
        """Motions of `count` actions each, any of which may follow any other."""
        first = np.arange(0, len(rows) + 1, count)
        groups, after = np.array([0, len(first) - 1]), np.zeros(len(first) - 1, dtype=np.int64)
        return cls(np.ascontiguousarray(rows), first, groups, after, code, parameters)

    @property
    def longest(self) -> int:
        """The number of actions of the longest motion."""
        return int(np.diff(self.first).max())

    def actions(self, motions: list[int]) -> Array:
        """The actions of some motions, one after the other."""
        parts = [self.rows[self.first[k] : self.first[k + 1]] for k in motions]
        return np.concatenate([self.rows[:0], *parts])


class Vehicle(Protocol):
    """What a search needs to know of a vehicle.

    Attributes:
        span: length of a motion [m], if curves lead to the goal.
        curves: whether curves lead to the goal, so that it is reached exactly.
        tolerance: distance at which a goal is reached, in the metric of the problem, if curves do not lead there.
    """

    @property
    def span(self) -> float: ...
    @property
    def curves(self) -> bool: ...
    @property
    def tolerance(self) -> float: ...

    def refuse(self, problem: Problem) -> str:
        """What a problem lacks for this vehicle, as the end of a sentence; empty if nothing."""
        ...

    def motions(self, space: Space, fineness: int) -> Motions:
        """The motions, `fineness` times shorter."""
        ...

    def cells(self, space: Space, root: Array, fineness: int) -> Array:
        """Middle of cell 0 and cells per unit, for each component of a state ``(2, n)``."""
        ...

    def stepped(self, space: Space, xs: Array, actions: Array) -> Array:
        """The states ``(K, n)`` after one action each."""
        ...

    def controls(self, space: Space, xs: Array, actions: Array) -> tuple[Array, Array]:
        """Controls and times of a path."""
        ...


class OnArcs:
    """What vehicles that drive along arcs, by increments of a pose, have in common."""

    curves, tolerance = True, 0.0

    def refuse(self, problem: Problem) -> str:
        if in_se2(problem.space):
            return ""
        return f'poses in SE(2), not states of {shown(problem.space)}; give the problem the space Space("pose: SE2")'

    def stepped(self, space: Space, xs: Array, actions: Array) -> Array:
        return space.plus(xs, actions)

    def controls(self, space: Space, xs: Array, actions: Array) -> tuple[Array, Array]:
        return driven(space, xs)


@dataclass(frozen=True)
class Car(OnArcs):
    """A car: arcs of one length, forwards and, unless its curve is Dubins's, backwards.

    Attributes:
        steering: the curve, with the smallest turning radius.
        span: length of an arc [m].
        curvatures: curvatures to each side, beside 0.
    """

    steering: Curve
    span: float
    curvatures: int

    def motions(self, space: Space, fineness: int) -> Motions:
        gears = np.array([1.0] if isinstance(self.steering, Dubins) else [1.0, -1.0])[:, None]
        turns = np.linspace(-1.0, 1.0, 2 * self.curvatures + 1) / self.steering.radius
        rows = np.stack(np.broadcast_arrays(gears, 0.0, gears * turns), -1).reshape(-1, 3) * self.span / fineness
        return Motions.alike(rows, 1, code_of(space, "plus"), UNTIMED)

    def cells(self, space: Space, root: Array, fineness: int) -> Array:
        """Cells half as wide as an arc is long, and half its smallest turn."""
        per_metre = 2.0 * fineness / self.span
        return np.array([root, [per_metre, per_metre, per_metre * self.curvatures * self.steering.radius]])


@dataclass(frozen=True, eq=False)
class Modelled:
    """A vehicle whose motions are actions of a model, each held for some steps.

    Attributes:
        model: the model.
        samples: the actions ``(A, m)``.
        dt: seconds of a step.
        steps: steps of a motion.
        tolerance: distance at which a goal is reached, in the metric of the problem.
    """

    model: Dynamics
    samples: Array
    dt: float
    steps: int
    tolerance: float

    curves, span = False, 1.0
    SHARE = 36
    """Cells per half turn, and per range of what else has bounds: 5 degrees."""

    def refuse(self, problem: Problem) -> str:
        if problem.space.names == self.model.state.names:
            return ""
        own, given = (", ".join(space.names) for space in (self.model.state, problem.space))
        return f"states of {self.model!r}, {own}, not {given}"

    def reach(self, start: Array) -> float:
        """The longest way of the actions from rest at the origin, or from a start if that is longer [m].

        Raises:
            SettingError: if no action moves the vehicle.
        """
        state = self.model.state
        pose = [state.find(name, "HybridAStar") for name in ("x", "y")]
        first = np.repeat([np.asarray(state.normalize(np.zeros(state.size))), start], len(self.samples), axis=0)
        x, actions = first, np.tile(self.samples, (2, 1))
        for _ in range(self.steps):
            x = np.asarray(self.model.step(x, actions, self.dt))
        longest = float(np.hypot(*(x - first)[:, pose].T).max())
        if not longest > 0.0:
            raise SettingError(
                f"HybridAStar has actions that do not move {self.model!r} from its start in {self.steps} steps of "
                f"{self.dt:g} s; expected at least one that does"
            )
        return longest

    def motions(self, space: Space, fineness: int) -> Motions:
        count = max(1, self.steps // fineness)
        numbers = np.concatenate(([self.dt], parameters(self.model, self.dt)))
        return Motions.alike(np.repeat(self.samples, count, axis=0), count, code_of(self.model, "y"), numbers)

    def cells(self, space: Space, root: Array, fineness: int) -> Array:
        """Squares half as wide as a motion is long, and shares of the ranges of all other components."""
        scale = self.SHARE * fineness / np.array(space.extents)
        scale[[space.find(name, "HybridAStar") for name in ("x", "y")]] = 2.0 * fineness / self.reach(root)
        return np.array([root, np.where(np.isfinite(scale), scale, 0.0)])

    def stepped(self, space: Space, xs: Array, actions: Array) -> Array:
        return np.asarray(self.model.step(xs, actions, self.dt))

    def controls(self, space: Space, xs: Array, actions: Array) -> tuple[Array, Array]:
        return actions, np.arange(len(xs), dtype=np.float64) * self.dt


def refused(planner: str, problem: Problem, vehicle: Vehicle) -> None:
    """Raise an error for a problem that a vehicle cannot solve."""
    if lacking := vehicle.refuse(problem):
        raise PilotageError(f"{planner} needs {lacking}")


def in_se2(space: Space) -> bool:
    """Whether states are poses in SE(2), with the increments of `POSE`."""
    part = space.parts[0]
    return len(space.parts) == 1 and part.same_kind(POSE.parts[0]) and part.side == POSE.parts[0].side
