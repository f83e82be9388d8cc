"""Speeds along a path: the soonest arrival within limits of speed, acceleration and jerk."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ShapeError
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import NonNegative, Positive, instance, setting, settings
from ...core.space import Space
from ._jerk import jerk_limited
from ._passes import curvatures, fastest
from ._passing import passed

Array = NDArray[np.float64]
PLACE, TURN = 1e-5, 1e-3
"""States nearer than this [m], which turn by less [rad], are one place: their difference is rounding, not a corner."""


@settings
class TimeParameterization:
    """A time parameterization: the speed profile that drives a path in the least time, within limits.

    ::

        b(s) = v(s)^2,   a = b'(s) / 2                              s: length along the path
        b <= min(speed^2, lateral / |curvature|),   -braking <= a <= acceleration
        forwards:   b_(k+1) <- min(b_(k+1), b_k + 2 acceleration ds)
        backwards:  b_k     <- min(b_k, b_(k+1) + 2 braking ds)

    The two passes give the largest profile within the limits at every state at once, so no other is sooner. With a
    limit of jerk, ``|a_(k+1) - a_k| <= jerk dt``, there is no such profile; then a sequence of quadratic programs
    lowers the time, each with the duration dt, which is convex in b, replaced by a tangent below it, so that each
    profile satisfies the limits. Acceleration is constant between states, and zero at rest.

    The vehicle stops where the path reverses, as at a cusp of `ReedsShepp`, and slows down at a sharp corner; smooth
    the path before.

    Attributes:
        speed: highest speed [m/s].
        acceleration: largest acceleration along the path [m/s^2].
        lateral: largest acceleration across the path, ``v^2 |curvature|`` [m/s^2].
        braking: largest deceleration along the path [m/s^2]; None: as `acceleration`.
        jerk: largest change of the acceleration along the path [m/s^3]; None: no limit.
        start_speed, end_speed: speeds at the ends [m/s].
        spacing: longest distance between two states [m]; longer edges are cut.

    Source: J. Bobrow, S. Dubowsky, J. Gibson, Time-optimal control of robotic manipulators along specified paths, 1985;
    H. Pham, Q.-C. Pham, A new approach to time-optimal path parameterization based on reachability analysis, 2018.

    Example:
        >>> from pilotage.core import Plan, PlanStatus, Space
        >>> line = Plan(PlanStatus.SOLVED, Space("x y [m]"), [[0.0, 0.0], [4.0, 0.0]], cost=4.0)
        >>> plan = TimeParameterization(speed=1.0, acceleration=0.5).parameterize(line)
        >>> round(float(plan.ts[-1]), 3)                    # 2 s to speed up, 2 s to brake, 2 m at full speed
        6.0
    """

    speed: Positive = 1.0
    acceleration: Positive = 0.5
    lateral: Positive = 0.5
    braking: Positive | None = None
    jerk: Positive | None = None
    start_speed: NonNegative = 0.0
    end_speed: NonNegative = 0.0
    spacing: Positive = 0.05

    def parameterize(self, plan: Plan, problem: Problem | None = None, *, budget: float | None = None) -> Plan:
        """The plan with times.

        Args:
            plan: a plan with x and y; one that is not solved is returned as it is.
            problem: a problem whose moving obstacles, if it has any, do not touch the robot at these times, nor ever
                after. For that, it waits before it departs, just as long as it must, or is slower on the whole path, if
                it rests at both ends: not the soonest arrival then, since it never waits on the way.
            budget: seconds after which the search for a departure among moving obstacles stops: the best one so far, or
                status BUDGET.

        Returns:
            A plan along the same path, with more states if its edges are longer than `spacing`. `ts` are the times; its
            cost is the last of them [s]. If the states have a yaw, `us` ``(T, 2)`` are the mean speed [m/s], negative
            in reverse, and yaw rate [rad/s] between states, of `pilotage.models.unicycle`. In `stats`, ``speed`` of
            each state [m/s], and ``acceleration`` between states [m/s^2]; among moving obstacles, ``wait`` [s] and
            by which factor it is ``slower``. Its status is INVALID, with a reason, if no profile satisfies the limits,
            or moving obstacles are in the way of all departures.

        Raises:
            SettingError: if `plan` is of another type, or the budget is negative.
            SpaceError: if the plan lacks x or y.
            ShapeError: if the path turns on the spot.
        """
        instance(plan, Plan, "TimeParameterization")
        if plan.xs is None or plan.space is None:
            return plan
        began = time.perf_counter()
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        at = [plan.space.find(name, "TimeParameterization") for name in ("x", "y")]
        xs = _resampled(plan.space, plan.xs, at, self.spacing)
        steps = np.diff(xs[:, at], axis=0)
        ds = np.linalg.norm(steps, axis=-1)
        if not len(ds):
            ever = np.array([0.0, 1e9])
            if problem is not None and problem.room_among(xs[[0, 0]], ever, plan.space)[0] < 0.0:
                return Plan(PlanStatus.INVALID, reason="a moving obstacle touches the robot where it stays")
            return dataclasses.replace(plan, xs=xs[:1], us=None, ts=np.zeros(1), cost=0.0, lower_bound=0.0)
        b = self._profile(steps, ds)
        if isinstance(b, str):
            return Plan(PlanStatus.INVALID, reason=b)
        v = np.sqrt(b)
        dt = 2.0 * ds / (v[1:] + v[:-1])
        us = _controls(plan.space, xs, steps, dt)
        ts = np.concatenate([[0.0], np.cumsum(dt)])
        stats = {"speed": v, "acceleration": np.diff(b) / (2.0 * ds), "seconds": time.perf_counter() - began}
        end = float(ts[-1])
        timed = dataclasses.replace(
            plan, xs=xs, us=us, ts=ts, cost=end, lower_bound=min(end, float(ds.sum()) / self.speed), stats=stats
        )
        if problem is None or not problem.moving:
            return timed
        return passed(timed, problem, self.start_speed == self.end_speed == 0.0, deadline)

    def _profile(self, steps: Array, ds: Array) -> Array | str:
        """The square of the speed at each state, or the reason why there is none."""
        limit = np.full(len(ds) + 1, self.speed**2)
        with np.errstate(divide="ignore"):
            limit[1:-1] = np.minimum(limit[1:-1], self.lateral / abs(curvatures(steps, ds)))
        limit[limit < 1e-12 * self.speed**2] = 0.0
        ends, brake = np.array([self.start_speed, self.end_speed]) ** 2, self.braking or self.acceleration
        limit[[0, -1]] = np.minimum(limit[[0, -1]], ends)
        b = fastest(fastest(limit, ds, self.acceleration)[::-1], ds[::-1], brake)[::-1]
        for k, end in ((0, "start"), (-1, "end")):
            if b[k] < ends[k] * (1.0 - 1e-12):
                return (
                    f"the {end} speed is {np.sqrt(ends[k]):.3g} m/s, but the limits allow {np.sqrt(b[k]):.3g} m/s there"
                )
        rests = np.flatnonzero(b == 0.0)
        if (np.diff(rests) == 1).any():
            return f"the path turns back twice within {self.spacing:g} m; smooth it first"
        if self.jerk is not None:
            for i, j in itertools.pairwise(sorted({0, *rests.tolist(), len(b) - 1})):
                found = jerk_limited(b[i : j + 1], limit[i : j + 1], ds[i:j], self.acceleration, brake, self.jerk)
                if found is None:
                    return (
                        f"no profile from {np.sqrt(b[i]):.3g} to {np.sqrt(b[j]):.3g} m/s has a jerk below {self.jerk:g}"
                    )
                b[i : j + 1] = found
        return b


def _resampled(space: Space, xs: Array, at: list[int], spacing: float) -> Array:
    """States at most `spacing` apart, one for each place, and one between two places where it may rest."""
    xs = _places(space, xs, at)
    steps = np.diff(xs[:, at], axis=0)
    rests = np.ones(len(xs), dtype=bool)  # the ends, and where it turns back
    rests[1:-1] = (steps[:-1] * steps[1:]).sum(-1) <= 0.0
    pieces = np.ceil(np.linalg.norm(steps, axis=-1) / spacing - 1e-9)
    counts = np.maximum(pieces, np.where(rests[:-1] & rests[1:], 2, 1)).astype(int)
    edge, parts = np.repeat(np.arange(len(steps)), counts), np.repeat(counts, counts)
    place = np.arange(1, len(edge) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    inner = space.interpolate(xs[edge], xs[edge + 1], place / parts)
    return np.concatenate([xs[:1], np.where((place < parts)[:, None], inner, xs[edge + 1])])


def _places(space: Space, xs: Array, at: list[int]) -> Array:
    """The states without those that are at the place of one before; the first and the last stay.

    Raises:
        ShapeError: if the path turns on the spot.
    """
    places, kept = xs[:, at].tolist(), [0]
    for k in range(1, len(xs)):
        if math.dist(places[k], places[kept[-1]]) > PLACE:
            kept.append(k)
        elif float(abs(np.asarray(space.minus(xs[k], xs[kept[-1]]))).max()) > TURN:
            raise ShapeError(f"state {k - 1} of the plan turns on the spot; expected a path that moves on")
    while len(kept) > 1 and math.dist(places[-1], places[kept[-1]]) <= PLACE:
        kept.pop()
    return xs[kept] if math.dist(places[-1], places[kept[-1]]) <= PLACE else np.concatenate((xs[kept], xs[-1:]))


def _controls(space: Space, xs: Array, steps: Array, dt: Array) -> Array | None:
    """Mean speed and yaw rate ``(T, 2)`` between states; None without a yaw."""
    yaw = [i for i, name in enumerate(space.names) if name.rpartition(".")[2] == "yaw"]
    if not yaw:
        return None
    turn = (np.diff(xs[:, yaw[0]]) + np.pi) % (2.0 * np.pi) - np.pi
    heading = xs[:-1, yaw[0]] + 0.5 * turn
    ahead = steps[:, 0] * np.cos(heading) + steps[:, 1] * np.sin(heading)
    length = np.linalg.norm(steps, axis=-1)
    return np.stack([np.where(ahead < 0.0, -length, length) / dt, turn / dt], -1)
