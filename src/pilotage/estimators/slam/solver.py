"""The solver of factor graphs as an abstract class: steps that lower chi2, until one would hardly lower it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import counted
from pilotage.core.settings import Count, Positive, instance, settings

from ._system import System
from .factors import FactorGraph
from .floating import floating, weak
from .solution import Solution, SolveStatus

Array = NDArray[np.float64]


class Step(NamedTuple):
    """A step that was taken.

    Attributes:
        x: values after it.
        control: damping, or radius of trust, for the next step.
        expected: decrease of chi2 that the linearised residuals promised.
        chi2: after the step.
    """

    x: Array
    control: float
    expected: float
    chi2: float


class Descent(NamedTuple):
    """Where the steps of a solver ended: the values, chi2 before and after each step, and the outcome."""

    x: Array
    chi2: tuple[float, ...]
    status: SolveStatus


@settings
class GraphSolver(ABC):
    """A solver for nonlinear least squares on spaces, as an abstract class.

    Args:
        iterations: maximum number of iterations.
        tolerance: the solver has converged when a step would decrease chi2 by less than ``tolerance (1 + chi2)``.

    Raises:
        SettingError: if a setting is not a positive number.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.estimators.slam import Dogleg, Factors, GaussNewton, LevenbergMarquardt, Variables
        >>> from pilotage.models import position
        >>> points = {"point": Variables(Space("x [m]"), [[0.0]])}
        >>> graph = FactorGraph(points, [Factors(position(1), [[1.0], [2.0]], ("point", [0, 0]))])
        >>> solvers = GaussNewton(), LevenbergMarquardt(), Dogleg()
        >>> [solver.solve(graph)["point"].round(6).tolist() for solver in solvers]
        [[[1.5]], [[1.5]], [[1.5]]]
    """

    iterations: Count = 100
    tolerance: Positive = 1e-9

    def solve(self, graph: FactorGraph) -> Solution:
        """The values that explain the readings best, starting from those of the graph.

        Raises:
            CovarianceError: if a sensor has no noise, and no information is given.
        """
        system = system_of(graph, type(self).__name__)
        return refused(system) or self.solution(system, self.descend(system))

    def solution(self, system: System, end: Descent) -> Solution:
        """The solution where a descent ended, or what the readings leave free there."""
        status = end.status
        reason = f"{status.value} after {counted(len(end.chi2) - 1, 'step')} at chi2 {end.chi2[-1]:.6g}"
        if loose := weak(system):
            status, reason = SolveStatus.UNDETERMINED, loose
        return Solution(system.graph.solved(system.split(end.x)), status, reason, end.chi2, system)

    def descend(self, system: System) -> Descent:
        """The steps from where the system was linearised."""
        x, control, status = system.x, self.first_control, SolveStatus.LIMIT
        chi2 = [system.chi2]
        for _ in range(self.iterations):
            step = self.step(system, x, control, chi2[-1])
            if step is None:
                status = SolveStatus.STUCK
                break
            x, control = step.x, step.control
            chi2.append(step.chi2)
            if step.expected <= self.tolerance * (1.0 + step.chi2):
                status = SolveStatus.CONVERGED
                break
            system.linearize(x)
        return Descent(x, tuple(chi2), status)

    @property
    @abstractmethod
    def first_control(self) -> float:
        """Damping, or radius of trust, of the first step."""

    @abstractmethod
    def step(self, system: System, x: Array, control: float, chi2: float) -> Step | None:
        """A step from x that lowers chi2, where the system was linearised; None if there is none."""

    def lowers(self, chi2: float, after: float, expected: float) -> bool:
        """Whether a step lowers chi2, or leaves it as it is but for rounding where the optimum is."""
        slack = self.tolerance * (1.0 + chi2)
        return after <= chi2 or (after <= chi2 + slack and expected <= slack)


def damped(system: System, x: Array, damping: float) -> Step | None:
    """The step with this damping from x, where the system was linearised; None where there is none."""
    if not system.factor(damping):
        return None
    d = -system.cholesky.solve(system.g)
    expected = float(damping * (d * system.diagonal) @ d - system.g @ d)
    moved = system.moved(x, d)
    return Step(moved, damping, expected, system.cost(moved))


def system_of(graph: FactorGraph, who: str) -> System:
    """The normal equations of a graph, or a sentence about what is none."""
    return System(instance(graph, FactorGraph, who, "; pose_graph(...) makes one of a file's"))


def refused(system: System) -> Solution | None:
    """Why a graph cannot be solved from the values that it has; None where it can."""
    chi2 = system.linearize(system.vector(system.graph))
    if loose := floating(system):
        return Solution(system.graph, SolveStatus.UNDETERMINED, loose, (chi2,), system)
    if math.isfinite(chi2) and np.isfinite(system.g).all():
        return None
    reason = f"chi2 of the guess is {chi2}, and its gradient or itself is not finite; begin elsewhere"
    return Solution(system.graph, SolveStatus.NOT_FINITE, reason, (chi2,), system)
