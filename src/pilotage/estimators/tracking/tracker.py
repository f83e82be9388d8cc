"""The tracker: the shell that holds the tracks, and takes in scans of all detectors."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...core import Gaussian, Mixture, Scans, Space, TrackTable
from ...core.errors import PilotageError, SettingError, ShapeError
from ...core.settings import Fraction, Natural, NonNegative, instance, setting
from .._clock import stamp
from ._assembly import directions, fitting, living, merging, method, ungated
from ._independent import Independent
from ._kinds import Kinds
from ._life import Living
from ._rehearsal import rehearse
from ._replay import Past, replayed
from ._state import Hypotheses, Method, Parts, Scan
from ._tables import Rows, tabulated
from ._targets import Targets
from .association import Association
from .detector import Detector
from .gate import Gate
from .gnn import GNN
from .initiation import Initiation
from .management import Management
from .merging import Merging
from .one_point import OnePoint
from .reidentification import Reidentification
from .splitting import Splitting
from .tracks import Tracks, following


class Tracker:
    """A tracker of many targets, made of parts that are exchanged freely.

    ::

        detections  ->  gate  ->  associate  ->  update  ->  manage  ->  begin

    Each scan predicts all tracks to its time, pairs its detections with the tracks whose gates they are in, shares them
    out by the association, updates the belief of each track with its share, confirms and deletes tracks by the
    management, and begins tracks at detections that no track explains. Any filter with a Gaussian belief or several
    models serves, any sensor, and scans of several detectors at their own times.

    The first tracker of its kind in a process takes in a few scans of its own when it is made, so that no scan of yours
    waits for machine code. That calls the parts, but no function of a detector.

    Args:
        filter: the filter of each track, with dynamics: a Kalman filter, or one of several models. The tracker gates.
        detectors: a `Detector`, or several by name.
        birth: where targets appear and how fast they go, as a belief; or an `Initiation`.
        association: how detections are shared out; or `MHT`, `PMBM`, `LMB`, `GMPHD` or `CPHD` in its place.
        gate: the gate, or its probability.
        management: when tracks are confirmed and end; by default that of the association, which is a `ScoreTest`, and
            `Existence` for `JIPDA`.
        threshold: a track begins at a detection that comes from others with less than this probability; for an
            association, not for several hypotheses.
        merge: when two tracks follow one target, of which the older one goes on; or the probability of its ellipsoid.
            0 for never.
        split: how targets are found that come out of others; None for never.
        reidentify: how lost targets are found again; None for never.
        lag: how late scans may arrive [s]: they are put in their place, and later ones processed again.
        history: tracks of how many past scans are kept, for `past`.

    Attributes:
        tracks: the tracks after the latest scan.

    Raises:
        SettingError: when parts do not fit.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> radar = Detector(position(std=0.5), detection=0.95, clutter=1e-3)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> tracker = Tracker(KF(car, dt=1.0), radar, birth)
        >>> for t in range(6):
        ...     tracks = tracker.update([[1.0 * t, 0.1], [20.0 - t, 5.0]], t=float(t))
        >>> tracks
        <Tracks at t = 5 s: 2 confirmed, 0 tentative>
        >>> [track.id for track in tracks]
        [1, 2]
        >>> tracks.mean.round(0)[:, :2].tolist()
        [[5.0, 0.0], [15.0, 5.0]]
    """

    def __init__(
        self,
        filter: Any,
        detectors: Detector | Mapping[str, Detector],
        birth: Gaussian | Mixture | Initiation,
        association: Association | Hypotheses | None = None,
        *,
        gate: Gate | float = Gate(),  # noqa: B008  # frozen
        management: Management | None = None,
        threshold: float = 0.5,
        merge: Merging | float = 0.1,
        split: Splitting | None = None,
        reidentify: Reidentification | None = None,
        lag: float = 0.0,
        history: int = 0,
    ) -> None:
        named = detectors if isinstance(detectors, Mapping) else {"": detectors}
        self.detectors = {name: instance(each, Detector, "Tracker") for name, each in named.items()}
        if not self.detectors:
            raise SettingError("detectors of Tracker are none; give at least one Detector")
        birth = OnePoint(birth) if isinstance(birth, Gaussian | Mixture) else birth
        targets = Targets(ungated(filter))
        fitting(birth, targets)
        parts = Parts(
            targets,
            Gate.of(gate),
            None if management is None else instance(management, Management, "Tracker"),
            instance(birth, Initiation, "Tracker"),
            merging(merge),
        )
        threshold = setting(threshold, Fraction, "threshold of Tracker")
        self._method: Method = method(GNN() if association is None else association, parts, threshold)
        if split is not None or reidentify is not None:
            self._method = living(self._method, parts, reidentify, split)
        self.lag = setting(lag, NonNegative, "lag of Tracker")
        self._state: Any = None
        self._tracks = self._before = self._method.tracks(self._method.none(math.nan))
        self._numbers = itertools.count(1)
        self._past = Past()
        kept = setting(history, Natural, "history of Tracker")
        self._history = deque[Tracks](maxlen=kept) if kept else None
        sensors = [each.sensor for each in self.detectors.values()]
        for sensor in sensors:
            self._method.targets.mounted(sensor)
        rehearse(self._method, association, parts.targets.filter, sensors)

    @property
    def t(self) -> float:
        """Time of the latest scan [s]; NaN before the first."""
        return math.nan if self._state is None else self._state.t

    @property
    def tracks(self) -> Tracks:
        """The tracks after the latest scan."""
        return self._tracks

    def update(
        self,
        detections: Any,
        t: float,
        *,
        detector: str | None = None,
        context: Any = None,
        begins: Any = None,
        features: Any = None,
    ) -> Tracks:
        """Take in a scan; the tracks after the latest one.

        Args:
            detections: ``(K, k)``, K may be 0; rows of NaN are none.
            t: time of the scan [s]. A scan that is earlier than the latest one, by at most `lag`, takes its place
                among them.
            detector: name of its detector, where there are several.
            context: context of the sensor.
            begins: whether tracks may begin at each detection, ``(K,)``; at all by default. Not with methods of
                several hypotheses and of random sets.
            features: how each detection looks, for `Reidentification`: ``(K, d)``; rows of NaN are not known.

        Raises:
            ShapeError: when detections or features do not fit. The tracks are as before.
            PilotageError: when the scan is earlier than `lag` allows.
        """
        one = self._detector(detector)
        z, places = one.scan(detections)
        begins = self._begins(begins, detections, places)
        looks = None if features is None else directions(features, len(detections))
        scan = Scan(self._time(t), one, z, places, one.context(context), {}, begins, looks)
        states, self._past = replayed(self._state, self._past, scan, self.lag, self._step)
        self._state, tracks = states[-1], self._method.tracks(states[-1])
        if len(states) > 1:
            each = (self._method.tracks(state)._links.merged for state in states)
            tracks._links = replace(tracks._links, merged={id: into for merged in each for id, into in merged.items()})
        self._before, self._tracks = self._tracks, following(tracks, self._tracks)
        if self._history is not None:
            self._history.append(self._tracks)
        return self._tracks

    def _step(self, state: Any, scan: Scan) -> Any:
        """The state after a scan."""
        state = self._method.none(scan.t) if state is None else state
        return self._method.step(state, scan, self._numbers.__next__)

    def predicted(self, t: float) -> Tracks:
        """The tracks at a later time, without taking in a scan."""
        t = stamp(t, self.t)
        state = self._method.none(t) if self._state is None else self._state
        if t < state.t:
            raise PilotageError(f"t is {t}; the tracks are at {state.t:.12g} s, and are predicted to later times")
        return self._method.tracks(self._method.predict(state, t))

    def adopt(self, beliefs: Mapping[int, Gaussian | Mixture], t: float) -> None:
        """Replace beliefs of tracks by better ones, such as those of a `TrackFuser`; numbers without a track are left.

        Args:
            beliefs: by number of the track, on the state of the filter; of a filter of several models, mixtures of its
                modes.
            t: their time [s], that of the latest scan.

        Raises:
            PilotageError: when they are of another time, or the tracker has several hypotheses, a lag, splits or
                re-identification.
        """
        targets, state = self._method.targets, self._state
        if self.lag > 0.0 or not isinstance(self._method, Independent):
            raise PilotageError(
                "a tracker of several hypotheses, with a lag, splits or re-identification takes no beliefs of others"
            )
        if not targets.alone and not all(isinstance(each, Mixture) for each in beliefs.values()):
            raise PilotageError("beliefs are Gaussian, the filter has several models; give mixtures of its modes")
        if state is None or t != state.t:
            raise PilotageError(
                f"beliefs are at t = {t:.12g} s, the tracks at {self.t:.12g} s; give those of the same time"
            )
        rows = state.rows.copy()
        for i, id in enumerate(state.ids.tolist()):
            if id in beliefs:
                rows[[i]] = targets.pack(beliefs[id])
        self._state = state.changed(rows=rows)
        self._tracks = following(self._method.tracks(self._state), self._before)

    def past(self, id: int) -> list[tuple[float, Any]]:
        """Time and belief of a track after each of the last scans; see `history`.

        A track that was found again has what it had before, and under the number that it had meanwhile; one that came
        out of another has what that had before.
        """
        if self._history is None:
            raise SettingError("history of Tracker is 0; give the number of scans that are kept")
        names, found = self.tracks._links.lineage(id), list[tuple[float, Any]]()
        for tracks in self._history:
            known = [name for name in names if (tracks.ids == name).any()]
            found += [(tracks.t, tracks.of(name).belief) for name in known[:1]]
        return found

    def run(self, *scans: Scans) -> TrackTable:
        """Take in all scans of one detector or several, in order of time; the confirmed tracks after each, in a table.

        The sensor of each `Scans` is that of a detector, or the name of one. The score of a row is the existence; where
        detections have kinds, the kind of a track is that of most of those that it took.

        Example:
            >>> from pilotage.estimators import KF
            >>> from pilotage.estimators.tracking import JPDA, crossing
            >>> from pilotage.models import constant_velocity
            >>> scene, car = crossing(clutter=5.0, rng=1), constant_velocity(density=0.3)
            >>> birth = Gaussian.of(car.state, std=[300.0, 300.0, 15.0, 15.0])
            >>> tracker = Tracker(KF(car, dt=1.0), Detector(scene.scans.sensor, clutter=scene.clutter), birth, JPDA())
            >>> len(tracker.run(scene.scans).ids)
            2
        """
        hint = "; give the scans of several detectors one after another, run(a, b)"
        given = [instance(each, Scans, "Tracker.run", hint) for each in scans]
        events = [(float(t), i, k) for i, one in enumerate(given) for k, t in enumerate(one.ts)]
        found, kinds = list[Tracks](), Kinds()
        for t, i, k in sorted(events, key=lambda event: event[0]):
            one = given[i]
            context = None if one.contexts is None else one.contexts[k]
            found.append(self.update(one[k], t, detector=self._name(one.sensor), context=context))
            kinds.add(self.tracks, one, k)
        return table(found, self._method.targets.shared, kinds)

    def _name(self, sensor: Any) -> str:
        if isinstance(sensor, str):  # a detector without a name takes scans of any, such as those of a file
            return next(iter(self.detectors)) if "" in self.detectors else sensor
        for name, one in self.detectors.items():
            if one.sensor is sensor:
                return name
        if len(self.detectors) == 1 and self._detector(None).sensor.reading == sensor.reading:
            return next(iter(self.detectors))
        raise PilotageError(f"no detector has the sensor {sensor!r}; give its name, one of {list(self.detectors)}")

    def _detector(self, name: str | None) -> Detector:
        if name is None and len(self.detectors) == 1:
            return next(iter(self.detectors.values()))
        if not isinstance(name, str) or name not in self.detectors:
            names = ", ".join(self.detectors) or "none with a name; give Tracker a mapping of names"
            raise PilotageError(f"there is no detector {name!r}; there are {names}")
        return self.detectors[name]

    def _begins(self, begins: Any, detections: Any, places: Any) -> Any:
        if begins is None:
            return None
        method = self._method.method if isinstance(self._method, Living) else self._method
        if not isinstance(method, Independent):
            raise PilotageError(
                "begins is given; methods of several hypotheses and of random sets weigh themselves where tracks "
                "begin: leave it out"
            )
        may, n = np.asarray(begins), len(detections)
        if may.shape != (n,) or may.dtype != np.bool_:
            raise ShapeError(f"begins have shape {may.shape} of {may.dtype}; expected ({n},) of bool, one a detection")
        return may[places]

    def _time(self, t: float) -> float:
        """The time of a scan that is not too late."""
        t = stamp(t, self.t)
        if self._state is not None and t < self._state.t - self.lag:
            raise PilotageError(
                f"t is {t:.12g} s, earlier than the latest scan at {self._state.t:.12g} s by more than the lag of "
                f"{self.lag:g} s; sort the scans, or give the tracker a longer lag"
            )
        return t

    def __repr__(self) -> str:
        return f"<Tracker of {type(self._method.targets.filter).__name__}: {self.tracks!r}>"


def table(tracks: list[Tracks], space: Space, kinds: Kinds) -> TrackTable:
    """The confirmed tracks of several instants, with their kinds; of one that comes twice, the later ones."""
    rows = list[Rows]()
    for one in {one.t: one for one in tracks}.values():
        which = np.flatnonzero(one.confirmed)
        if len(which):
            belief = one.belief[which].moments()
            rows.append((one, which, belief.mean, belief.cov))
    return tabulated(rows, space, kinds, covered=True)
