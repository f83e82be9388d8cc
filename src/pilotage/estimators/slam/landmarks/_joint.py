"""The joint belief of a vehicle and landmarks: a Gaussian whose state grows, kept in place.

The tangent vector holds the vehicle first, and then, in the order in which they began, landmarks (c components each)
and clones of the vehicle at past times. All updates are by blocks: a prediction costs O(n), a scan O(n^2 m).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian, Sensor
from pilotage.core.arrays import Array

Indices = NDArray[np.int64]


class Linearized:
    """A sensor at some landmarks: expected readings and derivatives.

    Attributes:
        h: expected readings ``(L, size)``.
        H: derivatives by the vehicle ``(L, m, d)``; without columns where they are not asked for.
        C: derivatives by the landmark ``(L, m, c)``.
        R: noise ``(L, m, m)``.
        sound: where all of these are finite ``(L,)``.
    """

    def __init__(self, sensor: Sensor, x: Array, places: Array, vehicle: bool = True) -> None:
        m, count, d = sensor.reading.dim, len(places), sensor.state.dim if vehicle else 0
        self.h = np.asarray(sensor.observe(x, places))
        H = np.asarray(sensor.linearize(x, places)) if vehicle else np.zeros((m, 0))
        self.H = np.broadcast_to(H, (count, m, d))
        self.C = np.broadcast_to(np.asarray(sensor.linearize_context(x, places)), (count, m, places.shape[-1]))
        self.R = np.broadcast_to(np.asarray(sensor.noise(x, places)), (count, m, m))
        flat = (each.reshape(count, -1) for each in (self.h, self.H, self.C, self.R))
        self.sound = np.isfinite(np.hstack([*flat])).all(1)

    def __getitem__(self, rows: Any) -> Linearized:
        """Those at some of the landmarks."""
        picked = object.__new__(Linearized)
        picked.__dict__.update({name: value[rows] for name, value in self.__dict__.items()})
        return picked


class JointBelief:
    """The mean and covariance of a vehicle, landmarks and clones.

    Attributes:
        space: the space of the vehicle.
        x: its mean ``(size,)``.
        places: means of the landmarks ``(N, c)``.
        starts: first column of each landmark in the tangent ``(N,)``.
        clones: means of the vehicle at past times ``(M, size)``, and their first columns ``(M,)``.
    """

    def __init__(self, belief: Gaussian) -> None:
        self.space, self.x = belief.space, np.array(belief.mean)
        self.places, self.starts = np.zeros((0, 0)), np.zeros(0, np.int64)
        self.clones, self.clone_starts = np.zeros((0, len(self.x))), np.zeros(0, np.int64)
        self.n = self.space.dim
        self._memory = np.array(belief.cov)

    def copy(self) -> JointBelief:
        """One that later changes do not reach."""
        new = copy.copy(self)
        new._memory = self._memory.copy()
        for name in ("x", "places", "starts", "clones", "clone_starts"):
            setattr(new, name, getattr(self, name).copy())
        return new

    @property
    def d(self) -> int:
        """Tangent components of the vehicle."""
        return self.space.dim

    @property
    def c(self) -> int:
        """Components of a landmark."""
        return self.places.shape[1]

    @property
    def P(self) -> Array:
        """The covariance ``(n, n)``, a view."""
        return self._memory[: self.n, : self.n]

    @property
    def belief(self) -> Gaussian:
        """The belief of the vehicle."""
        return Gaussian.trusted(self.space, self.x.copy(), self.P[: self.d, : self.d].copy())

    def columns(self, rows: Any = slice(None)) -> Indices:
        """The columns of landmarks ``(L, c)``."""
        return self.starts[rows, None] + np.arange(self.c)

    @property
    def covs(self) -> Array:
        """Covariances of the landmarks ``(N, c, c)``."""
        columns = self.columns()
        return self.P[columns[:, :, None], columns[:, None, :]]

    def predict(self, x: Array, F: Array, Q: Array) -> None:
        """``x = f(x, u), P_vv = F P_vv F' + Q, P_vm = F P_vm``."""
        P, d = self.P, self.d
        rest = F @ P[:d, d:]
        block = F @ P[:d, :d] @ F.T + Q
        P[:d, d:], P[d:, :d] = rest, rest.T
        P[:d, :d] = 0.5 * (block + block.T)
        self.x = x

    def innovation_covariances(self, at: Linearized, rows: Indices) -> Array:
        """``S = H P H' + R`` of each of some landmarks alone ``(L, m, m)``."""
        P, d, columns = self.P, self.d, self.columns(rows)
        cross = np.moveaxis(P[:d, columns], 1, 0)  # (L, d, c)
        own = P[columns[:, :, None], columns[:, None, :]]
        H, C = at.H, at.C
        HPC = H @ cross @ np.swapaxes(C, -1, -2)
        return (
            H @ P[:d, :d] @ np.swapaxes(H, -1, -2) + HPC + np.swapaxes(HPC, -1, -2) + C @ own @ C.swapaxes(1, 2) + at.R
        )

    def cross_covariance(self, H: Array, C: Array, rows: Indices) -> Array:
        """``P J'`` ``(n, K m)`` for the Jacobians ``J = [H 0 .. C .. 0]`` of readings of landmarks, one row each."""
        P, d = self.P, self.d
        PJ = P[:, :d] @ H.reshape(-1, d).T
        parts = P[:, self.columns(rows)]  # (n, K, c)
        return PJ + np.einsum("nkc,kmc->nkm", parts, C).reshape(len(P), -1)

    def project(self, H: Array, C: Array, rows: Indices, PJ: Array) -> Array:
        """``J P J'`` of the same Jacobians."""
        d, (K, m) = self.d, H.shape[:2]
        JPJ = H.reshape(-1, d) @ PJ[:d]
        own = PJ[self.columns(rows)]  # (K, c, K m)
        JPJ += np.einsum("kmc,kcn->kmn", C, own).reshape(K * m, -1)
        return 0.5 * (JPJ + JPJ.T)

    def downdate(self, W: Array) -> None:
        """``P = P - W' W`` for W ``(k, n)``."""
        P = self.P
        P -= W.T @ W

    def append(self, cross: Array, own: Array) -> int:
        """Add components with covariance `own` ``(k, k)`` and `cross` ``(k, n)`` to the others; the first column."""
        n, k = self.n, len(own)
        if n + k > len(self._memory):
            grown = np.zeros((2 * (n + k),) * 2)
            grown[:n, :n] = self.P
            self._memory = grown
        self.n = n + k
        P = self.P
        P[n:, :n], P[:n, n:] = cross, cross.T
        P[n:, n:] = 0.5 * (own + own.T)
        return n

    def add_landmarks(self, places: Array, cross: Array, own: Array) -> None:
        """Add landmarks ``(L, c)`` with covariance `own` ``(L c, L c)`` and `cross` ``(L c, n)``."""
        c = places.shape[1]
        first = self.append(cross, own)
        self.places = np.vstack([self.places.reshape(-1, c), places])
        self.starts = np.append(self.starts, first + c * np.arange(len(places)))

    def add_clone(self) -> int:
        """Add the vehicle as it is now; the column by which the clone is known."""
        first = self.append(self.P[: self.d].copy(), self.P[: self.d, : self.d].copy())
        self.clones = np.vstack([self.clones, self.x])
        self.clone_starts = np.append(self.clone_starts, first)
        return len(self.clone_starts) - 1

    def remove(self, landmarks: Any = (), clones: Any = ()) -> None:
        """Forget landmarks and clones by their indices."""
        gone, away = np.asarray(landmarks, np.int64), np.asarray(clones, np.int64)
        dropped = np.concatenate([
            self.columns(gone).ravel(), (self.clone_starts[away, None] + np.arange(self.d)).ravel()
        ])  # fmt: skip
        if not len(dropped):
            return
        kept = np.delete(np.arange(self.n), dropped)
        self._memory[: len(kept), : len(kept)] = self.P[np.ix_(kept, kept)]
        self.n = len(kept)
        self.places = np.delete(self.places, gone, axis=0)
        self.starts = np.searchsorted(kept, np.delete(self.starts, gone))
        self.clones = np.delete(self.clones, away, axis=0)
        self.clone_starts = np.searchsorted(kept, np.delete(self.clone_starts, away))
