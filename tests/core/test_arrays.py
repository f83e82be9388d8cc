"""The border that arrays of users cross: what is more than numbers is refused, not cut off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pilotage.core import Gaussian, ShapeError, Space
from pilotage.core.arrays import numbers

PLANE = Space("x y [m]")
HIDDEN = np.ma.array([1.0, 9e9], mask=[False, True])


def doubled(values: list, times: int) -> list[list]:
    """Lists that each hold the one before twice: 60 of them stand for 10^18 numbers, in little memory."""
    found = [values]
    for _ in range(times):
        found.append([found[-1], found[-1]])
    return found


DOUBLED, EMPTIES = doubled([1.0], 60), doubled([], 60)
ENDLESS: list = [1.0]
ENDLESS.append(ENDLESS)


class Metres(np.ndarray):
    """An array with a unit, as astropy's and unyt's are."""


class Quantity:
    """A number with a unit, as pint's are."""

    magnitude, units = 3.0, "km"

    def __array__(self, dtype=None, copy=None):
        return np.asarray(3.0, dtype=dtype)


@pytest.mark.parametrize(
    "values",
    [
        HIDDEN,
        [HIDDEN, HIDDEN],
        (1.0, np.ma.masked),
        np.zeros(2).view(Metres),
        [np.zeros(2).view(Metres)],
        [Quantity(), 2.0],
        ["1", "2"],
        "abc",
        np.array(["2026-01-01"], dtype="M8[s]"),
        np.array([1, 2], dtype="m8[s]"),
        np.array([1.0 + 2.0j]),
        [[1.0], [1.0, 2.0]],
        [10**400],
        {},
        None,
        [None, 1.0],
        [[None, 1.0], [2.0, 3.0]],
        [None, [2.0, 3.0]],
        np.array([None, 1.0]),
        DOUBLED[60],
        [1.0, DOUBLED[60]],
        EMPTIES[60],
        ENDLESS,
    ],
)
def test_what_is_more_or_less_than_numbers_is_refused(values):
    with pytest.raises(ShapeError, match="goal"):
        numbers(values, "goal")
    with pytest.raises(ShapeError, match="goal"):
        PLANE.check(values, "goal")


@pytest.mark.parametrize("operation", [PLANE.normalize, lambda x: PLANE.minus(x, [0, 0]), PLANE.mean, PLANE.contains])
def test_the_operations_of_a_space_refuse_hidden_numbers(operation):
    with pytest.raises(ShapeError, match="masked"):
        operation(HIDDEN)
    with pytest.raises(ShapeError, match="masked"):
        Gaussian(PLANE, HIDDEN, np.eye(2))


@given(arrays(np.float64, (3, 2), elements=st.floats(-1e6, 1e6)), arrays(np.bool_, (3, 2)))
def test_masked_readings_are_not_measured(z, mask):
    found = PLANE.check(np.ma.array(z, mask=mask), "reading", finite=False)
    np.testing.assert_array_equal(found, np.where(mask, np.nan, z))
    assert type(found) is np.ndarray


def test_lists_may_share_rows():
    row = [1.0, np.float32(2.0)]
    np.testing.assert_array_equal(numbers([row, row, [row[0], 3]], "x"), [[1, 2], [1, 2], [1, 3]])
    np.testing.assert_array_equal(numbers([[None, row], [row, None]], "z", missing=True)[[0, 1], [1, 0]], [[1, 2]] * 2)
    assert numbers(DOUBLED[12], "x").shape == (2,) * 12 + (1,)


def test_a_mask_that_hides_nothing_is_no_harm():
    np.testing.assert_array_equal(PLANE.check(np.ma.array([1.0, 2.0])), [1.0, 2.0])
    np.testing.assert_array_equal(PLANE.check(np.ma.array([1, 2], mask=False)), [1.0, 2.0])


def test_plain_arrays_of_every_kind(tmp_path):
    kept = np.memmap(tmp_path / "a", dtype=np.float64, mode="w+", shape=(2,))
    for plain in ([1, 2], (1.0, 2), np.array([1, 2], dtype=np.uint8), np.float32([1, 2]), [np.float64(1), True], kept):
        assert numbers(plain, "x").dtype == np.float64
    z = np.zeros(3)
    assert numbers(z, "x") is z
