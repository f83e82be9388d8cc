"""The storage of an octree, compiled: blocks of 8 x 8 x 8 voxels in a hash table, so that memory follows what was seen.

Voxels have three keys of 16 bits, one an axis. The Morton code of a voxel interleaves them, x lowest, so that the
voxels of each octree node are one range of codes, and the code of a node at level L (side ``2^L`` voxels) is
``code >> 3 L``. An entry of the table is a block (level 3) or a larger node whose voxels are all equal:

    table: key -> entry,   key = level << 48 | code >> 3 level
    entry: its value, if all its voxels are equal, or the number of a page that holds 512 values in Morton order

An unknown voxel is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.trace import driver

Codes = NDArray[np.int64]
Values = NDArray[np.float32]

DEPTH = 16
"""Levels below the root, as in OctoMap: a tree spans 2^16 voxels an axis, half of them on either side of the origin."""
CENTRE = 1 << (DEPTH - 1)
BLOCK = 3
VOXELS = 8**BLOCK
TAG = 48
X_BITS = 0x249249249249
Y_BITS, Z_BITS = X_BITS << 1, X_BITS << 2
# Pages of entries that have none.
UNIFORM, SPLIT = -1, -2
# The array `counts`: entries, pages ever used, pages that are free again, entries in a scan, larger nodes by level.
ENTRIES, PAGES, SPARE, TOUCHED, NODES = 0, 1, 2, 3, 4
RESERVE = 8 * DEPTH
"""Entries that one voxel may add at most: all siblings on the way down from a larger node."""
EMPTY = -1
GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio (D. Knuth, The art of computer programming 3, section 6.4)."""


@driver
def spread(k):
    """A key with two zeros between its bits."""
    k = (k | (k << 16)) & 0xFF0000FF
    k = (k | (k << 8)) & 0xF00F00F00F
    k = (k | (k << 4)) & 0xC30C30C30C3
    return (k | (k << 2)) & X_BITS


@driver
def place(table, key):
    """The first row of a table at which to look for a key. Only unsigned numbers may overflow."""
    return np.int64((np.uint64(key) * np.uint64(GOLDEN)) >> np.uint64(32)) & (table.shape[0] - 1)


@driver
def look(table, key):
    """The entry of a key, or -1."""
    mask = table.shape[0] - 1
    at = place(table, key)
    while table[at, 0] != key:
        if table[at, 0] == EMPTY:
            return -1
        at = (at + 1) & mask
    return table[at, 1]


@driver
def note(table, key, entry):
    """Write an entry into the table."""
    mask = table.shape[0] - 1
    at = place(table, key)
    while table[at, 0] != EMPTY:
        at = (at + 1) & mask
    table[at, 0], table[at, 1] = key, entry


@driver
def key_of(level, code):
    """The key of the node at a level around a voxel."""
    return (level << TAG) | (code >> (3 * level))


@driver
def find(store, code):
    """The entry that holds a voxel, or -1."""
    table, _, _, pages, _, _, counts = store
    entry = look(table, key_of(BLOCK, code))
    if entry >= 0:
        return entry
    for level in range(BLOCK + 1, DEPTH + 1):
        if counts[NODES + level] > 0:
            entry = look(table, key_of(level, code))
            if entry >= 0 and pages[entry] != SPLIT:
                return entry
    return -1


@driver
def value_at(store, code):
    """The log-odds of a voxel, NaN if unknown."""
    _, _, values, pages, voxels, _, _ = store
    entry = find(store, code)
    if entry < 0:
        return np.float32(np.nan)
    return values[entry] if pages[entry] < 0 else voxels[pages[entry], code & (VOXELS - 1)]


@driver
def add(store, level, code, value):
    """A new entry for the node at a level around a voxel."""
    table, keys, values, pages, _, _, counts = store
    entry = counts[ENTRIES]
    counts[ENTRIES] = entry + 1
    keys[entry], values[entry], pages[entry] = key_of(level, code), value, UNIFORM
    note(table, keys[entry], entry)
    if level > BLOCK:
        counts[NODES + level] += 1
    return entry


@driver
def block_of(store, code):
    """The block around a voxel, made if need be, of a larger node perhaps; -1 if there is no room for entries."""
    table, keys, values, pages, _, _, counts = store
    entry = look(table, key_of(BLOCK, code))
    if entry >= 0:
        return entry
    if counts[ENTRIES] + RESERVE > keys.shape[0]:
        return -1
    entry = find(store, code)
    if entry < 0:
        return add(store, BLOCK, code, np.float32(np.nan))
    for level in range(keys[entry] >> TAG, BLOCK, -1):
        pages[entry] = SPLIT
        counts[NODES + level] -= 1
        first = (code >> (3 * level)) << (3 * level)
        for child in range(8):
            add(store, level - 1, first | (child << (3 * (level - 1))), values[entry])
        entry = look(table, key_of(level - 1, code))
    return entry


@driver
def page_of(store, entry):
    """The page of a block, made if need be; -1 if there is no room for pages."""
    _, _, values, pages, voxels, spare, counts = store
    page = pages[entry]
    if page >= 0:
        return page
    if counts[SPARE] > 0:
        counts[SPARE] -= 1
        page = spare[counts[SPARE]]
    elif counts[PAGES] < voxels.shape[0]:
        page = counts[PAGES]
        counts[PAGES] += 1
    else:
        return -1
    pages[entry] = page
    voxels[page, :] = values[entry]
    return page


@driver
def same(a, b):
    """Whether two values are equal, or both unknown."""
    return a == b or (math.isnan(a) and math.isnan(b))


@driver
def collapse(store, entry):
    """Free the page of a block if all its voxels are equal."""
    _, _, values, pages, voxels, spare, counts = store
    page = pages[entry]
    first = voxels[page, 0]
    for v in range(1, VOXELS):
        if not same(voxels[page, v], first):
            return
    values[entry], pages[entry] = first, UNIFORM
    spare[counts[SPARE]] = page
    counts[SPARE] += 1


STORE = "i8[:,::1], i8[::1], f4[::1], i4[::1], f4[:,::1], i4[::1], i8[::1]"
"""The types of the arrays of a store."""


@driver(f"void({STORE}, i8[::1], f4[::1])")
def read_values(table, keys, values, pages, voxels, spare, counts, codes, out):
    """The log-odds of voxels by their codes; -1 is none."""
    store = (table, keys, values, pages, voxels, spare, counts)
    for n in range(codes.shape[0]):
        out[n] = value_at(store, codes[n]) if codes[n] >= 0 else np.float32(np.nan)


@driver(f"i8({STORE}, i8[::1], i1[::1], f4[::1])")
def write_nodes(table, keys, values, pages, voxels, spare, counts, codes, levels, given):
    """Write disjoint nodes into an empty store; returns how many are done, fewer than all if there is no room."""
    store = (table, keys, values, pages, voxels, spare, counts)
    for n in range(codes.shape[0]):
        code, level = codes[n], np.int64(levels[n])
        if level >= BLOCK:
            if counts[ENTRIES] == keys.shape[0]:
                return n
            add(store, level, code, given[n])
            continue
        entry = block_of(store, code)
        if entry < 0:
            return n
        page = page_of(store, entry)
        if page < 0:
            return n
        first = code & (VOXELS - 1)
        voxels[page, first : first + (1 << (3 * level))] = given[n]
    return codes.shape[0]


@driver("void(i8[:,::1], i8[::1], i8)")
def rebuild(table, keys, count):
    """Write all keys into an empty table."""
    for entry in range(count):
        note(table, keys[entry], entry)


@driver("void(i8[:,::1], i8[::1])")
def morton(keys, codes):
    """Morton codes of voxels by their keys ``(N, 3)``; -1 where a key lies outside."""
    for n in range(keys.shape[0]):
        x, y, z = keys[n, 0], keys[n, 1], keys[n, 2]
        inside = min(x, y, z) >= 0 and max(x, y, z) < 2 * CENTRE
        codes[n] = spread(x) | (spread(y) << 1) | (spread(z) << 2) if inside else -1


class Blocks:
    """The arrays of the storage; they double when they are full."""

    def __init__(self, entries: int = 4 * RESERVE, pages: int = 64) -> None:
        self.keys = np.empty(entries, dtype=np.int64)
        self.values = np.empty(entries, dtype=np.float32)
        self.pages = np.empty(entries, dtype=np.int32)
        self.voxels = np.empty((pages, VOXELS), dtype=np.float32)
        self.spare = np.empty(pages, dtype=np.int32)
        self.counts = np.zeros(NODES + DEPTH + 1, dtype=np.int64)
        self.table = self._table()

    def _table(self) -> Codes:
        table = np.full((1 << (2 * len(self.keys) - 1).bit_length(), 2), EMPTY, dtype=np.int64)
        rebuild(table, self.keys, int(self.counts[ENTRIES]))
        return table

    @classmethod
    def of(cls, codes: Codes, levels: NDArray[np.int8], values: Values) -> Blocks:
        """A storage of disjoint nodes, with no more room than they need."""
        small = np.unique(codes[levels < BLOCK] >> (3 * BLOCK))
        blocks = cls(len(small) + int((levels >= BLOCK).sum()) + RESERVE, max(len(small), 1))
        done = write_nodes(*blocks.arrays, codes, levels, values)
        assert done == len(codes), "room was counted"
        return blocks

    @property
    def arrays(self) -> tuple[Any, ...]:
        """Arguments of drivers, in their order."""
        return self.table, self.keys, self.values, self.pages, self.voxels, self.spare, self.counts

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return sum(each.nbytes for each in self.arrays)

    def grow(self) -> None:
        """Make room for twice as much of what is full: entries, pages, or both."""
        if self.counts[ENTRIES] + RESERVE > len(self.keys):
            for name in ("keys", "values", "pages"):
                setattr(self, name, doubled(getattr(self, name)))
            self.table = self._table()
        if self.counts[PAGES] == len(self.voxels):
            self.voxels, self.spare = doubled(self.voxels), doubled(self.spare)

    def read(self, codes: Codes) -> Values:
        """The log-odds of voxels ``(N,)``, NaN if unknown."""
        out = np.empty(len(codes), dtype=np.float32)
        read_values(*self.arrays, codes, out)
        return out


def doubled(array: NDArray[Any]) -> NDArray[Any]:
    """A copy with room for as much again."""
    return np.concatenate((array, np.empty_like(array)))
