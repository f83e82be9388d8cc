"""Random numbers that depend on nothing but their place: the same in any order and in any thread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import LANES, driver
from ._lane_math import lane_radius, lane_turn, short_radius, short_turn

WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
FACTORS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
NORMALS = "void(i8[::1], i8, {integer}[:,::1], {real}[:,::1])"


@driver(NORMALS.format(integer="i8", real="f8"))
def normals(key: Any, first: int, words: Any, e: Any) -> None:
    """e[row, lane] ~ N(0, 1), drawn for sample ``first + lane``; the number of rows is a multiple of four.

    A counter (sample, group of four rows, tick) enciphered with Philox4x32-10 gives four words, two pairs of which
    become normal by Box and Muller's transform. `key` holds the two words of the seed and the tick, and `words` is
    memory (4, LANES).

    Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
    """
    for row in range(0, e.shape[0], 4):
        philox(key, first, row, words)
        # A loop of its own: the processor has more short numbers side by side than products of words.
        for lane in range(LANES):
            r = lane_radius(words[0, lane])
            s = lane_radius(words[2, lane])
            sin_b, cos_b = lane_turn(words[1, lane])
            sin_d, cos_d = lane_turn(words[3, lane])
            e[row, lane] = r * cos_b
            e[row + 1, lane] = r * sin_b
            e[row + 2, lane] = s * cos_d
            e[row + 3, lane] = s * sin_d


normals_single = normals.entry(
    "normals_single", NORMALS.format(integer="i4", real="f4"), lane_radius=short_radius, lane_turn=short_turn
)


@driver
def philox(key: Any, first: int, row: int, words: Any) -> None:
    """The words (4, LANES) of a group of rows; they stay below 2^32, and products of two below 2^64."""
    A, B, C, D = words[0], words[1], words[2], words[3]
    tick = np.uint64(key[2])
    for lane in range(LANES):
        a = np.uint64(first + lane) & WORD
        b = np.uint64(row)
        c = tick & WORD
        d = (tick >> HALF) & WORD
        k = np.uint64(key[0])
        l = np.uint64(key[1])
        for _ in range(10):
            low = FACTORS[0] * a
            high = FACTORS[1] * c
            a = (high >> HALF) ^ b ^ k
            b = high & WORD
            c = (low >> HALF) ^ d ^ l
            d = low & WORD
            k = (k + WEYL[0]) & WORD
            l = (l + WEYL[1]) & WORD
        A[lane] = a
        B[lane] = b
        C[lane] = c
        D[lane] = d


@driver
def coloured(correlation: float, width: int, e: Any) -> None:
    """Turn white noise of `width` rows a step into ``e_t = correlation e_{t-1} + sqrt(1 - correlation^2) e_t``."""
    fresh = e.dtype.type(math.sqrt(1.0 - correlation * correlation))
    for row in range(width, e.shape[0]):
        for lane in range(LANES):
            e[row, lane] = correlation * e[row - width, lane] + fresh * e[row, lane]


@driver
def mixed(basis: Any, width: int, white: Any, e: Any) -> None:
    """``e_t = sum_i basis[t, i] white_i``, for rows of `width` a step."""
    for t in range(basis.shape[0]):
        for j in range(width):
            for lane in range(LANES):
                e[t * width + j, lane] = 0.0
            for i in range(basis.shape[1]):
                w = basis[t, i]
                for lane in range(LANES):
                    e[t * width + j, lane] += w * white[i * width + j, lane]
