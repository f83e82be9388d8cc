"""The tracker of boxes: the shell that holds their tracks."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from ....core import BOX, Gaussian, Scans, TrackTable
from ....core.arrays import Array, numbers
from ....core.errors import PilotageError, SettingError, ShapeError
from ....core.settings import instance
from ..._clock import stamp
from .._kinds import Kinds
from .._tables import Rows, tabulated
from ..tracks import Tracks, following
from ._step import (
    BORN,
    COUNT,
    COV,
    ID,
    KEPT,
    NARROW,
    PAST,
    SCORE,
    SEEN,
    SOURCE,
    STATUS,
    WHOLE,
    WIDE,
    predict_boxes,
    step_boxes,
)
from .camera_motion import carried_boxes, carry_rows, motion_matrix
from .motion import MOVING
from .recipe import BoxRecipe


class HasRecipe(Protocol):
    """Settings that say of which parts a tracker of boxes is made."""

    @property
    def recipe(self) -> BoxRecipe:
        """The parts."""
        ...


class BoxTracker:
    """A tracker of boxes in the images of a camera: `SORT`, `ByteTrack`, `OCSORT`, or parts of your own.

    ::

        boxes  ->  predict  ->  associate, stage by stage  ->  update  ->  manage  ->  begin

    A scan is one call of compiled code. What the tracker knows is replaced by each scan and never changed, so tracks
    that were given out stay as they are.

    Args:
        recipe: `SORT()`, `ByteTrack()`, `OCSORT()`, or a `BoxRecipe`.

    Attributes:
        tracks: the tracks after the latest scan; the existence of each is the score of its last detection. Beliefs are
            on ``x y width height vx vy vwidth vheight``, centre and size in pixels, and pixels a second.

    Raises:
        SettingError: when the recipe is none.

    Example:
        >>> from pilotage.estimators.tracking.boxes import SORT
        >>> tracker = BoxTracker(SORT())
        >>> tracks = tracker.update([[10.0, 20.0, 30.0, 60.0]], t=0.0)
        >>> tracks = tracker.update([[10.0, 20.0, 30.0, 60.0]], t=0.04)
        >>> tracks
        <Tracks at t = 0.04 s: 1 confirmed, 0 tentative>
        >>> boxes_of(tracks).round(1).tolist()
        [[10.0, 20.0, 30.0, 60.0]]
    """

    def __init__(self, recipe: HasRecipe) -> None:
        parts = getattr(recipe, "recipe", None)
        if not isinstance(parts, BoxRecipe):
            raise SettingError(f"recipe of BoxTracker is {recipe!r}; expected SORT(), ByteTrack(), OCSORT() or parts")
        self.recipe = parts
        self._settings, self._stages = parts.numbers
        self._rows, self._whole = np.empty((0, WIDE if parts.remembers else NARROW)), np.empty((0, WHOLE), np.int64)
        self._counts, self.t = np.array([1, 0]), math.nan
        self._costs, self._links = np.empty(64), np.empty((5, 64), np.int64)
        self.tracks = self._at(self.t, self._rows)

    def update(self, boxes: Any, t: float, *, scores: Any = None, camera: Any = None) -> Tracks:
        """Take in a scan; the tracks after it.

        Args:
            boxes: ``(K, 4)`` left, top, width and height [px], K may be 0; rows of NaN are none.
            t: time of the image [s], not before the latest one.
            scores: of the detections ``(K,)``; 1 by default.
            camera: motion of the camera since the latest image: what carries its points to this one, an affine motion
                ``(2, 3)`` or a homography ``(3, 3)``; none by default. See `CameraMotion`.

        Raises:
            ShapeError: when shapes differ, a box has no area, or is infinite or NaN in part. The tracks are as before.
            PilotageError: when time goes backwards.
        """
        z, s, t = *checked(boxes, scores), self._time(t)
        before = self._rows if camera is None else carried(self._rows, motion_matrix(camera))
        n, k = len(before), len(z)
        self._room(n, k)
        new, whole = np.empty((n + k, self._rows.shape[1])), np.empty((n + k, WHOLE), np.int64)
        counts = self._counts.copy()
        dt = 0.0 if math.isnan(self.t) else t - self.t
        left = step_boxes.compiled(
            t, dt, self._settings, self._stages, before, self._whole, z, s, new, whole, np.empty((k, 4)),
            np.empty((2, k)), np.empty((4, k), np.int64), self._costs, self._links, counts,
        )  # fmt: skip
        if left < 0:
            j = -1 - left
            raise ShapeError(
                f"box {j} of a scan is {z[j]} with score {s[j]}; expected finite left, top, and width and height above "
                "0; drop the box, or give NaN in all of it for none"
            )
        self._rows, self._whole, self._counts, self.t = new[:left], whole[:left], counts, t
        self.tracks = following(self._at(t, self._rows), self.tracks)
        return self.tracks

    def predicted(self, t: float) -> Tracks:
        """The tracks at a later time, without taking in a scan."""
        t, rows = self._time(t), self._rows.copy()
        if len(rows):
            predict_boxes.compiled(rows, t - self.t, self._settings)
        return self._at(t, rows)

    def run(self, scans: Scans, *, cameras: Any = None, filtered: bool = True, coasting: bool = False) -> TrackTable:
        """Take in all scans of a camera; the boxes of confirmed tracks after each, in a table on `BOX`.

        Where boxes have kinds, the kind of a track is that of most of the boxes that it took.

        Args:
            scans: boxes with their scores, as `read_mot_detections` gives them.
            cameras: motion of the camera before each scan, ``(T, 2, 3)`` or ``(T, 3, 3)``, such as
                `CameraMotion().of(scans)`; none by default.
            filtered: whether boxes are the means of the beliefs, which are better where detections are rough, and not
                the detections themselves, which are better where these are exact.
            coasting: whether tracks have rows where they were not detected, with the means of the beliefs.

        Example:
            >>> from pilotage.estimators.tracking.boxes import SORT
            >>> scans = Scans("camera", [[[10.0, 20.0, 30.0, 60.0]], [], [[11.0, 20.0, 30.0, 60.0]]], [0.0, 0.1, 0.2])
            >>> BoxTracker(SORT()).run(scans)
            TrackTable(2 rows of 1 targets at 2 instants, 0 to 0.2 s)
        """
        instance(scans, Scans, "BoxTracker.run", "; Scans('camera', [boxes of each image], ts) makes them")
        found, moves, kinds = dict[float, tuple[Tracks, Array]](), motions(cameras, scans), Kinds()
        for i, t in enumerate(scans.ts.tolist()):
            scores = None if scans.scores is None else scans.scores[scans.rows(i)]
            tracks = self.update(scans[i], t, scores=scores, camera=moves[i])
            found[t] = tracks, reported(tracks, tracks.belief.mean, scans[i], filtered)
            kinds.add(tracks, scans, i)
        return table(found, coasting, kinds)

    def _at(self, t: float, rows: Array) -> Tracks:
        whole = self._whole
        return Tracks(
            BELIEFS, rows, t, whole[:, ID], whole[:, STATUS], rows[:, SCORE], rows[:, BORN], rows[:, SEEN],
            whole[:, SOURCE],
        )  # fmt: skip

    def _time(self, t: float) -> float:
        t = stamp(t, self.t)
        if t < self.t:
            raise PilotageError(f"t is {t}; expected a time not before that of the latest scan, {self.t:g} s")
        return t

    def _room(self, n: int, k: int) -> None:
        """Memory that compiled code uses within a scan."""
        if n * k + n + k + 1 > len(self._costs):
            more = 2 * (n * k + n + k + 1)
            self._costs, self._links = np.empty(more), np.empty((5, more), np.int64)

    def __repr__(self) -> str:
        return f"<BoxTracker: {self.tracks!r}>"


def boxes_of(tracks: Tracks) -> Array:
    """The boxes of the confirmed tracks of a `BoxTracker`, ``(C, 4)``: left, top, width and height [px].

    Example:
        >>> from pilotage.estimators.tracking.boxes import SORT
        >>> boxes_of(BoxTracker(SORT()).update([[10.0, 20.0, 30.0, 60.0]], t=0.0)).tolist()
        [[10.0, 20.0, 30.0, 60.0]]
    """
    return edges(tracks.mean)


def table(found: dict[float, tuple[Tracks, Array]], coasting: bool, kinds: Kinds, early: Any = ()) -> TrackTable:
    """The confirmed tracks of several instants, with these boxes and kinds, and those with these numbers."""
    rows = list[Rows]()
    for tracks, boxes in found.values():
        kept = tracks.confirmed | np.isin(tracks.ids, early)
        which = np.flatnonzero(kept if coasting else kept & (tracks.source >= 0))
        rows.append((tracks, which, boxes[which], None))
    return tabulated(rows, BOX, kinds, covered=False)


def reported(tracks: Tracks, mean: Array, detected: Array, filtered: bool) -> Array:
    """Boxes of all tracks: from means ``(N, 8)`` of centre, size and velocities, or as detected, if not filtered."""
    boxes = edges(mean)
    if filtered or not len(detected):
        return boxes
    return np.where(tracks.source[:, None] >= 0, detected[tracks.source], boxes)


class Beliefs:
    """Beliefs of boxes in rows of numbers."""

    def unpack(self, rows: Array) -> Gaussian:
        """The belief in these rows, with a leading axis."""
        cov = np.zeros((len(rows), 8, 8))
        for c in range(4):
            pp, pv, vv = rows[:, COV + 3 * c : COV + 3 * c + 3].T
            cov[:, c, c], cov[:, c, 4 + c], cov[:, 4 + c, c], cov[:, 4 + c, 4 + c] = pp, pv, pv, vv
        return Gaussian.trusted(MOVING, rows[:, :COV].copy(), cov)


BELIEFS = Beliefs()


def motions(cameras: Any, scans: Scans) -> Any:
    """The motion of the camera before each scan, None for none."""
    if cameras is None:
        return [None] * len(scans.ts)
    given = numbers(cameras, "cameras")
    if given.ndim != 3 or len(given) != len(scans.ts):
        raise ShapeError(
            f"cameras have shape {given.shape}; expected ({len(scans.ts)}, 2, 3) or ({len(scans.ts)}, 3, 3), one a scan"
        )
    return given


def carried(rows: Array, M: Array) -> Array:
    """Rows of tracks, with what they remember, after a motion of the camera."""
    rows = rows.copy()
    carry_rows(rows[:, : COV + 12], M)
    if rows.shape[1] > NARROW:
        carry_rows(rows[:, KEPT:PAST], M)
        for k in range(4):
            at, known = slice(PAST + 4 * k, PAST + 4 * k + 4), rows[:, COUNT] > k
            rows[known, at] = carried_boxes(rows[known, at], M)
    return rows


def edges(x: Array) -> Array:
    """Boxes as left, top, width and height, from centres and sizes."""
    return np.concatenate([x[:, :2] - 0.5 * x[:, 2:4], x[:, 2:4]], axis=1)


def checked(boxes: Any, scores: Any) -> tuple[Array, Array]:
    """Boxes ``(K, 4)`` and scores ``(K,)``; compiled code looks at the numbers."""
    z = boxes if type(boxes) is np.ndarray and boxes.dtype == np.float64 else numbers(boxes, "boxes", missing=True)
    if z.ndim != 2 or z.shape[1] != 4:
        if z.size:
            raise ShapeError(f"boxes of a scan have shape {z.shape}; expected (K, 4): left, top, width, height")
        z = z.reshape(0, 4)
    s = np.ones(len(z)) if scores is None else numbers(scores, "scores", missing=True)
    if s.shape != (len(z),):
        raise ShapeError(f"scores of a scan have shape {s.shape}; expected ({len(z)},), one a box")
    return np.array(z, order="C"), np.array(s)  # compiled code takes writable arrays only
