"""Trackers of boxes against pyxtrackers, whose SORT is written in C++."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row
from pilotage.core import iou
from pilotage.estimators.tracking.boxes import SORT, BoxTracker, boxes_of

BOXES, FRAMES, RATE = 80, 100, 30.0


def film() -> list[Any]:
    """Boxes of a full image, of 80 targets that walk, in each frame: left, top, width, height [px]."""
    rng = np.random.default_rng(0)
    sides = np.array([40.0, 100.0]) * np.exp(0.3 * rng.normal(size=(BOXES, 1)))
    x, v = rng.uniform([0.0, 0.0], [1920.0, 1080.0], (BOXES, 2)), 60.0 * rng.normal(size=(BOXES, 2))
    return [
        np.concatenate([x + v * k / RATE + 2.0 * rng.normal(size=(BOXES, 2)) - sides / 2,
                        sides + rng.normal(size=(BOXES, 2))], 1)
        for k in range(FRAMES)
    ]  # fmt: skip


def followed(scans: list[Any]) -> BoxTracker:
    """Our tracker after all frames."""
    tracker = BoxTracker(SORT())
    for k, boxes in enumerate(scans):
        tracker.update(boxes, k / RATE)
    return tracker


@row("track_boxes", peer="pyxtrackers", bar=1.0, unit="us", needs=["pyxtrackers"],
     note="SORT, 80 boxes a frame, from boxes to tracks; a frame")  # fmt: skip
def track_boxes(quick: bool) -> Contest:
    from pyxtrackers.sort import Sort  # pyright: ignore[reportMissingImports]

    scans = film()
    corners = [np.concatenate([z[:, :2], z[:, :2] + z[:, 2:], np.ones((BOXES, 1))], 1) for z in scans]

    def theirs() -> Any:
        tracker, found = Sort(), None
        for boxes in corners:
            found = tracker.update(boxes)
        return found

    def check() -> str:
        found = np.asarray(theirs())
        boxes = np.concatenate([found[:, :2], found[:, 2:4] - found[:, :2]], 1)
        same = iou(boxes_of(followed(scans).tracks), boxes).max(1)
        assert len(found) == BOXES and (same > 0.5).all(), "the two do not track the same boxes"
        return f"boxes agree to an IoU of {same.mean():.2f} on average"

    return Contest(lambda: followed(scans), theirs, check, work=FRAMES)


@absolute("track_boxes_frame", limit=50.0, unit="us", note="SORT, 80 boxes a frame, from boxes to tracks; a frame")
def track_boxes_frame(quick: bool) -> Contest:
    scans = film()
    return Contest(lambda: followed(scans), work=FRAMES)
