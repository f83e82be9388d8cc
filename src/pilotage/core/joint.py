"""Joint Gaussians that grow: adding parts that depend on others, and updating with readings of a few parts.

Together with `Gaussian.marginal`, which removes parts, these functions handle a belief over a robot and a growing
number of landmarks. They only need derivatives with respect to the parts involved, so a model is traced once, whatever
the size of the belief. For a sensor that observes a landmark from a pose, ``linearize`` is the derivative with respect
to the pose, and ``linearize_context`` the one with respect to the landmark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, numbers, shared_axes
from .covariances import check_semidefinite, indefinite, log_normal_root, root_of, triangular
from .errors import CovarianceError, PilotageError, ShapeError
from .gaussian import Gaussian
from .results import Update
from .settings import instance
from .space import Space
from .status import FilterStatus

Names = str | Iterable[str]
Places = NDArray[np.intp]

_ERRORS: dict[FilterStatus, tuple[type[PilotageError], str]] = {
    FilterStatus.NOT_FINITE_BELIEF: (ShapeError, "the belief holds NaN or infinity; start from finite numbers"),
    FilterStatus.NOT_FINITE_READING: (ShapeError, "y holds infinity; give finite numbers, or NaN where not measured"),
    FilterStatus.IMPOSSIBLE_NOISE: (CovarianceError, "R is no covariance: it is not symmetric, or indefinite"),
    FilterStatus.SINGULAR_INNOVATION: (CovarianceError, "the innovation covariance is not positive definite; check R"),
}


def augment(belief: Gaussian, parts: Space, mean: Any, G: Any, cov: Any = None, *, of: Names | None = None) -> Gaussian:
    """The joint Gaussian of a belief and of new parts that depend on it.

    ::

        y = mean (+) (G e + w),   w ~ N(0, Q)         [ P      P G'       ]
        e: deviation of the parts `of`                [ G P    G P G' + Q ]

    Parts that the belief already has are replaced and keep their bounds, as when a robot moves. New parts come last, as
    when the robot sees a landmark for the first time. A belief that stores a root keeps one.

    Args:
        belief: the belief over x; leading axes are a batch.
        parts: the space of y.
        mean: mean of y, ``(..., size)``.
        G: derivative of y with respect to the parts `of`, in the tangent spaces, ``(..., dim, k)``.
        cov: covariance Q of the noise w, ``(..., dim, dim)``; it may be singular. None for zero.
        of: names of the parts of x on which y depends, in the order of the columns of G; None for all.

    Raises:
        ShapeError: if mean, G or cov do not fit.
        SpaceError: if a part is missing, or has different kinds in the two spaces.
        CovarianceError: if cov is not symmetric, or indefinite.

    Source: Sola, "Simultaneous localization and mapping with the extended Kalman filter", 2014, section 3.

    Example:
        >>> robot = Gaussian.of(Space("x [m]"), [1.0], std=1.0)
        >>> both = augment(robot, Space("wall [m]"), mean=[6.0], G=[[1.0]], cov=[[0.04]])     # 5 m ahead, to 0.2 m
        >>> both.cov
        array([[1.  , 1.  ],
               [1.  , 1.04]])
    """
    y = np.asarray(instance(parts, Space, "augment").normalize(parts.check(mean, "mean")))
    j = _tangent(belief, of)
    g = _matrix(G, (parts.dim, len(j)), "G")
    Q = check_semidefinite(np.zeros((parts.dim, parts.dim)) if cov is None else cov, parts.dim)
    space = _grown(belief.space, parts)
    i, t = space.indices([part.name for part in parts.parts])
    batch = shared_axes(belief=belief.mean.shape[:-1], mean=y.shape[:-1], G=g.shape[:-2], cov=Q.shape[:-2])
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
    """The belief after a reading of a few parts, linear in the tangent space: ``y = H e + v``, ``v ~ N(0, R)``.

    ::

        S = H P_ee H' + R,   K = P_xe H' S^-1,   x = x (+) K y,   P = P - K S K'

    e is the deviation of the parts `of`; their correlations update all other parts. The cost is proportional to d^2
    times the number of components of y. In a batch, a row that fails keeps its belief and gets the corresponding
    `FilterStatus`; the other rows are updated.

    Args:
        belief: the belief over x; leading axes are a batch.
        y: innovation ``z (-) h(x)``, ``(..., m)``; NaN where not measured.
        H: derivative of h with respect to the parts `of`, in the tangent spaces, ``(..., m, k)``.
        R: covariance of the reading, ``(..., m, m)``.
        of: names of the measured parts, in the order of the columns of H; None for all.

    Raises:
        ShapeError: if y, H or R do not fit; for a single belief, also if the belief or y is not finite.
        CovarianceError: for a single belief, if R is not symmetric or is indefinite, or S is not positive definite.

    Example:
        >>> both = augment(Gaussian.of(Space("x [m]"), [1.0], std=1.0), Space("wall [m]"), [6.0], [[1.0]], [[0.04]])
        >>> print(condition(both, [0.5], H=[[1.0]], R=[[0.25]], of="x").belief)
        x 1.40 +- 0.45 m, wall 6.40 +- 0.49 m
    """
    j, y = _tangent(belief, of), _innovation(y)
    m = y.shape[-1]
    h, r = _matrix(H, (m, len(j)), "H"), _matrix(R, (m, m), "R")
    batch = shared_axes(belief=belief.mean.shape[:-1], y=y.shape[:-1], H=h.shape[:-2], R=r.shape[:-2])
    y = np.broadcast_to(y, (*batch, m))
    seen, h, r = _measured(y, h, r)
    how = _faults(belief, y, r)
    r, e = np.where(how[..., None, None] > 0, np.eye(m), r), np.where(seen & (how[..., None] == 0), y, 0.0)
    factor, V, left = (_rooted if belief.rooted else _plain)(belief.held, h, r, j)
    L, how = _regular(factor, how)
    if not batch and how:
        kind, sentence = _ERRORS[FilterStatus(int(how))]
        raise kind(f"{sentence}; the belief is unchanged")
    v = cast(Array, np.linalg.solve(L, e[..., None]))
    after, nis = _taken(belief, (V @ v)[..., 0], left, how > 0), np.square(v[..., 0]).sum(-1)
    log_likelihood = log_normal_root(e, L) + 0.5 * math.log(2.0 * math.pi) * (~seen).sum(-1)
    y, S, nis, log_likelihood = (_void(a, how > 0) for a in (y, L @ _turned(L), nis, log_likelihood))
    how = np.where((how == 0) & ~seen.any(-1), int(FilterStatus.NO_READING), how)
    return Update(after, y, S, nis[()], log_likelihood[()], status=how if batch else FilterStatus(int(how)))


def _measured(y: Array, H: Array, R: Array) -> tuple[NDArray[np.bool_], Array, Array]:
    """Components that are measured, H with zeros for the others, and R with the identity there."""
    seen = ~np.isnan(y)
    both = seen[..., None] & seen[..., None, :]
    return seen, np.where(seen[..., None], H, 0.0), np.where(both, R, np.eye(y.shape[-1]))


def _faults(belief: Gaussian, y: Array, R: Array) -> NDArray[np.int64]:
    """The status ``(...)`` of each row of a batch, as far as it can be seen before S."""
    lost = ~np.isfinite(belief.mean).all(-1) | ~np.isfinite(belief.held).all((-1, -2))
    causes = (
        (lost, FilterStatus.NOT_FINITE_BELIEF),
        (np.isinf(y).any(-1), FilterStatus.NOT_FINITE_READING),
        (indefinite(R), FilterStatus.IMPOSSIBLE_NOISE),
    )
    how = np.zeros(y.shape[:-1], np.int64)
    for where, cause in causes:
        how = np.where((how == 0) & where, int(cause), how)
    return how


def _regular(L: Array, how: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """L with the identity in place of roots that are singular or belong to rows that failed, and every status."""
    singular = ~(np.diagonal(L, axis1=-2, axis2=-1) > 0.0).all(-1)
    how = np.where((how == 0) & singular, int(FilterStatus.SINGULAR_INNOVATION), how)
    return np.where((how > 0)[..., None, None], np.eye(L.shape[-1]), L), how


def _taken(belief: Gaussian, d: Array, left: Array, failed: NDArray[np.bool_]) -> Gaussian:
    """The belief moved by d with the matrix that is left, and as it was where that failed."""
    space, mean, lost = belief.space, belief.mean, failed[..., None]
    if not failed.any():
        return belief.holding(space, np.asarray(space.plus(mean, d)), left)
    x = np.where(lost, mean, space.plus(mean, np.where(lost, 0.0, d)))
    return belief.holding(space, x, np.where(lost[..., None], belief.held, left))


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


def _plain(P: Array, H: Array, R: Array, j: Places) -> tuple[Array, Array, Array]:
    """L with ``L L' = S``, ``V = K L``, and the covariance that is left; NaN where S is not positive definite."""
    C = H @ P[..., j, :]
    L = _factors(_even(C[..., j] @ _turned(H) + R))
    Vt = cast(Array, np.linalg.solve(L, C))
    return L, _turned(Vt), P - _turned(Vt) @ Vt


def _factors(S: Array) -> Array:
    """Cholesky factors of a batch of matrices, NaN where there is none."""
    try:
        return cast(Array, np.linalg.cholesky(S))
    except np.linalg.LinAlgError:
        return np.stack([_factors(row) for row in S]) if S.ndim > 2 else np.full_like(S, np.nan)


def _rooted(A: Array, H: Array, R: Array, j: Places) -> tuple[Array, Array, Array]:
    """The same with roots: ``[[R^1/2, H A], [0, A]]`` as a lower triangle is ``[[L, 0], [V, what is left]]``."""
    m, d = H.shape[-2], A.shape[-1]
    batch = np.broadcast_shapes(A.shape[:-2], H.shape[:-2], R.shape[:-2])
    both = np.zeros((*batch, m + d, m + d))
    both[..., :m, :m], both[..., :m, m:], both[..., m:, m:] = root_of(R), H @ A[..., j, :], A
    T = triangular(both)
    return T[..., :m, :m], T[..., m:, :m], T[..., m:, m:]


def _tangent(belief: Gaussian, of: Names | None) -> NDArray[np.intp]:
    """Tangent places of parts by name."""
    instance(belief, Gaussian, "a joint belief")
    return np.arange(belief.space.dim) if of is None else belief.space.indices(of)[1]


def _innovation(given: Any) -> Array:
    y = numbers(given, "y", missing=True)
    if y.ndim == 0:
        raise ShapeError(f"y is a number, {y}; expected an innovation (..., m), as in [{y}]")
    return y


def _void(a: Array, failed: NDArray[np.bool_]) -> Array:
    """NaN in place of what rows that failed have no answer for."""
    return np.where(failed.reshape(failed.shape + (1,) * (a.ndim - failed.ndim)), np.nan, a)


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
