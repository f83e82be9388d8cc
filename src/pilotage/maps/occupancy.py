"""The occupancy grid: free, occupied and unknown cells."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import FormatError, ShapeError
from pilotage.core.problem import Problem
from pilotage.core.raster import Raster
from pilotage.core.settings import instance, number, positive, setting, whole
from pilotage.core.space import Space
from pilotage.io import RosMap, read_movingai_map, read_ros_map, write_ros_map
from pilotage.io.contents import path_of

from .cells import GridCells, Unknown, drawn, log_odds, odds_of_threshold, probabilities, read_only
from .collision import on_map
from .distance import clear_boxes, distance_transform
from .footprint import Footprint
from .frame import local_rays
from .inflated import InflatedGrid
from .mapping import Evidence
from .obstacles import Obstacles
from .raycast import LANES, cast_rays
from .stamps import disc_cells, rectangle_cells
from .stock import find_map

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OccupancyGrid(GridCells):
    """Cells that are free, occupied or unknown, as log-odds of being occupied.

    ::

        l = log(p / (1 - p)),   occupied where p > occupied_thresh,   free where p < free_thresh,   else unknown

    A frozen value: methods that change cells return a new grid. What is derived (masks, distances) is computed once
    and kept.

    Attributes:
        log_odds: ``(ny, nx)`` float32, row 0 at the lowest y, NaN where nothing is known; read-only.
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of cell [0, 0] in the world.
        occupied_thresh, free_thresh: probabilities that separate the three classes (map_server's defaults).
            Probabilities within 0.001 of 0 or 1 count as certain.

    Example:
        >>> grid = OccupancyGrid.from_ascii([".#.", "..."], resolution=0.5)
        >>> grid.occupied.sum(), grid.size
        (np.int64(1), (1.5, 1.0))
        >>> grid.is_free([[0.25, 0.75], [0.75, 0.75]])
        array([ True, False])
    """

    log_odds: NDArray[np.float32]
    resolution: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    occupied_thresh: float = 0.65
    free_thresh: float = 0.196

    def __post_init__(self) -> None:
        cells = np.array(numbers(self.log_odds, "log_odds", np.float32), order="C")
        if cells.ndim != 2 or cells.size == 0:
            raise ShapeError(f"the cells of a grid must have shape (ny, nx) with at least one cell, not {cells.shape}")
        if np.isinf(cells).any():
            raise ShapeError(
                "the log-odds of cells must be finite or NaN (unknown), but hold an infinity; "
                "OccupancyGrid.from_probability takes 0 and 1"
            )
        free, occupied = number(self.free_thresh, "free_thresh"), number(self.occupied_thresh, "occupied_thresh")
        if not 0.0 <= free < occupied <= 1.0:
            raise FormatError(
                f"thresholds must satisfy 0 <= free_thresh < occupied_thresh <= 1, not {free} and {occupied}"
            )
        cells.setflags(write=False)
        object.__setattr__(self, "log_odds", cells)
        self._check_frame()

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}  # what is derived can be derived again

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.log_odds.setflags(write=False)  # a copy from another process comes writeable

    def __repr__(self) -> str:
        ny, nx = self.shape
        known = 1.0 - self.unknown.mean()
        return f"OccupancyGrid({nx} x {ny} cells of {self.resolution:g} m, {known:.0%} known)"

    # --- cells ---

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        ny, nx = self.log_odds.shape
        return ny, nx

    @cached_property
    def probability(self) -> Array:
        """Probability of being occupied, ``(ny, nx)``, 0 and 1 where certain, NaN where nothing is known."""
        return read_only(probabilities(self.log_odds))

    @cached_property
    def occupied(self) -> Mask:
        """Cells that are occupied, ``(ny, nx)`` of bool."""
        return read_only(self.log_odds > odds_of_threshold(self.occupied_thresh))

    @cached_property
    def free(self) -> Mask:
        """Cells that are free, ``(ny, nx)`` of bool."""
        return read_only(self.log_odds < odds_of_threshold(self.free_thresh))

    # --- making one ---

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> OccupancyGrid:
        """Read a ROS map (`.yaml` with its pgm or png) or a MovingAI map (`.map`, `.map.gz`; cells of 1 m).

        Args:
            path: the file, or the name of a map that comes with Pilotage: "depot", "tb3_sandbox", "turtlebot3_world",
                with or without .yaml. A file of that name comes first.

        Raises:
            MissingFile: when there is no such file, nor a map of that name.
            FormatError: naming the file and what is wrong in it.

        Example:
            >>> OccupancyGrid.load("depot.yaml")
            OccupancyGrid(604 x 307 cells of 0.05 m, 100% known)
        """
        file = find_map(path)
        if file.name.lower().removesuffix(".gz").endswith(".map"):
            return cls.from_occupied(~read_movingai_map(file)[::-1], resolution=1.0)
        found = read_ros_map(file)
        return cls.from_probability(
            found.occupancy,
            found.resolution,
            found.origin,
            occupied_thresh=found.occupied_thresh,
            free_thresh=found.free_thresh,
        )

    def save(self, path: str | os.PathLike[str], *, mode: str = "trinary", image: str | None = None) -> None:
        """Write a ROS map: the yaml file `path` and, beside it, its image.

        Args:
            path: the yaml file.
            mode: "trinary" keeps free, occupied and unknown; "scale" and "raw" keep probabilities as well.
            image: name of the image; its ending chooses pgm or png.

        Raises:
            FormatError: when the name does not end in .yaml or .yml, or the image's not in .pgm or .png.
            MissingFile: when there is no such folder.
        """
        if path_of(path).suffix.lower() not in (".yaml", ".yml"):
            raise FormatError(f"{path}: a ROS map is a .yaml file; its image is named by image=")
        ros_map = RosMap(
            self.probability.astype(np.float32),
            self.resolution,
            self.origin,
            self.occupied_thresh,
            self.free_thresh,
            mode,
        )
        write_ros_map(path, ros_map, image)

    @classmethod
    def from_probability(
        cls,
        p: ArrayLike,
        resolution: float,
        origin: Sequence[float] = (0.0, 0.0, 0.0),
        *,
        occupied_thresh: float = 0.65,
        free_thresh: float = 0.196,
    ) -> OccupancyGrid:
        """A grid from probabilities ``(ny, nx)`` of being occupied in [0, 1], NaN where unknown."""
        place = cast("tuple[float, float, float]", origin)  # checked with the rest
        return cls(log_odds(p), resolution, place, occupied_thresh, free_thresh)

    @classmethod
    def from_occupied(
        cls, occupied: ArrayLike, resolution: float, origin: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> OccupancyGrid:
        """A grid from a boolean array ``(ny, nx)``: True is occupied, all others are free; row 0 is the lowest y.

        Pixels of an image are no such thing, see `load`; probabilities go to `from_probability`.

        Raises:
            ShapeError: when numbers other than 0 and 1 are given.

        Example:
            >>> OccupancyGrid.from_occupied([[False, True]], resolution=0.1)
            OccupancyGrid(2 x 1 cells of 0.1 m, 100% known)
        """
        solid = numbers(occupied, "a map of occupied cells")
        if not ((solid == 0.0) | (solid == 1.0)).all():
            raise ShapeError(
                "a map of occupied cells holds other numbers than 0 and 1; give booleans, from_probability takes "
                "probabilities, and load reads images"
            )
        return cls.from_probability(solid.astype(np.float64), resolution, origin)

    @classmethod
    def from_ascii(
        cls, rows: str | Sequence[str], resolution: float = 1.0, origin: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> OccupancyGrid:
        """A grid drawn as text, top row first: ``#`` or ``@`` occupied, ``.`` or a blank free, ``?`` unknown.

        Rows are a list of strings, or the lines of one.
        """
        return cls.from_probability(drawn(rows), resolution, origin)

    # --- distances ---

    def distance_field(self) -> Raster:
        """Euclidean distance [m] from each cell centre to the centre of the nearest occupied cell, 0 in it; exact.

        On a map without obstacles it holds the diagonal of the map. Unknown cells, and all that is off the map, are no
        obstacles here; off the map, the value at the nearest cell of the border holds. For robots with a size use
        `clearance`, which measures to the faces of cells.

        Example:
            >>> float(OccupancyGrid.from_ascii(["#..."], resolution=0.5).distance_field().at([1.75, 0.25]))
            1.5
        """
        return self._distance

    @cached_property
    def _distance(self) -> Raster:
        d = distance_transform(self.occupied)
        d *= self.resolution
        return Raster(d, self.resolution, self.origin)

    def inflate(self, radius: float) -> InflatedGrid:
        """The cells in which the centre of a round robot may be: see `InflatedGrid`.

        Only occupied cells are grown. Unknown cells stay unknown, and no distance is kept from them, nor from the edge
        of the map. Distances are between cell centres, so at a free cell the robot may overlap an obstacle by up to 0.7
        cells. For a path that `clearance` agrees with, plan for ``grid.problem(start, goal, Footprint.disc(radius))``;
        or inflate by ``radius + 1.5 * grid.resolution``, which keeps it clear of occupied cells all along.

        Args:
            radius: of the robot [m], not negative.
        """
        return InflatedGrid(self, radius)

    def obstacles(self, unknown: str = "blocked") -> Obstacles:
        """The cells that a robot must not touch, with signed distances; computed once for each meaning of `unknown`.

        All that is off the map is blocked.

        Args:
            unknown: the meaning of unknown cells, "blocked" or "free".
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
        """Clearance [m] of points ``(..., 2)`` or of a footprint at poses ``(..., 3)``: see `Footprint.clearance`.

        Exact, to the faces of cells. All that is off the map is blocked.

        Args:
            where: points, or poses x [m], y [m], yaw [rad].
            footprint: of the robot; None is a point.
            unknown: the meaning of unknown cells, "blocked" or "free".

        Raises:
            SettingError: when `footprint` is not a `Footprint`.
            ShapeError: when `where` has another shape.

        Example:
            >>> room = OccupancyGrid.from_ascii(["....", "....", "...#"])
            >>> room.clearance([[2.5, 0.5], [3.5, 0.5]]).tolist()
            [0.5, -0.5]
        """
        shape = Footprint.disc(0.0) if footprint is None else instance(footprint, Footprint, "clearance")
        return shape.clearance(self.obstacles(unknown), where)

    def problem(
        self,
        start: Any,
        goal: Any,
        footprint: Footprint | None = None,
        *,
        space: Space | None = None,
        turning: float | None = None,
        unknown: str = "blocked",
    ) -> Problem:
        """The planning problem of a robot on this map: see `pilotage.maps.FootprintConstraint`.

        A state that it allows has a `clearance` of 0 or more. The converse does not hold: where cells are larger than
        half the robot, states and gaps with little room are refused; `refined` makes cells smaller.

        Args:
            start: a state, or a belief.
            goal: a state, several, or a region; of a robot that turns also a point (x, y), in any heading.
            footprint: of the robot; None is a point.
            space: of the states; by default x and y, and yaw where the heading matters.
            turning: length [m] that a turn of one radian counts as; by default the radius of the footprint.
            unknown: the meaning of unknown cells, "blocked" or "free". All that is off the map is blocked.

        Raises:
            SettingError: when `footprint` is not a `Footprint`, or `turning` is not positive.
            ShapeError: when start or goal do not fit the space.

        Example:
            >>> room = OccupancyGrid.from_ascii(["....", ".#..", "...."])
            >>> bool(room.problem((0.5, 0.5), (3.5, 1.5), Footprint.disc(0.2)).allowed([0.5, 0.5]))
            True
        """
        return on_map(self, start, goal, footprint, space, turning, unknown)

    def soft_costs(self, radius: float, peak: float = 10.0) -> Array:
        """Traversal costs ``(ny, nx)`` that make planners prefer the middle of free space.

        ::

            c = 1 + peak max(0, 1 - d / radius)^2,   d = distance to the nearest obstacle, `distance_field`

        Args:
            radius: distance at which obstacles cease to matter [m].
            peak: what a cell at an obstacle costs more than an open one; not negative.

        Returns:
            Costs >= 1, for the `costs` argument of `AStar.plan`.
        """
        reach, height = positive(radius, "radius"), positive(peak, "peak", zero=True)
        d = self._distance.values
        return 1.0 + height * np.clip(1.0 - d / reach, 0.0, 1.0) ** 2

    # --- changed copies ---

    def with_discs(self, centers: ArrayLike, radii: ArrayLike) -> OccupancyGrid:
        """A copy with discs marked as occupied: every cell whose centre they cover, and the cells of their centres.

        Args:
            centers: ``(K, 2)`` world points [m].
            radii: ``(K,)`` or one for all [m].
        """
        return self.with_occupied(disc_cells(self, centers, radii))

    def with_rectangles(self, poses: ArrayLike, sizes: ArrayLike) -> OccupancyGrid:
        """A copy with rectangles marked as occupied: every cell whose centre they cover, and those of their centres.

        Args:
            poses: ``(K, 3)`` x [m], y [m], yaw [rad] of their centres.
            sizes: ``(K, 2)`` or one pair for all: length along the yaw, width [m].
        """
        return self.with_occupied(rectangle_cells(self, poses, sizes))

    def refined(self, factor: int) -> OccupancyGrid:
        """The same map in cells of a `factor`-th of the side: each is cut into ``factor^2``.

        Distances are those between cell centres: where cells are larger than a robot, they say little about the room
        that it has.

        Example:
            >>> OccupancyGrid.from_ascii(["#."], resolution=1.0).refined(2).occupied.astype(int)
            array([[1, 1, 0, 0],
                   [1, 1, 0, 0]])
        """
        n = whole(factor, "the factor of a refined grid")
        cells = self.log_odds.repeat(n, axis=0).repeat(n, axis=1)
        return replace(self, log_odds=cells, resolution=self.resolution / n)

    def update(
        self,
        poses: ArrayLike,
        ranges: ArrayLike,
        angles: ArrayLike,
        max_range: float,
        *,
        hit: float = 0.7,
        miss: float = 0.4,
        clamp: tuple[float, float] = (0.12, 0.97),
    ) -> OccupancyGrid:
        """A copy to which lidar scans from known poses have been added.

        ::

            l(cell) <- clip(l(cell) + log(p / (1 - p)), clamp),   p = hit where a beam ends, miss where it passes

        In each scan a cell changes once, and an end outweighs a passage.

        Args:
            poses: of the sensor, ``(..., 3)`` x [m], y [m], yaw [rad].
            ranges: ``(..., B)`` [m]; NaN was not measured, `max_range` or more (infinity too) saw nothing.
            angles: ``(B,)`` of the beams relative to the yaw [rad].
            max_range: of the sensor [m].
            hit, miss: probabilities of being occupied that one beam speaks for.
            clamp: probabilities beyond which evidence is not piled up, so that the map can still change.

        Source: A. Hornung et al., OctoMap, 2013, equations 2 and 4, with its default values.

        Example:
            >>> unseen = OccupancyGrid.from_probability([[np.nan] * 4], resolution=1.0)
            >>> unseen.update([0.5, 0.5, 0.0], [2.0], [0.0], max_range=5.0).probability.round(2)
            array([[0.4, 0.4, 0.7, nan]])
        """
        rule = Evidence(hit, miss, clamp)
        return replace(self, log_odds=rule.add(self.log_odds, self, poses, ranges, angles, max_range))

    def with_occupied(self, mask: ArrayLike) -> OccupancyGrid:
        """A copy with the cells of a boolean mask ``(ny, nx)`` marked as occupied."""
        marked = numbers(mask, "a mask")
        if marked.shape != self.shape:
            raise ShapeError(f"a mask must have the shape of the grid, {self.shape}, not {marked.shape}")
        return replace(self, log_odds=np.where(marked != 0.0, log_odds(1.0), self.log_odds))

    # --- rays ---

    def raycast(self, poses: ArrayLike, angles: ArrayLike, max_range: float, *, unknown: str = "free") -> Array:
        """Distance to the first obstacle along rays: exact traversal of the grid, compiled.

        Args:
            poses: ``(..., 3)`` x [m], y [m], yaw [rad] in the world.
            angles: ``(B,)`` directions of the rays relative to the yaw [rad].
            max_range: ranges end here [m]; also the result where nothing is hit. The world off the map is free.
            unknown: "free" lets rays pass through unknown cells, "blocked" stops them there.

        Returns:
            Ranges ``(..., B)`` [m]; 0 when the pose is inside an obstacle, NaN where it is not finite.

        Example:
            >>> grid = OccupancyGrid.from_ascii(["...#"], resolution=0.5)
            >>> grid.raycast([0.25, 0.25, 0.0], [0.0, np.pi], max_range=5.0)
            array([1.25, 5.  ])
        """
        boxes = self._boxes_of_occupied if self.passable(unknown) is not self.free else self._boxes_of_not_free
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


def check_grid(grid: Any) -> OccupancyGrid:
    """`grid`, when it is an `OccupancyGrid`; else a sentence."""
    if not isinstance(grid, OccupancyGrid):
        hint = (
            "an InflatedGrid is for planners, its map is .grid"
            if isinstance(grid, InflatedGrid)
            else "OccupancyGrid.load(path) reads one, OccupancyGrid.from_occupied(array, resolution) makes one"
        )
        given = f"the class {grid.__name__}" if isinstance(grid, type) else type(grid).__name__
        raise ShapeError(f"an OccupancyGrid is needed, not {given}; {hint}")
    return grid
