"""The octree as it is read: values, rays, boxes and slices of its voxels."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import ShapeError
from pilotage.core.settings import Interval, setting, shown, whole

from ._storage import check_size
from .cells import probabilities
from .occupancy import OccupancyGrid
from .octree_arrays import Boxes, RayHits, codes_at, one_point, triples
from .octree_blocks import CENTRE, DEPTH, Blocks
from .octree_leaves import Leaves
from .octree_queries import HIT, UNKNOWN, cast, read_columns

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Voxels:
    """Voxels in blocks, and what can be asked of them.

    Attributes:
        resolution: side of a voxel [m].
        threshold: probability from which on a voxel is occupied.
    """

    resolution: float
    threshold: float
    _blocks: Blocks
    _limit: NDArray[np.float32]

    def __copy__(self) -> Self:
        """A copy that changes on its own."""
        return copy.deepcopy(self)

    @property
    def nbytes(self) -> int:
        """The bytes of the map in memory, without the marks of a scan."""
        return self._blocks.nbytes

    @property
    def size(self) -> int:
        """The number of nodes of the pruned tree, inner ones included."""
        return self._leaves.nodes

    @cached_property
    def _leaves(self) -> Leaves:
        return Leaves.of(self._blocks)

    def log_odds(self, points: ArrayLike, depth: int = DEPTH) -> NDArray[np.float32]:
        """The log-odds ``(...)`` at points ``(..., 3)`` [m], NaN if unknown.

        Args:
            points: in the world.
            depth: 1 to 16; a node above depth 16 has a side of ``2^(16 - depth)`` voxels and the largest value that is
                known in it.
        """
        codes, depth = self._codes(points), whole(depth, "depth", 1, DEPTH)
        read = self._blocks.read if depth == DEPTH else self._leaves.at_depth(depth).read
        return read(codes.ravel()).reshape(codes.shape)

    def probability(self, points: ArrayLike, depth: int = DEPTH) -> Array:
        """The probability of occupancy ``(...)`` at points ``(..., 3)``, NaN if unknown; `depth` as in `log_odds`."""
        return probabilities(self.log_odds(points, depth))

    def is_occupied(self, points: ArrayLike, depth: int = DEPTH) -> Mask:
        """Whether points ``(..., 3)`` lie in occupied nodes; False where nothing is known."""
        return self.log_odds(points, depth) >= self._limit

    def is_free(self, points: ArrayLike, depth: int = DEPTH) -> Mask:
        """Whether points ``(..., 3)`` lie in free nodes; False where nothing is known."""
        return self.log_odds(points, depth) < self._limit

    def is_unknown(self, points: ArrayLike, depth: int = DEPTH) -> Mask:
        """Whether points ``(..., 3)`` lie where nothing is known, or outside the tree."""
        return np.isnan(self.log_odds(points, depth))

    def cast_ray(
        self, origins: ArrayLike, directions: ArrayLike, max_range: float = math.inf, *, ignore_unknown: bool = False
    ) -> RayHits:
        """Follow rays to the first occupied voxel, or the first unknown one.

        Args:
            origins: ``(..., 3)`` [m].
            directions: ``(..., 3)`` of any length.
            max_range: longest range [m].
            ignore_unknown: whether rays pass through unknown voxels.

        Raises:
            ShapeError: if the shapes do not fit each other.
        """
        starts, ways = self._scaled(origins, "origins"), triples(directions, "directions")
        try:
            starts, ways = np.broadcast_arrays(starts, ways)
        except ValueError:
            raise ShapeError(f"origins {starts.shape} and directions {ways.shape} do not fit each other") from None
        batch, starts = starts.shape[:-1], np.ascontiguousarray(starts.reshape(-1, 3))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            ways = (ways / np.linalg.norm(ways, axis=-1, keepdims=True)).reshape(-1, 3)
        reach = setting(max_range, Annotated[float, Interval(0.0, ends="(]")], "max_range") / self.resolution
        ended, ends, ranges = np.empty(len(ways), np.uint8), np.empty((len(ways), 3), np.int64), np.empty(len(ways))
        cast(*self._blocks.arrays, starts, ways, reach, self._limit, bool(ignore_unknown), ended, ends, ranges)
        centers = (self._corner(ends) + 0.5 * self.resolution).reshape(*batch, 3)
        return RayHits(
            (ended == HIT).reshape(batch),
            (ended == UNKNOWN).reshape(batch),
            centers,
            (ranges * self.resolution).reshape(batch),
        )

    def boxes(self, low: ArrayLike | None = None, high: ArrayLike | None = None, *, depth: int = DEPTH) -> Boxes:
        """The known nodes of the pruned tree, of those within a box if one is given.

        Args:
            low, high: corners ``(3,)`` of a box [m]; nodes that overlap it are returned.
            depth: as in `log_odds`: a coarser view has fewer and larger boxes.
        """
        found = self._leaves.at_depth(whole(depth, "depth", 1, DEPTH))
        sizes = np.ldexp(self.resolution, found.levels)
        first = self._corner(found.keys())
        keep = np.ones(len(sizes), dtype=np.bool_)
        if low is not None:
            keep &= (first + sizes[:, None] > one_point(low, "low")).all(1)
        if high is not None:
            keep &= (first < one_point(high, "high")).all(1)
        centers, values = (first + 0.5 * sizes[:, None])[keep], found.values[keep]
        return Boxes(centers, sizes[keep], values, values >= self._limit)

    def bounds(self) -> tuple[Array, Array]:
        """The corners ``(3,)``, ``(3,)`` of the smallest box around all that is known [m].

        Raises:
            ShapeError: if nothing is known.
        """
        low, high = self._bounds()
        return self._corner(low), self._corner(high)

    def _corner(self, keys: NDArray[np.int64]) -> Array:
        """The lowest corners ``(..., 3)`` of voxels with these keys [m]."""
        return np.asarray((keys - CENTRE) * self.resolution, dtype=np.float64)

    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The keys of the first voxels, and those behind the last, of the box around all that is known."""
        found = self._leaves
        if not len(found.codes):
            raise ShapeError("the octree is empty, so it has no bounds; insert a point cloud first")
        first = found.keys()
        return first.min(0), (first + (1 << found.levels.astype(np.int64))[:, None]).max(0)

    def to_grid(
        self, bottom: float, top: float, *, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> OccupancyGrid:
        """The slice between two heights [m] as a map of the plane, for a robot of that height.

        A cell is occupied if any voxel of its column is, free if the known ones are, and unknown if none is known. The
        log-odds of a cell are the largest of its column.

        Args:
            bottom, top: heights [m].
            low, high: corners (x, y) of the map [m]; by default those of all that is known, single points far off
                among it.

        Raises:
            ShapeError: if `bottom` is not below `top`, nothing is known, or the map would have no cells or more than
                2^27.

        Example:
            >>> from pilotage.maps import OcTree
            >>> tree = OcTree(0.5)
            >>> tree.update([[0.2, 0.2, 0.2], [0.7, 0.2, 0.2], [0.7, 0.2, 0.7]], [False, False, True])
            >>> tree.to_grid(0.0, 0.5).occupied.astype(int), tree.to_grid(0.0, 1.0).occupied.astype(int)
            (array([[0, 0]]), array([[0, 1]]))
        """
        if not bottom < top:
            raise ShapeError(f"the slice from {shown(bottom)} to {shown(top)} m has no height; expected bottom < top")
        bounds, heights = self._bounds(), np.array([bottom, top]) / self.resolution
        first, last = (int(k) + CENTRE for k in (np.floor(heights[0] + 1e-9), np.ceil(heights[1] - 1e-9)))
        first, last = max(first, int(bounds[0][2])), min(last, int(bounds[1][2]))
        scale = 1.0 / self.resolution
        begin = bounds[0] if low is None else whole_keys(np.floor(one_point(low, "low", "x, y") * scale + 1e-9))
        end = bounds[1] if high is None else whole_keys(np.ceil(one_point(high, "high", "x, y") * scale - 1e-9))
        nx, ny = (end[:2] - begin[:2]).tolist()
        if nx <= 0 or ny <= 0:
            raise ShapeError(f"a map from {low} to {high} has no cells; expected low below high")
        check_size(float(nx) * ny, "voxels", "give its corners as low= and high=, or leave out points that are wrong")
        cells = np.empty((ny, nx), dtype=np.float32)
        read_columns(*self._blocks.arrays, np.array([begin[0], begin[1], first]), max(last - first, 0), cells)
        x, y = self._corner(begin[:2]).tolist()
        below = 1e-4 * self.threshold * (1.0 - self.threshold)  # 1e-4 in log-odds
        return OccupancyGrid(cells, self.resolution, (x, y, 0.0), self.threshold, self.threshold - below)

    def _scaled(self, points: ArrayLike, name: str) -> Array:
        """Points ``(..., 3)`` in voxels."""
        with np.errstate(over="ignore"):  # beyond the largest number is outside the tree, too
            return triples(points, name) * (1.0 / self.resolution)

    def _codes(self, points: ArrayLike) -> NDArray[np.int64]:
        """Morton codes of the voxels at points ``(..., 3)``, -1 outside the tree."""
        p = self._scaled(points, "points")
        return codes_at(p.reshape(-1, 3)).reshape(p.shape[:-1])


def whole_keys(coordinates: Array) -> NDArray[np.int64]:
    """The keys of whole coordinates [voxels], those far outside the tree brought nearer."""
    return np.clip(coordinates, -4.0 * CENTRE, 4.0 * CENTRE).astype(np.int64) + CENTRE
