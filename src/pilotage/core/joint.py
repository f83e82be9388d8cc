"""Joint Gaussians that grow: parts that depend on others, and readings of a few parts.

With `Gaussian.marginal`, which takes parts out, these are the operations of a belief over a robot and ever more
landmarks. They take derivatives by the parts that take part alone, so a model is traced once, whatever the size of the
belief: of a sensor that reads a landmark from a pose, ``linearize`` is the derivative by the one and
``linearize_context`` that by the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, numbers
from .covariances import log_normal_root, root_of, triangular
from .errors import CovarianceError, ShapeError
from .gaussian import Gaussian
from .results import Update
from .space import Space

Names = str | Iterable[str]
Places = NDArray[np.intp]


def augment(belief: Gaussian, parts: Space, mean: Any, G: Any, cov: Any = None, *, of: Names | None = None) -> Gaussian:
    """The joint Gaussian of a belief and parts that depend on it.

    ::

        y = mean (+) (G e + w),   w ~ N(0, Q)         [ P      P G'       ]
        e: deviation of the parts `of`                [ G P    G P G' + Q ]

    Parts that the belief has already are replaced, as the pose of a robot is when it moves, and keep the bounds they
    have there; new ones come last, as a landmark does when it is seen for the first time. A belief that holds a root
    keeps one.

    Args:
        belief: of x; leading axes are a batch.
        parts: the space of y.
        mean: of y, ``(..., size)``.
        G: derivative of y by the parts `of` in the tangents, ``(..., dim, k)``.
        cov: Q ``(..., dim, dim)``, of what y depends on besides; it may be singular. None for zero.
        of: names of the parts of x on which y depends, in the order of the columns of G; None for all.

    Raises:
        ShapeError: when mean, G or cov do not fit.
        SpaceError: when a part is missing, or of another kind in each space.

    Source: Sola, "Simultaneous localization and mapping with the extended Kalman filter", 2014, section 3.

    Example:
        >>> robot = Gaussian.of(Space("x [m]"), [1.0], std=1.0)
        >>> both = augment(robot, Space("wall [m]"), mean=[6.0], G=[[1.0]], cov=[[0.04]])     # 5 m ahead, to 0.2 m
        >>> both.cov
        array([[1.  , 1.  ],
               [1.  , 1.04]])
    """
    y = np.asarray(parts.normalize(parts.check(mean, "mean")))
    j = _tangent(belief, of)
    g = _matrix(G, (parts.dim, len(j)), "G")
    Q = _matrix(np.zeros((parts.dim, parts.dim)) if cov is None else cov, (parts.dim, parts.dim), "cov")
    space = _grown(belief.space, parts)
    i, t = space.indices([part.name for part in parts.parts])
    batch = np.broadcast_shapes(belief.mean.shape[:-1], y.shape[:-1], g.shape[:-2], Q.shape[:-2])
    x = np.empty((*batch, space.size))
    x[..., : belief.space.size] = belief.mean
    x[..., i] = y
    joint = _joint_root if belief.rooted else _joint_cov
    return belief.holding(space, x, joint(belief.held, g, Q, j, t, (*batch, space.dim)))


def _grown(space: Space, parts: Space) -> Space:
    """The space with those of the parts that it lacks behind its own."""
    shared = parts.common(space)
    new = [part for part in parts.parts if part.name not in shared]
    return Space(*space.parts, *new) if new else space


def condition(belief: Gaussian, y: Any, H: Any, R: Any, *, of: Names | None = None) -> Update:
    """The belief after a reading of a few parts, linear in the tangent: ``y = H e + v``, ``v ~ N(0, R)``.

    ::

        S = H P_ee H' + R,   K = P_xe H' S^-1,   x = x (+) K y,   P = P - K S K'

    e is the deviation of the parts `of`; all others follow by their correlations. The work is d^2 times the number of
    components of y.

    Args:
        belief: of x; leading axes are a batch.
        y: innovation ``z (-) h(x)``, ``(..., m)``; NaN where not measured.
        H: derivative of h by the parts `of` in the tangents, ``(..., m, k)``.
        R: covariance of the reading, ``(..., m, m)``.
        of: names of the parts that are read, in the order of the columns of H; None for all.

    Raises:
        ShapeError: when y, H or R do not fit.
        CovarianceError: when S is not positive definite.

    Example:
        >>> both = augment(Gaussian.of(Space("x [m]"), [1.0], std=1.0), Space("wall [m]"), [6.0], [[1.0]], [[0.04]])
        >>> print(condition(both, [0.5], H=[[1.0]], R=[[0.25]], of="x").belief)
        x 1.40 +- 0.45 m, wall 6.40 +- 0.49 m
    """
    y = numbers(y, "y", missing=True)
    j, m = _tangent(belief, of), y.shape[-1]
    h, r = _matrix(H, (m, len(j)), "H"), _matrix(R, (m, m), "R")
    batch = np.broadcast_shapes(belief.mean.shape[:-1], y.shape[:-1], h.shape[:-2], r.shape[:-2])
    y = np.broadcast_to(y, (*batch, m))
    seen = ~np.isnan(y)
    h, r = np.where(seen[..., None], h, 0.0), np.where(seen[..., None] & seen[..., None, :], r, np.eye(m))
    L, V, left = (_rooted if belief.rooted else _plain)(belief.held, h, r, j)
    e = np.where(seen, y, 0.0)
    v = cast(Array, np.linalg.solve(L, e[..., None]))
    x = belief.space.plus(belief.mean, (V @ v)[..., 0])
    after = belief.holding(belief.space, x, left)
    nis, missing = np.square(v[..., 0]).sum(-1)[()], (~seen).sum(-1)
    log_likelihood = log_normal_root(e, L) + 0.5 * math.log(2.0 * math.pi) * missing
    return Update(after, y, L @ _turned(L), nis, log_likelihood[()])


def _joint_cov(P: Array, g: Array, Q: Array, j: Places, t: Places, shape: tuple[int, ...]) -> Array:
    """Covariance of x with y in the places t."""
    d, C, out = P.shape[-1], g @ P[..., j, :], np.empty((*shape, shape[-1]))
    out[..., :d, :d] = P
    out[..., t, :d] = C
    out[..., :d, t] = _turned(C)
    out[..., t[:, None], t] = _even(C[..., j] @ _turned(g) + Q)
    return out


def _joint_root(A: Array, g: Array, Q: Array, j: Places, t: Places, shape: tuple[int, ...]) -> Array:
    """Its root: rows of that of x, those of y with a root of Q behind them, as a lower triangle."""
    d = A.shape[-1]
    out = np.zeros((*shape, d + len(t)))
    out[..., :d, :d] = A
    out[..., t, :d], out[..., t, d:] = g @ A[..., j, :], root_of(Q)
    return triangular(out)


def _plain(P: Array, H: Array, R: Array, j: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """L with ``L L' = S``, ``V = K L``, and the covariance that is left."""
    C = H @ P[..., j, :]
    S = C[..., j] @ _turned(H) + R
    try:
        L = cast(Array, np.linalg.cholesky(_even(S)))
    except np.linalg.LinAlgError:
        raise CovarianceError("the innovation covariance is not positive definite; check R and the belief") from None
    Vt = cast(Array, np.linalg.solve(L, C))
    return L, _turned(Vt), P - _turned(Vt) @ Vt


def _rooted(A: Array, H: Array, R: Array, j: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """The same with roots: ``[[R^1/2, H A], [0, A]]`` as a lower triangle is ``[[L, 0], [V, what is left]]``."""
    m, d = H.shape[-2], A.shape[-1]
    batch = np.broadcast_shapes(A.shape[:-2], H.shape[:-2], R.shape[:-2])
    both = np.zeros((*batch, m + d, m + d))
    both[..., :m, :m], both[..., :m, m:], both[..., m:, m:] = root_of(R), H @ A[..., j, :], A
    T = triangular(both)
    L = T[..., :m, :m]
    if not (np.diagonal(L, axis1=-2, axis2=-1) > 0.0).all():
        raise CovarianceError("the innovation covariance is not positive definite; check R and the belief")
    return L, T[..., m:, :m], T[..., m:, m:]


def _tangent(belief: Gaussian, of: Names | None) -> NDArray[np.intp]:
    """Tangent places of parts by name."""
    return np.arange(belief.space.dim) if of is None else belief.space.indices(of)[1]


def _matrix(given: Any, shape: tuple[int, int], name: str) -> Array:
    found = numbers(given, name)
    if found.ndim < 2 or found.shape[-2:] != shape or not np.isfinite(found).all():
        raise ShapeError(f"{name} has shape {found.shape}; expected finite numbers (..., {shape[0]}, {shape[1]})")
    return found


def _turned(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)


def _even(a: Array) -> Array:
    """The symmetric part."""
    return 0.5 * (a + _turned(a))
