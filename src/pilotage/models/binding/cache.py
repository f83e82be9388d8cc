"""Generated source on disk: named by its content, written atomically, loaded in milliseconds by the next process.

The folder is ``$PILOTAGE_CACHE_DIR``, else the user's cache folder. Where it cannot be written, or its disk is full, a
folder of this process takes its place, which goes when the process ends; where that fails too, code is compiled in
memory. Source is compared with what it should be before it runs, and what is damaged is made anew; compiled code is
numba's, which keys it by its own version, Python's, the processor and the time of the source. Who may write to the
folder can run code in your processes: do not share it with people you would not share a shell with.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import linecache
import logging
import os
import shutil
import sys
import tempfile
import threading
import uuid
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from ..._version import __version__

_loaded: dict[str, ModuleType] = {}
_loading = threading.RLock()
PERSISTENT = "cache=True, "
"""How decorators in generated source ask numba to keep what it compiles."""


def cache_folder() -> Path:
    """Where generated and compiled code is kept.

    Example:
        >>> cache_folder().is_dir()
        True
    """
    return _usable(os.environ.get("PILOTAGE_CACHE_DIR") or _user_folder())


def clear_cache() -> int:
    """Delete all generated and compiled code of this version; the number of files. What is loaded stays loaded."""
    files = [f for f in cache_folder().rglob("*") if f.is_file()]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def load_source(source: str, stem: str, entries: Collection[str] = ()) -> ModuleType:
    """The module with this source text, from the cache if it is there; the same object at every call.

    Two processes that make the same module at once write the same bytes beside the target and rename: either wins.
    Threads of one process wait for each other.

    Args:
        source: the text.
        stem: how its file's name begins.
        entries: functions whose compiled code is kept on disk as well.
    """
    name = f"{stem}_{hashlib.sha256(source.encode()).hexdigest()[:20]}"
    with _loading:
        if name not in _loaded:
            module = _from_disk(name, source) or _in_memory(name, source)
            for entry in entries:
                forgive(getattr(module, entry))
            _loaded[name] = module
        return _loaded[name]


def _user_folder() -> str:
    import platformdirs

    return platformdirs.user_cache_dir("pilotage", appauthor=False)


@functools.cache
def _usable(wanted: str) -> Path:
    """A folder of this version in `wanted`, or a temporary one when that cannot be written."""
    folder = Path(wanted).expanduser().absolute() / __version__
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        folder = _temporary()
    return folder


@functools.cache
def _temporary() -> Path:
    """A folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix="pilotage-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _from_disk(name: str, source: str) -> ModuleType | None:
    """The module, with its source in the cache's folder or in a temporary one; None when neither can hold it."""
    for folder in (cache_folder, _temporary):
        try:
            path = folder() / f"{name}.py"
            _ensure(path, source)
            return _run(name, source, str(path))
        except (OSError, RuntimeError):  # RuntimeError is numba's, when there is no place for compiled code
            continue
    return None


def _in_memory(name: str, source: str) -> ModuleType:
    source, path = source.replace(PERSISTENT, ""), f"<{name}>"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)  # for numba's messages
    return _run(name, source, path)


def _run(name: str, source: str, path: str) -> ModuleType:
    # Compiled from the text at hand, in a few milliseconds: bytecode on disk would be one more thing to be damaged.
    code = compile(source, path, "exec", dont_inherit=True)
    module = ModuleType(f"pilotage_generated.{name}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _ensure(path: Path, source: str) -> None:
    """Have the file hold the source. A file that does already keeps its time, by which numba knows its code."""
    if _holds(path, source):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:12]}.tmp")
    try:
        beside.write_text(source, encoding="utf-8", newline="\n")
        if not _linked(beside, path) or not _holds(path, source):
            os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _holds(path: Path, source: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == source
    except (OSError, UnicodeDecodeError):
        return False


def _linked(beside: Path, path: Path) -> bool:
    """Give the file its name, unless another process was faster: the first one's stays. False without hard links."""
    try:
        os.link(beside, path)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def forgive(dispatcher: Any) -> None:
    """Let a compiled function survive a damaged or unwritable cache: what cannot be read is compiled again."""
    cache: Any = getattr(dispatcher, "_cache", None)
    if not (hasattr(cache, "load_overload") and hasattr(cache, "save_overload")):
        return  # numba is switched off
    load, save = cache.load_overload, cache.save_overload

    def forgiving_load(signature: Any, context: Any) -> Any:
        try:
            found = load(signature, context)
            if found is None or tuple(found.signature.args) == tuple(getattr(signature, "args", signature)):
                return found
        except Exception:  # whatever unpickling a damaged file raises; the compiler takes its place
            logging.getLogger("pilotage").debug("compiled code on disk cannot be read", exc_info=True)
        # Damaged, or the code of other types: two processes that kept their first code at once gave it one name.
        with contextlib.suppress(OSError):  # what cannot be flushed is compiled again next time, too
            cache.flush()
        return None

    def forgiving_save(signature: Any, data: Any) -> None:
        try:
            save(signature, data)
        except OSError:
            return  # a full disk costs a compilation next time, nothing else

    cache.load_overload, cache.save_overload = forgiving_load, forgiving_save
