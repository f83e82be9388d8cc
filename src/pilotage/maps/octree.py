"""The octree: free, occupied and unknown voxels of a map in three dimensions."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import ShapeError
from pilotage.core.problem import Problem
from pilotage.core.settings import Interval, positive, setting, whole
from pilotage.io.contents import path_of
from pilotage.io.octomap import OctoMapFile, read_octomap, write_octomap

from ._storage import check_size
from .cells import Unknown, bools, log_odds, probabilities, read_only
from .mapping import check_evidence, clamp_of
from .occupancy import OccupancyGrid
from .octree_arrays import Boxes, RayHits, codes_at, discrete, one_point, triples
from .octree_blocks import CENTRE, DEPTH, Blocks
from .octree_leaves import Leaves
from .octree_queries import FREE_VOXEL, HIT, OCCUPIED_VOXEL, UNKNOWN, cast, read_box, read_columns
from .octree_scan import Scan, change
from .octree_sphere import POINT, SphereConstraint, VoxelBox

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
MOST_VOXELS = 1 << 28
Probability = Annotated[float, Interval(0.0, 1.0)]


class OcTree:
    """An occupancy octree: free, occupied and unknown voxels, as log-odds; names, rules and files of OctoMap.

    ::

        l(voxel) <- clip(l(voxel) + log(p / (1 - p)), clamp),   p = hit where a ray ends, miss where it passes
        l(node)  =  max of its children,    occupied where l >= log(threshold / (1 - threshold))

    A scan changes each voxel once, by `hit` if a ray ends in it. Eight children of one value are pruned. The tree spans
    2^16 voxels an axis, half of them on either side of the origin of the world, and grows with what is seen: voxels are
    kept in blocks of 8^3, 2 kB each, or 40 bytes if all are equal; `nbytes` tells. Trees are changed in place.

    Args:
        resolution: side of a voxel [m].
        hit, miss: probabilities of occupancy given that one ray ends in the voxel or passes it.
        clamp: lowest and highest probability that evidence can reach, so that the map can still change.
        threshold: probability from which on a voxel is occupied.

    Raises:
        SettingError: if resolution or threshold is out of range.
        ShapeError: if `hit`, `miss` and `clamp` are no evidence.

    Source: A. Hornung, K. Wurm, M. Bennewitz, C. Stachniss, W. Burgard, OctoMap: an efficient probabilistic 3D mapping
    framework based on octrees, 2013, equations 2, 4 and 6. Storage in hashed blocks: M. Niessner et al., Real-time 3D
    reconstruction at scale using voxel hashing, 2013.

    Example:
        >>> tree = OcTree(0.1)
        >>> tree.insert_point_cloud([[1.05, 0.05, 0.05]], origin=[0.05, 0.05, 0.05])
        >>> tree.probability([[0.55, 0.05, 0.05], [1.05, 0.05, 0.05], [1.15, 0.05, 0.05]]).round(2)
        array([0.4, 0.7, nan])
    """

    def __init__(
        self,
        resolution: float,
        *,
        hit: float = 0.7,
        miss: float = 0.4,
        clamp: tuple[float, float] = (0.12, 0.97),
        threshold: float = 0.5,
    ) -> None:
        self.resolution = positive(resolution, "resolution")
        check_evidence(hit, miss)
        self.hit, self.miss, self.clamp = float(hit), float(miss), clamp_of(clamp)
        self.threshold: float = setting(threshold, Probability, "threshold")
        self._evidence = log_odds([self.miss, self.hit, *self.clamp])
        self._limit = log_odds(self.threshold)[()]
        self._blocks, self._scan = Blocks(), Scan()

    def __repr__(self) -> str:
        return f"OcTree({self.size} nodes of {self.resolution:g} m and more, {self.nbytes / 1e6:.1f} MB)"

    @property
    def nbytes(self) -> int:
        """The bytes of the map in memory, without the marks of a scan."""
        return self._blocks.nbytes

    @property
    def size(self) -> int:
        """The number of nodes of the pruned tree, inner ones included."""
        return self._leaves.nodes

    # --- changes ---

    def insert_point_cloud(
        self, points: ArrayLike, origin: ArrayLike, max_range: float = math.inf, *, discretize: bool = False
    ) -> None:
        """Add a scan: voxels that rays pass become freer, and those in which they end become more occupied.

        Args:
            points: ends of the rays in the world ``(..., 3)`` [m]; those that are not finite, or lie outside the tree,
                are left out.
            origin: of all rays ``(3,)`` [m].
            max_range: the rest of a longer ray is cut off, and it has no end [m]. Nor has a ray that ends in the voxel
                where its range does: no ray passes that voxel, so it could never become free again.
            discretize: whether rays that end in one voxel count as one ray to its centre, which is faster for dense
                clouds.

        Raises:
            ShapeError: if `points` or `origin` has the wrong shape, or the origin is not finite.
        """
        start = np.ascontiguousarray(self._scaled(origin, "origin").reshape(-1))
        if start.shape != (3,) or not np.isfinite(start).all():
            raise ShapeError(f"origin must be one finite point (x, y, z), not {origin}")
        reach = setting(max_range, Annotated[float, Interval(0.0, ends="(]")], "max_range") / self.resolution
        ends = np.ascontiguousarray(self._scaled(points, "points").reshape(-1, 3))
        if discretize:
            ends = discrete(ends)
        self._forget()
        self._scan.insert(self._blocks, ends, start, reach, self._evidence)

    def update(self, points: ArrayLike, occupied: ArrayLike) -> None:
        """Change single voxels, one after the other, by `hit` where they were seen occupied, else by `miss`.

        Args:
            points: ``(..., 3)`` [m]; those outside the tree are left out.
            occupied: bools ``(...)``, or one for all.

        Raises:
            ShapeError: if the shapes do not fit.
        """
        codes = self._codes(points)
        seen = bools(occupied, codes.shape)
        self._forget()
        change(self._blocks, codes.ravel(), self._evidence[seen.ravel().astype(np.intp)], self._evidence)

    def prune(self) -> None:
        """Keep pruned nodes instead of blocks, which frees memory; no query changes."""
        kept = self._leaves
        self._blocks = Blocks.of(kept.codes, kept.levels, kept.values)

    def _forget(self) -> None:
        self.__dict__.pop("_leaves", None)

    @cached_property
    def _leaves(self) -> Leaves:
        return Leaves.of(self._blocks)

    # --- queries ---

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
            >>> tree = OcTree(0.5)
            >>> tree.update([[0.2, 0.2, 0.2], [0.7, 0.2, 0.2], [0.7, 0.2, 0.7]], [False, False, True])
            >>> tree.to_grid(0.0, 0.5).occupied.astype(int), tree.to_grid(0.0, 1.0).occupied.astype(int)
            (array([[0, 0]]), array([[0, 1]]))
        """
        if not bottom < top:
            raise ShapeError(f"the slice from {bottom} to {top} m has no height; expected bottom < top")
        bounds, heights = self._bounds(), np.array([bottom, top]) / self.resolution
        first, last = (int(k) + CENTRE for k in (np.floor(heights[0] + 1e-9), np.ceil(heights[1] - 1e-9)))
        first, last = max(first, int(bounds[0][2])), min(last, int(bounds[1][2]))
        scale = 1.0 / self.resolution
        begin = bounds[0] if low is None else _keys(np.floor(one_point([low[0], low[1], 0.0], "low") * scale + 1e-9))
        end = bounds[1] if high is None else _keys(np.ceil(one_point([high[0], high[1], 0.0], "high") * scale - 1e-9))
        nx, ny = (end - begin)[:2].tolist()
        if nx <= 0 or ny <= 0:
            raise ShapeError(f"a map from {low} to {high} has no cells; expected low below high")
        check_size(float(nx) * ny, "voxels", "give its corners as low= and high=, or leave out points that are wrong")
        cells = np.empty((ny, nx), dtype=np.float32)
        read_columns(*self._blocks.arrays, np.array([*begin[:2], first]), max(last - first, 0), cells)
        x, y = self._corner(begin)[:2].tolist()
        return OccupancyGrid(cells, self.resolution, (x, y, 0.0), self.threshold, self.threshold - 1e-3)

    # --- planning ---

    def problem(
        self,
        start: Any,
        goal: Any,
        radius: float = 0.0,
        *,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        unknown: str = "blocked",
    ) -> Problem:
        """The planning problem of a sphere in this map: for `RRTConnect`, and for `AStar` and other searches.

        The sphere touches neither occupied voxels nor the faces of the box. The box is copied as one byte and four a
        voxel, so give its corners if the map is much larger than the problem.

        Args:
            start: a point (x, y, z), or a belief.
            goal: a point, several points, or a region.
            radius: radius of the robot [m].
            low, high: corners ``(3,)`` of the box in which to plan [m]; by default all that is known.
            unknown: whether unknown voxels are "blocked" or "free".

        Raises:
            ShapeError: if the box is empty or has more than 2^28 voxels, or nothing is known and no box is given.

        Example:
            >>> from pilotage.planners import AStar, RRTConnect
            >>> tree = OcTree(0.5)
            >>> tree.update([[x, y, 0.2] for x in (0.2, 0.7, 1.2) for y in (0.2, 0.7)], False)
            >>> problem = tree.problem([0.25, 0.25, 0.25], [1.25, 0.75, 0.25], radius=0.2)
            >>> AStar().plan(problem).ok, RRTConnect().plan(problem, rng=0).ok
            (True, True)
        """
        reach = positive(radius, "radius", zero=True)
        box = self.box(low, high, unknown)
        first, last = box.corner + box.resolution, box.corner + (np.array(box.blocked.shape) - 1) * box.resolution
        limits = {name: (float(a), float(b)) for name, a, b in zip("xyz", first, last, strict=True)}
        space = POINT.bounded(limits)
        return Problem(space, start, goal, SphereConstraint(box, reach, space), resolution=self.resolution, world=self)

    def box(self, low: ArrayLike | None = None, high: ArrayLike | None = None, unknown: str = "blocked") -> VoxelBox:
        """A dense copy of the voxels of a box, blocked or not, which tells the clearances in it.

        Args:
            low, high: corners ``(3,)`` [m]; by default those of all that is known.
            unknown: whether unknown voxels are "blocked" or "free".

        Raises:
            ShapeError: if the box is empty or has more than 2^28 voxels, or nothing is known and no box is given.
        """
        closed = setting(unknown, Unknown, "unknown") == "blocked"
        first, last = self._bounds() if low is None or high is None else (np.zeros(3, np.int64),) * 2
        scale = 1.0 / self.resolution
        if low is not None:
            first = _keys(np.floor(one_point(low, "low") * scale + 1e-9))
        if high is not None:
            last = _keys(np.ceil(one_point(high, "high") * scale - 1e-9))
        shape = np.maximum(last - first, 0)
        if not 0 < math.prod(shape.tolist()) <= MOST_VOXELS:
            raise ShapeError(
                f"the box to plan in has {' x '.join(map(str, shape))} voxels; expected 1 to {MOST_VOXELS:,}: give its "
                "corners as low= and high="
            )
        kinds = np.empty(shape, dtype=np.uint8)
        read_box(*self._blocks.arrays, np.ascontiguousarray(first), self._limit, kinds)
        blocked = kinds != FREE_VOXEL if closed else kinds == OCCUPIED_VOXEL
        return VoxelBox(read_only(np.pad(blocked, 1, constant_values=True)), self.resolution, self._corner(first - 1))

    # --- files ---

    @classmethod
    def load(cls, path: str | os.PathLike[str], **rules: Any) -> OcTree:
        """Read a file of OctoMap: `.bt`, which has free and occupied voxels, or `.ot`, which has their log-odds.

        Args:
            path: the file.
            **rules: `hit`, `miss`, `clamp` and `threshold` of the tree. Voxels of a `.bt` get the limits of `clamp`.

        Raises:
            MissingFile: if the file does not exist.
            FormatError: if it is not valid.
        """
        found = read_octomap(path)
        tree = cls(found.resolution, **rules)
        values = np.where(np.isinf(found.log_odds), np.clip(found.log_odds, *tree._evidence[2:]), found.log_odds)
        kept = Leaves(found.codes, found.levels, values.astype(np.float32))
        tree._blocks = Blocks.of(kept.codes, kept.levels, kept.values)
        return tree

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file of OctoMap: `.bt` keeps what is free and occupied, `.ot` the log-odds too.

        Raises:
            FormatError: if `path` ends in neither.
            MissingFile: if the folder does not exist.

        Example:
            >>> import tempfile, pathlib
            >>> tree, file = OcTree(0.5), pathlib.Path(tempfile.mkdtemp()) / "one.bt"
            >>> tree.update([0.2, 0.2, 0.2], True)
            >>> tree.save(file)
            >>> OcTree.load(file).is_occupied([[0.2, 0.2, 0.2]])
            array([ True])
        """
        found = self._leaves
        values = found.values
        if path_of(path).suffix.lower() == ".bt":
            values = np.where(values >= self._limit, np.inf, -np.inf).astype(np.float32)
            found = Leaves(found.codes, found.levels, values)
        write_octomap(path, OctoMapFile(self.resolution, found.codes, found.levels, found.values))

    # --- voxels ---

    def _scaled(self, points: ArrayLike, name: str) -> Array:
        """Points ``(..., 3)`` in voxels."""
        with np.errstate(over="ignore"):  # beyond the largest number is outside the tree, too
            return triples(points, name) * (1.0 / self.resolution)

    def _codes(self, points: ArrayLike) -> NDArray[np.int64]:
        """Morton codes of the voxels at points ``(..., 3)``, -1 outside the tree."""
        p = self._scaled(points, "points")
        return codes_at(p.reshape(-1, 3)).reshape(p.shape[:-1])


def _keys(coordinates: Array) -> NDArray[np.int64]:
    """The keys of whole coordinates [voxels], those far outside the tree brought nearer."""
    return np.clip(coordinates, -4.0 * CENTRE, 4.0 * CENTRE).astype(np.int64) + CENTRE
