"""Boxes that are hidden for seconds keep their numbers: `Tracker` with the models of boxes, and `Reidentification`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian
from pilotage.estimators import EKF
from pilotage.estimators.tracking import Detector, Reidentification, Tracker
from pilotage.estimators.tracking.boxes import BoxMotion

PEOPLE = BoxMotion(accel=0.2, wander=0.02)
BIRTH = Gaussian.of(
    PEOPLE.dynamics.state, [960, 540, 80, 200, 0, 0, 0, 0], std=[500, 200, 30, 80, 100, 30, 10, 10]
)  # fmt: skip
DETECTOR = Detector(PEOPLE.sensor, detection=0.95, clutter=1e-11)


def walk(back: Any, looks: Any = None, rule: Reidentification | None = None) -> list[int]:
    """The numbers at the end, where two people walk and are hidden for 2.5 s; `back` are their boxes then."""
    tracker, rng = Tracker(EKF(PEOPLE.dynamics, dt=0.1), DETECTOR, BIRTH, reidentify=rule), np.random.default_rng(0)
    starts = np.array([[300.0, 540.0, 60.0, 160.0], [1500.0, 540.0, 90.0, 240.0]])
    for k in range(60):
        boxes = (starts if k < 20 else np.asarray(back)) + k * np.array([[8.0, 0.0, 0.0, 0.0], [-8.0, 0.0, 0.0, 0.0]])
        seen = boxes + rng.normal(size=(2, 4)) if not 20 <= k < 45 else np.zeros((0, 4))
        features = None if looks is None else np.asarray(looks[k >= 45])[: len(seen)]
        tracker.update(seen, 0.1 * k, features=features)
    boxes = {track.id: track.belief.mean for track in tracker.tracks}
    return sorted(boxes, key=lambda id: boxes[id][0])


SAME = [[300.0, 540.0, 60.0, 160.0], [1500.0, 540.0, 90.0, 240.0]]
AGAIN = Reidentification(keep=10.0, newcomers=0.01)


def test_boxes_come_back_by_their_motion() -> None:
    assert walk(SAME) == [3, 4]
    assert walk(SAME, rule=AGAIN) == [1, 2]


def test_a_box_of_another_size_is_another_person() -> None:
    other = [[300.0, 540.0, 150.0, 420.0], [1500.0, 540.0, 90.0, 240.0]]
    assert walk(other, rule=AGAIN) == [3, 2]


@pytest.mark.parametrize("same", [True, False])
def test_a_person_who_looks_different_is_another_one(same: bool) -> None:
    red, blue, green = np.eye(3)
    looks = ([red, blue], [red if same else green, blue])
    rule = Reidentification(keep=10.0, newcomers=0.01, appearance=0.3)
    assert walk(SAME, looks, rule) == ([1, 2] if same else [3, 2])
