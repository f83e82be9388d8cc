"""The collision constraint of a robot on a map, and the planning problem with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Never, final

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import alike, stack
from pilotage.core.errors import ModelError, ShapeError
from pilotage.core.mathematics import math_for
from pilotage.core.moving import MovingObstacle
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
"""A share of a cell: clearance below this counts as zero in the check of an edge, so that the number of steps stays
finite."""


class Margin(NamedTuple):
    """The distance from obstacles that a robot keeps beyond its outline.

    Attributes:
        robot: outline of the robot without it.
        length: the distance [m].
        purpose: its reason, as the end of a sentence, such as " for a risk of 0.01".
        risk: bound of the probability of a collision at a clearance [m], if the margin is there to bound one.
    """

    robot: Footprint
    length: float
    purpose: str
    risk: Callable[[float], float] | None = None


@final
@dataclass(frozen=True, eq=False, repr=False)
class FootprintConstraint:
    """The constraint that the footprint of a robot touches no obstacle of a map.

    ::

        g_k(x) = r_k - field(c_k(x)) <= 0            `Footprint.constraint`, for each disc k
        L = |d_xy| + arm |d_yaw|                     no point of a disc moves farther from x to x (+) d

    No obstacle is nearer than ``c = -max_k g_k``, so the robot hits none before its discs have moved by c, at
    ``t = c / L``. Edges are checked in such steps, which cannot miss a wall, however thin. Planners run this check as
    compiled code, so the class is final: to add further conditions, write an `EdgeConstraint` that holds this one and
    calls it.

    Attributes:
        obstacles: obstacles of the map.
        footprint: outline of the robot, grown by the margin.
        space: space of the states, with components x, y and, unless the robot is round, yaw.
        margin: what the footprint is grown by, of `keeping`; None if by nothing.

    Raises:
        ModelError: if the class is subclassed.

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
    margin: Margin | None = None

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

    @property
    def robot(self) -> Footprint:
        """The outline of the robot without the margin."""
        return self.margin.robot if self.margin else self.footprint

    def keeping(
        self, margin: float, purpose: str = "", risk: Callable[[float], float] | None = None
    ) -> FootprintConstraint:
        """The constraint that the robot keeps a further margin [m] from obstacles, for a purpose; see `Margin`.

        A robot that starts within the margin is led out of it by planners that know no times, and by `SpaceTimeAStar`.
        """
        if positive(margin, "margin", zero=True) == 0.0:
            return self
        grown = Footprint([(x, y, radius + margin) for x, y, radius in self.footprint.discs])
        length = margin + (self.margin.length if self.margin else 0.0)
        return replace(self, footprint=grown, margin=Margin(self.robot, length, purpose, risk))

    @cached_property
    def pose(self) -> list[int]:
        """The indices of x, y and, if the heading matters, yaw in a state."""
        names = ("x", "y", "yaw") if self.footprint.turns else ("x", "y")
        return [self.space.find(name, "the footprint") for name in names]

    @cached_property
    def motion(self) -> Array:
        """The tangent columns of x, y and yaw (-1: none), and how far one radian moves a disc [m], ``(4,)``."""
        columns = [-1.0, -1.0, -1.0]
        for k, i in enumerate(self.pose):
            part, s, t = next(row for row in self.space.layout if row[1].start <= i < row[1].stop)
            if part.size != part.dim:
                raise ShapeError(f"{part} is not a pose in the plane; a footprint needs x, y and yaw, such as {POSE!r}")
            columns[k] = float(t.start + i - s.start)
        return np.array([*columns, self.footprint.arm])

    def __call__(self, x: Any) -> Any:
        """Values ``(..., K)`` [m] at states ``(..., n)``; the robot is clear if none is positive."""
        (x,) = alike(x)
        pose = [x[..., i] for i in self.pose]
        yaw = pose[2] if self.footprint.turns else 0.0
        return stack(self.footprint.constraint(pose[0], pose[1], yaw, self.obstacles.field, math_for(x)), x)

    @cached_property
    def task(self) -> TracedTask:
        """The constraint as a traced task without cost, for compiled planners."""
        return _family(self.footprint, self.space, tuple(self.pose))(field=self.obstacles.field)

    def edges_allowed(self, a: Any, b: Any) -> Mask:
        """Whether the robot is clear along the whole interpolation from states ``(..., n)`` to states ``(..., n)``."""
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
        """The exact clearance [m] at states ``(..., n)``, of the footprint with its margin."""
        x = np.asarray(x, dtype=np.float64)
        return self.footprint.clearance(self.obstacles, x[..., self.pose])

    def robot_clearance(self, x: Any) -> Array:
        """The exact clearance [m] at states ``(..., n)``, of the robot without its margin."""
        x = np.asarray(x, dtype=np.float64)
        return self.robot.clearance(self.obstacles, x[..., self.pose])

    @property
    def refinement(self) -> int:
        """The factor of `OccupancyGrid.refined` for cells of half the smallest disc's radius; 1 if none is needed.

        On larger cells the constraint is conservative: it rejects poses and gaps in which the robot has little room.
        """
        radius = min(r for _, _, r in self.footprint.discs)
        return math.ceil(2.0 * self.obstacles.grid.resolution / radius - 1e-9) if radius > 0.0 else 1

    def describe(self, x: Any) -> str:
        """A sentence on the depth of the collision at a state ``(n,)``; empty if it is clear."""
        room = self._room(np.asarray(x, dtype=np.float64))
        if room >= 0.0:
            return ""
        exact = float(self.robot_clearance(x))
        if exact < 0.0:
            return f"is in collision by {f'{-exact:.2f} m' if exact <= -0.005 else 'less than 0.01 m'}"
        if self.margin and float(self.clearance(x)) < 0.0:
            return within(exact, self.margin.length, self.margin.purpose)
        cells = f"cells of {self.obstacles.grid.resolution:g} m"
        return (
            f"is {exact:.3f} m from an obstacle, too close to be certainly clear on {cells}; "
            f"grid.refined({max(self.refinement, 2)}) has smaller ones"
        )

    @cached_property
    def cells(self) -> DiscCells:
        """The cells where a round robot at the centre is clear and within the bounds, for grid planners.

        A straight step between two such cells is clear along its whole length, and so is a diagonal step that cuts no
        corner, because the field is interpolated between the centres.

        Raises:
            ShapeError: if the footprint is not round, so that its heading matters.
        """
        if self.footprint.turns:
            raise ShapeError(
                f"a planner on cells needs a round footprint; {self.footprint!r} turns, plan in x, y, yaw (RRTConnect) "
                f"or for the disc around it, Footprint.disc({self.footprint.radius:.3g})"
            )
        return DiscCells(self)


def within(clearance: float, margin: float, purpose: str) -> str:
    """The end of a sentence about a robot that is clear, but not by its margin."""
    return f"is {clearance:.2f} m from an obstacle, within the margin of {margin:.2f} m{purpose}"


@cache
def _family(footprint: Footprint, space: Space, pose: tuple[int, ...]) -> TaskFamily:
    """The task family of a footprint; all maps share one trace."""

    def clear_of_obstacles(x: Any, u: Any, p: Any, m: Any) -> Any:
        yaw = x[pose[2]] if footprint.turns else 0.0
        return footprint.constraint(x[pose[0]], x[pose[1]], yaw, p.field, m)

    def nothing(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 0.0

    params = {"field": Raster(np.zeros((1, 1)), 1.0)}
    return task(state=space, action=Space(), params=params, constraint=clear_of_obstacles)(nothing)


@dataclass(frozen=True, eq=False)
class DiscCells(GridCells):
    """The cells where a round robot at the centre is clear and within the bounds; all others count as occupied."""

    constraint: FootprintConstraint

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        return self.constraint.obstacles.grid.shape

    @property
    def resolution(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The side of a cell [m]."""
        return self.constraint.obstacles.grid.resolution

    @property
    def origin(self) -> tuple[float, float, float]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The pose of the lower-left corner of the map."""
        return self.constraint.obstacles.grid.origin

    @cached_property
    def free(self) -> Mask:
        """The cells where the robot at the centre is clear and within the bounds, bools ``(ny, nx)``."""
        room = self.constraint.obstacles.field.values[1:-1, 1:-1] - self.constraint.footprint.radius
        free, (rows, columns) = room > SLACK * self.resolution, self.shape
        if not self._inside(np.array([[0, 0], [0, columns - 1], [rows - 1, 0], [rows - 1, columns - 1]])).all():
            free &= self._inside(np.moveaxis(np.indices(self.shape), 0, -1))
        return read_only(free)

    def _inside(self, cells: NDArray[np.int64]) -> Mask:
        """Whether the centres of cells ``(..., 2)`` lie within the bounds, ``(...)``."""
        xy, space, pose = self.cell_to_world(cells), self.constraint.space, self.constraint.pose[:2]
        return np.asarray(((xy >= space.low[pose]) & (xy <= space.high[pose])).all(-1))

    @cached_property
    def occupied(self) -> Mask:
        """All other cells, bools ``(ny, nx)``."""
        return read_only(~self.free)


def on_map(
    grid: MapQueries,
    start: Any,
    goal: Any,
    footprint: Footprint | None,
    space: Space | None,
    turning: float | None,
    unknown: str,
    margin: float,
    moving: Sequence[MovingObstacle],
) -> Problem:
    """The problem that `OccupancyGrid.problem` describes."""
    shape = Footprint.disc(0.0) if footprint is None else instance(footprint, Footprint, "OccupancyGrid.problem")
    if space is None:
        space = POSE if shape.turns or np.shape(start) == (3,) else POINT
    constraint = FootprintConstraint(grid.obstacles(unknown), shape, space)
    space = _bounded(space, constraint, grid)
    constraint = FootprintConstraint(constraint.obstacles, shape, space).keeping(margin)
    weights = np.ones(space.dim)
    if shape.turns:
        weights[int(constraint.motion[2])] = positive(shape.radius if turning is None else turning, "turning")
    if not isinstance(goal, Space) and not hasattr(goal, "moments") and np.shape(goal) == (2,) and space.size == 3:
        x, y = state_of(goal, POINT, "goal")
        named = [space.names[i] for i in constraint.pose]
        goal = space.bounded({named[0]: (x, x), named[1]: (y, y)})
    return Problem(
        space, start, goal, constraint, weights=weights, resolution=grid.resolution, world=grid, moving=moving
    )


def _bounded(space: Space, constraint: FootprintConstraint, grid: GridCells) -> Space:
    """The space with x and y bounded by the box around the map, unless they have bounds already."""
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
