"""Queries of a map: distances, clearances, rays, costs, and planning problems."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.moving import MovingObstacle
from pilotage.core.problem import Problem
from pilotage.core.raster import Raster
from pilotage.core.settings import by_name, instance, positive, setting
from pilotage.core.space import Space

from .cells import GridCells, Unknown, read_only
from .collision import on_map
from .distance import clear_boxes, distance_transform, signed_distance
from .footprint import Footprint
from .frame import local_rays
from .obstacles import Obstacles
from .raycast import LANES, cast_rays

Array = NDArray[np.float64]


class PlanningMap(GridCells):
    """A map on which a robot plans its path."""

    @property
    @abstractmethod
    def _world(self) -> MapQueries:
        """The obstacles and what is unknown."""

    @property
    def _robot(self) -> Footprint | None:
        """The robot of a problem without a footprint; None for a point."""
        return None

    @by_name
    def problem(
        self,
        start: Any,
        goal: Any,
        footprint: Footprint | None = None,
        *,
        space: Space | None = None,
        turning: float | None = None,
        unknown: str = "blocked",
        margin: float = 0.0,
        moving: Sequence[MovingObstacle] = (),
    ) -> Problem:
        """The planning problem of a robot on this map; see `pilotage.maps.FootprintConstraint`.

        Every allowed state has a `clearance` of 0 or more. The converse does not hold: if cells are larger than half
        the robot, states and gaps with little room are rejected; `refined` gives smaller cells.

        Args:
            start: a state, or a belief.
            goal: a state, several states, or a region. If the heading matters, also a point (x, y) for any heading.
            footprint: outline of the robot; None for a point, and on a `Costmap` for a disc of its radius `inscribed`.
            space: space of the states; by default x and y, and yaw if the heading matters or the start has one.
            turning: length [m] that a turn of one radian is worth; by default the radius of the footprint.
            unknown: whether unknown cells are "blocked" or "free". Everything off the map is blocked.
            margin: distance [m] that the robot keeps from obstacles. If it starts closer to one, but not in collision,
                the path leads out of the margin first, and ``plan.stats["led_out"]`` says so in a sentence.
            moving: moving obstacles, for planners that know times.

        Raises:
            SettingError: if `footprint` is not a `Footprint`, `turning` is not positive, or `margin` is negative.
            ShapeError: if start or goal do not fit the space.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> room = OccupancyGrid.from_ascii(["....", ".#..", "...."])
            >>> bool(room.problem((0.5, 0.5), (3.5, 1.5), Footprint.disc(0.2)).allowed([0.5, 0.5]))
            True
        """
        shape = self._robot if footprint is None else footprint
        return on_map(self._world, start, goal, shape, space, turning, unknown, margin, moving)


class MapQueries(PlanningMap):
    """Queries of the cells of a map; derived arrays are computed once and cached."""

    @property
    def _world(self) -> MapQueries:
        return self

    def distance_field(self, *, signed: bool = False) -> Raster:
        """The exact Euclidean distance [m] from each cell centre to the centre of the nearest occupied cell.

        It is 0 in occupied cells, and the diagonal of the map if there are no obstacles. Unknown cells and everything
        off the map do not count as obstacles here; points off the map get the value of the nearest border cell. For
        robots with a size use `clearance`, which measures to the faces of cells. `DynamicDistance` is the same field of
        a map that changes.

        Args:
            signed: True for the distance to the nearest face between an occupied cell and another one instead, negative
                in occupied cells: the convention of `clearance`.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> float(OccupancyGrid.from_ascii(["#..."], resolution=0.5).distance_field().at([1.75, 0.25]))
            1.5
        """
        return self._signed_distance if signed else self._distance

    @cached_property
    def _signed_distance(self) -> Raster:
        d = signed_distance(self.occupied) * self.resolution
        return Raster(read_only(d), self.resolution, self.origin)

    @cached_property
    def _distance(self) -> Raster:
        d = distance_transform(self.occupied)
        d *= self.resolution
        return Raster(read_only(d), self.resolution, self.origin)

    def obstacles(self, unknown: str = "blocked") -> Obstacles:
        """The blocked cells with signed distances to them; computed once for each value of `unknown`.

        Everything off the map is blocked.

        Args:
            unknown: whether unknown cells are "blocked" or "free".
        """
        setting(unknown, Unknown, "unknown")
        kept = self._obstacles
        if unknown not in kept:
            kept[unknown] = Obstacles.of(self, unknown)
        return kept[unknown]

    @cached_property
    def _obstacles(self) -> dict[str, Obstacles]:
        return {}

    def clearance(self, where: ArrayLike, footprint: Footprint | None = None, *, unknown: str = "blocked") -> Array:
        """The clearance [m] of points ``(..., 2)`` or of a footprint at poses ``(..., 3)``; see `Footprint.clearance`.

        It is exact, and measured to the faces of cells. Everything off the map is blocked.

        Args:
            where: points, or poses x [m], y [m], yaw [rad].
            footprint: outline of the robot; None for a point.
            unknown: whether unknown cells are "blocked" or "free".

        Raises:
            SettingError: if `footprint` is not a `Footprint`.
            ShapeError: if `where` has the wrong shape.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> room = OccupancyGrid.from_ascii(["....", "....", "...#"])
            >>> room.clearance([[2.5, 0.5], [3.5, 0.5]]).tolist()
            [0.5, -0.5]
        """
        shape = Footprint.disc(0.0) if footprint is None else instance(footprint, Footprint, "clearance")
        return shape.clearance(self.obstacles(unknown), where)

    def clearance_gradient(
        self, where: ArrayLike, footprint: Footprint | None = None, *, unknown: str = "blocked"
    ) -> Array:
        """The gradient of `clearance`, of the shape of `where`; see `Footprint.clearance_gradient`.

        Args:
            where, footprint, unknown: as those of `clearance`.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> room = OccupancyGrid.from_ascii(["....", "....", "...#"])
            >>> room.clearance_gradient([[2.7, 0.5], [2.8, 1.1]]).round(3).tolist()
            [[-1.0, 0.0], [-0.894, 0.447]]
        """
        shape = Footprint.disc(0.0) if footprint is None else instance(footprint, Footprint, "clearance_gradient")
        return shape.clearance_gradient(self.obstacles(unknown), where)

    def soft_costs(self, radius: float, peak: float = 10.0) -> Array:
        """Traversal costs ``(ny, nx)`` that make planners prefer the middle of free space.

        ::

            c = 1 + peak max(0, 1 - d / radius)^2,   d = distance to the nearest obstacle, `distance_field`

        Args:
            radius: distance beyond which obstacles have no effect [m].
            peak: additional cost of a cell at an obstacle; not negative.

        Returns:
            Costs >= 1, for the `costs` argument of `AStar.plan`.
        """
        reach, height = positive(radius, "radius"), positive(peak, "peak", zero=True)
        d = self._distance.values
        return 1.0 + height * np.clip(1.0 - d / reach, 0.0, 1.0) ** 2

    def raycast(self, poses: ArrayLike, angles: ArrayLike, max_range: float, *, unknown: str = "free") -> Array:
        """The distance to the first obstacle along rays, by an exact compiled traversal of the grid.

        Args:
            poses: ``(..., 3)`` x [m], y [m], yaw [rad] in the world.
            angles: ``(B,)`` directions of the rays relative to the yaw [rad].
            max_range: maximum range [m]; also the result if a ray hits nothing. Everything off the map is free.
            unknown: "free" if rays pass through unknown cells, "blocked" if they end there.

        Returns:
            Ranges ``(..., B)`` [m]; 0 if the pose is inside an obstacle, NaN if it is not finite.

        Example:
            >>> from pilotage.maps import OccupancyGrid
            >>> grid = OccupancyGrid.from_ascii(["...#"], resolution=0.5)
            >>> grid.raycast([0.25, 0.25, 0.0], [0.0, np.pi], max_range=5.0)
            array([1.25, 5.  ])
        """
        through = setting(unknown, Unknown, "unknown") == "free"
        boxes = self._boxes_of_occupied if through else self._boxes_of_not_free
        reach = positive(max_range, "max_range")
        local, directions = local_rays(self, poses, angles)
        found = np.empty((len(local), len(directions)))
        memory = np.empty((8, LANES)), np.empty(LANES, dtype=np.int64)
        cast_rays(
            boxes, boxes.ravel(), local, np.cos(directions), np.sin(directions), reach / self.resolution, found, *memory
        )
        found *= self.resolution
        return np.minimum(found, reach, out=found).reshape(*np.shape(poses)[:-1], len(directions))

    @cached_property
    def _boxes_of_occupied(self) -> NDArray[np.uint8]:
        return clear_boxes(self.occupied)

    @cached_property
    def _boxes_of_not_free(self) -> NDArray[np.uint8]:
        return clear_boxes(~self.free)
