"""Arrays that go into an octree, and those that come out: points as codes of voxels, ends of rays, nodes as cubes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError, counted
from pilotage.core.settings import shown

from .octree_blocks import CENTRE, morton

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class RayHits:
    """The ends of rays in an octree.

    Attributes:
        hit: whether an occupied voxel ended the ray, bools ``(...)``.
        unknown: whether an unknown voxel did.
        ends: centres ``(..., 3)`` of the last voxels [m].
        ranges: distances ``(...)`` at which the rays enter these voxels [m], or the longest range; NaN if the origin is
            not in the tree, or the direction is zero or not finite.

    Example:
        >>> from pilotage.maps import OcTree
        >>> tree = OcTree(0.5)
        >>> tree.update([[0.2, 0.2, 0.2], [0.7, 0.2, 0.2]], [False, True])
        >>> tree.cast_ray([0.2, 0.2, 0.2], [1.0, 0.0, 0.0])
        RayHits(1 ray: 1 hit, 0 unknown)
    """

    hit: Mask
    unknown: Mask
    ends: Array
    ranges: Array

    def __repr__(self) -> str:
        return f"RayHits({counted(self.hit.size, 'ray')}: {self.hit.sum()} hit, {self.unknown.sum()} unknown)"


@dataclass(frozen=True, eq=False, repr=False)
class Boxes:
    """Nodes of an octree as cubes.

    Attributes:
        centers: ``(N, 3)`` [m].
        sizes: sides ``(N,)`` [m].
        log_odds: ``(N,)``.
        occupied: bools ``(N,)``; the others are free.

    Example:
        >>> from pilotage.maps import OcTree
        >>> tree = OcTree(0.5)
        >>> tree.update([0.2, 0.2, 0.2], True)
        >>> tree.boxes().centers, tree.boxes().sizes
        (array([[0.25, 0.25, 0.25]]), array([0.5]))
    """

    centers: Array
    sizes: Array
    log_odds: NDArray[np.float32]
    occupied: Mask

    def __repr__(self) -> str:
        return f"Boxes({len(self.sizes)}, {self.occupied.sum()} of them occupied)"


def codes_at(p: Array) -> NDArray[np.int64]:
    """Morton codes of the voxels at points ``(N, 3)`` [voxels], -1 outside the tree."""
    codes = np.empty(len(p), dtype=np.int64)
    morton(np.floor(np.fmax(np.fmin(p, 2.0 * CENTRE), -2.0 * CENTRE)).astype(np.int64) + CENTRE, codes)
    return codes


def discrete(ends: Array) -> Array:
    """The centres of the voxels of points ``(N, 3)``, each once, and all points outside the tree."""
    codes = codes_at(ends)
    _, first = np.unique(codes, return_index=True)
    inside = first[codes[first] >= 0]
    return np.concatenate((np.floor(ends[inside]) + 0.5, ends[codes < 0]))


def triples(points: ArrayLike, name: str) -> Array:
    """Points or directions ``(..., 3)`` of a user."""
    p = numbers(points, name)
    if p.shape[-1:] != (3,):
        raise ShapeError(f"{name} must have shape (..., 3), not {p.shape}")
    return p


def one_point(given: ArrayLike, name: str, axes: str = "x, y, z") -> Array:
    """A point ``(3,)`` of a user, or one with other axes; coordinates may be infinite."""
    p = numbers(given, name)
    if p.shape != (axes.count(",") + 1,) or np.isnan(p).any():
        raise ShapeError(f"{name} must be one point ({axes}), not {shown(given)}")
    return p
