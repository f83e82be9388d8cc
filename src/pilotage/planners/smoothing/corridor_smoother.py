"""Smooth curves through a corridor: the second of two stages, after a coarse path."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ShapeError, counted
from ...core.plan import Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import Positive, instance, settings
from ...core.space import Space
from ...maps import FootprintConstraint
from ._quadratic import minimize, times
from .corridor import Corridor

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")
BLOCK = 12
"""Variables of two neighbouring joints."""


@settings
class CorridorSmoother:
    """A corridor smoother: the curve with the least acceleration and jerk that stays in a corridor around a path.

    ::

        min  sum_i integral |p_i''(t)|^2 + jerk |p_i'''(t)|^2 dt,  t in [0, T_i],  T_i = |x_(i+1) - x_i|
        p_i(t) = sum_j B_j^5(t / T_i) c_ij,   p, p', p'' continuous,   p = start, goal at the ends
        A_i c_ij <= b_i   for all j                                         control points in region i of the `Corridor`

    The parameter t is near the length along the curve, so p'' is near its curvature, and p''' near the change of that.
    A Bezier curve lies in the convex hull of its control points, so the whole curve is clear of obstacles, not only
    points on it. The variables are p, p' and p'' at the joints, which determine the control points. The quadratic
    program has a banded matrix, so the time is linear in the number of regions. Unless `heading` is set, it always has
    a solution, since the straight ways between the waypoints are one.

    Attributes:
        length: longest way along the path between two joints [m].
        reach: how far a region reaches beyond the segment between its joints [m].
        jerk: weight of the change of the curvature against the curvature [m^2].
        spacing: longest distance between two states of the result [m].
        heading: whether the curve starts and ends with the yaw of the plan; for vehicles, and plans with a yaw.

    Source: F. Gao et al., Online safe trajectory generation for quadrotors using fast marching method and Bernstein
    basis polynomial, 2018.

    Example:
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> from pilotage.planners import AStar
        >>> hall = OccupancyGrid.from_ascii(["..........", "...###....", "..........", ".........."])
        >>> problem = hall.problem([0.5, 3.5], [9.5, 3.5], Footprint.disc(0.3))
        >>> plan = CorridorSmoother().smooth(AStar().plan(problem), problem)
        >>> plan.ok, bool(hall.clearance(plan.xs, Footprint.disc(0.3)).min() >= 0.0)
        (True, True)
    """

    length: Positive = 4.0
    reach: Positive = 3.0
    jerk: Positive = 1.0
    spacing: Positive = 0.05
    heading: bool = False

    def smooth(self, plan: Plan, problem: Problem, corridor: Corridor | None = None) -> Plan:
        """The smooth curve along a plan, as a plan.

        Args:
            plan: a plan on a map; one that is not solved is returned as it is.
            problem: the problem that it solves, of `OccupancyGrid.problem`.
            corridor: another corridor than `Corridor.along` the plan.

        Returns:
            A plan with x, y and the yaw of the tangent, as a vehicle drives it; its cost is its length [m], and its
            lower bound the distance of its ends: a path to another goal of the problem may be shorter. In
            `stats`, ``curvature`` [1/m] of each state, ``roughness`` (the minimum), ``corridor``, ``iterations`` and
            ``seconds``. Its status is INVALID, with a reason, if the disc around the robot does not fit along the path
            or the waypoints of a corridor are not in its regions, and NO_PATH if no curve with the headings fits.

        Raises:
            SettingError: if `plan` or `problem` are of another type, or the problem is not one of a map.
            SpaceError: if the plan lacks a component of the problem, or a yaw for `heading`.
        """
        instance(plan, Plan, "CorridorSmoother")
        instance(instance(problem, Problem, "CorridorSmoother").constraint, FootprintConstraint, "CorridorSmoother")
        if plan.xs is None or plan.space is None:
            return plan
        began = time.perf_counter()
        try:
            found = corridor or Corridor.along(plan, problem, length=self.length, reach=self.reach)
        except ShapeError as error:
            return Plan(PlanStatus.INVALID, reason=str(error))
        if reason := found.gap():
            return Plan(PlanStatus.INVALID, reason=reason)
        spans = np.linalg.norm(np.diff(found.waypoints, axis=0), axis=-1)
        if not spans.all():
            return dataclasses.replace(plan, stats=dict(plan.stats) | {"corridor": found})
        yaws = plan.xs[[0, -1], plan.space.find("yaw", "heading")] if self.heading else None
        controls, roughness, iterations = _smoothest(found, spans, yaws, self.jerk)
        if controls is None:
            reason = f"no curve in {found!r} was found in {counted(iterations, 'iteration')}"
            return Plan(PlanStatus.NO_PATH, reason=reason)
        stats = {"corridor": found, "roughness": roughness, "iterations": iterations}
        return self._sampled(problem, controls, stats, began)

    def _sampled(self, problem: Problem, controls: Array, stats: dict[str, Any], began: float) -> Plan:
        """States along the curves with control points ``(R, 6, 2)``."""
        fastest = 5.0 * np.linalg.norm(np.diff(controls, axis=1), axis=-1).max(-1)
        counts = np.maximum(np.ceil(fastest / self.spacing), 1.0).astype(int)
        t = np.concatenate([*(np.arange(count) / count for count in counts), [1.0]])
        curve = np.append(np.repeat(np.arange(len(counts)), counts), len(counts) - 1)
        points, first, second = (_bezier(_differences(controls, order), curve, t) for order in range(3))
        speed = np.maximum(np.linalg.norm(first, axis=-1), 1e-12)
        curvature = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / speed**3
        length = float(np.linalg.norm(np.diff(points, axis=0), axis=-1).sum())
        bound = float(np.linalg.norm(points[-1] - points[0]))
        stats |= {"curvature": curvature, "seconds": time.perf_counter() - began}
        xs = POSE.normalize(np.column_stack([points, np.arctan2(first[:, 1], first[:, 0])]))
        return Plan(PlanStatus.SOLVED, POSE, xs, cost=length, lower_bound=min(bound, length), stats=stats)


def _smoothest(corridor: Corridor, spans: Array, yaws: Array | None, jerk: float) -> tuple[Array | None, float, int]:
    """Control points ``(R, 6, 2)`` of the best curves, the minimum, and the iterations of the solver."""
    P, G, first, h = _program(corridor, spans, jerk)
    joints, n = np.zeros((len(spans) + 1, 3, 2)), len(P)
    joints[:, 0] = corridor.waypoints
    kept = [0, 1, n - 6, n - 5]
    if yaws is not None:
        joints[[0, -1], 1] = np.stack([np.cos(yaws), np.sin(yaws)], -1)
        kept += [2, 3, n - 4, n - 3]
    scale = float(abs(P).max())
    found = minimize(P / scale, np.zeros(n), G, first, h, joints.ravel(), np.array(kept))
    if not found.converged:
        return None, math.inf, found.iterations
    joints = found.x.reshape(-1, 3, 2)
    controls = _control_points(spans) @ np.concatenate([joints[:-1], joints[1:]], axis=1)
    return controls, float(found.x @ times(P, found.x)), found.iterations


def _program(corridor: Corridor, spans: Array, jerk: float) -> tuple[Array, Array, NDArray[np.int64], Array]:
    """P, G, its first columns and h of the quadratic program, as `minimize` takes them.

    The variables are p, p' and p'' of each joint, x and y of each; a region is a block on those of both its joints.
    """
    C, R = _control_points(spans), len(spans)
    costs, P = np.zeros((R, 6, 6)), np.zeros((6 * (R + 1), BLOCK))
    for order, weight in ((2, 1.0), (3, jerk)):
        D = math.perm(5, order) * np.diff(np.eye(6), n=order, axis=0)
        costs += (
            weight * spans[:, None, None] ** (1 - 2 * order) * (C.swapaxes(1, 2) @ (D.T @ _gram(5 - order) @ D) @ C)
        )
    blocks = np.kron(costs, np.eye(2))
    for k in range(BLOCK):
        for i in range(BLOCK - k):
            P[i : i + 6 * R : 6, k] += blocks[:, i, i + k]
    sides = [corridor.half_planes(i) for i in range(R)]
    G = np.concatenate([np.kron(c, A) for c, (A, _) in zip(C, sides, strict=True)])
    first = np.repeat(6 * np.arange(R), [6 * len(b) for _, b in sides])
    return P, G, first, np.concatenate([np.tile(b, 6) for _, b in sides])


def _control_points(spans: Array) -> Array:
    """The matrices ``(R, 6, 6)`` from p, p', p'' at both ends of quintics to their control points."""
    first = np.array([[1.0, 0.0, 0.0], [1.0, 0.2, 0.0], [1.0, 0.4, 0.05]])
    last = np.array([[1.0, -0.4, 0.05], [1.0, -0.2, 0.0], [1.0, 0.0, 0.0]])
    unit = np.block([[first, np.zeros((3, 3))], [np.zeros((3, 3)), last]])
    return unit * (spans[:, None] ** np.tile(np.arange(3), 2))[:, None]


def _gram(n: int) -> Array:
    """Integrals over [0, 1] of the products of two Bernstein polynomials of degree n."""
    rise = [math.comb(n, i) for i in range(n + 1)]
    return np.array(
        [[rise[i] * rise[j] / math.comb(2 * n, i + j) / (2 * n + 1) for j in range(n + 1)] for i in range(n + 1)]
    )


def _differences(controls: Array, order: int) -> Array:
    """The control points of a derivative of Bezier curves ``(R, K, 2)``, by t in [0, 1]."""
    return math.perm(controls.shape[1] - 1, order) * np.diff(controls, n=order, axis=1)


def _bezier(controls: Array, curve: NDArray[np.int64], t: Array) -> Array:
    """Points ``(N, 2)`` of these of the curves ``(R, K, 2)`` at t in [0, 1], by the algorithm of de Casteljau."""
    points, t = controls[curve], t[:, None, None]
    for _ in range(controls.shape[1] - 1):
        points = (1.0 - t) * points[:, :-1] + t * points[:, 1:]
    return points[:, 0]
