"""Poses counted in bins of a few decimetres and degrees, compiled: what KLD-sampling and clustering start from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core._values import freeze
from ...models.trace import driver

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

_OFFSET = 1 << 23
_GOLDEN = 0x1E3779B97F4A7C15
"""Fibonacci hashing (Knuth, volume 3, section 6.4): 2^61 over the golden ratio, odd."""


@dataclass(frozen=True)
class Bins:
    """The bins that hold particles.

    Attributes:
        labels: ``(N,)``, the bin of each particle.
        places: ``(B, 3)``, column, row and turn of each bin.
        turns: how many bins make a full turn.
    """

    labels: Labels
    places: Labels
    turns: int

    def masses(self, weights: Array) -> Array:
        """Weight in each bin ``(B,)``."""
        masses = np.zeros(len(self.places))
        _sum.compiled(self.labels, np.ascontiguousarray(weights), masses)
        return masses


def count_bins(poses: Any, side: float, angle: float, columns: Any = (0, 1, 2)) -> Bins:
    """The occupied bins of poses ``(N, 3)``: x [m], y [m], yaw [rad].

    Args:
        poses: x, y, yaw.
        side: length and width of a bin [m].
        angle: its extent in yaw [rad], rounded so that bins fill the full turn.
        columns: those of x, y and yaw, if `poses` holds more.

    Example:
        >>> found = count_bins([[0.1, 0.1, 1.5], [0.2, 0.1, -1.5], [0.3, 0.1, 1.5]], side=0.5, angle=0.2)
        >>> found.labels, len(found.places)
        (array([0, 1, 0]), 2)
    """
    poses, where = np.ascontiguousarray(poses, dtype=np.float64), np.asarray(columns, dtype=np.int64)
    turns = max(1, round(2.0 * math.pi / angle))
    size = 1 << max(4, (2 * len(poses)).bit_length())
    labels = np.empty(len(poses), np.int64)
    places = np.empty((len(poses), 3), np.int64)
    count = _count.compiled(poses, where, 1.0 / side, turns, np.full(size, -1, np.int64), labels, places)
    return Bins(freeze(labels), freeze(places[:count]), turns)


def connect_bins(bins: Bins, kept: NDArray[np.bool_]) -> Labels:
    """The connected group of each bin ``(B,)``, -1 for bins that are not `kept`; 26 neighbours, yaw wraps."""
    groups = np.full(len(bins.places), -1, np.int64)
    _connect.compiled(bins.places, kept, bins.turns, _table(bins), np.empty(len(groups), np.int64), groups)
    return groups


def cluster_bins(bins: Bins, masses: Array, shadow: float) -> Labels:
    """The cluster of each bin ``(B,)``.

    Bins with a share of at least `shadow` of the heaviest one are connected to their 26 neighbours; a fainter bin that
    touches one of them joins it; the other faint bins are connected among themselves.
    """
    heavy = masses >= shadow * masses.max()
    groups = connect_bins(bins, heavy)
    if not heavy.all():
        _join.compiled(bins.places, bins.turns, _table(bins), groups.copy(), groups)
        faint = connect_bins(bins, groups < 0)
        groups = np.where(groups < 0, faint + groups.max() + 1, groups)
    return groups


def _table(bins: Bins) -> Labels:
    """An empty hash table of bins, of a power of two."""
    return np.full(1 << max(4, (2 * len(bins.places)).bit_length()), -1, np.int64)


@driver
def _slot(column, row, turn, places, table):
    """The slot of the bin at this place in the table, or the free one for it (open addressing, size a power of 2)."""
    mask = table.shape[0] - 1
    key = (((column + _OFFSET) << 24) + row + _OFFSET) * 4099 + turn
    slot = ((key * _GOLDEN) >> 29) & mask
    while table[slot] >= 0:
        b = table[slot]
        if places[b, 0] == column and places[b, 1] == row and places[b, 2] == turn:
            break
        slot = (slot + 1) & mask
    return slot


@driver("void(Array(i8, 1, 'C', True), Array(f8, 1, 'C', True), f8[::1])")
def _sum(labels, weights, masses):
    """The weight of each bin, added to `masses`."""
    for i in range(labels.shape[0]):
        masses[labels[i]] += weights[i]


@driver("i8(Array(f8, 2, 'C', True), Array(i8, 1, 'C', True), f8, i8, i8[::1], i8[::1], i8[:,::1])")
def _count(poses, columns, scale, turns, table, labels, places):
    """Number each bin in the order in which it is met; `places` receives where they are. Returns how many there are."""
    count = label = 0
    last = (0, 0, -1)
    per_radian = turns / (2.0 * math.pi)
    limit = _OFFSET - 1.0
    x, y, yaw = columns[0], columns[1], columns[2]
    for i in range(poses.shape[0]):
        column = int(math.floor(min(max(poses[i, x] * scale, -limit), limit)))
        row = int(math.floor(min(max(poses[i, y] * scale, -limit), limit)))
        turn = int(math.floor(poses[i, yaw] * per_radian))
        if not 0 <= turn < turns:  # a division takes long
            turn %= turns
        if last != (column, row, turn):  # neighbours are often in one bin
            last = (column, row, turn)
            slot = _slot(column, row, turn, places, table)
            if table[slot] < 0:
                table[slot] = count
                places[count, 0] = column
                places[count, 1] = row
                places[count, 2] = turn
                count += 1
            label = table[slot]
        labels[i] = label
    return count


@driver("void(Array(i8, 2, 'C', True), b1[::1], i8, i8[::1], i8[::1], i8[::1])")
def _connect(places, kept, turns, table, stack, groups):
    """Flood from bin to bin through the 26 neighbours."""
    for b in range(places.shape[0]):
        table[_slot(places[b, 0], places[b, 1], places[b, 2], places, table)] = b
    group = 0
    for b in range(places.shape[0]):
        if not kept[b] or groups[b] >= 0:
            continue
        groups[b] = group
        stack[0] = b
        height = 1
        while height > 0:
            height -= 1
            c = stack[height]
            for dx in range(-1, 2):
                for dy in range(-1, 2):
                    for dt in range(-1, 2):
                        turn = (places[c, 2] + dt + turns) % turns
                        near = table[_slot(places[c, 0] + dx, places[c, 1] + dy, turn, places, table)]
                        if near >= 0 and kept[near] and groups[near] < 0:
                            groups[near] = group
                            stack[height] = near
                            height += 1
        group += 1


@driver("void(Array(i8, 2, 'C', True), i8, i8[::1], i8[::1], i8[::1])")
def _join(places, turns, table, heavy, groups):
    """Each bin without a group takes that of a heavy neighbour, if it has one."""
    for b in range(places.shape[0]):
        table[_slot(places[b, 0], places[b, 1], places[b, 2], places, table)] = b
    for b in range(places.shape[0]):
        if groups[b] >= 0:
            continue
        for dx in range(-1, 2):
            for dy in range(-1, 2):
                for dt in range(-1, 2):
                    turn = (places[b, 2] + dt + turns) % turns
                    near = table[_slot(places[b, 0] + dx, places[b, 1] + dy, turn, places, table)]
                    if near >= 0 and heavy[near] >= 0:
                        groups[b] = heavy[near]
