"""Generated source on disk: named by its content, written atomically, loaded in milliseconds by the next process.

The folder is ``$PILOTAGE_CACHE_DIR``, else the user's cache folder. Where it cannot be written, a folder of this
process takes its place, which goes when the process ends. A file or compiled code that is damaged is made anew.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from .._version import __version__

_loaded: dict[str, ModuleType] = {}


def cache_folder() -> Path:
    """Where generated and compiled code is kept.

    Example:
        >>> cache_folder().is_dir()
        True
    """
    return _usable(os.environ.get("PILOTAGE_CACHE_DIR") or _user_folder())


def clear_cache() -> int:
    """Delete all generated and compiled code; returns the number of files. What is loaded stays loaded."""
    files = [f for f in cache_folder().rglob("*") if f.is_file()]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


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
        folder = Path(tempfile.mkdtemp(prefix="pilotage-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def load_source(source: str, stem: str) -> ModuleType:
    """The module with this source text, from the cache if it is there.

    Two processes that make the same module at once write the same bytes beside the target and rename: either wins.
    """
    name = f"{stem}_{hashlib.sha256(source.encode()).hexdigest()[:20]}"
    if name not in _loaded:
        path = cache_folder() / f"{name}.py"
        _ensure(path, source)
        spec = importlib.util.spec_from_file_location(f"pilotage_generated.{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except (EOFError, ValueError, TypeError):  # what Python raises for bytecode that was cut off or damaged
            _drop_bytecode(path)
            spec.loader.exec_module(module)
        _loaded[name] = module
    return _loaded[name]


def _ensure(path: Path, source: str) -> None:
    try:
        if path.read_text(encoding="utf-8") == source:
            return
    except (OSError, UnicodeDecodeError):
        pass
    # Bytecode of an older, damaged file of the same size and second would be taken for this one's.
    _drop_bytecode(path)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(source)
    os.replace(beside, path)


def _drop_bytecode(path: Path) -> None:
    for stale in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        stale.unlink(missing_ok=True)


def forgive(dispatcher: Any) -> Any:
    """Let a compiled function survive a damaged or unwritable cache: what cannot be read is compiled again."""
    cache = getattr(dispatcher, "_cache", None)
    if cache is not None and hasattr(cache, "load_overload") and hasattr(cache, "save_overload"):
        load, save = cache.load_overload, cache.save_overload

        def forgiving_load(signature: Any, context: Any) -> Any:
            try:
                return load(signature, context)
            except Exception:  # whatever unpickling a damaged file raises
                cache.flush()
                return None

        def forgiving_save(signature: Any, data: Any) -> None:
            try:
                save(signature, data)
            except OSError:
                return  # a full disk costs a compilation next time, nothing else

        cache.load_overload, cache.save_overload = forgiving_load, forgiving_save
    return dispatcher
