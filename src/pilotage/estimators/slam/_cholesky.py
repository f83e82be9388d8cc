"""Cholesky factors of sparse matrices whose rows and columns come in blocks, by dense fronts.

Which entries of the factor are not zero is found once from the graph; then only numbers change. Source: Duff and Reid,
"The multifrontal solution of indefinite sparse symmetric linear equations" (1983); Davis, "Direct Methods for Sparse
Linear Systems" (2006), chapters 4 and 9.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import _factorize

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

ZEROS = 0.25
"""Share of a supernode that may be zeros, for the sake of larger fronts."""


def filled(n: int, ties: Indices) -> tuple[list[int], list[set[int]]]:
    """The elimination tree of n variables, and which later ones each of them is tied to once those before it are gone.

    Returns:
        The first of the later ones, or -1; and all of them.

    Example:
        >>> filled(3, np.array([[0, 1], [0, 2]]))
        ([1, 2, -1], [{1, 2}, {2}, set()])
    """
    later: list[set[int]] = [set() for _ in range(n)]
    for a, b in np.sort(ties, axis=1).tolist():
        later[a].add(b)
    parents = [-1] * n
    for v, others in enumerate(later):
        if others:
            parent = parents[v] = min(others)
            later[parent] |= others
            later[parent].discard(parent)
    return parents, later


def postorder(parents: Sequence[int]) -> Indices:
    """Place of each variable in an order in which all below a variable come right before it.

    Example:
        >>> postorder([2, 3, 3, -1]).tolist()
        [1, 0, 2, 3]
    """
    below: list[list[int]] = [[] for _ in parents]
    roots: list[int] = []
    for v, parent in enumerate(parents):
        (below[parent] if parent >= 0 else roots).append(v)
    place, last = np.empty(len(parents), dtype=np.int64), len(parents)
    waiting = roots
    while waiting:  # backwards: a variable, and then all below it
        v = waiting.pop()
        last -= 1
        place[v] = last
        waiting.extend(below[v])
    return place


def spans(first: Indices, count: Indices) -> Indices:
    """The numbers from each `first` on, `count` of them, one span after another.

    Example:
        >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(count)
    return np.arange(count.sum()) + np.repeat(first - ends + count, count)


class Cholesky:
    """Factors ``L L' = H`` for all matrices of one pattern.

    Args:
        dims: columns of each block, in the order of elimination, which is a postorder.
        ties: pairs of blocks that are not zero ``(K, 2)``.

    Attributes:
        pivots: of the last factor, over the diagonal of its matrix: the share of its information that each column
            keeps when those after it are unknown.
    """

    def __init__(self, dims: Indices, ties: Indices) -> None:
        n, ends = len(dims), np.concatenate([[0], np.cumsum(dims)])
        parents, later = filled(n, ties)
        nodes = _supernodes(parents, later)
        of = np.repeat(np.arange(len(nodes)), [b - a for a, b in nodes])
        blocks = [[*range(a, b), *sorted(later[b - 1])] for a, b in nodes]
        flat = np.array([v for block in blocks for v in block], dtype=np.int64)
        ranks = np.repeat(np.arange(len(nodes)), [len(block) for block in blocks])
        heights = np.bincount(ranks, weights=dims[flat], minlength=len(nodes)).astype(np.int64)
        widths = np.array([ends[b] - ends[a] for a, b in nodes], dtype=np.int64)
        self._children = np.zeros(len(nodes), dtype=np.int64)
        for _, b in nodes:
            if parents[b - 1] >= 0:
                self._children[of[parents[b - 1]]] += 1
        starts, places = (np.concatenate([[0], np.cumsum(each)]) for each in (heights, heights * widths))
        firsts = np.array([*(ends[a] for a, _ in nodes), ends[-1]], dtype=np.int64)
        self._structure = firsts, starts, spans(ends[flat], dims[flat]), places
        self._where = np.zeros(int(ends[-1]) + len(nodes), dtype=np.int64)
        self._front = np.empty(int(heights.max(initial=0) ** 2))
        self._stack = np.empty(self._deepest(heights - widths))
        self._L = np.empty(int(places[-1]))
        self.pivots = np.empty(int(ends[-1]))

    def factor(self, indptr: Indices, indices: Indices, H: Array, damping: float = 0.0) -> bool:
        """Factor ``H + damping diag(H)``; False when it is not positive definite."""
        memory = self._where, self._front, self._stack, self._L, self.pivots
        bad = _factorize.factorize.compiled(*self._structure, self._children, indptr, indices, H, damping, *memory)
        return bad < 0

    def solve(self, right: Array) -> Array:
        """``H^-1 right`` of the last factor ``(n,)``."""
        x = right.copy()
        _factorize.solve.compiled(*self._structure, self._L, x)
        return x

    def _deepest(self, left: Indices) -> int:
        """Numbers that wait on the stack at most."""
        top, most = 0, 1
        waiting: list[int] = []
        for size, children in zip((left**2).tolist(), self._children.tolist(), strict=True):
            for _ in range(children):
                top -= waiting.pop()
            top += size
            most = max(most, top)
            if size:
                waiting.append(size)
        return most


def _supernodes(parents: Sequence[int], later: Sequence[set[int]]) -> list[tuple[int, int]]:
    """Runs of variables that are eliminated in one front: their rows are the same, but for a few zeros."""
    nodes: list[tuple[int, int]] = []
    first, zeros, entries = 0, 0, 0
    for v in range(len(parents)):
        entries += 1 + len(later[v])
        if parents[v] == v + 1:  # which then has all the rows of this one, and perhaps more
            more = zeros + (v + 1 - first) * (1 + len(later[v + 1]) - len(later[v]))
            if more <= ZEROS * (entries + 1 + len(later[v + 1]) + more):
                zeros = more
                continue
        nodes.append((first, v + 1))
        first, zeros, entries = v + 1, 0, 0
    return nodes
