"""Random numbers and exponentials of large arrays, by machine code over lanes."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..models.trace import LANES, Code, Function, call, driver
from ..models.trace.function import SPACE, Input, vector
from ..models.trace.graph import Graph
from ..models.trace.tracer import SymbolicMath

TURN = 6.283185307179586
EXPONENT = 1023 << 52
"""Of numbers in [1, 2)."""
GOLDEN, MIX, MIX_AGAIN = (h - (1 << 64) for h in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def normal_numbers(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Independent standard normal numbers, made of uniform ones in [0, 1) two by two.

    ::

        sqrt(-2 log(1 - u)) (cos(2 pi v), sin(2 pi v))

    The generator gives the seed of a stream for each lane.

    Source: Box and Muller, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29,
    1958.
    """
    size = math.prod(shape)
    u = np.empty(-(-size // (2 * LANES)) * 2 * LANES)
    _uniform.compiled(rng.integers(1 << 62), np.empty(4 * LANES, np.int64), u.view(np.int64))
    _map.compiled(_code("normal").address, 2 * LANES, u)
    return u[:size].reshape(shape)


def normalized(logs: Array) -> tuple[Array, Array, Array]:
    """Log-weights ``(..., N)`` and weights of sum 1, and ``log sum exp`` of the logs ``(...)``, which may be -inf.

    Where it is -inf, the other two are of no use.
    """
    axes, n = logs.shape[:-1], logs.shape[-1]
    a, w, total = np.empty((*axes, n)), np.empty((*axes, n)), np.empty(axes)
    flat, given = (math.prod(axes), n), np.ascontiguousarray(logs)
    _normalize.compiled(
        _code("exp").address, given.reshape(flat), a.reshape(flat), w.reshape(flat), total.reshape(-1), np.empty(LANES)
    )
    return a, w, total


@cache
def _code(name: str) -> Code:
    """Code of a function of numbers: exp of one of them, or two normal numbers made of two uniform ones."""
    graph = Graph()
    m: Any = SymbolicMath(graph)
    u, v = a = graph.inputs("a", 2)
    radius, angle = m.sqrt(-2.0 * m.log(2.0 - u)), TURN * (v - 1.0)  # u and v are 1 more than in the equation
    values = {"exp": vector([m.exp(u)]), "normal": vector([radius * m.cos(angle), radius * m.sin(angle)])}
    return Function(SPACE, "elementary", graph, {"a": Input(None, [*a])}, values).code(name, lanes=True)


@driver("void(i8, i8[::1], i8[::1])")
def _uniform(seed, state, out):
    """Bits of uniform numbers in [1, 2), from one generator for each lane: xoshiro256+, seeded by splitmix64.

    Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM Transactions on Mathematical
    Software 47(4), 2021.
    """
    for i in range(4 * LANES):
        seed += GOLDEN
        z = (seed ^ ((seed >> 30) & ((1 << 34) - 1))) * MIX
        z = (z ^ ((z >> 27) & ((1 << 37) - 1))) * MIX_AGAIN
        state[i] = z ^ ((z >> 31) & ((1 << 33) - 1))
    for start in range(0, out.shape[0], LANES):
        for l in range(LANES):
            a, b, c, d = state[l], state[l + LANES], state[l + 2 * LANES], state[l + 3 * LANES]
            out[start + l] = (((a + d) >> 12) & ((1 << 52) - 1)) | EXPONENT
            c ^= a
            d ^= b
            state[l] = a ^ d
            state[l + LANES] = b ^ c
            state[l + 2 * LANES] = c ^ (b << 17)
            state[l + 3 * LANES] = (d << 45) | ((d >> 19) & ((1 << 45) - 1))


@driver("void(i8, i8, f8[::1])")
def _map(function, length, a):
    """a becomes a function of it, block by block of that length."""
    for start in range(0, a.shape[0], length):
        call(function, a[start:], 0, 0, 0, a[start:])


@driver("void(i8, Array(f8, 2, 'C', True), f8[:,::1], f8[:,::1], f8[::1], f8[::1])", fast=True)
def _normalize(exp, logs, a, w, total, block):
    """total = ``log sum exp logs`` of each row, a = ``logs - total``, and w its exponential.

    `block` is memory for lanes.
    """
    n = logs.shape[1]
    for r in range(logs.shape[0]):
        total[r] = top = _largest(logs[r], block)
        if top == -math.inf:
            continue
        sum_ = 0.0
        for start in range(0, n, LANES):
            count = min(LANES, n - start)
            for l in range(count):
                block[l] = logs[r, start + l] - top
            call(exp, block, 0, 0, 0, block)
            for l in range(count):
                w[r, start + l] = block[l]
                sum_ += block[l]
        total[r] = top + math.log(sum_)
        for i in range(n):
            a[r, i] = logs[r, i] - total[r]
            w[r, i] *= 1.0 / sum_


@driver(fast=True)
def _largest(values, block):
    """The largest number, by one maximum for each lane."""
    for l in range(LANES):
        block[l] = -math.inf
    for start in range(0, values.shape[0] - LANES + 1, LANES):
        for l in range(LANES):
            block[l] = max(block[l], values[start + l])
    top = -math.inf
    for l in range(LANES):
        top = max(top, block[l])
    for i in range(values.shape[0] // LANES * LANES, values.shape[0]):
        top = max(top, values[i])
    return top
