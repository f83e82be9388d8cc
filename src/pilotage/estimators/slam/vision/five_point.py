"""The five-point algorithm: essential matrices of two views from five directions in each."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError

Array = NDArray[np.float64]
Monomial = tuple[int, int, int]

LINEAR: list[Monomial] = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)]
CUBIC: list[Monomial] = [
    (3, 0, 0), (2, 1, 0), (2, 0, 1), (1, 2, 0), (1, 1, 1), (1, 0, 2), (0, 3, 0), (0, 2, 1), (0, 1, 2), (0, 0, 3),
    (2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 0), (0, 1, 1), (0, 0, 2), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0),
]  # fmt: skip
"""Monomials x^i y^j z^k: the ten of degree 3 first, which the constraints express by the rest."""
QUADRATIC = CUBIC[10:]
MIXED = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
"""Turns the null space, so that no simple motion is one where the coefficient of E4 is zero."""


def essential_matrices(first: ArrayLike, second: ArrayLike) -> Array:
    """All essential matrices that five pairs of directions fit.

    ::

        second_k' E first_k = 0,    E = x E1 + y E2 + z E3 + E4        E1 to E4: null space of the five equations
        det E = 0,    2 E E' E - trace(E E') E = 0        ten cubic equations in x, y, z

    The ten equations make multiplication by x a linear map on the quadratic monomials, whose real eigenvalues are the
    solutions. Points in a plane are no special case.

    Args:
        first, second: directions of the same five points in the frames of two cameras ``(..., 5, 3)``.

    Returns:
        E of Frobenius norm 1 ``(..., 10, 3, 3)``; NaN in place of complex solutions.

    Raises:
        ShapeError: if shapes do not match.

    Source: Stewénius, Engels and Nistér, "Recent developments on direct relative orientation" (2006), section 3;
    Nistér, "An efficient solution to the five-point relative pose problem" (2004).

    Example:
        >>> points = np.array([[0, 0, 4], [1, 0, 5], [0, 1, 6], [-1, 1, 4], [1, -1, 7]], dtype=float)
        >>> E = essential_matrices(points, points - [1.0, 0.0, 0.0])
        >>> expected = np.array([[0, 0, 0], [0, 0, 1], [0, -1, 0]]) / 2**0.5
        >>> bool((np.abs(np.abs(E) - np.abs(expected)).max(axis=(1, 2)) < 1e-9).any())
        True
    """
    a, b = numbers(first, "first"), numbers(second, "second")
    if a.shape != b.shape or a.shape[-2:] != (5, 3):
        raise ShapeError(f"directions have shapes {a.shape} and {b.shape}; expected (..., 5, 3) of both")
    a, b, batch = a.reshape(-1, 5, 3), b.reshape(-1, 5, 3), a.shape[:-2]
    A = (b[:, :, :, None] * a[:, :, None, :]).reshape(-1, 5, 9)
    null = (MIXED @ np.linalg.svd(A)[2][:, 5:]).reshape(-1, 4, 3, 3)
    E = np.moveaxis(null, 1, 3)  # (B, 3, 3, 4): coefficients of x, y, z, 1
    values, vectors = _multiplication_by_x(_constraints(E))
    with np.errstate(divide="ignore", invalid="ignore"):
        xyz = np.real(vectors[:, 6:9] / vectors[:, 9:10])  # the monomials x, y, z over 1
        found = np.einsum("bijm,bmk->bkij", E[..., :3], xyz) + E[:, None, :, :, 3]
        found /= np.linalg.norm(found, axis=(2, 3), keepdims=True)
    real = np.abs(values.imag) <= 1e-8 * (1.0 + np.abs(values.real))
    found[~real | ~np.isfinite(found).all(axis=(2, 3))] = np.nan
    return found.reshape(*batch, 10, 3, 3)


def _constraints(E: Array) -> Array:
    """Coefficients of the ten equations ``(B, 10, 20)``."""
    quadratic, cubic = _products(1, 1), _products(2, 1)
    EE = np.einsum("bikp,bjkq,pqm->bijm", E, E, quadratic, optimize=True)
    trace = np.einsum("biim->bm", EE)
    EEE = np.einsum("bikp,bkjq,pqm->bijm", EE, E, cubic, optimize=True)
    TE = np.einsum("bp,bijq,pqm->bijm", trace, E, cubic, optimize=True)
    det = np.einsum("bjp,bjq,pqm->bm", _minors(E, quadratic), E[:, 0], cubic, optimize=True)
    return np.concatenate([(2.0 * EEE - TE).reshape(-1, 9, 20), det[:, None]], axis=1)


def _minors(E: Array, quadratic: Array) -> Array:
    """The vector product of the second and third row ``(B, 3, 10)``."""
    p = np.einsum("bip,bjq,pqm->bijm", E[:, 1], E[:, 2], quadratic, optimize=True)
    return np.stack([p[:, 1, 2] - p[:, 2, 1], p[:, 2, 0] - p[:, 0, 2], p[:, 0, 1] - p[:, 1, 0]], axis=1)


def _multiplication_by_x(constraints: Array) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Eigenvalues and eigenvectors ``(B, 10)``, ``(B, 10, 10)``: values of x and of the quadratic monomials."""
    left, right = constraints[:, :, :10], constraints[:, :, 10:]
    singular = np.reshape(np.linalg.cond(left) > 1e14, len(left))
    left = np.where(singular[:, None, None], np.eye(10), left)
    B = np.linalg.solve(left, right)  # cubic monomials = -B quadratic ones
    M = np.zeros((len(constraints), 10, 10))
    for row, (i, j, k) in enumerate(QUADRATIC):
        where = CUBIC.index((i + 1, j, k))
        if where < 10:
            M[:, row] = -B[:, where]
        else:
            M[:, row, where - 10] = 1.0
    M[singular] = np.nan
    good = np.isfinite(M).all(axis=(1, 2), keepdims=True)
    values, vectors = np.linalg.eig(np.where(good, M, np.eye(10)))
    values, vectors = values.astype(complex), vectors.astype(complex)
    values[~np.ravel(good)] = 1j
    return values, vectors


@cache
def _products(first: int, second: int) -> Array:
    """The product of two polynomials: ``(p q)_m = sum_ab T_abm p_a q_b``."""
    names = {1: LINEAR, 2: QUADRATIC, 3: CUBIC}
    result = names[first + second]
    T = np.zeros((len(names[first]), len(names[second]), len(result)))
    for (a, m), (b, n) in product(enumerate(names[first]), enumerate(names[second])):
        T[a, b, result.index((m[0] + n[0], m[1] + n[1], m[2] + n[2]))] = 1.0
    return T
