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
from ._quadratic import minimize
from .corridor import TOUCHING, Corridor

Array = NDArray[np.float64]
POSE = Space("x y [m]", "yaw: angle")


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
            A plan with x, y and the yaw of the tangent, as a vehicle drives it; its cost is its length [m]. In
            `stats`, ``curvature`` [1/m] of each state, ``roughness`` (the minimum), ``corridor``, ``iterations`` and
            ``seconds``. Its status is INVALID, with a reason, if the disc around the robot does not fit along the path
            or the waypoints of a corridor are not in its regions, and NO_PATH if no curve with the headings fits.

        Raises:
            SettingError: if `plan` or `problem` are of another type, or the problem is not one of a map.
            SpaceError: if the plan lacks a component of the problem, or a yaw for `heading`.
        """
        instance(plan, Plan, "CorridorSmoother")
        instance(instance(problem, Problem, "CorridorSmoother").constraint, FootprintConstraint, "CorridorSmoother")
        problem.needs_no_times(self)
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
        shares = [np.arange(count) / count for count in counts]
        points, first, second = (
            np.concatenate(
                [_bezier(_differences(c, order), t) for c, t in zip(controls, shares, strict=True)]
                + [_bezier(_differences(controls[-1], order), np.ones(1))]
            )
            for order in range(3)
        )
        speed = np.maximum(np.linalg.norm(first, axis=-1), 1e-12)
        curvature = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / speed**3
        length = float(np.linalg.norm(np.diff(points, axis=0), axis=-1).sum())
        bound = float(np.linalg.norm(points[-1] - points[0]))
        stats |= {"curvature": curvature, "seconds": time.perf_counter() - began}
        xs = POSE.normalize(np.column_stack([points, np.arctan2(first[:, 1], first[:, 0])]))
        return Plan(PlanStatus.SOLVED, POSE, xs, cost=length, lower_bound=min(bound, length), stats=stats)


def _smoothest(corridor: Corridor, spans: Array, yaws: Array | None, jerk: float) -> tuple[Array | None, float, int]:
    """Control points ``(R, 6, 2)`` of the best curves, the minimum, and the iterations of the solver."""
    P, G, h = _program(corridor, spans, jerk)
    joints, n = np.zeros((len(spans) + 1, 3, 2)), P.shape[0]
    joints[:, 0] = corridor.waypoints
    known = [0, 1, n - 6, n - 5]
    if yaws is not None:
        joints[[0, -1], 1] = np.stack([np.cos(yaws), np.sin(yaws)], -1)
        known += [2, 3, n - 4, n - 3]
    x, free = joints.ravel(), np.setdiff1d(np.arange(n), known)
    rows = np.diff(G[:, free].indptr) > 0  # the ends of the path are no variables
    scale = float(abs(P).max())
    q, room = P[free][:, known] @ x[known], h - G[:, known] @ x[known]
    if (room[~rows] < -TOUCHING).any():
        return None, math.inf, 0
    found = minimize(P[free][:, free] / scale, q / scale, G[:, free][rows], room[rows], x[free])
    if not found.converged:
        return None, math.inf, found.iterations
    x[free] = found.x
    ends = np.concatenate([joints[:-1], joints[1:]], axis=1)
    controls = np.stack([_control_points(float(T)) @ each for T, each in zip(spans, ends, strict=True)])
    return controls, float(x @ (P @ x)), found.iterations


def _program(corridor: Corridor, spans: Array, jerk: float) -> tuple[Any, Any, Array]:
    """P, G and h of the quadratic program, all joints variables: p, p' and p'' of each, x and y of each."""
    costs, sides, offsets = [], [], []
    for i, T in enumerate(spans):
        A, b = corridor.half_planes(i)
        C = _control_points(float(T))
        cost = sum(
            weight * T * (d := math.perm(5, order) / T**order * np.diff(C, n=order, axis=0)).T @ _gram(5 - order) @ d
            for order, weight in ((2, 1.0), (3, jerk))
        )
        costs.append(np.kron(cost, np.eye(2)))
        sides.append(np.kron(C, A))
        offsets.append(np.tile(b, 6))
    n = 6 * (len(spans) + 1)
    return _assembled(costs, n, square=True), _assembled(sides, n, square=False), np.concatenate(offsets)


def _assembled(blocks: list[Array], n: int, *, square: bool) -> Any:
    """The sparse matrix of blocks ``(k, 12)``, each on the variables of two neighbouring joints."""
    from scipy.sparse import coo_array

    rows, columns, above = [], [], 0
    for i, block in enumerate(blocks):
        down, right = np.indices(block.shape)
        rows.append((down + (6 * i if square else above)).ravel())
        columns.append((right + 6 * i).ravel())
        above += len(block)
    entries = np.concatenate([block.ravel() for block in blocks])
    shape = (n if square else above, n)
    found = coo_array((entries, (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
    found.eliminate_zeros()
    return found


def _control_points(T: float) -> Array:
    """The matrix ``(6, 6)`` from p, p', p'' at both ends of a quintic to its control points."""
    v, a = T / 5.0, T * T / 20.0
    first = np.array([[1.0, 0.0, 0.0], [1.0, v, 0.0], [1.0, 2.0 * v, a]])
    last = np.array([[1.0, -2.0 * v, a], [1.0, -v, 0.0], [1.0, 0.0, 0.0]])
    return np.block([[first, np.zeros((3, 3))], [np.zeros((3, 3)), last]])


def _gram(n: int) -> Array:
    """Integrals over [0, 1] of the products of two Bernstein polynomials of degree n."""
    rise = [math.comb(n, i) for i in range(n + 1)]
    return np.array(
        [[rise[i] * rise[j] / math.comb(2 * n, i + j) / (2 * n + 1) for j in range(n + 1)] for i in range(n + 1)]
    )


def _differences(controls: Array, order: int) -> Array:
    """The control points of a derivative of a Bezier curve, by t in [0, 1]."""
    degree = len(controls) - 1
    return math.perm(degree, order) * np.diff(controls, n=order, axis=0)


def _bezier(controls: Array, t: Array) -> Array:
    """Points of a Bezier curve at t in [0, 1], by the algorithm of de Casteljau."""
    points = np.broadcast_to(controls[:, None], (len(controls), len(t), controls.shape[1]))
    for _ in range(len(controls) - 1):
        points = (1.0 - t)[:, None] * points[:-1] + t[:, None] * points[1:]
    return points[0]
