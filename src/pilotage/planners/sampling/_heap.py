"""A binary heap over flat arrays: keys, and with each of them two numbers of states and a cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...models.trace import driver

HEAP = "Tuple((f8[::1], i8[:,::1], f8[::1], i8[::1]))"
"""The type of a heap: keys, pairs of states, costs, and its length."""


def heap(capacity: int) -> tuple[Any, ...]:
    """An empty heap."""
    return np.empty(capacity), np.empty((capacity, 2), dtype=np.int64), np.empty(capacity), np.zeros(1, dtype=np.int64)


def larger(queue: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same heap with room for twice as many."""
    *columns, length = queue
    return *(np.concatenate((each, np.empty_like(each))) for each in columns), length


@driver
def place(queue, at, key, a, b, cost):
    """Write an entry."""
    keys, pairs, costs, _ = queue
    keys[at], pairs[at, 0], pairs[at, 1], costs[at] = key, a, b, cost


@driver
def push(queue, key, a, b, cost):
    """Add an entry; there must be room."""
    keys, pairs, costs, length = queue
    at = length[0]
    length[0] += 1
    while at > 0 and keys[(at - 1) // 2] > key:
        up = (at - 1) // 2
        place(queue, at, keys[up], pairs[up, 0], pairs[up, 1], costs[up])
        at = up
    place(queue, at, key, a, b, cost)


@driver
def pop(queue):
    """Take out the entry with the least key: its key, states and cost; there must be one."""
    keys, pairs, costs, length = queue
    first = keys[0], pairs[0, 0], pairs[0, 1], costs[0]
    length[0] -= 1
    n, at = length[0], 0
    key = keys[n]
    while 2 * at + 1 < n:
        low = 2 * at + 1
        if low + 1 < n and keys[low + 1] < keys[low]:
            low += 1
        if keys[low] >= key:
            break
        place(queue, at, keys[low], pairs[low, 0], pairs[low, 1], costs[low])
        at = low
    place(queue, at, key, pairs[n, 0], pairs[n, 1], costs[n])
    return first
