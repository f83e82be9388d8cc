"""Gauss-Newton on a likelihood field."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from pilotage.core.settings import Count, Positive, settings
from pilotage.models.trace import driver

from ._point_to_line import advance, damped, prior_step, solve3
from .field import likelihood_field
from .icp import HELD
from .match import Judgement, Match, arguments, judged, nothing
from .surface import Surface

CELLS = 2.0
"""Cells in a standard deviation of a field."""
DAMPING = 0.01
"""Share of the trace of H that is added to its diagonal: rounding to cells pulls along corridors."""


@settings
class LikelihoodFieldMatcher:
    """Gauss-Newton on the likelihood field of a reference, from a wide field to a narrow one.

    ::

        minimise sum (1 - M(R p_i + t)),   H = sum M J J' / sigma^2,   J = n . d(R p_i + t)

    M is interpolated between the centres of cells. To second order, ``1 - M`` is half of the squared distance from the
    line over sigma^2, with less weight for points farther away; so this is point-to-line ICP without search for
    partners, and with a loss that forgives. The covariance counts the rounding to cells as noise. A guess with a
    covariance is a prior. Along directions about which the scan says nothing, the pose keeps to its guess.

    Args:
        sigmas: standard deviations of the fields [m]; cells are half of them.
        iterations: maximum number of iterations on each field.
        tolerance: the step that ends them [m, rad].
        judgement: noise, least overlap and degeneracy.

    Source: S. Kohlbrecher et al., "A flexible and scalable SLAM system with full 3D motion estimation", SSRR 2011,
    section IV, with the Hessian of the normals, which does not vanish at the optimum as that of its eq. 12 does.

    Example:
        >>> from pilotage.estimators.slam.matching import scan_surface
        >>> from pilotage.maps import Lidar, OccupancyGrid
        >>> lidar = Lidar(OccupancyGrid.load("depot.yaml"), angles=360, max_range=20.0)
        >>> poses = [[5.0, 1.0, 0.0], [5.2, 1.1, 0.1]]
        >>> first, second = (scan_surface(lidar.observe(pose), lidar.angles, 20.0) for pose in poses)
        >>> match = LikelihoodFieldMatcher().match(first, second, guess=[0.0, 0.0, 0.0])
        >>> match.status.value, bool(np.allclose(match.pose, [0.2, 0.1, 0.1], atol=0.01))
        ('matched', True)
    """

    sigmas: tuple[Positive, ...] = (0.3, 0.1)
    iterations: Count = 50
    tolerance: Positive = 1e-4
    judgement: Judgement = Judgement()

    def match(self, reference: Surface, scan: Surface, guess: Any) -> Match:
        """The pose of the scan in the frame of the reference; see `PointToLineICP.match`."""
        start, prior = arguments(reference, scan, guess, "LikelihoodFieldMatcher")
        pose, done = self._climbed(reference, scan, start, prior)
        if done == 0:
            return nothing(start, prior, "no point of the scan lies near a line of the reference")
        facts = self.judgement.facts(reference, scan, pose)
        if len(free := self.judgement.free(facts, scan)):
            pose, done = self._climbed(reference, scan, start, prior + HELD * free.T @ free)
        cell = min(self.sigmas) / CELLS
        blurred = replace(self.judgement, noise=math.hypot(self.judgement.noise, cell / math.sqrt(8.0)))
        return judged(blurred, reference, scan, pose, prior, done)

    def _climbed(self, reference: Surface, scan: Surface, start: Any, prior: Any) -> tuple[Any, int]:
        """The pose, and the number of iterations: 0 if there are no equations, negative at the limit."""
        pose, work, done = start.copy(), np.empty((6, 5)), 0
        if not (len(reference) and len(scan)):
            return start, 0
        for sigma in self.sigmas:
            field = likelihood_field(reference, sigma / CELLS, sigma)
            weight = 0.5 * (sigma / self.judgement.noise) ** 2
            done = climb(
                field.values, field.nearest, reference.table, *field.corner, field.resolution, sigma, weight,
                scan.table, pose, start, prior, self.iterations, self.tolerance, work,
            )  # fmt: skip
            if done < 0:
                return start, 0
        moved = float(np.abs(work[4, :3]).max())
        return pose, -done if done == self.iterations and moved > 10.0 * self.tolerance else int(done)


@driver(
    "i8(f4[:,::1], i4[:,::1], f8[:,::1], f8, f8, f8, f8, f8, f8[:,::1], f8[::1], f8[::1], f8[:,::1], i8, f8, f8[:,::1])"
)
def climb(values, rows, table, x, y, side, sigma, weight, scan, pose, guess, information, most, tolerance, work):
    """Move a pose uphill; returns the number of iterations, or the negative of it if the equations are singular.

    Args:
        values, rows, x, y, side, sigma: of a `LikelihoodField`.
        table: of its surface.
        weight: of the field against the prior.
        scan, pose, guess, information, most, tolerance, work: see `align`.
    """
    H, g, d, last, gain = work[0:3], work[3], work[4], work[5], 1.0
    last[0] = last[1] = last[2] = 0.0
    for k in range(most):
        for a in range(3):
            g[a] = 0.0
            H[a, 0] = H[a, 1] = H[a, 2] = 0.0
        c, s = math.cos(pose[2]), math.sin(pose[2])
        for i in range(scan.shape[0]):
            px, py = scan[i, 0], scan[i, 1]
            u, v = (c * px - s * py + pose[0] - x) / side - 0.5, (s * px + c * py + pose[1] - y) / side - 0.5
            if not (0.0 <= u < values.shape[1] - 1 and 0.0 <= v < values.shape[0] - 1):
                continue
            column, row = int(u), int(v)
            q = rows[int(v + 0.5), int(u + 0.5)]
            if q < 0 or np.isnan(table[q, 2]):
                continue
            u, v = u - column, v - row
            a00, a01 = values[row, column], values[row, column + 1]
            a10, a11 = values[row + 1, column], values[row + 1, column + 1]
            gx = ((1.0 - v) * (a01 - a00) + v * (a11 - a10)) / side
            gy = ((1.0 - u) * (a10 - a00) + u * (a11 - a01)) / side
            M = (1.0 - v) * ((1.0 - u) * a00 + u * a01) + v * ((1.0 - u) * a10 + u * a11)
            _add(H, g, c, s, px, py, table[q, 2], table[q, 3], gx, gy, weight, weight * M / (sigma * sigma))
        prior_step(pose, guess, information, H, g)
        if not solve3(H, g, d, DAMPING):
            return -(k + 1)
        gain = damped(d, last, gain)
        advance(pose, d)
        if max(abs(d[0]), abs(d[1]), abs(d[2])) < tolerance:
            return k + 1
    return most


@driver
def _add(H, g, c, s, px, py, nx, ny, gx, gy, weight, curvature):
    """Add one point: the gradient of its likelihood, and the curvature across its line."""
    mx, my = c * nx + s * ny, c * ny - s * nx
    ux, uy = c * gx + s * gy, c * gy - s * gx
    mz, uz = my * px - mx * py, uy * px - ux * py
    g[0] -= weight * ux
    g[1] -= weight * uy
    g[2] -= weight * uz
    for a in range(3):
        ma = mx if a == 0 else (my if a == 1 else mz)
        for b in range(3):
            H[a, b] += curvature * ma * (mx if b == 0 else (my if b == 1 else mz))
