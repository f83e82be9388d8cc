"""The track fuser: one picture of the targets from the tracks of several trackers."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ....core.errors import PilotageError, SettingError
from ....core.settings import Count, Fraction, NonNegative, Positive, instance, setting
from .._assembly import ungated
from .._replay import Past, replayed
from .._targets import Targets
from ..gate import Gate
from ..tracker import Tracker
from ..tracks import Tracks, TrackStatus, following
from ._picture import Fusing, Message, Picture
from .covariance_intersection import CovarianceIntersection
from .fusion import Fusion


class TrackFuser:
    """A fuser of tracks: sources send their tracks, each at its own times, and it keeps one track for each target.

    ::

        tracks  ->  predict to their time  ->  gate  ->  assign  ->  fuse  ->  manage

    A track of a source and one of the fuser may be of one target if ``d' (A + B)^-1 d`` is within the gate, where d is
    their difference; pairs that were together before come first. Confirmed tracks of the source that have no partner
    begin tracks. A track ends when no source holds it, or none has detected it for `patience` seconds. Detections
    count, not messages: two fusers do not keep a track alive by telling each other of it.

    Sources may be trackers or other fusers, and their beliefs Gaussians, or mixtures, of which the moments are taken.
    If tracks go both ways, say so by `send`, and let the two take turns.

    Args:
        filter: predicts tracks; a Kalman filter with dynamics of one model, on the components to fuse. Sources may
            have more of them.
        rule: how beliefs are fused; `CovarianceIntersection` by default.
        gate: the gate, or its probability.
        enough: messages with new detections that confirm a track.
        patience: a track ends so long after its last detection [s].
        merge: of two tracks that say the same, and that no source tells apart, only the better one goes on: where the
            mean of one is within the ellipsoid of this probability around the other. 0 for never.
        lag: how late messages may arrive [s]: they are put in their place, and later ones processed again.

    Raises:
        SettingError: when parts do not fit.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> radar = Detector(position(std=0.5), detection=0.95, clutter=1e-3)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> left, right = Tracker(KF(car, dt=1.0), radar, birth), Tracker(KF(car, dt=1.0), radar, birth)
        >>> fuser = TrackFuser(KF(car, dt=1.0))
        >>> for t in range(6):
        ...     _ = fuser.update(left.update([[1.0 * t, 0.1]], t=float(t)), source="left")
        ...     _ = fuser.update(right.update([[1.0 * t, -0.1], [20.0, 5.0]], t=t + 0.5), source="right")
        >>> fuser.tracks
        <Tracks at t = 5.5 s: 2 confirmed, 0 tentative>
    """

    def __init__(
        self,
        filter: Any,
        rule: Fusion | None = None,
        *,
        gate: Gate | float = Gate(),  # noqa: B008  # frozen
        enough: int = 1,
        patience: float = 10.0,
        merge: float = 0.1,
        lag: float = 0.0,
    ) -> None:
        targets = Targets(ungated(filter))
        if not targets.alone:
            raise SettingError(
                f"filter of TrackFuser is {type(filter).__name__} of several models; expected one model, such as "
                "KF(dynamics): tracks of such filters are fused by their moments"
            )
        self._fusing = Fusing(
            targets,
            instance(CovarianceIntersection() if rule is None else rule, Fusion, "TrackFuser"),
            Gate.of(gate),
            setting(enough, Count, "enough of TrackFuser"),
            setting(patience, Positive, "patience of TrackFuser"),
            Gate(merge) if setting(merge, Fraction, "merge of TrackFuser") > 0.0 else None,
        )
        self.lag = setting(lag, NonNegative, "lag of TrackFuser")
        self._picture: Picture | None = None
        self._before: Tracks | None = None
        self._numbers = itertools.count(1)
        self._past = Past()

    @property
    def t(self) -> float:
        """Time of the latest message [s]; NaN before the first."""
        return math.nan if self._picture is None else self._picture.t

    @property
    def tracks(self) -> Tracks:
        """The tracks after the latest message."""
        found = self._fusing.tracks(self._fusing.none(math.nan) if self._picture is None else self._picture)
        return found if self._before is None else following(found, self._before)

    def update(self, tracks: Tracks, source: str) -> Tracks:
        """Take in the tracks of a source; the fused tracks after the latest message.

        Args:
            tracks: of a tracker or another fuser; its confirmed ones are taken.
            source: its name.

        Raises:
            SpaceError: when the tracks lack a component of the filter. The fused tracks are as before.
            PilotageError: when the message is earlier than `lag` allows.
        """
        before = self.tracks
        self._take(self._message(instance(tracks, Tracks, "TrackFuser"), setting(source, str, "source")))
        self._before = before
        return self.tracks

    def send(self, to: str) -> Tracks:
        """The fused tracks, for a source with this name that takes them in: from now on both know them."""
        if self._picture is not None:
            self._take(Message(self._picture.t, setting(to, str, "to"), goes=True))
        return self.tracks

    def feedback(self, tracker: Tracker, source: str) -> None:
        """Give a tracker the fused beliefs of its tracks; it is the source with this name, and at the same time.

        Raises:
            PilotageError: when the tracker is at another time, or has a lag or a filter of several models.
        """
        if self._picture is None or (channel := self._picture.channels.get(source)) is None:
            return
        fused = self.tracks
        linked = [
            (int(theirs), fused.of(int(id)))
            for id, theirs in zip(channel.ids, channel.theirs, strict=True)
            if theirs >= 0
        ]
        tracker.adopt(
            {theirs: track.belief for theirs, track in linked if track.status != TrackStatus.TENTATIVE}, self.t
        )
        self.send(source)

    def predicted(self, t: float) -> Tracks:
        """The tracks at a later time."""
        picture = self._fusing.none(t) if self._picture is None else self._picture
        if not t >= picture.t:
            raise PilotageError(f"t is {t}; the tracks are at {picture.t:g} s, and are predicted to later times")
        return self._fusing.tracks(self._fusing.predict(picture, float(t)))

    def _message(self, tracks: Tracks, source: str) -> Message:
        """The confirmed tracks, on the space of the fuser."""
        t, which = float(tracks.t), np.flatnonzero(tracks.confirmed)
        if not len(which) and not math.isfinite(t):
            raise PilotageError(f"the tracks of {source!r} have no time; send those after a first scan")
        if self._picture is not None and t < self._picture.t - self.lag:
            raise PilotageError(
                f"the tracks of {source!r} are at {t:g} s, earlier than the latest message at {self._picture.t:g} s by "
                f"more than the lag of {self.lag:g} s; give the fuser a longer lag"
            )
        if not len(which):
            return Message(t, source)
        space, belief = self._fusing.targets.spaces[0], tracks.belief[which].moments()
        if belief.space != space:
            belief = belief.marginal([part.name for part in space.parts])
        sure = tracks.status[which] == TrackStatus.CONFIRMED
        return Message(
            t, source, tracks.ids[which], belief, tracks.existence[which], tracks.born[which], tracks.seen[which], sure,
            which,
        )  # fmt: skip

    def _take(self, message: Message) -> None:
        """Process a message in its place, and later ones again."""
        pictures, self._past = replayed(self._picture, self._past, message, self.lag, self._step)
        self._picture = pictures[-1]

    def _step(self, picture: Picture | None, message: Message) -> Picture:
        """The picture after a message."""
        picture = self._fusing.none(message.t) if picture is None else picture
        return self._fusing.step(picture, message, self._numbers.__next__)

    def __repr__(self) -> str:
        return f"<TrackFuser by {self._fusing.rule}: {self.tracks!r}>"
