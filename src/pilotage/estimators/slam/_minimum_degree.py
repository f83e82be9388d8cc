"""Approximate minimum degree: an order of elimination, and the cliques that it makes.

The graph is given by its elements, which are sets of variables that are tied to each other: a factor, or what an
earlier elimination left. To eliminate a variable joins all of its elements to one, and absorbs them. Variables that are
tied to nothing else are eliminated with it: together they are the frontal variables of a clique, and the rest is its
separator.

Source: Amestoy, Davis and Duff, "An approximate minimum degree ordering algorithm" (1996), sections 2 to 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.models.trace import driver

Indices = NDArray[np.int64]

FIRST, LENGTH, WEIGHT, OWNER, LEFT, STAMP = range(6)
"""Columns of the table of elements: where its variables begin, how many they are, and their columns; the clique that
absorbs it, or -1; its columns outside of the last clique, and the clique for which they were counted."""
NONE, COVERED = -1, -2
"""In place of the owner of an element that is not absorbed; and of one that has no variables outside of a clique."""
HELD, COUNT, DEGREE, NEXT, BEFORE, MARK, GROUP, COLUMNS = range(8)
"""Columns of the table of variables: where its elements begin and how many they are; its degree in columns; neighbours
in the list of that degree; the last clique that it was in; when it is eliminated, from 0 to 2, or -1 once it is; its
own columns."""


def ordered(elements: Indices, pool: Indices, groups: Indices, columns: Indices) -> tuple[Indices, Indices]:
    """The cliques of an order of small fill ``(K, 3)``, as in `order`, and their variables.

    Args:
        elements: table ``(T + N, 6)``, of which the first T say where their variables are; the rest is filled in.
        pool: variables of the elements.
        groups: when each variable is eliminated ``(N,)``: 0 is first, in the order given; 2 is last.
        columns: of each variable ``(N,)``.

    Example:
        >>> elements = np.zeros((2 + 3, 6), dtype=np.int64)
        >>> elements[:2, :2] = [[0, 2], [2, 2]]  # a chain: 0 is tied to 1, and 1 to 2
        >>> cliques, pool = ordered(elements, np.array([0, 1, 1, 2]), np.ones(3, np.int64), np.ones(3, np.int64))
        >>> [pool[at : at + count].tolist() for at, _, count in cliques.tolist()]
        [[0, 1], [2, 1]]
    """
    N, used, made, room = len(groups), len(pool), -1, 16 * len(groups) + 64
    variables, cliques = np.empty((N, 8), dtype=np.int64), np.empty((N, 3), dtype=np.int64)
    variables[:, COLUMNS], held = columns, np.empty(used, dtype=np.int64)
    heads = np.empty(2 * int(columns.sum()) + 2, dtype=np.int64)
    while made < 0:
        pool, given = np.empty(used + room, dtype=np.int64), pool
        pool[:used] = given[:used]
        variables[:, GROUP] = groups
        made = order.compiled(elements, pool, used, len(elements) - N, variables, held, heads, cliques)
        room *= 2
    return cliques[:made], pool


@driver("i8(i8[:,::1], i8[::1], i8, i8, i8[:,::1], i8[::1], i8[::1], i8[:,::1])")
def order(elements: Any, pool: Any, used: Any, count: Any, variables: Any, held: Any, heads: Any, cliques: Any) -> int:
    """The cliques of an order of small fill; their number, or -1 where the pool is too short.

    Args:
        elements: table of elements ``(T + N, 6)``, with the first T filled in; clique k becomes element T + k.
        pool: variables of elements; `used` of it are.
        count: number of elements T.
        variables: table of variables ``(N, 8)``: GROUP and COLUMNS are filled in.
        held: elements of each variable, as many as there are in the pool.
        heads: first variable of each degree, and then the last ones ``(2 (columns + 1),)``.
        cliques: results, where the variables of each clique begin in the pool, how many of them are frontal, and how
            many there are ``(N, 3)``.
    """
    collect(elements, pool, count, variables, held)
    columns, made = 0, 0
    for v in range(len(variables)):
        columns += variables[v, COLUMNS]
    for v in range(len(variables)):
        if variables[v, GROUP] == 0:
            if used + len(variables) + 1 > len(pool):
                return -1
            used = join(v, made, False, elements, pool, used, count, variables, held, heads, cliques)
            columns -= variables[v, COLUMNS]
            made += 1
    for group in range(1, 3):
        heads[:] = -1
        for v in range(len(variables)):
            if variables[v, GROUP] == group:
                insert(v, variables, heads)
        least = 0
        while least < len(heads) // 2:
            v = heads[least]
            if v < 0:
                least += 1
                continue
            if used + len(variables) + 1 > len(pool):
                return -1
            take(v, variables, heads)
            used = join(v, made, True, elements, pool, used, count, variables, held, heads, cliques)
            at = cliques[made, 0]
            for t in range(at + cliques[made, 1], at + cliques[made, 2]):
                if variables[pool[t], GROUP] == group:
                    least = min(least, variables[pool[t], DEGREE])
            made += 1
    claim(elements, pool, count, made, variables, cliques)
    return made


@driver
def claim(elements: Any, pool: Any, count: Any, made: Any, variables: Any, cliques: Any) -> None:
    """Give covered elements to the clique of the first of their variables to be eliminated."""
    for k in range(made):
        for t in range(cliques[k, 0], cliques[k, 0] + cliques[k, 1]):
            variables[pool[t], MARK] = k
    for e in range(count + made):
        if elements[e, OWNER] == COVERED:
            first = made
            for t in range(elements[e, FIRST], elements[e, FIRST] + elements[e, LENGTH]):
                first = min(first, variables[pool[t], MARK])
            elements[e, OWNER] = first


@driver
def collect(elements: Any, pool: Any, count: Any, variables: Any, held: Any) -> None:
    """List the elements of each variable, and bound its degree by the sum of their columns."""
    for v in range(len(variables)):
        variables[v, COUNT] = variables[v, DEGREE] = 0
        variables[v, MARK] = -1
    for e in range(count):
        weight = 0
        for t in range(elements[e, FIRST], elements[e, FIRST] + elements[e, LENGTH]):
            variables[pool[t], COUNT] += 1
            weight += variables[pool[t], COLUMNS]
        elements[e, WEIGHT], elements[e, OWNER], elements[e, STAMP] = weight, NONE, -1
    at = 0
    for v in range(len(variables)):
        variables[v, HELD] = at
        at += variables[v, COUNT]
        variables[v, COUNT] = 0
    for e in range(count):
        for t in range(elements[e, FIRST], elements[e, FIRST] + elements[e, LENGTH]):
            v = pool[t]
            held[variables[v, HELD] + variables[v, COUNT]] = e
            variables[v, COUNT] += 1
            variables[v, DEGREE] += elements[e, WEIGHT] - variables[v, COLUMNS]


@driver
def insert(v: Any, variables: Any, heads: Any) -> None:
    """Put a variable at the end of the list of its degree, so that ties are broken all over the graph in turn."""
    last = len(heads) // 2
    degree = variables[v, DEGREE] = min(variables[v, DEGREE], last - 1)
    before = heads[last + degree]
    variables[v, NEXT], variables[v, BEFORE] = -1, before
    if before >= 0:
        variables[before, NEXT] = v
    else:
        heads[degree] = v
    heads[last + degree] = v


@driver
def take(v: Any, variables: Any, heads: Any) -> None:
    """Take a variable out of the list of its degree."""
    last, after, before = len(heads) // 2, variables[v, NEXT], variables[v, BEFORE]
    if before >= 0:
        variables[before, NEXT] = after
    else:
        heads[variables[v, DEGREE]] = after
    if after >= 0:
        variables[after, BEFORE] = before
    else:
        heads[last + variables[v, DEGREE]] = before


@driver
def join(
    v: Any, k: Any, more: Any, elements: Any, pool: Any, used: Any, count: Any, variables: Any, held: Any, heads: Any,
    cliques: Any,
) -> int:  # fmt: skip
    """Eliminate a variable, and with it those that are tied to nothing else: clique k; what is used of the pool."""
    group, end = variables[v, GROUP], used + 1
    pool[used] = v
    variables[v, MARK], variables[v, GROUP] = k, -1
    for a in range(variables[v, HELD], variables[v, HELD] + variables[v, COUNT]):
        e = held[a]
        if elements[e, OWNER] != NONE:
            continue
        elements[e, OWNER] = k
        for t in range(elements[e, FIRST], elements[e, FIRST] + elements[e, LENGTH]):
            u = pool[t]
            if variables[u, MARK] != k:
                variables[u, MARK] = k
                pool[end] = u
                end += 1
    measure(elements, pool, used + 1, end, k, variables, held)
    front = used + 1
    for t in range(used + 1, end):
        u = pool[t]
        if more and variables[u, GROUP] == group and outside(u, elements, variables, held) == 0:
            pool[t], pool[front] = pool[front], u
            front += 1
            take(u, variables, heads)
            variables[u, GROUP] = -1
    cliques[k, 0], cliques[k, 1], cliques[k, 2] = used, front - used, end - used
    weight, own = 0, count + k
    for t in range(front, end):
        weight += variables[pool[t], COLUMNS]
    elements[own, FIRST], elements[own, LENGTH], elements[own, WEIGHT] = front, end - front, weight
    elements[own, OWNER], elements[own, STAMP] = NONE, -1
    for t in range(front, end):
        u = pool[t]
        listed = variables[u, GROUP] == group and more
        if listed:
            take(u, variables, heads)
        renew(u, own, weight, elements, variables, held)
        if listed:
            insert(u, variables, heads)
    return end


@driver
def measure(elements: Any, pool: Any, first: Any, end: Any, k: Any, variables: Any, held: Any) -> None:
    """Count the columns that each element has outside of clique k; where there are none, it says nothing more."""
    for t in range(first, end):
        u = pool[t]
        for a in range(variables[u, HELD], variables[u, HELD] + variables[u, COUNT]):
            e = held[a]
            if elements[e, OWNER] == NONE:
                if elements[e, STAMP] != k:
                    elements[e, STAMP], elements[e, LEFT] = k, elements[e, WEIGHT]
                elements[e, LEFT] -= variables[u, COLUMNS]
                if elements[e, LEFT] == 0:
                    elements[e, OWNER] = COVERED


@driver
def outside(u: Any, elements: Any, variables: Any, held: Any) -> int:
    """Columns that a variable of the last clique is tied to outside of it, counted once for each element."""
    total = 0
    for a in range(variables[u, HELD], variables[u, HELD] + variables[u, COUNT]):
        if elements[held[a], OWNER] == NONE:
            total += elements[held[a], LEFT]
    return total


@driver
def renew(u: Any, own: Any, weight: Any, elements: Any, variables: Any, held: Any) -> None:
    """Replace the absorbed elements of a variable by the new one, and bound its degree."""
    at, kept, degree = variables[u, HELD], 0, weight - variables[u, COLUMNS]
    for a in range(at, at + variables[u, COUNT]):
        e = held[a]
        if elements[e, OWNER] == NONE:
            held[at + kept] = e
            kept += 1
            degree += elements[e, LEFT]
    held[at + kept] = own
    variables[u, COUNT] = kept + 1
    variables[u, DEGREE] = min(degree, variables[u, DEGREE] + weight - variables[u, COLUMNS])
