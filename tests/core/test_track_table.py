"""Tables of tracks, the labels of detections, and boxes: what holds for every table, and what is refused."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotage.core import (
    BOX,
    CovarianceError,
    Scans,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
    TrackTable,
    giou,
    iou,
)
from pilotage.models import position

PLANE = Space("x y [m]")


def table(rows: int = 30, seed: int = 0, **more: Any) -> TrackTable:
    """A random table, whose rows are given in any order."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(200)[:rows]
    return TrackTable(0.1 * (cells % 10), cells // 10, rng.normal(size=(rows, 2)), space=PLANE, **more)


@given(rows=st.integers(0, 60), seed=st.integers(0, 999))
def test_rows_are_sorted_and_instants_part_them(rows: int, seed: int) -> None:
    whole = table(rows, seed)
    assert sorted(zip(whole.t, whole.id, strict=True)) == list(zip(whole.t, whole.id, strict=True))
    assert sum(map(len, whole.instants())) == len(whole) == rows
    for t, instant in zip(whole.times, whole.instants(), strict=True):
        assert (instant.t == t).all()
        np.testing.assert_array_equal(instant.id, whole.at(t).id)
    np.testing.assert_array_equal(whole.ids, sorted({*whole.id.tolist()}))
    assert all((whole.of(i).id == i).all() for i in whole.ids)
    assert sum(len(whole.of(i)) for i in whole.ids) == rows


def test_parts_joined_are_the_whole() -> None:
    covs = np.tile(np.eye(2), (30, 1, 1)) * np.arange(1, 31)[:, None, None]
    whole = table(cov=covs, score=np.arange(30.0), kind="car")
    early, late = whole.between(0.0, 0.4), whole.between(0.41, 2.0)
    again = late.joined(early)
    for column in ("t", "id", "x", "cov", "score", "kind"):
        np.testing.assert_array_equal(getattr(again, column), getattr(whole, column))
    assert late.joined(table(5, 1)[:0]).cov is None
    with pytest.raises(SpaceError, match="joined"):
        whole.joined(TrackTable([], [], [], space=BOX))


@given(seed=st.integers(0, 999), longest=st.sampled_from([0.0, 0.15, np.inf]))
def test_interpolated_rows_are_those_of_numpy(seed: int, longest: float) -> None:
    whole = table(40, seed, kind="car")
    ts = np.sort(np.random.default_rng(seed).uniform(-0.1, 1.1, 20))
    found, rows = whole.interpolated(ts, longest=longest), 0
    for i in whole.ids:
        own = whole.of(i)
        for t in ts:
            k = np.searchsorted(own.t, t)
            wanted = 0 < k < len(own) and own.t[k] - own.t[k - 1] <= longest
            got = found.at(t).of(i)
            assert len(got) == wanted
            if wanted:
                np.testing.assert_allclose(got.x[0], [np.interp(t, own.t, column) for column in own.x.T], atol=1e-12)
            rows += wanted
    assert len(found) == rows and found.cov is None and found.kind is not None


def test_interpolation_at_the_times_of_the_rows_gives_the_rows() -> None:
    whole = table(40, 1, score=np.arange(40.0))
    again = whole.interpolated(whole.times + 1e-9, longest=0.0)
    np.testing.assert_array_equal(again.id, whole.id)
    np.testing.assert_allclose(again.x, whole.x, atol=1e-6)
    assert len(whole[:0].interpolated([0.0])) == len(whole.interpolated([])) == 0
    turn = TrackTable([0.0, 1.0], [1, 1], [[3.1], [-3.1]], space=Space("yaw: angle")).interpolated([0.5])
    assert abs(abs(turn.x[0, 0]) - np.pi) < 1e-12  # the short way round
    with pytest.raises(ShapeError, match="ts"):
        whole.interpolated([np.nan])
    with pytest.raises(SettingError, match="longest"):
        whole.interpolated([0.0], longest=-1.0)


def test_columns_cannot_be_changed_from_outside() -> None:
    t, x = np.zeros(1), np.zeros((1, 2))
    made = TrackTable(t, [1], x, space=PLANE)
    t[0] = x[0] = 5.0
    assert made.t[0] == 0.0 and made.x[0, 0] == 0.0
    with pytest.raises(ValueError):
        made.x[0] = 1.0
    assert pickle.loads(pickle.dumps(made)).x.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"t": [0.0, np.nan]}, "t of"),
        ({"t": [[0.0], [0.0]]}, "t of"),
        ({"id": [1, 1]}, "id 1"),
        ({"id": [1, 1.5]}, "1.5"),
        ({"id": [1]}, "id of"),
        ({"id": [1, 1e300]}, "id of"),
        ({"id": ["a", "b"]}, "id of"),
        ({"x": [[0, 0], [0, np.inf]]}, "x of"),
        ({"x": [[0, 0, 0], [0, 0, 0]]}, "x of"),
        ({"x": [[0, 0]]}, "x of"),
        ({"cov": [np.eye(2)]}, "cov of"),
        ({"score": [1.0, np.nan]}, "score of"),
        ({"score": [1.0]}, "score of"),
        ({"kind": ["car"]}, "kind of"),
        ({"kind": [1, 2]}, "kind of"),
    ],
)
def test_other_columns_are_refused(changes: dict[str, Any], named: str) -> None:
    given: dict[str, Any] = {"t": [0.0, 0.0], "id": [1, 2], "x": [[0, 0], [1, 1]], **changes}
    with pytest.raises(ShapeError, match=named):
        TrackTable(**given, space=PLANE)


def test_covariances_and_spaces_are_checked() -> None:
    with pytest.raises(CovarianceError, match="cov of"):
        TrackTable([0.0], [1], [[0, 0]], space=PLANE, cov=[[[1, 2], [2, 1]]])
    with pytest.raises(SettingError, match="TrackTable"):
        TrackTable([0.0], [1], [[0, 0]], space="x y")  # pyright: ignore[reportArgumentType]


def test_an_empty_table() -> None:
    nothing = TrackTable([], [], [], space=PLANE, cov=[], score=[], kind=[])
    assert len(nothing) == 0 and nothing.x.shape == (0, 2) and not [*nothing.instants()] and len(nothing.at(0.0)) == 0
    assert "0 rows" in repr(nothing)


def test_labels_follow_their_detections() -> None:
    scans = [[[0.0, 0.0], [np.nan, np.nan], [2.0, 2.0]], [], [[3.0, 3.0]]]
    labelled = Scans(
        position(), scans, [0.0, 1.0, 2.0], scores=[[0.1, np.nan, 0.2], [], [0.3]], kinds=[["a", "b", "c"], [], ["d"]]
    )
    assert labelled.scores is not None and labelled.kinds is not None
    assert labelled.scores.tolist() == [0.1, 0.2, 0.3] and labelled.kinds.tolist() == ["a", "c", "d"]
    late = labelled[1:]
    assert late.scores is not None and late.kinds is not None
    assert late.scores.tolist() == [0.3] and late.kinds.tolist() == ["d"] and late.z.tolist() == [[3.0, 3.0]]
    assert Scans(position(), scans, [0.0, 1.0, 2.0])[1:].scores is None


@pytest.mark.parametrize("labels", [{"scores": [[0.1]]}, {"scores": [[np.nan]] * 2}, {"kinds": [["a"], [1]]}])
def test_other_labels_are_refused(labels: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="scores|kinds"):
        Scans(position(), [[[0.0, 0.0]], [[1.0, 1.0]]], [0.0, 1.0], **labels)


BOXES = st.lists(st.tuples(*(st.integers(-9, 9),) * 2, *(st.integers(1, 9),) * 2), min_size=1, max_size=4)


@given(a=BOXES, b=BOXES)
def test_overlaps_count_pixels(a: list[Any], b: list[Any]) -> None:
    """Boxes with whole corners overlap in a whole number of pixels, which can be counted."""

    def pixels(box: Any) -> set[tuple[int, int]]:
        left, top, width, height = box
        return {(x, y) for x in range(left, left + width) for y in range(top, top + height)}

    overlaps, general = iou(a, b), giou(a, b)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            both, either = pixels(one) & pixels(other), pixels(one) | pixels(other)
            (left, top), (right, low) = (tuple(f(p[k] for p in either) for k in (0, 1)) for f in (min, max))
            around = (right - left + 1) * (low - top + 1)
            assert overlaps[i, j] == pytest.approx(len(both) / len(either))
            assert general[i, j] == pytest.approx(len(both) / len(either) - 1 + len(either) / around)


def test_overlaps_of_batches_and_of_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 5, (3, 4, 4)), rng.uniform(1, 5, (2, 4))
    assert iou(a, b).shape == (3, 4, 2)
    np.testing.assert_array_equal(iou(a, b)[1], iou(a[1], b))
    assert iou([[0, 0, 0, 5]], [[0, 0, 0, 5]]) == 0.0 and giou([[0, 0, 0, 0]], [[0, 0, 0, 0]]) == 0.0
    assert iou([], b).shape == (0, 2) and giou(b, []).shape == (2, 0)
    for bad in ([1, 2, 3, 4], [[1, 2, 3]]):
        with pytest.raises(ShapeError, match="boxes"):
            iou(bad, b)


def test_pairwise_boxes_of_one_row_shift() -> None:
    """The overlap of a box with itself, moved, falls as it moves."""
    moved = [[k, 0, 10, 10] for k in range(12)]
    assert all(near > far or far == 0.0 for near, far in pairwise(iou(moved[:1], moved)[0]))
    assert all(near > far for near, far in pairwise(giou(moved[:1], moved)[0]))


def test_no_box_overlaps_itself_by_more_than_all() -> None:
    """Corners that are sums of floats are rounded, so that the intersection may be larger than the box."""
    made = np.random.default_rng(0).normal(size=(1000, 1, 4)) + [0.0, 0.0, 4.0, 4.0]
    whole = iou(made, made)
    assert whole.max() <= 1.0 and whole.min() > 1.0 - 1e-12
