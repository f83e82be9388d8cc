"""The API pages in docs/api: a table of the public names of each subpackage, above the directive that the site expands.

`python -m tests.test_architecture` writes them, together with the list of public names.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pilotage

SOURCE = Path(pilotage.__file__).parent
FOLDER = Path(__file__).parent.parent / "docs" / "api"


def page(room: str, rooms: list[str]) -> str:
    """The API page of a subpackage: a section for it, and one for each subpackage within it that has other names."""
    parts, listed = [], dict[int, Any]()
    for inner in (name for name in rooms if name == room or name.startswith(f"{room}.")):
        module = importlib.import_module(f"pilotage.{inner}")
        public = {name: getattr(module, name) for name in sorted(module.__all__)}
        new = {name: value for name, value in public.items() if id(value) not in listed}
        listed |= {id(value): value for value in new.values()}
        if new:
            parts.append(section(inner, new, partly=len(new) < len(public)))
    return "\n".join(parts)


def section(room: str, public: dict[str, Any], partly: bool) -> str:
    """Heading, table and directive of a subpackage; of these names only, where some are listed elsewhere."""
    rows = [f"| `{name}{signature(value)}` | {summary(room, name, value)} |" for name, value in public.items()]
    chosen = f"    options:\n      members: [{', '.join(public)}]\n" if partly else ""
    lines = [f"# pilotage.{room}", "", "| name | summary |", "|---|---|", *rows, "", f"::: pilotage.{room}"]
    return "\n".join(lines) + "\n" + chosen


def signature(value: Any) -> str:
    """The parameters with their defaults, without types; nothing for what is not called."""
    if not called(value):
        return ""
    found = inspect.signature(value)
    given = [p.replace(annotation=p.empty, default=Shown(p.default)) for p in found.parameters.values()]
    return str(found.replace(parameters=given, return_annotation=found.empty)).replace("|", "\\|")


def called(value: Any) -> bool:
    """Whether users call it: not a protocol, an enumeration, an error or a constant."""
    made_elsewhere = isinstance(value, type) and issubclass(value, enum.Enum | Exception)
    return callable(value) and not made_elsewhere and not getattr(value, "_is_protocol", False)


class Shown:
    """A default value with a short `repr` that is the same in every process and version of Python."""

    def __new__(cls, value: Any) -> Any:
        return value if value is inspect.Parameter.empty else super().__new__(cls)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        if isinstance(self.value, enum.Enum):
            return str(self.value)
        if isinstance(self.value, float):
            return f"{self.value:.6g}" if self.value % 1 else repr(self.value)
        text = repr(self.value)
        return "..." if text.startswith("<") else text


def summary(room: str, name: str, value: Any) -> str:
    """The first sentence of the docstring."""
    text = inspect.getdoc(value) if callable(value) else next(attribute_docstrings(room, name), "")
    first = " ".join((text or "").partition("\n\n")[0].split())
    sentence = re.match(r".+?[.!?](?= |$)", first)
    return (sentence[0] if sentence else first).replace("|", "\\|")


def attribute_docstrings(room: str, name: str) -> Iterator[str]:
    """The strings below assignments to `name` in the files of a subpackage."""
    for file in sorted((SOURCE / room.replace(".", "/")).rglob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for set_here, below in itertools.pairwise(body):
            targets = getattr(set_here, "targets", [getattr(set_here, "target", None)])
            named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
            if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                yield str(below.value.value)


def write(rooms: list[str]) -> None:
    """Write the pages of all subpackages."""
    for room in (name for name in rooms if "." not in name):
        (FOLDER / f"{room}.md").write_text(page(room, rooms), encoding="utf-8")
