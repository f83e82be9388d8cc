"""A trace keeps what its function read from outside: models share it while that stays, and only then."""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from pilotage.core import Space
from pilotage.models import bicycle, dynamics, gnss
from pilotage.models.trace.dynamics import DynamicsFamily

Change = Callable[[], Any]
Case = Callable[[], tuple[Callable[..., Any], Change]]

HELPERS = """
GAIN = 2.0
def pull(a, gain=1.0):
    return GAIN * gain * a
"""


def family(body: Callable[..., Any]) -> DynamicsFamily:
    """Dynamics of one number v with the rate ``body(v)``, whose Euler step of a second is v + rate."""

    def growing(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (body(x[0]),)

    return dynamics(state=Space("v"), action=Space(), integrator="euler")(growing)


def rate(model: Any) -> float:
    return float(model.step([1.0], [], 1.0)[0]) - 1.0


@dataclass
class Tyre:
    stiffness: float = 2.0
    table: Any = field(default_factory=lambda: np.array([2.0, 5.0]))

    def force(self, slip: Any) -> Any:
        return self.stiffness * slip

    @property
    def stiff(self) -> float:
        return self.stiffness


class Base:
    gain = 2.0

    def scaled(self, a: Any) -> Any:
        return self.gain * a

    @staticmethod
    def doubled(a: Any) -> Any:
        return 2.0 * a


class Slotted:
    __slots__ = ("gain",)


class Mode(Enum):
    SLOW = 2.0
    FAST = 3.0


class Pair(NamedTuple):
    gain: float
    other: float = 0.0


def nested_attribute() -> Any:
    config = SimpleNamespace(tyre=Tyre())
    return lambda v: config.tyre.stiffness * v, lambda: setattr(config.tyre, "stiffness", 3.0)


def method() -> Any:
    tyre = Tyre()
    return lambda v: tyre.force(v), lambda: setattr(tyre, "stiffness", 3.0)


def kept_method() -> Any:
    tyre = Tyre()
    force = tyre.force
    return lambda v: force(v), lambda: setattr(tyre, "stiffness", 3.0)


def computed_property() -> Any:
    tyre = Tyre()
    return lambda v: tyre.stiff * v, lambda: setattr(tyre, "stiffness", 3.0)


def array_attribute() -> Any:
    tyre = Tyre()
    return lambda v: tyre.table[0] * v, lambda: tyre.table.__setitem__(0, 3.0)


def list_attribute() -> Any:
    config = SimpleNamespace(gains=[1.0, 2.0])
    return lambda v: config.gains[1] * v, lambda: config.gains.__setitem__(1, 3.0)


def objects_in_a_list() -> Any:
    tyres = [Tyre()]
    return lambda v: tyres[0].stiffness * v, lambda: setattr(tyres[0], "stiffness", 3.0)


def objects_in_a_dict() -> Any:
    tyres = {"front": Tyre()}
    return lambda v: tyres["front"].stiffness * v, lambda: setattr(tyres["front"], "stiffness", 3.0)


def class_attribute() -> Any:
    class Own(Base):
        gain = 2.0

    return lambda v: Own.gain * v, lambda: setattr(Own, "gain", 3.0)


def class_attribute_of_an_object() -> Any:
    class Own(Base):
        pass

    own = Own()
    return lambda v: own.gain * v, lambda: setattr(Own, "gain", 3.0)


def class_attribute_in_a_method() -> Any:
    class Own(Base):
        pass

    own = Own()
    return lambda v: own.scaled(v), lambda: setattr(Own, "gain", 3.0)


def replaced_method() -> Any:
    class Own(Base):
        pass

    own = Own()
    return lambda v: own.scaled(v), lambda: setattr(Own, "scaled", lambda self, a: 3.0 * a)


def replaced_static_method() -> Any:
    class Own(Base):
        pass

    return lambda v: Own.doubled(v), lambda: setattr(Own, "doubled", staticmethod(lambda a: 3.0 * a))


def class_without_a_module() -> Any:
    names: dict[str, Any] = {}
    exec("class Own:\n    gain = 2.0\nown = Own()\ndef body(v): return own.gain * v", names)
    return names["body"], lambda: setattr(names["Own"], "gain", 3.0)


def slot() -> Any:
    slotted = Slotted()
    slotted.gain = 2.0
    return lambda v: slotted.gain * v, lambda: setattr(slotted, "gain", 3.0)


def member_of_an_enum() -> Any:
    config = SimpleNamespace(mode=Mode.SLOW)
    return lambda v: config.mode.value * v, lambda: setattr(config, "mode", Mode.FAST)


def named_tuple() -> Any:
    config = SimpleNamespace(pair=Pair(2.0))
    return lambda v: config.pair.gain * v, lambda: setattr(config, "pair", Pair(3.0))


def attribute_by_its_name() -> Any:
    tyre = Tyre()
    return lambda v: getattr(tyre, "stiff" + "ness") * v, lambda: setattr(tyre, "stiffness", 3.0)


def object_under_another_name() -> Any:
    tyre = Tyre()

    def body(v: Any) -> Any:
        same = tyre
        return sum(same.stiffness * each for each in (v,))

    return body, lambda: setattr(tyre, "stiffness", 3.0)


def default_argument() -> Any:
    def body(v: Any, gain: float = 2.0) -> Any:
        return gain * v

    return body, lambda: setattr(body, "__defaults__", (3.0,))


def default_by_keyword() -> Any:
    def body(v: Any, *, gain: float = 2.0) -> Any:
        return gain * v

    return body, lambda: setattr(body, "__kwdefaults__", {"gain": 3.0})


def code_of_a_function() -> Any:
    def body(v: Any) -> Any:
        return 2.0 * v

    return body, lambda: setattr(body, "__code__", (lambda v: 3.0 * v).__code__)


def closure_of_a_helper() -> Any:
    gain = 2.0

    def helper(v: Any) -> Any:
        return gain * v

    def change() -> None:
        nonlocal gain
        gain = 3.0

    return lambda v: helper(v), change


def negative_zero() -> Any:
    config = SimpleNamespace(side=-0.0)
    return lambda v: (2.5 + math.copysign(0.5, config.side)) * v, lambda: setattr(config, "side", 0.0)


CASES: list[Case] = [
    nested_attribute, method, kept_method, computed_property, array_attribute, list_attribute, objects_in_a_list,
    objects_in_a_dict, class_attribute, class_attribute_of_an_object, class_attribute_in_a_method, replaced_method,
    replaced_static_method, class_without_a_module, slot, member_of_an_enum, named_tuple, attribute_by_its_name,
    object_under_another_name, default_argument, default_by_keyword, code_of_a_function, closure_of_a_helper,
    negative_zero,
]  # fmt: skip


def changes(body: Callable[..., Any], change: Change, shares: bool = True) -> None:
    """A new model after a change has the new rate, 3 instead of 2; one before it shares the trace, or not."""
    of = family(body)
    before, same = of(), of()
    assert (before._function is same._function) == (before == same) == shares
    change()
    after = of()
    assert (rate(before), rate(after)) == (2.0, 3.0)
    assert before != after


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_change_outside_makes_another_trace(case: Case) -> None:
    changes(*case())


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "robot_helpers.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "robot_helpers", raising=False)
    yield importlib.import_module("robot_helpers")
    del sys.modules["robot_helpers"]


MODULES: dict[str, Callable[[Any], tuple[Callable[..., Any], Change]]] = {
    "number": lambda h: (lambda v: h.GAIN * v, lambda: setattr(h, "GAIN", 3.0)),
    "global of a function": lambda h: (lambda v: h.pull(v), lambda: setattr(h, "GAIN", 3.0)),
    "function": lambda h: (lambda v: h.pull(v), lambda: setattr(h, "pull", lambda a: 3.0 * a)),
    "defaults": lambda h: (lambda v: h.pull(v), lambda: setattr(h.pull, "__defaults__", (1.5,))),
}


@pytest.mark.parametrize("case", MODULES)
def test_a_change_in_an_imported_module_makes_another_trace(case: str, helpers: ModuleType) -> None:
    changes(*MODULES[case](helpers))


def test_numbers_of_the_same_name_in_two_modules_are_two(helpers: ModuleType) -> None:
    GAIN = 1.0
    changes(lambda v: GAIN * helpers.pull(v), lambda: setattr(helpers, "GAIN", 3.0))


def dynamic_attribute() -> Any:
    class Dynamic:
        held = 2.0

        def __getattribute__(self, name: str) -> Any:
            return Dynamic.held

    dynamic = Dynamic()
    return lambda v: dynamic.gain * v, lambda: setattr(Dynamic, "held", 3.0)


def iterator() -> Any:
    gains = itertools.cycle([2.0, 2.0, 3.0])  # the traces of both models before, and of that after
    return lambda v: next(gains) * v, lambda: None


def partial() -> Any:
    tyre = Tyre()
    held = functools.partial(Tyre.force, tyre)
    return lambda v: held(v), lambda: setattr(tyre, "stiffness", 3.0)


def elementwise() -> Any:
    tyre = Tyre()
    force = np.frompyfunc(lambda slip: tyre.stiffness * slip, 1, 1)
    return lambda v: force(2.0) / 2.0 * v, lambda: setattr(tyre, "stiffness", 3.0)


def names_that_are_computed() -> Any:
    names = {"gain": 2.0, "__name__": "robot"}
    exec("def body(v): return globals()['ga' + 'in'] * v", names)
    return names["body"], lambda: names.update(gain=3.0)


def module_by_name() -> Any:
    module = ModuleType("robot_names")
    module.__dict__["gain"] = 2.0
    return lambda v: getattr(module, "ga" + "in") * v, lambda: module.__dict__.update(gain=3.0)


UNCLEAR: list[Case] = [
    dynamic_attribute, iterator, partial, elementwise, names_that_are_computed, module_by_name
]  # fmt: skip


@pytest.mark.parametrize("case", UNCLEAR, ids=lambda case: case.__name__)
def test_what_cannot_be_taken_by_value_is_traced_each_time(case: Case) -> None:
    changes(*case(), shares=False)


def test_a_long_chain_of_objects_is_traced_each_time() -> None:
    chain = SimpleNamespace(gain=2.0)
    for _ in range(5000):
        chain = SimpleNamespace(next=chain)
    body = family(lambda v: (2.0 if chain is None else 3.0) * v)
    assert body()._function is not body()._function


def test_functions_that_do_not_change_share() -> None:
    def recursive(v: Any, n: int) -> Any:
        return v if n == 0 else recursive(v, n - 1) + np.clip(0.25, 0.0, 1.0) * math.pi

    of = family(lambda v: recursive(v, 3))
    assert of()._function is of()._function
    assert bicycle(wheelbase=2.0)._function is bicycle(wheelbase=3.0)._function
    assert gnss(std=1.5)._function is gnss(std=2.5)._function
    assert bicycle().frozen == gnss().frozen == {}


def test_frozen_names_what_is_read(helpers: ModuleType) -> None:
    config = SimpleNamespace(tyre=Tyre(), gains=[1.0, 2.0], unread=5.0, wide=np.zeros(1000))
    limits = {"low": 0.0}

    def body(v: Any) -> Any:
        return config.tyre.stiffness * v + config.gains[0] + helpers.pull(v) + config.tyre.table[1] + limits["low"]

    frozen = family(lambda v: body(v) + config.wide[3])().frozen
    assert frozen.pop("config.tyre.table").tolist() == [2.0, 5.0]
    expected = {"config.tyre.stiffness": 2.0, "config.gains": [1.0, 2.0], "limits": {"low": 0.0}}
    assert frozen == {**expected, "robot_helpers.GAIN": 2.0}
    config.gains[0] = 7.0
    assert frozen["config.gains"] == [1.0, 2.0], "as it was"
