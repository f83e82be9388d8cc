"""Random numbers that depend on nothing but their place: the same in any order and in any thread."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import LANES, driver
from ._lane_math import lane_float, lane_log, lane_turn

WORD = 0xFFFFFFFF
TO_UNIT = 2.0**-32


@driver("void(i8[::1], i8, f8[:,::1])", "void(i8[::1], i8, f4[:,::1])")
def normals(key: Any, first: int, e: Any) -> None:
    """e[row, lane] ~ N(0, 1), drawn for sample ``first + lane``; the number of rows is a multiple of four.

    A counter (sample, group of four rows, tick) enciphered with Philox4x32-10 gives four words, two pairs of which
    become normal by Box and Muller's transform. `key` holds the two words of the seed and the tick. Words stay below
    2^32 and products below 2^64.

    Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
    """
    tick = key[2]
    for row in range(0, e.shape[0], 4):
        for lane in range(LANES):
            k = key[0]
            l = key[1]
            a = first + lane
            b = row
            c = tick & WORD
            d = (tick >> 32) & WORD
            for _ in range(10):
                low = 0xD2511F53 * a
                high = 0xCD9E8D57 * c
                a = ((high >> 32) & WORD) ^ b ^ k
                b = high & WORD
                c = ((low >> 32) & WORD) ^ d ^ l
                d = low & WORD
                k = (k + 0x9E3779B9) & WORD
                l = (l + 0xBB67AE85) & WORD
            r = math.sqrt(-2.0 * lane_log((lane_float(a) + 0.5) * TO_UNIT))
            s = math.sqrt(-2.0 * lane_log((lane_float(c) + 0.5) * TO_UNIT))
            sin_b, cos_b = lane_turn(b)
            sin_d, cos_d = lane_turn(d)
            e[row, lane] = r * cos_b
            e[row + 1, lane] = r * sin_b
            e[row + 2, lane] = s * cos_d
            e[row + 3, lane] = s * sin_d


@driver("void(f8, i8, f8[:,::1])", "void(f8, i8, f4[:,::1])")
def coloured(correlation: float, width: int, e: Any) -> None:
    """Turn white noise of `width` rows a step into ``e_t = correlation e_{t-1} + sqrt(1 - correlation^2) e_t``."""
    fresh = math.sqrt(1.0 - correlation * correlation)
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
