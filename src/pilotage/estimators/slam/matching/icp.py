"""Iterative closest points with distances to lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core.settings import Count, Positive, settings

from ._point_to_line import align
from .match import PLANE, Judgement, Match, arguments, judged, nothing
from .surface import CELL, Surface

HELD = 1e8
"""Information that keeps a pose to its guess along a free direction."""


@settings
class PointToLineICP:
    """Point-to-line ICP: Gauss-Newton on the distances of the points of a scan from the lines of a reference.

    ::

        minimise sum rho(r_i / s_i) over poses,   r_i = n_k . (R p_i + t - c_k),   rho: Cauchy's loss
        k: the nearest point of the reference, within reach, that faces the same way

    The distance up to which partners are sought shrinks from `reach` to that of the judgement. A guess with a
    covariance is a prior. Along directions about which the scans say nothing, the pose keeps to its guess.

    Args:
        reach: largest distance of a partner at first [m], at most 0.5.
        iterations: maximum number of iterations.
        tolerance: the step that ends them [m, rad].
        judgement: noise, least overlap and degeneracy.

    Source: A. Censi, "An ICP variant using a point-to-line metric", ICRA 2008.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators.slam.matching import scan_surface
        >>> from pilotage.maps import Lidar, OccupancyGrid
        >>> grid = OccupancyGrid.load("depot.yaml")
        >>> lidar = Lidar(grid, angles=360, max_range=20.0)
        >>> poses = [[5.0, 1.0, 0.0], [5.2, 1.1, 0.1]]
        >>> first, second = (scan_surface(lidar.observe(pose), lidar.angles, 20.0) for pose in poses)
        >>> match = PointToLineICP().match(first, second, guess=[0.0, 0.0, 0.0])
        >>> match.status.value, bool(np.allclose(match.pose, [0.2, 0.1, 0.1], atol=0.01))
        ('matched', True)
    """

    reach: Positive = CELL
    iterations: Count = 50
    tolerance: Positive = 1e-5
    judgement: Judgement = Judgement()

    def match(self, reference: Surface, scan: Surface, guess: Any, *, start: Any = None) -> Match:
        """The pose of the scan in the frame of the reference.

        Args:
            reference: surface of one scan or several.
            scan: surface of the scan.
            guess: pose ``(3,)``, or a Gaussian over poses, which then is a prior.
            start: pose at which iterations begin; the guess by default.
        """
        guess, prior = arguments(reference, scan, guess, "PointToLineICP")
        start = guess if start is None else np.array(PLANE.check(start, "the start"))
        pose, done = self._aligned(reference, scan, start, guess, prior)
        if done == 0:
            return nothing(guess, prior, "no point of the scan lies near a line of the reference")
        facts = self.judgement.facts(reference, scan, pose)
        if len(free := self.judgement.free(facts, scan)):
            pose, done = self._aligned(reference, scan, pose, guess, prior + HELD * free.T @ free)
        return judged(self.judgement, reference, scan, pose, prior, done)

    def _aligned(self, reference: Surface, scan: Surface, start: Any, guess: Any, prior: Any) -> tuple[Any, int]:
        """The pose, and the number of iterations: 0 if there are no equations, negative at the limit."""
        pose, final, work = start.copy(), self.judgement.reach, np.empty((7, 5))
        done = align(
            reference.table, *reference.buckets, scan.table, pose, guess, prior, self.judgement.noise,
            max(min(self.reach, CELL), final), final, self.iterations, self.tolerance, work,
        )  # fmt: skip
        if done < 0:
            return start, 0
        moved = float(np.abs(work[4, :3]).max())
        return pose, -done if done == self.iterations and moved > 100.0 * self.tolerance else int(done)
