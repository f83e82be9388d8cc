"""Quadratic programs and their solutions."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array, frozen, numbers
from ...core.errors import SettingError, ShapeError
from ...core.settings import settings

SOLVED, INFEASIBLE, LIMIT, UNBOUNDED, NAN = 0, 1, 2, 3, 4
"""Values of the status that the methods return."""


class QPStatus(enum.Enum):
    """The outcome of a quadratic program."""

    SOLVED = "solved"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    LIMIT = "iteration limit"


_STATUS = {SOLVED: QPStatus.SOLVED, INFEASIBLE: QPStatus.INFEASIBLE, UNBOUNDED: QPStatus.UNBOUNDED}


@settings(eq=False)
class QuadraticProgram:
    """A convex quadratic program with two-sided rows, soft rows and parameters.

    ::

        min_z  1/2 z' H z + (f + F theta)' z + sum_i soft_i max(0, y_i - upper_i, lower_i - y_i)
        lower <= y <= upper  for rows with infinite soft_i,        y = A z + E theta

    Args:
        H: ``(n, n)``, symmetric positive semidefinite.
        f: ``(n,)``.
        A: ``(m, n)``; None for no rows. A row whose bounds are equal is an equality.
        lower, upper: ``(m,)``; None for no bound.
        soft: weights ``(m,)`` of violations, infinite for hard rows; None for hard rows only. A penalty is exact: where
            the hard problem has a solution whose multipliers are below the weights, that is the solution.
        F, E: ``(n, p)`` and ``(m, p)``, how parameters theta enter; None for no share.

    Raises:
        ShapeError: if an array has another shape, or holds NaN.
        SettingError: if H is not symmetric positive semidefinite, a lower bound is above its upper bound, or a weight
            is not positive.

    Source: Boyd and Vandenberghe, "Convex optimization" (2004), section 4.4; exact penalties: Nocedal and Wright,
    "Numerical optimization" (2006), section 17.2.

    Example:
        >>> program = QuadraticProgram([[2.0, 0.0], [0.0, 2.0]], [-2.0, -5.0], [[1.0, 1.0]], upper=[1.0])
        >>> solution = program.solve()
        >>> solution.z.round(6).tolist(), solution.multipliers.round(6).tolist(), solution.status.value
        ([-0.25, 1.25], [2.5], 'solved')
    """

    H: Any
    f: Any
    A: Any = None
    lower: Any = None
    upper: Any = None
    soft: Any = None
    F: Any = None
    E: Any = None

    def __post_init__(self) -> None:
        n = len(np.atleast_1d(numbers(self.f, "f")))
        m = 0 if self.A is None else len(np.atleast_2d(numbers(self.A, "A")))
        p = next((np.shape(each)[-1] for each in (self.F, self.E) if each is not None), 0)
        shapes = {"H": (n, n), "f": (n,), "A": (m, n), "F": (n, p), "E": (m, p)}
        for name, shape in shapes.items():
            self._keep(name, 0.0, shape, finite=True)
        for name, default in (("lower", -np.inf), ("upper", np.inf), ("soft", np.inf)):
            self._keep(name, default, (m,), finite=False)
        scale = max(1.0, float(np.abs(self.H).max(initial=0.0)))
        if np.abs(self.H - self.H.T).max(initial=0.0) > 1e-9 * scale:
            raise SettingError("H is not symmetric; give (H + H') / 2")
        least = float(np.linalg.eigvalsh(self.H)[0]) if n else 0.0
        if least < -1e-9 * scale:
            raise SettingError(f"H has the eigenvalue {least:.3g}; a convex problem has none below zero")
        for i in np.flatnonzero(self.lower > self.upper):
            raise crossed(int(i), self.lower, self.upper)
        if not (self.soft > 0.0).all():
            raise SettingError("soft has a weight that is not positive; hard rows have an infinite one")

    def _keep(self, name: str, default: float, shape: tuple[int, ...], *, finite: bool) -> None:
        given = getattr(self, name)
        array = np.full(shape, default) if given is None else numbers(given, name)
        if array.shape != shape:
            raise ShapeError(f"{name} has shape {array.shape}; expected {shape}")
        if np.isnan(array).any() or (finite and not np.isfinite(array).all()):
            raise ShapeError(f"{name} holds NaN{' or infinity' if finite else ''}")
        object.__setattr__(self, name, frozen(array))

    def solve(self, theta: ArrayLike | None = None, *, method: str = "auto", tolerance: float = 1e-9) -> QPSolution:
        """The solution for parameters `theta` ``(p,)``, by a method of `solver`."""
        return self.solver(method, tolerance).solve(theta)

    def solver(self, method: str = "auto", tolerance: float = 1e-9) -> Any:
        """A solver of this problem for changing theta, f and bounds, which begins at its last solution.

        Its method ``solve(theta, f=..., lower=..., upper=...)`` returns a `QPSolution`.

        Args:
            method: "active_set", the dual active set method, for problems of up to some hundred variables and rows;
                "interior_point"; "auto", the first and, if it does not reach the tolerance, the second; or another
                library: "piqp", "clarabel", "osqp" (extra ``qp``), "daqp".
            tolerance: largest primal and dual residual of a solution; its duality gap is at most 100 times that,
                relative to ``1 + |cost|``.

        Raises:
            MissingExtra: if the library is not installed.
        """
        from ._methods import method_of

        return method_of(method)(self, tolerance)


class QPSolution:
    """The solution of a quadratic program, or the reason why there is none.

    Attributes:
        z: variables ``(n,)``.
        multipliers: of the rows ``(m,)``, positive at the upper bound and negative at the lower:
            ``H z + f + F theta + A' multipliers = 0``. Those of soft rows are at most their weight.
        certificate: of an infeasible problem ``(m,)``: multipliers with ``A' certificate = 0`` whose combination of the
            bounds contradicts itself, ``sum_i certificate_i (b_i - (E theta)_i) < 0``; of an unbounded one, a direction
            ``(n,)`` along which the cost falls for ever; else None.

    Example:
        >>> solution = QuadraticProgram([[1.0]], [0.0], [[1.0], [1.0]], [2.0, -9.0], [9.0, 1.0]).solve()
        >>> print(solution)
        infeasible: no point keeps rows 0, 1
    """

    __slots__ = ("_report", "_status", "certificate", "multipliers", "z")

    def __init__(
        self, status: int, z: Array, multipliers: Array, report: Sequence[float] | Array, certificate: Any = None
    ) -> None:
        self._status, self.z, self.multipliers, self._report = status, z, multipliers, report
        self.certificate = certificate

    @property
    def status(self) -> QPStatus:
        """The outcome; LIMIT if residuals or gap are larger than the tolerance allows."""
        return _STATUS.get(self._status, QPStatus.LIMIT)

    @property
    def ok(self) -> bool:
        """Whether the problem is solved."""
        return self._status == SOLVED

    @property
    def iterations(self) -> int:
        """Number of iterations of the method."""
        return int(self._report[0])

    @property
    def primal_residual(self) -> float:
        """Largest violation of a hard row, in the units of the problem."""
        return float(self._report[1])

    @property
    def dual_residual(self) -> float:
        """Largest component of ``H z + f + F theta + A' multipliers``."""
        return float(self._report[2])

    @property
    def gap(self) -> float:
        """Duality gap: the cost minus its lower bound by the multipliers, as a magnitude."""
        return float(self._report[3])

    @property
    def cost(self) -> float:
        """Cost of z, with the penalties of soft rows."""
        return float(self._report[4])

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows that contradict each other in an infeasible problem."""
        return np.flatnonzero([] if self._status != INFEASIBLE else self.certificate).astype(np.int64)

    @property
    def reason(self) -> str:
        """A sentence, empty if solved."""
        if self._status == SOLVED:
            return ""
        if self._status == INFEASIBLE:
            return f"no point keeps row{'s' if len(self.rows) > 1 else ''} {', '.join(map(str, self.rows))}"
        if self._status == UNBOUNDED:
            return "the cost falls for ever along a direction that no row bounds"
        return (
            f"after {self.iterations} iterations the primal residual is {self.primal_residual:.2g}, the dual "
            f"{self.dual_residual:.2g}, and the duality gap {self.gap:.2g}"
        )

    def __repr__(self) -> str:
        return f"QPSolution({self})"

    def __str__(self) -> str:
        if self._status in (INFEASIBLE, UNBOUNDED):
            return f"{self.status.value}: {self.reason}"
        residuals = f"residuals {self.primal_residual:.1e} and {self.dual_residual:.1e}"
        return f"{self.status.value}: cost {self.cost:.6g}, {residuals}, {self.iterations} iterations"


def crossed(i: int, lower: Array, upper: Array) -> SettingError:
    """The error of a row whose lower bound is above its upper bound."""
    return SettingError(f"lower of row {i} is {lower[i]:g}, above its upper {upper[i]:g}")


def residuals(program: QuadraticProgram, g: Array, e: Array, bounds: Array, z: Array, lam: Array) -> list[float]:
    """Primal and dual residual, gap and cost, ``g = f + F theta`` and ``e = E theta``; see `QPSolution`."""
    y, hard = program.A @ z + e, np.isinf(program.soft)
    out = np.maximum(np.maximum(y - bounds[1], bounds[0] - y), 0.0)
    penalty = float(program.soft[~hard] @ out[~hard])
    over = np.where(hard, 0.0, np.abs(lam) - np.where(hard, 0.0, program.soft))
    dual = max(np.abs(program.H @ z + g + program.A.T @ lam).max(initial=0.0), over.max(initial=0.0))
    at = np.where(lam > 0.0, bounds[1], bounds[0])
    share = (lam != 0.0) & np.isfinite(at)  # a multiplier may be rounded to the wrong side
    support = float(lam[share] @ (at - e)[share])
    quadratic = float(z @ program.H @ z)
    cost = 0.5 * quadratic + float(g @ z) + penalty
    return [float(out[hard].max(initial=0.0)), float(dual), abs(cost + 0.5 * quadratic + support), cost]
