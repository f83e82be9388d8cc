"""Results for one state, by machine code that Python calls: a few microseconds where numpy takes hundreds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from ctypes import addressof, c_char
from typing import Any

import numpy as np

from .machine import SIGNATURE, Code


class Single:
    """Machine code for one state as a function of arrays; it works on copies, which the code may overwrite.

    Args:
        code: of one state.
        sizes: how many numbers a, b and c have.
        parameters: what the code reads as p.

    Example:
        >>> from pilotage.models import bicycle
        >>> car = bicycle()
        >>> step = Single(car.code("y"), (4, 2, 1), car.vector())
        >>> step(np.array([0.0, 0.0, 0.0, 2.0]), np.zeros(2), 0.5).tolist()
        [1.0, 0.0, 0.0, 2.0]
    """

    def __init__(self, code: Code, sizes: tuple[int, int, int], parameters: np.ndarray) -> None:
        self._code, self._run = code, SIGNATURE(code.address)
        self._parameters = np.array(parameters, dtype=np.float64)
        self._p = self._parameters.ctypes.data
        self._b = sizes[0]
        self._c = self._b + sizes[1]
        self._out = self._c + sizes[2]
        self._size = self._out + code.size + 1  # never empty, so that it has an address
        self._parts = parts(code.shapes)

    def __call__(self, a: Any, b: Any = None, c: Any = None) -> Any:
        """One array, or a tuple of several; None for an input that is not needed."""
        b0, c0, out = self._b, self._c, self._out
        work = np.empty(self._size)
        work[:b0] = a
        if b0 < c0 and b is not None:
            work[b0:c0] = b
        if c0 < out and c is not None:
            work[c0:out] = c
        at = addressof(c_char.from_buffer(work.data))
        self._run(at, at + 8 * b0, at + 8 * c0, self._p, at + 8 * out)
        values = tuple(work[out + first : out + last].reshape(shape) for first, last, shape in self._parts)
        return values[0] if len(values) == 1 else values


def parts(shapes: Mapping[str, tuple[int, ...]]) -> list[tuple[int, int, tuple[int, ...]]]:
    """First number, number past the last, and shape of each of results that lie one after another."""
    found: list[tuple[int, int, tuple[int, ...]]] = []
    first = 0
    for shape in shapes.values():
        found.append((first, first + math.prod(shape), shape))
        first += math.prod(shape)
    return found
