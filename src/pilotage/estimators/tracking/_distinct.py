"""Hypotheses that are the same, taken together in compiled code."""

from __future__ import annotations

import math

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from ._clusters import Whole


def distinct(leaves: Whole, logs: Array) -> tuple[Whole, Array]:
    """The different ones of these hypotheses, sorted by their leaves, and the log-weights of those that are the same.

    Args:
        leaves, logs: ``(H, T)`` and ``(H,)``; see `Cluster`.
    """
    leaves = np.ascontiguousarray(leaves)
    table, total = np.empty_like(leaves), np.empty(len(logs))
    count = unite.compiled(leaves, logs, np.empty(len(logs), np.int64), table, total)
    return table[:count], total[:count]


@driver("i8(i8[:,::1], f8[::1], i8[::1], i8[:,::1], f8[::1])")
def unite(leaves, logs, order, table, total):
    """`distinct`; `order` is room, and what is behind it the results, of which it tells how many."""
    count = 0
    for h in range(leaves.shape[0]):
        place = after(leaves, order, h)
        for k in range(h, place, -1):
            order[k] = order[k - 1]
        order[place] = h
    for k in range(leaves.shape[0]):
        h = order[k]
        if k > 0 and compared(leaves, order[k - 1], h) == 0:
            total[count - 1] = log_add(total[count - 1], logs[h])
            continue
        for i in range(leaves.shape[1]):
            table[count, i] = leaves[h, i]
        total[count] = logs[h]
        count += 1
    return count


@driver
def after(leaves, order, h):
    """The place of hypothesis h behind those of the first h in order that are not larger."""
    low, high = 0, h
    while low < high:
        middle = (low + high) // 2
        if compared(leaves, order[middle], h) <= 0:
            low = middle + 1
        else:
            high = middle
    return low


@driver
def compared(leaves, a, b):
    """Whether the leaves of hypothesis a come before those of b: -1, 0 for the same, or 1."""
    for i in range(leaves.shape[1]):
        if leaves[a, i] != leaves[b, i]:
            return -1 if leaves[a, i] < leaves[b, i] else 1
    return 0


@driver
def log_add(a, b):
    """``log(exp a + exp b)``."""
    if a == b:
        return a + math.log(2.0)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))
