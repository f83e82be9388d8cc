"""Gauss-Newton on factor graphs, with Levenberg-Marquardt damping when a step would increase the cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import settings

from ._system import System
from .solver import GraphSolver, Step, damped

Array = NDArray[np.float64]

SMALLEST = 1e-6
"""Damping below which none is used, and with which it begins."""
LARGEST = 1e8


@settings
class GaussNewton(GraphSolver):
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

    @property
    def first_control(self) -> float:
        """No damping."""
        return 0.0

    def step(self, system: System, x: Array, control: float, chi2: float) -> Step | None:
        """A step with the least damping that lowers chi2."""
        damping = control
        while damping <= LARGEST:
            tried = damped(system, x, damping)
            if tried is not None and self.lowers(chi2, tried.chi2, tried.expected):
                damping = damping / 10.0 if chi2 - tried.chi2 > 0.25 * tried.expected else damping
                return tried._replace(control=damping if damping >= SMALLEST else 0.0)
            damping = max(10.0 * damping, SMALLEST)
        return None
