"""Scores of trackers against their definitions, and the laws that they keep."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pilotage.core import BOX, SettingError, ShapeError, Space, SpaceError, TrackTable, iou
from pilotage.core.boxes import overlaps
from pilotage.estimators.tracking import births_and_deaths
from pilotage.estimators.tracking._assignment import assigned
from pilotage.estimators.tracking.scores import (
    Comparison,
    clear,
    compare,
    gospa,
    hota,
    identity,
    latency,
    nees,
    ospa,
    ospa2,
    score,
    siap,
    without_distractors,
)

from .tables import (
    CUTOFF,
    PLANE,
    boxes,
    clear_of,
    gospa_of,
    hota_of,
    identity_of,
    instants,
    made,
    ospa2_of,
    ospa_of,
    plane,
)

SEEDS = st.integers(0, 10**6)
KINDS = st.sampled_from([plane, boxes])
Both = tuple[TrackTable, TrackTable]


def comparison(tables: Both, **more: Any) -> Comparison:
    return compare(*tables, **({} if tables[0].space == BOX else {"cutoff": CUTOFF}), **more)


def least(tables: Both) -> float:
    return 0.5 if tables[0].space == BOX else 0.0


# -- the matching


@given(seed=SEEDS, rows=st.integers(0, 9), columns=st.integers(0, 9), density=st.floats(0.0, 1.0))
def test_matching_is_the_best(seed: int, rows: int, columns: int, density: float) -> None:
    """As the dense assignment of scipy, in which leaving a row alone weighs nothing."""
    rng = np.random.default_rng(seed)
    w = np.where(
        rng.random((rows, columns)) < density, rng.choice([-1.0, 1.0, 2.0, rng.random()], (rows, columns)), -9.0
    )
    edges = np.argwhere(w > -9.0)
    starts = np.searchsorted(edges[:, 0], np.arange(rows + 1)).astype(np.int64)
    weights = w[w > -9.0]
    found = assigned(starts, edges[:, 1], -weights, columns)
    taken = found[found >= 0]
    assert len({*edges[taken, 1].tolist()}) == len(taken)
    assert (edges[taken, 0] == np.flatnonzero(found >= 0)).all() and (weights[taken] >= 0.0).all()
    dense = np.maximum(w, 0.0)
    assert weights[taken].sum() == pytest.approx(dense[linear_sum_assignment(-dense)].sum())


def test_matching_of_many_rows_at_one_place() -> None:
    n = 300
    starts = np.arange(0, n * n + 1, n)
    found = assigned(starts, np.tile(np.arange(n), n), -np.ones(n * n), n)
    assert len({*(found % n).tolist()}) == n


# -- definitions


@settings(deadline=None)
@given(seed=SEEDS, p=st.sampled_from([1.0, 2.0, 3.5]))
def test_gospa_and_ospa_by_all_assignments(seed: int, p: float) -> None:
    tables = plane(seed)
    c = comparison(tables)
    parts, both = gospa(c, p=p), ospa(c, p=p)
    for k, (a, b) in enumerate(instants(*tables)):
        x, y = ([row[1] for row in rows] for rows in (a, b))
        assert (parts.values[k], parts.localisations[k]) == pytest.approx(gospa_of(x, y, p)[:2])
        assert (parts.misses[k], parts.falses[k]) == gospa_of(x, y, p)[2:]
        assert both.values[k] == pytest.approx(ospa_of(x, y, p))


@settings(deadline=None)
@given(seed=SEEDS, p=st.sampled_from([1.0, 2.0]), q=st.sampled_from([1.0, 3.0]), window=st.integers(1, 6))
def test_ospa2_by_definition(seed: int, p: float, q: float, window: int) -> None:
    truth, tracks = plane(seed)
    c = comparison((truth, tracks))
    assert ospa2(c, p=p, q=q).ospa == pytest.approx(ospa2_of(truth, tracks, p, q), abs=1e-9)
    each = ospa2(c, p=p, q=q, window=window)
    for k, t in enumerate(c.times):
        start = c.times[max(0, k + 1 - window)]
        assert each.values[k] == pytest.approx(
            ospa2_of(truth.between(start, t), tracks.between(start, t), p, q), abs=1e-9
        )


def test_ospa2_of_one_instant_is_ospa() -> None:
    c = comparison(plane(5))
    np.testing.assert_allclose(ospa2(c, p=2.0, q=2.0, window=1).values, ospa(c, p=2.0).values, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, kind=KINDS)
def test_hota_by_definition(seed: int, kind: Callable[..., Both]) -> None:
    tables = kind(seed)
    scores = hota(comparison(tables), alphas=[0.05, 0.3, 0.6])
    for k, alpha in enumerate([0.05, 0.3, 0.6]):
        found = [scores.hota_alpha[k], scores.deta_alpha[k], scores.assa_alpha[k], scores.loca_alpha[k]]
        assert found == pytest.approx(hota_of(*tables, alpha))


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, kind=KINDS)
def test_clear_by_definition(seed: int, kind: Callable[..., Both]) -> None:
    tables = kind(seed)
    scores = clear(comparison(tables))
    expected = clear_of(*tables, least(tables))
    assert {name: getattr(scores, name) for name in expected} == pytest.approx(expected)
    assert scores.mota == pytest.approx(1.0 - (scores.fn + scores.fp + scores.idsw) / len(tables[0]))
    assert scores.mt + scores.pt + scores.ml == len(tables[0].ids)


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, kind=KINDS)
def test_identity_by_definition(seed: int, kind: Callable[..., Both]) -> None:
    tables = kind(seed)
    scores = identity(comparison(tables))
    assert scores.idtp == identity_of(*tables, least(tables))
    assert (scores.idtp + scores.idfn, scores.idtp + scores.idfp) == (len(tables[0]), len(tables[1]))


@given(seed=SEEDS)
def test_siap_by_sets(seed: int) -> None:
    truth, tracks = plane(seed)
    held = tied = 0
    error = 0.0
    for a, b in instants(truth, tracks):
        owners = list[int]()
        for _, y in b:
            near = sorted((float(np.hypot(*(x - y))), i) for i, x in a)
            if near and near[0][0] < CUTOFF:
                owners.append(near[0][1])
                error += near[0][0]
        held, tied = held + len({*owners}), tied + len(owners)
    scores = siap(comparison((truth, tracks)))
    assert scores.completeness == pytest.approx(held / len(truth)) and scores.ambiguity == pytest.approx(tied / held)
    assert scores.spuriousness == pytest.approx(1.0 - tied / len(tracks))
    assert scores.accuracy == pytest.approx(error / tied)


def test_siap_continuity_by_hand() -> None:
    """Held from 1 to 2 by track 1, from 3 to 6 by track 2, and also by track 3 from 5 on; nobody at 0, 7 and 8."""
    truth = made([(t, 1, 0.0, 0.0) for t in range(9)], PLANE)
    tracks = made(
        [(t, i, 0.1 * i, 0.0) for i, times in ((1, (1, 2)), (2, (3, 4, 5, 6)), (3, (5, 6))) for t in times], PLANE
    )
    scores = siap(compare(truth, tracks, cutoff=1.0))
    assert scores.completeness == pytest.approx(6 / 9) and scores.ambiguity == pytest.approx(8 / 6)
    assert scores.rate == pytest.approx((2 - 1) / (1 + 3)) and scores.longest == pytest.approx(3 / 8)


# -- laws of metrics

SETS = st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), max_size=4)


def points(rows: Any) -> TrackTable:
    return made([(0.0, i, *row) for i, row in enumerate(rows)], PLANE)


def measured(a: TrackTable, b: TrackTable, metric: Callable[..., Any], p: float) -> float:
    if not len(a) and not len(b):
        return 0.0
    return float(metric(compare(a, b, cutoff=CUTOFF), p=p).values[-1])


@settings(deadline=None)
@given(a=SETS, b=SETS, c=SETS, p=st.sampled_from([1.0, 2.0]), metric=st.sampled_from([ospa, gospa]))
def test_metrics_of_sets(a: Any, b: Any, c: Any, p: float, metric: Callable[..., Any]) -> None:
    d = [measured(points(x), points(y), metric, p) for x, y in itertools.permutations((a, b, c), 2)]
    ab, ac, ba, bc, ca, cb = d
    assert (ab, ac, bc) == pytest.approx((ba, ca, cb), abs=1e-9)
    assert ac <= ab + bc + 1e-9 and ab <= ac + cb + 1e-9
    assert measured(points(a), points(a), metric, p) == pytest.approx(0.0, abs=1e-7)
    if metric is ospa:
        assert max(d) <= CUTOFF + 1e-9
    else:
        assert ab > 0.0 or len(a) == len(b)


@settings(deadline=None)
@given(seeds=st.tuples(SEEDS, SEEDS, SEEDS), p=st.sampled_from([1.0, 2.0]))
def test_ospa2_is_a_metric_of_sets_of_tracks(seeds: Any, p: float) -> None:
    sets = [plane(seed, targets=2, steps=4)[0] for seed in seeds]

    def apart(i: int, j: int) -> float:
        return ospa2(compare(sets[i], sets[j], cutoff=CUTOFF), p=p, q=p).ospa

    assert apart(0, 1) == pytest.approx(apart(1, 0)) and apart(0, 0) == pytest.approx(0.0, abs=1e-7)
    assert apart(0, 2) <= apart(0, 1) + apart(1, 2) + 1e-9


# -- laws of all scores


def all_numbers(scores: Any) -> dict[str, float]:
    return {f"{kind} {name}": value for kind, row in scores.rows().items() for name, value in row.items()}


def scored(tables: Any, **more: Any) -> dict[str, float]:
    truth = tables[0][0] if isinstance(tables[0], list) else tables[0]
    return all_numbers(score(*tables, **({} if truth.space == BOX else {"cutoff": CUTOFF}), **more))


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, kind=KINDS)
def test_names_and_clocks_do_not_matter(seed: int, kind: Callable[..., Both]) -> None:
    tables = kind(seed)
    rng = np.random.default_rng(seed)
    other = list[TrackTable]()
    for table in tables:
        names = dict(zip(table.ids.tolist(), rng.permutation(len(table.ids)).tolist(), strict=True))
        new = [names[i] for i in table.id.tolist()]
        other.append(TrackTable(table.t + 100.0 + 1e-9 * rng.random(), new, table.x, space=table.space))
    assert scored(tables) == pytest.approx(scored(other), nan_ok=True, abs=1e-7)


@pytest.mark.parametrize("kind", [plane, boxes])
def test_perfect_tracks(kind: Callable[..., Both]) -> None:
    truth = kind(3)[0]
    found = scored((truth, truth))
    for name in ("HOTA HOTA", "HOTA AssA", "identity IDF1", "CLEAR MOTA", "CLEAR recall", "SIAP C", "SIAP A"):
        assert found[name] == pytest.approx(1.0), name
    for name in ("GOSPA GOSPA", "OSPA OSPA", "OSPA OSPA(2)", "CLEAR IDSW", "SIAP S", "SIAP PA", "latency worst"):
        assert found[name] == pytest.approx(0.0, abs=1e-7), name


@settings(deadline=None, max_examples=20)
@given(seeds=st.tuples(SEEDS, SEEDS), kind=KINDS)
def test_sequences_together(seeds: tuple[int, int], kind: Callable[..., Both]) -> None:
    """Counts add up, and two sequences score as one in which the second follows, with other targets."""
    first, second = (kind(seed) for seed in seeds)
    both = [[a, b] for a, b in zip(first, second, strict=True)]
    later = [TrackTable(b.t + 50.0, b.id + 1000, b.x, space=b.space) for b in second]
    whole = [a.joined(b) for a, b in zip(first, later, strict=True)]
    assert scored(both) == pytest.approx(scored(whole), nan_ok=True)
    one, two, total = scored(first), scored(second), scored(both)
    for name in ("CLEAR FP", "CLEAR FN", "CLEAR IDSW", "CLEAR FM", "CLEAR MT", "CLEAR ML", "latency never"):
        assert total[name] == one[name] + two[name]


@pytest.mark.parametrize("kind", [plane, boxes])
def test_nothing_on_either_side(kind: Callable[..., Both]) -> None:
    truth, tracks = kind(1)
    none = truth[:0]
    missed, false, nothing = scored((truth, none)), scored((none, tracks)), scored((none, none))
    assert missed["HOTA HOTA"] == missed["CLEAR MOTA"] == missed["identity IDF1"] == missed["SIAP C"] == 0.0
    assert missed["CLEAR FN"] == len(truth) and missed["CLEAR ML"] == len(truth.ids) == missed["latency never"]
    assert false["CLEAR FP"] == len(tracks) and false["SIAP S"] == 1.0
    assert nothing["GOSPA GOSPA"] == nothing["OSPA OSPA(2)"] == 0.0
    c = 1.0 if truth.space == BOX else CUTOFF
    assert missed["OSPA OSPA"] == missed["OSPA OSPA(2)"] == false["OSPA OSPA"] == pytest.approx(c)


def test_latency_counts_from_birth() -> None:
    truth = made([(t, 1, 0.0, 0.0) for t in (2.0, 3.0, 4.0)] + [(t, 2, 50.0, 0.0) for t in (0.0, 1.0)], PLANE)
    late = latency(compare(truth, made([(3.0, 9, 0.5, 0.0), (4.0, 9, 0.5, 0.0)], PLANE), cutoff=2.0))
    assert late.ids.tolist() == [1, 2] and late.delays.tolist() == [1.0, np.inf]
    assert (late.mean, late.worst, late.never) == (1.0, 1.0, 1)


def test_times_that_differ_by_rounding_are_one_instant() -> None:
    truth = made([(0.1 * k, 1, 0.0, 0.0) for k in range(50)], PLANE)
    tracks = TrackTable(np.cumsum(np.full(50, 0.1)) - 0.1, np.ones(50), truth.x, space=PLANE)
    assert (truth.t != tracks.t).any()
    assert clear(compare(truth, tracks, cutoff=1.0)).tp == 50
    assert clear(compare(truth, tracks, cutoff=1.0, tolerance=0.0)).tp < 50
    with pytest.raises(ShapeError, match="twice within 0.5"):
        compare(truth, tracks, cutoff=1.0, tolerance=0.5)


# -- NEES


def test_nees_of_a_consistent_tracker() -> None:
    """Errors drawn from the covariances have a mean NEES of the dimension, and 95 % of them are inside."""
    rng = np.random.default_rng(2)
    truth = births_and_deaths(30, steps=200, life=100.0, rng=1).truth
    A = rng.normal(size=(len(truth), 4, 4)) * 0.3 + 0.5 * np.eye(4)
    errors = (A @ rng.normal(size=(len(truth), 4, 1)))[..., 0]
    covs = A @ A.swapaxes(1, 2)
    tracks = TrackTable(truth.t, truth.id, truth.x + errors, space=truth.space, cov=covs)
    scores = nees(compare(truth, tracks, cutoff=1e3))
    assert scores.dim == 4 and len(scores.values) == len(truth)
    assert scores.nees == pytest.approx(4.0, abs=4.5 * np.sqrt(8.0 / len(truth)))
    assert scores.inside() == pytest.approx(0.95, abs=0.015)


def test_nees_of_angles_and_of_what_is_shared() -> None:
    truth = TrackTable([0.0], [1], [[0.0, 0.0, np.pi - 0.1]], space=Space("x y [m]", "yaw: angle"))
    wide = Space("yaw: angle", "speed [m/s]", "x y [m]")
    tracks = TrackTable([0.0], [5], [[-np.pi + 0.1, 9.0, 1.0, 0.0]], space=wide, cov=[np.diag([0.04, 1.0, 1.0, 4.0])])
    assert nees(compare(truth, tracks, cutoff=2.0)).values == pytest.approx([1.0 + 1.0])
    with pytest.raises(ShapeError, match="cov="):
        nees(compare(truth, truth, cutoff=2.0))


def test_tracks_on_distractors_are_taken_out() -> None:
    """The better of two tracks matches the distractor; the other one counts as false. Flags of 0 are not scored."""
    kind, flag = ["1", "8", "3", "1"], [1.0, 1.0, 1.0, 0.0]
    at = np.array([[0, 0, 9, 9], [50, 0, 9, 9], [100, 0, 9, 9], [150, 0, 9, 9]], dtype=float)
    truth = TrackTable(np.zeros(4), [1, 2, 3, 4], at, space=BOX, kind=kind, score=flag)
    tracks = TrackTable(np.zeros(4), [1, 2, 3, 4], at[[0, 1, 1, 3]] + [[0], [1], [0], [0]], space=BOX)
    kept = without_distractors(truth, tracks)
    assert kept[0].id.tolist() == [1] and kept[1].id.tolist() == [1, 2, 4]
    with pytest.raises(ShapeError, match="kinds"):
        without_distractors(tracks, tracks)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS)
def test_distractors_by_the_rule_of_trackeval(seed: int) -> None:
    """IoU below 0.5 counts 0, and the assignment of scipy has the largest sum."""
    rng, (truth, tracks) = np.random.default_rng(seed), boxes(seed, targets=6)
    kind = rng.choice(["1", "1", "3", "7", "8"], len(truth))
    labelled = TrackTable(truth.t, truth.id, truth.x, space=BOX, kind=kind)
    expected = list[tuple[float, int]]()
    for t in tracks.times:
        a, b = labelled.at(t), tracks.at(t)
        w = np.where(iou(a.x, b.x) >= 0.5, iou(a.x, b.x), 0.0)
        rows, columns = linear_sum_assignment(-w)
        hit = w[rows, columns] > 0.0
        bad = columns[hit][np.isin(np.asarray(a.kind)[rows[hit]], ["7", "8"])]
        expected += [(float(t), int(i)) for k, i in enumerate(b.id) if k not in bad]
    scored_truth, kept = without_distractors(labelled, tracks)
    assert list(zip(kept.t.tolist(), kept.id.tolist(), strict=True)) == expected
    assert len(scored_truth) == (kind == "1").sum()


# -- measures and bad input


def test_other_measures() -> None:
    truth, tracks = plane(8)
    own = compare(truth, tracks, distance=lambda x, y: np.hypot(*(x - y).T), cutoff=CUTOFF)
    named = compare(truth, tracks, distance="x y", cutoff=CUTOFF)
    assert own.distance == pytest.approx(named.distance)
    alike = compare(truth, tracks, similarity=lambda x, y: np.exp(-np.hypot(*(x - y).T)), threshold=0.1)
    assert alike.distance == pytest.approx(1.0 - alike.similarity) and alike.cutoff == 1.0
    one = compare(truth, tracks, distance="y", cutoff=1.0)
    assert one.distance == pytest.approx(np.abs(truth.x[one.row, 1] - tracks.x[one.column, 1]))
    turned = TrackTable([0.0], [1], [[3.1]], space=Space("yaw: angle"))
    back = TrackTable([0.0], [1], [[-3.1]], space=Space("yaw: angle"))
    assert compare(turned, back, cutoff=1.0).distance == pytest.approx([2 * np.pi - 6.2])


@given(seed=SEEDS)
def test_compiled_boxes_are_those_of_numpy(seed: int) -> None:
    tables = boxes(seed)
    fast, slow = compare(*tables), compare(*tables, similarity=overlaps)
    for name in ("row", "column", "similarity", "distance"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name))
    assert compare(tables[0], tables[0]).similarity.max(initial=0.0) <= 1.0


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({}, SettingError, "cutoff"),
        ({"cutoff": 0.0}, SettingError, "cutoff"),
        ({"cutoff": 1.0, "threshold": 2.0}, SettingError, "threshold"),
        ({"cutoff": 1.0, "tolerance": -1.0}, SettingError, "tolerance"),
        ({"cutoff": 1.0, "distance": "z"}, SpaceError, "z"),
        ({"cutoff": 1.0, "distance": 3}, SettingError, "distance"),
        ({"cutoff": 1.0, "distance": lambda x, y: x[:, 0] * np.nan}, ShapeError, "nan"),
        ({"cutoff": 1.0, "distance": lambda x, y: x}, ShapeError, "shape"),
        ({"similarity": lambda x, y: 2.0 + x[:, 0] ** 2}, ShapeError, "similarity"),
        ({"similarity": "iou"}, SettingError, "similarity"),
        ({"cutoff": 1.0, "distance": "x", "similarity": min}, SettingError, "one of them"),
    ],
)
def test_other_comparisons_are_refused(settings: dict[str, Any], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        compare(*plane(1), **settings)


def test_tables_that_do_not_fit() -> None:
    truth, tracks = plane(1)
    with pytest.raises(ShapeError, match="2 tables of truth and 1"):
        compare([truth, truth], [tracks], cutoff=1.0)
    with pytest.raises(SettingError, match="tracks"):
        compare(truth, [3], cutoff=1.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpaceError, match="distance="):
        compare(truth, TrackTable([], [], [], space=Space("north [m]")), cutoff=1.0)
    with pytest.raises(SettingError, match="compare"):
        hota(truth)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="convention"):
        clear(comparison((truth, tracks)), convention="mot")  # pyright: ignore[reportArgumentType]
    for metric in (ospa, gospa, ospa2):
        with pytest.raises(SettingError, match="p is"):
            metric(comparison((truth, tracks)), p=0.5)


def test_a_crowd_at_one_point() -> None:
    n = 400
    crowd = TrackTable(np.zeros(n), np.arange(n), np.zeros((n, 2)), space=PLANE)
    found = scored((crowd, crowd))
    assert found["CLEAR MOTA"] == 1.0 and found["GOSPA GOSPA"] == 0.0


def test_times_that_never_agree_are_told() -> None:
    """All scores are 0 if a clock is off by more than the tolerance, and no number says why."""
    space = Space("x y [m]")
    truth = TrackTable([0.0, 1.0], [1, 1], [[0.0, 0.0], [1.0, 0.0]], space=space)
    late = TrackTable([0.1, 1.1], [1, 1], [[0.0, 0.0], [1.0, 0.0]], space=space)
    with pytest.warns(RuntimeWarning, match="no instant in common"):
        compare(truth, late, cutoff=4.0)
    assert len(compare(truth, late, cutoff=4.0, tolerance=0.2).row) == 2
