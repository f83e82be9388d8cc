"""The common base of the methods, and the table of them."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array, numbers
from ...core.errors import SettingError, ShapeError
from ...core.settings import shown
from .program import (
    INFEASIBLE,
    LIMIT,
    SOLVED,
    UNBOUNDED,
    QPSolution,
    QPStatus,
    QuadraticProgram,
    crossed,
    residuals,
)

EMPTY = np.zeros(0)
GAP = 100.0
"""Largest duality gap of a solution, relative to the tolerance of its residuals and the size of its cost."""
ROUNDING = 1e-15
"""Rounding of a sum, relative to its largest term."""


class Method(ABC):
    """A method for one problem, with f and bounds that change.

    Args:
        program: the problem.
        tolerance: largest residual of a solution.
    """

    def __init__(self, program: QuadraticProgram, tolerance: float = 1e-9) -> None:
        self.program, self.tolerance = program, tolerance
        self.f: Array = program.f
        self.bounds = np.stack([program.lower, program.upper])

    warm: Any = None
    """What the next solve starts from; None for methods that start from the beginning, and at first."""
    stoppable = True
    """Whether the method stops at the deadline."""
    deadline: float = math.inf
    """The second by `time.perf_counter` at which no further iteration begins."""

    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline < math.inf and time.perf_counter() > self.deadline

    def solve(
        self,
        theta: ArrayLike | None = None,
        *,
        f: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
    ) -> QPSolution:
        """The solution for parameters `theta` ``(p,)``, and other f and bounds if they are given; these stay.

        Raises:
            ShapeError: if an array does not fit, or holds NaN.
            SettingError: if a lower bound is above its upper bound.
        """
        m, n = self.program.A.shape
        if f is not None:
            self.replace(vector(f, n, "f").copy())
        if lower is not None:
            self.bounds[0] = vector(lower, m, "lower")
        if upper is not None:
            self.bounds[1] = vector(upper, m, "upper")
        return self.run(EMPTY if theta is None else vector(theta, self.program.F.shape[1], "theta"))

    def replace(self, f: Array) -> None:
        """Another f."""
        self.f = f

    @abstractmethod
    def run(self, theta: Array) -> QPSolution:
        """The solution for parameters ``(p,)`` that are known to fit."""

    def vectors(self, theta: Array) -> tuple[Array, Array]:
        """``f + F theta`` and ``E theta``.

        Raises:
            ShapeError: if they are not finite.
            SettingError: if bounds are crossed.
        """
        for i in np.flatnonzero(~(self.bounds[0] <= self.bounds[1])):
            raise crossed(int(i), *self.bounds)
        if len(theta) != self.program.F.shape[1]:
            raise ShapeError(f"theta is missing; expected ({self.program.F.shape[1]},)")
        g, e = self.f + self.program.F @ theta, self.program.E @ theta
        if not (np.isfinite(g).all() and np.isfinite(e).all()):
            raise ShapeError("f or theta holds NaN or infinity")
        return g, e

    def judged(
        self, z: Array, lam: Array, iterations: int, g: Array, e: Array, ray: Array | None = None,
        direction: Array | None = None,
    ) -> QPSolution:  # fmt: skip
        """A solution with its residuals in the given problem; or a proof that there is none, where one holds.

        Args:
            z, lam: variables and multipliers.
            iterations: of the method.
            g, e: see `vectors`.
            ray: multipliers that may prove that no z satisfies the rows.
            direction: of z, that may prove that the cost has no minimum.
        """
        program = self.program
        report = [iterations, *residuals(program, g, e, self.bounds, z, lam)]
        closed = report[3] <= GAP * self.tolerance * (1.0 + abs(report[4]))
        if report[1] <= self.tolerance and report[2] <= self.tolerance and closed:
            return QPSolution(SOLVED, z, lam, report)
        if ray is not None and (proof := farkas(program, ray, e, self.bounds)) is not None:
            return QPSolution(INFEASIBLE, z, lam, report, proof)
        if direction is not None and (proof := descent(program, direction, g, self.bounds)) is not None:
            return QPSolution(UNBOUNDED, z, lam, report, proof)
        return QPSolution(LIMIT, z, lam, report)


def worst(solution: QPSolution) -> float:
    """The largest residual or the gap, relative to the cost."""
    gap = solution.gap / (1.0 + abs(solution.cost))
    return max(solution.primal_residual, solution.dual_residual, gap)


def farkas(program: QuadraticProgram, ray: Array, e: Array, bounds: Array, tolerance: float = 1e-7) -> Array | None:
    """The proof ``A' ray = 0, sum_i ray_i (b_i - e_i) < 0`` that no z satisfies the hard rows, or None.

    Parts below the tolerance, soft rows and bounds that are infinite have no share in it.
    """
    ray = ray / max(np.abs(ray).max(initial=0.0), 1e-300)
    b = np.where(ray > 0.0, bounds[1], bounds[0])
    ray = np.where((np.abs(ray) > tolerance) & np.isinf(program.soft) & np.isfinite(b), ray, 0.0)
    share = np.abs(program.A * ray[:, None]).max(initial=1e-300)
    value = float(ray[ray != 0.0] @ (b - e)[ray != 0.0])
    scale = 1.0 + float(np.abs((b - e)[ray != 0.0]).max(initial=0.0))
    good = np.abs(program.A.T @ ray).max(initial=0.0) <= tolerance * share and value < -tolerance * scale
    return ray if good else None


def descent(program: QuadraticProgram, d: Array, g: Array, bounds: Array, tolerance: float = 1e-6) -> Array | None:
    """The direction d, if the cost falls along it for ever: ``H d = 0, g' d + penalties < 0``, no hard row; or None."""
    d = d / max(np.abs(d).max(initial=0.0), 1e-300)
    flat = np.abs(program.H @ d).max(initial=0.0) <= tolerance * max(1.0, np.abs(program.H).max(initial=0.0))
    y, hard = program.A @ d, np.isinf(program.soft)
    out = np.maximum(np.where(np.isinf(bounds[1]), 0.0, y), np.where(np.isinf(bounds[0]), 0.0, -y))
    slope = g @ d + program.soft[~hard] @ np.maximum(out[~hard], 0.0)
    falling = slope < -tolerance * np.abs(g).max(initial=0.0)
    return d if flat and falling and (out[hard] <= tolerance).all() else None


def vector(values: ArrayLike, size: int, name: str) -> Array:
    """Numbers ``(size,)``."""
    array = numbers(values, name)
    if array.shape != (size,):
        raise ShapeError(f"{name} has shape {array.shape}; expected ({size},)")
    return array


def method_of(name: str, what: str = "method") -> Any:
    """The class of a method by its name, the setting `what`."""
    from . import _libraries, active_set, interior_point

    known = {
        "auto": Auto,
        "active_set": active_set.ActiveSet,
        "interior_point": interior_point.InteriorPoint,
        **_libraries.LIBRARIES,
    }
    if not isinstance(name, str) or name not in known:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"{what} is {shown(name)}; expected {', '.join(known)}")
    return known[name]


class Auto(Method):
    """The active set method, and the interior point method where that does not reach the tolerance."""

    def __init__(self, program: QuadraticProgram, tolerance: float = 1e-9) -> None:
        from .active_set import ActiveSet

        super().__init__(program, tolerance)
        self.first = ActiveSet(program, tolerance)
        self.bounds = self.first.bounds
        self._second: Method | None = None

    @property
    def warm(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.first.warm

    @warm.setter
    def warm(self, value: Any) -> None:
        self.first.warm = value

    def replace(self, f: Array) -> None:
        self.f = f
        self.first.replace(f)

    def run(self, theta: Array) -> QPSolution:
        from .interior_point import InteriorPoint

        self.first.deadline = self.deadline
        found = self.first.run(theta)
        if found.status is not QPStatus.LIMIT or self._rounded(found) or self.late():
            return found
        self._second = self._second or InteriorPoint(self.program, self.tolerance)
        self._second.deadline = self.deadline
        self._second.f, self._second.bounds = self.f, self.bounds
        other = self._second.run(theta)
        return min(found, other, key=worst) if other.status is QPStatus.LIMIT else other

    def _rounded(self, found: QPSolution) -> bool:
        """Whether what is left of the optimality conditions is rounding, so that no method comes nearer."""
        noise = ROUNDING * float((np.abs(self.program.A.T) @ np.abs(found.multipliers)).max(initial=0.0))
        return worst(found) <= max(noise, self.tolerance) and found.primal_residual <= self.tolerance
