"""Folders of data sets that appear when they are complete, and episodes that go together."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
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


class building:
    """A context whose folder takes its place when all is written, and vanishes if an error occurs."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.beside = target.with_name(f".{target.name[:60]}.{secrets.token_hex(6)}")

    def __enter__(self) -> Path:
        self.beside.mkdir()
        return self.beside

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.beside.rename(self.target)
        else:
            shutil.rmtree(self.beside, ignore_errors=True)
