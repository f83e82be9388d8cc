"""Obstacles that a lidar sees but the map does not show, such as boxes, people and chairs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.raster import Raster
from pilotage.core.settings import positive, shown

from .cells import log_odds, read_only
from .distance import signed_distance
from .inverse_beam import InverseBeamModel
from .occupancy import OccupancyGrid, check_grid
from .occupancy_map import OccupancyMap

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class ObstacleLayer:
    """A layer of obstacles that are not on the map, seen by a lidar from accurately known poses.

    ::

        l(cell) <- clip(l(cell) + log(p / (1 - p)), clamp),   p = hit where a beam ends, miss where it passes
        occupied = l > log(sure / (1 - sure)), farther than `tolerance` from every obstacle of the map

    The layer is immutable and leaves the map unchanged; each scan returns a new layer. An obstacle that has gone is
    removed as soon as beams pass through its former place.

    Attributes:
        grid: the map.
        reach: largest range that is used [m]; farther away, a small error of the heading has a large effect.
        tolerance: obstacles closer than this to those of the map count as the same [m]; it covers the errors of pose
            and map.
        hit, miss: probabilities of occupancy given that one beam ends in the cell or passes through it.
        sure: probability above which a cell counts as occupied; with the default, after two hits.
        clamp: lowest and highest probability that evidence can reach.
        evidence: log-odds ``(ny, nx)``; 0 if nothing was seen. Copied and read-only.

    Example:
        >>> hall = OccupancyGrid.from_ascii(["." * 8] * 5, resolution=0.5)
        >>> layer = ObstacleLayer(hall)
        >>> for _ in range(2):
        ...     layer = layer.seen([0.25, 1.25, 0.0], [2.0], [0.0], max_range=10.0)
        >>> layer.merged.is_occupied([2.25, 1.25]), layer.grid.is_occupied([2.25, 1.25])
        (array(True), array(False))
        >>> float(layer.clearance([0.25, 1.25], reach=3.0).at([0.75, 1.25]))
        1.25
    """

    grid: OccupancyGrid
    reach: float = 3.0
    tolerance: float = 0.15
    hit: float = 0.7
    miss: float = 0.4
    sure: float = 0.8
    clamp: tuple[float, float] = (0.12, 0.97)
    evidence: NDArray[np.float32] | None = field(default=None)

    def __post_init__(self) -> None:
        check_grid(self.grid)
        if self.reach != math.inf:
            positive(self.reach, "reach")
        positive(self.tolerance, "tolerance", zero=True)
        self._evidence_map(np.zeros((1, 1), dtype=np.float32))  # checks the limits of the evidence
        if not self.hit <= self.sure < self.clamp[1]:
            raise ShapeError(
                f"hit <= sure < upper clamp must hold, or no cell counts; not "
                f"{shown(self.hit)}, {shown(self.sure)}, {shown(self.clamp)}"
            )
        given = np.zeros(self.grid.shape) if self.evidence is None else self.evidence
        kept = numbers(given, "evidence", np.float32)
        if kept.shape != self.grid.shape:
            raise ShapeError(f"evidence must have the shape of the map, {self.grid.shape}, not {kept.shape}")
        if kept.flags.writeable:  # arrays from `seen` need no copy
            kept = kept.copy()
            kept.setflags(write=False)
        object.__setattr__(self, "evidence", kept)

    def __repr__(self) -> str:
        return f"ObstacleLayer({int(self.occupied.sum())} cells not on {self.grid!r})"

    def seen(
        self, pose: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float, *, min_range: float = 0.0
    ) -> ObstacleLayer:
        """The layer after a scan.

        Args:
            pose: pose of the sensor ``(3,)``: x [m], y [m], yaw [rad].
            ranges: ``(B,)`` [m]; NaN, 0 and less than `min_range` mean not measured; `max_range` or more means nothing
                was seen.
            angles: ``(B,)`` of the beams relative to the yaw [rad].
            max_range, min_range: largest and smallest range of the sensor [m].
        """
        reach = min(self.reach, positive(max_range, "max_range"))
        seen = self._evidence_map(self._evidence).insert(pose, ranges, angles, reach, min_range=min_range)
        return replace(self, evidence=read_only(seen.log_odds))

    def cleared(self) -> ObstacleLayer:
        """The layer without scans, for a robot whose pose turned out to be wrong."""
        return replace(self, evidence=None)

    @cached_property
    def occupied(self) -> Mask:
        """The cells of obstacles that are not on the map, bools ``(ny, nx)``."""
        return (self._evidence > float(log_odds(self.sure))) & (self._mapped > self.tolerance)

    @cached_property
    def merged(self) -> OccupancyGrid:
        """The map with these obstacles added, for planners."""
        return self.grid.with_occupied(self.occupied)

    def clearance(self, center: ArrayLike, reach: float) -> Raster:
        """The distance [m] to the nearest obstacle, on the map or not, in a square window, for controllers.

        It is measured from cell centres to the faces of cells, negative inside, as ``distance_field(signed=True)``.
        Obstacles of the layer outside the window are ignored, and so are the free cells outside it that an obstacle
        reaching beyond it is near to; points outside get the nearest value.

        Args:
            center: middle of the window, a world point ``(2,)`` [m] or a pose ``(3,)``.
            reach: distance from the middle to the sides of the window [m].
        """
        rows, columns = self._window(center, reach)
        mask = self._evidence[rows, columns] > float(log_odds(self.sure))
        mask &= self._mapped[rows, columns] > self.tolerance
        d = self.grid.distance_field(signed=True).values[rows, columns]
        if mask.any():
            d = np.minimum(d, signed_distance(mask | self.grid.occupied[rows, columns]) * self.grid.resolution)
        corner = self.grid.grid_to_world([columns.start, rows.start])
        return Raster(d, self.grid.resolution, (*corner.tolist(), self.grid.origin[2]))

    def _window(self, center: ArrayLike, reach: float) -> tuple[slice, slice]:
        """The rows and columns of the window, at least one cell of the map."""
        point = numbers(center, "center")
        if point.shape not in ((2,), (3,)) or not np.isfinite(point).all():
            raise ShapeError(f"center must be one finite world point (x, y) or pose, not {shown(center)}")
        middle = self.grid.world_to_cell(point)
        half = max(1, round(positive(reach, "reach") / self.grid.resolution))
        rows, columns = (
            slice(int(np.clip(m - half, 0, n - 1)), int(np.clip(m + half + 1, 1, n)))
            for m, n in zip(middle, self.grid.shape, strict=True)
        )
        return rows, columns

    def _evidence_map(self, cells: NDArray[np.float32]) -> OccupancyMap:
        return OccupancyMap.over(self.grid, cells, model=InverseBeamModel(self.hit, self.miss), clamp=self.clamp)

    @property
    def _evidence(self) -> NDArray[Any]:
        assert self.evidence is not None
        return self.evidence

    @property
    def _mapped(self) -> NDArray[np.float64]:
        return self.grid.distance_field().values
