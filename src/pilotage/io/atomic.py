"""Files are written beside their target and renamed over it, so that a crash never costs what was saved before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomic(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Replace the file `path` by `content` in one step: readers see the old file or the new one, never half of it.

    Args:
        path: file to write; its folder must exist.
        content: bytes, or text that is written as UTF-8.

    Raises:
        OSError: when the folder does not exist or cannot be written; the old file is untouched then.

    Example:
        >>> import tempfile, pathlib
        >>> target = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
        >>> write_atomic(target, "kept")
        >>> target.read_text()
        'kept'
    """
    target = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, _mode_of(target))
        os.replace(beside, target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _mode_of(target: Path) -> int:
    """Permissions of the file that is replaced, else what `open` would have given a new one."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
