"""Maximum-weight matching of a sparse bipartite graph, compiled."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.trace import driver

Integers = NDArray[np.int64]


def match(starts: Integers, columns: Integers, weights: Array, width: int) -> Integers:
    """The edges ``(R,)`` of the matching of largest total weight, one a row; -1 for rows that stay alone.

    A row and a column have one edge at most, and edges of negative weight are not taken. Rows are added one after
    another along shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987; Crouse, IEEE Transactions on
    Aerospace and Electronic Systems 52, 2016), each of which stays within its connected component. Hence rows of many
    instants are matched by one call, at the cost of the components.

    Args:
        starts: ``(R + 1,)``; the edges of row i are ``starts[i]:starts[i + 1]``.
        columns: column of each edge ``(E,)``.
        weights: weight of each edge ``(E,)``.
        width: number of columns.

    Example:
        >>> match(np.array([0, 2, 3]), np.array([0, 1, 0]), np.array([3.0, 2.0, 2.0]), 2)
        array([1, 2])
    """
    edges = np.empty(len(starts) - 1, dtype=np.int64)
    match_rows.compiled(starts, np.ascontiguousarray(columns), weights, edges, width, *scratch(len(edges), width))
    return edges


def scratch(rows: int, width: int) -> tuple[Array, Integers]:
    """Memory of a matching, for `begin`."""
    return np.empty(rows + 2 * width), np.empty(rows + 5 * width, dtype=np.int64)


@driver
def begin(edges, width, reals, wholes):
    """The memory of a matching in which nothing is matched yet: the last five arguments of `augment`."""
    rows = edges.shape[0]
    u, numbers = reals[:rows], reals[rows:].reshape((2, width))
    visited, owner = wholes[:rows], wholes[rows : rows + width]
    places = wholes[rows + width :].reshape((4, width))
    for i in range(rows):
        edges[i] = -1
        u[i] = 0.0
    for j in range(width):
        owner[j] = -1
        numbers[0, j] = 0.0
        numbers[1, j] = math.inf
        places[3, j] = 0
    return owner, u, numbers, visited, places


@driver
def augment(row, starts, columns, weights, edges, owner, u, numbers, visited, places):
    """Match one more row, so that the total weight is the largest for the rows so far.

    Args:
        row: the row.
        starts, columns, weights: the graph.
        edges: the edge of each row, or -1.
        owner: the row of each column, or -1.
        u: dual variable of each row.
        numbers: dual variable of each column, and length of the shortest path to it, infinite between calls.
        visited: rows on the paths.
        places: edge by which the path reaches a column, and its row; the columns reached; whether a column is settled.
    """
    v, shortest = numbers[0], numbers[1]
    path, origin, reached, settled = places[0], places[1], places[2], places[3]
    reaches = 0
    rows = 0
    i = row
    length = 0.0
    alone = math.inf
    loner = row
    sink = -1
    while True:
        visited[rows] = i
        rows += 1
        if length - u[i] < alone:  # the path may end here: row i gives up its column
            alone = length - u[i]
            loner = i
        for e in range(starts[i], starts[i + 1]):
            j = columns[e]
            through = length - weights[e] - u[i] - v[j]
            if settled[j] == 0 and through < shortest[j]:
                if shortest[j] == math.inf:
                    reached[reaches] = j
                    reaches += 1
                shortest[j] = through
                path[j] = e
                origin[j] = i
        nearest = math.inf
        best = -1
        for k in range(reaches):
            j = reached[k]
            # Of columns equally near, one that is free ends the search.
            if settled[j] == 0 and (shortest[j] < nearest or (shortest[j] == nearest and owner[j] < 0)):
                nearest = shortest[j]
                best = j
        if alone <= nearest:
            length = alone
            break
        length = nearest
        settled[best] = 1
        if owner[best] < 0:
            sink = best
            break
        i = owner[best]
    u[row] += length
    for k in range(1, rows):
        i = visited[k]
        u[i] += length - shortest[columns[edges[i]]]
    for k in range(reaches):
        j = reached[k]
        if settled[j] == 1:
            v[j] -= length - shortest[j]
    j = sink
    if sink < 0:
        j = -1 if edges[loner] < 0 else columns[edges[loner]]
        edges[loner] = -1
    while j >= 0:
        i = origin[j]
        before = -1 if edges[i] < 0 else columns[edges[i]]
        edges[i] = path[j]
        owner[j] = i
        j = before
    for k in range(reaches):
        shortest[reached[k]] = math.inf
        settled[reached[k]] = 0


@driver("void(i8[::1], i8[::1], f8[::1], i8[::1], i8, f8[::1], i8[::1])")
def match_rows(starts, columns, weights, edges, width, reals, wholes):
    """Match all rows, one after another; see `augment`."""
    owner, u, numbers, visited, places = begin(edges, width, reals, wholes)
    for row in range(edges.shape[0]):
        augment(row, starts, columns, weights, edges, owner, u, numbers, visited, places)
