"""Random streams. A stream is an argument, never module state, and the result contains its seed."""

from __future__ import annotations

import zlib
from typing import TypeAlias

import numpy as np

from .errors import SettingError

Rng: TypeAlias = int | np.random.Generator | None
"""The type of every `rng` argument: a seed, a generator (which is advanced), or None for a fresh seed."""


def generator(rng: Rng = None, use: str = "") -> np.random.Generator:
    """The generator for an `rng` argument: a new one for a seed, or the given generator itself.

    One seed gives an independent stream for each use. A caller who passes the same seed to two methods, such as
    `predict` and `update`, gets different numbers from the two.

    Example:
        >>> generator(3).random() == generator(3).random()
        True
        >>> generator(3).random() == generator(3, "update").random()
        False
    """
    rng = checked(rng)
    if isinstance(rng, np.random.Generator):
        return rng
    if not use or rng is None:
        return seeded(rng)[0]
    return np.random.default_rng(np.random.SeedSequence(rng, spawn_key=(zlib.crc32(use.encode()),)))


def checked(rng: Rng) -> Rng:
    """`rng`, when it is a seed, a generator or None: what does not draw from it asks here, so that all refuse alike.

    Raises:
        SettingError: when it is neither.

    Example:
        >>> checked("a")
        Traceback (most recent call last):
        pilotage.core.errors.SettingError: rng is 'a'; expected a seed, which is a whole number, 0 or more, ...
    """
    if rng is None or isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"rng is {rng!r}; expected a seed, which is a whole number, 0 or more, a Generator or None")
    return int(rng)


def seeded(rng: Rng = None) -> tuple[np.random.Generator, int | None]:
    """The generator for `rng`, and the seed that reproduces it (None if `rng` is a generator).

    Raises:
        SettingError: if `rng` is neither a seed nor a generator.

    Example:
        >>> gen, seed = seeded(None)
        >>> replay, _ = seeded(seed)
        >>> gen.random() == replay.random()
        True
    """
    rng = checked(rng)
    if isinstance(rng, np.random.Generator):
        return rng, None
    if rng is None:
        rng = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    return np.random.default_rng(rng), rng
