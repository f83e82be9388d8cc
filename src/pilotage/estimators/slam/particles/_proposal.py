"""The improved proposal of grid SLAM with particles, compiled; `grid_rbpf` holds the formulas."""

from __future__ import annotations

import math

import numpy as np

from pilotage.models.trace import driver

from ..matching._point_to_line import DAMPING, advance, damped, offset, prior_step, solve3
from ._tiles import BLANK, SIDE

ITERATIONS, TOLERANCE = 30, 1e-4
"""Limit of iterations of scan matching, and the step that ends them [m, rad]."""
TINY = 1e-12
"""Added to variances, so that samples of which only one counts have a covariance."""


@driver
def nearest_end(table, evidence, ends, u, v, reach, out):
    """The mean end of an occupied cell that is nearest to (u, v) [cells], into `out`; returns its squared distance.

    Infinity if there is none within `reach`. Cells are searched in square rings around the point, as long as a ring
    can hold a nearer one.
    """
    i0, j0, most = int(math.floor(u)), int(math.floor(v)), int(math.ceil(reach))
    if not (most <= i0 < table.shape[1] * SIDE - most and most <= j0 < table.shape[0] * SIDE - most):
        return np.inf
    edge = min(min(u - i0, i0 + 1.0 - u), min(v - j0, j0 + 1.0 - v))
    best, found = reach * reach, False
    for ring in range(most + 1):
        apart = ring - 1.0 + edge
        if ring > 0 and apart * apart >= best:
            break
        for j in range(j0 - ring, j0 + ring + 1):
            step = 1 if ring == 0 or abs(j - j0) == ring else 2 * ring
            for i in range(i0 - ring, i0 + ring + 1, step):
                tile = table[j // SIDE, i // SIDE]
                if tile == BLANK or not evidence[tile, j % SIDE, i % SIDE] > 0.0:
                    continue
                end = ends[tile, j % SIDE, i % SIDE]
                if end[2] == 0.0:
                    continue
                x, y = i + float(end[0]), j + float(end[1])
                d = (x - u) * (x - u) + (y - v) * (y - v)
                if d < best:
                    best, found, out[0], out[1] = d, True, x, y
    return best if found else np.inf


@driver
def log_likelihood(table, evidence, ends, corner, scan, pose, rule, out):
    """The logarithm of the likelihood of a scan; `rule` holds sigma, worst, unseen and power, see `GridRBPF`."""
    sigma, worst, unseen, power = rule[0], rule[1], rule[2], rule[3]
    c, s, total = math.cos(pose[2]), math.sin(pose[2]), 0.0
    x, y, side = (pose[0] - corner[0]) / corner[2], (pose[1] - corner[1]) / corner[2], corner[2]
    reach = sigma / side * math.sqrt(2.0 * worst)
    for k in range(scan.shape[0]):
        px, py = scan[k, 0] / side, scan[k, 1] / side
        u, v = x + c * px - s * py, y + s * px + c * py
        d = nearest_end(table, evidence, ends, u, v, reach, out)
        if d < np.inf:
            if scan[k, 2] == scan[k, 2]:
                nx, ny = c * scan[k, 2] - s * scan[k, 3], s * scan[k, 2] + c * scan[k, 3]
                d = (nx * (u - out[0]) + ny * (v - out[1])) ** 2
            total -= min(0.5 * d * (side / sigma) ** 2, worst)
        else:
            total -= unseen if unknown(table, evidence, u, v) else worst
    return power * total


@driver
def unknown(table, evidence, u, v):
    """Whether nothing is known about the cell of (u, v)."""
    if not (0.0 <= u < table.shape[1] * SIDE and 0.0 <= v < table.shape[0] * SIDE):
        return True
    i, j = int(u), int(v)
    tile = table[j // SIDE, i // SIDE]
    l = evidence[tile, j % SIDE, i % SIDE]
    return tile == BLANK or (l == 0.0 and np.signbit(l))


@driver
def climb(table, evidence, ends, corner, scan, pose, guess, information, rule, reach, work):
    """Move a pose to where the points of a scan lie on the ends in a map; returns how many do.

    Partners are searched within `reach` at first, and within two sigma at the end. H is in ``work[0:3]`` afterwards.
    """
    H, g, d, last, out, gain, count = work[0:3], work[3], work[4], work[5], work[6], 1.0, 0
    last[0] = last[1] = last[2] = 0.0
    final = 2.0 * rule[0]
    reach = max(reach, final)
    for _ in range(ITERATIONS):
        for a in range(3):
            g[a] = 0.0
            H[a, 0] = H[a, 1] = H[a, 2] = 0.0
        count = _add_points(table, evidence, ends, corner, scan, pose, rule[0], rule[3], reach, H, g, out)
        prior_step(pose, guess, information, H, g)
        if not solve3(H, g, d, DAMPING):
            return 0
        gain = damped(d, last, gain)
        advance(pose, d)
        if reach == final and max(abs(d[0]), abs(d[1]), abs(d[2])) < TOLERANCE:
            break
        reach = max(0.7 * reach, final)
    return count


@driver
def _add_points(table, evidence, ends, corner, scan, pose, sigma, power, reach, H, g, out):
    """Add the points of a scan that have an end nearby, with the weights of Cauchy's loss; returns their number."""
    c, s, count = math.cos(pose[2]), math.sin(pose[2]), 0
    side, x, y = corner[2], pose[0] - corner[0], pose[1] - corner[1]
    for k in range(scan.shape[0]):
        px, py = scan[k, 0], scan[k, 1]
        u, v = x + c * px - s * py, y + s * px + c * py
        if not nearest_end(table, evidence, ends, u / side, v / side, reach / side, out) < np.inf:
            continue
        count += 1
        dx, dy = u - side * out[0], v - side * out[1]
        dx, dy = c * dx + s * dy, c * dy - s * dx  # in the frame of the scan, as its normals
        if scan[k, 2] == scan[k, 2]:
            _add_row(H, g, scan[k, 2], scan[k, 3], px, py, dx, dy, sigma, power)
        else:
            _add_row(H, g, 1.0, 0.0, px, py, dx, dy, sigma, power)
            _add_row(H, g, 0.0, 1.0, px, py, dx, dy, sigma, power)
    return count


@driver
def _add_row(H, g, nx, ny, px, py, dx, dy, sigma, power):
    """Add the distance of a point along one direction."""
    e = nx * dx + ny * dy
    w, turn = power / (sigma * sigma + e * e / 9.0), ny * px - nx * py
    for a in range(3):
        ja = nx if a == 0 else (ny if a == 1 else turn)
        g[a] += w * ja * e
        for b in range(3):
            H[a, b] += w * ja * (nx if b == 0 else (ny if b == 1 else turn))


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
def log_prior(pose, guess, information):
    """Logarithm of the density of the motion, without its constant."""
    x, y, turn = offset(pose, guess)
    wx = information[0, 0] * x + information[0, 1] * y + information[0, 2] * turn
    wy = information[1, 0] * x + information[1, 1] * y + information[1, 2] * turn
    wz = information[2, 0] * x + information[2, 1] * y + information[2, 2] * turn
    return -0.5 * (x * wx + y * wy + turn * wz)


@driver
def log_target(table, evidence, ends, corner, scan, pose, guess, information, rule, out):
    """Logarithm of likelihood times density of the motion, without its constant."""
    l = log_likelihood(table, evidence, ends, corner, scan, pose, rule, out)
    return l + log_prior(pose, guess, information)


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
    "void(i4[:,::1], f4[:,:,::1], f4[:,:,:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[::1], f8,"
    "f8[::1], f8[:,::1])"
)
def match(table, evidence, ends, corner, scan, starts, guess, information, rule, reach, pose, work):
    """The best one of the poses that scan matching leads to from several starts ``(S, 3)``, into `pose`.

    A start from a search may lie anywhere along a corridor, where the odometry knows better.
    """
    best, other, out = -np.inf, work[7], work[8]
    for k in range(starts.shape[0]):
        other[0], other[1], other[2] = starts[k, 0], starts[k, 1], starts[k, 2]
        climb(table, evidence, ends, corner, scan, other, guess, information, rule, reach, work[0:7])
        l = log_target(table, evidence, ends, corner, scan, other, guess, information, rule, out)
        if l > best:
            best, pose[0], pose[1], pose[2] = l, other[0], other[1], other[2]


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
