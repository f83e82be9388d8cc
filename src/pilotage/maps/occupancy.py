"""The occupancy grid: free, occupied and unknown cells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import FormatError, ShapeError
from pilotage.core.moving import MovingObstacle
from pilotage.core.settings import by_name, number, positive, shown, whole
from pilotage.io import write_ros_map
from pilotage.io.ros_map import Server

from ._storage import check_size
from .cells import GridCells, bools, drawn, log_odds, odds_at, probabilities, read_only
from .frame import rays
from .inflated import InflatedGrid
from .inverse_beam import InverseBeamModel
from .loading import load, ros_map, ros_target
from .occupancy_map import OccupancyMap
from .queries import MapQueries
from .stamps import disc_cells, grid_cells, passed_cells, rectangle_cells

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class OccupancyGrid(MapQueries):
    """An occupancy grid: free, occupied and unknown cells, stored as log-odds of occupancy.

    ::

        l = log(p / (1 - p)),   occupied where p >= occupied_thresh,   free where p <= free_thresh,   else unknown

    Grids are immutable: methods that change cells return a new grid. Derived arrays (masks, distances) are computed
    once and cached.

    Attributes:
        log_odds: ``(ny, nx)`` float32, row 0 at the lowest y, NaN if unknown; read-only.
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
        cells = np.asarray(numbers(self.log_odds, "log_odds", np.float32), order="C")
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
                f"thresholds must satisfy 0 <= free_thresh < occupied_thresh <= 1, not "
                f"{shown(free)} and {shown(occupied)}"
            )
        if cells.flags.writeable or cells.base is not None:  # arrays that cannot change need no copy
            cells = read_only(cells.copy())
        object.__setattr__(self, "log_odds", cells)
        self._check_frame()

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}  # cached arrays can be computed again

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.log_odds.setflags(write=False)  # unpickled arrays are writeable

    def __repr__(self) -> str:
        ny, nx = self.shape
        known = 1.0 - self.unknown.mean()
        return f"OccupancyGrid({nx} x {ny} cells of {self.resolution:g} m, {known:.0%} known)"

    # --- cells ---

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        ny, nx = self.log_odds.shape
        return ny, nx

    @cached_property
    def probability(self) -> Array:
        """The probability of occupancy, ``(ny, nx)``: 0 and 1 if certain, NaN if unknown."""
        return read_only(probabilities(self.log_odds))

    @cached_property
    def occupied(self) -> Mask:
        """Cells that are occupied, ``(ny, nx)`` of bool."""
        return read_only(self.log_odds >= odds_at(self.occupied_thresh).min())

    @cached_property
    def free(self) -> Mask:
        """Cells that are free, ``(ny, nx)`` of bool."""
        return read_only(self.log_odds <= odds_at(self.free_thresh).max())

    # --- constructors ---

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        server: Server = "main",
        resolution: float | None = None,
        origin: Sequence[float] | None = None,
        mode: str | None = None,
        negate: bool | None = None,
        occupied_thresh: float | None = None,
        free_thresh: float | None = None,
    ) -> OccupancyGrid:
        """Read a ROS map (`.yaml` with its pgm or png), such an image alone, or a MovingAI map (`.map`, `.map.gz`).

        Cells are free, occupied or unknown according to the file and its thresholds. MovingAI cells have a side of 1 m.

        Args:
            path: the file, or the name of a map that comes with Pilotage: "depot", "tb3_sandbox", "turtlebot3_world",
                with or without .yaml. A file of that name takes precedence.
            server: the version of map_server to follow in reading images, "main" or "humble"; see
                `pilotage.io.read_ros_map`.
            resolution: side of a pixel [m]; required for an image alone. The remaining arguments are also for images.
            origin: x [m], y [m], yaw [rad] of the lower-left corner of the image; by default zeros.
            mode: "trinary", "scale" or "raw"; by default "trinary".
            negate: True if white pixels are occupied instead of black ones.
            occupied_thresh, free_thresh: by default 0.65 and 0.196.

        Raises:
            MissingFile: if neither a file nor a map of that name exists.
            FormatError: if the file is not valid, or an image is given without a resolution.

        Example:
            >>> OccupancyGrid.load("depot.yaml")
            OccupancyGrid(604 x 307 cells of 0.05 m, 95% known)
        """
        given = {
            "resolution": resolution,
            "origin": None if origin is None else list(origin),
            "mode": mode,
            "negate": negate,
            "occupied_thresh": occupied_thresh,
            "free_thresh": free_thresh,
        }
        return cls(*load(path, server, {name: value for name, value in given.items() if value is not None}))

    def save(self, path: str | os.PathLike[str], *, mode: str = "trinary", image: str | None = None) -> None:
        """Write a ROS map: a yaml file and an image in the same folder.

        Args:
            path: the yaml file.
            mode: "trinary" keeps free, occupied and unknown; "scale" also keeps the probabilities between the
                thresholds, to one grey level; "raw" keeps all probabilities, to one percent.
            image: name of the image; its extension selects pgm or png.

        Raises:
            FormatError: if `path` does not end in .yaml or .yml, or `image` does not end in .pgm or .png.
            MissingFile: if the folder does not exist.
        """
        write_ros_map(ros_target(path), ros_map(self, mode), image)

    @classmethod
    @by_name
    def from_probability(
        cls,
        p: ArrayLike,
        resolution: float,
        origin: Sequence[float] = (0.0, 0.0, 0.0),
        *,
        occupied_thresh: float = 0.65,
        free_thresh: float = 0.196,
    ) -> OccupancyGrid:
        """A grid from probabilities of occupancy ``(ny, nx)`` in [0, 1], NaN if unknown."""
        place = cast("tuple[float, float, float]", origin)  # checked with the rest
        return cls(read_only(log_odds(p)), resolution, place, occupied_thresh, free_thresh)

    @classmethod
    @by_name
    def from_occupied(
        cls, occupied: ArrayLike, resolution: float, origin: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> OccupancyGrid:
        """A grid from a boolean array ``(ny, nx)``: True is occupied, False is free; row 0 has the lowest y.

        For images use `load`, for probabilities `from_probability`.

        Raises:
            ShapeError: if the array holds numbers other than 0 and 1.

        Example:
            >>> OccupancyGrid.from_occupied([[False, True]], resolution=0.1)
            OccupancyGrid(2 x 1 cells of 0.1 m, 100% known)
        """
        return cls.from_probability(bools(occupied, "a map of occupied cells").astype(np.float32), resolution, origin)

    @classmethod
    def from_ascii(
        cls, rows: str | Sequence[str], resolution: float = 1.0, origin: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> OccupancyGrid:
        """A grid drawn as text, top row first: ``#`` or ``@`` is occupied, ``.`` or a blank free, ``?`` unknown.

        The rows are a list of strings, or one string with several lines.
        """
        return cls.from_probability(drawn(rows), resolution, origin)

    @classmethod
    @by_name
    def from_scans(
        cls, poses: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float, resolution: float = 0.05
    ) -> OccupancyGrid:
        """A grid made of lidar scans from known poses, as large as `max_range` around these; see `update`.

        A cell that a single beam passed is free, and one in which a single beam ended is occupied, until others tell
        the opposite: `free_thresh` is 0.45. Scans from poses that are not finite are ignored.

        Raises:
            ShapeError: if no pose is finite, or the map would have more than 2^27 cells.

        Example:
            >>> angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
            >>> OccupancyGrid.from_scans([[0.0, 0.0, 0.0]], [np.full(180, 2.0)], angles, max_range=5.0, resolution=0.1)
            OccupancyGrid(101 x 101 cells of 0.1 m, 13% known)
        """
        given = rays(poses, angles)[0].reshape(-1, 3)
        places = given[np.isfinite(given).all(axis=1), :2]
        if not len(places):
            raise ShapeError(f"a map is made of scans from finite poses; none of these {len(given)} is")
        reach, cell = positive(max_range, "max_range"), positive(resolution, "resolution")
        low, high = places.min(axis=0) - reach, places.max(axis=0) + reach
        size = np.floor((high - low) / cell) + 1.0
        check_size(float(size.prod()), "scans", "give a larger resolution, or leave out poses that are wrong")
        nx, ny = size.astype(int).tolist()
        corner = (float(low[0]), float(low[1]), 0.0)
        unseen = cls.from_probability(np.full((ny, nx), np.nan), cell, corner, free_thresh=0.45)
        return unseen.update(poses, ranges, angles, max_range)

    # --- changed copies, and a view ---

    def inflate(self, radius: float) -> InflatedGrid:
        """The map with obstacles grown by the radius of a round robot; see `InflatedGrid`.

        Only occupied cells are grown. Unknown cells stay unknown, and the robot keeps no distance from them or from the
        edge of the map. Distances are between cell centres, so in a free cell the robot may overlap an obstacle by up
        to 0.7 cells. For a path that is clear according to `clearance`, plan for
        ``grid.problem(start, goal, Footprint.disc(radius))``, or inflate by ``radius + 1.5 * grid.resolution``, which
        keeps the whole path clear of occupied cells.

        Args:
            radius: radius of the robot [m], not negative.
        """
        return InflatedGrid(self, radius)

    def with_discs(self, centers: ArrayLike, radii: ArrayLike) -> OccupancyGrid:
        """A copy with discs marked as occupied: all cells whose centre they cover, and the cells of their own centres.

        Args:
            centers: ``(K, 2)`` world points [m].
            radii: ``(K,)`` or one for all [m].
        """
        return self.with_occupied(disc_cells(self, centers, radii))

    def with_rectangles(self, poses: ArrayLike, sizes: ArrayLike) -> OccupancyGrid:
        """A copy with rectangles marked as occupied: all cells whose centre they cover, and the cells of their centres.

        Args:
            poses: ``(K, 3)`` x [m], y [m], yaw [rad] of their centres.
            sizes: ``(K, 2)`` or one pair for all: length along the yaw, width [m].
        """
        return self.with_occupied(rectangle_cells(self, poses, sizes))

    def with_moving(self, obstacles: Iterable[MovingObstacle]) -> OccupancyGrid:
        """A copy with all cells marked as occupied that moving obstacles touch at any time.

        For planners that know no times; a path around them is longer than one that waits for them to pass.

        Example:
            >>> from pilotage.core import MovingObstacle
            >>> walker = MovingObstacle([0.0, 3.0], [[2.5, 3.5], [2.5, 2.5]], 0.2)
            >>> OccupancyGrid.from_ascii(["....."] * 4).with_moving([walker]).occupied.sum(axis=1).tolist()
            [0, 0, 1, 1]
        """
        mask = np.zeros(self.shape, dtype=np.bool_)
        for each in obstacles:
            mask |= passed_cells(self, each)
        return self.with_occupied(mask)

    def refined(self, factor: int) -> OccupancyGrid:
        """The same map with smaller cells: each is divided into ``factor^2`` cells.

        Distances are between cell centres, so they become more accurate. If cells are larger than a robot, distances
        say little about the room that it has.

        Example:
            >>> OccupancyGrid.from_ascii(["#."], resolution=1.0).refined(2).occupied.astype(int)
            array([[1, 1, 0, 0],
                   [1, 1, 0, 0]])
        """
        n = whole(factor, "the factor of a refined grid")
        cells = self.log_odds.repeat(n, axis=0).repeat(n, axis=1)
        return replace(self, log_odds=read_only(cells), resolution=self.resolution / n)

    def update(
        self,
        poses: ArrayLike,
        ranges: ArrayLike,
        angles: ArrayLike,
        max_range: float,
        *,
        min_range: float = 0.0,
        hit: float = 0.7,
        miss: float = 0.4,
        clamp: tuple[float, float] = (0.12, 0.97),
    ) -> OccupancyGrid:
        """A copy updated with lidar scans from known poses; `OccupancyMap` takes them one by one without copies.

        ::

            l(cell) <- clip(l(cell) + log(p / (1 - p)), clamp),   p = hit where a beam ends, miss where it passes

        Each scan changes a cell at most once: by `hit` if any beam ends in it, else by `miss` if any passes through.

        Args:
            poses: poses of the sensor, ``(..., 3)`` x [m], y [m], yaw [rad].
            ranges: ``(..., B)`` [m]; NaN, 0 and less than `min_range` mean not measured; `max_range` or more (also
                infinity) means nothing was seen.
            angles: ``(B,)`` of the beams relative to the yaw [rad].
            max_range, min_range: largest and smallest range of the sensor [m].
            hit, miss: probabilities of occupancy given that one beam ends in the cell or passes through it.
            clamp: lowest and highest probability that evidence can reach, so that the map can still change.

        Source: A. Hornung et al., OctoMap, 2013, equations 2 and 4, with its default values.

        Example:
            >>> unseen = OccupancyGrid.from_probability([[np.nan] * 4], resolution=1.0)
            >>> unseen.update([0.5, 0.5, 0.0], [2.0], [0.0], max_range=5.0).probability.round(2)
            array([[0.4, 0.4, 0.7, nan]])
        """
        built = OccupancyMap.from_grid(self, model=InverseBeamModel(hit, miss), clamp=clamp)
        built.insert(poses, ranges, angles, max_range, min_range=min_range)
        return replace(self, log_odds=read_only(built.log_odds))

    def with_occupied(self, mask: ArrayLike | GridCells) -> OccupancyGrid:
        """A copy with further cells marked as occupied.

        Args:
            mask: bools ``(ny, nx)``; or a grid of any origin, yaw and resolution, whose occupied cells are taken over
                where they are in the world: all cells whose centre they cover, and the cells of their own centres. For
                points use ``with_discs(points, 0.0)``, for boxes `with_rectangles`.

        Example:
            >>> crate = OccupancyGrid.from_ascii("##", resolution=0.5, origin=(2.0, 0.0, 0.0))
            >>> OccupancyGrid.from_ascii("....").with_occupied(crate).occupied.astype(int)
            array([[0, 0, 1, 0]])
        """
        if isinstance(mask, GridCells):
            mask = grid_cells(self, mask)
        marked = numbers(mask, "a mask", np.bool_ if getattr(mask, "dtype", None) == np.bool_ else np.float64)
        if marked.shape != self.shape:
            raise ShapeError(f"a mask must have the shape of the grid, {self.shape}, not {marked.shape}")
        return replace(self, log_odds=read_only(np.where(marked != 0.0, log_odds(1.0), self.log_odds)))


def check_grid(grid: Any) -> OccupancyGrid:
    """`grid`, if it is an `OccupancyGrid`; raises an error otherwise."""
    if not isinstance(grid, OccupancyGrid):
        hint = (
            "an InflatedGrid is for planners, its map is .grid"
            if isinstance(grid, InflatedGrid)
            else "OccupancyGrid.load(path) reads one, OccupancyGrid.from_occupied(array, resolution) makes one"
        )
        given = f"the class {grid.__name__}" if isinstance(grid, type) else type(grid).__name__
        raise ShapeError(f"an OccupancyGrid is needed, not {given}; {hint}")
    return grid
