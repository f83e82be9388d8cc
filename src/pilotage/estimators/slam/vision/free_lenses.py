"""Bundle adjustment of cameras whose lenses are unknown, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pilotage.core import Space
from pilotage.core.mathematics import Mathematics
from pilotage.core.parts import Components
from pilotage.core.settings import instance
from pilotage.io import BundleProblem
from pilotage.models import factor
from pilotage.models.relative import seen_from
from pilotage.models.trace.params import Values

from ..factors import FactorGraph, Factors, Variables
from ..kernels import RobustKernel
from .bundle import known_distances

SPATIAL, POINT, LENS = Space("pose: SE3"), Space("x y z [m]"), Space("focal [px]", "k1 k2")


@factor(variables={"pose": SPATIAL, "point": POINT, "lens": LENS}, reading=Space("u v [px]"), std=1.0)
def snapshot(pose: Components, point: Components, lens: Components, c: Components, p: Values, m: Mathematics) -> Any:
    """The pixel of a point, from the middle of the image: ``f (1 + k1 r2 + k2 r2^2) (X / Z, Y / Z)``."""
    right, down, ahead = seen_from(pose, point, 3, m)
    a, b = right / ahead, down / ahead
    r2 = a * a + b * b
    scale = lens[0] * (1.0 + lens[1] * r2 + lens[2] * r2 * r2)
    return scale * a, scale * b


def free_lens_graph(
    problem: BundleProblem,
    *,
    std: float = 1.0,
    fixed: Any = (0,),
    distances: Sequence[tuple[int, int, float]] = (),
    kernel: RobustKernel | None = None,
) -> FactorGraph:
    """The factor graph of a problem where each camera has a lens of its own: variables "pose", "point" and "lens".

    Readings do not tell the scale, as in `bundle_graph`: solve with the distance of two cameras, or accept the sentence
    that the scale is free.

    Args:
        problem: such as a file of `pilotage.io.read_bal` holds.
        std: standard deviation of a pixel [px].
        fixed: numbers of the poses that are known, or a mask ``(F,)``.
        distances: known distances between two cameras: number of one, of the other, and metres, exact to 1e-4 of them.
        kernel: a robust kernel of the readings.

    Raises:
        ShapeError: if numbers do not fit.

    Source: Agarwal, Snavely, Seitz and Szeliski, "Bundle Adjustment in the Large" (2010).

    Example:
        >>> import numpy as np
        >>> pose, lens = [[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]], [[400.0, 0.0, 0.0]]
        >>> arrays, one = map(np.array, (pose, lens, [[1.0, 2.0, 4.0]])), np.zeros(1, dtype=int)
        >>> problem = BundleProblem(*arrays, one, one, np.zeros((1, 2)))
        >>> free_lens_graph(problem)
        FactorGraph(1 of pose, 1 of point, 1 of lens; 6 unknowns, 2 residuals)
    """
    problem = instance(problem, BundleProblem, "free_lens_graph", "; read_bal(...) reads one")
    variables = {
        "pose": Variables(SPATIAL, problem.poses, fixed=fixed),
        "point": Variables(POINT, problem.points),
        "lens": Variables(LENS, problem.lenses),
    }
    x = [("pose", problem.frames), ("point", problem.landmarks), ("lens", problem.frames)]
    seen = Factors(snapshot(std=std), problem.pixels, x, kernel=kernel)
    return FactorGraph(variables, [seen, *known_distances(distances, 3)])
