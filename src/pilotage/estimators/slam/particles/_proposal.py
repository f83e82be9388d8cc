"""The improved proposal of grid SLAM with particles, compiled; `grid_rbpf` holds the formulas."""

from __future__ import annotations

import math

import numpy as np

from pilotage.models.trace import driver

from ..matching._point_to_line import advance
from ._climbing import climb
from ._likelihood import log_likelihood, log_target

TINY = 1e-12
"""Added to variances, so that samples of which only one counts have a covariance."""


@driver
def cholesky3(P, L):
    """Lower root of a symmetric matrix ``(3, 3)``; whether that is positive definite."""
    for i in range(3):
        for j in range(i + 1):
            total = P[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                L[i, i] = math.sqrt(total)
            else:
                L[i, j], L[j, i] = total / L[j, j], 0.0
    return True


@driver
def root_of_inverse(H, L):
    """A root A of the inverse of a symmetric matrix, A A' = H^-1; whether H is positive definite."""
    if not cholesky3(H, L):
        return False
    a, b, c = 1.0 / L[0, 0], 1.0 / L[1, 1], 1.0 / L[2, 2]
    d, e = -L[1, 0] * a * b, -L[2, 1] * b * c
    f = -(L[2, 0] * a + L[2, 1] * d) * c
    L[0, 0], L[0, 1], L[0, 2] = a, d, f
    L[1, 0], L[1, 1], L[1, 2] = 0.0, b, e
    L[2, 0], L[2, 1], L[2, 2] = 0.0, 0.0, c
    return True


@driver
def moved(pose, A, xi, out):
    """The pose moved by ``A xi`` in its own frame, into `out`."""
    out[0], out[1], out[2] = pose[0], pose[1], pose[2]
    step = out[3:6]
    for a in range(3):
        step[a] = A[a, 0] * xi[0] + A[a, 1] * xi[1] + A[a, 2] * xi[2]
    advance(out, step)


@driver
def weighted_samples(table, evidence, ends, corner, scan, pose, guess, information, rule, root, xi, logs, out):
    """Logarithms of target over proposal at the samples ``pose (+) root xi``; returns that of their mean.

    The constant of the prior is left out, and so is that of the unit Gaussian of `xi`.
    """
    volume = math.log(root[0, 0]) + math.log(root[1, 1]) + math.log(root[2, 2])
    top = -np.inf
    for j in range(xi.shape[0]):
        moved(pose, root, xi[j], out)
        l = log_target(table, evidence, ends, corner, scan, out, guess, information, rule, out[6:9])
        logs[j] = l + volume + 0.5 * (xi[j, 0] ** 2 + xi[j, 1] ** 2 + xi[j, 2] ** 2)
        top = max(top, logs[j])
    total = 0.0
    for j in range(xi.shape[0]):
        logs[j] = math.exp(logs[j] - top)
        total += logs[j]
    for j in range(xi.shape[0]):
        logs[j] /= total
    return top + math.log(total / xi.shape[0])


@driver
def moments(root, xi, w, mean, P):
    """Mean and covariance of weighted samples ``root xi``."""
    for a in range(3):
        mean[a] = 0.0
        for b in range(3):
            P[a, b] = 0.0
    for j in range(xi.shape[0]):
        for a in range(3):
            mean[a] += w[j] * (root[a, 0] * xi[j, 0] + root[a, 1] * xi[j, 1] + root[a, 2] * xi[j, 2])
    for j in range(xi.shape[0]):
        for a in range(3):
            da = root[a, 0] * xi[j, 0] + root[a, 1] * xi[j, 1] + root[a, 2] * xi[j, 2] - mean[a]
            for b in range(3):
                db = root[b, 0] * xi[j, 0] + root[b, 1] * xi[j, 1] + root[b, 2] * xi[j, 2] - mean[b]
                P[a, b] += w[j] * da * db
    for a in range(3):
        P[a, a] += TINY


@driver(
    "void(i4[:,:,::1], f4[:,:,::1], f4[:,:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1],"
    "f8[::1], f8, f8, f8, f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[:,::1], b1[::1])"
)
def propose(
    tables, evidence, ends, corner, scan, starts, guesses, information, motion, rule, spread, least, reach, xi, draws,
    logs, work, out, lost,
):  # fmt: skip
    """Draw a pose for each particle, and the logarithm of its weight.

    Args:
        tables, evidence, ends, corner: see `TileMaps`.
        scan: table of the surface of the scan.
        starts: poses from which scan matching starts ``(N, 3)``.
        guesses: poses by the odometry ``(N, 3)``.
        information, motion: of the odometry: inverse and lower root of its covariance ``(3, 3)``.
        rule: sigma, worst, unseen and power of the likelihood ``(4,)``.
        spread: of the samples, as a multiple of the standard deviations of the match.
        least: share of the points that must lie on the map.
        reach: see `climb`.
        xi: standard normal numbers for the samples ``(K, 3)``.
        draws: the same for the poses ``(N, 3)``.
        logs, work: memory ``(K,)`` and ``(16, 9)``.
        out: x, y, yaw of the poses and the logarithm of the weights ``(N, 4)``.
        lost: whether the scan matches nothing, so that the pose is drawn from the odometry ``(N,)``.
    """
    H, root, P, mean, near = work[0:3, 0:3], work[7:10, 0:3], work[10:13, 0:3], work[13, 0:3], work[14]
    constant = math.log(motion[0, 0]) + math.log(motion[1, 1]) + math.log(motion[2, 2])
    for n in range(guesses.shape[0]):
        guess, pose, table = guesses[n], out[n, 0:3], tables[n]
        pose[0], pose[1], pose[2] = starts[n, 0], starts[n, 1], starts[n, 2]
        count = climb(table, evidence, ends, corner, scan, pose, guess, information, rule, reach, work[0:7, 0:3])
        lost[n] = count < max(least * scan.shape[0], 1.0) or not root_of_inverse(H, root)
        if lost[n]:
            _draw(guess, motion, draws[n], pose, near)
            out[n, 3] = log_likelihood(table, evidence, ends, corner, scan, pose, rule, near)
            continue
        for a in range(3):
            for b in range(3):
                root[a, b] *= spread
        out[n, 3] = -constant + weighted_samples(
            table, evidence, ends, corner, scan, pose, guess, information, rule, root, xi, logs, near
        )  # fmt: skip
        moments(root, xi, logs, mean, P)
        advance(pose, mean)
        cholesky3(P, root)
        _draw(pose, root, draws[n], pose, near)


@driver
def _draw(middle, root, xi, pose, near):
    """The pose ``middle (+) root xi``."""
    moved(middle, root, xi, near)
    pose[0], pose[1], pose[2] = near[0], near[1], near[2]
