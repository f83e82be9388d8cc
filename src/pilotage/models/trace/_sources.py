"""The files that compiled code is made from, beside those of the drivers: of intrinsics, and of what these import.

Drivers see what they import as numba does: numbers by value, and functions only where these are drivers themselves. An
intrinsic is a program that writes code, so all that it may run counts: its module, and the private modules that this
imports. What it takes from elsewhere in its package counts where it is a number.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
from collections.abc import Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

NUMBERS = (bool, int, float, tuple)


@functools.cache
def contents(file: str) -> bytes:
    """A digest of a file."""
    return hashlib.sha256(Path(file).read_bytes()).digest()


@functools.cache
def sources(module: str) -> tuple[list[str], list[tuple[str, Any]]]:
    """Files of a module and of the private ones that it imports, and theirs; numbers from other modules of its package.

    Only the modules that hold these numbers are imported.

    Example:
        >>> files, numbers = sources("pilotage.estimators._intrinsics")
        >>> [Path(file).name for file in files], [name for name, _ in numbers]
        (['_intrinsics.py', '_types.py', '_memory.py'], ['pilotage.models.trace.LANES'])
    """
    files: dict[str, str] = {}
    numbers: dict[str, Any] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        spec = find_spec(name)
        if name in files or spec is None or spec.origin is None:
            continue
        files[name] = spec.origin
        for source, what in _imports(ast.parse(Path(spec.origin).read_bytes()), spec.parent or ""):
            if source.partition(".")[0] != module.partition(".")[0]:
                continue
            if _private(source):
                waiting.append(source)
            elif _private(what):
                waiting.append(f"{source}.{what}")
            elif isinstance(number := getattr(importlib.import_module(source), what, None), NUMBERS):
                numbers[f"{source}.{what}"] = number
    return list(files.values()), sorted(numbers.items())


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """Each ``from module import name`` in a text, as names of both."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((source, each.name) for each in node.names)


def _private(name: str) -> bool:
    return name.rpartition(".")[2].startswith("_")
