"""Atomic writes: a new file is written next to its target and renamed, so that a crash never loses the old content."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pilotage.core.errors import MissingFile

from .contents import path_of


def real_target(path: str | os.PathLike[str]) -> Path:
    """The file to write at a path, to which links lead, so that a link is kept.

    Raises:
        MissingFile: if its folder does not exist.
    """
    target = Path(os.path.realpath(path_of(path)))
    if not target.parent.is_dir():
        raise MissingFile(f"{path} cannot be written: its folder {target.parent} does not exist")
    return target


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Replace the content of a file in one step: readers see either the old or the new content.

    Args:
        path: the file to write; its folder must exist. An existing file keeps its permissions.
        content: bytes, or text, which is written as UTF-8.

    Raises:
        MissingFile: if the folder does not exist.
        OSError: if the file cannot be written; the old file then stays unchanged.

    Example:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
        >>> write_atomic(target, "kept")
        >>> target.read_text()
        'kept'
    """
    target, data = real_target(path), content.encode("utf-8") if isinstance(content, str) else content
    # A name has at most 255 bytes; 60 characters take up to 240.
    beside = target.with_name(f".{target.name[:60]}.{secrets.token_hex(6)}")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(beside, target.stat().st_mode & 0o777)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
