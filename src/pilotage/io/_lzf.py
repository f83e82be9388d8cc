"""The compression of LZF, as in binary_compressed files of PCL, compiled.

Format: M. Lehmann, LibLZF, http://oldhome.schmorp.de/marc/liblzf.html. A byte below 32 is followed by one literal more
than its value; a larger one begins a copy of ``length + 2`` bytes from ``offset + 1`` bytes before:

    000LLLLL literals ...        LLLooooo oooooooo        111ooooo LLLLLLLL oooooooo
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pilotage.models.trace import driver

Bytes = NDArray[np.uint8]
LITERALS, LONGEST, FARTHEST = 32, 264, 8192
SLOTS = 1 << 14


def decompressed(data: bytes, size: int) -> Bytes | None:
    """The bytes of which `data` is the compressed form; None if it is damaged or does not hold `size` bytes.

    Example:
        >>> decompressed(bytes([1, 65, 66, 64, 1]), 6).tobytes()
        b'ABABAB'
    """
    if size > LONGEST * len(data):  # no compressed form is that short
        return None
    out = np.empty(size, dtype=np.uint8)
    return out if decompress(np.frombuffer(data, np.uint8).copy(), out) else None


def compressed(data: Bytes) -> Bytes:
    """The compressed form of bytes.

    Example:
        >>> decompressed(compressed(np.full(1000, 7, dtype=np.uint8)).tobytes(), 1000).sum()
        np.uint64(7000)
    """
    out = np.empty(len(data) + len(data) // LITERALS + 2, dtype=np.uint8)
    return out[: compress(data, out, np.full(SLOTS, -1, dtype=np.int64))]


@driver("b1(u1[::1], u1[::1])")
def decompress(data, out):
    """Write the original bytes of `data` to `out`; False if they are not exactly that many."""
    i, o = 0, 0
    while i < data.shape[0]:
        control = np.int64(data[i])
        i += 1
        if control < LITERALS:
            length, source = control + 1, i
            if source + length > data.shape[0] or o + length > out.shape[0]:
                return False
            for n in range(length):
                out[o + n] = data[source + n]
            i += length
        else:
            length = control >> 5
            if i + (2 if length == 7 else 1) > data.shape[0]:
                return False
            if length == 7:
                length += np.int64(data[i])
                i += 1
            length += 2
            source = o - ((control & 31) << 8) - np.int64(data[i]) - 1
            i += 1
            if source < 0 or o + length > out.shape[0]:
                return False
            for n in range(length):  # one by one: a copy may overlap its source
                out[o + n] = out[source + n]
        o += length
    return o == out.shape[0]


@driver("i8(u1[::1], u1[::1], i8[::1])")
def compress(data, out, slots):
    """Write the compressed form to `out` and return its length; `slots` remembers where three bytes were last seen."""
    count, i, o, first = data.shape[0], 0, 0, 0
    while i < count:
        length, seen = 0, -1
        if i + 2 < count:
            word = (np.int64(data[i]) << 16) | (np.int64(data[i + 1]) << 8) | np.int64(data[i + 2])
            slot = ((word * 2654435761) >> 16) & (SLOTS - 1)
            seen = slots[slot]
            slots[slot] = i
            if seen >= 0 and i - seen <= FARTHEST:
                while length < LONGEST and i + length < count and data[seen + length] == data[i + length]:
                    length += 1
        if length < 3:
            i += 1
            if i - first == LITERALS or i == count:
                o = _literals(data, first, i, out, o)
                first = i
            continue
        o = _literals(data, first, i, out, o)
        offset, rest = i - seen - 1, length - 2
        out[o] = (min(rest, 7) << 5) | (offset >> 8)
        o += 1
        if rest >= 7:
            out[o] = rest - 7
            o += 1
        out[o] = offset & 255
        o += 1
        i += length
        first = i
    return o


@driver
def _literals(data, first, end, out, o):
    """Write a run of literals, if there are any; returns where the next one goes."""
    if end == first:
        return o
    out[o] = end - first - 1
    for n in range(end - first):
        out[o + 1 + n] = data[first + n]
    return o + 1 + end - first
