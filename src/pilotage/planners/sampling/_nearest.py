"""The nearest state of a tree, compiled: a hash grid over one or two components of the space.

The grid has square cells in the metric. States of a cell are chained. The search walks rings of cells around that of
the query, until no state outside them can be nearer; with no component to hash by there is one cell, and all are read.
"""

from __future__ import annotations

from ...models.trace import driver
from ._space import cost_of_way

# In the array `hashing`, for each of two components: its index (-1: none), its lower bound, cells per unit, cells, and
# the side of a cell in the metric.
COMPONENT, LOW, SCALE, CELLS, SIDE = 0, 1, 2, 3, 4


@driver
def cell_of(hashing, k, x):
    """The cell of a state along the k-th hashed component, and how far into it the state is, in cells."""
    if hashing[k, COMPONENT] < 0.0:
        return 0, 0.5
    u = (x[int(hashing[k, COMPONENT])] - hashing[k, LOW]) * hashing[k, SCALE]
    i = min(max(int(u), 0), int(hashing[k, CELLS]) - 1)
    return i, u - i


@driver
def insert(hashing, heads, chain, node, x):
    """Chain a state into its cell."""
    i, _ = cell_of(hashing, 0, x)
    j, _ = cell_of(hashing, 1, x)
    cell = j * int(hashing[0, CELLS]) + i
    chain[node] = heads[cell]
    heads[cell] = node


@driver
def neighbours(world, backward, hashing, nodes, heads, chain, x, most, radius, found, costs):
    """The states with the cheapest ways to x, or from x: at most `most`, none of them as far as `radius`; their number.

    They are written to `found`, and the costs of the ways to `costs`, cheapest first.
    """
    cell_size = hashing[0, SIDE]
    columns, rows = int(hashing[0, CELLS]), int(hashing[1, CELLS])
    i, u = cell_of(hashing, 0, x)
    j, v = cell_of(hashing, 1, x)
    border = min(min(u, 1.0 - u), min(v, 1.0 - v))
    count, worst = 0, radius
    for ring in range(max(columns, rows)):
        for row in range(max(j - ring, 0), min(j + ring, rows - 1) + 1):
            whole = abs(row - j) == ring
            column = i - ring
            while column <= i + ring:
                if 0 <= column < columns:
                    node = heads[row * columns + column]
                    while node >= 0:
                        cost = cost_of_way(world, backward, nodes[node], x, worst)
                        if cost < worst:
                            k = min(count, most - 1)
                            while k > 0 and costs[k - 1] > cost:
                                costs[k], found[k] = costs[k - 1], found[k - 1]
                                k -= 1
                            costs[k], found[k] = cost, node
                            count = min(count + 1, most)
                            if count == most:
                                worst = costs[count - 1]
                        node = chain[node]
                column += 1 if whole or ring == 0 else 2 * ring
        if worst <= (ring + border) * cell_size:
            break
    return count


@driver("void(f8[:,::1], f8[:,::1], f8[::1], i8[::1], i8[::1], i8)")
def rehash(hashing, nodes, rooms, heads, chain, count):
    """Chain states into the cells of a new grid, but those whose slack is negative."""
    heads[:] = -1
    for node in range(count):
        if not rooms[node] >= 0.0:
            continue
        insert(hashing, heads, chain, node, nodes[node])


@driver
def remove(hashing, heads, chain, node, x):
    """Take a state out of its cell."""
    i, _ = cell_of(hashing, 0, x)
    j, _ = cell_of(hashing, 1, x)
    cell = j * int(hashing[0, CELLS]) + i
    if heads[cell] == node:
        heads[cell] = chain[node]
        return
    other = heads[cell]
    while chain[other] != node:
        other = chain[other]
    chain[other] = chain[node]
