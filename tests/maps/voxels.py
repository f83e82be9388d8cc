"""A map of voxels as a dictionary, with rays in exact fractions: the oracle of the octree, in pure Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

Key = tuple[int, ...]
HIT, MISS = (np.float32(math.log(p / (1.0 - p))) for p in (0.7, 0.4))


def crossed(a: Any, b: Any) -> list[Key]:
    """The voxels on the segment from a to b [voxels], in order: those in the middle between two crossings of faces."""
    start = [Fraction(float(v)) for v in a]
    way = [Fraction(float(v)) - s for v, s in zip(b, start, strict=True)]
    times = {Fraction(0), Fraction(1)}
    for s, d in zip(start, way, strict=True):
        if d:
            low, high = sorted((s, s + d))
            times |= {(k - s) / d for k in range(math.ceil(low), math.floor(high) + 1)}
    middles = [(t + u) / 2 for t, u in itertools.pairwise(sorted(times))]
    return [
        (math.floor(start[0] + t * way[0]), math.floor(start[1] + t * way[1]), math.floor(start[2] + t * way[2]))
        for t in middles
    ] or [key_of(a)]


def key_of(p: Any) -> Key:
    """The voxel of a point [voxels]."""
    return math.floor(p[0]), math.floor(p[1]), math.floor(p[2])


class Voxels(dict[Key, np.float32]):
    """Log-odds by voxel; voxels that are missing are unknown."""

    def __init__(self, clamp: tuple[float, float]) -> None:
        super().__init__()
        self.low, self.high = (np.float32(math.log(p / (1.0 - p))) for p in clamp)

    def insert(self, points: Iterable[Any], origin: Any, reach: float = math.inf) -> None:
        """A scan: each voxel changes once, and ends outweigh passages."""
        passed, ends = set[Key](), set[Key]()
        for point in points:
            length = math.dist(point, origin)
            if not math.isfinite(length):
                continue
            share = min(reach / length, 1.0) if length > 0.0 else 1.0
            end = np.asarray(origin) + share * (np.asarray(point) - origin) if share < 1.0 else point
            way = crossed(origin, end)
            passed |= set(way) - {way[-1]}
            last = None  # the voxel where the reach ends, which no ray passes
            if math.isfinite(reach) and length > 0.0:
                last = crossed(origin, np.asarray(origin) + reach / length * (np.asarray(point) - origin))[-1]
            if length <= reach and way[-1] != last:
                ends.add(way[-1])
        for key in passed - ends:
            self.change(key, MISS)
        for key in ends:
            self.change(key, HIT)

    def change(self, key: Key, by: np.float32) -> None:
        """Evidence about one voxel."""
        self[key] = min(max(np.float32(self.get(key, np.float32(0.0)) + by), self.low), self.high)

    def node(self, key: Key, side: int) -> float:
        """The largest log-odds in the node of that side around a voxel, NaN if unknown."""
        first = [k // side * side for k in key]
        cube = itertools.product(*(range(k, k + side) for k in first))
        return max((float(self[each]) for each in cube if each in self), default=math.nan)
