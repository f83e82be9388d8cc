"""Arguments and rows of vector environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ..core import SettingError, ShapeError
from ..core.settings import Natural, setting

Seeds = Natural | None | tuple[Natural | None, ...]


def checked_autoreset(mode: AutoresetMode) -> AutoresetMode:
    """`mode`, if this vector environment supports it."""
    if mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        raise SettingError(f"autoreset_mode is {mode!r}; expected AutoresetMode.NEXT_STEP or AutoresetMode.SAME_STEP")
    return mode


def seeds_of(seed: Any, count: int) -> list[int | None]:
    """The seed of each environment: s, s + 1, ... from one seed s, or one that is given for each.

    Example:
        >>> seeds_of(4, 3), seeds_of(None, 2), seeds_of([7, None], 2)
        ([4, 5, 6], [None, None], [7, None])
    """
    given: Any = setting(seed, Seeds, "seed")
    seeds = [*given] if isinstance(given, tuple) else [None if given is None else given + i for i in range(count)]
    if len(seeds) != count:
        raise ShapeError(f"{len(seeds)} seeds were given for {count} environments; give one each")
    return seeds


def chosen(rows: NDArray[Any], which: Any) -> NDArray[Any]:
    """A copy of some rows: those of an array of numbers, for which `take` is fastest, or of a slice of all."""
    return rows.copy() if isinstance(which, slice) else rows.take(which, axis=0)


def merged(all_of: Any, some: Any, which: NDArray[np.bool_]) -> Any:
    """The observations of all worlds with those of some worlds replaced."""
    if isinstance(all_of, dict):
        return {name: merged(each, some[name], which) for name, each in all_of.items()}
    whole = all_of.copy()
    whole[which] = some
    return whole
