"""Machine code of expressions and models on many rows, one by one and in lanes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pilotage.models import LANES, Code
from pilotage.models.trace.llvm import emit
from pilotage.models.trace.machine import assemble, unique
from pilotage.models.trace.reals import real_of


def compiled(outputs: Sequence[Any], lanes: bool = False, precision: str = "double") -> Code:
    """Code of expressions over the input group x; its one result is y."""
    name, real = unique("test"), real_of(precision)
    text = emit(name, outputs, {"x": "a"}, frozenset("x") if lanes else None, real)
    return assemble(text, name, {"y": (len(outputs),)}, LANES if lanes else 0, real)


def one_by_one(code: Code, a: Any, b: Any = None, c: Any = None, p: Any = None) -> dict[str, np.ndarray]:
    """Results ``(N, ...)`` for rows a ``(N, n)`` and b ``(N, m)``."""
    rows = [code.run(a[i], None if b is None else b[i], c, p) for i in range(len(a))]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def side_by_side(code: Code, a: Any, b: Any = None, c: Any = None, p: Any = None) -> dict[str, np.ndarray]:
    """The same in lanes; the last block is filled up with its first row."""
    parts: list[dict[str, np.ndarray]] = []
    for k in range(0, len(a), LANES):
        rows = [i if i < len(a) else k for i in range(k, k + LANES)]
        parts.append(code.run(np.asarray(a)[rows].T, None if b is None else np.asarray(b)[rows].T, c, p))
    return {name: np.concatenate([np.moveaxis(part[name], -1, 0) for part in parts])[: len(a)] for name in parts[0]}
