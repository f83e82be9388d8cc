"""The pattern of a sparse symmetric matrix: places of its blocks, and the order of elimination."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from ._cholesky import filled, postorder, spans
from ._minimum_degree import ordered

Indices = NDArray[np.int64]
SMALL = 2000
"""Variables up to which the time to find an order matters as much as its fill."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """The pattern of ``sum J' W J`` as a matrix of compressed columns, whose rows and columns come in blocks.

    Attributes:
        columns: first column of each variable; -1 where it is held fixed.
        size: number of columns.
        indptr, indices: of the matrix.
        diagonal: where the entries of its diagonal are kept.
        dims, ties: tangent dimensions of the free variables and the pairs that are tied, in the order of elimination.
    """

    columns: Indices
    size: int
    indptr: Indices
    indices: Indices
    diagonal: Indices
    dims: Indices
    ties: Indices
    _keys: Indices
    _first: Indices
    _stride: Indices
    _rank: Indices

    def slots(self, variables: Indices) -> Indices:
        """The places that `_drivers.linearize` needs of factors of n variables ``(K, n)``, as ``(K, n + n + n * n)``.

        Columns of each variable; entries from one column of its blocks to the next; and the first entries of the blocks
        (0, 0), (1, 0) to (n - 1, n - 1), column by column. -1 where there is no block.
        """
        if not len(self._keys):
            return np.full((len(variables), variables.shape[1] * (variables.shape[1] + 2)), -1, dtype=np.int64)
        blocks = [self._entry(row, column) for column in variables.T for row in variables.T]
        columns, strides = self.columns[variables], self._stride[self._rank[variables]]
        return np.ascontiguousarray(np.hstack([columns, strides, np.stack(blocks, axis=1)]))

    def _entry(self, row: Indices, column: Indices) -> Indices:
        r, c = self._rank[row], self._rank[column]
        there = (r >= 0) & (c >= 0)
        found = np.searchsorted(self._keys, np.where(there, c * len(self._stride) + r, 0))
        return np.where(there, self._first[found], -1)


def pattern_of(dims: Indices, fixed: NDArray[np.bool_], pairs: Indices) -> Pattern:
    """The pattern of a graph.

    Args:
        dims: tangent dimension of each variable ``(V,)``.
        fixed: which of them are held fixed ``(V,)``; they have no columns.
        pairs: pairs of variables that a factor ties together ``(K, 2)``.
    """
    free = np.flatnonzero(~fixed)
    rank = np.full(len(dims), -1, dtype=np.int64)
    rank[free] = np.arange(len(free))
    ties = rank[pairs]
    ties = ties[(ties >= 0).all(axis=1)]
    order = _elimination(len(free), ties)
    rank[free] = order
    ties = order[ties]
    d = np.empty(len(free), dtype=np.int64)
    d[order] = dims[free]

    n, each = len(free), np.arange(len(free))
    keys = np.unique(np.concatenate([each * (n + 1), ties[:, 1] * n + ties[:, 0], ties[:, 0] * n + ties[:, 1]]))
    column, row = keys // n, keys % n
    stride = np.bincount(column, weights=d[row], minlength=n).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(stride * d)])
    above = np.cumsum(d[row]) - d[row]
    first = start[column] + above - above[np.searchsorted(column, each)][column]
    starts = np.cumsum(d) - d
    indices = np.empty(start[-1], dtype=np.int64)
    for a, b in product(np.unique(d).tolist(), repeat=2):
        chosen = np.flatnonzero((d[row] == a) & (d[column] == b))
        where = first[chosen][:, None, None] + np.arange(b)[None, :, None] * stride[column[chosen]][:, None, None]
        indices[where + np.arange(a)] = starts[row[chosen]][:, None, None] + np.arange(a)
    indptr = np.concatenate([[0], np.cumsum(np.repeat(stride, d))])
    own = first[np.searchsorted(keys, each * (n + 1))]
    within = spans(np.zeros(n, dtype=np.int64), d)
    columns = np.full(len(dims), -1, dtype=np.int64)
    columns[free] = starts[order]
    diagonal = np.repeat(own, d) + within * (np.repeat(stride, d) + 1)
    return Pattern(columns, int(d.sum()), indptr, indices, diagonal, d, ties, keys, first, stride, rank)


def _elimination(n: int, ties: Indices) -> Indices:
    """Place of each variable in an order of small fill: minimum degree on the graph, and a postorder of its tree."""
    if len(ties) == 0:
        return np.arange(n)
    order = _approximate(n, ties) if n <= SMALL else _multiple(n, ties)
    return postorder(filled(n, order[ties]).parents)[order]


def _approximate(n: int, ties: Indices) -> Indices:
    """Approximate minimum degree: the quicker order to find."""
    elements, ones = np.empty((len(ties) + n, 6), dtype=np.int64), np.ones(n, dtype=np.int64)
    elements[: len(ties), 0], elements[: len(ties), 1] = 2 * np.arange(len(ties)), 2
    cliques, pool = ordered(elements, ties.ravel(), ones, ones)
    place = np.empty(n, dtype=np.int64)
    place[pool[spans(cliques[:, 0], cliques[:, 1])]] = np.arange(n)
    return place


def _multiple(n: int, ties: Indices) -> Indices:
    """Multiple minimum degree: less fill on large grids."""
    ones: Any = np.ones(len(ties))
    graph = sparse.coo_matrix((ones, (ties[:, 0], ties[:, 1])), shape=(n, n)).tocsc()
    graph = graph + graph.T
    graph.data[:] = 1.0
    graph = (graph + sparse.identity(n, format="csc") * (2.0 * n)).tocsc()
    return np.asarray(factored(graph).perm_c, dtype=np.int64)


def factored(matrix: Any) -> Any:
    """Factors of a symmetric matrix in an order of minimum degree, with pivots on its diagonal."""
    return linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
