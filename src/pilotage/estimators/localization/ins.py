"""Inertial navigation that is ready to start: levelled by the accelerometers, headed by a compass or a course."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Annotated, Any, cast

import numpy as np

from ...core import Dynamics, Gaussian, Sensor, ShapeError, Update
from ...core.arrays import Array, numbers
from ...core.errors import SettingError
from ...core.mathematics import numpy_math
from ...core.rotations import matrix as rotation_matrix
from ...core.rotations import product, rotation_exp
from ...core.settings import Interval, Positive, positive, setting, settings
from ...models import inertial_navigation
from ...models.aiding import standstill
from ...models.navigation import INERTIAL
from .._gaussian import GaussianEstimator
from ..ekf import EKF
from ..filter import Filter

SLOWEST = 1.0
"""Below this speed [m/s] a velocity tells no heading."""
FAR = 10.0
"""Beyond so many standard deviations, a turn rate is not the bias of a gyroscope at rest."""


@settings
class InertialNavigation:
    """Inertial navigation with 15 error states, from levelling to the filter that runs.

    ::

        level     roll = atan2(f_y, f_z),   pitch = atan2(-f_x, hypot(f_y, f_z)),   f = mean(accel)
        head      yaw = heading, or atan2(vy, vx) of a vehicle that moves forwards
        bias      an update by `still`:  z = (0, mean(gyro), f),  h = (v, bg, R' g + ba)
        then      predict(u=(gyro, accel)) with every reading of the IMU; update(sensor, z) with all else

    The update ties the errors of the levels to the biases of the accelerometers that caused them: at rest only their
    sum can be seen. `start` returns a `Filter` over the state of `inertial_navigation`.

    Args:
        dynamics: `inertial_navigation` with the densities of the IMU.
        dt: default step [s].
        filter: any Kalman filter, with its gate.
        still: the sensor for standstill, with the noise of the mean of the readings that `start` is given.
        gyro_bias, accel_bias: standard deviations of the biases before anything is read [rad/s, m/s^2]: what the data
            sheet calls bias repeatability.
        tilt: standard deviation of the levels before anything is read [rad]; it need only be large enough.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013),
    section 5.6, and 14.2 for the filter.

    Example:
        >>> navigation = InertialNavigation(dt=0.01)
        >>> car = navigation.start([0.002, 0.0, 0.0], [0.0, 0.0, 9.81], heading=0.5, heading_std=0.1)
        >>> car.predict(u=[0.002, 0.0, 0.0, 1.0, 0.0, 9.81])
        >>> round(float(car.belief.mean[7]), 4)                       # vx, after 10 ms at 1 m/s^2 towards 0.5 rad
        0.0088
    """

    dynamics: Dynamics = field(default_factory=inertial_navigation)
    dt: Positive | None = None
    filter: EKF | GaussianEstimator = EKF()
    still: Sensor = field(default_factory=standstill)
    gyro_bias: Positive = 0.01
    accel_bias: Positive = 0.2
    tilt: Positive = 0.2

    def __post_init__(self) -> None:
        if self.dynamics.state != INERTIAL:
            raise SettingError(
                f"InertialNavigation has dynamics with the state {self.dynamics.state}; expected those that "
                "inertial_navigation(...) makes"
            )

    def start(
        self,
        gyro: Any,
        accel: Any,
        *,
        position: Any = (0.0, 0.0, 0.0),
        position_std: Any = 1.0,
        velocity: Any = None,
        velocity_std: float = 0.5,
        heading: float | None = None,
        heading_std: float | None = None,
        standing: bool = True,
        t: float = 0.0,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> Filter:
        """The filter, levelled.

        Args:
            gyro, accel: readings of the IMU ``(T, 3)`` or their mean ``(3,)`` [rad/s, m/s^2], best of some seconds of
                standstill, before the vehicle sets off; x forward, y left, z up, so that z reads +9.81 at rest. Where
                it reads less than zero, the vehicle is taken to lie on its back, and a warning says so: multiply the
                readings of an IMU with z down by (1, -1, -1).
            position: in the local frame ``(3,)`` [m].
            position_std: its standard deviation, one number or ``(3,)`` [m].
            velocity: east, north, up ``(3,)`` [m/s]; None at standstill.
            velocity_std: its standard deviation [m/s]; not used at standstill, where `still` says it.
            heading: counter-clockwise from east [rad]; None takes the course of `velocity`.
            heading_std: its standard deviation [rad]; None takes 0.1 for a given heading, and for a course what
                `velocity_std` makes of it, and 0.05.
            standing: whether the readings of the IMU are from a standstill, so that they tell the gyroscopes' biases.
            t: start time [s].
            sensors: sensors by name; `update` and `run` accept these names.

        Raises:
            SettingError: if neither heading nor a velocity of more than 1 m/s says where the vehicle points, or the
                readings or the heading cannot be in these units: `accel` of less than half or more than twice the
                gravity, `gyro` far beyond `gyro_bias` at a standstill, a heading beyond a full turn.
        """
        w, f = _mean(gyro, "gyro"), _mean(accel, "accel")
        v = np.zeros(3) if velocity is None else _triple(velocity, "velocity")
        yaw, yaw_std = _heading(heading, heading_std, v, positive(velocity_std, "velocity_std"))
        roll, pitch = math.atan2(f[1], f[2]), math.atan2(-f[0], math.hypot(f[1], f[2]))
        q = _attitude(roll, pitch, yaw)
        space = self.dynamics.state
        mean = np.concatenate([_triple(position, "position"), q, v, np.zeros(6)])
        variances = np.concatenate([
            np.broadcast_to(numbers(position_std, "position_std") ** 2, 3), [self.tilt**2, self.tilt**2, yaw_std**2],
            np.full(3, velocity_std**2), np.full(3, self.gyro_bias**2), np.full(3, self.accel_bias**2),
        ])  # fmt: skip
        P = np.diag(variances)
        R = np.array(rotation_matrix(q)).reshape(3, 3)
        P[3:6, 3:6] = R.T @ P[3:6, 3:6] @ R  # errors of level and heading, in axes of the body
        nothing = np.full(3, np.nan)
        z = np.concatenate([nothing if velocity is not None else np.zeros(3), w if standing else nothing, f])
        found = EKF().update(Gaussian(space, mean, P), self.still, z)
        _check_units(f, w, found, self.gyro_bias)
        if f[2] < 0.0:
            warnings.warn(
                f"accel reads {f[2]:.3g} m/s^2 along z, so the vehicle is taken to lie on its back, with a roll of "
                f"{math.degrees(roll):.0f} deg; of an IMU with axes forward, right and down, give gyro and accel times "
                "(1, -1, -1)",
                RuntimeWarning,
                stacklevel=2,
            )
        belief = cast(Gaussian, found.belief)
        return replace(self.filter, dynamics=self.dynamics, dt=self.dt).start(belief=belief, t=t, sensors=sensors)


def _check_units(f: Array, w: Array, found: Update, bias: float) -> None:
    """Refuse readings in other units, or without gravity: the filter would take the difference for biases."""
    length, gravity = float(np.linalg.norm(f)), float(np.linalg.norm(f - found.innovation[6:]))
    if not 0.5 * gravity < length < 2.0 * gravity:
        raise SettingError(
            f"accel is {length:.3g} long on average; expected the specific force in m/s^2, about {gravity:.3g} at rest:"
            " multiply readings in g by 9.80665, and take those that gravity was not removed from"
        )
    if (np.abs(found.innovation[3:6]) > FAR * np.sqrt(np.diag(found.S)[3:6])).any():
        raise SettingError(
            f"gyro is {w.round(4).tolist()} on average, far beyond gyro_bias = {bias:g}; expected rad/s at a standstill"
            " (use numpy.radians for degrees); give a larger gyro_bias, or standing=False"
        )


def _heading(heading: float | None, std: float | None, v: Array, v_std: float) -> tuple[float, float]:
    """The heading and its standard deviation, from a compass or the course."""
    speed = math.hypot(v[0], v[1])
    if heading is not None:
        turn = Annotated[float, Interval(-2.0 * math.pi, 2.0 * math.pi, "[]")]
        return setting(heading, turn, "heading [rad]"), positive(0.1 if std is None else std, "heading_std")
    if speed < SLOWEST:
        raise SettingError(
            f"the heading is unknown, and the speed is {speed:g} m/s; give heading=..., or start when the velocity, at "
            f"{SLOWEST:g} m/s or more, tells the course"
        )
    return math.atan2(v[1], v[0]), positive(math.hypot(v_std / speed, 0.05) if std is None else std, "heading_std")


def _attitude(roll: float, pitch: float, yaw: float) -> list[float]:
    """The quaternion wxyz that turns body axes into the world: first roll, then pitch, then yaw."""
    turns = ([0.0, 0.0, yaw], [0.0, pitch, 0.0], [roll, 0.0, 0.0])
    about_z, about_y, about_x = (rotation_exp(turn, numpy_math) for turn in turns)
    return [float(e) for e in product(product(about_z, about_y), about_x)]


def _mean(readings: Any, name: str) -> Array:
    given = numbers(readings, name)
    if given.ndim == 0 or given.shape[-1] != 3 or given.size == 0:
        raise ShapeError(f"{name} has shape {given.shape}; expected (T, 3), or (3,): x forward, y left, z up")
    return given.reshape(-1, 3).mean(axis=0)


def _triple(values: Any, name: str) -> Array:
    given = numbers(values, name)
    if given.shape != (3,):
        raise ShapeError(f"{name} has shape {given.shape}; expected (3,): east, north, up")
    return given
