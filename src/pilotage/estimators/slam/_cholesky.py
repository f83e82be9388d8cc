"""Cholesky factors of sparse matrices whose rows and columns come in blocks, by dense fronts.

Which entries of the factor are not zero is found once from the graph; then only numbers change. Source: Duff and Reid,
"The multifrontal solution of indefinite sparse symmetric linear equations" (1983); Davis, "Direct Methods for Sparse
Linear Systems" (2006), chapters 4 and 9.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _factorize

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

ZEROS = 0.25
"""Share of a supernode that may be zeros, for the sake of larger fronts."""


class Filled(NamedTuple):
    """The later variables that each variable is tied to, once those before it are eliminated.

    Attributes:
        parents: the first of them, or -1: a tree.
        starts, later: all of them, in order; those of variable v are ``later[starts[v] : starts[v + 1]]``.
    """

    parents: Indices
    starts: Indices
    later: Indices


def filled(n: int, ties: Indices) -> Filled:
    """The fill of n variables, of which pairs are tied ``(K, 2)``.

    Example:
        >>> fill = filled(3, np.array([[0, 1], [0, 2]]))
        >>> fill.parents.tolist(), fill.starts.tolist(), fill.later.tolist()
        ([1, 2, -1], [0, 2, 3, 3], [1, 2, 2])
    """
    ends = np.sort(ties, axis=1)
    ends = ends[np.argsort(ends[:, 1], kind="stable")]
    before, indptr = np.ascontiguousarray(ends[:, 0]), np.searchsorted(ends[:, 1], np.arange(n + 1))
    parents, seen, counts, starts = (np.empty(n + 1, dtype=np.int64) for _ in range(4))
    later = np.empty(0, dtype=np.int64)
    for _ in range(2):  # first they are counted, then there is room for them
        _factorize.fill.compiled(indptr, before, parents, seen, counts, starts, later)
        starts = np.concatenate([[0], np.cumsum(counts[:n])])
        later = np.empty(starts[-1], dtype=np.int64) if len(later) == 0 else later
    return Filled(parents[:n], starts, later)


def postorder(parents: Indices) -> Indices:
    """Place of each variable in an order in which all below a variable come right before it.

    Example:
        >>> postorder(np.array([2, 3, 3, -1])).tolist()
        [1, 0, 2, 3]
    """
    below: list[list[int]] = [[] for _ in parents]
    roots: list[int] = []
    for v, parent in enumerate(parents.tolist()):
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
        self._dims, self._first_columns = dims, ends[:-1]
        fill = filled(n, ties)
        first = _supernodes(fill.parents, np.diff(fill.starts))
        last = np.append(first, n)[1:] - 1
        # The variables of a front: its own, and those that the last of its own is tied to.
        below = np.diff(fill.starts)[last]
        own = last + 1 - first
        counts = own + below
        flat, at = np.empty(counts.sum(), dtype=np.int64), np.cumsum(counts) - counts
        flat[spans(at, own)] = np.arange(n)
        flat[spans(at + own, below)] = fill.later[spans(fill.starts[last], below)]
        front = np.repeat(np.arange(len(first)), counts)
        heights = np.bincount(front, weights=dims[flat], minlength=len(first)).astype(np.int64)
        widths = ends[last + 1] - ends[first]
        parents = fill.parents[last]
        of = np.repeat(np.arange(len(first)), own)
        self._parents = np.where(parents >= 0, of[np.maximum(parents, 0)], -1)
        self._children = np.bincount(of[parents[parents >= 0]], minlength=len(first))
        starts, places = (np.concatenate([[0], np.cumsum(each)]) for each in (heights, heights * widths))
        self._structure = np.append(ends[first], ends[-1]), starts, spans(ends[flat], dims[flat]), places
        self._where = np.zeros(int(ends[-1]) + len(first), dtype=np.int64)
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

    def inverse_blocks(self) -> list[Array]:
        """The blocks of ``H^-1`` on its diagonal, for each block of columns of the last factor."""
        firsts, starts, rows, places = self._structure
        heights = np.diff(starts)
        squares = np.concatenate([[0], np.cumsum(heights**2)])
        Z, Y = np.empty(int(squares[-1])), np.empty(max(1, int((heights * np.diff(firsts)).max(initial=0))))
        memory = self._where, Y
        _factorize.inverse.compiled(firsts, starts, rows, places, self._parents, self._L, squares, Z, *memory)
        blocks = list[Array]()
        for column, dim in zip(self._first_columns.tolist(), self._dims.tolist(), strict=True):
            s = int(np.searchsorted(firsts, column, side="right")) - 1
            at, n = column - int(firsts[s]), int(heights[s])
            blocks.append(Z[squares[s] : squares[s + 1]].reshape(n, n)[at : at + dim, at : at + dim])
        return blocks

    def _deepest(self, left: Indices) -> int:
        """Numbers that wait on the stack at most."""
        top, most = 0, 1
        waiting: list[int] = []
        for rest, children in zip(left.tolist(), self._children.tolist(), strict=True):
            for _ in range(children):
                top -= waiting.pop()
            size = rest**2 if children else 0  # leaves do not wait
            top += size
            most = max(most, top)
            if rest:
                waiting.append(size)
        return most + int(left.max(initial=0))  # and a row of a leaf


def _supernodes(parents: Indices, counts: Indices) -> Indices:
    """First variables of the runs that are eliminated in one front: their rows are the same, but for a few zeros."""
    starts, first, zeros, entries = [0], 0, 0, 0
    tree, later = parents.tolist(), counts.tolist()
    for v in range(len(tree) - 1):
        entries += 1 + later[v]
        if tree[v] == v + 1:  # which then has all the rows of this one, and perhaps more
            more = zeros + (v + 1 - first) * (1 + later[v + 1] - later[v])
            if more <= ZEROS * (entries + 1 + later[v + 1] + more):
                zeros = more
                continue
        starts.append(v + 1)
        first, zeros, entries = v + 1, 0, 0
    return np.array(starts[: len(tree)], dtype=np.int64)
