"""Contents of a file, or an error that says why it cannot be read."""

from __future__ import annotations

import difflib
import gzip
import os
import zlib
from pathlib import Path

from pilotage.core.errors import FormatError, MissingFile

GZIP = 16 + zlib.MAX_WBITS
"""The format of gzip, for zlib."""


def contents(path: str | os.PathLike[str], most: int = -1) -> bytes:
    """The bytes of the file: all of them, or the first `most`.

    Raises:
        MissingFile: if the file does not exist; the message suggests a file with a similar name, if there is one.
        FormatError: if `path` is a folder or not a path.

    Example:
        >>> contents("depott.yaml")
        Traceback (most recent call last):
        pilotage.core.errors.MissingFile: there is no file depott.yaml in ...
    """
    file = path_of(path)
    try:
        with open(file, "rb") as opened:
            return opened.read(most)
    except IsADirectoryError:
        raise FormatError(f"{path} is a folder; expected a file") from None
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(missing(file)) from None


def text_lines(path: str | os.PathLike[str], kind: str, errors: str = "strict", most: int = -1) -> list[str]:
    """The lines of a text file of that kind, plain or gzipped.

    Args:
        path: the file.
        kind: what it is, in words.
        errors: "strict", or "replace" for files with other letters in places that do not matter.
        most: number of bytes to read from the beginning, -1 for all; the last line is then cut off.

    Raises:
        FormatError: if it is not ASCII text, or its compression is damaged.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "two.txt.gz"
        >>> _ = file.write_bytes(gzip.compress(b"one\\ntwo\\n"))
        >>> text_lines(file, "log")
        ['one', 'two']
    """
    data = contents(path, most)
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data) if most < 0 else zlib.decompressobj(GZIP).decompress(data, most)
        return data.decode("ascii", errors).splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a {kind} text file: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path}: not a {kind} text file, but a damaged gzip file: {error}") from None


def path_of(path: str | os.PathLike[str]) -> Path:
    """A path as a `Path`, with a leading ``~`` as the home folder; raises an error if it is not a path."""
    try:
        return Path(os.path.expanduser(path))
    except TypeError:
        raise FormatError(f"{path!r} is not the path of a file; give a string or a pathlib.Path") from None


def missing(file: Path) -> str:
    """The message for a missing file, with the most similar name in its folder."""
    folder = file.absolute().parent
    if not folder.is_dir():
        return f"there is no file {file}: its folder {folder} does not exist"
    near = difflib.get_close_matches(file.name, [p.name for p in folder.iterdir()], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no file {file.name} in {folder}{hint}"
