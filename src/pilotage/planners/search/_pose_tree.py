"""The nodes of a search over poses: flat arrays that grow together, and the loop around the compiled search."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sampling._problem import Compiled
from ._pose_field import Field
from ._pose_kernel import (
    CELL,
    CLOSED,
    COUNT,
    EXPANSIONS,
    FULL,
    GOAL,
    LINKS,
    MARKS,
    MOTION,
    NODE,
    PARENT,
    PAUSED,
    ROOM,
    STATE,
    F,
    G,
    rehash,
    search,
)
from ._pose_motions import Motions

Array = NDArray[np.float64]
FIRST = 4096
"""Nodes that there is room for at first."""
CHUNK = 2000
"""Expansions between two looks at the clock, some milliseconds."""


class Tree:
    """Nodes, the heap of those that wait, and the hash table of the cells."""

    def __init__(self, size: int) -> None:
        self.state = np.zeros(STATE, dtype=np.int64)
        self.state[NODE] = -1
        self.best = np.array([math.inf])
        self.nodes, self.marks = np.empty((0, size)), np.empty((0, MARKS))
        self.links, self.heap = np.empty((0, LINKS), dtype=np.int64), np.empty(0, dtype=np.int64)
        self.ranks = np.empty(0)
        self.grow(FIRST)

    def grow(self, capacity: int) -> None:
        """Make room for that many nodes."""
        for name in ("nodes", "marks", "links", "heap", "ranks"):
            old = getattr(self, name)
            new = np.empty((capacity, *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        slots = 1 << (2 * capacity).bit_length()  # a power of two, which masks of hashes need
        self.keys, self.table = np.zeros(slots, dtype=np.int64), np.full(slots, -1, dtype=np.int64)
        rehash(self.links, self.keys, self.table, int(self.state[COUNT]))

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Arguments of the driver, in their order."""
        return self.nodes, self.marks, self.links, self.heap, self.ranks, self.keys, self.table, self.state, self.best


class Search:
    """A search: the arrays that the driver takes.

    Args:
        world: the compiled problem.
        root, left: the state where the search begins, and the room there.
        motions: the motions of the vehicle.
        vehicle, rules: see `_pose_kernel`.
        cells: ``(2, n)``.
        field: the ways around the obstacles.
        goals, ends: poses ``(K, 3)`` and states ``(K, n)`` to find.
        region: bounds ``(2, n)``, or none.
    """

    def __init__(
        self, world: Compiled, root: Array, left: float, motions: Motions, vehicle: NDArray[np.int64], rules: Array,
        cells: Array, field: Field, goals: Array, ends: Array, region: Array,
    ) -> None:  # fmt: skip
        self.world, self.motions, self.tree = world, motions, Tree(len(root))
        track = np.empty((motions.longest + 1, len(root)))
        self.given = (
            motions.rows, motions.first, motions.groups, motions.after, vehicle, motions.parameters, rules, cells,
            field.values, goals, ends, region, np.empty(MARKS), track, world.world,
        )  # fmt: skip
        self._root(root, left)

    def _root(self, start: Array, left: float) -> None:
        tree = self.tree
        tree.nodes[0], tree.marks[0], tree.heap[0], tree.ranks[0] = start, 0.0, 0, 0.0
        tree.marks[0, ROOM] = left
        tree.links[0, [PARENT, MOTION, CELL, CLOSED]] = -1, -1, np.iinfo(np.int64).min, 0
        tree.state[:2] = 1
        rehash(tree.links, tree.keys, tree.table, 1)

    def run(self, deadline: float, most: int) -> bool:
        """Search until the best way is final; False when time or nodes are up, or at Ctrl-C if a way is known.

        Args:
            deadline: when the time is up, by `time.perf_counter`.
            most: the most nodes.
        """
        try:
            while True:
                outcome = search.compiled(*self.tree.arrays, *self.given, CHUNK)
                self.world.check()
                if outcome == FULL and self.count + self.reserve > most:
                    return False
                if outcome == FULL:
                    self.tree.grow(min(2 * len(self.tree.nodes), most))
                elif outcome != PAUSED:
                    return True
                if time.perf_counter() > deadline:
                    return False
        except KeyboardInterrupt:
            if self.found:
                return False
            raise

    @property
    def reserve(self) -> int:
        """The most nodes that one expansion makes, and one."""
        return len(self.motions.first)

    @property
    def found(self) -> bool:
        """Whether a way to a goal is known."""
        return self.tree.state[NODE] >= 0

    @property
    def cost(self) -> float:
        """Cost of the best way."""
        return float(self.tree.best[0])

    @property
    def goal(self) -> int:
        """The goal to which the curve from the last node leads; -1 where the last node is in the region."""
        return int(self.tree.state[GOAL])

    @property
    def expansions(self) -> int:
        """Nodes expanded."""
        return int(self.tree.state[EXPANSIONS])

    @property
    def count(self) -> int:
        """Nodes made."""
        return int(self.tree.state[COUNT])

    def way(self) -> tuple[Array, list[int]]:
        """The nodes of the best way ``(K+1, n)``, and the motions between them."""
        nodes, links = [int(self.tree.state[NODE])], self.tree.links
        while (parent := int(links[nodes[-1], PARENT])) >= 0:
            nodes.append(parent)
        nodes = nodes[::-1]
        return self.tree.nodes[nodes], links[nodes[1:], MOTION].tolist()

    def nearest(self, weight: float) -> float:
        """The least estimate of what is left [m] over all nodes but the first; infinity if there are none."""
        marks = self.tree.marks[1 : self.count]
        return float((marks[:, F] - marks[:, G]).min(initial=math.inf)) / weight
