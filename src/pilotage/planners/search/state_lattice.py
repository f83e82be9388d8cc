"""State lattice: paths over motions between poses of a regular lattice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.settings import Interval, NonNegative, Positive, settings
from ...core.space import Space
from ...models.trace import code_of
from ..steering import Dubins, ReedsShepp
from ..steering._curves import Curve
from ._pose_motions import UNTIMED, Motions, OnArcs
from ._pose_planner import PosePlanner
from ._pose_tree import FIRST
from .astar import HIGHEST_WEIGHT

Array = NDArray[np.float64]
DIRECTIONS = {8: [(1, 0), (1, 1)], 16: [(1, 0), (2, 1), (1, 1), (1, 2)]}
"""Steps of the lattice along its headings, in a quarter turn: a straight line along a heading meets the lattice."""
WINDOW = 2.5
"""Half the side of the square in which ends of motions are looked for, in turning radii and steps of the lattice."""


@settings
class StateLattice(PosePlanner):
    """State lattice: A* over motions that lead from one pose of a regular lattice exactly to another.

    ::

        poses     (i s, j s, heading k) in the frame of the start,  headings along (1, 0), (2, 1), (1, 1), (1, 2), ...
        motions   straight along the heading; to each of the next two headings on either side, the shortest Dubins curve
                  that turns no more than it must and ends on the lattice; the same backwards

    As ways to one pose meet exactly, none is thrown away for lying in a cell with another, as in `HybridAStar`, which
    shares everything else: estimate, costs, checks of whole motions, and the steering curve to the goal. With weight 1,
    if the problem has no map, no way over the lattice alone to a goal on it costs less than the path; a curve from some
    pose of the lattice may make it cheaper still. On a map the estimate is the way over coarse cells, which may be
    longer than that of the vehicle, so a cheaper way may be missed. If the search begins at the goal, as for
    `HybridAStar`, the lattice lies in the frame of the goal.

    Attributes:
        steering: `ReedsShepp` or `Dubins` with the turning radius of the vehicle.
        spacing: distance s of neighbouring positions [m]; None: half the turning radius.
        headings: number of headings, 8 or 16.
        reverse, cusp, weight, nodes: as for `HybridAStar`.

    Source: M. Pivtoraiko, R. Knepper, A. Kelly, Differentially constrained mobile robot motion planning in state
    lattices, 2009, section 3, with Dubins curves in place of polynomial spirals.

    Example:
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii(["........", "...##...", "........"], resolution=2.0).refined(8)
        >>> problem = hall.problem([1, 3, 1.5], [15, 3, -1.5], Footprint.rectangle(0.8, 0.4), space=Space("pose: SE2"))
        >>> plan = StateLattice(ReedsShepp(1.0)).plan(problem)
        >>> plan.ok, bool(problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all())
        (True, True)
    """

    steering: Curve = ReedsShepp(1.0)
    spacing: Positive | None = None
    headings: Literal[8, 16] = 16
    reverse: Annotated[float, Interval(1.0, ends="[)")] = 1.5
    cusp: NonNegative = 0.5
    weight: Annotated[float, Interval(1.0, HIGHEST_WEIGHT, "[]")] = 1.2
    nodes: Annotated[int, Interval(FIRST, ends="[)")] = 4_000_000

    @property
    def primitives(self) -> tuple[Primitive, ...]:
        """The motions from the lattice to itself."""
        return self._vehicle.primitives

    @property
    def _vehicle(self) -> Lattice:
        return Lattice(self.steering, self.spacing or 0.5 * self.steering.radius, self.headings)


@dataclass(frozen=True)
class Primitive:
    """A motion from one pose of a lattice to another.

    Attributes:
        heading, end: numbers of the headings at its start and end.
        offset: columns and rows from start to end.
        segments: curvature [1/m] and length [m], negative in reverse, of each of its arcs.

    Example:
        >>> ahead = StateLattice(Dubins(1.0), spacing=0.5).primitives[0]
        >>> ahead.offset, ahead.segments
        ((1, 0), ((0.0, 0.5),))
        >>> ahead.backwards.offset
        (-1, 0)
    """

    heading: int
    end: int
    offset: tuple[int, int]
    segments: tuple[tuple[float, float], ...]

    @property
    def backwards(self) -> Primitive:
        """The same motion, driven from its end to its start in reverse."""
        segments = tuple((curvature, -length) for curvature, length in self.segments[::-1])
        return Primitive(self.end, self.heading, (-self.offset[0], -self.offset[1]), segments)


@dataclass(frozen=True)
class Lattice(OnArcs):
    """A car whose motions lead from one pose of a lattice to another.

    Attributes:
        steering: the curve, with the smallest turning radius.
        spacing: distance of neighbouring positions [m].
        headings: number of headings.
        curves, tolerance: see `Vehicle`.
    """

    steering: Curve
    spacing: float
    headings: int
    curves: bool = True
    tolerance: float = 1e-9  # rounding: a pose of the lattice is the goal itself, without another curve

    @property
    def span(self) -> float:
        """About the length of a motion [m]."""
        return self.steering.radius

    @property
    def primitives(self) -> tuple[Primitive, ...]:
        """The motions, sorted by the heading of their start."""
        forwards = _forwards(self.steering.radius / self.spacing, self.spacing, self.headings)
        both = [] if isinstance(self.steering, Dubins) else [each.backwards for each in forwards]
        return tuple(sorted((*forwards, *both), key=lambda each: each.heading))

    def motions(self, space: Space, fineness: int) -> Motions:
        found = self.primitives
        rows = [(length, 0.0, curvature * length) for each in found for curvature, length in each.segments]
        first = np.cumsum([0, *(len(each.segments) for each in found)])
        groups = np.searchsorted([each.heading for each in found], np.arange(self.headings + 1))
        after = np.array([each.end for each in found])
        return Motions(np.array(rows), first, groups, after, code_of(space, "plus"), UNTIMED)

    def cells(self, space: Space, root: Array, fineness: int) -> Array:
        """Cells so small that no two poses share one, however the lattice lies."""
        return np.array([root, [4.0 / self.spacing, 4.0 / self.spacing, self.headings]])


def angles(headings: int) -> Array:
    """The headings of a lattice [rad], from 0 on."""
    steps = np.array(DIRECTIONS[headings])
    quarter = np.arctan2(steps[:, 1], steps[:, 0])
    return np.concatenate([quarter + 0.5 * np.pi * k for k in range(4)])


@cache
def _forwards(radius: float, spacing: float, headings: int) -> tuple[Primitive, ...]:
    """The motions forwards; the radius is in steps of the lattice."""
    turns, count = angles(headings), headings // 4
    found: list[Primitive] = []
    for k in range(headings):
        quarter, (i, j) = divmod(k, count)[0], DIRECTIONS[headings][k % count]
        for _ in range(quarter):
            i, j = -j, i
        found.append(Primitive(k, k, (i, j), ((0.0, spacing * float(np.hypot(i, j))),)))
        found.extend(_turning(radius, spacing, turns, k, (k + change) % headings) for change in (-2, -1, 1, 2))
    return tuple(found)


def _turning(radius: float, spacing: float, turns: Array, start: int, end: int) -> Primitive:
    """The shortest Dubins curve from one heading to another that turns no more than it must."""
    curve, half = Dubins(radius), int(np.ceil(WINDOW * (radius + 1.0)))
    offsets = np.stack(np.meshgrid(*2 * [np.arange(-half, half + 1)]), -1).reshape(-1, 2)
    goals = np.column_stack((offsets, np.full(len(offsets), turns[end])))
    poses = np.tile([0.0, 0.0, turns[start]], (len(goals), 1))
    least = abs((turns[end] - turns[start] + np.pi) % (2.0 * np.pi) - np.pi)
    for k in np.argsort(curve.distance(poses, goals), kind="stable"):
        segments = curve.segments(poses[k], goals[k])
        if len(segments) and abs(segments[:, 0] * segments[:, 1]).sum() < least + 1e-9:
            scaled = segments * (1.0 / spacing, spacing)
            i, j = offsets[k].tolist()
            return Primitive(start, end, (i, j), tuple((c, length) for c, length in scaled.tolist()))
    raise AssertionError("far enough away, a curve with two arcs to one side ends everywhere")
