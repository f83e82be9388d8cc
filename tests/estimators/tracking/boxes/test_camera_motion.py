"""The motion of a camera: trackers that are told of it against boxes in a still image, and its estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Gaussian, Scans, TrackTable
from pilotage.core.errors import PilotageError, ShapeError
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxTracker, ByteTrack, CameraMotion, IMMBoxes
from pilotage.estimators.tracking.boxes.camera_motion import carried_belief, carry_rows, motion_matrix
from pilotage.estimators.tracking.boxes.motion import MOVING

from .test_boxes import film

RECIPES: dict[str, Any] = {"SORT": SORT(), "ByteTrack": ByteTrack(), "OC-SORT": OCSORT()}


def filmed(seed: int, scans: int = 25, **more: Any) -> Scans:
    made = film(seed, scans=scans, **more)
    return Scans("camera", [b for b, _, _ in made], [t for _, _, t in made], scores=[s for _, s, _ in made])


def shaken(scans: Scans, seed: int) -> tuple[Scans, Any, Any]:
    """The film as a camera sees it that jumps and zooms; its motion; and what carries the still image to each one."""
    rng = np.random.default_rng(seed)
    zoom = np.exp(np.append(0.0, 0.1 * rng.normal(size=len(scans.ts) - 1)))
    cameras = np.zeros((len(scans.ts), 2, 3))
    cameras[:, [0, 1], [0, 1]] = zoom[:, None]
    cameras[1:, :, 2] = 80.0 * rng.normal(size=(len(scans.ts) - 1, 2))
    whole, seen = [np.eye(2, 3)], list[Any]()
    for camera in cameras[1:]:
        whole.append(camera @ np.concatenate([whole[-1], [[0.0, 0.0, 1.0]]]))
    for i, M in enumerate(whole):
        z = scans[i] * M[0, 0]
        seen.append(z + [*M[:, 2], 0.0, 0.0])
    scores = scans.scores
    assert scores is not None
    parts = [scores[i:j] for i, j in zip(scans.offsets, scans.offsets[1:], strict=False)]
    return Scans("camera", seen, scans.ts, scores=parts), cameras, np.array(whole)


def same(table: TrackTable, still: TrackTable, whole: Any, ts: Any) -> None:
    """Tracks in the images of a camera that moves, beside those in a still image."""
    M = whole[np.searchsorted(ts, still.t)]
    np.testing.assert_array_equal(table.t, still.t)
    np.testing.assert_array_equal(table.id, still.id)
    wanted = still.x * M[:, 0, :1]
    wanted[:, :2] += M[:, :, 2]
    np.testing.assert_allclose(table.x, wanted, rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=8)
def test_a_tracker_that_knows_the_camera_tracks_as_in_a_still_image(name: str, seed: int) -> None:
    """Shift and zoom, also where the recipe goes back to its last observations."""
    scans = filmed(seed)
    seen, cameras, whole = shaken(scans, seed)
    still = BoxTracker(RECIPES[name]).run(scans, coasting=True)
    same(BoxTracker(RECIPES[name]).run(seen, cameras=cameras, coasting=True), still, whole, scans.ts)
    assert len(BoxTracker(RECIPES[name]).run(seen)) < len(still)


def test_an_imm_that_knows_the_camera_tracks_as_in_a_still_image() -> None:
    scans = filmed(3, scans=12)
    seen, cameras, whole = shaken(scans, 3)
    same(IMMBoxes().run(seen, cameras=cameras), IMMBoxes().run(scans), whole, scans.ts)


def test_homographies_carry_beliefs_by_their_jacobian() -> None:
    """Against finite differences of the map, and marginals of the rows against the whole covariance."""
    rng = np.random.default_rng(0)
    H = np.array([[0.98, -0.05, 12.0], [0.04, 1.03, -7.0], [2e-4, -1e-4, 1.0]])
    x = np.concatenate([rng.uniform(0.0, 300.0, (3, 2)), rng.uniform(20.0, 60.0, (3, 2)), rng.normal(size=(3, 4))], 1)
    A = rng.normal(size=(3, 8, 8))
    belief = carried_belief(Gaussian.of(MOVING, x, cov=A @ A.swapaxes(1, 2)), motion_matrix(2.0 * H))

    def image(p: Any) -> Any:
        q = np.append(p, 1.0) @ H.T
        return q[:2] / q[2]

    for i in range(3):
        d = 1e-5 * np.eye(2)
        J = np.column_stack([(image(x[i, :2] + e) - image(x[i, :2] - e)) / 2e-5 for e in d])
        np.testing.assert_allclose(belief.mean[i, :2], image(x[i, :2]), rtol=1e-12)
        np.testing.assert_allclose(belief.mean[i, 4:6], J @ x[i, 4:6], rtol=1e-6)
        np.testing.assert_allclose(belief.mean[i, 2:4], np.hypot(*J) * x[i, 2:4], rtol=1e-6)
        np.testing.assert_allclose(belief.cov[i, :2, :2], J @ (A @ A.swapaxes(1, 2))[i, :2, :2] @ J.T, rtol=1e-6)
    P = np.zeros((3, 8, 8))
    rows = np.concatenate([x, np.tile([2.0, 0.5, 1.0], (3, 4)) * rng.uniform(0.8, 1.2, (3, 12))], 1)
    for c in range(4):
        P[:, c, c], P[:, c, 4 + c], P[:, 4 + c, c], P[:, 4 + c, 4 + c] = rows[:, [8 + 3 * c, 9 + 3 * c, 9 + 3 * c,
                                                                                 10 + 3 * c]].T  # fmt: skip
    wanted = carried_belief(Gaussian.of(MOVING, x, cov=P), motion_matrix(H))
    carry_rows(rows, motion_matrix(H))
    np.testing.assert_allclose(rows[:, :8], wanted.mean, rtol=1e-12)
    for c in range(4):
        found = rows[:, 8 + 3 * c : 11 + 3 * c]
        np.testing.assert_allclose(found.T, [wanted.cov[:, a, b] for a, b in ((c, c), (c, 4 + c), (4 + c, 4 + c))])


@given(seed=st.integers(0, 10_000), dx=st.floats(-60.0, 60.0), dy=st.floats(-60.0, 60.0))
@settings(max_examples=20)
def test_the_shift_of_most_boxes_is_found(seed: int, dx: float, dy: float) -> None:
    """Six boxes that move with the image and three that go their own way, in any order, with boxes that come and go."""
    rng = np.random.default_rng(seed)
    corners = 150.0 * np.stack(np.meshgrid(np.arange(3.0), np.arange(3.0)), -1).reshape(-1, 2)
    before = np.concatenate([corners, rng.uniform(30.0, 50.0, (9, 2))], 1)
    after = before + [dx, dy, 0.0, 0.0]
    after[:, :2] += rng.normal(size=(9, 2))
    after[6:, :2] += rng.uniform(25.0, 40.0, (3, 2)) * rng.choice([-1.0, 1.0], (3, 2))
    found = CameraMotion().between(before, rng.permutation(np.concatenate([after, [[900.0, 900.0, 40.0, 40.0]]])))
    np.testing.assert_allclose(found, [[1.0, 0.0, dx], [0.0, 1.0, dy]], atol=3.0)


def test_too_few_boxes_leave_the_camera_still() -> None:
    boxes = np.array([[0.0, 0.0, 20.0, 40.0], [50.0, 5.0, 20.0, 40.0]])
    for before, after in ((boxes, boxes + [5.0, 0.0, 0.0, 0.0]), (boxes, boxes[:0]), (boxes[:0], boxes)):
        assert CameraMotion().between(before, after).tolist() == np.eye(2, 3).tolist()
    scans = Scans("camera", [boxes, [], boxes], [0.0, 0.1, 0.2], scores=[[0.5, 0.9], [], [0.5, 0.9]])
    assert CameraMotion(score=0.7).of(scans).shape == (3, 2, 3)
    assert CameraMotion().of(Scans("camera", [], [])).shape == (0, 2, 3)


def test_shifts_of_a_film_are_found_and_help() -> None:
    """A crowd that a camera shakes: with the estimated motion, its tracks hold as with the true one."""
    scans = filmed(5, targets=12, clutter=0.0, side=900.0)
    rng = np.random.default_rng(5)
    shifts = np.concatenate([np.zeros((1, 2)), np.cumsum(25.0 * rng.normal(size=(len(scans.ts) - 1, 2)), axis=0)])
    seen = Scans("camera", [scans[i] + [*d, 0.0, 0.0] for i, d in enumerate(shifts)], scans.ts)
    found = CameraMotion().of(seen)
    assert np.abs(found[1:, :, 2] - np.diff(shifts, axis=0)).mean() < 8.0
    alone, helped = BoxTracker(SORT()).run(seen), BoxTracker(SORT()).run(seen, cameras=found)
    assert len(helped.ids) < len(alone.ids) and len(helped) > len(alone)


@pytest.mark.parametrize(
    "camera", [[1.0, 0.0], np.eye(4), np.diag([1.0, -1.0, 1.0]), np.full((2, 3), np.nan), np.zeros((2, 3))]
)
def test_motions_that_are_none(camera: Any) -> None:
    tracker = BoxTracker(SORT())
    tracker.update([[0.0, 0.0, 10.0, 20.0]], 0.0)
    with pytest.raises((ShapeError, PilotageError)):
        tracker.update([], 1.0, camera=camera)
    assert tracker.t == 0.0
    with pytest.raises(ShapeError, match="cameras"):
        BoxTracker(SORT()).run(filmed(0), cameras=np.tile(np.eye(2, 3), (3, 1, 1)))
