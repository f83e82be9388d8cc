"""Settings are brought to their declared types, or refused with their name and value."""

from __future__ import annotations

import importlib
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import Dynamics, PilotageError, SettingError, Space
from pilotage.core.settings import (
    Count,
    Finite,
    Fraction,
    Interval,
    Natural,
    NonNegative,
    Numbers,
    Positive,
    by_name,
    instance,
    number,
    positive,
    setting,
    settings,
    shown,
    whole,
)
from pilotage.models import LinearDynamics

if TYPE_CHECKING:
    from decimal import Decimal


@settings
class Search:
    weight: Annotated[float, Interval(1.0, 2.0, "[)")] = 1.0
    samples: Count = 100
    policy: Literal["hold", "brake"] = "hold"
    neighbours: Literal[4, 8] = 8
    origin: tuple[Finite, Finite, Finite] = (0.0, 0.0, 0.0)
    radii: tuple[Positive, ...] = ()
    gate: Fraction | None = None
    model: Dynamics | None = None
    metric: Callable[[Any], float] | None = None
    several: tuple[Any, ...] = ()
    scale: Decimal | None = None
    discs: Annotated[np.ndarray, Numbers(None, 3)] = ((0.0, 0.0, 1.0),)  # type: ignore[assignment]


@settings(kw_only=True)
class Bounded(Search):
    low: float = 0.0
    high: float = np.inf

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise SettingError(f"low is {self.low} and high {self.high}; expected low <= high")


def test_values_are_brought_to_their_types() -> None:
    made = Bounded(np.float32(1.5), np.int64(7), "brake", np.int8(4), np.zeros(3), [1, 2], 1, low=-np.inf, high=3)
    assert (made.weight, made.samples, made.neighbours, made.origin) == (1.5, 7, 4, (0.0, 0.0, 0.0))
    assert [type(v) for v in (made.weight, made.samples, made.neighbours, made.high, made.gate)] == [
        *(float, int, int, float, float)
    ]
    assert made.radii == (1.0, 2.0)
    assert made.discs.shape == (1, 3)
    assert not made.discs.flags.writeable
    assert pickle.loads(pickle.dumps(made)).origin == made.origin
    with pytest.raises(FrozenInstanceError):
        made.samples = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("weight", value) for value in (0.5, 2.0, np.nan, "1.5", True, None, [1.0], np.ma.masked)),
        *(("samples", value) for value in (0, 2.5, True, "3", np.zeros(2))),
        *(("policy", value) for value in ("stop", 1, None)),
        *(("neighbours", value) for value in (6, 8.0, "8")),
        *(("origin", value) for value in ((0, 0), 3.0, (0, 0, np.inf), "abc")),
        *(("radii", value) for value in ([1, -1], 2.0, np.array(1.0), ([1], [1, 2]))),
        *(("gate", value) for value in (1.5, "no")),
        *(("model", value) for value in (LinearDynamics, 3)),
        *(("discs", value) for value in ([0, 0, 1], np.zeros((2, 2)), [[0, 0, np.nan]])),
        *(("metric", value) for value in ("far", 3, [abs])),
        *(("several", value) for value in (3, None, LinearDynamics)),
        *(("low", value) for value in (np.nan, "0", 1.0 + 2.0j)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SettingError, match=rf"^{name} of Bounded is ") as caught:
        Bounded(**{name: value})
    assert caught.value.setting == f"{name} of Bounded"
    with pytest.raises(SettingError, match=rf"^{name} of Bounded is "):
        replace(Bounded(), **{name: value})


def test_a_setting_that_is_passed_on_is_named_by_its_user() -> None:
    class Outer:
        @by_name
        def __init__(self, samples: Any = 3, other: Any = 1.0) -> None:
            self.inner = Bounded(samples=samples, weight=other)

    with pytest.raises(SettingError, match=r"^samples of Outer is 2\.5; expected") as caught:
        Outer(samples=2.5)
    assert caught.value.setting == "samples of Outer"
    with pytest.raises(SettingError, match="^weight of Bounded is"):
        Outer(other=-1.0)


def test_relations_are_checked_after_the_types() -> None:
    with pytest.raises(SettingError, match="low is 2.0 and high 1.0"):
        Bounded(low=2, high=1)


def test_a_model_that_was_not_called() -> None:
    with pytest.raises(SettingError, match=r"is \(\) missing"):
        Search(model=LinearDynamics)  # type: ignore[arg-type]
    cart = LinearDynamics([[0.0]], [[1.0]])
    assert instance(cart, Dynamics, "EKF") is cart
    for wrong in (LinearDynamics, 3):
        with pytest.raises(SettingError, match="EKF needs Dynamics"):
            instance(wrong, Dynamics, "EKF")


@given(st.floats(), st.floats(-2, 2), st.floats(-2, 2), st.sampled_from(["()", "(]", "[)", "[]"]))
def test_intervals(value: float, low: float, high: float, ends: Any) -> None:
    above = value > low or (value == low and ends[0] == "[")
    below = value < high or (value == high and ends[1] == "]")
    if above and below:
        assert setting(value, Annotated[float, Interval(low, high, ends)], "x") == value
    else:
        with pytest.raises(SettingError, match="^x is "):
            setting(value, Annotated[float, Interval(low, high, ends)], "x")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2.0), np.int64(2), np.array(2.0)])
def test_numbers_of_every_kind(value: Any) -> None:
    assert number(value, "speed") == positive(value, "speed") == setting(value, NonNegative, "speed") == 2.0
    assert type(positive(value, "speed")) is float


def test_a_message_writes_out_no_more_than_it_shows() -> None:
    """Twelve lists of nine lists each would be gigabytes."""
    nested: Any = "lol"
    for _ in range(12):
        nested = [nested] * 9
    for value in (nested, {"a": nested}, 9 * 10**6000, "x" * 10**6, np.zeros(10**6)):
        assert len(shown(value)) < 100


def test_zero_and_whole_numbers() -> None:
    assert positive(0, "radius", zero=True) == 0.0
    assert setting(0, Natural, "n") == 0
    assert whole(np.uint64(3), "axes", 1, 3) == 3
    for call in (lambda: positive(0, "r"), lambda: whole(4, "r", 1, 3), lambda: setting(-1, Natural, "r")):
        with pytest.raises(SettingError, match="^r is "):
            call()


def test_a_wrong_name_is_refused_with_the_names_that_there_are() -> None:
    @settings
    class Base:
        samples: Count = 3

    @settings
    class Derived(Base):
        goal_radius: Positive = 1.0
        found: int = field(default=0, init=False)

    class Plain:
        @by_name
        def __init__(self, size: int, *, tolerance: float = 0.1) -> None:
            self.size, self.tolerance = size, tolerance

    assert Plain(3, tolerance=0.2).tolerance == 0.2
    assert list(inspect.signature(Plain).parameters) == ["size", "tolerance"]
    with pytest.raises(SettingError, match="Plain has no setting goal_tolerance; did you mean tolerance"):
        Plain(3, goal_tolerance=0.2)  # type: ignore[call-arg]
    with pytest.raises(SettingError, match="Derived .* sample; did you mean samples.* samples, goal_radius$"):
        Derived(sample=4)  # type: ignore[call-arg]
    with pytest.raises(SettingError, match="Base has no setting zzz; it has samples"):
        Base(zzz=1)  # type: ignore[call-arg]
    with pytest.raises(SettingError, match="Derived has no setting found"):
        Derived(found=1)  # type: ignore[call-arg]
    assert pickle.loads(pickle.dumps(Bounded())).samples == Bounded().samples
    for wrong in (lambda: Plain(), lambda: Plain(1, 2), lambda: Plain(1, size=2)):  # type: ignore[call-arg, misc]
        with pytest.raises(TypeError):
            wrong()


def test_an_error_inside_is_not_taken_for_a_wrong_name() -> None:
    @by_name
    def failing(**given: int) -> None:
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        failing(anything=1)


NOISY = 3 * 2.8
"""8.399999999999999."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOISY, "8.4"),
        (np.float64(-NOISY), "-8.4"),
        ((0.1 + 0.2, [NOISY]), "(0.3, [8.4])"),
        ({"x": NOISY * 1e-7}, "{'x': 8.4e-07}"),
        (Space("x [m]").bounded({"x": (-NOISY, 1.0)}), "Space('x [m] in [-8.4, 1]')"),
        (1.0 + 1e-13, "1.0000000000001"),
        (-np.inf, "-inf"),
        (4.0, "4.0"),
    ],
    ids=str,
)
def test_numbers_are_shown_without_the_noise_of_rounding(value: Any, text: str) -> None:
    assert len(repr(NOISY)) > 10
    assert shown(value) == text


SETTLED = {"estimators": 5, "planners": 3, "control": 0}


@pytest.mark.parametrize("room", SETTLED)
def test_all_that_has_settings_names_them(room: str) -> None:
    """Every class that is declared by `settings`, and every controller and task."""
    module = importlib.import_module(f"pilotage.{room}")
    public = (getattr(module, name) for name in module.__all__)
    found = [made for made in public if hasattr(made, "__post_init__") and not hasattr(made, "moments")]  # no beliefs
    assert len(found) >= SETTLED[room]
    if room == "control":
        found += [getattr(module, name) for name in ("MPPI", "ILQR", "PurePursuit", "follow", "reach")]
    for made in found:
        with pytest.raises(PilotageError, match="no setting goal_tolerans"):
            made(goal_tolerans=1.0)
