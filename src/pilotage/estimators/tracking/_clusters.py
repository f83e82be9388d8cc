"""Clusters of tracks that share detections: what is in different clusters is associated apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...models.trace import driver

Whole = NDArray[np.int64]


def clusters(rows: Whole, columns: Whole, tracks: int, detections: int) -> tuple[Whole, Whole]:
    """The tracks in order of their clusters, and where the tracks of each cluster begin; tracks without pairs too."""
    order, starts = np.empty(tracks, np.int64), np.empty(tracks + 1, np.int64)
    rows, columns = np.ascontiguousarray(rows), np.ascontiguousarray(columns)
    count = cluster_tracks.compiled(rows, columns, np.empty(tracks + detections, np.int64), order, starts)
    return order, starts[: count + 1]


@driver("i8(i8[::1], i8[::1], i8[::1], i8[::1], i8[::1])")
def cluster_tracks(rows, columns, parent, order, starts):
    """`clusters`, by union and find with halved paths; how many there are.

    Args:
        rows, columns: track and detection of each pair.
        parent: room for one number for each track and each detection.
        order, starts: the results.
    """
    tracks = order.shape[0]
    for i in range(parent.shape[0]):
        parent[i] = i
    for p in range(rows.shape[0]):
        a, b = root(parent, rows[p]), root(parent, tracks + columns[p])
        if a != b:
            parent[max(a, b)] = min(a, b)  # so that the root of a cluster is its first track
    for i in range(tracks):
        parent[i] = root(parent, i)
    count = 0
    for i in range(tracks):
        if parent[i] == i:
            parent[i], starts[count] = -1 - count, 0
            count += 1
        else:
            parent[i] = parent[parent[i]]  # the root is an earlier track, which knows its cluster
        starts[-1 - parent[i]] += 1
    total = 0
    for c in range(count):
        total, starts[c] = total + starts[c], total
    for i in range(tracks):
        c = -1 - parent[i]
        order[starts[c]] = i
        starts[c] += 1
    for c in range(count, 0, -1):
        starts[c] = starts[c - 1]
    starts[0] = 0
    return count


@driver
def root(parent, i):
    """The root of i, whose path becomes half as long."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
