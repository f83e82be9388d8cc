"""Levenberg-Marquardt on factor graphs: damping that follows how well each step kept what it promised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import Positive, settings

from ._system import System
from .solver import GraphSolver, Step, damped

Array = NDArray[np.float64]

SMALLEST, LARGEST = 1e-12, 1e12


@settings
class LevenbergMarquardt(GraphSolver):
    """A Levenberg-Marquardt solver for nonlinear least squares on spaces.

    ::

        (H + damping diag H) d = -g,    x <- x (+) d    if chi2 decreases
        gain = decrease of chi2 / expected decrease
        damping <- damping max(1/10, 1 - (2 gain - 1)^3)    after a step that decreases chi2;
        damping <- damping growth,  growth <- 2 growth      otherwise

    It needs more steps than `GaussNewton` from a good guess, and gets further from a bad one.

    Args:
        iterations: maximum number of iterations.
        tolerance: the solver has converged when a step would decrease chi2 by less than ``tolerance (1 + chi2)``.
        damping: damping of the first step, as a share of the diagonal of H.

    Raises:
        SettingError: if a setting is not a positive number.

    Source: Madsen, Nielsen and Tingleff, "Methods for Non-Linear Least Squares Problems" (2004), algorithm 3.16 and
    equation 2.21; a step that keeps its promise divides the damping by 10 instead of 3, for graphs of long chains.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators.slam import FactorGraph, Factors, Variables
        >>> from pilotage.models import relative_pose
        >>> step = relative_pose()
        >>> poses = Variables(step.state, np.zeros((2, 3)), fixed=[0])
        >>> graph = FactorGraph({"pose": poses}, [Factors(step, [[1.0, 2.0, 0.5]], ("pose", [0]), ("pose", [1]))])
        >>> LevenbergMarquardt().solve(graph)["pose"][1].round(6).tolist()
        [1.0, 2.0, 0.5]
    """

    damping: Positive = 1e-5

    @property
    def first_control(self) -> float:
        """Damping of the first step."""
        return self.damping

    def step(self, system: System, x: Array, control: float, chi2: float) -> Step | None:
        """A step that lowers chi2, and the damping of the next one."""
        damping, growth = control, 2.0
        while damping <= LARGEST:
            tried = damped(system, x, damping)
            if tried is not None and self.lowers(chi2, tried.chi2, tried.expected):
                gain = (chi2 - tried.chi2) / max(tried.expected, np.finfo(float).tiny)
                scaled = damping * max(0.1, 1.0 - (2.0 * gain - 1.0) ** 3)
                return tried._replace(control=min(max(scaled, SMALLEST), LARGEST))
            damping, growth = damping * growth, 2.0 * growth
        return None
