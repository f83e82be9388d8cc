"""The linear quadratic regulator of matrices: gain, cost-to-go and poles by Riccati's equation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array, numbers
from ...core.errors import ModelError
from ...core.settings import Count, setting
from ...models.linear import matrix
from ._linear import semidefinite, shaped, spread
from .structure import Modes


class Regulator(NamedTuple):
    """A linear quadratic regulator ``u = -K x``.

    Attributes:
        K: gain ``(m, d)``; ``(T, m, d)`` of a finite horizon.
        S: cost-to-go ``x' S x``, ``(d, d)``; ``(T + 1, d, d)`` of a finite horizon.
        E: poles of the closed loop ``(d,)``, eigenvalues of ``A - B K``; ``(T, d)`` of a finite horizon.

    Example:
        >>> dlqr([[1.0]], [[1.0]], 1.0, 1.0).S.round(3)
        array([[1.618]])
    """

    K: Array
    S: Array
    E: NDArray[np.complex128]


def lqr(A: ArrayLike, B: ArrayLike, Q: ArrayLike, R: ArrayLike, N: ArrayLike | None = None) -> Regulator:
    """The gain ``u = -K x`` that minimises ``int x'Qx + u'Ru + 2 x'Nu dt`` for ``x' = A x + B u``.

    ::

        A'S + S A - (S B + N) R^-1 (B'S + N') + Q = 0,    K = R^-1 (B'S + N')

    Args:
        A, B: ``(d, d)`` and ``(d, m)``.
        Q, R: weights ``(d, d)``, positive semidefinite, and ``(m, m)``, positive definite; a vector is a diagonal.
        N: cross weight ``(d, m)``.

    Raises:
        ModelError: if no gain stabilises the system at a finite cost; the message names the modes.
        SettingError: if a weight is not valid.

    Source: Anderson and Moore, *Optimal Control: Linear Quadratic Methods*, 1990, chapter 3; the equation by SciPy's
    `solve_continuous_are`.

    Example:
        >>> K, S, E = lqr([[0, 1], [0, 0]], [[0], [1]], [1.0, 0.0], 1.0)
        >>> K.round(3).tolist(), E.round(3).tolist()
        ([[1.0, 1.414]], [(-0.707+0.707j), (-0.707-0.707j)])
    """
    return solved(*_checked(A, B, Q, R, N), discrete=False)


def dlqr(A: ArrayLike, B: ArrayLike, Q: ArrayLike, R: ArrayLike, N: ArrayLike | None = None) -> Regulator:
    """The gain ``u = -K x`` that minimises ``sum x'Qx + u'Ru + 2 x'Nu`` for ``x(t + 1) = A x + B u``.

    ::

        S = A'S A - (A'S B + N) (B'S B + R)^-1 (B'S A + N') + Q,    K = (B'S B + R)^-1 (B'S A + N')

    Arguments, errors and source are those of `lqr`, with SciPy's `solve_discrete_are`.

    Example:
        >>> K, S, E = dlqr([[1.0, 0.1], [0.0, 1.0]], [[0.005], [0.1]], [1.0, 0.0], 1.0)
        >>> K.round(3).tolist(), bool((abs(E) < 1.0).all())
        ([[0.932, 1.365]], True)
    """
    return solved(*_checked(A, B, Q, R, N), discrete=True)


def finite_horizon_lqr(
    A: ArrayLike,
    B: ArrayLike,
    Q: ArrayLike,
    R: ArrayLike,
    T: int | None = None,
    N: ArrayLike | None = None,
    *,
    final: ArrayLike | None = None,
) -> Regulator:
    """The gains ``u_k = -K_k x_k`` that minimise ``sum_k x'Qx + u'Ru + 2 x'Nu + x_T' final x_T`` over T steps.

    ::

        S_T = final,   K_k = (B'S B + R)^-1 (B'S A + N'),   S_k = Q + A'S A - (A'S B + N) K_k      with S = S_{k+1}

    Args:
        A, B: matrices of a step ``(d, d)`` and ``(d, m)``, or of each step ``(T, d, d)`` and ``(T, d, m)``.
        Q, R, N: weights, as for `lqr`; the same for all steps.
        T: number of steps; default: the number of the matrices.
        final: weight of the last state ``(d, d)``; default: Q.

    Raises:
        SettingError: if a weight is not valid, or the shapes do not match.

    Example:
        >>> K, S, E = finite_horizon_lqr([[1.0]], [[1.0]], 1.0, 1.0, T=3)
        >>> K.round(3).ravel().tolist()
        [0.615, 0.6, 0.5]
    """
    As, Bs = numbers(A, "A"), numbers(B, "B")
    count: int = setting(len(As) if T is None and As.ndim == 3 else T, Count, "T")
    _, _, Q, R, N = _checked(As[-1] if As.ndim == 3 else As, Bs[-1] if Bs.ndim == 3 else Bs, Q, R, N)
    d, m = N.shape
    As, Bs = np.broadcast_to(As, (count, d, d)), np.broadcast_to(Bs, (count, d, m))
    K, S = np.empty((count, m, d)), np.empty((count + 1, d, d))
    S[count] = Q if final is None else _weight(final, d, "final")
    for k in reversed(range(count)):
        K[k] = _gain(As[k], Bs[k], R, N, S[k + 1])
        M = As[k] - Bs[k] @ K[k]
        cost = Q + K[k].T @ R @ K[k] - N @ K[k] - K[k].T @ N.T
        S[k] = cost + M.T @ S[k + 1] @ M  # Joseph's form stays symmetric and semidefinite
    return Regulator(K, S, np.linalg.eigvals(As - Bs @ K).astype(np.complex128))


def solved(
    A: Array, B: Array, Q: Array, R: Array, N: Array, *, discrete: bool, names: Sequence[str] | None = None
) -> Regulator:
    """The stabilising solution of Riccati's equation, for checked matrices; errors name modes by their components."""
    from scipy.linalg import solve_continuous_are, solve_discrete_are

    try:
        S = np.asarray((solve_discrete_are if discrete else solve_continuous_are)(A, B, Q, R, s=N))
        S = 0.5 * (S + S.T)
        K = _gain(A, B, R, N, S) if discrete else cast(Array, np.linalg.solve(R, B.T @ S + N.T))
        E = np.linalg.eigvals(A - B @ K).astype(np.complex128)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise ModelError(_why(A, B, Q, R, N, discrete, names)) from error
    if not (np.abs(E) < 1.0 if discrete else E.real < 0.0).all():
        raise ModelError(_why(A, B, Q, R, N, discrete, names))
    return Regulator(K, S, E)


def _why(A: Array, B: Array, Q: Array, R: Array, N: Array, discrete: bool, names: Sequence[str] | None) -> str:
    """The modes that no action reaches, or that do not decay and have no weight, in one sentence."""
    M = np.linalg.solve(R, N.T)
    reached = Modes.of(A, B, names=names, discrete=discrete)
    weighed = Modes.of(A - B @ M, None, Q - N @ M, names=names, discrete=discrete)
    if not reached.stabilizable:
        why = reached.words(~cast(Any, reached.reached) & ~reached.damped)
    elif not weighed.detectable:
        why = weighed.words(~cast(Any, weighed.seen) & ~weighed.damped).replace("no reading shows it", "has no weight")
    else:
        why = "the equation is badly scaled; choose weights or units of similar size"
    return f"no gain stabilises the system: {why}"


def _gain(A: Array, B: Array, R: Array, N: Array, S: Array) -> Array:
    return cast(Array, np.linalg.solve(B.T @ S @ B + R, B.T @ S @ A + N.T))


def _checked(A: Any, B: Any, Q: Any, R: Any, N: Any) -> tuple[Array, Array, Array, Array, Array]:
    A = matrix(A, "A")
    d = len(A)
    B = matrix(B, "B", rows=d)
    m = B.shape[1]
    A, Q, R = shaped(A, (d, d), "A"), _weight(Q, d, "Q"), _weight(R, m, "R", positive=True)
    N = np.zeros((d, m)) if N is None else shaped(N, (d, m), "N")
    semidefinite(np.block([[Q, N], [N.T, R]]), d + m, "the weight [[Q, N], [N', R]]")
    return A, B, Q, R, N


def _weight(given: Any, size: int, what: str, *, positive: bool = False) -> Array:
    array = numbers(given, what)
    return semidefinite(np.diag(spread(array, size, what)) if array.ndim < 2 else array, size, what, positive=positive)
