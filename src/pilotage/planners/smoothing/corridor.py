"""Corridors: chains of convex regions around a path, free of obstacles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import numbers
from ...core.errors import ShapeError, counted
from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import NonNegative, Positive, instance, setting, settings
from ...maps import FootprintConstraint
from ..sampling._problem import compiled
from ..sampling._space import farthest
from ._polygons import SIDES, grow

Array = NDArray[np.float64]
TOUCHING = 1e-6
"""A distance [m] by which a point may lie outside a region for rounding."""


@settings(eq=False, repr=False)
class Corridor:
    """A corridor: a chain of convex polygons in which the origin of a robot may be, each overlapping the next.

    ::

        region i = {x : A_i x <= b_i},   x_i, x_(i+1) in region i            x_i: waypoints on a path
        A_i x = b_i: for the nearest obstacle that a region still meets, the line through its nearest point
                     across the shortest way from the segment x_i x_(i+1), moved back by the radius of the robot

    An obstacle is a blocked cell as a solid square; everything off the map is blocked. A half-plane through the nearest
    point of a square, across the shortest way to it, does not contain any of the square, so a disc of the radius is
    clear of all obstacles wherever in the region its centre is: this is exact, with no term for the size of cells. A
    robot with another outline is replaced by the disc around its origin.

    Attributes:
        waypoints: x, y ``(R + 1, 2)`` [m] on the path, from start to goal.
        polygons: R arrays ``(V, 2)`` [m]: the corners of each region, counter-clockwise.

    Raises:
        ShapeError: if the number or the shape of the arrays do not fit.

    Source: S. Liu et al., Planning dynamically feasible trajectories for quadrotors using safe flight corridors in 3-D
    complex environments, 2017, section III, with the Euclidean distance to the segment in place of the ellipsoid.

    Example:
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> from pilotage.planners import AStar
        >>> hall = OccupancyGrid.from_ascii(["........", "...##...", "........", "........"])
        >>> problem = hall.problem([0.5, 2.5], [7.5, 2.5], Footprint.disc(0.3))
        >>> corridor = Corridor.along(AStar().plan(problem), problem)
        >>> corridor
        Corridor(3 regions of 4 to 4 sides)
    """

    waypoints: Array
    polygons: tuple[Array, ...]

    def __post_init__(self) -> None:
        waypoints = numbers(self.waypoints, "the waypoints of a corridor")
        polygons = tuple(numbers(polygon, "a polygon of a corridor") for polygon in self.polygons)
        if waypoints.ndim != 2 or waypoints.shape[1] != 2 or len(waypoints) < 2 or not np.isfinite(waypoints).all():
            raise ShapeError(f"the waypoints of a corridor have shape {waypoints.shape}; expected (R + 1, 2), finite")
        if len(polygons) != len(waypoints) - 1:
            raise ShapeError(
                f"a corridor has {counted(len(polygons), 'polygon')} and {counted(len(waypoints), 'waypoint')}; "
                "expected one polygon between two waypoints"
            )
        for polygon in polygons:
            if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3 or not np.isfinite(polygon).all():
                raise ShapeError(f"a polygon of a corridor has shape {polygon.shape}; expected (V, 2), finite")
        object.__setattr__(self, "waypoints", waypoints)
        object.__setattr__(self, "polygons", polygons)

    @classmethod
    def along(cls, plan: Plan, problem: Problem, *, length: Positive = 4.0, reach: NonNegative = 3.0) -> Corridor:
        """The corridor along a plan on a map.

        Args:
            plan: a solved plan, the path of which the robot may drive.
            problem: the problem that it solves, of `OccupancyGrid.problem`.
            length: longest way along the path between two waypoints [m]; the straight way between them is allowed.
            reach: how far a region reaches beyond the segment between its waypoints [m].

        Raises:
            SettingError: if `plan` or `problem` are of another type, or the problem is not one of a map.
            ShapeError: if the plan has no path, or the disc around the robot does not fit along it: "the path comes
                closer to an obstacle than 0.30 m between (1.0, 2.0) and (2.0, 2.0)".
            SpaceError: if the plan lacks a component of the problem.
        """
        instance(plan, Plan, "Corridor.along")
        hint = "; expected one of grid.problem(start, goal, footprint)"
        constraint = instance(
            instance(problem, Problem, "Corridor.along").constraint, FootprintConstraint, "Corridor.along", hint
        )
        if plan.xs is None or plan.space is None:
            raise ShapeError(f"the plan has no path: {plan.reason}; a corridor needs one")
        xs = plan.xs[:, [plan.space.find(name) for name in problem.space.names]]
        kept = _waypoints(problem, xs, setting(length, Positive, "length"))
        waypoints = xs[kept][:, constraint.pose[:2]]
        return cls(waypoints, _polygons(constraint, waypoints, setting(reach, NonNegative, "reach")))

    def __repr__(self) -> str:
        sides = [len(polygon) for polygon in self.polygons]
        return f"Corridor({counted(len(sides), 'region')} of {min(sides)} to {max(sides)} sides)"

    def half_planes(self, i: int) -> tuple[Array, Array]:
        """The sides of region i: normals A ``(V, 2)`` of length 1, outwards, and offsets b ``(V,)`` [m]."""
        polygon = self.polygons[i]
        sides = np.roll(polygon, -1, axis=0) - polygon
        lengths = np.linalg.norm(sides, axis=-1)
        long = lengths > 1e-9
        A = np.stack([sides[:, 1], -sides[:, 0]], -1)[long] / lengths[long, None]
        return A, (A * polygon[long]).sum(-1)

    def contains(self, points: Array) -> NDArray[np.bool_]:
        """Whether points ``(..., 2)`` lie in at least one region, but for rounding, ``(...)``."""
        points, inside = numbers(points, "points"), np.zeros(np.shape(points)[:-1], dtype=np.bool_)
        for i in range(len(self.polygons)):
            A, b = self.half_planes(i)
            inside |= (points @ A.T <= b + TOUCHING).all(-1)
        return inside

    def gap(self) -> str:
        """A sentence on the first waypoint that is not in the regions on both sides of it; empty if all are."""
        for i in range(len(self.polygons)):
            A, b = self.half_planes(i)
            for k in (i, i + 1):
                if (A @ self.waypoints[k] > b + TOUCHING).any():
                    x, y = self.waypoints[k]
                    return f"waypoint {k} ({x:.2f}, {y:.2f}) of the corridor is outside region {i}"
        return ""


def _waypoints(problem: Problem, xs: Array, length: float) -> list[int]:
    """Indices of states with a straight allowed way from each to the next, as far apart as `length` along the path."""
    along = np.concatenate([[0.0], np.cumsum(problem.distance(xs[:-1], xs[1:]))])
    lasts, kept = np.searchsorted(along, along + length, side="right") - 1, [0]
    made, xs = compiled(problem, None, draws=False), np.ascontiguousarray(xs)
    rooms = made.room(xs)
    while kept[-1] < len(xs) - 1:
        kept.append(int(farthest.compiled(made.world, xs, rooms, kept[-1], int(lasts[kept[-1]]))))
    return kept if len(kept) > 1 else [0, 0]


def _polygons(constraint: FootprintConstraint, waypoints: Array, reach: float) -> tuple[Array, ...]:
    """The regions between waypoints."""
    grid, radius = constraint.obstacles.grid, constraint.footprint.radius
    points = np.ascontiguousarray(grid.world_to_grid(waypoints) + 1.0)
    corners, counts = np.empty((len(points) - 1, SIDES, 2)), np.empty(len(points) - 1, dtype=np.int64)
    size, room = radius / grid.resolution, reach / grid.resolution
    longest = np.linalg.norm(np.diff(points, axis=0), axis=-1).max() + 2.0 * (np.sqrt(2.0) * room + size) + 4.0
    squares = np.empty((min(constraint.obstacles.blocked.size, int(longest) ** 2), 3))
    grow(constraint.obstacles.blocked, size, room, points, squares, np.empty((SIDES + 2, 2)), corners, counts)
    if (counts == 0).any():
        a, b = waypoints[(i := int(np.argmin(counts))) : i + 2]
        raise ShapeError(
            f"the path comes closer to an obstacle than {radius:.2f} m, the radius of the disc around the robot, "
            f"between ({a[0]:.2f}, {a[1]:.2f}) and ({b[0]:.2f}, {b[1]:.2f}); plan with Footprint.disc({radius:.3g})"
        )
    return tuple(grid.grid_to_world(each[:count] - 1.0) for each, count in zip(corners, counts.tolist(), strict=True))
