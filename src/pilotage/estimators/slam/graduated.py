"""Graduated non-convexity: outliers among readings are found by a sequence of less and less convex costs."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pilotage.core import ShapeError
from pilotage.core.settings import Count, Interval, settings

from ._system import Group, System
from .factors import FactorGraph
from .gauss_newton import GaussNewton
from .kernels import GemanMcClure, TruncatedSquare
from .solution import Solution
from .solver import GraphSolver, refused, system_of

Array = NDArray[np.float64]


@settings
class GraduatedNonConvexity:
    """Graduated non-convexity: a solver for graphs whose readings may be mostly outliers.

    ::

        minimise sum rho(s),    s = e' W e,    with a surrogate rho_mu that is convex first, and rho in the end:

        TruncatedSquare     w = 1 if s <= mu/(mu+1) c^2;  0 if s >= (mu+1)/mu c^2;  c sqrt(mu(mu+1)/s) - mu between
        GemanMcClure        w = (mu c^2 / (s + mu c^2))^2

    with c the scale of the kernel. Weights and variables are found in turn, and mu grows (shrinks) by a factor each
    time. Factors that have another kernel, or none, keep it: the readings that are beyond doubt, such as odometry.

    Args:
        solver: the solver of the weighted problems.
        factor: the factor of mu from one problem to the next.
        rounds: maximum number of problems.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Yang, Antonante, Tzoumas and Carlone, "Graduated Non-Convexity for Robust Spatial Perception: From
    Non-Minimal Solvers to Global Outlier Rejection" (2020), propositions 3 and 4, algorithm 1.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.estimators.slam import FactorGraph, Factors, Variables
        >>> from pilotage.models import position
        >>> z = [[1.0], [1.1], [0.9], [7.0], [-50.0]]
        >>> read = Factors(position(1, std=0.1), z, ("point", [0] * 5), kernel=TruncatedSquare())
        >>> graph = FactorGraph({"point": Variables(Space("x [m]"), [[0.0]])}, [read])
        >>> solution = GraduatedNonConvexity().solve(graph)
        >>> solution["point"].round(3).tolist(), solution.weights[0].tolist()
        ([[1.0]], [1.0, 1.0, 1.0, 0.0, 0.0])
    """

    solver: GraphSolver = field(default_factory=lambda: GaussNewton(iterations=20, tolerance=1e-4))
    factor: Annotated[float, Interval(1.0)] = 1.4
    rounds: Count = 100

    def solve(self, graph: FactorGraph) -> Solution:
        """The values that explain the inliers best, starting from those of the graph.

        `Solution.weights` tells inliers from outliers.

        Raises:
            CovarianceError: if a sensor has no noise, and no information is given.
            ShapeError: if no factors have a kernel that can be graduated.
        """
        system = system_of(graph, "GraduatedNonConvexity")
        if refusal := refused(system):
            return refusal
        doubted = [
            (group, Graduation(group.kernel, len(group.variables), self.factor))
            for group in system.groups
            if isinstance(group.kernel, (TruncatedSquare, GemanMcClure))
        ]
        if not doubted:
            raise ShapeError(
                f"none of the {len(graph.factors)} factors of the graph may be outliers; give those that may "
                "kernel=TruncatedSquare() or kernel=GemanMcClure()"
            )
        return self._finished(graph.moved(system.split(self._rounds(system, doubted))))

    def _rounds(self, system: System, doubted: list[tuple[Group, Graduation]]) -> Array:
        """The values after all rounds."""
        x = system.x
        for _ in range(self.rounds):
            for group, graduation in doubted:
                group.hold(graduation.weights)
            system.linearize(x)
            x = self.solver.descend(system).x
            if all(graduation.final for _, graduation in doubted):
                break
            for group, graduation in doubted:
                graduation.weigh(group.squares(x))
        return x

    def _finished(self, graph: FactorGraph) -> Solution:
        """The solution with the kernels themselves."""
        system = system_of(graph, "GraduatedNonConvexity")
        system.linearize(system.x)
        return self.solver.solution(system, self.solver.descend(system))


class Graduation:
    """Weights of readings that may be outliers, and how far their cost is from convex.

    Args:
        kernel: the loss in the end.
        count: number of readings K.
        factor: of mu from one time to the next.
        limits: the square c^2 of the scale of each reading ``(K,)``; default: that of the kernel.

    Attributes:
        weights: ``(K,)``, 1 at first.
        final: whether the weights are those of the kernel itself.
    """

    def __init__(
        self, kernel: TruncatedSquare | GemanMcClure, count: int, factor: float = 1.4, limits: Array | None = None
    ) -> None:
        self._c2 = np.full(count, kernel.scale**2) if limits is None else limits
        self._factor, self._mu = factor, 0.0
        self._truncated = isinstance(kernel, TruncatedSquare)
        self.weights, self.final = np.ones(count), count == 0

    def weigh(self, s: Array) -> None:
        """Set the weights by squared residuals ``(K,)``; a reading whose s is infinite is left out from the start."""
        if not self._mu:
            self._mu = self._first(2.0 * float((s / self._c2)[np.isfinite(s)].max(initial=0.0)))
        if self._truncated:
            self.weights = self._truncated_weights(s)
            self.final = bool(((self.weights == 0.0) | (self.weights == 1.0)).all())
            self._mu *= self._factor
        else:
            self.weights = (self._mu * self._c2 / (s + self._mu * self._c2)) ** 2
            self.final = self._mu == 1.0
            self._mu = max(1.0, self._mu / self._factor)

    def _first(self, twice: float) -> float:
        """A mu at which the cost is convex for all residuals up to the worst, of which this is ``2 s / c^2``."""
        if self._truncated:
            return 1.0 / (twice - 1.0) if twice > 1.0 else np.inf
        return max(1.0, twice)

    def _truncated_weights(self, s: Array) -> Array:
        mu, c2 = self._mu, self._c2
        if mu == np.inf:
            return np.where(np.isfinite(s), 1.0, 0.0)
        low, high = mu / (mu + 1.0) * c2, (mu + 1.0) / mu * c2
        between = np.sqrt(c2 * mu * (mu + 1.0) / np.clip(s, low, high)) - mu
        return np.where(s <= low, 1.0, np.where(s >= high, 0.0, between))
