"""The steady state of a Kalman filter: the covariance and the gain that it settles to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..core import Dynamics, ModelError, Sensor
from ..core.arrays import Array
from .kf import KF


class SteadyState(NamedTuple):
    """What a Kalman filter settles to.

    Attributes:
        cov: P, the covariance after an update, ``(d, d)``.
        predicted: P-, the covariance before an update, ``(d, d)``.
        gain: K, ``(d, m)``.
    """

    cov: Array
    predicted: Array
    gain: Array


def steady_state(dynamics: Dynamics, sensor: Sensor, dt: float) -> SteadyState:
    """The steady state of the Kalman filter of linear models, a reading every `dt` seconds.

    ::

        P- = F (P- - K S K') F' + Q,     S = H P- H' + R,     K = P- H' S^-1,     P = P- - K S K'

    A `KF` that starts from P keeps it, and its gain, for ever: it is the steady-state Kalman filter. Where no filter
    may run, ``x = f(x, u) + K (z - H f(x, u))`` is all there is to compute.

    Source: Anderson and Moore, *Optimal Filtering*, 1979, chapter 4; the equation by SciPy's `solve_discrete_are`.

    Args:
        dynamics, sensor: linear.
        dt: seconds between readings.

    Raises:
        ModelError: when a model is not linear, or errors grow that no reading tells, so that there is no steady state.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> print(steady_state(constant_velocity(1, density=0.5), position(1, std=0.8), dt=0.1).gain.round(3))
        [[0.18 ]
         [0.179]]
    """
    from scipy.linalg import solve_discrete_are

    KF().check_dynamics(dynamics)
    KF().check_sensor(sensor)
    sensor = sensor.on(dynamics.state)
    x, u = dynamics.state.identity(), np.zeros(dynamics.action.size)
    F, Q = np.asarray(dynamics.linearize(x, u, dt)[0]), np.asarray(dynamics.noise(x, u, dt))
    H, R = np.asarray(sensor.linearize(x)), np.asarray(sensor.noise(x))
    try:
        before = np.asarray(solve_discrete_are(F.T, H.T, Q, R))
    except (np.linalg.LinAlgError, ValueError) as error:
        raise ModelError(
            f"{dynamics!r} with {sensor!r} has no steady state: an error grows that no reading tells, or Q leaves a "
            "direction without noise; read more components, or add noise"
        ) from error
    before = 0.5 * (before + before.T)
    S = H @ before @ H.T + R
    K = np.linalg.solve(S, H @ before).T
    M = np.eye(len(F)) - K @ H
    return SteadyState(*(np.asarray(A, dtype=np.float64) for A in (M @ before @ M.T + K @ R @ K.T, before, K)))
