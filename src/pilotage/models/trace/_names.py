"""The names that code reads from outside, and the modules in which names keep their meaning."""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
from types import CodeType

CONSTANT = {"numpy", "scipy", "pilotage"}
LIBRARY = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
DYNAMIC = {"globals", "locals", "vars", "eval", "exec", "open", "input", "__import__", "__builtins__"}
"""Names of Python's own that lead to values which the code does not name."""
WORLD = {"datetime", "gc", "importlib", "inspect", "io", "os", "pathlib", "random", "secrets", "sys", "time", "uuid"}
"""Modules of Python's own that read what changes."""
WORLDLY = DYNAMIC | {"random", "rvs", "load", "loadtxt", "genfromtxt", "fromfile", "memmap"}
"""Names in other modules that do."""
SCOPES = {
    "LOAD_GLOBAL": "global",
    "LOAD_NAME": "global",
    "LOAD_FROM_DICT_OR_GLOBALS": "global",
    "LOAD_DEREF": "closure",
    "LOAD_CLASSDEREF": "closure",
    "LOAD_FROM_DICT_OR_DEREF": "closure",
    "IMPORT_NAME": "import",
}


@functools.lru_cache(maxsize=4096)
def paths(code: CodeType) -> tuple[tuple[str, ...], ...]:
    """The names that code reads from outside, each with its scope and the attributes that follow it directly.

    Example:
        >>> paths((lambda x: np.cos(x) * drag).__code__)
        (('global', 'np', 'cos'), ('global', 'drag'))
    """
    found: dict[tuple[str, ...], None] = {}
    path: tuple[str, ...] = ()
    for step in dis.get_instructions(code):
        if step.opname in ("EXTENDED_ARG", "CACHE"):
            continue
        if path and step.opname in ("LOAD_ATTR", "LOAD_METHOD") and not step.is_jump_target:
            path += (str(step.argval),)
            continue
        if path:
            found[path] = None
        scope = SCOPES.get(step.opname)
        path = () if scope is None else (scope, str(step.argval))
    if path:
        found[path] = None
    for nested in code.co_consts:
        if isinstance(nested, CodeType):
            found.update(dict.fromkeys(paths(nested)))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def constant(module: str | None) -> bool:
    """Whether what a module defines does not change.

    Example:
        >>> constant("math"), constant("scipy.linalg"), constant("__main__")
        (True, True, False)
    """
    root = (module or "").partition(".")[0]
    if root in CONSTANT:
        return True
    if root in WORLD or root not in sys.stdlib_module_names:
        return False
    spec = getattr(sys.modules.get(root), "__spec__", None)  # a file of the user may have the name of one of Python's
    place = getattr(spec, "origin", None) or "built-in"
    return place in ("built-in", "frozen") or (place.startswith(LIBRARY) and "-packages" not in place)
