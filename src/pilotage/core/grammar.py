"""The strings a space is declared with, and how a space is spelt back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import groupby

from .errors import SpaceError
from .parts import NAME, Angle, Part, Real
from .poses import SE2, SE3, Pose
from .rotations import Quaternion

KINDS: dict[str, type[Part]] = {kind.kind: kind for kind in (Angle, Quaternion, SE2, SE3)}
"""The kinds that may be named after a colon."""

_NUMBER = r"[+-]?(?:inf|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_WORD = rf"(?!in(?:\s|\[|$)){NAME}"
_REALS = re.compile(
    rf"\s*(?P<names>{_WORD}(?:\s+{_WORD})*)"
    r"(?:\s*\[(?P<unit>[^\]\[]*)\])?"
    rf"(?:\s+in\s*\[\s*(?P<low>{_NUMBER})\s*,\s*(?P<high>{_NUMBER})\s*\])?\s*"
)
_KIND = re.compile(rf"\s*(?P<names>{NAME}(?:\s+{NAME})*)\s*:\s*(?P<kind>\w+)\s*")
_HELP = "write 'x y [m]', 'speed [m/s] in [-2, 10]', 'yaw: angle', 'q: quaternion', 'pose: SE2' or 'pose: SE3'"


def parse(given: str | Part) -> list[Part]:
    """The parts that one argument of `Space` declares.

    Raises:
        SpaceError: when the string does not follow the grammar.

    Example:
        >>> [str(part) for part in parse("x y [m] in [0, 9]")]
        ['x [m] in [0, 9]', 'y [m] in [0, 9]']
    """
    if isinstance(given, Part):
        return [given]
    if not isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SpaceError(f"a part of a space is a string or a Part, not {type(given).__name__}; {_HELP}")
    if match := _KIND.fullmatch(given):
        kind = KINDS.get(match["kind"])
        if kind is None:
            raise SpaceError(f"{match['kind']!r} in {given!r} is no kind of part; there are {', '.join(KINDS)}")
        return [kind(name) for name in match["names"].split()]
    match = _REALS.fullmatch(given)
    if match is None:
        raise SpaceError(f"{given!r} does not declare a part of a space; {_HELP}")
    low, high = float(match["low"] or "-inf"), float(match["high"] or "inf")
    return [Real(name, (match["unit"] or "").strip(), low, high) for name in match["names"].split()]


def spell(parts: Iterable[Part]) -> str:
    """The expression that builds a space of these parts; neighbours that share kind, unit and bounds share a string."""
    parts = tuple(parts)
    strings = [" ".join(p.name for p in group) + tail for tail, group in groupby(parts, key=_tail)]
    limits = {
        name: (low, high)
        for p in parts
        if isinstance(p, Pose)
        for name, low, high in zip(p.names, p.minimum, p.maximum, strict=False)
        if math.isfinite(low) or math.isfinite(high)
    }
    return f"Space({', '.join(map(repr, strings))})" + (f".bounded({limits!r})" if limits else "")


def _tail(part: Part) -> str:
    return part.suffix if isinstance(part, Real) else f": {part.kind}"
