"""Smoothing of runs: by the estimator's own way, and by Rauch, Tung and Striebel's for Gaussian beliefs on any space.

The recursion runs backwards in machine code, one sequence or a block of lanes at a time. Its step is that of the
filter's prediction: linearised, or by the filter's sigma points (see `_unscented`).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..core import CovarianceError, FilterRun, FilterStatus, Gaussian, ModelError, Rng, Space
from ..core.settings import instance
from ..models.trace import LANES, Driver, call, driver
from ._algebra import (
    cholesky_semidefinite,
    finite,
    finite_matrix,
    gemm,
    invert,
    joseph,
    mirror,
    product,
    solve_semidefinite,
    symmetrize,
    times,
)
from ._drivers import FEW, INNER, lanes_of, store
from ._inputs import once_or_rows, rows, unflat
from ._jobs import Model, job, paces
from ._memory import (
    BLOCK,
    ONE,
    address,
    integers,
    job_at,
    mark,
    matrix,
    model_at,
    opposite,
    plain,
    space_at,
    table,
    transposed,
    vector,
)
from ._steps import commit, gaussian_at, inner_step

FAILED = int(FilterStatus.PREDICTION_FAILED)
STILL = int(FilterStatus.NO_READING)


@driver
def rts_gain(at, F, Q, K, b, w, lanes):
    """The smoothed belief of the next step becomes that of now, from the slope F of the prediction and its noise Q.

    The address b is that of three beliefs: the filtered one of now, the predicted and the smoothed one of the next
    step. K is the transpose of their covariance, ``F P``, and becomes that of the gain; w is scratch.
    """
    job = job_at(at)
    space = space_at(job.state)
    n, d = space.size, space.dim
    _, P, behind = gaussian_at(b, n, d, lanes)
    y, M, behind = gaussian_at(behind, n, d, lanes)
    s, S, _ = gaussian_at(behind, n, d, lanes)
    L, w = matrix(w, d, d, lanes)
    G, w = matrix(w, d, d, lanes)
    N, w = matrix(w, d, d, lanes)
    A, w = matrix(w, d, d, lanes)
    B, w = matrix(w, d, d, lanes)
    C, w = matrix(w, d, d, lanes)
    e, w = vector(w, d, lanes)
    dx, w = vector(w, d, lanes)
    new, w = vector(w, n, lanes)
    cholesky_semidefinite(M, L, d, lanes)
    solve_semidefinite(L, K, d, d, lanes)
    call(space.minus, address(s), address(y), 0, 0, address(e))
    times(K, e, dx, d, d, lanes)
    call(space.plus, b, address(dx), 0, 0, address(new))
    if job.transport != 0:
        call(job.transport, address(s), address(y), 0, 0, address(G))
        carried(G, S, A, N, d, lanes)
    else:
        N = S
    for i in range(d):
        for j in range(d):
            Q[i, j] = Q[i, j] + N[i, j]
    joseph(P, F, Q, K, N, A, B, C, d, d, lanes)
    if job.transport != 0:
        call(job.transport, address(new), b, 0, 0, address(B))
        invert(B, G, d, lanes)
        carried(G, N, A, C, d, lanes)
        N = C
    good = finite(new, n, lanes) & finite_matrix(N, d, d, lanes)
    mark(job.status, opposite(good), FAILED)
    commit(s, S, new, N, job.status, n, d, lanes)


@driver
def carried(G, P, A, N, d, lanes):
    """N = G P G'; A is scratch."""
    gemm(1.0, plain(G), plain(P), 0.0, A, A, d, d, d, d, lanes)
    gemm(1.0, plain(A), transposed(G), 0.0, N, N, d, d, d, 0, lanes)
    mirror(N, d)


@driver(inline=True)
def rts_linearized(at, b, u, dt, w, lanes):
    """A step of the smoother whose prediction was F P F' + Q, with F times a factor, which is the only setting."""
    job = job_at(at)
    f, space = model_at(job.dynamics), space_at(job.state)
    n, d = space.size, space.dim
    _, P, _ = gaussian_at(b, n, d, lanes)
    y, w = vector(w, n, lanes)  # y, F and Q, as the model writes them
    F, w = matrix(w, d, d, lanes)
    Q, w = matrix(w, d, d, lanes)
    K, w = matrix(w, d, d, lanes)
    call(f.all, b, u, dt, f.parameters, address(y))
    symmetrize(Q, d)
    product(F, P, K, d, d, d, lanes)
    factor = table(job.settings, 1, 1)[0, 0]
    if factor != 1.0:  # what it adds to F P F' counts as process noise
        A, _ = matrix(w, d, d, lanes)
        gemm(1.0, plain(K), transposed(F), 0.0, A, A, d, d, d, d, lanes)
        for i in range(d):
            for j in range(d):
                Q[i, j] = Q[i, j] + (factor * factor - 1.0) * A[i, j]
    rts_gain(at, F, Q, K, b, w, lanes)


@driver("void(i8, i8, i8[:,::1], f8[:,:,::1], f8[:,::1], f8[::1], f8[:,:,::1], i8[:,::1], i8[::1])", nogil=True)
def smooth_rows(one, block, given, smoothed, ps, dts, us, still, failed):
    """Each row of beliefs backwards through its sequence.

    Args:
        one, block: addresses of the jobs for one lane and for a block of lanes.
        given: where filtered means and covariances and predicted ones are: an address, and the bytes from a row and
            from a step to the next, ``(4, 3)``.
        smoothed: the smoothed beliefs, to be written, ``(B, T, numbers)``.
        ps, dts, us: as for `run_rows`.
        still: whether no prediction moved the belief before each step, ``(B, T)``.
        failed: whether a number ceased to be finite, to be written, ``(B,)``.
    """
    i = 0
    while i < smoothed.shape[0]:
        many = smoothed.shape[0] - i > FEW
        lanes, stop = (LANES, min(i + LANES, smoothed.shape[0])) if many else (1, i + 1)
        smooth_block(block if many else one, lanes, i, stop, given, smoothed, ps, dts, us, still, failed)
        i = stop


@driver
def smooth_block(at, lanes, start, stop, given, smoothed, ps, dts, us, still, failed):
    """Rows start to stop in the lanes of a job."""
    job = job_at(at)
    f, n = model_at(job.dynamics), space_at(job.state).size
    numbers, codes, last = smoothed.shape[2], integers(job.status, lanes), smoothed.shape[1] - 1
    b, w = table(job.belief, 3 * numbers, lanes), job.scratch
    u, w = table(w, us.shape[2], lanes), w + 8 * us.shape[2] * lanes
    load_at(b[2 * numbers :], given[:2], n, numbers, start, stop, last)
    store(b, 2 * numbers, smoothed[:, last], start, stop)
    for t in range(last - 1, -1, -1):
        moved = 0
        for l in range(lanes):
            rests = still[min(start + l, stop - 1), t + 1]
            codes[l] = STILL if rests else 0
            moved += 1 - rests
        if moved > 0:
            load_at(b, given[:2], n, numbers, start, stop, t)
            load_at(b[numbers:], given[2:], n, numbers, start, stop, t + 1)
            f.parameters = ps[t + 1 if ps.shape[0] > 1 else 0].ctypes.data
            call(job.predict, at, job.belief, lanes_of(u, us, start, stop, t + 1), dts[t + 1 :], w)
        store(b, 2 * numbers, smoothed[:, t], start, stop)
        for l in range(stop - start):
            if codes[l] == FAILED:
                failed[start + l] = 1


@driver
def load_at(b, given, n, numbers, start, stop, t):
    """b = means and covariances of rows start to stop at step t, turned into lanes; those beyond repeat the last."""
    for l in range(b.shape[1]):
        row = min(start + l, stop - 1)
        x = table(given[0, 0] + row * given[0, 1] + t * given[0, 2], 1, n)
        P = table(given[1, 0] + row * given[1, 1] + t * given[1, 2], 1, numbers - n)
        for i in range(n):
            b[i, l] = x[0, i]
        for i in range(numbers - n):
            b[n + i, l] = P[0, i]


class Backward(NamedTuple):
    """A step of the smoother, for one belief and for a block of lanes, and what it asks of dynamics (see `Model`)."""

    one: Driver
    block: Driver
    results: tuple[str, str, str]


def backward(step: Driver, results: tuple[str, str, str]) -> Backward:
    """The step of a smoother, from its text over lanes."""
    return Backward(
        inner_step.entry(f"{step.__name__}_one", INNER, step=step, lanes=ONE),
        inner_step.entry(f"{step.__name__}_block", INNER, step=step, lanes=BLOCK),
        results,
    )


LINEARIZED = backward(rts_linearized, ("y F Q", "", ""))


@runtime_checkable
class Smoother(Protocol):
    """An estimator that smooths its runs in its own way."""

    def smoothed(self, run: FilterRun, *, rng: Rng = None) -> Any:
        """The beliefs of a run given all its readings, past and future, ``(..., T)``."""
        ...


def smooth(run: FilterRun, *, rng: Rng = None) -> Any:
    """The beliefs of a run given all its readings, past and future, ``(..., T)``.

    The estimator of the run smooths it in its own way, if it has a method `smoothed`. For Gaussian beliefs this is the
    Rauch-Tung-Striebel smoother, which is exact for linear models::

        G = C P-^-1                         P- and x- are predicted for the next step from P and x
        x = x (+) G (x' (-) x-)             x' and P' are smoothed at the next step
        P = P + G (P' - P-) G'

    The recursion runs backwards through the run. C is the covariance of the state and the next one: ``P F'`` for an
    `EKF`, with the Jacobian F at the filtered state, and that of the sigma points for a `UKF`. The covariance is
    computed in Joseph's form, ``(I - G F) P (I - G F)' + G (Q + P') G'``, so it stays one; a direction in which P- has
    no variance takes no part. The modes of an `IMM`, or of another filter of several models, are smoothed together
    (Helmick, Blair and Hoffman 1995; see `imm_smoother`), which with one mode is the same. Particles are smoothed by
    backward simulation; `smooth_particles` has more settings.

    Args:
        run: run of an estimator, over readings of any sensors.
        rng: seed or generator, for estimators whose smoother draws random numbers.

    Raises:
        ModelError: if the estimator has no smoother of its own, and the beliefs of the run are not Gaussian.
        CovarianceError: if numbers overflow. In a batch, such a row is NaN and gives a warning.

    Source: Rauch, Tung and Striebel, "Maximum likelihood estimates of linear dynamic systems", AIAA Journal 3, 1965;
    Sarkka, "Unscented Rauch-Tung-Striebel smoother", IEEE Trans. Automatic Control 53, 2008; Sarkka, *Bayesian
    Filtering and Smoothing*, 2013, sections 8.2, 9.1 and 9.3.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> run = KF(constant_velocity(1), dt=1.0).start(std=1.0).run(None, np.arange(4.0)[:, None], sensor=position(1))
        >>> bool(smooth(run).cov[0, 0, 0] < run.beliefs.cov[0, 0, 0])
        True
    """
    own = instance(run, FilterRun, "smooth").estimator
    return own.smoothed(run, rng=rng) if isinstance(own, Smoother) else rts(run)


def rts(run: FilterRun, step: Backward = LINEARIZED, settings: Any = (1.0,)) -> Gaussian:
    """Smoothed beliefs of a run with Gaussian beliefs, by a step and its settings; see `smooth`."""
    if not (isinstance(run.beliefs, Gaussian) and isinstance(run.predicted, Gaussian)):
        raise ModelError(
            f"the beliefs of the run are {type(run.beliefs).__name__}; expected those of a KF, EKF or UKF, or of "
            "another Kalman filter, which are Gaussian"
        )
    space, batch = run.beliefs.space, run.beliefs.mean.shape[:-2]
    n, d, count = space.size, space.dim, len(run.dts)
    given = [_flat(part, batch) for belief in (run.beliefs, run.predicted) for part in (belief.mean, belief.cov)]
    total = len(given[0])
    smoothed, failed = np.empty((total, count, n + d * d)), np.zeros(total, dtype=np.int64)
    if count:
        made = [_job(run, step, settings, lanes) for lanes in ((False, True) if total > FEW else (False,))]
        smooth_rows.compiled(
            made[0][0].at, made[-1][0].at, np.array([(a.ctypes.data, *a.strides[:2]) for a in given]), smoothed,
            paces(run.dynamics, run.dts, run.dts > 0.0), run.dts, once_or_rows(run.us, batch, 2, "actions"),
            _still(run, given), failed,
        )  # fmt: skip
        for _, model in made:
            model.check()
    if failed.any():
        _refuse(failed, smoothed, batch)
    x, P = smoothed[..., :n], smoothed[..., n:].reshape(total, count, d, d)
    return Gaussian.trusted(space, unflat(x, batch), unflat(P, batch))


def _flat(a: np.ndarray, batch: tuple[int, ...]) -> np.ndarray:
    """Means or covariances in rows ``(B, T, numbers)`` whose numbers lie side by side; most often a view."""
    a = a.reshape(int(np.prod(batch, dtype=int)), a.shape[len(batch)], -1)
    return a if a.strides[-1] == 8 or a.shape[-1] < 2 else np.ascontiguousarray(a)


def _job(run: FilterRun, step: Backward, settings: Any, lanes: bool) -> tuple[Any, Model]:
    """The job of a smoother, and its dynamics."""
    space: Space = run.beliefs.space
    entry, table = step.block if lanes else step.one, np.array(settings, dtype=np.float64)
    numbers, inputs = space.size + space.dim**2, run.us.shape[-1]
    work = job((entry, entry), space, lanes, 3 * numbers, table, inputs, 0, True, len(table))
    model = Model(run.dynamics, space, inputs, step.results, lanes)
    work.point("dynamics", model)
    return work, model


def _still(run: FilterRun, given: list[np.ndarray]) -> np.ndarray:
    """Where no prediction moved the belief: at a second reading of one time, and where a prediction failed."""
    rests = rows((run.dts == 0.0) | (run.status > STILL), run.status.shape[:-1]).astype(np.int64)
    if rests.any():
        for before, after in zip(given[2:], given[:2]):
            rests[:, 1:] &= (before[:, 1:] == after[:, :-1]).all(-1)
    return rests


def _refuse(failed: np.ndarray, after: np.ndarray, batch: tuple[int, ...]) -> None:
    """Raise for a single sequence; rows of a batch become NaN, with a warning."""
    what = "numbers of the smoother overflow; are the beliefs of the run finite, and is the system not too unstable?"
    if not batch:
        raise CovarianceError(what)
    after[failed > 0] = np.nan
    warnings.warn(f"{np.count_nonzero(failed)} of {len(failed)} sequences are NaN: {what}", RuntimeWarning, 4)
