"""Trackers of boxes against loops over plain matrices, the Kalman filter of their models, and laws."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pilotage.core import BOX, Gaussian, Scans, giou, iou
from pilotage.core.errors import PilotageError, SettingError, ShapeError
from pilotage.estimators import EKF
from pilotage.estimators.tracking import TrackStatus
from pilotage.estimators.tracking.boxes import (
    OCSORT,
    SORT,
    BoxMotion,
    BoxRecipe,
    BoxTracker,
    ByteTrack,
    IMMBoxes,
    Stage,
    boxes_of,
)

RECIPES: dict[str, Any] = {
    "SORT": SORT(),
    "ByteTrack": ByteTrack(),
    "OC-SORT": OCSORT(),
    "GIoU": BoxRecipe(stages=(Stage(0.3), Stage(-0.4, overlap="giou"))),
    "renewed": BoxRecipe(stages=(Stage(0.2, momentum=0.2),), begin=0.5, observed=True, renewed=True),
}
SIDES = np.array([30.0, 70.0])


def film(seed: int, targets: int = 6, scans: int = 25, clutter: float = 1.0, side: float = 400.0) -> Any:
    """Boxes, scores and times: targets that walk and are missed at times, clutter, gaps, irregular times."""
    rng = np.random.default_rng(seed)
    x, v = rng.uniform(0, side, (targets, 2)), 60 * rng.normal(size=(targets, 2))
    t, found = 0.0, []
    for _ in range(scans):
        dt = float(rng.choice([0.04, 0.08, 0.2]))
        t, x = t + dt, x + v * dt
        keep = rng.random(targets) < 0.85
        sides = SIDES * np.exp(0.05 * rng.normal(size=(keep.sum(), 2)))
        boxes = np.concatenate([x[keep] + 2 * rng.normal(size=(keep.sum(), 2)) - sides / 2, sides], 1)
        false = rng.uniform(0, side, (rng.poisson(clutter), 2))
        false = np.concatenate([false, np.tile(SIDES, (len(false), 1))], 1)
        order = rng.permutation(len(boxes) + len(false))
        scores = np.where(rng.random(len(order)) < 0.7, rng.uniform(0.7, 1.0, len(order)), rng.uniform(0.0, 0.7))
        found.append((np.concatenate([boxes, false])[order], scores, t))
    return found


class Plain:
    """A tracker of boxes as loops over matrices of eight rows; the oracle."""

    def __init__(self, recipe: BoxRecipe) -> None:
        self.r, self.tracks, self.t, self.next, self.scans = recipe, [], None, 1, 0

    def F_Q(self, x: Any, dt: float) -> Any:
        m, s2 = self.r.motion, 0.5 * (x[2] ** 2 + x[3] ** 2)
        F, Q = np.eye(8), np.zeros((8, 8))
        for c in range(4):
            a2, F[c, c + 4] = (m.accel if c < 2 else m.growth) ** 2, dt
            Q[np.ix_([c, c + 4], [c, c + 4])] = a2 * s2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
            Q[c, c] += m.wander**2 * s2 * dt
        return F, Q

    def filtered(self, x: Any, P: Any, dt: float) -> Any:
        F, Q = self.F_Q(x, dt)
        x = x.copy()
        x[6:][x[2:4] + x[6:] * dt < 1e-3] = 0.0  # sides do not vanish
        return F @ x, F @ P @ F.T + Q

    def corrected(self, x: Any, P: Any, z: Any) -> Any:
        H, R = np.eye(4, 8), self.r.motion.reading**2 * 0.5 * (x[2] ** 2 + x[3] ** 2) * np.eye(4)
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
        return x + K @ (z - x[:4]), (np.eye(8) - K @ H) @ P

    def gain(self, stage: Stage, track: Any, z: Any, score: float) -> float | None:
        where = track["past"][-1] if stage.place == "observation" else track["x"][:4]
        measure = giou if stage.overlap == "giou" else iou
        o = float(measure(corners(where)[None], corners(z)[None])[0, 0]) * (score if stage.scored else 1.0)
        if o < stage.least or (stage.overlap == "iou" and o == 0.0):
            return None
        past, extra = track["past"][-4:], 0.0
        if stage.momentum and len(past) > 1:
            a, b = past[-1][:2] - past[0][:2], z[:2] - past[-min(len(past), 3)][:2]
            cos = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
            extra = stage.momentum * score * (0.5 - np.arccos(np.clip(cos, -1, 1)) / np.pi)
        return o + (1.0 if stage.overlap == "giou" else 0.0) + extra

    def taking_part(self, stage: Stage, track: Any) -> bool:
        return {"all": True, "confirmed": track["sure"], "tentative": not track["sure"],
                "seen": track["sure"] and track["misses"] == 0}[stage.tracks]  # fmt: skip

    def update(self, boxes: Any, scores: Any, t: float) -> Any:
        r, dt = self.r, 0.0 if self.t is None else t - self.t
        z = boxes + np.concatenate([boxes[:, 2:] / 2, 0 * boxes[:, 2:]], 1)
        for track in self.tracks:
            track["x"], track["P"] = self.filtered(track["x"], track["P"], dt)
            track["j"] = None
        free = set(range(len(z)))
        for stage in r.stages:
            wanted = [j for j in sorted(free) if (scores[j] >= r.sure if stage.boxes == "sure"
                                                  else r.doubtful <= scores[j] < r.sure)]  # fmt: skip
            takers = [a for a in self.tracks if a["j"] is None and self.taking_part(stage, a)]
            g = np.array([[self.gain(stage, a, z[j], scores[j]) or 0.0 for j in wanted] for a in takers])
            for a, b in zip(*linear_sum_assignment(-g.reshape(len(takers), len(wanted))), strict=True):
                if g[a, b] > 0.0:
                    takers[a]["j"] = wanted[b]
                    free.discard(wanted[b])
        for track in self.tracks:
            j = track["j"]
            if j is None:
                track["misses"], track["streak"] = track["misses"] + 1, 0
                continue
            if r.observed and track["misses"]:
                steps, last = track["misses"] + 1, track["past"][-1]
                x, P = track["kept"]
                for s in range(1, steps + 1):
                    x, P = self.filtered(x, P, (t - track["seen"]) / steps)
                    x, P = self.corrected(x, P, last + s / steps * (z[j] - last))
            else:
                x, P = self.corrected(track["x"], track["P"], z[j])
            stays = track["sure"] and not (r.renewed and track["misses"])
            track.update(x=x, P=P, kept=(x, P), past=[*track["past"], z[j]], seen=t, misses=0)
            track["streak"] += 1
            track["sure"] = stays or track["streak"] >= r.hits
        self.tracks = [a for a in self.tracks if a["misses"] == 0
                       or ((a["sure"] or r.renewed) and t - a["seen"] <= r.patience + 1e-9)]  # fmt: skip
        for j in sorted(free):
            if scores[j] >= max(r.begin, r.sure):
                m, s2 = r.motion, 0.5 * (z[j, 2] ** 2 + z[j, 3] ** 2)
                P = s2 * np.diag([m.reading**2] * 4 + [m.speed**2] * 4)
                x = np.append(z[j], np.zeros(4))
                self.tracks.append({"id": self.next, "x": x, "P": P, "kept": (x, P), "past": [z[j]], "seen": t, "j": j,
                                    "misses": 0, "streak": 1,
                                    "sure": r.hits == 1 or self.scans < (r.hits if r.renewed else 1)})  # fmt: skip
                self.next += 1
        self.t, self.scans = t, self.scans + 1
        return self.tracks


def corners(z: Any) -> Any:
    return np.append(z[:2] - z[2:4] / 2, z[2:4])


@pytest.mark.parametrize("name", RECIPES)
@given(seed=st.integers(0, 10_000), patience=st.sampled_from([0.1, 1.0]))
@settings(max_examples=10)
def test_a_tracker_is_the_loop_over_plain_matrices(name: str, seed: int, patience: float) -> None:
    """All recipes: numbers, choices, status, means and covariances after each scan."""
    parts = RECIPES[name].recipe
    recipe = replace(parts, patience=patience)
    tracker, plain = BoxTracker(recipe), Plain(recipe)
    for boxes, scores, t in film(seed):
        tracks, wanted = tracker.update(boxes, t, scores=scores), plain.update(boxes, scores, t)
        assert tracks.ids.tolist() == [a["id"] for a in wanted]
        assert tracks.source.tolist() == [-1 if a["j"] is None else a["j"] for a in wanted]
        assert tracks.confirmed.tolist() == [a["sure"] for a in wanted]
        if wanted:
            belief = tracks.belief
            np.testing.assert_allclose(belief.mean, [a["x"] for a in wanted], rtol=1e-9, atol=1e-6)
            np.testing.assert_allclose(belief.cov, [a["P"] for a in wanted], rtol=1e-9, atol=1e-6)


def test_the_direction_of_motion_decides_in_a_crowd() -> None:
    """Momentum that outweighs the overlap, in crowds, against the loop; and it makes a difference."""
    differ = False
    for seed in range(6):
        strong, none = (BoxRecipe(stages=(Stage(0.05, momentum=m),)) for m in (3.0, 0.0))
        tracker, other, plain = BoxTracker(strong), BoxTracker(none), Plain(strong)
        for boxes, scores, t in film(seed, targets=8, scans=15, side=90.0):
            tracks, wanted = tracker.update(boxes, t, scores=scores), plain.update(boxes, scores, t)
            assert tracks.source.tolist() == [-1 if a["j"] is None else a["j"] for a in wanted]
            differ |= other.update(boxes, t, scores=scores).source.tolist() != tracks.source.tolist()
    assert differ


def test_a_track_is_the_kalman_filter_of_its_models() -> None:
    """The four filters of two numbers, against one of eight on the traced models, whose noise depends on size."""
    motion = BoxMotion()
    tracker, belief, rng = BoxTracker(SORT(motion=motion)), None, np.random.default_rng(3)
    ekf, t = EKF(), 0.0
    for k in range(12):
        dt = float(rng.choice([0.03, 0.1]))
        t += dt
        z = np.array([100 + 5.0 * k, 50.0, 30.0 + k, 60.0]) + rng.normal(size=4)
        track = tracker.update(corners(z)[None], t).track(0)
        if belief is None:
            belief = track.belief
            continue
        belief = ekf.update(ekf.predict(belief, motion.dynamics, [], dt), motion.sensor, z).belief
        np.testing.assert_allclose(track.belief.mean, belief.mean, rtol=1e-10)
        np.testing.assert_allclose(track.belief.cov, belief.cov, rtol=1e-8, atol=1e-9)
    assert isinstance(belief, Gaussian)


@pytest.mark.parametrize("name", RECIPES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_the_order_of_boxes_does_not_matter(name: str, seed: int) -> None:
    """Up to the numbers of tracks, which follow the order of the boxes at which they begin."""
    rng = np.random.default_rng(seed)
    one, other = BoxTracker(RECIPES[name]), BoxTracker(RECIPES[name])
    names: dict[int, int] = {}
    for boxes, scores, t in film(seed):
        order = rng.permutation(len(boxes))
        a, b = one.update(boxes, t, scores=scores), other.update(boxes[order], t, scores=scores[order])
        places = np.append(order, -1)[b.source]
        for i in np.flatnonzero(b.source >= 0):
            names.setdefault(int(b.ids[i]), int(a.ids[np.flatnonzero(a.source == places[i])[0]]))
        rows = np.argsort([names[i] for i in b.ids.tolist()], kind="stable")
        assert [names[i] for i in b.ids[rows].tolist()] == sorted(a.ids.tolist())
        np.testing.assert_array_equal(places[rows], a.source[np.argsort(a.ids)])
        np.testing.assert_allclose(b.belief.mean[rows], a.belief.mean[np.argsort(a.ids)], rtol=1e-12)


@pytest.mark.parametrize("name", RECIPES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=5)
def test_two_crowds_far_apart_are_tracked_as_each_alone(name: str, seed: int) -> None:
    far = np.array([1e5, 0.0, 0.0, 0.0])
    both, alone = BoxTracker(RECIPES[name]), [BoxTracker(RECIPES[name]) for _ in range(2)]
    for (a, s, t), (b, r, _) in zip(film(seed), film(seed + 1), strict=True):
        tracks = both.update(np.concatenate([a, b + far]), t, scores=np.concatenate([s, r]))
        each = [alone[0].update(a, t, scores=s), alone[1].update(b + far, t, scores=r)]
        found, wanted = tracks.belief.mean, np.concatenate([one.belief.mean for one in each])
        np.testing.assert_array_equal(found[np.lexsort(found.T)], wanted[np.lexsort(wanted.T)])


@pytest.mark.parametrize("name", RECIPES)
def test_boxes_are_tracked_whatever_the_unit(name: str) -> None:
    """Of twice as many pixels, on a clock that began earlier: the same tracks, twice as large."""
    one, other = BoxTracker(RECIPES[name]), BoxTracker(RECIPES[name])
    for boxes, scores, t in film(3):
        a, b = one.update(boxes, t, scores=scores), other.update(2.0 * boxes, t + 100.0, scores=scores)
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_allclose(2.0 * a.belief.mean, b.belief.mean, rtol=1e-9, atol=1e-9)


def still(tracker: BoxTracker, seen: str, scores: Any = None) -> list[list[str]]:
    """Status of each track after scans in which one box is seen (1) or not (0), ten a second."""
    return [
        [
            TrackStatus(s).name
            for s in tracker.update(
                [[5.0, 5.0, 20.0, 40.0]] * int(c), 0.1 * k, scores=scores and [scores[k]] * int(c)
            ).status
        ]
        for k, c in enumerate(seen)
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_predictions_are_those_of_the_models_and_leave_the_tracks_as_they_were(name: str) -> None:
    tracker = BoxTracker(RECIPES[name])
    assert not len(tracker.predicted(0.0).ids)
    tracks = tracker.tracks
    for boxes, scores, t in film(0):
        tracks = tracker.update(boxes, t, scores=scores)
    before, later = tracks.belief, tracker.predicted(tracks.t + 0.3)
    after = EKF().predict(before, tracker.recipe.motion.dynamics, dt=0.3)
    assert len(before.mean) > 3
    np.testing.assert_allclose(later.belief.mean, after.mean, rtol=1e-9)
    np.testing.assert_allclose(later.belief.cov, after.cov, rtol=1e-9, atol=1e-9)
    assert later.ids.tolist() == tracks.ids.tolist() and later.t == tracks.t + 0.3 and later.events == []
    np.testing.assert_array_equal(tracker.tracks.belief.mean, before.mean)
    with pytest.raises(PilotageError, match="t is"):
        tracker.predicted(tracks.t - 0.1)


def test_a_track_begins_coasts_and_ends() -> None:
    assert still(BoxTracker(SORT(patience=0.2)), "1000")[1:] == [["COASTING"], ["COASTING"], []]
    tracker = BoxTracker(SORT(patience=0.2))
    tracker.update([], -1.0)
    assert still(tracker, "111") == [["TENTATIVE"], ["TENTATIVE"], ["CONFIRMED"]]
    tracks = [tracker.update([], 0.2 + 0.1 * k) for k in range(1, 4)]
    assert [[(track.id, track.status.name) for track in one.deleted] for one in tracks] == [[], [], [(1, "DELETED")]]
    assert [[str(event) for event in one.events] for one in tracks] == [[], [], ["1 deleted"]]
    assert still(BoxTracker(SORT()), "01011")[1:] == [["TENTATIVE"], [], ["TENTATIVE"], ["TENTATIVE"]]


def test_doubtful_boxes_go_on_with_tracks_and_begin_none() -> None:
    assert still(BoxTracker(ByteTrack()), "111", [0.3, 0.9, 0.3]) == [[], ["TENTATIVE"], []]
    assert still(BoxTracker(ByteTrack()), "111", [0.9, 0.3, 0.3]) == [["CONFIRMED"]] * 3
    assert still(BoxTracker(ByteTrack()), "111", [0.9, 0.05, 0.3]) == [["CONFIRMED"], ["COASTING"], ["COASTING"]]


def test_a_track_is_found_where_it_was_last_seen() -> None:
    """A walker stops behind a pillar: the prediction walks on, the last observation does not."""
    kept = {}
    for name, recipe in (("SORT", SORT(patience=2.0)), ("OC-SORT", OCSORT(patience=2.0))):
        tracker = BoxTracker(recipe)
        for k in range(20):
            tracker.update([[100.0 + 6 * k, 50.0, 30.0, 60.0]], 0.04 * k)
        for k in range(20, 40):
            tracker.update([], 0.04 * k)
        kept[name] = tracker.update([[216.0, 50.0, 30.0, 60.0]], 1.6).ids[-1]
        if name == "OC-SORT":
            assert abs(tracker.tracks.belief.mean[0, 4]) < 30.0  # 150 px/s before
    assert kept == {"SORT": 2, "OC-SORT": 1}


def test_tracks_that_were_given_out_stay() -> None:
    tracker = BoxTracker(OCSORT())
    given = [tracker.update(boxes, t, scores=scores) for boxes, scores, t in film(1)]
    before = [(one.ids.copy(), one.belief.mean.copy()) for one in given]
    other = pickle.loads(pickle.dumps(tracker))
    for boxes, scores, t in film(2):
        a, b = (each.update(boxes, t + 10.0, scores=scores) for each in (tracker, other))
        np.testing.assert_array_equal(a.ids, b.ids)
    for one, (ids, mean) in zip(given, before, strict=True):
        np.testing.assert_array_equal(one.ids, ids)
        np.testing.assert_array_equal(one.belief.mean, mean)


def test_a_run_is_the_loop() -> None:
    given = film(4)
    scans = Scans("camera", [b for b, _, _ in given], [t for _, _, t in given], scores=[s for _, s, _ in given])
    tracker = BoxTracker(SORT())
    table, whole = BoxTracker(SORT()).run(scans, filtered=False), BoxTracker(SORT()).run(scans, coasting=True)
    assert table.space == BOX and len(whole) > len(table)
    for boxes, scores, t in given:
        tracks = tracker.update(boxes, t, scores=scores)
        found, last = whole.at(t), table.at(t)
        order = np.argsort(tracks.ids[tracks.confirmed])
        np.testing.assert_array_equal(tracks.ids[tracks.confirmed][order], found.id)
        np.testing.assert_array_equal(boxes_of(tracks)[order], found.x)
        seen = tracks.confirmed & (tracks.source >= 0)
        np.testing.assert_array_equal(boxes[tracks.source[seen]][np.argsort(tracks.ids[seen])], last.x)


def test_scans_that_hold_nothing_or_too_much() -> None:
    for recipe in RECIPES.values():
        tracker = BoxTracker(recipe)
        tracks = tracker.update([], 0.0)
        assert not len(tracks.ids)
        assert not len(tracker.update(np.full((3, 4), np.nan), 0.0).ids)
        for k in range(3):
            tracks = tracker.update(np.tile([5.0, 5.0, 10.0, 20.0], (300, 1)), 1.0 + k / 25)
        assert len(set(tracks.ids.tolist())) == 300 and np.isfinite(tracks.belief.mean).all()
        tracks = tracker.update([[5.0, 5.0, 10.0, 20.0]], 1.08)  # the same time once more
        assert (tracks.source >= 0).sum() == 1
        tracks = tracker.update([[np.nan] * 4, [7.0, 5.0, 1e8, 1e-6]], 1.2)
        assert tracks.source.max() == 1 and np.isfinite(tracks.belief.mean).all()


def test_a_box_that_shrinks_unseen_keeps_its_sides() -> None:
    tracker = BoxTracker(SORT(patience=100.0))
    for k in range(10):
        tracker.update([[100.0, 100.0, 100.0 - 9 * k, 200.0 - 18 * k]], k / 25)
    tracks = tracker.update([], 60.0)
    assert (tracks.mean[:, 2:4] > 0.0).all() and np.isfinite(tracks.belief.cov).all()


@pytest.mark.parametrize(
    ("boxes", "scores"),
    [
        ([[1.0, 2.0, 3.0]], None),
        ([1.0, 2.0, 3.0, 4.0], None),
        ([[1.0, 2.0, 3.0, np.nan]], None),
        ([[1.0, 2.0, np.inf, 4.0]], None),
        ([[1.0, 2.0, 0.0, 4.0]], None),
        ([[1.0, 2.0, 3.0, -4.0]], None),
        ([[1.0, 2.0, 3.0, 1e200]], None),
        ([["a", "b", "c", "d"]], None),
        ([[1.0, 2.0, 3.0, 4.0]], [0.5, 0.5]),
        ([[1.0, 2.0, 3.0, 4.0]], [np.nan]),
        ([[1.0, 2.0, 3.0, 4.0]], 0.5),
    ],
)
def test_bad_scans_leave_the_tracks_as_they_were(boxes: Any, scores: Any) -> None:
    tracker = BoxTracker(SORT())
    tracker.update([[0.0, 0.0, 10.0, 20.0]], 0.0)
    before = tracker.tracks.belief.mean
    with pytest.raises(ShapeError):
        tracker.update(boxes, 1.0, scores=scores)
    assert tracker.t == 0.0 and tracker.tracks.ids.tolist() == [1]
    np.testing.assert_array_equal(tracker.tracks.belief.mean, before)


def test_bad_times_and_settings() -> None:
    tracker = BoxTracker(SORT())
    tracker.update([], 5.0)
    for t in (4.0, np.nan, np.inf):
        with pytest.raises(PilotageError, match=f"{t}"):
            tracker.update([], t)
    with pytest.raises(SettingError, match="recipe"):
        BoxTracker("SORT")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="stages"):
        BoxRecipe(stages=())
    with pytest.raises(SettingError, match="doubtful"):
        BoxRecipe(sure=0.3, doubtful=0.5)
    with pytest.raises(SettingError, match="least"):
        SORT(least=1.5)


def test_a_manoeuvre_opens_the_gate() -> None:
    """Of an even walk, the agile mode loses weight; at a sharp turn it gains, and innovations are expected wider."""
    imm, rng = IMMBoxes(), np.random.default_rng(0)
    tracker, weights, spreads = imm.tracker(), [], []
    at, v = np.array([100.0, 100.0]), np.array([60.0, 0.0])
    for k in range(60):
        v = np.array([0.0, -300.0]) if k == 40 else v
        at = at + v / 25
        z = np.append(at, [40.0, 80.0]) + 4.0 * rng.normal(size=4)
        belief = tracker.update([z], k / 25).track(0).belief
        weights.append(belief.weights[1])
        spreads.append(belief.moments().cov[0, 0])
    assert tracker.tracks.ids.tolist() == [1]
    assert max(weights[41:50]) > 2.0 * weights[39]
    assert max(spreads[41:50]) > 1.2 * spreads[39]


def test_imm_boxes_follow_what_sort_follows() -> None:
    """A clear film: the same targets, whatever the recipe; the gate is of overlap too; scores count."""
    given = film(7, targets=3, clutter=0.0)
    scans = Scans("camera", [b for b, _, _ in given], [t for _, _, t in given], scores=[s for _, s, _ in given])
    one, other = IMMBoxes().run(scans, filtered=False), BoxTracker(SORT()).run(scans, filtered=False)
    both = sum(len(set(map(tuple, a.x)) & set(map(tuple, b.x))) for a, b in
               ((one.at(t), other.at(t)) for t in scans.ts.tolist()))  # fmt: skip
    assert both > 0.7 * min(len(one), len(other)) > 0
    assert len(IMMBoxes(score=2.0).run(scans)) == 0
    assert len(IMMBoxes(least=1.0).run(scans).times) == 1  # the first scan, which is confirmed at once
    for bad in ([1.0, 2.0, 3.0], [1.0, 2.0, 0.0, 4.0]):
        with pytest.raises(ShapeError):
            IMMBoxes().run(Scans("camera", [[bad]], [0.0]))


def test_what_are_no_scans_is_refused() -> None:
    with pytest.raises(SettingError, match=r"BoxTracker.run needs .*Scans, not \[\[0, 0, 10, 5\]\]"):
        BoxTracker(SORT()).run([[0, 0, 10, 5]])  # type: ignore[arg-type]
