"""The cells of a grid: free, occupied or unknown; probabilities and log-odds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.chunks import in_chunks
from pilotage.core.errors import FormatError, ShapeError
from pilotage.core.settings import setting, shown

from .frame import GridFrame

Mask = NDArray[np.bool_]
Unknown = Literal["blocked", "free"]
"""The meaning of unknown cells."""

_EDGE = 0.001
"""Probabilities closer to 0 or 1 than this count as certain, so that log-odds stay finite."""

DRAWN = {"#": 1.0, "@": 1.0, ".": 0.0, " ": 0.0, "?": np.nan}


def log_odds(p: ArrayLike) -> NDArray[np.float32]:
    """The log-odds ``log(p / (1 - p))`` of probabilities in [0, 1], clipped to +-6.91; NaN stays NaN.

    Raises:
        ShapeError: if a value lies outside [0, 1].

    Example:
        >>> log_odds([0.5, 1.0, np.nan]).round(2)
        array([0.  , 6.91,  nan], dtype=float32)
    """
    kind = np.float32 if getattr(p, "dtype", None) == np.float32 else np.float64  # a large map is not copied
    values = numbers(p, "a map of probabilities", kind)
    if bool(((values < 0) | (values > 1)).any()):
        raise ShapeError("probabilities must lie within [0, 1], with NaN for unknown cells, but some do not")
    return in_chunks(_log_odds, values, np.float32)


def _log_odds(p: NDArray[Any]) -> NDArray[np.float64]:
    p = np.clip(p.astype(np.float64), _EDGE, 1.0 - _EDGE)
    return np.log(p) - np.log1p(-p)


def bools(occupied: ArrayLike) -> NDArray[np.bool_]:
    """Whether cells are occupied, from bools, or numbers 0 and 1.

    Raises:
        ShapeError: if there are other numbers, such as probabilities.
    """
    given = numbers(occupied, "occupied", np.bool_ if getattr(occupied, "dtype", None) == np.bool_ else np.float64)
    if not ((given == 0.0) | (given == 1.0)).all():
        raise ShapeError(
            "occupied holds numbers other than 0 and 1; give booleans, such as probability > 0.65; "
            "OccupancyGrid.from_probability takes probabilities, and OccupancyGrid.load reads images"
        )
    return given.astype(np.bool_, copy=False)


def bools_of(occupied: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether cells are occupied, bools of that shape, from one for all or one for each."""
    given = bools(occupied)
    if given.shape not in ((), shape):
        raise ShapeError(f"occupied must be one bool or of shape {shape}, one for each cell, not {given.shape}")
    return np.broadcast_to(given, shape)


def odds_at(threshold: float) -> NDArray[np.float32]:
    """Log-odds of a threshold ``(2,)``, taken in double and in single precision: cells come from both."""
    return np.concatenate([log_odds(np.array([threshold], dtype=kind)) for kind in (np.float64, np.float32)])


_NEVER, _SURELY = log_odds([0.0, 1.0])


def probabilities(l: NDArray[np.float32], dtype: Any = np.float64) -> NDArray[Any]:
    """The probabilities of log-odds, the inverse of `log_odds`; certain values become exactly 0 and 1.

    Example:
        >>> probabilities(log_odds([0.0, 0.25, 1.0, np.nan])).round(6)
        array([0.  , 0.25, 1.  ,  nan])
    """
    return in_chunks(_probabilities, l, dtype)


def _probabilities(l: NDArray[np.float32]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        p = 1.0 / (1.0 + np.exp(-l.astype(np.float64)))
    return np.where(l >= _SURELY, 1.0, np.where(l <= _NEVER, 0.0, p))


def drawn(rows: str | Sequence[str]) -> NDArray[np.float64]:
    """Probabilities ``(ny, nx)`` of a map drawn as text, top row first; `DRAWN` defines the characters.

    Example:
        >>> drawn(["#?", ".."])
        array([[ 0.,  0.],
               [ 1., nan]])
    """
    given: Any = rows.strip("\n").split("\n") if isinstance(rows, str) else rows
    lines: list[Any] = list(given) if isinstance(given, Iterable) else []
    if not lines or not all(isinstance(line, str) for line in lines):
        raise FormatError(f"a drawn map is {shown(given)}; expected a list of strings, or the lines of one")
    widths = {len(line) for line in lines}
    if len(widths) != 1:
        raise ShapeError(f"the rows of a drawn map must have the same length, not {sorted(widths)} characters")
    if strange := set("".join(lines)) - set(DRAWN):
        raise FormatError(f"a drawn map may hold {' '.join(DRAWN)}, not {sorted(strange)}")
    return np.array([[DRAWN[c] for c in line] for line in reversed(lines)])


class GridCells(GridFrame):
    """The cells of a grid, each occupied, free or unknown: the interface that grid planners use.

    `OccupancyGrid`, `InflatedGrid` and `Costmap` are subclasses.
    """

    @property
    def costs(self) -> NDArray[np.float64] | None:
        """The cost of a metre in each cell ``(ny, nx)``, at least 1, that planners use by default; None: 1 in all."""
        return None

    @cached_property
    @abstractmethod
    def occupied(self) -> Mask:
        """The occupied cells, bools ``(ny, nx)``."""

    @cached_property
    @abstractmethod
    def free(self) -> Mask:
        """The free cells, bools ``(ny, nx)``."""

    @cached_property
    def unknown(self) -> Mask:
        """The cells that are neither occupied nor free, bools ``(ny, nx)``."""
        return read_only(~(self.occupied | self.free))

    def passable(self, unknown: str) -> Mask:
        """The passable cells ``(ny, nx)``: the free ones, and also the unknown ones if `unknown` is "free".

        Raises:
            SettingError: if `unknown` is neither "blocked" nor "free".
        """
        return self.free if setting(unknown, Unknown, "unknown") == "blocked" else ~self.occupied

    def is_free(self, xy: ArrayLike) -> Mask:
        """Whether world points ``(..., 2)`` lie in free cells; False off the map."""
        return self._classify(xy, self.free, outside=False)

    def is_occupied(self, xy: ArrayLike) -> Mask:
        """Whether world points ``(..., 2)`` lie in occupied cells; False off the map."""
        return self._classify(xy, self.occupied, outside=False)

    def is_unknown(self, xy: ArrayLike) -> Mask:
        """Whether world points ``(..., 2)`` lie in unknown cells; True off the map."""
        return self._classify(xy, self.unknown, outside=True)

    def free_component(self, xy: ArrayLike) -> Mask:
        """The free cells ``(ny, nx)`` reachable from the world point `xy` ``(2,)``; none if the point is not free.

        Moves lead to the four neighbours. Diagonal moves that do not cut corners reach the same cells.
        """
        from scipy import ndimage  # a heavy import that only this method needs

        if np.shape(xy) not in ((2,), (3,)):
            raise ShapeError(f"xy must be one world point (x, y), not of shape {np.shape(xy)}")
        if not bool(self.is_free(xy)):
            return np.zeros(self.shape, dtype=np.bool_)
        labels = np.empty(self.shape, dtype=np.int32)
        ndimage.label(self.free, output=labels)
        row, column = self.world_to_cell(xy)
        return labels == labels[row, column]

    def _classify(self, xy: ArrayLike, mask: Mask, outside: bool) -> Mask:
        cells = self.world_to_cell(xy)
        inside = self.contains_cell(cells)
        rows, columns = np.where(inside, cells[..., 0], 0), np.where(inside, cells[..., 1], 0)
        return np.where(inside, mask[rows, columns], outside)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """`array`, marked as read-only."""
    array.setflags(write=False)
    return array
