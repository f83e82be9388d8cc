"""To filterpy: an object of its with the model, the noise and the estimate of a filter."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Dynamics, ModelError, Sensor
from ...core.settings import instance
from ...estimators import EKF, KF, UKF, Filter, InformationKF, JulierPoints, MerwePoints
from ._models import SENSOR, filterpy_kalman


def to_filterpy(ours: Filter, sensor: Sensor | str = SENSOR, *, dt: float | None = None) -> Any:
    """The filterpy object with the model, the noise and the current estimate of a filter.

    A `KF` or `InformationKF` becomes a `KalmanFilter`, an `EKF` an `ExtendedKalmanFilter`, and a `UKF` an
    `UnscentedKalmanFilter` whose hooks are those of the space. The extended one carries what its update takes:
    ``update(z, ekf.HJacobian, ekf.Hx, residual=ekf.residual)``. The noise is that at the current mean and the step
    `dt`, as filterpy keeps it constant.

    Args:
        ours: a filter with a `KF`, `InformationKF`, `EKF` or `UKF`.
        sensor: the sensor, or its name in the filter.
        dt: time step [s]; default: that of the estimator.

    Raises:
        MissingExtra: if filterpy is not installed.
        ModelError: for other estimators, for rotations, and for sensors that need a context.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> ours = KF(constant_velocity(1), dt=0.1).start(std=1.0, sensors={"z": position(1, std=0.5)})
        >>> theirs = to_filterpy(ours)
        >>> theirs.F.tolist(), theirs.R.tolist()
        ([[1.0, 0.1], [0.0, 1.0]], [[0.25]])
    """
    kalman = filterpy_kalman()
    instance(ours, Filter, "to_filterpy")
    found = ours.sensors.get(sensor) if isinstance(sensor, str) else sensor
    mounted = instance(found, Sensor, f"the sensor {sensor!r}").on(ours.belief.space)
    state, step = ours.belief.space, dt or getattr(ours.estimator, "dt", None)
    if state.size != state.dim or mounted.context is None or mounted.context.size or step is None:
        raise ModelError(
            f"filterpy takes a state of reals and angles, a sensor without context and a step; {state}, {mounted!r} "
            f"and dt = {step} were given"
        )
    for kind, convert in ((KF, _to_linear), (InformationKF, _to_linear), (EKF, _to_extended), (UKF, _to_unscented)):
        if type(ours.estimator) is kind:
            return convert(kalman, ours, mounted, float(step))
    raise ModelError(f"a {type(ours.estimator).__name__} has no counterpart in filterpy; expected a KF, EKF or UKF")


def _to_linear(kalman: Any, ours: Filter, sensor: Sensor, dt: float) -> Any:
    x, dynamics = ours.belief.mean, ours.dynamics
    u = np.zeros(dynamics.action.size)
    theirs = kalman.KalmanFilter(dim_x=x.size, dim_z=sensor.reading.dim, dim_u=u.size)
    F, B = dynamics.linearize(x, u, dt)
    theirs.F, theirs.B = np.array(F), np.array(B) if u.size else None
    theirs.H = np.array(sensor.linearize(x))
    return _filled(theirs, ours, sensor, dt)


def _to_extended(kalman: Any, ours: Filter, sensor: Sensor, dt: float) -> Any:
    dynamics: Dynamics = ours.dynamics
    idle = np.zeros(dynamics.action.size)

    class Extended(kalman.ExtendedKalmanFilter):
        """The filter with our model: its `predict_x` moves the state and linearises."""

        def predict_x(self, u: Any = 0) -> None:
            u = idle if np.ndim(u) == 0 and idle.size != 1 else np.ravel(u)
            self.F = np.asarray(dynamics.linearize(self.x, u, dt)[0])
            self.x = np.asarray(dynamics.step(self.x, u, dt))

    theirs: Any = Extended(dim_x=dynamics.state.dim, dim_z=sensor.reading.dim, dim_u=idle.size)
    theirs.Hx, theirs.HJacobian, theirs.residual = sensor.observe, sensor.linearize, sensor.reading.minus
    return _filled(theirs, ours, sensor, dt)


def _to_unscented(kalman: Any, ours: Filter, sensor: Sensor, dt: float) -> Any:
    dynamics: Dynamics = ours.dynamics
    state, reading, points = dynamics.state, sensor.reading, ours.estimator.sigma_points()
    if isinstance(points, MerwePoints):
        theirs = kalman.MerweScaledSigmaPoints(state.dim, points.alpha, points.beta, points.kappa)
    elif isinstance(points, JulierPoints):
        theirs = kalman.JulierSigmaPoints(state.dim, points.kappa)
    else:
        raise ModelError(f"the points are {points}; filterpy has Merwe's and Julier's")
    idle = np.zeros(dynamics.action.size)
    ukf = kalman.UnscentedKalmanFilter(
        state.dim, reading.dim, dt, sensor.observe, lambda x, dt, u=idle: dynamics.step(x, u, dt), theirs,
        x_mean_fn=state.mean, z_mean_fn=reading.mean, residual_x=state.minus, residual_z=reading.minus,
        state_add=state.plus,
    )  # fmt: skip
    return _filled(ukf, ours, sensor, dt)


def _filled(theirs: Any, ours: Filter, sensor: Sensor, dt: float) -> Any:
    """Their filter with our estimate and noise."""
    belief = ours.belief.moments()
    x = belief.mean
    theirs.x, theirs.P = np.array(x), np.array(belief.cov)
    theirs.Q = np.array(ours.dynamics.noise(x, np.zeros(ours.dynamics.action.size), dt))
    theirs.R = np.array(sensor.noise(x))
    return theirs
