"""The outline of a robot on the ground: a disc, several discs, or a convex polygon."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError, counted
from pilotage.core.mathematics import Component, Mathematics
from pilotage.core.raster import Raster
from pilotage.core.settings import instance, positive, shown, whole

from .clearance import clearances
from .obstacles import Obstacles

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
        hull: corners x [m], y [m] of a convex polygon, counter-clockwise; empty if the robot consists of the discs.

    Raises:
        ShapeError: if discs are missing or not finite, or the polygon is not convex.

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
        """A convex polygon.

        Args:
            corners: ``(V, 2)`` in the frame of the robot [m], in clockwise or counter-clockwise order.
            rows: number of rows along the longer side; each row is cut into squares, and a disc covers each square. The
                discs of a rectangle exceed it by at most 0.31 / rows of its width, 0.21 / rows at its long sides.

        Example:
            >>> len(Footprint.polygon([[0, 0], [4, 0], [4, 2], [0, 2]], rows=1).discs)
            2
        """
        hull = _convex(corners)
        return cls(_cover(hull, whole(rows, "rows")), tuple(map(tuple, hull.tolist())))

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
        instance(obstacles, Obstacles, "clearance")
        poses = numbers(where, "poses")
        if poses.shape[-1:] == (2,) and not self.turns:
            poses = np.concatenate([poses, np.zeros((*poses.shape[:-1], 1))], -1)
        if poses.shape[-1:] != (3,):
            raise ShapeError(f"poses have shape {poses.shape}; expected (..., 3) for x, y, yaw")
        local = np.ascontiguousarray(obstacles.grid.world_to_grid(poses).reshape(-1, 3))
        scale = 1.0 / obstacles.grid.resolution
        hull = np.array(self.hull, dtype=np.float64).reshape(-1, 2) * scale
        out = np.empty(len(local))
        clearances(
            obstacles.blocked, obstacles.field.values, scale, np.array(self.discs) * scale, hull, local,
            np.empty_like(hull), out,
        )  # fmt: skip
        return out.reshape(poses.shape[:-1]) * obstacles.grid.resolution


def _convex(corners: ArrayLike) -> Array:
    """Corners of a convex polygon, counter-clockwise."""
    points = numbers(corners, "the corners of a footprint")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise ShapeError(
            f"the corners of a footprint have shape {points.shape}; expected three or more finite rows x, y"
        )
    sides = np.roll(points, -1, axis=0) - points
    after = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    whole_turn = abs(np.arctan2(turns, (sides * after).sum(-1)).sum())
    if not ((turns > 0.0).all() or (turns < 0.0).all()) or not math.isclose(whole_turn, 2 * math.pi, rel_tol=1e-6):
        raise ShapeError(
            f"the corners {shown(points.tolist())} are not a convex polygon; expected corners that turn one way"
        )
    return points if turns[0] > 0.0 else points[::-1].copy()


def _cover(hull: Array, rows: int) -> tuple[tuple[float, float, float], ...]:
    """Discs around the pieces of a polygon that is cut into rows of squares along its longer side."""
    sides = np.roll(hull, -1, axis=0) - hull
    sides /= np.linalg.norm(sides, axis=-1, keepdims=True)
    normals = np.stack([-sides[:, 1], sides[:, 0]], -1)
    widths = np.ptp(hull @ normals.T, axis=0)
    narrow = int(np.argmin(widths))
    columns = math.ceil(float(np.ptp(hull @ sides[narrow])) * rows / float(widths[narrow]) - 1e-9)
    row_pieces = _slices(hull, normals[narrow], rows)
    return tuple(_enclosing(piece) for row in row_pieces for piece in _slices(row, sides[narrow], max(columns, 1)))


def _slices(hull: Array, axis: Array, count: int) -> list[Array]:
    """A polygon cut across `axis` into slices of equal thickness."""
    along = hull @ axis
    cuts = np.linspace(along.min(), along.max(), count + 1)
    cuts[0], cuts[-1] = -np.inf, np.inf
    return [_between(hull, axis, low, high) for low, high in itertools.pairwise(cuts)]


def _between(hull: Array, axis: Array, low: float, high: float) -> Array:
    """The corners of the part of a polygon between two lines across `axis`."""
    for sign, bound in ((1.0, high), (-1.0, -low)):
        if bound == np.inf:
            continue
        kept: list[Array] = []
        for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
            da, db = sign * float(a @ axis) - bound, sign * float(b @ axis) - bound
            if da <= 0.0:
                kept.append(a)
            if da * db < 0.0:
                kept.append(a + (b - a) * (da / (da - db)))
        hull = np.array(kept)
    return hull


def _enclosing(points: Array) -> tuple[float, float, float]:
    """The smallest disc around a few points: the smallest one through two or three of them that contains all."""
    best = (0.0, 0.0, math.inf)
    for group in itertools.chain(itertools.combinations(points, 2), itertools.combinations(points, 3)):
        center = _circumcenter(np.array(group))
        if center is not None:
            r = float(np.linalg.norm(points - center, axis=-1).max())
            if r < best[2]:
                best = (float(center[0]), float(center[1]), r * (1.0 + 1e-12))
    return best


def _circumcenter(points: Array) -> Array | None:
    if len(points) == 2:
        return points.mean(0)
    a, b = points[1] - points[0], points[2] - points[0]
    area = 2.0 * (a[0] * b[1] - a[1] * b[0])
    if abs(area) < 1e-12 * float(a @ a + b @ b):
        return None
    return points[0] + np.array([b[1] * (a @ a) - a[1] * (b @ b), a[0] * (b @ b) - b[0] * (a @ a)]) / area
