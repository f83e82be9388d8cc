"""Polynomials of time between two states of position, velocity and acceleration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import numbers
from ...core.errors import ShapeError
from ...core.settings import Positive, settings

Array = NDArray[np.float64]


@settings(eq=False)
class Polynomial:
    """Polynomials of time, batched: the motions of least jerk between given ends.

    ::

        p(t) = sum_k c_k t^k,  0 <= t <= T
        quintic:  p, p', p'' given at 0 and T         least integral of p'''^2 for these ends
        quartic:  p, p', p'' at 0, p', p'' at T       least with the position p(T) free

    Attributes:
        coefficients: c ``(..., K)``, constant first.
        durations: T ``(...)`` [s].

    Raises:
        ShapeError: if the arrays are not finite, their shapes do not fit or a duration is not positive.

    Source: M. Werling et al., Optimal trajectory generation for dynamic street scenarios in a Frenet frame, 2010,
    section III.

    Example:
        >>> motion = Polynomial.quintic([0, 0, 0], [1, 0, 0], 2.0)
        >>> motion([0.0, 1.0, 2.0]), motion([1.0], order=1)
        (array([0. , 0.5, 1. ]), array([0.9375]))
    """

    coefficients: ArrayLike
    durations: ArrayLike

    def __post_init__(self) -> None:
        c, T = numbers(self.coefficients, "coefficients"), numbers(self.durations, "durations")
        if c.ndim < 1 or c.shape[:-1] != T.shape or not np.isfinite(c).all():
            raise ShapeError(
                f"coefficients and durations have shapes {c.shape} and {T.shape}; expected (..., K), (...)"
            )
        object.__setattr__(self, "coefficients", c)
        object.__setattr__(self, "durations", _positive(T))

    @classmethod
    def quintic(cls, start: ArrayLike, end: ArrayLike, durations: ArrayLike) -> Polynomial:
        """The motions of least jerk between p, p', p'' ``(..., 3)`` at both ends, in durations ``(...)`` [s]."""
        a, b, T = _ends(start, end, durations, 3)
        return cls(_joined(a, b, T, (0, 1, 2)), T)

    @classmethod
    def quartic(cls, start: ArrayLike, end: ArrayLike, durations: ArrayLike) -> Polynomial:
        """The motions of least jerk from p, p', p'' ``(..., 3)`` to p', p'' ``(..., 2)``, in durations ``(...)``."""
        a, b, T = _ends(start, end, durations, 2)
        return cls(_joined(a, b, T, (1, 2)), T)

    def __call__(self, ts: ArrayLike, order: int = 0) -> Array:
        """A derivative ``(..., N)`` at times ``(N,)``, or ``(..., N)``, of that order."""
        t, c = numbers(ts, "ts"), self.derivative(order)
        out = np.zeros(np.broadcast_shapes((*c.shape[:-1], 1), t.shape))
        for k in range(c.shape[-1] - 1, -1, -1):
            out = out * t + c[..., k, None]
        return out

    def derivative(self, order: int) -> Array:
        """The coefficients ``(..., K - order)`` of a derivative."""
        c = np.asarray(self.coefficients)
        return c[..., order:] * np.array([math.perm(k, order) for k in range(order, c.shape[-1])], dtype=np.float64)

    def jerk(self) -> Array:
        """The integral of ``p'''^2`` over the duration, ``(...)``, exact."""
        c, T = self.derivative(3), np.asarray(self.durations)
        i = np.arange(c.shape[-1])
        powers = i[:, None] + i + 1
        return ((c[..., :, None] * c[..., None, :]) * T[..., None, None] ** powers / powers).sum((-2, -1))


def best_durations(start: ArrayLike, end: ArrayLike, weight: Positive = 1.0) -> Array:
    """The durations T ``(...)`` of quintics that minimise ``weight T + integral of p'''^2``.

    The integral is a polynomial in 1 / T of degree 5, so the derivative of the cost by T, times T^6, is a polynomial of
    degree 6, whose positive roots are compared.

    Args:
        start, end: p, p', p'' ``(..., 3)``.
        weight: cost of a second [m^2/s^6].

    Returns:
        Durations; 0 where both ends are the same and at rest.

    Example:
        >>> T = best_durations([0, 0, 0], [1, 0, 0], weight=1.0)      # the cost is T + 720 / T^5
        >>> round(float(T), 6) == round(3600 ** (1 / 6), 6)
        True
    """
    a, b, _ = _ends(start, end, np.ones(np.broadcast_shapes(np.shape(start), np.shape(end))[:-1]), 3)
    terms = _jerk_terms(a, b)
    out = np.zeros(a.shape[:-1])
    for i in np.ndindex(out.shape):
        # weight - sum_k k J_k T^-(k+1) = 0
        roots = np.roots([weight, 0.0, *(-k * terms[i][k - 1] for k in range(1, 6))])
        real = roots.real[(abs(roots.imag) < 1e-7 * (1.0 + abs(roots))) & (roots.real > 1e-9)]
        if len(real):
            costs = weight * real + sum(terms[i][k - 1] * real ** -float(k) for k in range(1, 6))
            out[i] = real[int(np.argmin(costs))]
    return out[()]


def _jerk_terms(a: Array, b: Array) -> Array:
    """The coefficients J_1 to J_5 ``(..., 5)`` of the jerk of a quintic, ``sum_k J_k T^-k``."""
    # The jerk is a quadratic form of (d, v0 T, v1 T, a0 T^2, a1 T^2) divided by T^5, with d = p_T - p_0.
    d, v0, v1, a0, a1 = b[..., 0] - a[..., 0], a[..., 1], b[..., 1], a[..., 2], b[..., 2]
    return np.stack([
        9 * a0**2 - 6 * a0 * a1 + 9 * a1**2,
        72 * a0 * v0 + 48 * a0 * v1 - 48 * a1 * v0 - 72 * a1 * v1,
        120 * d * (a1 - a0) + 192 * v0**2 + 336 * v0 * v1 + 192 * v1**2,
        -720 * d * (v0 + v1),
        720 * d**2,
    ], -1)  # fmt: skip


def _joined(a: Array, b: Array, T: Array, orders: tuple[int, ...]) -> Array:
    """Coefficients of the polynomials with p, p', p'' at 0, and the derivatives of some orders at T."""
    low = a / np.array([1.0, 1.0, 2.0])
    unit = np.array([[math.perm(k, order) for k in range(3, 3 + len(orders))] for order in orders], dtype=np.float64)
    # In the time of the motion, t / T, the matrix is the same for all.
    scaled = low * T[..., None] ** np.arange(3)
    known = np.array([[math.perm(k, order) for k in range(3)] for order in orders], dtype=np.float64)
    room = b * T[..., None] ** np.array(orders) - scaled @ known.T
    high = room @ np.linalg.inv(unit).T
    return np.concatenate([scaled, high], -1) / T[..., None] ** np.arange(3 + len(orders))


def _ends(start: ArrayLike, end: ArrayLike, durations: ArrayLike, count: int) -> tuple[Array, Array, Array]:
    """Ends ``(..., 3)`` and ``(..., count)``, and durations ``(...)``, of one batch."""
    a, b, T = numbers(start, "start"), numbers(end, "end"), numbers(durations, "durations")
    if a.shape[-1:] != (3,) or b.shape[-1:] != (count,) or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ShapeError(f"the ends have shapes {a.shape} and {b.shape}; expected (..., 3) and (..., {count}), finite")
    batch = np.broadcast_shapes(a.shape[:-1], b.shape[:-1], T.shape)
    return np.broadcast_to(a, (*batch, 3)), np.broadcast_to(b, (*batch, count)), np.broadcast_to(_positive(T), batch)


def _positive(T: Array) -> Array:
    if not ((T > 0.0) & (np.inf > T)).all():
        raise ShapeError(f"durations are {T.min(initial=np.inf):g} at least; expected positive, finite ones")
    return T
