"""The joint belief of a vehicle and landmarks: a Gaussian whose state grows, kept in place.

The tangent vector holds the vehicle first, and then, in the order in which they began, landmarks (c components each)
and clones of the vehicle at past times. All updates are by blocks: a prediction costs O(n), a scan O(n^2 m).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian
from pilotage.core.arrays import Array

from ._drivers import add_product, alone, innovations, whiten
from ._linearized import Linearized

Indices = NDArray[np.int64]


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

    def alone(self, at: Linearized, rows: Indices) -> Array:
        """``S = J P J' + R`` ``(K, m, m)`` of readings of the landmarks in `rows`, each on its own."""
        (K, m, d), c = at.H.shape, self.c
        S = np.empty((K, m, m))
        alone.compiled(self._memory, self.starts[rows], at.H, at.C, at.R, np.empty((m, d + c)), S)
        return S

    def innovations(self, at: Linearized, rows: Indices) -> tuple[Array, Array]:
        """``J P`` ``(K m, n)``, and rows of zeros up to a multiple of four, and ``J P J'`` ``(K m, K m)``."""
        M = at.H.shape[0] * at.H.shape[1]
        JP, G = np.zeros((-(-M // 4) * 4, self.n)), np.empty((M, M))
        innovations.compiled(self._memory, self.starts[rows], at.H, at.C, JP[:M], G)
        return JP, G

    def correct(self, JP: Array, S: Array, e: Array) -> tuple[Array, float, float] | None:
        """``P = P - W' W`` with ``W = L^-1 J P, S = L L'``; the shift ``P J' S^-1 e`` of the mean, NIS and log det S.

        None where S is no covariance, and nothing changes. S and e are overwritten, and JP becomes W.
        """
        log_det = float(whiten.compiled(S, JP, e))
        if not math.isfinite(log_det):
            return None
        self.add_product(-JP, JP)
        return e @ JP[: len(e)], float(e @ e), log_det

    def add_product(self, A: Array, B: Array) -> None:
        """``P = P + A' B``, which is symmetric; A and B ``(4 k, n)``."""
        add_product.compiled(self._memory, self.n, A, B)

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
