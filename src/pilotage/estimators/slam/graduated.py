"""Graduated non-convexity: outliers among readings are found by a sequence of less and less convex costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import ShapeError
from pilotage.core.settings import Count, Interval, settings

from ._system import Group, System
from .factors import FactorGraph
from .gauss_newton import GaussNewton
from .kernels import GemanMcClure, RobustKernel, TruncatedSquare
from .solution import Solution
from .solver import GraphSolver, refused, system_of

Array = NDArray[np.float64]
Guess = Callable[[tuple[Array, ...]], Mapping[str, Array]]
"""Values by kind for the weights of all readings."""


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

    def solve(self, graph: FactorGraph, guess: Guess | None = None) -> Solution:
        """The values that explain the inliers best, starting from those of the graph.

        `Solution.weights` tells inliers from outliers.

        Args:
            graph: factors, some of which have a kernel that can be graduated.
            guess: a function that gives values by kind for weights of the readings, one array ``(K,)`` for each
                `Factors`. Each weighted problem begins there, if chi2 is lower than at the last values. Local solvers
                need it where the first problem is far from linear.

        Raises:
            CovarianceError: if a sensor has no noise, and no information is given.
            ShapeError: if no factors have a kernel that can be graduated.
        """
        system = system_of(graph, "GraduatedNonConvexity")
        if refusal := refused(system):
            return refusal
        doubted = [_Doubted(group, group.kernel) for group in system.groups if _graduated(group.kernel)]
        if not doubted:
            raise ShapeError(
                f"none of the {len(graph.factors)} factors of the graph may be outliers; give those that may "
                "kernel=TruncatedSquare() or kernel=GemanMcClure()"
            )
        x = self._rounds(system, doubted, guess)
        return self._finished(graph.moved(system.split(x)))

    def _rounds(self, system: System, doubted: list[_Doubted], guess: Guess | None) -> Array:
        """The values after all rounds."""
        x, final = system.x, False
        for each in doubted:
            each.group.hold(each.weights)
        for _ in range(self.rounds):
            x = self._begin(system, x, guess)
            system.linearize(x)
            x = self.solver.descend(system).x
            if final:
                break
            for each in doubted:
                each.weigh(x, self.factor)
            final = all(each.final for each in doubted)
        return x

    def _begin(self, system: System, x: Array, guess: Guess | None) -> Array:
        """The better of the last values and the guess."""
        if guess is None:
            return x
        guessed = system.vector(system.graph.moved(guess(tuple(system.held()))))
        return guessed if system.cost(guessed) < system.cost(x) else x

    def _finished(self, graph: FactorGraph) -> Solution:
        """The solution with the kernels themselves."""
        system = system_of(graph, "GraduatedNonConvexity")
        system.linearize(system.x)
        return self.solver.solution(system, self.solver.descend(system))


class _Doubted:
    """Factors whose readings may be outliers, and how far their cost is from convex."""

    def __init__(self, group: Group, kernel: Any) -> None:
        self.group, self.c2 = group, kernel.scale**2
        self.truncated = isinstance(kernel, TruncatedSquare)
        self.mu, self.final = 0.0, False
        self.weights = np.ones(len(group.variables))

    def weigh(self, x: Array, factor: float) -> None:
        """Set the weights by the residuals at x, and whether they are final."""
        s = self.group.squares(x)
        self.mu = self.mu or self._first(float(s.max(initial=0.0)))
        self.weights = self._truncated(s) if self.truncated else (self.mu * self.c2 / (s + self.mu * self.c2)) ** 2
        self.group.hold(self.weights)
        if self.truncated:
            self.final = bool(((self.weights == 0.0) | (self.weights == 1.0)).all())
            self.mu *= factor
        else:
            self.final = self.mu == 1.0
            self.mu = max(1.0, self.mu / factor)

    def _first(self, worst: float) -> float:
        """A mu at which the cost is convex for all residuals up to the worst."""
        if self.truncated:
            return self.c2 / (2.0 * worst - self.c2) if 2.0 * worst > self.c2 else np.inf
        return max(1.0, 2.0 * worst / self.c2)

    def _truncated(self, s: Array) -> Array:
        if self.mu == np.inf:
            return np.ones(len(s))
        low, high = self.mu / (self.mu + 1.0) * self.c2, (self.mu + 1.0) / self.mu * self.c2
        between = np.sqrt(self.c2 * self.mu * (self.mu + 1.0) / np.clip(s, low, high)) - self.mu
        return np.where(s <= low, 1.0, np.where(s >= high, 0.0, between))


def _graduated(kernel: RobustKernel | None) -> bool:
    return isinstance(kernel, (TruncatedSquare, GemanMcClure))
