"""Resampling: draws equally weighted particles from weighted ones.

Each method draws particle i ``n w_i`` times on average. They differ in how far the number of copies deviates from this:
systematic by less than 1, stratified by less than 2, residual never below ``floor(n w_i)``, and multinomial as much as
independent draws (Douc, Cappe, Moulines, *Comparison of resampling schemes for particle filtering*, 2005).
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..core.arrays import Array, numbers
from ..core.errors import ShapeError
from ..core.settings import Count, setting
from ..core.streams import Rng, generator
from ..models.trace import driver

Resampling = Literal["systematic", "stratified", "residual", "multinomial"]
METHODS: tuple[Resampling, ...] = get_args(Resampling)
FAINT = 1e-270
"""Sum of weights below which kernels refuse them: shares counted in units of it would overflow."""
Indices = NDArray[np.int64]


def resample(weights: Any, n: int | None = None, method: Resampling = "systematic", rng: Rng = None) -> Indices:
    """Indices ``(n,)`` of drawn particles; index i occurs ``n w_i / sum w`` times on average. O(N + n).

    ==============  ======================================  ==================
    method          position of draw i on the unit interval  random numbers
    ==============  ======================================  ==================
    systematic      ``(i + u) / n``                          one u
    stratified      ``(i + u_i) / n``                        n
    residual        ``floor(n w)`` copies, rest multinomial  as many as the rest
    multinomial     sorted uniforms                          n + 1
    ==============  ======================================  ==================

    Args:
        weights: ``(N,)``, not negative, with any positive sum.
        n: number of draws; None for N.
        method: one of the above (Kitagawa 1996; Liu and Chen 1998).
        rng: seed or generator.

    Raises:
        ShapeError: if weights are NaN, infinite, negative or all zero.
        SettingError: if the method does not exist, or n is not a number of draws.

    Example:
        >>> resample([0.5, 0.0, 0.25, 0.25], rng=1)
        array([0, 0, 2, 3])
    """
    if method not in METHODS:
        setting(method, Resampling, "method")  # says so
    w = np.ascontiguousarray(numbers(weights, "weights"))
    if w.ndim != 1 or w.size == 0:
        raise ShapeError(f"weights has shape {w.shape}; expected (N,) with N of at least 1")
    n = w.size if n is None else int(setting(n, Count, "n"))
    return _resample(w, n, method, generator(rng))


def _resample(w: Array, n: int, method: Resampling, draw: np.random.Generator) -> Indices:
    """Indices ``(n,)`` of particles drawn by weights of any sum."""
    out = np.empty(n, dtype=np.int64)
    if method == "systematic":
        done = _stratify.compiled(w, draw.random(1), 0, np.zeros(n + 2, np.int32), out)
    elif method == "stratified":
        done = _stratify.compiled(w, draw.random(n + 1), 1, np.zeros(n + 2, np.int32), out)
    elif method == "multinomial":
        done = _merge.compiled(w, _sorted_uniforms(n, draw), out)
    else:
        rest = np.empty(w.size)
        left = _copies.compiled(w, rest, out)
        done = left == 0 or (left > 0 and _merge.compiled(rest, _sorted_uniforms(left, draw), out[n - left :]))
    if not done:
        top = w.max()
        if 0.0 < top <= FAINT and w.min() >= 0.0:
            return _resample(w / top, n, method, draw)
        raise ShapeError(_complaint(w))
    return out


def renewed(
    cloud: Any, threshold: float, method: Resampling, rng: np.random.Generator, count: int | None = None
) -> tuple[Indices, NDArray[np.bool_], Array] | None:
    """Indices ``(..., n)`` of the particles that go on, which clouds were resampled ``(...)``, and new log-weights.

    A cloud is `Particles`, or anything else with weights.

    A cloud whose effective number is at least `threshold` of its particles goes on as it is; None if all do. If a
    `count` is given, clouds with fewer particles, or with more than twice as many, are resampled too, to that number.
    """
    w, log_weights = cloud.weights, cloud.log_weights
    n = w.shape[-1]
    # Equal weights have an effective number of N up to rounding only, and need no new draw at threshold 1.
    due = np.asarray(np.vecdot(w, w) * (threshold * n * (1.0 - 1e-9)) > 1.0)
    many = np.count_nonzero(due)
    if count is not None and (many or not count <= n <= 2 * count):
        n, due, many = count, np.ones_like(due), due.size
    if not many:
        return None
    after = np.full((*due.shape, n), -math.log(n))
    if many < due.size:
        after = np.where(due[..., None], after, log_weights)
    return redrawn(w, n, method, rng, due), due, after


def redrawn(weights: Array, n: int, method: Resampling, rng: np.random.Generator, due: Any = True) -> Indices:
    """Indices ``(..., n)`` of particles drawn from clouds by their weights; clouds that are not `due` stay."""
    axes = weights.shape[:-1]
    if not axes:
        return _resample(weights, n, method, rng)
    index, due = np.tile(np.arange(n), (*axes, 1)), np.broadcast_to(due, axes)
    for b in np.ndindex(axes):
        if due[b]:
            index[b] = _resample(weights[b], n, method, rng)
    return index


def taken(values: Array, index: Indices) -> Array:
    """Values ``(..., N, *)`` of the particles at indices ``(..., n)``, shape ``(..., n, *)``."""
    if index.ndim == 1:
        return values.take(index, axis=0)
    return np.take_along_axis(values, index.reshape(*index.shape, *(1,) * (values.ndim - index.ndim)), index.ndim - 1)


def _sorted_uniforms(n: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """`n` uniform numbers in order, without sorting: normalised sums of exponentials (Devroye 1986, section V.2)."""
    sums = np.cumsum(draw.standard_exponential(n + 1))
    return sums[:-1] / sums[-1]


def _complaint(w: NDArray[np.float64]) -> str:
    """The fault of weights that a kernel refused."""
    if np.isnan(w).any() or np.isinf(w).any():
        return f"{int((~np.isfinite(w)).sum())} of {w.size} weights are NaN or infinite; give finite weights"
    if (w < 0.0).any():
        return f"weights must not be negative; the smallest is {w.min():.3g}"
    return f"the {w.size} weights sum to {w.sum():.3g}; at least one must be positive, and their sum finite"


# Sums may be reordered: the order of the sum decides nothing but the last bit.
@driver(fast=True)
def _total(w):
    """Sum of the weights, and how many are negative."""
    total = 0.0
    negative = 0
    for j in range(w.shape[0]):
        total += w[j]
        if w[j] < 0.0:
            negative += 1
    return total, negative


@driver("b1(Array(f8, 1, 'C', True), f8[::1], i8, i4[::1], i8[::1])")
def _stratify(w, u, stride, first, out):
    """out[i] = the particle in whose share of the unit interval ``(i + u[i]) / n`` lies; False for bad weights.

    Shares are summed as integers, units of ``2^-bits / n``: exact, and three times as fast as floats, whose sums wait
    for each other. For the same reason there is no inner loop over copies, which no processor foresees: every particle
    marks the place of its first copy, and a running maximum fills the places between the marks.

    Args:
        w: weights.
        u: uniform numbers, one for all places (stride 0) or n + 1 (stride 1).
        stride: 0 or 1.
        first: n + 2 zeros. Two places more: rounding of the total may push the end of the last share just beyond n.
        out: receives n indices.
    """
    total, negative = _total(w)
    if negative > 0 or not (total > FAINT and math.isfinite(total)):
        return False
    n = out.shape[0]
    bits = 62
    while n >> (62 - bits) > 0:
        bits -= 1
    scale = n / total * 2.0**bits
    fraction = (1 << bits) - 1
    last = w.shape[0] - 1
    while w[last] == 0.0:
        last -= 1
    start = 0
    sum_ = 0
    if stride == 0:
        sum_ = int((1.0 - u[0]) * 2.0**bits) - 1
        for j in range(last + 1):
            first[sum_ >> bits] = j
            sum_ += int(w[j] * scale)
    else:
        for j in range(last + 1):
            first[start] = j
            sum_ += int(w[j] * scale)
            whole = min(sum_ >> bits, n)
            start = whole + ((sum_ & fraction) > u[whole] * 2.0**bits)
    _fill(first, out)
    return True


@driver
def _fill(first, out):
    """Running maximum of `first` into `out`: four quarters side by side, because each waits for its own only."""
    q = out.shape[0] // 4
    m0 = m1 = m2 = m3 = np.int32(0)
    for i in range(q):
        m1 = max(m1, first[i])
        m2 = max(m2, first[i + q])
        m3 = max(m3, first[i + 2 * q])
    m2 = max(m1, m2)
    m3 = max(m2, m3)
    for i in range(q):
        m0 = max(m0, first[i])
        m1 = max(m1, first[i + q])
        m2 = max(m2, first[i + 2 * q])
        m3 = max(m3, first[i + 3 * q])
        out[i] = m0
        out[i + q] = m1
        out[i + 2 * q] = m2
        out[i + 3 * q] = m3
    for i in range(4 * q, out.shape[0]):
        m3 = max(m3, first[i])
        out[i] = m3


@driver("b1(Array(f8, 1, 'C', True), f8[::1], i8[::1])")
def _merge(w, u, out):
    """out[i] = the particle in whose share of the unit interval u[i] lies, for sorted u; False for bad weights."""
    total, negative = _total(w)
    if negative > 0 or not (total > FAINT and math.isfinite(total)):
        return False
    n = out.shape[0]
    i = 0
    share = 0.0
    last = 0
    for j in range(w.shape[0]):
        share += w[j]
        if w[j] > 0.0:
            last = j
        while i < n and u[i] * total < share:
            out[i] = j
            i += 1
    for k in range(i, n):  # the shares fell short of the total by rounding
        out[k] = last
    return True


@driver("i8(Array(f8, 1, 'C', True), f8[::1], i8[::1])")
def _copies(w, rest, out):
    """``floor(n w)`` copies of each particle into `out`, what is left of ``n w`` into `rest`.

    Returns how many places of `out` are still to be filled, or -1 for bad weights.
    """
    total, negative = _total(w)
    if negative > 0 or not (total > FAINT and math.isfinite(total)):
        return -1
    n = out.shape[0]
    scale = n / total
    i = 0
    for j in range(w.shape[0]):
        expected = w[j] * scale
        whole = min(int(expected), n - i)
        rest[j] = expected - whole
        for _ in range(whole):
            out[i] = j
            i += 1
    return n - i
