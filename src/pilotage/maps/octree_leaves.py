"""The leaves of an octree as sorted arrays: a linear octree, which is pruned, looked at from afar, and counted.

A leaf is the Morton code of its first voxel and its level, side ``2^level`` voxels. In the order of codes, the leaves
below a node are neighbours (I. Gargantini, An effective way to represent quadtrees, 1982).
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.octomap import inner_nodes
from ..models.trace import driver
from .octree_blocks import BLOCK, DEPTH, ENTRIES, SPLIT, TAG, VOXELS, Blocks

Codes = NDArray[np.int64]
Levels = NDArray[np.int8]
Values = NDArray[np.float32]


class Leaves:
    """The leaves of an octree in the order of their codes, pruned: no eight siblings of one value.

    Attributes:
        codes: Morton codes of first voxels ``(N,)``.
        levels: side ``2^level`` voxels, ``(N,)``.
        values: log-odds ``(N,)``, none NaN.
    """

    def __init__(self, codes: Codes, levels: Levels, values: Values) -> None:
        self.codes, self.levels, self.values = pruned(codes, levels, values)

    @classmethod
    def of(cls, blocks: Blocks) -> Leaves:
        """The known voxels of a storage."""
        count = int(blocks.counts[ENTRIES])
        keys, values, pages = blocks.keys[:count], blocks.values[:count], blocks.pages[:count]
        levels = keys >> TAG
        codes = (keys & ((1 << TAG) - 1)) << (3 * levels)
        whole = (pages < 0) & (pages != SPLIT) & ~np.isnan(values)
        paged = np.flatnonzero(pages >= 0)
        most = int((~np.isnan(blocks.voxels[pages[paged]])).sum()) if len(paged) else 0
        small = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int8), np.empty(most, dtype=np.float32)
        found = page_leaves(codes[paged], pages[paged].astype(np.int64), blocks.voxels, *small)
        parts = zip((codes[whole], levels[whole].astype(np.int8), values[whole]), small, strict=True)
        joined: list[Any] = [np.concatenate((large, few[:found])) for large, few in parts]
        order = np.argsort(joined[0], kind="stable")
        return cls(*(each[order] for each in joined))

    def at_depth(self, depth: int) -> Leaves:
        """The tree cut off at a depth: a node there has the largest value of its leaves, as in OctoMap."""
        return self if depth == DEPTH else self._cuts.setdefault(depth, self._cut(DEPTH - depth))

    @cached_property
    def _cuts(self) -> dict[int, Leaves]:
        return {}

    def _cut(self, level: int) -> Leaves:
        """The nodes at a level, and the leaves above it."""
        if not len(self.codes):
            return self
        nodes = self.codes >> (3 * level)
        first = np.flatnonzero(np.concatenate(([True], nodes[1:] != nodes[:-1])))
        cut = Leaves.__new__(Leaves)  # not pruned: nodes of one value stay apart, as in the tree
        cut.codes = nodes[first] << (3 * level)
        cut.levels = np.maximum(self.levels[first], level).astype(np.int8)
        cut.values = np.maximum.reduceat(self.values, first)
        return cut

    def read(self, codes: Codes) -> Values:
        """The values of voxels by their codes, NaN if unknown; -1 is none."""
        if not len(self.codes):
            return np.full(len(codes), np.nan, dtype=np.float32)
        at = np.maximum(np.searchsorted(self.codes, codes, side="right") - 1, 0)
        shifts = 3 * self.levels[at].astype(np.int64)
        inside = (codes >> shifts) == (self.codes[at] >> shifts)
        return np.where(inside, self.values[at], np.float32(np.nan))

    def keys(self) -> NDArray[np.int64]:
        """The keys ``(N, 3)`` of the first voxel of each leaf."""
        return keys_of(self.codes)

    @cached_property
    def nodes(self) -> int:
        """The number of nodes of the tree, inner ones included."""
        inner = (len(inner_nodes(self.codes, self.levels, level)) for level in range(1, DEPTH + 1))
        return len(self.codes) + sum(inner)


def pruned(codes: Codes, levels: Levels, values: Values) -> tuple[Codes, Levels, Values]:
    """Sorted leaves in which eight siblings of one value are one leaf, level by level."""
    for level in range(DEPTH):
        first = np.flatnonzero((levels == level) & ((codes >> (3 * level)) & 7 == 0))
        first = first[first + 7 < len(codes)]
        if not len(first):
            continue
        eight = first[:, None] + np.arange(8)
        whole = (codes[eight] == codes[first][:, None] + (np.arange(8) << (3 * level))).all(1)
        whole &= (levels[eight] == level).all(1) & (values[eight] == values[first][:, None]).all(1)
        parents = first[whole]
        keep = np.ones(len(codes), dtype=np.bool_)
        keep[(parents[:, None] + np.arange(1, 8)).ravel()] = False
        levels = levels.copy()
        levels[parents] = level + 1
        codes, levels, values = codes[keep], levels[keep], values[keep]
    return codes, levels, values


def keys_of(codes: Codes) -> NDArray[np.int64]:
    """The keys ``(N, 3)`` of codes: every third bit, from x on."""
    keys = np.zeros((len(codes), 3), dtype=np.int64)
    for axis in range(3):
        k = (codes >> axis) & 0x249249249249
        for shift, mask in ((2, 0xC30C30C30C3), (4, 0xF00F00F00F), (8, 0xFF0000FF), (16, 0xFFFF)):
            k = (k | (k >> shift)) & mask
        keys[:, axis] = k
    return keys


@driver("i8(i8[::1], i8[::1], f4[:,::1], i8[::1], i1[::1], f4[::1])")
def page_leaves(firsts, pages, voxels, codes, levels, values):
    """Write the leaves of pages whose first voxels have these codes, pruned within the page; returns their number."""
    found = 0
    for n in range(firsts.shape[0]):
        v = 0
        while v < VOXELS:
            value = voxels[pages[n], v]
            level = 0 if math.isnan(value) else _level(voxels[pages[n]], v)
            if not math.isnan(value):
                codes[found], levels[found], values[found] = firsts[n] + v, level, value
                found += 1
            v += 1 << (3 * level)
    return found


@driver
def _level(page, v):
    """The level of the largest node that begins at a voxel and has one value."""
    for level in range(BLOCK - 1, 0, -1):
        size = 1 << (3 * level)
        if v % size == 0:
            equal = True
            for other in range(v + 1, v + size):
                if page[other] != page[v]:
                    equal = False
                    break
            if equal:
                return level
    return 0
