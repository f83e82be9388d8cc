"""Odometry with the errors of its wheels: systematic ones corrected, random ones as a covariance; from data."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian, Space
from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Finite, Interval, NonNegative, settings

Array = NDArray[np.float64]
PLANE = Space("pose: SE2")
FLOOR = (0.005, 0.005, 0.002)
"""Standard deviation of a step of any length [m, m, rad]: of rounding, and of a robot that is pushed."""


@settings
class OdometryModel:
    """The motion of a robot from its odometry: gains and a bias, and variances that grow with the way.

    ::

        dx = advance_gain ux                var dx, dy = advance_noise^2 s + advance_turn_noise^2 |uyaw|
        dy = advance_gain uy
        dyaw = turn_gain uyaw + curl ux     var dyaw = turn_noise^2 |uyaw| + turn_advance_noise^2 s,   s = |(ux, uy)|

    where u is the step of the odometry in the frame of the robot before it. Variances add up along the way, so that
    they do not depend on how often the odometry is read.

    Args:
        advance_gain: metres for a metre of the odometry.
        turn_gain: radians for a radian of the odometry.
        curl: turn for a metre of the odometry [rad/m], of wheels of different size.
        advance_noise: error of the position [m / sqrt(m)].
        advance_turn_noise: error of the position in turns [m / sqrt(rad)].
        turn_noise: error of the heading in turns [rad / sqrt(rad)].
        turn_advance_noise: error of the heading [rad / sqrt(m)].

    Example:
        >>> model = OdometryModel(turn_gain=0.9)
        >>> belief = model.step([0.0, 0.0, 0.0], [1.0, 0.0, 0.5])
        >>> belief.mean.tolist()
        [1.0, 0.0, 0.45]
    """

    advance_gain: Annotated[float, Interval(0.0, 10.0)] = 1.0
    turn_gain: Annotated[float, Interval(0.0, 10.0)] = 1.0
    curl: Finite = 0.0
    advance_noise: NonNegative = 0.1
    advance_turn_noise: NonNegative = 0.05
    turn_noise: NonNegative = 0.1
    turn_advance_noise: NonNegative = 0.05

    def step(self, before: ArrayLike, after: ArrayLike) -> Gaussian:
        """The motion between two poses of the odometry ``(3,)``, in the frame of the robot before it."""
        u = np.asarray(PLANE.compose(PLANE.inverse(PLANE.check(before, "odometry")), PLANE.check(after, "odometry")))
        s, turn = float(np.hypot(u[0], u[1])), abs(float(u[2]))
        moved = [self.advance_gain * u[0], self.advance_gain * u[1], self.turn_gain * u[2] + self.curl * u[0]]
        along = self.advance_noise**2 * s + self.advance_turn_noise**2 * turn
        variances = [along, along, self.turn_noise**2 * turn + self.turn_advance_noise**2 * s]
        return Gaussian(PLANE, PLANE.plus(moved, np.zeros(3)), np.diag(variances) + np.diag(FLOOR) ** 2)


def calibrate_odometry(odometry: ArrayLike, motion: ArrayLike, covs: ArrayLike | None = None) -> OdometryModel:
    """The odometry model that explains measured motions, such as those of matched scans.

    Gains and bias are found by least squares without weights, which no wrong variance can mislead. The variances follow
    from the squares of what is left, less those of the motions, by weighted least squares with none below zero.

    Args:
        odometry: steps of the odometry ``(N, 3)``: x, y, yaw of a pose in the frame of the one before.
        motion: the motions of the robot in these steps ``(N, 3)``.
        covs: their covariances ``(N, 3, 3)``; 0 by default.

    Raises:
        ShapeError: if there are fewer than ten steps, shapes do not match, or the robot neither drove nor turned.

    Source: the linear case of A. Censi, A. Franchi, L. Marchionni and G. Oriolo, "Simultaneous calibration of odometry
    and sensor parameters for mobile robots", IEEE T-RO 2013, for a sensor at the middle of the robot.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> u = rng.uniform([0.0, 0.0, -0.5], [1.0, 0.0, 0.5], (200, 3))
        >>> model = calibrate_odometry(u, u * [1.02, 1.02, 0.95] + rng.normal(0.0, 0.01, (200, 3)))
        >>> round(model.advance_gain, 2), round(model.turn_gain, 2)
        (1.02, 0.95)
    """
    u, d, P = _steps(odometry, motion, covs)
    gain = float((u[:, :2] * d[:, :2]).sum() / (u[:, :2] ** 2).sum())
    A = u[:, [2, 0]]
    turns = np.linalg.lstsq(A, d[:, 2], rcond=None)[0]
    left = np.column_stack([((d - gain * u)[:, :2] ** 2).mean(axis=1), (d[:, 2] - A @ turns) ** 2])
    own = np.column_stack([0.5 * (P[:, 0, 0] + P[:, 1, 1]), P[:, 2, 2]])
    # Both take part in the way, as the noise of either would seem to explain itself.
    ways = np.sqrt(_ways(u) * _ways(d))
    var, noise = np.ones((len(u), 2)), np.zeros((2, 2))
    for _ in range(10):
        noise = np.array([_variances(ways, left[:, k] - own[:, k], 1.0 / (own[:, k] + var[:, k])) for k in (0, 1)])
        var = np.maximum(ways @ noise.T, np.square([FLOOR[0], FLOOR[2]]))
    (along, along_turn), (head, head_turn) = np.sqrt(noise)
    return OdometryModel(
        advance_gain=gain, turn_gain=float(turns[0]), curl=float(turns[1]),
        advance_noise=along, advance_turn_noise=along_turn, turn_advance_noise=head, turn_noise=head_turn,
    )  # fmt: skip


def _ways(x: Array) -> Array:
    """Metres and radians of steps ``(N, 2)``."""
    return np.column_stack([np.hypot(x[:, 0], x[:, 1]), np.abs(x[:, 2])])


def _variances(ways: Array, squares: Array, w: Array) -> Array:
    """Variances for a metre and a radian, none negative, that explain squared errors."""
    from scipy.optimize import nnls

    return nnls(ways * w[:, None], squares * w)[0]


def _steps(odometry: Any, motion: Any, covs: Any) -> tuple[Array, Array, Array]:
    u, d = numbers(odometry, "odometry"), numbers(motion, "motion")
    P = np.zeros((len(u), 3, 3)) if covs is None else numbers(covs, "covs")
    if u.ndim != 2 or u.shape[-1] != 3 or d.shape != u.shape or P.shape != (len(u), 3, 3) or len(u) < 10:
        raise ShapeError(
            f"odometry, motion and covs have shapes {u.shape}, {d.shape} and {P.shape}; expected (N, 3), (N, 3) and "
            "(N, 3, 3), for ten steps or more"
        )
    if not (np.isfinite(u).all() and np.isfinite(d).all() and np.isfinite(P).all()):
        raise ShapeError("odometry, motion or covs hold NaN or infinity; leave out steps that were not measured")
    if not (np.abs(u[:, :2]).max() > 1e-3 and np.abs(u[:, 2]).max() > 1e-3):
        raise ShapeError("the robot did not both drive and turn; expected steps that tell its gains")
    return u, d, P
