"""Batches as rows for kernels, and back."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..core import Sensor, ShapeError
from .inputs import Axes, context_of


def rows(a: np.ndarray, batch: Axes, keep: int = 1, what: str = "array") -> np.ndarray:
    """`a` broadcast to the batch, batch axes flattened into one, the last `keep` axes kept; never read-only."""
    own, tail = a.shape[: a.ndim - keep], a.shape[a.ndim - keep :]
    try:
        spread = np.broadcast_to(a, (*batch, *tail))
    except ValueError:
        raise ShapeError(f"the {what} has the leading axes {own}, where {batch} were expected") from None
    flat = np.ascontiguousarray(spread).reshape(prod(batch), *tail)
    return flat if flat.flags.writeable else flat.copy()  # for a read-only array, numba would compile once more


def unflat(a: np.ndarray, batch: Axes) -> np.ndarray:
    """The first axis as the batch axes it stands for; without copying, also where all rows are one."""
    if len(batch) == 1:
        return a
    return a[0] if not batch else a.reshape(*batch, *a.shape[1:])


def each_context(context: Any, sensor: Sensor, batch: Axes) -> Any:
    """A context for each of a batch: rows of numbers, or the very object where the sensor takes no numbers."""
    given = context_of(context, sensor)
    if getattr(sensor, "context_size", None) is None:
        return [given] * prod(batch) if given is not None else np.zeros((prod(batch), 0))
    return rows(given, batch, what="context")


def contexts_of(contexts: Any, sensor: Sensor, steps: int) -> Any:
    """A context for each reading of a sequence: rows of numbers, or a list of objects."""
    if getattr(sensor, "context_size", None) is not None or contexts is None:
        return each_context(contexts, sensor, (steps,))
    if not hasattr(contexts, "__len__") or len(contexts) != steps:
        given = len(contexts) if hasattr(contexts, "__len__") else repr(contexts)
        raise ShapeError(f"{given} contexts were given for {steps} readings of {sensor!r}; give one for each")
    return list(contexts)
