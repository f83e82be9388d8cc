"""The collision constraint of a robot on a map, and the planning problem that it makes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Never, final

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import alike, stack
from pilotage.core.errors import ModelError, ShapeError
from pilotage.core.mathematics import math_for
from pilotage.core.problem import Problem
from pilotage.core.raster import Raster
from pilotage.core.settings import instance, positive
from pilotage.core.space import Space
from pilotage.core.states import state_of
from pilotage.models import TracedTask, task
from pilotage.models.trace.task import TaskFamily

from .cells import GridCells, read_only
from .footprint import Footprint
from .obstacles import Obstacles

if TYPE_CHECKING:
    from .queries import MapQueries

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
POINT = Space("x y [m]")
POSE = Space("x y [m]", "yaw: angle")
SLACK = 1e-3
"""Share of a cell: room that is smaller than this counts as none on the way along an edge, so that its steps stay
finite."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class FootprintConstraint:
    """The constraint that a robot of a footprint touches nothing on a map.

    ::

        g_k(x) = r_k - field(c_k(x)) <= 0            `Footprint.constraint`, for each disc k
        L = |d_xy| + arm |d_yaw|                     no point of a disc moves farther from x to x (+) d

    Nothing is nearer than ``c = -max_k g_k``, so nothing is hit before the discs have moved by c, at ``t = c / L``.
    Whole edges are checked in such steps: there is no gap in which a wall could hide. Planners run this as machine code
    of their own, so the class is final: a constraint that forbids more is an `EdgeConstraint` that holds one and asks
    it.

    Attributes:
        obstacles: of the map.
        footprint: of the robot.
        space: of its states, with components x, y and, unless the robot is round, yaw.

    Raises:
        ModelError: on a subclass.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii(["." * 8, "...##...", "." * 8])
        >>> clear = FootprintConstraint(hall.obstacles(), Footprint.disc(0.15), POINT)
        >>> clear.edges_allowed([[1.0, 0.5], [1.0, 0.5]], [[7.0, 0.5], [7.0, 2.5]])
        array([ True, False])
    """

    obstacles: Obstacles
    footprint: Footprint
    space: Space

    def __post_init__(self) -> None:
        instance(self.obstacles, Obstacles, "FootprintConstraint")
        instance(self.footprint, Footprint, "FootprintConstraint")
        instance(self.space, Space, "FootprintConstraint")
        _ = self.motion

    def __init_subclass__(cls) -> Never:
        raise ModelError(
            f"{cls.__name__} is a subclass of FootprintConstraint, which is final; hold one in an EdgeConstraint"
        )

    def __repr__(self) -> str:
        return f"FootprintConstraint({self.footprint!r}, {self.obstacles!r})"

    @cached_property
    def pose(self) -> list[int]:
        """Indices of x, y and, if the heading matters, yaw in a state."""
        names = ("x", "y", "yaw") if self.footprint.turns else ("x", "y")
        return [self.space.find(name, "the footprint") for name in names]

    @cached_property
    def motion(self) -> Array:
        """Columns of the tangent that move x, y and yaw (-1: none), and how far a radian moves a disc [m]: ``(4,)``."""
        columns = [-1.0, -1.0, -1.0]
        for k, i in enumerate(self.pose):
            part, s, t = next(row for row in self.space.layout if row[1].start <= i < row[1].stop)
            if part.size != part.dim:
                raise ShapeError(f"{part} is no pose in the plane; a footprint needs x, y and yaw, such as {POSE!r}")
            columns[k] = float(t.start + i - s.start)
        return np.array([*columns, self.footprint.arm])

    def __call__(self, x: Any) -> Any:
        """Values ``(..., K)`` [m] at states ``(..., n)``; the robot is clear where none is above zero."""
        (x,) = alike(x)
        pose = [x[..., i] for i in self.pose]
        yaw = pose[2] if self.footprint.turns else 0.0
        return stack(self.footprint.constraint(pose[0], pose[1], yaw, self.obstacles.field, math_for(x)), x)

    @cached_property
    def task(self) -> TracedTask:
        """The constraint as a traced task without cost: what compiled planners run."""
        return _family(self.footprint, self.space, tuple(self.pose))(field=self.obstacles.field)

    def edges_allowed(self, a: Any, b: Any) -> Mask:
        """Whether the robot is clear all along `Space.interpolate` from states ``(..., n)`` to states ``(..., n)``."""
        a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
        batch, a, b = a.shape[:-1], a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
        d = self.space.minus(b, a)
        ix, iy, iyaw, arm = self.motion
        length = np.hypot(d[:, int(ix)], d[:, int(iy)]) + (arm * abs(d[:, int(iyaw)]) if iyaw >= 0.0 else 0.0)
        t, end = self._room(a), length - self._room(b)
        fine = (t >= 0.0) & (end <= length)
        slack = SLACK * self.obstacles.grid.resolution
        t = np.maximum(t, slack)
        while (going := fine & (t < end)).any():
            share = (t[going] / length[going])[:, None]
            room = self._room(self.space.plus(a[going], share * d[going]))
            fine[going] = room > slack
            t[going] += room
        return fine.reshape(batch)

    def _room(self, x: Array) -> Array:
        return -np.asarray(self(x)).max(-1)

    def clearance(self, x: Any) -> Array:
        """Exact clearance [m] at states ``(..., n)``."""
        x = np.asarray(x, dtype=np.float64)
        return self.footprint.clearance(self.obstacles, x[..., self.pose])

    @property
    def refinement(self) -> int:
        """Factor of `OccupancyGrid.refined` that makes cells of half the smallest disc's radius; 1: they are as small.

        On larger cells the constraint is conservative: it refuses poses, and gaps, in which the robot has little room.
        """
        radius = min(r for _, _, r in self.footprint.discs)
        return math.ceil(2.0 * self.obstacles.grid.resolution / radius - 1e-9) if radius > 0.0 else 1

    def describe(self, x: Any) -> str:
        """A sentence on how deep in collision a state ``(n,)`` is; empty when it is clear."""
        room = self._room(np.asarray(x, dtype=np.float64))
        if room >= 0.0:
            return ""
        exact = float(self.clearance(x))
        if exact >= 0.0:
            cells = f"cells of {self.obstacles.grid.resolution:g} m"
            return (
                f"is {exact:.3f} m from an obstacle, which is too little to be sure on {cells}; "
                f"grid.refined({max(self.refinement, 2)}) has smaller ones"
            )
        depth = f"{-exact:.2f} m" if exact <= -0.005 else "less than 0.01 m"
        return f"is in collision by {depth}"

    @cached_property
    def cells(self) -> DiscCells:
        """The cells at whose centres a round robot is clear and in bounds: what planners on grids move through.

        A straight step between two of them is clear all along, and so is a diagonal one that cuts no corner, because
        the field is interpolated between them.

        Raises:
            ShapeError: when the heading of the footprint matters.
        """
        if self.footprint.turns:
            raise ShapeError(
                f"a planner on cells needs a round footprint; {self.footprint!r} turns, plan in x, y, yaw (RRTConnect) "
                f"or for the disc around it, Footprint.disc({self.footprint.radius:.3g})"
            )
        return DiscCells(self)


@cache
def _family(footprint: Footprint, space: Space, pose: tuple[int, ...]) -> TaskFamily:
    """The tasks of a footprint; one trace serves all maps."""

    def clear_of_obstacles(x: Any, u: Any, p: Any, m: Any) -> Any:
        yaw = x[pose[2]] if footprint.turns else 0.0
        return footprint.constraint(x[pose[0]], x[pose[1]], yaw, p.field, m)

    def nothing(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    params = {"field": Raster(np.zeros((1, 1)), 1.0)}
    return task(state=space, action=Space(), params=params, constraint=clear_of_obstacles)(nothing)


@dataclass(frozen=True, eq=False)
class DiscCells(GridCells):
    """The cells at whose centres a round robot is clear and inside the bounds; all others count as occupied."""

    constraint: FootprintConstraint

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.constraint.obstacles.grid.shape

    @property
    def resolution(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Side of a cell [m]."""
        return self.constraint.obstacles.grid.resolution

    @property
    def origin(self) -> tuple[float, float, float]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Pose of the lower-left corner of the map."""
        return self.constraint.obstacles.grid.origin

    @cached_property
    def free(self) -> Mask:
        """Cells at whose centre the robot is clear and inside the bounds, ``(ny, nx)`` of bool."""
        room = self.constraint.obstacles.field.values[1:-1, 1:-1] - self.constraint.footprint.radius
        free, (rows, columns) = room > SLACK * self.resolution, self.shape
        if not self._inside(np.array([[0, 0], [0, columns - 1], [rows - 1, 0], [rows - 1, columns - 1]])).all():
            free &= self._inside(np.moveaxis(np.indices(self.shape), 0, -1))
        return read_only(free)

    def _inside(self, cells: NDArray[np.int64]) -> Mask:
        """Whether the centres of cells ``(..., 2)`` lie inside the bounds, ``(...)``."""
        xy, space, pose = self.cell_to_world(cells), self.constraint.space, self.constraint.pose[:2]
        return np.asarray(((xy >= space.low[pose]) & (xy <= space.high[pose])).all(-1))

    @cached_property
    def occupied(self) -> Mask:
        """All other cells, ``(ny, nx)`` of bool."""
        return read_only(~self.free)


def on_map(
    grid: MapQueries,
    start: Any,
    goal: Any,
    footprint: Footprint | None,
    space: Space | None,
    turning: float | None,
    unknown: str,
) -> Problem:
    """The problem that `OccupancyGrid.problem` describes."""
    shape = Footprint.disc(0.0) if footprint is None else instance(footprint, Footprint, "OccupancyGrid.problem")
    if space is None:
        space = POSE if shape.turns else POINT
    constraint = FootprintConstraint(grid.obstacles(unknown), shape, space)
    space = _bounded(space, constraint, grid)
    constraint = FootprintConstraint(constraint.obstacles, shape, space)
    weights = np.ones(space.dim)
    if shape.turns:
        weights[int(constraint.motion[2])] = positive(shape.radius if turning is None else turning, "turning")
    if not isinstance(goal, Space) and not hasattr(goal, "moments") and np.shape(goal) == (2,) and space.size == 3:
        x, y = state_of(goal, POINT, "goal")
        named = [space.names[i] for i in constraint.pose]
        goal = space.bounded({named[0]: (x, x), named[1]: (y, y)})
    return Problem(space, start, goal, constraint, weights=weights, resolution=grid.resolution, world=grid)


def _bounded(space: Space, constraint: FootprintConstraint, grid: GridCells) -> Space:
    """The space with x and y inside the box around the map, where they have no bounds of their own."""
    nx, ny = grid.shape[::-1]
    corners = grid.grid_to_world([[0.0, 0.0], [nx, 0.0], [0.0, ny], [nx, ny]])
    limits: dict[str, tuple[float, float]] = {}
    for axis, i in enumerate(constraint.pose[:2]):
        low, high = space.low[i], space.high[i]
        limits[space.names[i]] = (
            float(corners[:, axis].min()) if low == -np.inf else float(low),
            float(corners[:, axis].max()) if high == np.inf else float(high),
        )
    return space.bounded(limits)
