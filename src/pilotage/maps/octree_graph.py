"""The free voxels of a box as a graph with 26 neighbours, for searches."""

from __future__ import annotations

import itertools
import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import shown

Mask = NDArray[np.bool_]
Move = tuple[int, ...]
MOVES: list[Move] = [move for move in itertools.product((-1, 0, 1), repeat=3) if any(move)]


class VoxelGraph:
    """A graph of free voxels; steps lead to the 26 neighbours and cut no corner.

    ::

        cost = |step|,   heuristic = the shortest such path in empty space

    A step is possible if all voxels of the box around both ends are free. No obstacle is then nearer to the sphere
    along the step than to it in one of these voxels, so a path is clear as a whole. States are numbers of voxels.

    Args:
        free: bools ``(nx, ny, nz)``, False all around.
        resolution: side of a voxel [m].
        corner: lowest corner of the first voxel ``(3,)`` [m].

    Example:
        >>> from pilotage.planners import AStar
        >>> graph = VoxelGraph(np.pad(np.ones((3, 3, 1), dtype=bool), 1), 0.5, np.zeros(3))
        >>> plan = AStar().plan(graph, graph.state([0.75, 0.75, 0.75]), graph.state([1.75, 1.75, 0.75]))
        >>> round(plan.cost, 3), plan.xs[-1]
        (1.414, array([1.75, 1.75, 0.75]))
    """

    def __init__(self, free: Mask, resolution: float, corner: ArrayLike) -> None:
        self.free, self.resolution, self.corner = free, resolution, numbers(corner, "corner")
        _, ny, nz = free.shape
        self._strides = ny * nz, nz, 1
        self._kept: dict[int, list[tuple[int, float]]] = {}

    def __repr__(self) -> str:
        return f"VoxelGraph({self.free.sum():,} free voxels of {self.resolution:g} m)"

    def __contains__(self, state: object) -> bool:
        return isinstance(state, int | np.integer) and bool(0 <= state < self.free.size and self.free.flat[int(state)])

    def state(self, point: ArrayLike) -> int:
        """The state of the voxel at a point ``(3,)`` [m]; -1 outside the box."""
        p = numbers(point, "point")
        if p.shape != (3,) or not np.isfinite(p).all():
            raise ShapeError(f"a point of a voxel graph must be three finite numbers, not {shown(point)}")
        cell = np.floor((p - self.corner) / self.resolution)
        if (cell < 0).any() or (cell >= self.free.shape).any():
            return -1
        return int(cell.astype(np.int64) @ self._strides)

    def points(self, states: Any) -> NDArray[np.float64]:
        """The centres ``(K, 3)`` of voxels [m]."""
        cells = np.stack(np.unravel_index(np.asarray(states), self.free.shape), axis=-1)
        return np.asarray(self.corner + (cells + 0.5) * self.resolution, dtype=np.float64)

    def neighbours(self, state: int) -> list[tuple[int, float]]:
        """The voxels to which steps lead, with their lengths [m]."""
        bits = int(self._steps[state])
        steps = self._kept.get(bits)
        if steps is None:
            steps = self._kept[bits] = [self._step(move) for n, move in enumerate(MOVES) if bits >> n & 1]
        return [(state + offset, cost) for offset, cost in steps]

    def _step(self, move: Move) -> tuple[int, float]:
        return sum(a * b for a, b in zip(move, self._strides, strict=True)), self.resolution * math.hypot(*move)

    def heuristic(self, a: int, b: int) -> float:
        """The length of the shortest path between two voxels in empty space [m]."""
        sx, sy, _ = self._strides
        (i, rest), (p, other) = divmod(a, sx), divmod(b, sx)
        (j, k), (q, r) = divmod(rest, sy), divmod(other, sy)
        short, middle, long = sorted((abs(i - p), abs(j - q), abs(k - r)))
        straight, diagonal = long - middle, middle - short
        # A little less than the sum of the steps, whatever their order and rounding.
        return self.resolution * (straight + math.sqrt(2.0) * diagonal + math.sqrt(3.0) * short) * (1.0 - 1e-12)

    @cached_property
    def _steps(self) -> NDArray[np.uint32]:
        """The possible steps of each voxel, a bit for each of `MOVES`."""
        bits = np.zeros(self.free.shape, dtype=np.uint32)
        inner = bits[1:-1, 1:-1, 1:-1]
        for n, move in enumerate(MOVES):
            ways = itertools.product(*((0, d) if d else (0,) for d in move))
            clear = np.logical_and.reduce([self._shifted(way) for way in ways])
            inner |= clear.astype(np.uint32) << np.uint32(n)
        return bits.ravel()

    def _shifted(self, way: tuple[int, ...]) -> Mask:
        """Whether the voxels that lie one step along a way are free, for all inner voxels."""
        return self.free[tuple(slice(1 + d, n - 1 + d) for d, n in zip(way, self.free.shape, strict=True))]
