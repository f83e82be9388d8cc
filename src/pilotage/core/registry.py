"""Registries: objects by name, by entry point of another package, or as ``module:object``."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import entry_points
from typing import Any, TypeVar

from .errors import SettingError

Kind = TypeVar("Kind")
_searched: list[str] = []


def search(folder: str | os.PathLike[str]) -> None:
    """Let ``module:object`` find the modules of a folder, after all that Python finds anyway.

    Example:
        >>> search("/nowhere")
        >>> "/nowhere" in searched()
        True
    """
    folder = os.path.abspath(folder)
    if folder not in _searched:
        _searched.append(folder)
    if folder not in sys.path:
        sys.path.append(folder)


def searched() -> list[str]:
    """The folders of `search`, and the working folder."""
    return list(dict.fromkeys([*_searched, os.getcwd()]))


class Registry:
    """Objects by name.

    A name is looked up among those of the registry, then among the entry points of installed packages; a name with a
    colon is an object in a module, which may lie in the working folder, or in a folder of `search`.

    Args:
        kind: the kind of the objects, for messages.
        group: group of the entry points.

    Example:
        >>> shapes = Registry("shape", "example.shapes")
        >>> @shapes.add
        ... def square():
        ...     return 4
        >>> shapes.names(), shapes.get("square")(), shapes.get("math:pi")
        (['square'], 4, 3.141592653589793)
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind, self.group = kind, group
        self._own: dict[str, Any] = {}

    def add(self, made: Kind, name: str = "") -> Kind:
        """Register an object under a name; as a decorator, a function or class under its own."""
        self._own[name or made.__name__] = made  # type: ignore[attr-defined]
        return made

    def names(self) -> list[str]:
        """All names, in order."""
        return sorted({*self._own, *(point.name for point in entry_points(group=self.group))})

    def summary(self, name: str) -> str:
        """The first sentence of the docstring of an object, or the reason why it cannot be loaded, for lists.

        Example:
            >>> registry = Registry("shape", "example.shapes")
            >>> _ = registry.add(Registry)
            >>> registry.summary("Registry")
            'Objects by name.'
        """
        try:
            made = self.get(name)
        except SettingError as error:
            return str(error)
        return (getattr(made, "__doc__", None) or "").strip().partition("\n")[0]

    def get(self, name: str) -> Any:
        """The object of a name.

        Raises:
            SettingError: if there is none; the message lists the names.
        """
        if name in self._own:
            return self._own[name]
        module, colon, attribute = name.partition(":")
        return self._imported(module, attribute) if colon else self._installed(name)

    def _installed(self, name: str) -> Any:
        for point in entry_points(group=self.group):
            if point.name == name:
                try:
                    return point.load()
                except Exception as error:  # of another package, whose import may raise anything
                    raise SettingError(f"{self.kind} {name} ({point.value}) cannot be loaded: {error}") from error
        raise SettingError(
            f"there is no {self.kind} {name!r}; there are {', '.join(self.names())}; your own is module:object"
        )

    def _imported(self, module: str, attribute: str) -> Any:
        if os.getcwd() not in sys.path and "" not in sys.path:
            sys.path.append(os.getcwd())
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise SettingError(f"{self.kind} {module}:{attribute} cannot be loaded: {error}") from error
