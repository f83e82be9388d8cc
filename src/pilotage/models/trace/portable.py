"""Models travel to other processes: their functions go by the name of the family that has them.

A decorated function cannot be pickled by its own name, for that is its family's, and one that was written inside
another function has no name at all. So a model is sent as family, parameters and settings.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

from .family import Family

SomeFamily = TypeVar("SomeFamily", bound=Family[Any])
_variants: dict[Any, Family[Any]] = {}


def variants(factory: Callable[..., SomeFamily]) -> Callable[..., SomeFamily]:
    """`factory`, called once for equal arguments; other processes make its families by the same call.

    Example:
        >>> import pickle
        >>> from pilotage.models import constant_velocity
        >>> pickle.loads(pickle.dumps(constant_velocity(3))).state.size
        6
    """

    @functools.cache
    def kept(*args: Any) -> SomeFamily:
        family = factory(*args)
        family.origin = (made, args)
        _variants[family.__wrapped__] = family
        return family

    @functools.wraps(factory)
    def made(*args: Any) -> SomeFamily:
        return kept(*args)

    return made


def portable(body: Callable[..., Any], *others: Any) -> tuple[Any, ...]:
    """A model's function, and others that it may have from its family, as what can be pickled where that is possible.

    What belongs to no family stays as it is: pickle takes functions at the top of a module, cloudpickle all.
    """
    family = _family(body)
    if family is None:
        return (body, *others)
    roles = {id(function): role for role, function in family.functions.items() if function is not None}
    return (family, *(roles.get(id(other), other) for other in others))


def restored(sent: tuple[Any, ...]) -> tuple[Any, ...]:
    """The object that `portable` was given."""
    family, *others = sent
    if not isinstance(family, Family):
        return sent
    functions: dict[Any, Any] = family.functions
    return (family.__wrapped__, *(functions[other] if isinstance(other, str) else other for other in others))


def _family(body: Callable[..., Any]) -> Family[Any] | None:
    """The family of a function, when another process can find it."""
    if body in _variants:
        return _variants[body]
    found: Any = sys.modules.get(body.__module__)
    for name in body.__qualname__.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, Family) or found.__wrapped__ is not body:
        return None
    return cast(Family[Any], found)
