"""Settings are brought to their declared types, or refused with their name and value."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import Dynamics, SettingError
from pilotage.core.settings import (
    Count,
    Finite,
    Fraction,
    Interval,
    Natural,
    NonNegative,
    Numbers,
    Positive,
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
    with pytest.raises(SettingError, match=rf"^{name} of Bounded is "):
        Bounded(**{name: value})
    with pytest.raises(SettingError, match=rf"^{name} of Bounded is "):
        replace(Bounded(), **{name: value})


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
