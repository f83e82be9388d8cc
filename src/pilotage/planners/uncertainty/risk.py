"""The risk of a plan: covariances predicted along it, and the probability of a collision at each state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import numbers
from ...core.covariances import check_semidefinite
from ...core.dynamics import Dynamics
from ...core.errors import ShapeError
from ...core.plan import Plan
from ...core.problem import Problem
from ...core.sensor import Sensor
from ...core.settings import instance, instances, shown
from ...maps import Footprint, FootprintConstraint
from .track import PredictedTrack

Array = NDArray[np.float64]


def predicted_covariances(plan: Plan, covariance: Any, dynamics: Dynamics, sensors: Sequence[Sensor] = ()) -> Array:
    """The covariances of the error of an extended Kalman filter along a plan, before there are readings.

    ::

        P <- F P F' + Q                                      along xs and us of the plan
        P <- P - P H' (H P H' + R)^-1 H P                    for each sensor, at each state

    They depend on the states where the filter linearizes, not on the readings, so a plan determines them. A robot whose
    controller holds its estimate on the path deviates from the path by this error.

    Args:
        plan: a plan with `us` and `ts`, in the space of the dynamics, such as one of `TimeParameterization`.
        covariance: the covariance ``(d, d)`` at the start in the tangent of the state, or a belief.
        dynamics: the model that is filtered.
        sensors: the sensors that are read at each state.

    Returns:
        Covariances ``(T + 1, d, d)`` in the tangent of the state, by `collision_risk` ``plan.xs``.

    Raises:
        ShapeError: if the plan has no controls or times, or the covariance another shape.
        CovarianceError: if the covariance is not symmetric and positive semidefinite.

    Source: J. van den Berg, P. Abbeel, K. Goldberg, LQG-MP: optimized path planning for robots with motion uncertainty
    and imperfect state information, 2011, section IV.

    Example:
        >>> from pilotage.models import gnss, unicycle
        >>> from pilotage.planners import Dubins
        >>> plan = Dubins(1.0).connect([0.0, 0.0, 0.0], [5.0, 0.0, 0.0], spacing=0.5)
        >>> start = 0.01 * np.eye(3)
        >>> float(predicted_covariances(plan, start, unicycle())[-1, 1, 1].round(3))
        0.276
        >>> float(predicted_covariances(plan, start, unicycle(), [gnss(std=0.1)])[-1, 1, 1].round(3))
        0.004
    """
    instance(plan, Plan, "predicted_covariances")
    if plan.xs is None or plan.us is None or plan.ts is None or plan.space is None:
        raise ShapeError("the plan has no controls and times; expected one of TimeParameterization, with a yaw")
    space = dynamics.state
    xs = plan.xs[:, [plan.space.find(name.rpartition(".")[2]) for name in space.names]]
    P = covariance.moments().cov if hasattr(covariance, "moments") else covariance
    P = check_semidefinite(P, space.dim, f"the covariance of {shown(space)}")
    if P.ndim != 2:
        raise ShapeError(f"the covariance has shape {P.shape}; expected one matrix, at the start")
    mounted = [sensor if sensor.state == space else sensor.on(space) for sensor in sensors]
    out = [P]
    for x, u, dt, after in zip(xs[:-1], plan.us, np.diff(plan.ts), xs[1:], strict=True):
        F = np.asarray(dynamics.linearize(x, u, dt)[0])
        P = F @ P @ F.T + np.asarray(dynamics.noise(x, u, dt))
        for sensor in mounted:
            H = np.asarray(sensor.linearize(after))
            K = np.linalg.solve(H @ P @ H.T + np.asarray(sensor.noise(after)), H @ P).T
            P = P - K @ H @ P
        out.append(0.5 * (P + P.T))
    return np.stack(out)


def collision_risk(plan: Plan, problem: Problem, covariances: Any, tracks: Sequence[PredictedTrack] = ()) -> Array:
    """Bounds of the probability of a collision at each state of a plan.

    ::

        map:    P <= exp(-c^2 / (2 lambda))                  c: clearance of the disc around the robot
        track:  P <= Phi(-(|d| - R) / sigma),  sigma^2 = n' (Sigma + Sigma_track) n,   n = d / |d|
        moving obstacle of the problem:  the same, with Sigma_track = 0

    with lambda the largest variance of the position, and R the sum of the radii: to touch the other disc, the error has
    to cross the tangent of the disc of radius R across d. Errors of poses may be given along the axes of the robot, so
    lambda stands for n' Sigma n there. By Boole's inequality, their sum bounds the probability of a collision at any of
    the states, however the errors are correlated.

    Args:
        plan: a plan in the space of the problem, with `ts` if there are tracks or moving obstacles.
        problem: a problem on a map, of `OccupancyGrid.problem`. Its moving obstacles are where they are said to be;
            where `chance_constrained` made them of tracks, give ``problem.still`` with these `tracks`.
        covariances: ``(d, d)``, or ``(T + 1, d, d)`` for each state, with x and y first, as of `predicted_covariances`.
        tracks: predictions of moving discs.

    Returns:
        Probabilities ``(T + 1,)``.

    Raises:
        ShapeError: if the plan has no path, or no times for what moves, or the covariances are not one, or T + 1.
        CovarianceError: if they are not finite and positive semidefinite.

    Example:
        >>> from pilotage.core import PlanStatus, Space
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii(["......"] * 4)
        >>> problem = hall.problem([1.0, 2.0], [5.0, 1.0], Footprint.disc(0.5))
        >>> plan = Plan(PlanStatus.SOLVED, Space("x y [m]"), [[1.0, 2.0], [5.0, 1.0]], ts=[0.0, 4.0])
        >>> collision_risk(plan, problem, 0.15**2 * np.eye(2)).round(4)
        array([0.0039, 0.0039])
    """
    instance(plan, Plan, "collision_risk")
    constraint = instance(
        instance(problem, Problem, "collision_risk").constraint, FootprintConstraint, "collision_risk"
    )
    tracks = instances(tracks, PredictedTrack, "tracks")
    if plan.xs is None or plan.space is None or ((tracks or problem.moving) and plan.ts is None):
        raise ShapeError("the plan has no path, or no times for what moves; expected one of TimeParameterization")
    xy = plan.xs[:, [plan.space.find(name) for name in ("x", "y")]]
    ts, given = np.zeros(len(xy)) if plan.ts is None else plan.ts, numbers(covariances, "the covariances")
    if given.ndim < 2 or given.shape[:-2] not in ((), (len(xy),)):
        raise ShapeError(
            f"the covariances have shape {given.shape}; expected (d, d) or ({len(xy)}, d, d), one for each state"
        )
    P: Array = np.broadcast_to(check_semidefinite(given[..., :2, :2], 2, "the covariances"), (len(xy), 2, 2))
    disc = Footprint.disc(constraint.robot.radius)  # without a margin, which is touched without a collision
    room = np.maximum(disc.clearance(constraint.obstacles, xy), 0.0)
    widest = np.linalg.eigvalsh(P)[:, -1].astype(np.float64)
    risk = _tail(room, widest)
    if not plan.space.flat:  # covariances may be along the axes of the robot: the longest one counts in all directions
        P = widest[:, None, None] * np.eye(2)
    for each in problem.moving:
        risk = risk + _meeting(xy, P, disc.radius, each.at(ts), np.zeros((2, 2)), each.radius_at(ts))
    for track in tracks:
        risk = risk + _meeting(xy, P, disc.radius, *track.at(ts), track.radius)
    return np.minimum(risk, 1.0)


def _tail(room: Array, variance: Array) -> Array:
    """Bound of the probability that an error in the plane is as long as the room, with that variance at most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > 0.0, np.exp(-0.5 * room**2 / variance), 1.0)


def _meeting(xy: Array, P: Array, radius: float, means: Array, covariances: Array, other: float | Array) -> Array:
    """Bound of the probability that two discs touch."""
    from scipy.special import ndtr

    d = means - xy
    distance = np.linalg.norm(d, axis=-1)
    n = d / np.maximum(distance, 1e-300)[:, None]
    sigma = np.sqrt(np.einsum("ti,tij,tj->t", n, P + covariances, n))
    room = distance - radius - other
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > 0.0, ndtr(-room / sigma), 1.0)
