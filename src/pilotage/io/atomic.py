"""Files are written beside their target and renamed over it, so that a crash never costs what was saved before."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pilotage.core.errors import MissingFile

from .contents import path_of


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Replace the file `path` by `content` in one step: readers see the old file or the new one, never half of it.

    Args:
        path: file to write; its folder must exist. Permissions are those of the old file, else the usual ones.
        content: bytes, or text that is written as UTF-8.

    Raises:
        MissingFile: when the folder does not exist.
        OSError: when it cannot be written; the old file is untouched then.

    Example:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
        >>> write_atomic(target, "kept")
        >>> target.read_text()
        'kept'
    """
    target = Path(os.path.realpath(path_of(path)))  # behind a link, so that the link goes on pointing to the file
    data = content.encode("utf-8") if isinstance(content, str) else content
    if not target.parent.is_dir():
        raise MissingFile(f"{path} cannot be written: its folder {target.parent} does not exist")
    # Names have 255 bytes at most; 60 characters take up to 240.
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
