"""The outline of a robot on the ground: a disc, several discs, or a polygon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError, counted
from pilotage.core.mathematics import Component, Mathematics
from pilotage.core.raster import Raster
from pilotage.core.settings import instance, positive, shown, whole

from ._polygon import convex_pieces, cover, outline
from .clearance import clearances
from .frame import GridFrame
from .obstacles import Obstacles
from .sweep import sweep

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Footprint:
    """The outline of a robot in its own frame: discs that cover it, and its hull if it is a polygon.

    ::

        g_k(x, y, yaw) = r_k - field(x + R(yaw) c_k),   k over the discs;   the robot is clear where all g_k <= 0

    `constraint` is this formula for numbers, arrays, tensors and traces. Planners, controllers, samplers and
    environments all check collisions with it. It is conservative: if it is satisfied, the robot is clear. `clearance`
    is exact.

    Attributes:
        discs: x [m], y [m], radius [m] of each disc; together they cover the robot.
        hull: corners x [m], y [m] of a polygon, convex or not, counter-clockwise; empty if the robot consists of the
            discs.

    Raises:
        ShapeError: if discs are missing or not finite, or sides of the polygon cross.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii(["." * 8] * 5, resolution=0.5)
        >>> car = Footprint.rectangle(1.2, 0.6)
        >>> float(car.clearance(hall.obstacles(), [2.0, 1.25, 0.0]).round(3))
        0.95
    """

    instead: ClassVar[str] = "; Footprint.disc(0.3) makes one of a radius"
    """The end of the sentence about what is no footprint."""
    discs: Sequence[Sequence[float]]
    hull: Sequence[Sequence[float]] = ()

    def __post_init__(self) -> None:
        discs, hull = numbers(self.discs, "the discs of a footprint"), numbers(self.hull, "the hull of a footprint")
        if discs.ndim != 2 or discs.shape[1] != 3 or not len(discs):
            raise ShapeError(
                f"a footprint has discs of shape {discs.shape}; expected (K, 3): a row x, y, radius for each"
            )
        if not np.isfinite(discs).all() or (discs[:, 2] < 0.0).any():
            raise ShapeError(
                f"the discs of a footprint are {shown(discs.tolist())}; expected finite rows, radii 0 or more"
            )
        if hull.size and (hull.ndim != 2 or hull.shape[1] != 2 or not np.isfinite(hull).all()):
            raise ShapeError(f"the hull of a footprint is {shown(self.hull)}; expected finite corners (V, 2)")
        object.__setattr__(self, "discs", tuple(map(tuple, discs.tolist())))
        object.__setattr__(self, "hull", tuple(map(tuple, hull.tolist())))

    @classmethod
    def disc(cls, radius: float) -> Footprint:
        """A round robot with its origin at the centre [m]."""
        return cls(((0.0, 0.0, positive(radius, "the radius of a footprint", zero=True)),))

    @classmethod
    def rectangle(
        cls, length: float, width: float, center: Sequence[float] = (0.0, 0.0), *, rows: int = 2
    ) -> Footprint:
        """A rectangle along the robot's x axis [m].

        Args:
            length, width: size along x and y.
            center: centre of the rectangle in the frame of the robot; ahead of the origin for a car whose origin is its
                rear axle.
            rows: see `polygon`.
        """
        a, b = 0.5 * positive(length, "length"), 0.5 * positive(width, "width")
        middle = numbers(center, "center")
        if middle.shape != (2,):
            raise ShapeError(f"center is {shown(center)}; expected x and y")
        x, y = middle
        return cls.polygon([[x - a, y - b], [x + a, y - b], [x + a, y + b], [x - a, y + b]], rows=rows)

    @classmethod
    def polygon(cls, corners: ArrayLike, *, rows: int = 2) -> Footprint:
        """A polygon, convex or not, whose sides do not cross.

        Args:
            corners: ``(V, 2)`` in the frame of the robot [m], in clockwise or counter-clockwise order.
            rows: number of rows along the longer side of each convex piece; each row is cut into squares, and a disc
                covers each square. The discs of a rectangle exceed it by at most 0.31 / rows of its width, 0.21 / rows
                at its long sides.

        Example:
            >>> len(Footprint.polygon([[0, 0], [4, 0], [4, 2], [0, 2]], rows=1).discs)
            2
        """
        shape, count = outline(corners), whole(rows, "rows")
        discs = [disc for piece in convex_pieces(shape) for disc in cover(piece, count)]
        return cls(discs, tuple(map(tuple, shape.tolist())))

    def __repr__(self) -> str:
        if self.hull:
            length, width = np.ptp(np.array(self.hull), axis=0)
            return f"Footprint(polygon of {len(self.hull)} corners, {length:.3g} x {width:.3g} m)"
        return f"Footprint({counted(len(self.discs), 'disc')}, radius {self.radius:.3g} m)"

    @property
    def radius(self) -> float:
        """The radius of the disc around the robot's origin that covers all its discs [m]."""
        return max(math.hypot(x, y) + r for x, y, r in self.discs)

    @property
    def arm(self) -> float:
        """The distance of the farthest disc centre from the robot's origin [m]: how far one radian moves it."""
        return max(math.hypot(x, y) for x, y, _ in self.discs)

    @property
    def turns(self) -> bool:
        """Whether the heading matters; False for a disc around the origin."""
        return self.arm > 0.0

    def centers(self, poses: Any) -> tuple[Array, Array]:
        """The centres ``(..., K, 2)`` and radii ``(K,)`` [m] of the discs at poses ``(..., 3)``."""
        poses, discs = numbers(poses, "poses"), np.array(self.discs)
        if poses.shape[-1:] != (3,):
            raise ShapeError(f"poses have shape {poses.shape}; expected (..., 3) for x, y, yaw")
        c, s = np.cos(poses[..., 2:3]), np.sin(poses[..., 2:3])
        x, y = discs[:, 0], discs[:, 1]
        return np.stack([poses[..., 0:1] + c * x - s * y, poses[..., 1:2] + s * x + c * y], -1), discs[:, 2]

    def constraint(self, x: Component, y: Component, yaw: Component, field: Raster, m: Mathematics) -> list[Component]:
        """The values ``g_k`` [m], one for each disc; the robot is clear if none is positive.

        Args:
            x, y, yaw: components of the robot's pose, of a type that `m` supports.
            field: the field of `Obstacles`, or the parameter of a traced task that holds it.
            m: the mathematics of numpy, torch or the tracer.
        """
        c, s = (m.cos(yaw), m.sin(yaw)) if self.turns else (1.0, 0.0)
        return [r - m.lookup(field, x + c * a - s * b, y + s * a + c * b) for a, b, r in self.discs]

    def clearance(self, obstacles: Obstacles, where: ArrayLike) -> Array:
        """The exact clearance [m] at poses ``(..., 3)`` or, for a round robot, points ``(..., 2)``.

        It is the distance between the robot (the polygon itself if there is one, not the discs that cover it) and the
        surface of the nearest obstacle. If they overlap, it is negative: how far a disc would have to move to be clear
        of all obstacles, or a polygon to be clear of the cell that it overlaps most. The clearance never changes by
        more than the robot moves. It is NaN if the pose is not finite. Everything off the map is blocked; `obstacles`
        determines whether unknown cells are.
        """
        return self._nearest(obstacles, where, False)[0]

    def clearance_gradient(self, obstacles: Obstacles, where: ArrayLike) -> Array:
        """The gradient of `clearance` by x, y [1] and yaw [m / rad], of the shape of `where`.

        ::

            dc / d(x, y) = n,   dc / dyaw = n' J (w - p),   J: a quarter turn

        n is the unit vector from the nearest obstacle to the robot, or out of it, w the point of the robot there, and p
        its origin. On ridges, where two obstacles are equally near, it is the gradient for one of them. It is NaN if
        the pose is not finite.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> hall = OccupancyGrid.from_ascii(["." * 8] * 5, resolution=0.5)
            >>> Footprint.rectangle(1.2, 0.6).clearance_gradient(hall.obstacles(), [0.7, 1.25, 0.2]).round(3)
            array([ 1.   ,  0.   , -0.175])
        """
        return self._nearest(obstacles, where, True)[1][..., : np.shape(where)[-1]]

    def _nearest(self, obstacles: Obstacles, where: ArrayLike, sloped: bool) -> tuple[Array, Array]:
        """Clearances ``(...)``, and their gradients ``(..., 3)`` if they are `sloped`."""
        instance(obstacles, Obstacles, "clearance")
        poses = numbers(where, "poses")
        if poses.shape[-1:] == (2,) and not self.turns:
            poses = np.concatenate([poses, np.zeros((*poses.shape[:-1], 1))], -1)
        if poses.shape[-1:] != (3,):
            raise ShapeError(f"poses have shape {poses.shape}; expected (..., 3) for x, y, yaw")
        grid = obstacles.grid
        local, scale = np.ascontiguousarray(grid.world_to_grid(poses).reshape(-1, 3)), 1.0 / grid.resolution
        nearest, slopes = np.full(len(local), np.inf), np.zeros((len(local) if sloped else 0, 3))
        for piece in self._pieces:
            out, slope = np.empty(len(local)), np.empty_like(slopes)
            clearances(
                obstacles.blocked, obstacles.field.values, scale, np.array(self.discs) * scale, piece * scale, local,
                np.empty_like(piece), out, slope,
            )  # fmt: skip
            if sloped:
                slopes = np.where((out < nearest)[:, None] | np.isnan(slope), slope, slopes)
            np.minimum(nearest, out, out=nearest)
        c, s = math.cos(grid.origin[2]), math.sin(grid.origin[2])
        slopes = slopes @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, grid.resolution]])
        shape = poses.shape[:-1]
        return nearest.reshape(shape) * grid.resolution, slopes.reshape(*shape, 3) if sloped else slopes

    def swept(self, grid: GridFrame, poses: ArrayLike) -> NDArray[np.bool_]:
        """The cells ``(ny, nx)`` of a grid that the robot touches on the way through poses ``(T, 3)``, in any order.

        Between two poses, x and y move along a straight line and yaw turns the shorter way at a constant rate. The
        polygon itself counts, or the discs. Cells within a thousandth of a cell of the robot count as touched, so none
        is missed.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> hall = OccupancyGrid.from_ascii(["......", "......", "......"])
            >>> Footprint.rectangle(1.8, 0.6).swept(hall, [[1.5, 1.5, 0.0], [4.5, 1.5, 0.0]]).astype(int)
            array([[0, 0, 0, 0, 0, 0],
                   [1, 1, 1, 1, 1, 1],
                   [0, 0, 0, 0, 0, 0]])
        """
        touched = np.zeros(grid.shape, dtype=np.bool_)
        self._sweep(grid, poses, np.ones(grid.shape, dtype=np.bool_), touched, 0)
        return touched

    def sweeps_clear(self, obstacles: Obstacles, poses: ArrayLike) -> NDArray[np.bool_]:
        """Whether the robot touches no obstacle on each of the ways ``(T-1,)`` between poses ``(T, 3)``, as `swept`.

        It is exact to a thousandth of a cell, whereas `FootprintConstraint.edges_allowed` is conservative. Everything
        off the map is blocked; `obstacles` determines whether unknown cells are.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> hall = OccupancyGrid.from_ascii(["....", "....", "#..."]).obstacles()
            >>> Footprint.rectangle(1.6, 0.2).sweeps_clear(hall, [[1.5, 1.2, 0.0], [1.5, 1.2, -1.5], [1.5, 1.2, -3.0]])
            array([ True, False])
        """
        instance(obstacles, Obstacles, "sweeps_clear")
        hit = self._sweep(obstacles.grid, poses, obstacles.blocked, np.zeros_like(obstacles.blocked), 1)
        return ~hit & (self.clearance(obstacles, poses)[:-1] > 0.0)

    def _sweep(self, grid: GridFrame, poses: ArrayLike, cells: Any, touched: Any, ring: int) -> NDArray[np.bool_]:
        """Mark the cells that are touched among `cells`, which have a ring around the grid; the ways that touch any."""
        where = numbers(poses, "poses")
        if where.shape[-1:] == (2,) and not self.turns:
            where = np.concatenate([where, np.zeros((*where.shape[:-1], 1))], -1)
        if where.ndim != 2 or where.shape[1] != 3 or not len(where) or not np.isfinite(where).all():
            raise ShapeError(f"poses have shape {where.shape}; expected finite (T, 3) for x, y, yaw, one or more")
        local = grid.world_to_grid(where) + [ring, ring, 0.0]
        local = np.concatenate([local, local[-1:]]) if len(local) == 1 else local
        hit, scale = np.zeros(len(local) - 1, dtype=np.bool_), 1.0 / grid.resolution
        for piece in self._pieces:
            sweep(np.array(self.discs) * scale, piece * scale, local, np.empty_like(piece), cells, touched, hit)
        return hit[: len(where) - 1]

    @cached_property
    def _pieces(self) -> list[Array]:
        """The convex pieces of the polygon, ``(V, 2)`` each; one without corners if the robot consists of discs."""
        return convex_pieces(np.array(self.hull)) if self.hull else [np.empty((0, 2))]

    def __getstate__(self) -> dict[str, Any]:
        return {"discs": self.discs, "hull": self.hull}
