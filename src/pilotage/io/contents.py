"""Contents of a file, or a sentence about why it cannot be read."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pilotage.core.errors import FormatError, MissingFile


def contents(path: str | os.PathLike[str]) -> bytes:
    """All bytes of the file.

    Raises:
        MissingFile: naming the file and, where there is one, a file beside it whose name is close.
        FormatError: for a folder, or what is no path.

    Example:
        >>> contents("depott.yaml")
        Traceback (most recent call last):
        pilotage.core.errors.MissingFile: there is no file depott.yaml in ...
    """
    file = path_of(path)
    try:
        return file.read_bytes()
    except IsADirectoryError:
        raise FormatError(f"{path} is a folder; the name of a file was expected") from None
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(missing(file)) from None


def path_of(path: str | os.PathLike[str]) -> Path:
    """A path as a `Path`, a leading ``~`` being the home folder; or a sentence about what is none."""
    try:
        return Path(os.path.expanduser(path))
    except TypeError:
        raise FormatError(f"{path!r} is no path of a file; give a string or a pathlib.Path") from None


def missing(file: Path) -> str:
    """A sentence about a file that is not there, with the name beside it that is closest."""
    folder = file.absolute().parent
    if not folder.is_dir():
        return f"there is no file {file}: its folder {folder} does not exist"
    near = difflib.get_close_matches(file.name, [p.name for p in folder.iterdir()], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no file {file.name} in {folder}{hint}"
