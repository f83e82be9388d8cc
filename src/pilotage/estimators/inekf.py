"""The invariant extended Kalman filter: the error of rotations and poses on the side that fits each sensor."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np

from ..core import Sensor, Space
from ..core.settings import settings
from ..models.trace import call, code_of, driver
from ._algebra import gemm
from ._gaussian import GaussianEstimator
from ._jobs import Model
from ._memory import accepted, address, job_at, matrix, model_at, plain, select, space_at, transposed, vector
from ._steps import Inner, gaussian_at, inner_steps
from .ekf import EKF, ekf_predict, ekf_update, extended

PROBES, ALIKE = 4, 1e-8


@driver(inline=True)
def invariant_update(at, b, z, context, w, lanes):
    """`ekf_update`, and P given on the other side of the new mean, where the sensor asks for it by its value."""
    job = job_at(at)
    h, space = model_at(job.sensor), space_at(job.state)
    n, d = space.size, space.dim
    x, P, _ = gaussian_at(b, n, d, lanes)
    before, w = vector(w, n, lanes)
    for i in range(n):
        before[i] = x[i]
    ekf_update(at, b, z, context, w, lanes)
    if h.value != 0:
        A, w = matrix(w, d, d, lanes)
        M, w = matrix(w, d, d, lanes)
        N, w = matrix(w, d, d, lanes)
        call(h.value, b, address(before), 0, 0, address(A))
        gemm(1.0, plain(A), plain(P), 0.0, M, M, d, d, d, d, lanes)
        gemm(1.0, plain(M), transposed(A), 0.0, N, N, d, d, d, d, lanes)
        good = accepted(job.status, lanes)
        for i in range(d):
            for j in range(i + 1):
                a = select(good, 0.5 * (N[i, j] + N[j, i]), P[i, j])
                P[i, j] = a
                P[j, i] = a


@settings
class InvariantEKF(GaussianEstimator):
    """Invariant extended Kalman filter, for states with rotations, poses and extended poses.

    ::

        predict   x = f(x, u, dt)               P = F P F' + Q
        update    y = z (-) h(x)                S = H P H' + R        K = P H' S^-1
                  x+ = x (+) K y                P = (I - K H) P (I - K H)' + K R K'
                  P = A P A'                    A = Ad(x+)^-1 Ad(x)  for x (+) d = x Exp(d) and a sensor of the left

    It is the `EKF` of the error ``x^-1 x_true`` (left-invariant, x Exp(d), given in the body) or ``x_true x^-1``
    (right-invariant, Exp(d) x, given in the world). Both lead to the same x, but they take P of the prior to the new
    mean in another frame, that of the body or that of the world, and A lies between the two. On the side that fits
    the sensor, the rows of H span the same directions at every state, so that no update claims to know what no reading
    tells, even where the state is far off. And F does not depend on the state where dynamics are group-affine: SE2 and
    SE3 driven by body velocities, SE3[v] by an inertial measurement unit.

    World-frame readings of the body (GNSS) fit an error on the right; body-frame readings of the world (landmarks,
    gravity, magnetic field) fit one on the left. Parts that are no rotation or pose, such as biases, stay what they
    are ("imperfect" invariant filter). Positions and velocities take part within a pose only, SE2, SE3 or SE3[v]:
    beside a quaternion, as in `inertial_navigation`, an update with GNSS is that of the `EKF`.

    Source: Barrau and Bonnabel, "The invariant extended Kalman filter as a stable observer", IEEE Trans. Automatic
    Control 62, 2017; Barrau and Bonnabel, "Invariant Kalman filtering", Annual Review of Control, Robotics, and
    Autonomous Systems 1, 2018.

    Args:
        dynamics, dt, gate: as for `EKF`.
        side: side of the perturbation for updates, "right" or "left"; "auto" finds the one that fits each sensor by
            trial, and takes that of the state if neither fits better than the other.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.models import dynamics, gnss
        >>> @dynamics(state=Space("pose: SE2"), action=Space("speed [m/s]", "turn [rad/s]"), noise=(0.02, 0.02, 0.02))
        ... def rover(x, u, p, m):
        ...     return u[0], 0.0, u[1]
        >>> robot = InvariantEKF(rover(), dt=0.1).start(mean=[0, 0, 0.4], std=[0.1, 0.1, 0.8])
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(gnss(std=0.5), z=[0.2, 0.1]).accepted
        True
    """

    side: Literal["auto", "right", "left"] = "auto"

    inner: ClassVar[Inner] = inner_steps(ekf_predict, invariant_update)
    dynamics_results: ClassVar[tuple[str, str, str]] = EKF.dynamics_results
    sensor_results: ClassVar[tuple[str, str, str]] = EKF.sensor_results

    def constants(self, space: Space) -> np.ndarray:
        return extended(space)

    def sensor_model(self, sensor: Sensor, lanes: bool = False) -> Model:
        model, space = super().sensor_model(sensor, lanes), sensor.state
        side = fitting_side(sensor) if self.side == "auto" else self.side
        if side is not None and space.perturbed(side) != space:
            model.point(
                "value", code_of(space, f"reframed_{side}", lanes)
            )  # its place is free: updates need "all" only
        return model


def fitting_side(sensor: Sensor) -> Literal["right", "left"] | None:
    """The side of the perturbation on which a reading tells the same at every state; None where no side is better.

    Best is ``H' R^-1 H`` that is the same everywhere; next comes H whose rows span the same space everywhere. It is
    found by trial, at a few random states, so a sensor with contexts that are objects has none.

    Args:
        sensor: mounted on the state.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.models import gnss, range_bearing
        >>> state = Space("pose: SE2")
        >>> fitting_side(gnss().on(state)), fitting_side(range_bearing().on(state))
        ('right', 'left')
    """
    return (_found if getattr(sensor, "__hash__", None) else _found.__wrapped__)(sensor)


@lru_cache(maxsize=512)
def _found(sensor: Sensor) -> Literal["right", "left"] | None:
    space, rng = sensor.state, np.random.default_rng(0)
    if sensor.context is None or space.perturbed("left") == space.perturbed("right"):
        return None
    x, c = space.sample(PROBES, rng=rng), sensor.context.sample(rng=rng) if sensor.context.size else None
    H, R = np.asarray(sensor.linearize(x, c)), np.asarray(sensor.noise(x, c))
    right, left = (_fit(H @ np.linalg.inv(space.swapped(space.perturbed(side), x)), R) for side in ("right", "left"))
    return None if right == left else "right" if right > left else "left"


def _fit(H: Any, R: Any) -> int:
    """2 where ``H' R^-1 H`` of all matrices H ``(N, m, d)`` is the same, 1 where their rows span the same, else 0."""
    if not (np.isfinite(H).all() and np.isfinite(R).all()):
        return 0
    information = np.swapaxes(H, -1, -2) @ np.linalg.pinv(R) @ H
    return 2 * _same(information, information[0]) or int(_same(H, H @ np.linalg.pinv(H[0]) @ H[0]))


def _same(a: Any, b: Any) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= ALIKE * np.abs(a).max(initial=0.0))
