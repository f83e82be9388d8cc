"""Gauss-Newton on factor graphs, with Levenberg-Marquardt damping when a step would increase the cost."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian, ShapeError
from pilotage.core.errors import counted
from pilotage.core.settings import Count, Positive, instance, settings, whole

from ._system import System
from .factors import FactorGraph
from .floating import floating, weak

Array = NDArray[np.float64]

SMALLEST = 1e-6
"""Damping below which none is used, and with which it begins."""
LARGEST = 1e8


class SolveStatus(enum.Enum):
    """The outcome of solving a factor graph."""

    CONVERGED = "converged"
    LIMIT = "limit of iterations"
    STUCK = "no step lowers the cost"
    UNDETERMINED = "undetermined"
    NOT_FINITE = "not finite"


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """The values of all variables that explain the readings best, or the reason why there are none.

    Attributes:
        graph: the graph with the final values; with the given values if parts of it are not determined.
        status: the outcome.
        reason: the outcome in words.
        chi2: chi2 of the guess and after each iteration; ``chi2[-1]`` is that of the solution.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.estimators.slam import FactorGraph, Factors, Variables
        >>> from pilotage.models import position
        >>> points = Variables(Space("x [m]"), [[0.0]])
        >>> graph = FactorGraph({"point": points}, [Factors(position(1, std=1.0), [[1.0], [2.0]], ("point", [0, 0]))])
        >>> solution = GaussNewton().solve(graph)
        >>> print(solution.belief("point", 0))
        x 1.50 +- 0.71 m
    """

    graph: FactorGraph
    status: SolveStatus
    reason: str
    chi2: tuple[float, ...]
    _system: System = field(repr=False)

    def __repr__(self) -> str:
        return f"Solution({self.reason}; {self.graph!r})"

    def __getitem__(self, kind: str) -> Array:
        """Values of all variables of a kind ``(N, size)``; a `ShapeError` where there is no such kind."""
        return self.graph.of_kind(kind).values

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return len(self.chi2) - 1

    def belief(self, kind: str, index: int) -> Gaussian:
        """The marginal belief of one variable: its block of ``H^-1``.

        Raises:
            ShapeError: if there is no such kind, or the variable is fixed or not determined.
            SettingError: if the index is not between 0 and the number of variables minus one.
        """
        variables, system = self.graph.of_kind(kind), self._system
        index = whole(index, f"the index of {kind}", 0, len(variables.values) - 1)
        column = int(system.pattern.columns[system.first[kind] + index])
        if unknown := "it is held fixed" if column < 0 else self._undetermined:
            raise ShapeError(
                f"{kind} {index} has no covariance: {unknown}; expected a variable that the readings determine"
            )
        dim = variables.space.dim
        cov = np.empty((dim, dim))
        for k in range(dim):
            unit = np.zeros(system.pattern.size)
            unit[column + k] = 1.0
            cov[k] = system.cholesky.solve(unit)[column : column + dim]
        return Gaussian(variables.space, variables.values[index], 0.5 * (cov + cov.T))

    @cached_property
    def _undetermined(self) -> str:
        """Why there are no covariances; empty where there are, and H is factored at the solution."""
        if self.status in (SolveStatus.UNDETERMINED, SolveStatus.NOT_FINITE):
            return self.reason
        self._system.linearize(self._system.vector(self.graph))
        return weak(self._system)


@settings
class GaussNewton:
    """A Gauss-Newton solver for nonlinear least squares on spaces, with Levenberg-Marquardt damping.

    ::

        minimise chi2(x) = sum e' W e:    (H + damping diag H) d = -g,    x <- x (+) d

    The damping is zero as long as steps decrease the cost, so that convergence is quadratic if residuals are small.
    Each step that does not decrease the cost increases the damping tenfold.

    Args:
        iterations: maximum number of iterations.
        tolerance: the solver has converged when a step would decrease chi2 by less than ``tolerance (1 + chi2)``.

    Raises:
        SettingError: if a setting is not a positive number.

    Source: Dellaert and Kaess, "Factor Graphs for Robot Perception" (2017), sections 2.4 and 2.5; Kümmerle et al.,
    "g2o: A General Framework for Graph Optimization" (2011).

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators.slam import FactorGraph, Factors, Variables
        >>> from pilotage.models import relative_pose
        >>> step = relative_pose()
        >>> poses = Variables(step.state, np.zeros((2, 3)), fixed=[0])
        >>> graph = FactorGraph({"pose": poses}, [Factors(step, [[1.0, 2.0, 0.5]], ("pose", [0]), ("pose", [1]))])
        >>> solution = GaussNewton().solve(graph)
        >>> solution.status.value, solution["pose"][1].round(6).tolist()
        ('converged', [1.0, 2.0, 0.5])
    """

    iterations: Count = 100
    tolerance: Positive = 1e-9

    def solve(self, graph: FactorGraph) -> Solution:
        """The values that explain the readings best, starting from those of the graph.

        Raises:
            CovarianceError: if a sensor has no noise, and no information is given.
        """
        system = System(instance(graph, FactorGraph, "GaussNewton", "; pose_graph(...) makes one of a file's"))
        x, damping, status = system.vector(graph), 0.0, SolveStatus.LIMIT
        chi2 = [system.linearize(x)]
        if loose := floating(system):
            return Solution(graph, SolveStatus.UNDETERMINED, loose, tuple(chi2), system)
        if not (math.isfinite(chi2[0]) and np.isfinite(system.g).all()):
            reason = f"chi2 of the guess is {chi2[0]}, and its gradient or itself is not finite; begin elsewhere"
            return Solution(graph, SolveStatus.NOT_FINITE, reason, tuple(chi2), system)
        for _ in range(self.iterations):
            x, damping, expected, cost = self._step(system, x, damping, chi2[-1])
            if damping > LARGEST:
                status = SolveStatus.STUCK
                break
            chi2.append(cost)
            if expected <= self.tolerance * (1.0 + cost):
                status = SolveStatus.CONVERGED
                break
            system.linearize(x)
        reason = f"{status.value} after {counted(len(chi2) - 1, 'step')} at chi2 {chi2[-1]:.6g}"
        if loose := weak(system):
            status, reason = SolveStatus.UNDETERMINED, loose
        return Solution(graph.moved(system.split(x)), status, reason, tuple(chi2), system)

    def _step(self, system: System, x: Array, damping: float, chi2: float) -> tuple[Array, float, float, float]:
        """The next values, with their damping, the decrease that was expected of the step, and chi2."""
        while damping <= LARGEST:
            if system.factor(damping):
                d = -system.cholesky.solve(system.g)
                expected = float(damping * (d * system.diagonal) @ d - system.g @ d)
                moved = system.moved(x, d)
                cost = system.cost(moved)
                slack = self.tolerance * (1.0 + chi2)
                if cost <= chi2 or (cost <= chi2 + slack and expected <= slack):
                    damping = damping / 10.0 if chi2 - cost > 0.25 * expected else damping
                    return moved, damping if damping >= SMALLEST else 0.0, expected, cost
            damping = max(10.0 * damping, SMALLEST)
        return x, damping, 0.0, chi2
