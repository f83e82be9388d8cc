"""Functions of large arrays, applied a chunk at a time: what they need in between stays small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 16
"""Numbers in a chunk; a few arrays of that size fit a processor's cache."""


def in_chunks(function: Callable[[NDArray[Any]], Any], values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """`function`, which treats every number alike, of an array of any shape; of the type `dtype`.

    Example:
        >>> in_chunks(np.sqrt, np.array([[4, 9]]), np.float32)
        array([[2., 3.]], dtype=float32)
    """
    flat, out = np.ravel(values), np.empty(values.shape, dtype)
    target = out.reshape(-1)
    for first in range(0, len(flat), CHUNK):
        target[first : first + CHUNK] = function(flat[first : first + CHUNK])
    return out
