"""What the cells of an occupancy grid hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.errors import FormatError, ShapeError

_EDGE = 0.001
"""Probabilities are kept this far from 0 and 1, so that log-odds stay finite."""

DRAWN = {"#": 1.0, "@": 1.0, ".": 0.0, " ": 0.0, "?": np.nan}


def log_odds(p: ArrayLike) -> NDArray[np.float32]:
    """``log(p / (1 - p))`` of probabilities in [0, 1], kept finite; NaN stays NaN.

    Raises:
        ShapeError: when a value lies outside [0, 1].

    Example:
        >>> log_odds([0.5, 1.0, np.nan]).round(2)
        array([0.  , 6.91,  nan], dtype=float32)
    """
    values = np.asarray(p, dtype=np.float64)
    if bool(((values < 0) | (values > 1)).any()):
        raise ShapeError("probabilities must lie within [0, 1], with NaN for unknown cells; these do not")
    inner = np.clip(values, _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(inner) - np.log1p(-inner), dtype=np.float32)


def drawn(rows: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities ``(ny, nx)`` of a map drawn as text, top row first; `DRAWN` holds the meaning of characters.

    Example:
        >>> drawn(["#?", ".."])
        array([[ 0.,  0.],
               [ 1., nan]])
    """
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise ShapeError(f"the rows of a drawn map must be equally long, not {sorted(widths)} characters")
    if strange := set("".join(rows)) - set(DRAWN):
        raise FormatError(f"a drawn map knows {' '.join(DRAWN)}, not {sorted(strange)}")
    return np.array([[DRAWN[c] for c in row] for row in reversed(rows)])
