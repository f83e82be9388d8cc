"""The octree: free, occupied and unknown voxels of a map in three dimensions."""

from __future__ import annotations

import math
import os
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import ShapeError
from pilotage.core.problem import Problem
from pilotage.core.settings import Interval, positive, setting, shown
from pilotage.io.contents import path_of
from pilotage.io.octomap import OctoMapFile, read_octomap, write_octomap

from .cells import Unknown, bools_of, log_odds, read_only
from .mapping import check_evidence, clamp_of
from .octree_arrays import discrete, one_point
from .octree_blocks import CENTRE, Blocks
from .octree_leaves import Leaves
from .octree_queries import FREE_VOXEL, OCCUPIED_VOXEL, read_box
from .octree_scan import Scan, change
from .octree_sphere import POINT, SphereConstraint, VoxelBox
from .octree_voxels import Voxels

Array = NDArray[np.float64]
MOST_VOXELS = 1 << 28
SURE = 1e-3
"""The probability at which log-odds end, see `cells.log_odds`; one minus it at the other end."""


class OcTree(Voxels):
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
        threshold: probability from which on a voxel is occupied; within `clamp`, so that evidence reaches it.

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
        reached = Interval(max(self.clamp[0], SURE), min(self.clamp[1], 1.0 - SURE), "(]")
        self.threshold: float = setting(threshold, Annotated[float, reached], "threshold")
        self._evidence = log_odds([self.miss, self.hit, *self.clamp])
        self._limit = log_odds(self.threshold)[()]
        self._blocks, self._scan = Blocks(), Scan()

    def __repr__(self) -> str:
        return f"OcTree({self.size} nodes of {self.resolution:g} m and more, {self.nbytes / 1e6:.1f} MB)"

    # --- changes ---

    def insert_point_cloud(
        self, points: ArrayLike, origin: ArrayLike, max_range: float = math.inf, *, discretize: bool = False
    ) -> None:
        """Add a scan: voxels that rays pass become freer, and those in which they end become more occupied.

        Args:
            points: ends of the rays in the world ``(..., 3)`` [m]; those that are not finite, or lie outside the tree,
                are left out.
            origin: of all rays ``(3,)`` [m].
            max_range: the rest of a longer ray is cut off, and it has no end [m].
            discretize: whether rays that end in one voxel count as one ray to its centre, which is faster for dense
                clouds.

        Raises:
            ShapeError: if `points` or `origin` has the wrong shape, or the origin is not finite.
        """
        start = np.ascontiguousarray(self._scaled(origin, "origin").reshape(-1))
        if start.shape != (3,) or not np.isfinite(start).all():
            raise ShapeError(f"origin must be one finite point (x, y, z), not {shown(origin)}")
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
        seen = bools_of(occupied, codes.shape)
        self._forget()
        change(self._blocks, codes.ravel(), self._evidence[seen.ravel().astype(np.intp)], self._evidence)

    def prune(self) -> None:
        """Keep pruned nodes instead of blocks, which frees memory; no query changes."""
        kept = self._leaves
        self._blocks = Blocks.of(kept.codes, kept.levels, kept.values)

    def _forget(self) -> None:
        self.__dict__.pop("_leaves", None)

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


def _keys(coordinates: Array) -> NDArray[np.int64]:
    """The keys of whole coordinates [voxels], those far outside the tree brought nearer."""
    return np.clip(coordinates, -4.0 * CENTRE, 4.0 * CENTRE).astype(np.int64) + CENTRE
