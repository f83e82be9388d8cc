"""The engine of FastSLAM: predictions, associations, weights, and the landmarks of all particles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Dynamics, FilterStatus, Gaussian, ModelError, Sensor
from pilotage.core.arrays import Array
from pilotage.core.declared import called

from ..._inputs import gate_quantiles
from ...gaussian_particles import GaussianParticles
from ...resampling import renewed
from ..landmarks import LandmarkEngine, LandmarkMap, MapUpdate
from ..landmarks._linearized import Reader
from ..landmarks.association import NEW, UNCLEAR
from ..landmarks.initiation import first_places
from ._pairing import likeliest
from ._shared_landmarks import SharedLandmarks
from ._vehicles import LOG_TURN, Pairs, Vehicles

if TYPE_CHECKING:
    from .fast_slam import FastSLAM

Ids = NDArray[np.int64]
ROUNDS, EXACT = 20, 1e-9
"""Steps of the search for the place of a new landmark, and the residual that ends it, in standard deviations."""


class FastEngine(LandmarkEngine):
    """Particles of a vehicle, each with a Gaussian of its state and landmarks of its own.

    Attributes:
        cloud: the vehicle in all particles; those of version 1 have no covariance between steps.
        marks: the landmarks.
    """

    def __init__(self, estimator: FastSLAM, dynamics: Dynamics, belief: Gaussian, rng: np.random.Generator) -> None:
        self.estimator, self.dynamics = estimator, dynamics
        self.cloud, n = Vehicles(estimator.particles, belief, dynamics, rng), estimator.particles
        self.space: Any = None
        self.marks = SharedLandmarks(n, 0)
        self.readers: dict[int, Reader] = {}
        self.next_id, self.scans, self.given = 0, 0, np.zeros(0, np.int64)
        if estimator.version == 1:
            self.cloud.draw()

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: all but machine code, which is made again."""
        return {name: value for name, value in vars(self).items() if name != "readers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, readers={})

    def save(self) -> Any:
        return {name: value.copy() if hasattr(value, "copy") else value for name, value in vars(self).items()}

    def restore(self, saved: Any) -> None:
        vars(self).update(saved)

    @property
    def belief(self) -> GaussianParticles:
        return self.cloud.belief

    @property
    def map(self) -> LandmarkMap:
        """The landmarks of the particle of the highest weight."""
        if self.space is None:
            return LandmarkMap.empty()
        marks, held = self.marks, self.marks.there[self.cloud.best]
        records = marks.table[self.cloud.best, held]
        seen, ids = marks.facts[records, 0].astype(np.int64), marks.ids[held]
        confirmed = (seen >= self.estimator.confirm) | np.isin(ids, self.given)
        return LandmarkMap(self.space, ids.copy(), marks.means[records], marks.covs[records], seen, confirmed)

    # --- steps ---

    def predict(self, u: Array, dt: float) -> None:
        self.cloud.predict(u, dt)
        if self.estimator.version == 1:
            self.cloud.draw()

    def correct(self, sensor: Sensor, z: Array) -> MapUpdate:
        seen = ~np.isnan(z if sensor.reading.flat else np.asarray(sensor.reading.minus(z, z)))
        if sensor.reading.flat and not seen.any():
            return _nothing()
        x, dim = self.cloud.x, len(seen)
        e = np.asarray(sensor.reading.minus(z, sensor.observe(x)))[:, None, seen]
        H = np.asarray(sensor.linearize(x))[:, None, seen]
        R = np.broadcast_to(np.asarray(sensor.noise(x)), (len(x), dim, dim))[:, None, seen][..., seen]
        nis, log_likelihood = self.cloud.condition(Pairs(e, H, R, np.ones(e.shape[:2], bool)))
        self.cloud.draw()
        evidence, best = self.cloud.weigh(log_likelihood), self.cloud.best
        self._resample()
        empty = _nothing()
        return MapUpdate(empty.ids, empty.new, empty.removed, float(nis[best]), int(seen.sum()), evidence)

    def update(self, sensor: Sensor, z: Array, ids: Ids | None) -> MapUpdate:
        self._landmarks_of(sensor)
        self.scans += 1
        if ids is None:
            return self._scan(self._reader(sensor), z, None)
        parts = np.array([np.count_nonzero(ids[:k] == id) for k, id in enumerate(ids)], np.int64)
        found = [
            self._scan(self._reader(sensor), z[parts == p], ids[parts == p]) for p in range(parts.max(initial=0) + 1)
        ]
        return found[0] if len(found) == 1 else _joined(found, parts)

    # --- parts of a scan ---

    def _scan(self, reader: Reader, z: Array, ids: Ids | None) -> MapUpdate:
        """Take in detections of different landmarks."""
        pairing = self._paired(reader, z) if ids is None else self._known(ids)
        guesses = self._guesses(reader, z, np.asarray((pairing < 0).any(axis=0)))
        pairs = self._pairs(reader, z, pairing)
        nis, log_likelihood = self.cloud.condition(pairs)
        if ids is None:
            log_likelihood += self._without(reader, z, guesses, pairing)
        self.cloud.draw()
        self._update_landmarks(reader, z, pairing)
        evidence, best = self.cloud.weigh(log_likelihood), self.cloud.best
        before = self._ids_of(best)
        found, new = self._begin(reader, z, pairing, guesses, ids, best)
        if ids is None:
            self._forget(reader, pairing)
        removed = np.setdiff1d(before, self._ids_of(best))
        used, dof = (found >= 0).any(), int(pairs.there[best].sum()) * pairs.e.shape[2]
        self._resample()
        status = FilterStatus.ACCEPTED if used else FilterStatus.GATED
        status = status if len(z) else FilterStatus.NO_READING
        return MapUpdate(found, new, removed, float(nis[best]), dof, evidence, status)

    def _ids_of(self, n: int) -> Ids:
        """The ids of the landmarks of a particle."""
        return self.marks.ids[self.marks.there[n]]

    def _known(self, ids: Ids) -> Ids:
        """The column of each detection in each particle ``(N, K)``, `NEW` where it has no landmark of that id."""
        self.given = np.union1d(self.given, ids)
        columns = np.array([next(iter(np.flatnonzero(self.marks.ids == id)), -1) for id in ids], np.int64)
        held = self.marks.there[:, columns] if len(self.marks.ids) else np.zeros((len(self.cloud.x), len(ids)), bool)
        return np.where(held & (columns >= 0), columns, NEW)

    def _paired(self, reader: Reader, z: Array) -> Ids:
        """The column of each detection in each particle ``(N, K)``, `NEW` or `UNCLEAR`."""
        marks, (count, L), m = self.marks, self.marks.table.shape, reader.m
        i, j = np.nonzero(marks.there)
        distances, log_dets = np.full((count, len(z), L), np.inf), np.zeros((count, L))
        if len(i) and len(z):
            records = marks.table[i, j]
            at = reader.at(self.cloud.x[i], marks.means[records])
            S = at.H @ self.cloud.P[i] @ at.H.swapaxes(1, 2) + at.C @ marks.covs[records] @ at.C.swapaxes(1, 2) + at.R
            S[~at.sound] = np.eye(m)
            y = np.asarray(reader.sensor.reading.minus(z[:, None], at.h))
            d = np.einsum("kpm,pmn,kpn->pk", y, np.linalg.inv(S), y)
            distances[i, :, j] = np.where(at.sound[:, None], d, np.inf)
            log_dets[i, j] = np.linalg.slogdet(S)[1]
        s = self.estimator
        return likeliest(distances, log_dets, *(float(gate_quantiles(p, m)[m]) for p in (s.gate, s.new)))

    def _pairs(self, reader: Reader, z: Array, pairing: Ids) -> Pairs:
        """Innovations of all particles, with the uncertainty of the landmarks as noise; unsound ones are unpaired."""
        marks, (count, K), m = self.marks, pairing.shape, reader.m
        e, H = np.zeros((count, K, m)), np.zeros((count, K, m, self.cloud.P.shape[1]))
        V = np.tile(np.eye(m), (count, K, 1, 1))
        i, k = np.nonzero(pairing >= 0)
        if len(i):
            records = marks.table[i, pairing[i, k]]
            at = reader.at(self.cloud.x[i], marks.means[records], z[k])
            pairing[i[~at.sound], k[~at.sound]] = UNCLEAR
            at, i, k, records = at[at.sound], i[at.sound], k[at.sound], records[at.sound]
            e[i, k], H[i, k] = at.e, at.H
            V[i, k] = at.C @ marks.covs[records] @ at.C.swapaxes(1, 2) + at.R
        return Pairs(e, H, V, pairing >= 0)

    def _resample(self) -> None:
        s, cloud = self.estimator, self.cloud
        found = renewed(cloud.belief, s.threshold, s.resampling, cloud.rng)
        if found is not None:
            index, _, cloud.log_weights = found
            cloud.x, cloud.P = cloud.x[index], cloud.P[index]
            if self.space is not None:
                self.marks.resample(index)

    # --- landmarks ---

    def _landmarks_of(self, sensor: Sensor) -> None:
        """Refuse a sensor that does not determine a landmark, or whose landmarks live in another space."""
        space: Any = sensor.context
        if sensor.reading.dim < space.dim:
            raise ModelError(
                f"a reading of {called(sensor)} does not determine a landmark; expected one that does, such as range "
                "and bearing; EKFSLAM waits for several readings"
            )
        if self.space is None:
            self.space, self.marks = space, SharedLandmarks(len(self.cloud.x), space.size)
        elif self.space.names != space.names:
            raise ModelError(f"the landmarks are in {self.space}; {called(sensor)} reads some in {space}")

    def _reader(self, sensor: Sensor) -> Reader:
        """The sensor, ready to be evaluated."""
        found = self.readers.get(id(sensor))
        if found is None:
            self.readers = {} if len(self.readers) > 16 else self.readers
            found = self.readers[id(sensor)] = Reader(sensor)
        return found

    def _update_landmarks(self, reader: Reader, z: Array, pairing: Ids) -> None:
        """A Kalman filter for each landmark that was seen, from the state that was drawn."""
        marks = self.marks
        i, k = np.nonzero(pairing >= 0)
        if not len(i):
            return
        records = marks.table[i, pairing[i, k]]
        at, S, facts = (
            reader.at(self.cloud.x[i], marks.means[records], z[k], vehicle=False),
            marks.covs[records],
            marks.facts[records],
        )
        good = at.sound
        at, S, facts, i, k, records = at[good], S[good], facts[good], i[good], k[good], records[good]
        SC = S @ at.C.swapaxes(1, 2)
        V = at.C @ SC + at.R
        gain = np.linalg.solve(V, SC.swapaxes(1, 2)).swapaxes(1, 2)
        A = np.eye(S.shape[1]) - gain @ at.C
        S = A @ S @ A.swapaxes(1, 2) + gain @ at.R @ gain.swapaxes(1, 2)
        means = marks.means[records] + np.einsum("pcm,pm->pc", gain, at.e)
        marks.put(i, pairing[i, k], means, S, facts + [1.0, 0.0, self._odds])

    @property
    def _odds(self) -> float:
        """The log-odds that a detection adds."""
        p = self.estimator.detection
        return math.log(p / (1.0 - p))

    def _guesses(self, reader: Reader, z: Array, wanted: NDArray[np.bool_]) -> Array:
        """Where detections without a landmark are, seen from the best particle ``(K, c)``; NaN for the others."""
        guesses = np.full((len(z), self.space.size), np.nan)
        if wanted.any():
            guesses[wanted] = first_places(reader, self.cloud.x[self.cloud.best], z[wanted])
        return guesses

    def _without(self, reader: Reader, z: Array, guesses: Array, pairing: Ids) -> Array:
        """Log-likelihood of detections without a landmark ``(N,)``: as if they were at the gate of an exact one."""
        good, m = ~np.isnan(guesses).any(axis=1), reader.m
        logs = np.zeros(len(z))
        if good.any():
            R = reader.at(self.cloud.x[self.cloud.best], guesses[good], z[good], vehicle=False).R
            logs[good] = np.linalg.slogdet(R)[1]
        each = -0.5 * (float(gate_quantiles(self.estimator.gate, m)[m]) + logs + m * LOG_TURN)
        return ((pairing < 0) * each).sum(axis=1)

    def _begin(
        self, reader: Reader, z: Array, pairing: Ids, guesses: Array, ids: Ids | None, best: int
    ) -> tuple[Ids, NDArray[np.bool_]]:
        """Begin landmarks; the id of each detection in the best particle ``(K,)``, and whether it is new there."""
        marks = self.marks
        found = np.where(pairing[best] >= 0, marks.ids[np.maximum(pairing[best], 0)] if len(marks.ids) else -1, -1)
        new = np.zeros(len(z), bool)
        for k in np.flatnonzero(~np.isnan(guesses).any(axis=1)):
            rows = np.flatnonzero(pairing[:, k] == NEW)
            places, covs = self._placed(reader, self.cloud.x[rows], z[k], guesses[k])
            good = np.isfinite(places).all(axis=1) & np.isfinite(covs).all(axis=(1, 2))
            rows, places, covs = rows[good], places[good], covs[good]
            if not len(rows):
                continue
            id = self.next_id if ids is None else int(ids[k])
            self.next_id = max(self.next_id, id + 1)
            facts = np.tile([1.0, float(self.scans), self._odds], (len(rows), 1, 1))
            column = np.flatnonzero(marks.ids == id)
            if len(column):  # some particles have it already
                lacks = ~marks.there[rows, column[0]]
                marks.put(rows[lacks], np.repeat(column, lacks.sum()), places[lacks], covs[lacks], facts[lacks, 0])
            else:
                marks.add(rows, np.array([id]), places[:, None], covs[:, None], facts)
            if best in rows:
                found[k], new[k] = id, True
        return found.astype(np.int64), new

    def _placed(self, reader: Reader, x: Array, z: Array, guess: Array) -> tuple[Array, Array]:
        """Positions ``(n, c)``, NaN for none, and covariances of a landmark that a reading shows from some states."""
        p, zs = np.tile(guess, (len(x), 1)), np.tile(z, (len(x), 1))
        for _ in range(ROUNDS):
            at = reader.at(x, p, zs, vehicle=False)
            W = np.linalg.solve(at.R, at.C)
            information = at.C.swapaxes(1, 2) @ W
            covs = np.asarray(np.linalg.inv(information + 1e-12 * np.eye(p.shape[1])), np.float64)
            step = np.einsum("ncb,nmb,nm->nc", covs, W, at.e)
            p = p + step
            if not (np.einsum("nc,ncb,nb->n", step, information, step) > EXACT**2).any():
                return p, covs
        return np.full_like(p, np.nan), np.zeros((len(p), p.shape[1], p.shape[1]))

    def _forget(self, reader: Reader, pairing: Ids) -> None:
        """Remove landmarks that did not prove themselves."""
        marks, s = self.marks, self.estimator
        i, j = np.nonzero(marks.there & ~np.isin(marks.ids, self.given))
        facts = marks.facts[marks.table[i, j]]
        gone = np.zeros(marks.table.shape, bool)
        if s.view is None:
            gone[i, j] = (facts[:, 0] < s.confirm) & (self.scans - facts[:, 1] >= s.patience)
        elif len(i):
            seen = np.zeros(marks.table.shape, bool)
            rows, k = np.nonzero(pairing >= 0)
            seen[rows, pairing[rows, k]] = True
            missed = ~seen[i, j] & (facts[:, 1] < self.scans)
            i, j, facts = i[missed], j[missed], facts[missed]
            records = marks.table[i, j]
            low, high = (np.asarray(bound, np.float64) for bound in s.view)
            h = reader.at(self.cloud.x[i], marks.means[records]).h
            inside = ((h >= low) & (h <= high)).all(axis=1)
            i, j, facts, records = i[inside], j[inside], facts[inside], records[inside]
            facts = facts - [0.0, 0.0, self._odds]
            marks.put(i, j, marks.means[records].copy(), marks.covs[records].copy(), facts)
            gone[i, j] = facts[:, 2] < 0.0
        if gone.any():
            marks.remove(gone)


def _nothing() -> MapUpdate:
    """The outcome of no reading."""
    return MapUpdate(np.zeros(0, np.int64), np.zeros(0, bool), status=FilterStatus.NO_READING)


def _joined(found: list[MapUpdate], parts: Ids) -> MapUpdate:
    """The outcome of a scan that was taken in parts."""
    ids, new = np.full(len(parts), -1, np.int64), np.zeros(len(parts), bool)
    for p, each in enumerate(found):
        ids[parts == p], new[parts == p] = each.ids, each.new
    nis, dof, logs = (sum(getattr(each, name) for each in found) for name in ("nis", "dof", "log_likelihood"))
    status = FilterStatus.ACCEPTED if any(each.accepted for each in found) else found[0].status
    return MapUpdate(ids, new, found[0].removed, nis, dof, logs, status)
