"""The strings a space is declared with, and how a space is spelt back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from ..errors import SpaceError
from . import KINDS, Part, Real
from .part import NAME

_NUMBER = r"[+-]?(?:inf|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_WORD = rf"(?!in(?:\s|\[|$)){NAME}"
_REALS = re.compile(
    rf"\s*(?P<names>{_WORD}(?:\s+{_WORD})*)"
    r"(?:\s*\[(?P<unit>[^\]\[]*)\])?"
    rf"(?:\s+in\s*\[\s*(?P<low>{_NUMBER})\s*,\s*(?P<high>{_NUMBER})\s*\])?\s*"
)
_KIND = re.compile(rf"\s*(?P<names>{NAME}(?:\s+{NAME})*)\s*:\s*(?P<kind>\w+)\s*(?P<rest>.*?)\s*")
_HELP = (
    "write 'x y [m]', 'speed [m/s] in [-2, 10]', 'yaw: angle', 'q: quaternion', 'pose: SE2', 'n: S2' "
    "or 'camera: uint8[3, 64, 64]'"
)


def parse(given: str | Part) -> list[Part]:
    """The parts that one argument of `Space` declares.

    A kind after a colon belongs to the one name before it, so that nobody reads ``"x y yaw: angle"`` as two reals and
    an angle.

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
        return [_of_a_kind(given, match["names"].split(), match["kind"], match["rest"])]
    match = _REALS.fullmatch(given)
    if match is None:
        raise SpaceError(f"{given!r} does not declare a part of a space; {_HELP}")
    low, high = float(match["low"] or "-inf"), float(match["high"] or "inf")
    return [Real(name, (match["unit"] or "").strip(), low, high) for name in match["names"].split()]


def _of_a_kind(given: str, names: list[str], word: str, rest: str) -> Part:
    if word not in KINDS:
        raise SpaceError(f"{word!r} in {given!r} is no kind of part; there are {', '.join(KINDS)}")
    kind = f"{word}{rest}"
    if len(names) > 1:
        all_of_it = ", ".join(repr(f"{name}: {kind}") for name in names)
        raise SpaceError(
            f"{given!r} names {len(names)} parts before one kind; a kind belongs to one name. Write "
            f"{' '.join(names[:-1])!r}, {f'{names[-1]}: {kind}'!r} if only the last is meant, or {all_of_it}"
        )
    part = KINDS[word].spelt(names[0], word, rest)
    if part is None:
        raise SpaceError(f"{given!r} does not declare a part of a space; {_HELP}")
    return part


def spell(parts: Iterable[Part]) -> str:
    """The expression that builds a space of these parts; neighbours that share unit and bounds share a string."""
    parts = tuple(parts)
    strings: list[str] = []
    for tail, group in groupby(parts, key=lambda part: part.suffix if isinstance(part, Real) else None):
        texts = [part.name if tail is not None else str(part) for part in group]
        strings += texts if tail is None else [" ".join(texts) + tail]
    limits = {name: pair for part in parts for name, pair in part.limits().items()}
    return f"Space({', '.join(map(repr, strings))})" + (f".bounded({limits!r})" if limits else "")
