"""A binary heap of numbers in the order of their keys, compiled, in arrays that the caller holds."""

from __future__ import annotations

from ...models.trace import driver

WAITING = 0
"""Where the array `state` keeps how many numbers are in the heap."""


@driver
def push(heap, keys, state, node, key):
    """Put a number into the heap, the lowest key first."""
    i = state[WAITING]
    state[WAITING] = i + 1
    while i > 0 and keys[(i - 1) >> 1] > key:
        up = (i - 1) >> 1
        heap[i], keys[i] = heap[up], keys[up]
        i = up
    heap[i], keys[i] = node, key


@driver
def pop(heap, keys, state):
    """Take the number with the lowest key out of the heap, with its key."""
    first, least, count = heap[0], keys[0], state[WAITING] - 1
    state[WAITING] = count
    node, key, i = heap[count], keys[count], 0
    while 2 * i + 1 < count:
        down = 2 * i + 1
        if down + 1 < count and keys[down + 1] < keys[down]:
            down += 1
        if key <= keys[down]:
            break
        heap[i], keys[i] = heap[down], keys[down]
        i = down
    heap[i], keys[i] = node, key
    return first, least
