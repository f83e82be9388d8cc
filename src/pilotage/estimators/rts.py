"""Smoothing of runs: by the way of their estimator, or by that of Rauch, Tung and Striebel for Gaussian beliefs."""

from __future__ import annotations

import warnings
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..core import CovarianceError, FilterRun, Gaussian, ModelError, Rng, Space
from ..core.settings import instance
from ._backward import LINEARIZED, STILL, Backward, smooth_rows
from ._drivers import FEW
from ._inputs import once_or_rows, rows, unflat
from ._jobs import Model, job, paces


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
    work.point("scratch", np.full(work.kept[-1].shape, np.nan))  # the first step repeats none
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
