"""Gauss-Newton on distances of points to lines, compiled; `icp` holds the formulas."""

from __future__ import annotations

import math

from pilotage.models.trace import driver

from ._surface import nearest

DAMPING = 1e-7
"""Share of the trace of H that is added to its diagonal."""


@driver
def _residual(table, k, scan, i, c, s, x, y, out):
    """Distance of a moved point to the line of a row, its derivatives and its place along the line, into `out`."""
    px, py = scan[i, 0], scan[i, 1]
    dx, dy = c * px - s * py + x - table[k, 6], s * px + c * py + y - table[k, 7]
    nx, ny = table[k, 2], table[k, 3]
    mx, my = c * nx + s * ny, c * ny - s * nx
    out[0], out[1], out[2] = mx, my, my * px - mx * py
    out[3] = nx * dx + ny * dy
    out[4] = nx * dy - ny * dx


@driver
def offset(pose, guess):
    """Tangent of a pose at a guess, turned by half of the difference."""
    turn = wrapped(pose[2] - guess[2])
    half, dx, dy = guess[2] + 0.5 * turn, pose[0] - guess[0], pose[1] - guess[1]
    c, s = math.cos(half), math.sin(half)
    return c * dx + s * dy, c * dy - s * dx, turn


@driver
def prior_step(pose, guess, information, H, g):
    """Add the prior at the pose, whose tangent is that of the guess turned by half of the difference."""
    ex, ey, turn = offset(pose, guess)
    c, s = math.cos(0.5 * turn), math.sin(0.5 * turn)
    for a in range(3):
        # Column a of the derivative of the error by the tangent at the pose.
        ax = c if a == 0 else (-s if a == 1 else 0.0)
        ay = s if a == 0 else (c if a == 1 else 0.0)
        az = 1.0 if a == 2 else 0.0
        wx = information[0, 0] * ax + information[0, 1] * ay + information[0, 2] * az
        wy = information[1, 0] * ax + information[1, 1] * ay + information[1, 2] * az
        wz = information[2, 0] * ax + information[2, 1] * ay + information[2, 2] * az
        g[a] += wx * ex + wy * ey + wz * turn
        H[0, a] += c * wx + s * wy
        H[1, a] += c * wy - s * wx
        H[2, a] += wz


@driver
def wrapped(angle):
    """An angle in [-pi, pi]."""
    return angle - 2.0 * math.pi * math.floor(angle / (2.0 * math.pi) + 0.5)


@driver
def solve3(H, g, d, damping):
    """d = -(H + damping tr H)^-1 g by Cramer's rule; whether this is regular.

    A little damping keeps the directions about which exact scans say nothing, such as that of a corridor.
    """
    b, c, f = H[0, 1], H[0, 2], H[1, 2]
    little = damping * (H[0, 0] + H[1, 1] + H[2, 2])
    a, e, h = H[0, 0] + little, H[1, 1] + little, H[2, 2] + little
    A, B, C = e * h - f * f, c * f - b * h, b * f - c * e
    determinant = a * A + b * B + c * C
    if not determinant > 0.0:
        return False
    D, E, F = a * h - c * c, b * c - a * f, a * e - b * b
    d[0] = -(A * g[0] + B * g[1] + C * g[2]) / determinant
    d[1] = -(B * g[0] + D * g[1] + E * g[2]) / determinant
    d[2] = -(C * g[0] + E * g[1] + F * g[2]) / determinant
    return True


@driver
def damped(d, last, gain):
    """Scale a step, by half as much after each one that goes back: changing partners and cells would never settle."""
    gain = 0.5 * gain if d[0] * last[0] + d[1] * last[1] + d[2] * last[2] < 0.0 else gain
    for a in range(3):
        last[a] = d[a]
        d[a] *= gain
    return gain


@driver
def advance(pose, d):
    """Move a pose by a step in its own frame."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    pose[0] += c * d[0] - s * d[1]
    pose[1] += s * d[0] + c * d[1]
    pose[2] = wrapped(pose[2] + d[2])


@driver(
    "i8(f8[:,::1], f8[::1], i8[::1], i8[::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], f8, f8, f8, i8, f8, f8[:,::1])"
)
def align(table, grid, cells, order, scan, pose, guess, information, noise, reach, final, most, tolerance, work):
    """Move a pose until a scan lies on the lines of a table; returns the number of iterations, or the negative of it
    if the equations are singular.

    Args:
        table: see `Surface`.
        grid, cells, order: its buckets.
        scan: table of the scan.
        pose: start; overwritten.
        guess, information: prior.
        noise: standard deviation of a range.
        reach, final: largest distance of a partner at first, which shrinks in each iteration, and at the end.
        most, tolerance: limit of iterations, and the step that ends them [m, rad].
        work: memory ``(7, 5)``.
    """
    H, g, d, out, last, gain = work[0:3], work[3], work[4], work[5], work[6], 1.0
    last[0] = last[1] = last[2] = 0.0
    for k in range(most):
        for a in range(3):
            g[a] = 0.0
            H[a, 0] = H[a, 1] = H[a, 2] = 0.0
        _add_residuals(table, grid, cells, order, scan, pose, noise, reach, H, g, out)
        prior_step(pose, guess, information, H, g)
        if not solve3(H, g, d, DAMPING):
            return -(k + 1)
        gain = damped(d, last, gain)
        advance(pose, d)
        if reach == final and max(abs(d[0]), abs(d[1]), abs(d[2])) < tolerance:
            return k + 1
        reach = max(0.7 * reach, final)
    return most


@driver
def _add_residuals(table, grid, cells, order, scan, pose, noise, reach, H, g, out):
    """Add the residuals of all points that have a partner, with the weights of Cauchy's loss."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    for i in range(scan.shape[0]):
        k = partner(table, grid, cells, order, scan, i, c, s, pose, reach)
        if k < 0:
            continue
        _residual(table, k, scan, i, c, s, pose[0], pose[1], out)
        w = _weight(table, k, scan, i, out, noise)
        for a in range(3):
            g[a] += w * out[a] * out[3]
            for b in range(3):
                H[a, b] += w * out[a] * out[b]


@driver
def partner(table, grid, cells, order, scan, i, c, s, pose, reach):
    """The row of the line that point i of a scan meets; -1 for none."""
    x, y = c * scan[i, 0] - s * scan[i, 1] + pose[0], s * scan[i, 0] + c * scan[i, 1] + pose[1]
    nx, ny = c * scan[i, 2] - s * scan[i, 3], s * scan[i, 2] + c * scan[i, 3]
    return nearest(table, grid, cells, order, x, y, nx, ny, reach)


@driver
def _weight(table, k, scan, i, out, noise):
    """Inverse variance of a residual with the weight of Cauchy's loss, whose scale is three standard deviations."""
    rough = scan[i, 9] if scan[i, 2] == scan[i, 2] else 0.0
    variance = noise * noise * (1.0 + min(out[4] * out[4] / table[k, 8], 4.0)) + table[k, 9] + rough
    return 1.0 / (variance + out[3] * out[3] / 9.0)


@driver(
    "void(f8[:,::1], i8[:,::1], f8[::1], i8[::1], i8[::1], f8[:,::1], f8[::1], f8, f8, f8[:,::1], f8[:,::1], f8[:,::1])"
)
def assess(table, windows, grid, cells, order, scan, pose, noise, reach, forces, facts, work):
    """The information of a scan at a pose, and how the noise of all ranges moves the least-squares solution.

    Args:
        table, windows: see `Surface`.
        grid, cells, order, scan, pose, noise: see `align`.
        reach: largest distance of a partner.
        forces: memory ``(N, 3)`` of zeros, for the derivative of the gradient by the points of the table.
        facts: ``(10, 3)``, overwritten: H; what noise of the normals adds to H; covariance of the gradient; and the
            number of partners, their sum of squared residuals [m^2], and chi2 a residual.
        work: memory ``(1, 5)``.
    """
    H, N, M, out = facts[0:3], facts[3:6], facts[6:9], work[0]
    c, s = math.cos(pose[2]), math.sin(pose[2])
    count, squares, chi2 = 0, 0.0, 0.0
    for a in range(10):
        facts[a, 0] = facts[a, 1] = facts[a, 2] = 0.0
    for i in range(scan.shape[0]):
        k = partner(table, grid, cells, order, scan, i, c, s, pose, reach)
        if k < 0:
            continue
        _residual(table, k, scan, i, c, s, pose[0], pose[1], out)
        w = _weight(table, k, scan, i, out, noise)
        nx, ny = table[k, 2], table[k, 3]
        facing = nx * (c * scan[i, 4] - s * scan[i, 5]) + ny * (s * scan[i, 4] + c * scan[i, 5])
        rough = scan[i, 9] if scan[i, 2] == scan[i, 2] else 0.0
        own = max(noise * noise * facing * facing, rough)
        other = _pull(table, windows, k, out, w, noise, forces)
        tilt = max(noise * noise, table[k, 9]) / table[k, 8]
        # Derivatives of a residual along the line in place of across it.
        tx, ty = c * -ny + s * nx, c * nx + s * ny
        tz = ty * scan[i, 0] - tx * scan[i, 1]
        for a in range(3):
            t = tx if a == 0 else (ty if a == 1 else tz)
            for b in range(3):
                u = tx if b == 0 else (ty if b == 1 else tz)
                H[a, b] += w * out[a] * out[b]
                N[a, b] += w * tilt * t * u
                M[a, b] += w * w * own * out[a] * out[b]
        count += 1
        squares += out[3] * out[3]
        chi2 += out[3] * out[3] / (own + other)
    for j in range(table.shape[0]):
        for a in range(3):
            for b in range(3):
                M[a, b] += forces[j, a] * forces[j, b]
    facts[9, 0], facts[9, 1], facts[9, 2] = count, squares, chi2 / max(count, 1)


@driver
def _pull(table, windows, k, out, w, noise, forces):
    """Add the effect of the points that make the line of row k on the gradient; returns their variance on it."""
    first, last = windows[k, 0], windows[k, 1]
    nx, ny, total = table[k, 2], table[k, 3], 0.0
    for j in range(first, last):
        along = nx * (table[j, 1] - table[k, 7]) - ny * (table[j, 0] - table[k, 6])
        share = 1.0 / (last - first) + out[4] * along / table[k, 8]
        facing = nx * table[j, 4] + ny * table[j, 5]
        std = math.sqrt(max(noise * noise * facing * facing, table[k, 9]))
        for a in range(3):
            forces[j, a] += w * share * std * out[a]
        total += share * share * std * std
    return total
