"""The evidence of cells of points for extended objects, in compiled code; see `Ellipse` for the equations."""

from __future__ import annotations

import math

import numpy as np

from ....core.arrays import Array
from ....models.trace import driver
from .._clusters import Whole

EXPECTED = 19
"""Numbers of an expected object: alpha, beta, v, V (3), z (2), C (3), Y (3), cosine and sine of its frame, and whether
its axes are those of the frame, and how much of the spread along each of these is that of the extent (2). Symmetric
matrices are xx, xy, yy."""
CELL = 6
"""Numbers of a cell: count, mean (2), scatter (3)."""


def weighed(expected: Array, cells: Array, rows: Whole, columns: Whole) -> tuple[Array, Array]:
    """Log-evidence of each pair of an object and a cell ``(P,)``, and V after it ``(P, 2, 2)``."""
    logs, after = np.empty(len(rows)), np.empty((len(rows), 3))
    rows, columns = np.ascontiguousarray(rows), np.ascontiguousarray(columns)
    weigh.compiled(expected, cells, rows, columns, logs, after)
    return logs, after[:, [0, 1, 1, 2]].reshape(-1, 2, 2)


@driver("void(f8[:,::1], f8[:,::1], i8[::1], i8[::1], f8[::1], f8[:,::1])")
def weigh(expected, cells, rows, columns, logs, after):
    """`weighed`."""
    for p in range(rows.shape[0]):
        logs[p] = log_evidence(expected[rows[p]], cells[columns[p]], after[p])


@driver
def log_evidence(e, cell, after):
    """Log of the density of a cell of points under an expected object, with its count; `after` becomes V."""
    n, boxed, v, free = cell[0], e[16] > 0.0, e[2], 6.0
    if boxed:
        free = 4.0
    c, s = e[14], e[15]
    x, xy, y = e[3] / (v - free), e[4] / (v - free), e[5] / (v - free)
    a, b, d = root(x, xy, y)
    yxx, yxy, yyy = turned(c, s, e[11], e[12], e[13])
    sxx, sxy, syy = turned(c, s, e[8], e[9], e[10])
    sxx, sxy, syy = sxx + yxx / n, sxy + yxy / n, syy + yyy / n
    zxx, zxy, zyy = turned(c, s, cell[3], cell[4], cell[5])
    ex, ey = c * (cell[1] - e[6]) + s * (cell[2] - e[7]), -s * (cell[1] - e[6]) + c * (cell[2] - e[7])
    size, spread, around = x * y - xy * xy, sxx * syy - sxy * sxy, yxx * yyy - yxy * yxy
    p, q, r = inverse_root(sxx, sxy, syy)
    fx, fy = p * ex + q * ey, q * ex + r * ey
    fx, fy = a * fx + b * fy, b * fx + d * fy
    p, q, r = inverse_root(yxx, yxy, yyy)
    gxx, gxy, gyx, gyy = a * p + b * q, a * q + b * r, b * p + d * q, b * q + d * r
    hxx, hxy, hyx, hyy = gxx * zxx + gxy * zxy, gxx * zxy + gxy * zyy, gyx * zxx + gyy * zxy, gyx * zxy + gyy * zyy
    after[0] = e[3] + fx * fx + hxx * gxx + hxy * gxy
    after[1] = e[4] + fx * fy + hxx * gyx + hxy * gyy
    after[2] = e[5] + fy * fy + hyx * gyx + hyy * gyy
    log = 0.5 * math.log(size / spread) + 0.5 * (n - 1.0) * math.log(size / around) - math.log(n)
    log += e[0] * math.log(e[1]) - (e[0] + n) * math.log(e[1] + 1.0) + math.lgamma(e[0] + n) - math.lgamma(e[0])
    log -= n * math.log(math.pi)
    if boxed:
        k = 0.5 * (v - 2.0)
        log += k * math.log(e[3] * e[5]) - (k + 0.5 * n) * math.log(after[0] * after[2])
        after[0] = e[3] + e[17] * (after[0] - e[3]) + (1.0 - e[17]) * n * x  # what tells nothing of an axis leaves it
        after[1] = 0.0
        after[2] = e[5] + e[18] * (after[2] - e[5]) + (1.0 - e[18]) * n * y
        return log + 2.0 * (math.lgamma(k + 0.5 * n) - math.lgamma(k))
    k = 0.5 * (v - 3.0)
    log += k * math.log(e[3] * e[5] - e[4] * e[4])
    log -= (k + 0.5 * n) * math.log(after[0] * after[2] - after[1] * after[1])
    log += math.lgamma(k + 0.5 * n) + math.lgamma(k + 0.5 * n - 0.5)
    return log - math.lgamma(k) - math.lgamma(k - 0.5)


@driver
def turned(c, s, xx, xy, yy):
    """T' A T of a symmetric matrix, for the frame T with this cosine and sine."""
    return (
        c * c * xx + 2.0 * c * s * xy + s * s * yy,
        (c * c - s * s) * xy + c * s * (yy - xx),
        s * s * xx - 2.0 * c * s * xy + c * c * yy,
    )


@driver
def root(xx, xy, yy):
    """The symmetric root of a positive definite matrix."""
    s = math.sqrt(xx * yy - xy * xy)
    t = math.sqrt(xx + yy + 2.0 * s)
    return (xx + s) / t, xy / t, (yy + s) / t


@driver
def inverse_root(xx, xy, yy):
    """The inverse of the symmetric root."""
    a, b, d = root(xx, xy, yy)
    size = a * d - b * b
    return d / size, -b / size, a / size
