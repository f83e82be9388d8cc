"""A griffe extension for the API pages: docstrings in Markdown, and every public name with its own signature."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from griffe import Alias, Class, Extension, Function, Module, Object, Parameter, ParameterKind, Parameters

SETTINGS = "pilotage.core.settings.settings"
KINDS = {kind: ParameterKind[kind.name.lower()] for kind in inspect._ParameterKind}


class Docstrings(Extension):
    """Rewrites docstrings as Markdown; the source keeps the form that reads well in a terminal."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite ``::``, which starts a block of text, and ``Example:``, which starts a session."""
        if obj.docstring is not None:
            text = re.sub(r"^([ \t]*)::[ \t]*$", r"\1", obj.docstring.value, flags=re.MULTILINE)
            text = re.sub(r"::[ \t]*$", ":", text, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)


class PublicNames(Extension):
    """Adds public names that griffe misses, and the signatures that decorators give them."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Complete the public names of a package and of its subpackages."""
        for module in packages(pkg):
            for name in map(str, module.exports or ()):
                member = module.members[name]
                if isinstance(member, Module) and name in member.members:
                    # griffe keeps one member per name, and prefers the submodule `follow` to its function `follow`.
                    member = module.members[f"{name}()"] = Alias(name, member.members[name], parent=module)
                target = member.final_target if isinstance(member, Alias) else member
                if isinstance(target, Function) and target.decorators:
                    sign(target, getattr(importlib.import_module(module.path), name))
                elif isinstance(target, Class) and any(d.callable_path == SETTINGS for d in target.decorators):
                    initialise(target, getattr(importlib.import_module(module.path), name))


def packages(package: Module) -> Iterator[Module]:
    """A package and all packages within it."""
    yield package
    for inner in package.modules.values():
        if not inner.is_alias and inner.is_init_module:
            yield from packages(inner)


def sign(function: Function, value: Any) -> None:
    """Give `function` the signature of `value`, the object that its decorators made of it."""
    own = inspect.signature(value)
    function.parameters = Parameters(*map(parameter, own.parameters.values()))
    called = own if inspect.isfunction(value) else inspect.signature(type(value).__call__)
    function.returns = called.return_annotation


def initialise(settings: Class, value: type) -> None:
    """Give `settings` the ``__init__`` of `value`, its class; griffe knows those of plain dataclasses only."""
    given = inspect.signature(value.__init__).parameters.values()
    parameters = Parameters(*map(parameter, given))
    settings.set_member("__init__", Function("__init__", parameters=parameters, parent=settings))


def parameter(given: inspect.Parameter) -> Parameter:
    """A parameter as griffe describes it."""
    annotation = None if given.annotation is given.empty else inspect.formatannotation(given.annotation).strip("'")
    default = None if given.default is given.empty else repr(given.default)
    return Parameter(given.name, annotation=annotation, kind=KINDS[given.kind], default=default)
