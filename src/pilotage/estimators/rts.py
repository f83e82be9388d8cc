"""The Rauch-Tung-Striebel smoother, on any space."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import FilterRun, FilterStatus, Gaussian, ModelError
from ..core.settings import instance


def smooth(run: FilterRun) -> Gaussian:
    """The beliefs of a run given all its readings, past and future, ``(..., T)``; exact for linear models.

    ::

        G = P F' P-^-1                      P- and x- are predicted for the next step from P and x
        x = x (+) G (x' (-) x-)             x' and P' are smoothed at the next step
        P = P + G (P' - P-) G'

    The recursion runs backwards through the run. F is the Jacobian of the dynamics at the filtered state.

    Args:
        run: run of any Kalman filter, over readings of any sensors.

    Raises:
        ModelError: if the beliefs of the run are not Gaussian, like those of an `IMM` or a particle filter.

    Source: Rauch, Tung and Striebel, "Maximum likelihood estimates of linear dynamic systems", AIAA Journal 3, 1965;
    Sarkka, *Bayesian Filtering and Smoothing*, 2013, sections 8.2 and 9.1.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> run = KF(constant_velocity(1), dt=1.0).start(std=1.0).run(None, np.arange(4.0)[:, None], sensor=position(1))
        >>> bool(smooth(run).cov[0, 0, 0] < run.beliefs.cov[0, 0, 0])
        True
    """
    instance(run, FilterRun, "smooth")
    after, before = run.beliefs, run.predicted
    if not (isinstance(after, Gaussian) and isinstance(before, Gaussian)):
        raise ModelError(
            f"the beliefs of the run are {type(after).__name__}; expected those of a KF, EKF or UKF, or of another "
            "Kalman filter, which are Gaussian; smooth_particles(run) takes particles"
        )
    space, steps = after.space, len(run.dts)
    x, P = np.array(after.mean), np.array(after.cov)
    for k in range(steps - 2, -1, -1):
        G = _gain(run, k)
        off = np.asarray(space.minus(x[..., k + 1, :], before.mean[..., k + 1, :]))
        gained = P[..., k + 1, :, :] - before.cov[..., k + 1, :, :]
        P[..., k, :, :] += G @ gained @ G.swapaxes(-1, -2)
        P[..., k, :, :] = 0.5 * (P[..., k, :, :] + P[..., k, :, :].swapaxes(-1, -2))
        x[..., k, :] = space.plus(x[..., k, :], (G @ off[..., None])[..., 0])
    return Gaussian.trusted(space, x, P)


def _gain(run: FilterRun, k: int) -> Any:
    """``P F' P-^-1`` from step k to the next; the identity where nothing moves."""
    x, P, later = run.beliefs.mean[..., k, :], run.beliefs.cov[..., k, :, :], run.predicted.cov[..., k + 1, :, :]
    d, dt = P.shape[-1], float(run.dts[k + 1])
    F = np.eye(d) if dt == 0.0 else np.asarray(run.dynamics.linearize(x, run.us[..., k + 1, :], dt)[0])
    stuck = run.status[..., k + 1] > FilterStatus.NO_READING  # a step that failed left the belief where it was
    F = np.where(np.asarray(stuck)[..., None, None], np.eye(d), F)
    return np.swapaxes(solved(later, F @ P), -1, -2)


def solved(A: Any, B: Any) -> Any:
    """``A^-1 B`` for covariances, by the pseudoinverse where a direction has no variance."""
    try:
        np.linalg.cholesky(A)
        return np.linalg.solve(A, B)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(A, hermitian=True) @ B
