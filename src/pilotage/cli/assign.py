"""Settings from the words of a command: ``key=value``, typed by the fields of a settings class."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

from pilotage.core.errors import SettingError
from pilotage.core.settings import setting

Kind = TypeVar("Kind")
WORDS = {"true": True, "false": False, "none": None, "null": None}
ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def assigned(kind: type[Kind], pairs: Iterable[str], named: Mapping[str, Any]) -> Kind:
    """Settings of the class `kind`, of ``key=value`` pairs, and of values by name that are text or None.

    Raises:
        SettingError: if a pair has no ``=``, a key is unknown or given twice, or a value does not fit its field.

    Example:
        >>> from pilotage.learning import TrainingSettings
        >>> some = assigned(TrainingSettings, ["rate=3e-3", "clip=none", "device=cpu"], {"seed": "4"})
        >>> some.rate, some.clip, some.device, some.seed
        (0.003, None, 'cpu', 4)
    """
    found: dict[str, str] = {}
    for key, value in [*map(_split, pairs), *((k.replace("-", "_"), v) for k, v in named.items() if v is not None)]:
        if key in found:
            raise SettingError(f"{key} is given twice: {found[key]} and {value}; give it once")
        found[key] = str(value)
    types = get_type_hints(kind, include_extras=True)
    return kind(**{key: _typed(text, types.get(key, Any), f"{key} of {kind.__name__}") for key, text in found.items()})


def _split(pair: str) -> tuple[str, str]:
    key, sign, value = pair.partition("=")
    if not sign or not key:
        raise SettingError(f"set is {pair!r}; expected key=value, such as steps=500")
    return key.strip(), value.strip()


def _typed(text: str, kind: Any, name: str) -> Any:
    """The first reading of a text that fits the type: a literal, the text itself, or a list of one value."""
    literal = _literal(text)
    for value in (literal, text, (literal,)):
        try:
            return setting(value, kind, name)
        except SettingError:
            continue
    return setting(literal, kind, name)


def _literal(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def described(kind: type[Any]) -> list[tuple[str, str, str]]:
    """Name, default and meaning of each field of a settings class, from the ``Attributes:`` of its docstrings.

    Example:
        >>> from pilotage.learning import TrainingSettings
        >>> described(TrainingSettings)[0]
        ('steps', '1000', 'number of gradient steps')
    """
    meanings: dict[str, str] = {}
    for cls in reversed(kind.__mro__):
        doc = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")[2].partition("\n\n")[0]
        for names, text in ENTRY.findall(doc):
            meanings.update(dict.fromkeys(names.split(", "), " ".join(text.split()).rstrip(".")))
    return [(f.name, "" if f.default is MISSING else _shown(f.default), meanings.get(f.name, "")) for f in fields(kind)]


def _shown(value: Any) -> str:
    """A default as it is given in the command."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else "none" if value is None else str(value)
