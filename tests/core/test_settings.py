"""Settings are numbers in their range, or refused in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, ModelError, ShapeError
from pilotage.core.settings import instance, number, positive, whole
from pilotage.models import LinearDynamics


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2.0), np.int64(2), np.array(2.0)])
def test_numbers_of_every_kind(value: Any) -> None:
    assert number(value, "speed") == positive(value, "speed") == 2.0
    assert type(positive(value, "speed")) is float


@pytest.mark.parametrize("value", [[1.0], [1.0, 2.0], np.zeros((0,)), "fast", {}, object()])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ShapeError, match=r"^speed is "):
        number(value, "speed")


@pytest.mark.parametrize("value", [-1.0, -np.inf, np.inf, np.nan, None])
def test_what_is_not_positive(value: Any) -> None:
    for zero in (False, True):
        with pytest.raises(ShapeError, match=r"^speed is .*; expected a "):
            positive(value, "speed", zero=zero)


def test_zero_where_it_is_allowed() -> None:
    assert positive(0, "radius", zero=True) == 0.0
    with pytest.raises(ShapeError, match="radius is 0; expected a positive number"):
        positive(0, "radius")


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_whole_numbers_of_every_kind(value: Any) -> None:
    assert whole(value, "samples") == 3
    assert type(whole(value, "samples")) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, True, np.True_, "3", None, np.array([1, 2])])
def test_what_is_not_whole(value: Any) -> None:
    with pytest.raises(ShapeError, match=r"^samples is .*; expected a whole number, 1 or more$"):
        whole(value, "samples")


def test_whole_numbers_up_to_some() -> None:
    assert whole(3, "axes", 1, 3) == 3
    with pytest.raises(ShapeError, match="^axes is 4; expected a whole number from 1 to 3$"):
        whole(4, "axes", 1, 3)


def test_what_was_not_made() -> None:
    cart = LinearDynamics([[0.0]], [[1.0]])
    assert instance(cart, Dynamics, "EKF") is cart
    with pytest.raises(ModelError, match=r"EKF needs Dynamics, not <class .*LinearDynamics'> of type .*; is \(\) miss"):
        instance(LinearDynamics, Dynamics, "EKF")
    with pytest.raises(ModelError, match=r"EKF needs Dynamics, not 3 of type int$"):
        instance(3, Dynamics, "EKF")
