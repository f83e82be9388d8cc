"""The gate: which detections may come from which tracks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core import Space
from ...core.arrays import Array
from ...core.settings import settings
from ...models.trace import call, code_of, driver
from .._inputs import gate_quantiles
from ._intervals import Probability

UNKNOWN, FACTORIZED, SINGULAR = 0, 1, 2


@settings
class Gate:
    """The chi-square gate: detections that a track explains with probability P_G.

    ::

        d^2 = y' S^-1 y  <=  gamma,      y = z (-) h(x),      P(chi^2_m <= gamma) = P_G

    y is the innovation in the tangent space of the reading, S its covariance and m its dimension. A track lets pass the
    fraction P_G of its own detections; what falls outside is not looked at again.

    Source: Bar-Shalom and Li, "Multitarget-Multisensor Tracking", 1995, section 2.3.

    Args:
        probability: P_G.

    Example:
        >>> import numpy as np
        >>> from pilotage.core import Space
        >>> gate = Gate(0.99)
        >>> plane = Space("x y [m]")
        >>> pairs = gate.pairs(plane, np.zeros((1, 2)), np.eye(2)[None], np.array([[1.0, 0.0], [9.0, 0.0]]))
        >>> pairs.rows.tolist(), pairs.columns.tolist(), pairs.distances.tolist()
        ([0], [0], [1.0])
    """

    probability: Probability = 0.99

    @staticmethod
    def of(given: Gate | float) -> Gate:
        """The gate, or that of this probability."""
        return given if isinstance(given, Gate) else Gate(given)

    def limit(self, dim: int) -> float:
        """gamma, for readings of that dimension."""
        return float(gate_quantiles(self.probability, dim)[dim])

    def pairs(self, reading: Space, expected: Array, S: Array, z: Array) -> Pairs:
        """The pairs of a track and a detection within the gate, track by track.

        Args:
            reading: the space of detections.
            expected: of each track, ``(N, k)``.
            S: innovation covariances, ``(N, m, m)``.
            z: detections ``(K, k)``.
        """
        n, k = len(expected), len(z)
        given = difference(reading), expected, S, z, self.limit(reading.dim), working(reading)
        whole, distances = np.empty((2, 4 * (n + k)), np.int64), np.empty(4 * (n + k))
        if (count := gate_pairs.compiled(*given, whole, distances)) > len(distances):
            whole, distances = np.empty((2, count), np.int64), np.empty(count)
            gate_pairs.compiled(*given, whole, distances)
        return Pairs(whole[0, :count], whole[1, :count], distances[:count], n, k)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a track and a detection, ordered by track.

    Args:
        rows: place of the track of each pair, ``(P,)``.
        columns: place of its detection, ``(P,)``.
        distances: Mahalanobis distances squared, ``(P,)``.
        tracks: number of tracks.
        detections: number of detections.

    Example:
        >>> pairs = Pairs(np.array([0, 0, 2]), np.array([0, 1, 1]), np.array([1.0, 4.0, 0.5]), tracks=3, detections=2)
        >>> pairs.starts.tolist(), pairs.only(pairs.distances < 2.0).rows.tolist()
        ([0, 2, 2, 3], [0, 2])
    """

    rows: Any
    columns: Any
    distances: Any
    tracks: int
    detections: int

    def only(self, which: Any) -> Pairs:
        """The pairs of an index."""
        return replace(self, rows=self.rows[which], columns=self.columns[which], distances=self.distances[which])

    @property
    def starts(self) -> Any:
        """Where the pairs of each track begin, and where the last end, ``(tracks + 1,)``."""
        return np.searchsorted(self.rows, np.arange(self.tracks + 1)).astype(np.int64)


def difference(space: Space) -> int:
    """Address of the code of a space's minus; 0 if it is linear."""
    return 0 if space.linear else code_of(space, "minus").address


def working(space: Space) -> Array:
    """Room for `distance`."""
    return np.empty((space.dim + 2) * space.dim + space.size)


@driver("i8(i8, f8[:,:], f8[:,:,:], f8[:,::1], f8, f8[::1], i8[:,::1], f8[::1])", nogil=True)
def gate_pairs(minus, expected, S, z, limit, room, pairs, distances):
    """Write down the pairs with ``y' S^-1 y <= limit``, as far as there is room; how many they are.

    `minus` is code of the reading's, 0 if linear.
    """
    count = 0
    for i in range(expected.shape[0]):
        known, x = UNKNOWN, expected[i, 0]
        reach = limit * S[i, 0, 0] if minus == 0 else math.inf
        for j in range(z.shape[0]):
            y = z[j, 0] - x  # most pairs are apart in the first component already
            if y * y > reach or known == SINGULAR or (minus == 0 and beyond(z, j, expected, i, S, limit)):
                continue
            known = factorized(known, S[i], room)
            d = distance(minus, z[j], expected[i], S.shape[1], room, known)
            if d <= limit:
                if count < distances.shape[0]:
                    pairs[0, count], pairs[1, count], distances[count] = i, j, d
                count += 1
    return count


@driver
def beyond(z, j, x, i, S, limit):
    """Whether point j is so far from point i in one component that it is outside of its ellipsoid."""
    far = False
    for a in range(S.shape[1]):
        y = z[j, a] - x[i, a]
        far = far or y * y > limit * S[i, a, a]
        if far:
            break
    return far


@driver
def factorized(known, S, room):
    """The knowledge of S: `FACTORIZED`, its factor the first in the room, or `SINGULAR`."""
    if known != UNKNOWN:
        return known
    m = S.shape[0]
    return FACTORIZED if factorize(S, room[: m * m].reshape((m, m))) else SINGULAR


@driver
def distance(minus, z, x, m, room, known):
    """The Mahalanobis distance squared from x to z, with the factor in the room; infinite if there is none."""
    if known == SINGULAR:
        return math.inf
    L, y, w, total = room[: m * m].reshape((m, m)), room[m * m :], room[m * m + m :], 0.0
    if minus != 0:
        call(minus, z, x, z, z, y)
    for a in range(m):
        e = y[a] if minus != 0 else z[a] - x[a]
        for b in range(a):
            e -= L[a, b] * w[b]
        w[a] = e / L[a, a]
        total += w[a] * w[a]
    return total


@driver
def factorize(S, L):
    """L L' = S; false where S is not positive definite."""
    for j in range(S.shape[0]):
        for i in range(j, S.shape[0]):
            a = S[i, j]
            for k in range(j):
                a -= L[i, k] * L[j, k]
            if i == j:
                if not a > 0.0:
                    return False
                L[j, j] = math.sqrt(a)
            else:
                L[i, j] = a / L[j, j]
    return True
