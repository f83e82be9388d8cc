"""The occupancy grid: what every room knows about where obstacles are."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import FormatError, ShapeError
from pilotage.core.raster import Raster
from pilotage.io import RosMap, read_movingai_map, read_ros_map, write_ros_map

from .distance import clear_boxes, distance_transform
from .frame import GridFrame
from .raycast import cast_rays

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EDGE = 0.001
"""Probabilities are kept this far from 0 and 1, so that log-odds stay finite."""


@dataclass(frozen=True, eq=False)
class OccupancyGrid(GridFrame):
    """Cells that are free, occupied or unknown, as log-odds of being occupied.

    ::

        l = log(p / (1 - p)),   occupied where p > occupied_thresh,   free where p < free_thresh,   else unknown

    A frozen value: methods that change cells return a new grid, and what is derived (masks, distances) is reckoned
    once and kept.

    Attributes:
        log_odds: ``(ny, nx)`` float32, row 0 at the lowest y, NaN where nothing is known; read-only.
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of cell [0, 0] in the world.
        occupied_thresh, free_thresh: probabilities that separate the three classes (map_server's defaults).
        original: the grid before `inflate`, None on a grid that was not inflated.
        inflation: radius by which `inflate` has grown the obstacles of `original` [m].

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
    original: OccupancyGrid | None = field(default=None, repr=False)
    inflation: float = 0.0

    def __post_init__(self) -> None:
        cells = np.array(self.log_odds, dtype=np.float32, order="C")
        if cells.ndim != 2 or cells.size == 0:
            raise ShapeError(f"log_odds must have shape (ny, nx) with at least one cell, not {cells.shape}")
        if np.isinf(cells).any():
            raise ShapeError("log_odds must be finite or NaN (unknown), but hold an infinity; clip probabilities first")
        if not 0.0 <= self.free_thresh < self.occupied_thresh <= 1.0:
            raise FormatError(
                "thresholds must satisfy 0 <= free_thresh < occupied_thresh <= 1, "
                f"not {self.free_thresh} and {self.occupied_thresh}"
            )
        cells.setflags(write=False)
        object.__setattr__(self, "log_odds", cells)
        self._check_frame()

    def __repr__(self) -> str:
        ny, nx = self.shape
        known = 1.0 - self.unknown.mean()
        inflated = f", inflated by {self.inflation:g} m" if self.inflation else ""
        return f"OccupancyGrid({nx} x {ny} cells of {self.resolution:g} m, {known:.0%} known{inflated})"

    # --- making one ---

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> OccupancyGrid:
        """Read a ROS map (`.yaml` with its pgm or png) or a MovingAI map (`.map`, `.map.gz`; cells of 1 m).

        Raises:
            FormatError: naming the file and what is wrong in it.
        """
        name = Path(path).name.lower().removesuffix(".gz")
        if name.endswith(".map"):
            return cls.from_occupied(~read_movingai_map(path)[::-1], resolution=1.0)
        if name.endswith((".yaml", ".yml")):
            found = read_ros_map(path)
            return cls.from_probability(
                found.occupancy,
                found.resolution,
                found.origin,
                occupied_thresh=found.occupied_thresh,
                free_thresh=found.free_thresh,
            )
        raise FormatError(f"{path}: a map is a ROS .yaml or a MovingAI .map[.gz] file; give the yaml, not the image")

    def save(self, path: str | os.PathLike[str], *, mode: str = "trinary", image: str | None = None) -> None:
        """Write a ROS map: the yaml file `path` and, beside it, its image.

        Args:
            path: the yaml file.
            mode: "trinary" keeps free, occupied and unknown; "scale" and "raw" keep probabilities as well.
            image: name of the image; its ending chooses pgm or png.
        """
        p = self.probability.astype(np.float32)
        ros_map = RosMap(p, self.resolution, self.origin, self.occupied_thresh, self.free_thresh, mode)
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
        values = np.asarray(p, dtype=np.float64)
        if bool(((values < 0) | (values > 1)).any()):
            raise ShapeError("probabilities must lie within [0, 1], with NaN for unknown cells; these do not")
        clipped = np.clip(values, _EDGE, 1 - _EDGE)
        log_odds = (np.log(clipped) - np.log1p(-clipped)).astype(np.float32)
        return cls(log_odds, resolution, _triple(origin), occupied_thresh, free_thresh)

    @classmethod
    def from_occupied(
        cls, occupied: ArrayLike, resolution: float, origin: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> OccupancyGrid:
        """A grid from a boolean array ``(ny, nx)``: True is occupied, all others are free.

        Example:
            >>> OccupancyGrid.from_occupied([[False, True]], resolution=0.1)
            OccupancyGrid(2 x 1 cells of 0.1 m, 100% known)
        """
        return cls.from_probability(np.asarray(occupied, dtype=np.bool_).astype(np.float64), resolution, origin)

    @classmethod
    def from_ascii(
        cls, rows: Sequence[str], resolution: float = 1.0, origin: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> OccupancyGrid:
        """A grid drawn as text, top row first: ``#`` or ``@`` occupied, ``.`` or a blank free, ``?`` unknown."""
        widths = {len(row) for row in rows}
        if len(widths) != 1:
            raise ShapeError(f"the rows of a drawn map must be equally long, not {sorted(widths)} characters")
        meaning = {"#": 1.0, "@": 1.0, ".": 0.0, " ": 0.0, "?": np.nan}
        if strange := set("".join(rows)) - set(meaning):
            raise FormatError(f"a drawn map knows {' '.join(meaning)}, not {sorted(strange)}")
        p = np.array([[meaning[c] for c in row] for row in reversed(rows)])
        return cls.from_probability(p, resolution, origin)

    # --- what it says ---

    @cached_property
    def probability(self) -> Array:
        """Probability of being occupied, ``(ny, nx)``, NaN where nothing is known."""
        return 1.0 / (1.0 + np.exp(-self.log_odds.astype(np.float64)))

    @cached_property
    def occupied(self) -> Mask:
        """Cells that are occupied, ``(ny, nx)`` of bool."""
        return _frozen(self.probability > self.occupied_thresh)

    @cached_property
    def free(self) -> Mask:
        """Cells that are free, ``(ny, nx)`` of bool."""
        return _frozen(self.probability < self.free_thresh)

    @cached_property
    def unknown(self) -> Mask:
        """Cells that are neither occupied nor free, ``(ny, nx)`` of bool."""
        return _frozen(~(self.occupied | self.free))

    def is_free(self, xy: ArrayLike) -> Mask:
        """Whether world points ``(..., 2)`` lie in free cells; False off the map."""
        return self._classify(xy, self.free, outside=False)

    def is_occupied(self, xy: ArrayLike) -> Mask:
        """Whether world points ``(..., 2)`` lie in occupied cells; False off the map."""
        return self._classify(xy, self.occupied, outside=False)

    def is_unknown(self, xy: ArrayLike) -> Mask:
        """Whether world points ``(..., 2)`` lie in unknown cells; True off the map."""
        return self._classify(xy, self.unknown, outside=True)

    def _classify(self, xy: ArrayLike, mask: Mask, outside: bool) -> Mask:
        cells = self.world_to_cell(xy)
        inside = self.contains_cell(cells)
        rows, columns = np.where(inside, cells[..., 0], 0), np.where(inside, cells[..., 1], 0)
        return np.where(inside, mask[rows, columns], outside)

    # --- distances ---

    @cached_property
    def _distance(self) -> Raster:
        return Raster(distance_transform(self.occupied) * self.resolution, self.resolution, self.origin)

    @cached_property
    def _signed_distance(self) -> Raster:
        inside = distance_transform(~self.occupied) * self.resolution
        return Raster(self._distance.values - inside, self.resolution, self.origin)

    def distance_field(self, *, signed: bool = False) -> Raster:
        """Euclidean distance [m] from each cell centre to the centre of the nearest occupied cell; exact.

        Args:
            signed: inside obstacles, minus the distance to the nearest cell that is not occupied; otherwise 0 there.

        Returns:
            A `Raster`. On a map without obstacles it holds the diagonal of the map.

        Example:
            >>> float(OccupancyGrid.from_ascii(["#..."], resolution=0.5).distance_field().at([1.75, 0.25]))
            1.5
        """
        return self._signed_distance if signed else self._distance

    def clearance(self, xy: ArrayLike) -> Array:
        """Distance [m] of world points ``(..., 2)`` to the nearest obstacle of the map before inflation.

        Measured between cell centres, as `distance_field` is.
        """
        return self._unlimited.distance_field().at(np.asarray(xy, dtype=np.float64))

    @property
    def _unlimited(self) -> OccupancyGrid:
        return self if self.original is None else self.original

    def inflate(self, radius: float) -> OccupancyGrid:
        """A grid whose obstacles are grown by `radius`: occupied is what lies within it of an occupied cell.

        Distances are Euclidean and exact, between cell centres. `original` and `inflation` remember where the grid
        came from; `clearance` goes on measuring to the real obstacles.

        Args:
            radius: [m], not negative; typically the radius of the robot.

        Example:
            >>> OccupancyGrid.from_ascii([".....", "..#..", "....."]).inflate(1.0).occupied.astype(int)
            array([[0, 0, 1, 0, 0],
                   [0, 1, 1, 1, 0],
                   [0, 0, 1, 0, 0]])
        """
        if not (math.isfinite(radius) and radius >= 0):
            raise ShapeError(f"an inflation radius is a distance in metres, not {radius}")
        # Distances are roots of integers times the resolution: the slack keeps a radius of 3 cells at 3 cells.
        grown = self._unlimited.distance_field().values <= (self.inflation + radius) * (1 + 1e-12)
        cells = np.where(grown, np.maximum(_log_odds(1.0), np.nan_to_num(self.log_odds, nan=-np.inf)), self.log_odds)
        return replace(self, log_odds=cells, original=self._unlimited, inflation=self.inflation + radius)

    def soft_costs(self, radius: float, peak: float = 10.0) -> Array:
        """Traversal costs ``(ny, nx)`` that make planners prefer the middle of free space.

        ::

            c = 1 + peak max(0, 1 - d / radius)^2,   d = distance to the nearest obstacle

        Args:
            radius: distance at which obstacles stop to matter [m].
            peak: what a cell beside an obstacle costs more than an open one.

        Returns:
            Costs >= 1, for the `costs` argument of `AStar.plan`.
        """
        d = self._unlimited.distance_field().values
        return 1.0 + peak * np.clip(1.0 - d / radius, 0.0, 1.0) ** 2

    # --- changed copies ---

    def with_discs(self, centers: ArrayLike, radii: ArrayLike) -> OccupancyGrid:
        """A copy with discs marked as occupied: every cell whose centre they cover, and the cells of their centres.

        Args:
            centers: ``(K, 2)`` world points [m].
            radii: ``(K,)`` or one for all [m].
        """
        points = np.asarray(centers, dtype=np.float64).reshape(-1, 2)
        spread = np.broadcast_to(np.asarray(radii, dtype=np.float64), (len(points),))
        mask = np.zeros(self.shape, dtype=np.bool_)
        for point, radius in zip(points, spread, strict=True):
            rows, columns = self._window(point, float(radius))
            centre = self.cell_to_world(np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1))
            near = ((centre - point) ** 2).sum(axis=-1) <= radius**2
            mask[rows[:, None], columns] |= near
        return self._stamped(mask, points)

    def with_rectangles(self, poses: ArrayLike, sizes: ArrayLike) -> OccupancyGrid:
        """A copy with rectangles marked as occupied: every cell whose centre they cover, and those of their centres.

        Args:
            poses: ``(K, 3)`` x [m], y [m], yaw [rad] of their centres.
            sizes: ``(K, 2)`` or one pair for all: length along the yaw, width [m].
        """
        frames = np.asarray(poses, dtype=np.float64).reshape(-1, 3)
        extents = np.broadcast_to(np.asarray(sizes, dtype=np.float64), (len(frames), 2))
        mask = np.zeros(self.shape, dtype=np.bool_)
        for (x, y, yaw), half in zip(frames, extents / 2, strict=True):
            rows, columns = self._window(np.array([x, y]), float(np.hypot(*half)))
            d = self.cell_to_world(np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)) - (x, y)
            along = np.abs(math.cos(yaw) * d[..., 0] + math.sin(yaw) * d[..., 1])
            across = np.abs(-math.sin(yaw) * d[..., 0] + math.cos(yaw) * d[..., 1])
            mask[rows[:, None], columns] |= (along <= half[0]) & (across <= half[1])
        return self._stamped(mask, frames[:, :2])

    def _window(self, point: Array, radius: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns that a disc may touch."""
        row, column = self.world_to_cell(point)
        reach = math.ceil(radius / self.resolution) + 1
        ny, nx = self.shape
        return (
            np.arange(max(row - reach, 0), max(min(row + reach + 1, ny), 0)),
            np.arange(max(column - reach, 0), max(min(column + reach + 1, nx), 0)),
        )

    def _stamped(self, mask: Mask, centers: Array) -> OccupancyGrid:
        cells = self.world_to_cell(centers)
        cells = cells[self.contains_cell(cells)]
        mask[cells[:, 0], cells[:, 1]] = True
        return self._with_cells(np.where(mask, _log_odds(1.0), self.log_odds))

    def _with_cells(self, log_odds: NDArray[Any]) -> OccupancyGrid:
        """The same frame and thresholds over other cells; inflation, if any, is part of the cells from here on."""
        return replace(self, log_odds=log_odds, original=None, inflation=0.0)

    # --- connectivity and rays ---

    def free_component(self, xy: ArrayLike) -> Mask:
        """The free cells that can be reached from the world point `xy` ``(2,)``; all False when it is not free.

        Moves are to the four neighbours. Diagonal moves that cut no corner reach the same cells.
        """
        from scipy import ndimage  # heavy, and only this needs it

        if not bool(self.is_free(xy)):
            return np.zeros(self.shape, dtype=np.bool_)
        labels = np.empty(self.shape, dtype=np.int32)
        ndimage.label(self.free, output=labels)
        row, column = self.world_to_cell(xy)
        return labels == labels[row, column]

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
        starts = np.asarray(poses, dtype=np.float64)
        directions = np.asarray(angles, dtype=np.float64)
        if starts.shape[-1:] != (3,):
            raise ShapeError(f"poses must have shape (..., 3) for x, y, yaw, not {starts.shape}")
        if directions.ndim != 1 or not np.isfinite(directions).all():
            raise ShapeError(f"angles must be finite with shape (B,), not {directions.shape}")
        if not (math.isfinite(max_range) and max_range > 0):
            raise ShapeError(f"max_range must be a positive distance in metres, not {max_range}")
        boxes = self._boxes(unknown)
        local = np.ascontiguousarray(self.world_to_grid(starts).reshape(-1, 3))
        ranges = np.empty((len(local), len(directions)))
        cast_rays(boxes, local, np.cos(directions), np.sin(directions), max_range / self.resolution, ranges)
        ranges *= self.resolution
        return np.minimum(ranges, max_range, out=ranges).reshape(*starts.shape[:-1], len(directions))

    def _boxes(self, unknown: str) -> NDArray[np.uint8]:
        if unknown == "free":
            return self._boxes_of_occupied
        if unknown == "blocked":
            return self._boxes_of_not_free
        raise ValueError(f'unknown must be "free" or "blocked", not {unknown!r}')

    @cached_property
    def _boxes_of_occupied(self) -> NDArray[np.uint8]:
        return clear_boxes(np.ascontiguousarray(self.occupied))

    @cached_property
    def _boxes_of_not_free(self) -> NDArray[np.uint8]:
        return clear_boxes(np.ascontiguousarray(~self.free))


def _log_odds(p: float) -> np.float32:
    clipped = min(max(p, _EDGE), 1 - _EDGE)
    return np.float32(math.log(clipped / (1 - clipped)))


def _frozen(mask: Mask) -> Mask:
    mask.setflags(write=False)
    return mask


def _triple(origin: Sequence[float]) -> tuple[float, float, float]:
    values = tuple(float(value) for value in origin)
    if len(values) != 3:
        raise ShapeError(f"an origin is x, y, yaw, not {len(values)} numbers")
    return values[0], values[1], values[2]
