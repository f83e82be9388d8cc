"""Powell's dogleg on factor graphs: Gauss-Newton steps inside a radius of trust, bent towards the gradient."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import Positive, settings

from ._system import System
from .gauss_newton import LARGEST
from .gauss_newton import SMALLEST as SINGULAR
from .solver import GraphSolver, Step

Array = NDArray[np.float64]

SMALLEST = 1e-12
"""Radius below which there is no step."""


@settings
class Dogleg(GraphSolver):
    """Powell's dogleg, a trust-region solver for nonlinear least squares on spaces.

    ::

        Cauchy point      c = -(|g|^2 / g' H g) g           in variables scaled by the root of diag H
        Gauss-Newton      n = -H^-1 g
        step              n if |n| <= radius;  otherwise where the path 0 -> c -> n leaves the radius

    H is factored once an iteration, however often the radius shrinks. The radius triples after a step that keeps more
    than three quarters of the decrease it promised, and halves after one that keeps less than a quarter.

    Args:
        iterations: maximum number of iterations.
        tolerance: the solver has converged when a step would decrease chi2 by less than ``tolerance (1 + chi2)``.
        radius: first radius of trust, as a multiple of the first Gauss-Newton step.

    Raises:
        SettingError: if a setting is not a positive number.

    Source: Powell, "A new algorithm for unconstrained optimization" (1970); Rosen, Kaess and Leonard, "RISE: An
    Incremental Trust-Region Method for Robust Online Sparse Least-Squares Estimation" (2014), algorithms 1 and 2.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators.slam import FactorGraph, Factors, Variables
        >>> from pilotage.models import relative_pose
        >>> step = relative_pose()
        >>> poses = Variables(step.state, np.zeros((2, 3)), fixed=[0])
        >>> graph = FactorGraph({"pose": poses}, [Factors(step, [[1.0, 2.0, 0.5]], ("pose", [0]), ("pose", [1]))])
        >>> Dogleg().solve(graph)["pose"][1].round(6).tolist()
        [1.0, 2.0, 0.5]
    """

    radius: Positive = 1.0

    @property
    def first_control(self) -> float:
        """The first radius follows from the first step."""
        return math.inf

    def step(self, system: System, x: Array, control: float, chi2: float) -> Step | None:
        """A step that lowers chi2, and the radius of the next one."""
        damping = 0.0
        while not system.factor(damping):
            damping = max(10.0 * damping, SINGULAR)
            if damping > LARGEST:  # some variable has no information at all
                return None
        g, scale = system.g, np.sqrt(np.where(system.diagonal > 0.0, system.diagonal, 1.0))
        newton = -system.cholesky.solve(g)
        cauchy = _cauchy(system, scale)
        radius = min(control, self.radius * float(np.linalg.norm(scale * newton))) if control == math.inf else control
        while radius > SMALLEST or not g.any():
            d = _path(cauchy, newton, scale, radius)
            length = float(np.linalg.norm(scale * d))
            expected = float(-2.0 * g @ d - d @ (system.matrix @ d))
            moved = system.moved(x, d)
            after = system.cost(moved)
            gain = (chi2 - after) / max(expected, np.finfo(float).tiny)
            if gain > 0.75:
                radius = max(radius, 3.0 * length)
            elif not gain >= 0.25:
                radius = 0.5 * length
            if self.lowers(chi2, after, expected):
                return Step(moved, radius, expected, after)
        return None


def _cauchy(system: System, scale: Array) -> Array:
    """The lowest point along the gradient of the scaled variables."""
    down = -system.g / scale**2
    curved = float(down @ (system.matrix @ down))
    return down * (float(-system.g @ down) / curved if curved > 0.0 else 0.0)


def _path(cauchy: Array, newton: Array, scale: Array, radius: float) -> Array:
    """Where the path from 0 over the Cauchy point to the Gauss-Newton step leaves the radius, or its end."""
    if np.linalg.norm(scale * newton) <= radius:
        return newton
    reach = float(np.linalg.norm(scale * cauchy))
    if reach >= radius:
        return cauchy * (radius / reach)
    a, b = scale * cauchy, scale * (newton - cauchy)
    bb, ab = float(b @ b), float(a @ b)
    t = (-ab + math.sqrt(ab * ab + bb * (radius * radius - reach * reach))) / bb
    return cauchy + t * (newton - cauchy)
