"""Names that come from the files of simulators."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence


def identifier(name: str) -> str:
    """A name with the characters that a space's names may have.

    Example:
        >>> identifier("hip-left"), identifier("3rd")
        ('hip_left', '_3rd')
    """
    plain = re.sub(r"\W", "_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def distinct(names: Sequence[str], spare: str, taken: Collection[str] = ()) -> list[str]:
    """Identifiers that all differ; names that are empty become `spare` and their index.

    Where two would be the same, the later one gets an underscore, and a name that a file gives goes before a spare one.

    Example:
        >>> distinct(["", "joint0", "hip-left", "hip_left"], "joint")
        ['joint0_', 'joint0', 'hip_left', 'hip_left_']
    """
    used, out = set(taken), dict[int, str]()
    for i in sorted(range(len(names)), key=lambda i: not names[i]):
        free = identifier(names[i]) or f"{spare}{i}"
        while free in used:
            free += "_"
        used.add(free)
        out[i] = free
    return [out[i] for i in range(len(names))]


def listed(names: Collection[str], most: int = 8) -> str:
    """Names for a message, not too many of them.

    Example:
        >>> listed(["hip", "knee"]), listed(["a", "b", "c", "d"], most=2), listed([])
        ('hip, knee', 'a, b and 2 more', 'none')
    """
    shown, more = ", ".join(list(names)[:most]), len(names) - most
    return (f"{shown} and {more} more" if more > 0 else shown) or "none"


def clipped(text: object, most: int = 160) -> str:
    """Text from elsewhere as part of a message: one line, cut where it is long.

    Example:
        >>> clipped("unknown   element  in line 3"), clipped("abcdef", most=3)
        ('unknown element in line 3', 'abc ...')
    """
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[:most]} ..."
