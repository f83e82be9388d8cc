"""Data association: which landmark of the map each detection of a scan shows, or whether it is a new one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import Array
from pilotage.core.errors import SettingError
from pilotage.core.settings import Count, Interval, settings

from ..._inputs import gate_quantiles
from ...joint_compatibility import TRIES, Pairing, individual_distances, joint_pairing

NEW, UNCLEAR = -1, -2
"""The pairing of a detection that shows no landmark of the map, and of one that is neither old nor new for sure."""
LOG_TURN = math.log(2.0 * math.pi)
Odds = Annotated[float, Interval(1.0, ends="[)")]
Probability = Annotated[float, Interval(0.0, 1.0)]


@settings
class Association(ABC):
    """Base of the ways to pair the detections of a scan with the landmarks of a map.

    Args:
        gate: probability that the detection of a landmark passes, and that of all landmarks of a scan together.
        new: a detection begins a new landmark only where it would be outside this gate for all others; between the two
            gates it is not used. Nor is it where a new landmark is more likely, if it is known how densely they stand.

    Raises:
        SettingError: if `new` is less than `gate`.
    """

    gate: Probability = 0.99
    new: Probability = 0.99999

    def __post_init__(self) -> None:
        if self.new < self.gate:
            raise SettingError(
                f"new is {self.new}, less than gate, {self.gate}; expected a wider gate for new landmarks"
            )

    def pair(self, y: Array, G: Array, R: Array, density: Array | None = None) -> Pairing:
        """The landmark of each detection ``(K,)``: its index, `NEW` (-1) or `UNCLEAR` (-2).

        Args:
            y: innovations of each detection with each landmark ``(K, L, m)``.
            G: covariance ``H P H'`` of the expected readings of all landmarks together ``(L m, L m)``.
            R: noise of the readings of each landmark ``(L, m, m)``.
            density: landmarks that are not on the map yet, per unit of volume of the readings, where each landmark is
                expected ``(L,)``; None if not known.
        """
        K, L, m = y.shape
        if not K or not L:
            return np.full(K, NEW, np.int64)
        S = G.reshape(L, m, L, m)[range(L), :, range(L)] + R
        alone = individual_distances(y, S)
        near = np.flatnonzero((alone <= gate_quantiles(self.gate, m)[m]).any(0))
        columns = (near[:, None] * m + np.arange(m)).ravel()
        few, own = y[:, near], G[np.ix_(columns, columns)]
        inner = self.paired(few, own, R[near], alone[:, near])
        if density is not None:
            inner = np.where(rather_old(few, own, R[near], inner, density[near]), inner, -1)
        return self.named(alone, near, inner, m)

    def named(self, alone: Array, near: Pairing, inner: Pairing, m: int) -> Pairing:
        """Pairings with the landmarks `near` as pairings with all, with those that are none told apart.

        Args:
            alone: ``y' S^-1 y`` of each detection with each landmark ``(K, L)``.
            near: the landmarks that were in question.
            inner: which of them each detection shows, -1 for none ``(K,)``.
            m: dimension of a reading.
        """
        found = np.where((alone <= gate_quantiles(self.new, m)[m]).any(1), UNCLEAR, NEW)
        return np.where(inner >= 0, near[np.maximum(inner, 0)] if len(near) else NEW, found)

    @abstractmethod
    def paired(self, y: Array, G: Array, R: Array, alone: Array) -> Pairing:
        """As `pair`, with ``y' S^-1 y`` known, among landmarks that fit at least one detection; -1 for all others."""


@settings
class JointCompatibility(Association):
    """Joint compatibility branch and bound (JCBB): the most pairings that are possible together, most likely first.

    ::

        y' S^-1 y <= chi2_(k m)(gate)        y: all k pairings stacked, S = H P H' + R

    The errors of a scan are correlated through the pose, so a shift of the whole scan is one error, not many: pairings
    that are each possible alone may be impossible together.

    Source: Neira and Tardos, "Data association in stochastic mapping using the joint compatibility test", IEEE Trans.
    Robotics and Automation 17(6), 2001.

    Args:
        gate, new: see `Association`.
        odds: least odds of a pairing against the best alternative; what is less clear is not used.
        tries: pairings that a search tries at most.

    Example:
        >>> y = np.array([[[0.1], [3.0]], [[-2.9], [0.2]], [[99.0], [99.0]]])
        >>> JointCompatibility().pair(y, np.ones((2, 2)), np.ones((2, 1, 1))).tolist()
        [0, 1, -1]
    """

    odds: Odds = 10.0
    tries: Count = TRIES

    def paired(self, y: Array, G: Array, R: Array, alone: Array) -> Pairing:
        return joint_pairing(y, G, R, self.gate, self.odds, tries=self.tries, alone=alone)


@settings
class NearestNeighbor(Association):
    """Individual compatibility: the most likely assignment of landmarks, each pairing judged alone.

    ::

        minimise  sum over pairings of  y' S^-1 y + log det S - cost of no pairing

    It is faster than joint compatibility, and wrong more often where the pose is uncertain.

    Source: Bar-Shalom and Fortmann, "Tracking and Data Association" (1988), as compared in Neira and Tardos (2001).

    Args:
        gate, new: see `Association`.

    Example:
        >>> y = np.array([[[0.1], [3.0]], [[99.0], [99.0]]])
        >>> NearestNeighbor().pair(y, np.ones((2, 2)), np.ones((2, 1, 1))).tolist()
        [0, -1]
    """

    def paired(self, y: Array, G: Array, R: Array, alone: Array) -> Pairing:
        from scipy.optimize import linear_sum_assignment

        K, L, m = y.shape
        if not L:
            return np.full(K, -1, np.int64)
        S = G.reshape(L, m, L, m)[range(L), :, range(L)] + R
        limit = gate_quantiles(self.gate, m)[m]
        logs = np.linalg.slogdet(S)[1]
        none = limit + logs.max()  # more than any pairing costs, so that as many are made as possible
        cost = np.where(alone <= limit, alone + logs, 1e9)
        cost = np.hstack([cost, np.full((K, K), none)])
        rows, columns = linear_sum_assignment(cost)
        found = np.full(K, -1, np.int64)
        found[rows] = np.where(columns < L, columns, -1)
        return found


def rather_old(y: Array, G: Array, R: Array, pairing: Pairing, density: Array) -> NDArray[np.bool_]:
    """Whether each pairing is more likely than that the detection is of a new landmark ``(K,)``.

    ::

        N(y_i; 0, S | all other pairings) > density       and       N(y; 0, S) > product of all densities

    Where the pose is uncertain, any landmark may fit any detection; several that fit together are no coincidence. A
    stricter rule would do harm: a robot that uses nothing gets lost.

    Args:
        y, G, R, density: as for `Association.pair`.
        pairing: the landmark of each detection ``(K,)``, -1 for none.

    Example:
        >>> y, R = np.array([[[2.0]]]), np.array([[[0.01]]])
        >>> [rather_old(y, np.eye(1) * P, R, np.array([0]), np.array([0.1])).tolist() for P in (1.0, 25.0)]
        [[False], [False]]
        >>> rather_old(0.1 * y, np.eye(1) * 0.1, R, np.array([0]), np.array([0.1])).tolist()
        [True]
    """
    m, good = y.shape[2], np.zeros(len(y), bool)
    used = np.flatnonzero(pairing >= 0)
    if not len(used):
        return good
    j = pairing[used]
    rows = (j[:, None] * m + np.arange(m)).ravel()
    S, e = G[np.ix_(rows, rows)].copy(), y[used, j].ravel()
    for k, each in enumerate(j):
        S[k * m : k * m + m, k * m : k * m + m] += R[each]
    information = np.linalg.inv(S)
    costs, new = np.zeros(len(used)), -2.0 * np.log(density[j])
    for k in range(len(used)):
        own = slice(k * m, k * m + m)
        r = np.linalg.solve(information[own, own], information[own] @ e)
        costs[k] = r @ information[own, own] @ r - np.linalg.slogdet(information[own, own])[1] + m * LOG_TURN
    whole = e @ information @ e - np.linalg.slogdet(information)[1] + len(e) * LOG_TURN
    good[used] = (new > costs) & (new.sum() > whole)
    return good
