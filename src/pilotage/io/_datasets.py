"""Folders that appear when they are complete, and episodes that go together."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pilotage.core.errors import FormatError

from .atomic import real_target
from .episodes import Episode

PathLike = str | os.PathLike[str]


def same_arrays(episodes: Iterable[Episode], kinds: dict[str, tuple[Any, tuple[int, ...]]]) -> Iterator[Episode]:
    """The episodes, while their arrays have the same names, types and shapes, which `kinds` then holds.

    Raises:
        FormatError: if they differ, or there are none.

    Example:
        >>> next(same_arrays([], {}))
        Traceback (most recent call last):
        pilotage.core.errors.FormatError: there are no episodes to write
    """
    for k, each in enumerate(episodes):
        if not isinstance(each, Episode):
            raise FormatError(f"episode {k} is {type(each).__name__}; expected an Episode")
        found = {name: (array.dtype, array.shape[1:]) for name, array in each.arrays().items()}
        if k and found != kinds:
            raise FormatError(f"episode {k} has other arrays than the first one: {found}; expected {kinds}")
        kinds.update(found)
        yield each
    if not kinds:
        raise FormatError("there are no episodes to write")


def fresh_folder(folder: PathLike) -> Path:
    """The path of a folder that does not exist yet."""
    target = real_target(folder)
    if target.exists():
        raise FormatError(f"{folder} exists; give the name of a new folder")
    return target


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """The path of a new folder of the same name to write into, which takes its place at the end, if no error occurs."""
    beside = target.with_name(f".{target.name[:60]}.{secrets.token_hex(6)}")
    beside.mkdir()
    try:
        yield beside / target.name
        (beside / target.name).rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
