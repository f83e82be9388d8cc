"""The engine of SLAM by a joint Gaussian: predictions, association, updates, and landmarks that come and go."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Dynamics, FilterStatus, Gaussian, ModelError, Sensor
from pilotage.core.arrays import Array
from pilotage.core.declared import called
from pilotage.core.sensor import measured

from ..._inputs import gate_quantiles
from ...joint_compatibility import individual_distances
from ._frames import Frame
from ._joint import JointBelief
from ._linearized import Mover, Reader
from .association import NEW
from .initiation import first_places
from .landmark_map import Ids, LandmarkMap, MapUpdate
from .mapper import LandmarkEngine

if TYPE_CHECKING:
    from .ekf_slam import GaussianSLAM

CHUNK = 50
"""Detections that are associated and used together; a longer scan is taken in parts."""
REMEMBERED = 64
"""Sensors that an engine keeps ready."""
FEW = 5
"""Landmarks that tell their density."""
LOG_TURN = math.log(2.0 * math.pi)


class Outcome:
    """What becomes of a scan, while it is used part by part."""

    def __init__(self, count: int) -> None:
        self.ids, self.new = np.full(count, -1, np.int64), np.zeros(count, bool)
        self.nis, self.dof, self.log_likelihood, self.failed = 0.0, 0, 0.0, False
        self.waiting = False

    def add(self, scores: tuple[float, int, float] | None) -> bool:
        """Count the scores of an update; False if it failed."""
        if scores is None:
            self.failed = True
            return False
        nis, dof, log_likelihood = scores
        self.nis, self.dof, self.log_likelihood = self.nis + nis, self.dof + dof, self.log_likelihood + log_likelihood
        return True

    def result(self, removed: Ids) -> MapUpdate:
        used = bool((self.ids >= 0).any()) or self.waiting or self.dof > 0
        status = FilterStatus.ACCEPTED if used else FilterStatus.GATED
        if not len(self.ids):
            status = FilterStatus.NO_READING
        if self.failed and not used:
            status = FilterStatus.SINGULAR_INNOVATION
        return MapUpdate(self.ids, self.new, removed, self.nis, self.dof, self.log_likelihood, status)


class GaussianEngine(LandmarkEngine):
    """A vehicle and landmarks with one joint Gaussian.

    Attributes:
        joint: the joint belief; its landmarks have `ids`, `sightings`, `confirmed`, and `born`, the scan in which each
            began.
        density, counted: landmarks per unit of volume, when so many were confirmed.
        owners: id of the landmark that each clone of `joint` waits for, with the sensor and its reading then.
    """

    def __init__(self, estimator: GaussianSLAM, dynamics: Dynamics, belief: Gaussian, frame: Frame) -> None:
        self.estimator, self.dynamics, self.frame = estimator, dynamics, frame
        self.joint, self.mover = JointBelief(belief), Mover(dynamics)
        self.readers: dict[int, Reader] = {}
        self.space: Any = None
        self.ids, self.sightings, self.born = (np.zeros(0, np.int64) for _ in range(3))
        self.confirmed: NDArray[np.bool_] = np.zeros(0, bool)
        self.owners: list[tuple[int, Sensor, Array]] = []
        self.skips: dict[int, tuple[int, int]] = {}
        self.next_id, self.scans = 0, 0
        self.density, self.counted = 0.0, 0

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: all but machine code, which is made again."""
        return {name: value for name, value in vars(self).items() if name not in ("mover", "readers")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, mover=Mover(state["dynamics"]), readers={})

    def save(self) -> Any:
        return {name: value.copy() if hasattr(value, "copy") else value for name, value in vars(self).items()}

    def restore(self, saved: Any) -> None:
        vars(self).update(saved)

    @property
    def belief(self) -> Gaussian:
        return self.joint.belief

    @property
    def map(self) -> LandmarkMap:
        if self.space is None:
            return LandmarkMap.empty()
        joint = self.joint
        return LandmarkMap(
            self.space, self.ids.copy(), joint.places.copy(), joint.covs, self.sightings.copy(), self.confirmed.copy()
        )

    # --- steps ---

    def predict(self, u: Array, dt: float) -> None:
        x, F, Q = self.mover.step(self.joint.x, u, dt)
        if not (np.isfinite(x).all() and np.isfinite(F).all() and np.isfinite(Q).all()):
            raise ModelError(
                f"{called(self.dynamics)} gives NaN or infinity at {self.joint.x.tolist()} under {u.tolist()}"
            )
        self.joint.predict(x, F, Q)

    def correct(self, sensor: Sensor, z: Array) -> MapUpdate:
        joint, d = self.joint, self.joint.d
        seen = measured(sensor.reading, z)
        if not seen.any():
            return MapUpdate(np.zeros(0, np.int64), np.zeros(0, bool), status=FilterStatus.NO_READING)
        e = np.asarray(sensor.reading.minus(z, sensor.observe(joint.x)))[seen]
        H, R = np.asarray(sensor.linearize(joint.x))[seen], np.asarray(sensor.noise(joint.x))[np.ix_(seen, seen)]
        outcome = Outcome(1)
        JP = np.zeros((-(-len(e) // 4) * 4, joint.n))
        JP[: len(e)] = H @ joint.P[:d]
        S = JP[: len(e), :d] @ H.T + R
        gate = gate_quantiles(self.estimator.gate, len(e))[len(e)]
        if e @ np.linalg.solve(S, e) <= gate:
            outcome.add(self._update(JP, S, e))
        found = outcome.result(np.zeros(0, np.int64))
        return MapUpdate(
            np.zeros(0, np.int64), np.zeros(0, bool), found.removed, found.nis, found.dof, found.log_likelihood,
            found.status,
        )  # fmt: skip

    def update(self, sensor: Sensor, z: Array, ids: Ids | None) -> MapUpdate:
        self._landmarks_of(sensor)
        outcome, whole = Outcome(len(z)), sensor.reading.dim >= self.space.dim
        if ids is None and not whole:
            raise ModelError(
                f"a reading of {called(sensor)} does not determine a landmark; give the ids of the landmarks"
            )
        self.scans += 1
        for first in range(0, len(z), CHUNK):
            rows = np.arange(first, min(first + CHUNK, len(z)))
            if ids is None:
                self._unknown(sensor, z, rows, outcome)
            else:
                self._known(sensor, z, rows, ids, outcome, whole)
        return outcome.result(self._forget() if ids is None else np.zeros(0, np.int64))

    # --- parts of a scan ---

    def _unknown(self, sensor: Sensor, z: Array, rows: Ids, outcome: Outcome) -> None:
        """Detections of unknown landmarks; those of this scan are not taken twice."""
        pairing = self._paired(sensor, z[rows], np.setdiff1d(np.arange(len(self.ids)), self._slots(outcome.ids)))
        old = pairing >= 0
        if old.any():
            self._use(sensor, z, rows[old], pairing[old], outcome, gated=False)
        self._begin(sensor, z, rows[pairing == NEW], None, outcome)

    def _paired(self, sensor: Sensor, z: Array, slots: Ids) -> Ids:
        """The slot of each detection, `NEW` or `UNCLEAR`."""
        joint = self.joint
        if not len(slots):
            return np.full(len(z), NEW, np.int64)
        at = self._reader(sensor).at(joint.x, joint.places[slots])
        if not at.sound.all():
            slots, at = slots[at.sound], at[at.sound]
        y = np.asarray(sensor.reading.minus(z[:, None, :], at.h))
        distances = individual_distances(y, joint.alone(at, slots))
        m = sensor.reading.dim
        near = np.flatnonzero((distances <= gate_quantiles(self.estimator.association.new, m)[m]).any(0))
        if not len(near):
            return np.full(len(z), NEW, np.int64)
        some = at[near]
        G = joint.innovations(some, slots[near])[1]
        found = self.estimator.association.pair(y[:, near], G, some.R, self._density(some.C))
        return np.where(found >= 0, slots[near[np.maximum(found, 0)]], found)

    def _density(self, C: Array) -> Array | None:
        """Landmarks per unit of volume of the readings where some landmarks are expected, by those on the map.

        In the plane, the mean distance to the nearest of points without order is ``1 / (2 sqrt(density))``.
        """
        (m, c), count = C.shape[1:], int(self.confirmed.sum())
        if m != c or c not in (2, 3) or count < FEW:
            return None
        if count != self.counted:
            from scipy.spatial import KDTree

            places = self.joint.places[self.confirmed]
            mean = max(float(np.mean(KDTree(places).query(places, 2)[0][:, 1])), 1e-6)
            self.density, self.counted = 0.25 / mean**2 if c == 2 else (0.554 / mean) ** 3, count
        return self.density / np.maximum(abs(np.linalg.det(C)), 1e-300)

    def _known(self, sensor: Sensor, z: Array, rows: Ids, ids: Ids, outcome: Outcome, whole: bool) -> None:
        """Detections of known landmarks, those that begin one first."""
        fresh = rows[~np.isin(ids[rows], self.ids)]
        _, first = np.unique(ids[fresh], return_index=True)
        begun = fresh[np.sort(first)]
        old = np.setdiff1d(rows, begun) if whole else rows[np.isin(ids[rows], self.ids)]
        if whole:
            self._begin(sensor, z, begun, ids, outcome)
            old = old[np.isin(ids[old], self.ids)]
        else:
            for k in fresh:
                self._wait(sensor, z[k], int(ids[k]), int(k), outcome)
        if len(old):
            self._use(sensor, z, old, self._slots(ids[old]), outcome, gated=True)

    def _use(self, sensor: Sensor, z: Array, rows: Ids, slots: Ids, outcome: Outcome, gated: bool) -> None:
        """An update with detections `rows` of the landmarks in `slots`."""
        joint, m = self.joint, sensor.reading.dim
        at = self._reader(sensor).at(joint.x, joint.places[slots], z[rows])
        good = at.sound
        if gated and self.estimator.gate is not None:
            S = np.where(good[:, None, None], joint.alone(at, slots), np.eye(m))
            good = good & (individual_distances(at.e[:, None], S)[:, 0] <= gate_quantiles(self.estimator.gate, m)[m])
        if not good.all():
            rows, slots, at = rows[good], slots[good], at[good]
        if not len(rows):
            return
        JP, S = joint.innovations(at, slots)
        for k in range(len(rows)):
            S[k * m : k * m + m, k * m : k * m + m] += at.R[k]
        if outcome.add(self._update(JP, S, at.e.ravel())):
            outcome.ids[rows] = self.ids[slots]
            np.add.at(self.sightings, slots, 1)
            self.confirmed |= self.sightings >= self.estimator.confirm

    def _update(self, JP: Array, S: Array, e: Array) -> tuple[float, int, float] | None:
        """``K = P J' S^-1``; NIS, degrees of freedom and log-likelihood, or None where S is no covariance."""
        found = self.joint.correct(JP, S, e)
        if found is None:
            return None
        dx, nis, log_det = found
        self.frame.move(self.joint, dx)
        return nis, len(e), -0.5 * (nis + log_det + len(e) * LOG_TURN)

    # --- landmarks that come and go ---

    def _landmarks_of(self, sensor: Sensor) -> None:
        """Refuse a sensor of landmarks that live in another space than those before."""
        space: Any = sensor.context
        if self.space is None:
            self.space = space
            self.joint.places = np.zeros((0, space.size))
        elif self.space.names != space.names:
            raise ModelError(f"the landmarks are in {self.space}; {called(sensor)} reads some in {space}")

    def _reader(self, sensor: Sensor) -> Reader:
        """The sensor, ready to be evaluated."""
        found = self.readers.get(id(sensor))
        if found is None:
            if len(self.readers) >= REMEMBERED:
                self.readers.clear()
            found = self.readers[id(sensor)] = Reader(sensor)
        return found

    def _slots(self, ids: Ids) -> Ids:
        """The slots of landmarks that are on the map; those that are not are left out."""
        there = ids[np.isin(ids, self.ids)]
        order = np.argsort(self.ids, kind="stable")
        return order[np.searchsorted(self.ids, there, sorter=order)]

    def _begin(self, sensor: Sensor, z: Array, rows: Ids, ids: Ids | None, outcome: Outcome) -> None:
        """Begin a landmark for each of some detections that determine one."""
        joint, reader = self.joint, self._reader(sensor)
        if not len(rows):
            return
        places = first_places(reader, joint.x, z[rows])
        good = ~np.isnan(places).any(1)
        rows, places = rows[good], places[good]
        if not len(rows):
            return
        at = reader.at(joint.x, places, z[rows])
        given = self.next_id + np.arange(len(rows)) if ids is None else ids[rows]
        outcome.add(self._grow(np.arange(joint.d), at.H, at.C, at.e, at.R, places, given, ids is not None))
        outcome.ids[rows], outcome.new[rows] = given, True

    def _grow(
        self, columns: Ids, H: Array, C: Array, e: Array, R: Array, places: Array, ids: Ids, confirmed: bool
    ) -> tuple[float, int, float] | None:
        """Begin landmarks by readings ``e = H dx + C dp + noise`` of each, which other readings do not know of.

        ::

            whitened, C = [Q1 Q2] [T; 0]:    dp = T^-1 (Q1' e - Q1' H dx - n1),    Q2' e = Q2' H dx + n2

        The first rows begin the landmarks, and the others are an update.

        Args:
            columns: those of the tangent that H is about ``(k,)``.
            H, C, e, R: of each landmark, ``(L, M, k)``, ``(L, M, c)``, ``(L, M)``, ``(L, M, M)``.
            places, ids: of the landmarks, ``(L, c)`` and ``(L,)``.
            confirmed: whether they are believed at once.
        """
        joint, (count, c), k = self.joint, places.shape, len(columns)
        root = np.linalg.cholesky(R)
        Q, T = np.linalg.qr(np.linalg.solve(root, C), mode="complete")
        Qt, T = np.swapaxes(Q, 1, 2), T[:, :c]
        A, v = Qt @ np.linalg.solve(root, H), (Qt @ np.linalg.solve(root, e[..., None]))[..., 0]
        inverse = np.linalg.inv(T)
        B = (inverse @ A[:, :c]).reshape(-1, k)
        P = joint.P
        cross = -B @ P[columns]
        own = B @ P[np.ix_(columns, columns)] @ B.T
        for j, block in enumerate(inverse @ np.swapaxes(inverse, 1, 2)):
            own[j * c : j * c + c, j * c : j * c + c] += block
        joint.add_landmarks(places + (inverse @ v[:, :c, None])[..., 0], cross, own)
        self.ids, self.born = np.append(self.ids, ids), np.append(self.born, np.full(count, self.scans))
        self.sightings = np.append(self.sightings, np.ones(count, np.int64))
        self.confirmed = np.append(self.confirmed, np.full(count, confirmed or self.estimator.confirm <= 1))
        self.next_id = max(self.next_id, int(ids.max()) + 1)
        rest, left = A[:, c:].reshape(-1, k), np.array(v[:, c:], dtype=np.float64).ravel()
        if not len(left):
            return 0.0, 0, 0.0
        M = len(left)
        JP = np.zeros((-(-M // 4) * 4, joint.n))
        JP[:M] = rest @ joint.P[columns]
        return self._update(JP, JP[:M, columns] @ rest.T + np.eye(M), left)

    def _wait(self, sensor: Sensor, z: Array, id: int, row: int, outcome: Outcome) -> None:
        """Keep a reading that does not determine its landmark, and begin the landmark if all of them together do."""
        gap, left = self.skips.get(id, (0, 0))
        outcome.waiting = True
        if left > 0:
            self.skips[id] = gap, left - 1
            return
        self.skips[id] = gap, gap
        self.joint.add_clone()
        self.owners.append((id, sensor, z))
        mine = [k for k, (owner, *_) in enumerate(self.owners) if owner == id]
        if self._begin_late(id, sensor, mine, outcome):
            outcome.ids[row], outcome.new[row] = id, True
        elif len(mine) >= self.estimator.initiation.readings:
            self._drop_clones(mine[::2])
            self.skips[id] = 2 * gap + 1, 0

    def _begin_late(self, id: int, sensor: Sensor, clones: list[int], outcome: Outcome) -> bool:
        """Begin a landmark by all readings that wait for it, if they determine it; then their clones are not needed."""
        joint, own = self.joint, [k for k in clones if self.owners[k][1] == sensor]
        xs, z = joint.clones[own], np.array([self.owners[k][2] for k in own])
        reader = self._reader(sensor)
        place = self.estimator.initiation.place(reader, xs, z)
        if place is None:
            return False
        at = reader.at(xs, np.repeat(place[None], len(xs), 0), z)
        m, d, count = sensor.reading.dim, joint.d, len(own)
        columns = (joint.clone_starts[own, None] + np.arange(d)).ravel()
        H, R = np.zeros((count, m, count, d)), np.zeros((count, m, count, m))
        for k in range(count):
            H[k, :, k], R[k, :, k] = at.H[k], at.R[k]
        H, R = H.reshape(1, count * m, -1), R.reshape(1, count * m, count * m)
        C, stacked = at.C.reshape(1, count * m, -1), at.e.reshape(1, -1)
        outcome.add(self._grow(columns, H, C, stacked, R, place[None], np.array([id]), True))
        self.sightings[-1] = count
        self._drop_clones(clones)
        self.skips.pop(id, None)
        return True

    def _drop_clones(self, clones: list[int]) -> None:
        self.joint.remove(clones=clones)
        gone = set(clones)
        self.owners = [owner for k, owner in enumerate(self.owners) if k not in gone]

    def _forget(self) -> Ids:
        """Remove the landmarks that had their time and are not confirmed; their ids."""
        gone: NDArray[np.bool_] = ~self.confirmed & (self.scans - self.born >= self.estimator.patience)
        if not gone.any():
            return np.zeros(0, np.int64)
        removed = self.ids[gone]
        self.joint.remove(landmarks=np.flatnonzero(gone))
        self.ids, self.born, self.sightings = (each[~gone] for each in (self.ids, self.born, self.sightings))
        self.confirmed = self.confirmed[~gone]
        return removed
