"""Re-identification: lost targets that come back get the numbers that they had."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from ...core import Gaussian
from ...core.settings import Count, Interval, Positive, settings
from ._deviation import deviation
from ._intervals import Probability
from .gate import Gate, Pairs
from .jpda import JPDA

Half = Annotated[float, Interval(0.5, 1.0, "()")]


@settings
class Reidentification:
    """Re-identification of lost targets, as after an occlusion, for `Tracker`.

    A target that is lost stays in memory, and its belief is predicted. A newly confirmed track j may be the lost target
    i, or a new one::

        d_ij  =  x_j (-) x_i,      T_ij  =  P_i + P_j
        w_ij  =  returns / (1 - returns)  N(d_ij; 0, T_ij)  /  (newcomers  p_birth(x_j)),      d' T^-1 d within the gate

    The probabilities beta_ij over all ways to give each lost target one track at most, and each track one target, are
    those of joint probabilistic data association. Where beta_ij > `sure`, the track takes the number and the age of the
    lost target. Otherwise it keeps its new number, as after an occlusion of two targets side by side. These often
    change places within the first detections of their new tracks, which then are surer than they should be; so if
    `alone`, a track is not taken either where another pair of the target or the track is within the gate.

    A track that was detected while the target was, is another target. Features of detections, such as a vector that a
    network makes of a picture, rule out targets that look different; see `Tracker.update`.

    Source: Blackman and Popoli, "Design and Analysis of Modern Tracking Systems", 1999, section 6.3, for the odds;
    Fortmann, Bar-Shalom and Scheffe, IEEE J. Oceanic Engineering 8, 1983, for the probabilities.

    Args:
        keep: how long a lost target is remembered after its last detection [s].
        sure: probability above which a track is taken for a lost target; its existence must be above it too.
        returns: probability that a lost target is found again.
        newcomers: expected number of new targets in that time, in the region of the birth.
        gate: the gate, or its probability.
        alone: whether a track is taken only where the target and the track are in no other gate.
        appearance: largest distance ``1 - cos`` between the mean features of two tracks of one target; None: features
            are not asked.
        least: scans through which a target was confirmed, before it is remembered.
        tries: scans after its confirmation in which a track is compared.
        most: lost targets in memory, at most; the latest stay.
        birth: where and how fast new targets are, p_birth; that of the tracker if None.

    Raises:
        SettingError: when a setting is out of range.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 5.0, "vy": 5.0})
        >>> radar, rule = Detector(position(std=0.5)), Reidentification(keep=30.0)
        >>> tracker = Tracker(KF(car, dt=1.0), radar, birth, reidentify=rule)
        >>> for t in range(30):                                     # behind a wall from 10 s to 20 s
        ...     tracks = tracker.update([] if 10 <= t < 20 else [[2.0 * t, 0.0]], t=float(t))
        ...     for event in tracks.events:
        ...         if event.kind != "born":
        ...             print(t, event)
        3 1 confirmed
        15 1 deleted
        23 1 reidentified (2)
    """

    keep: Positive = 10.0
    sure: Half = 0.95
    returns: Probability = 0.5
    newcomers: Positive = 1.0
    gate: Gate | Probability = 0.99
    alone: bool = True
    appearance: Annotated[float, Interval(0.0, 2.0, "(]")] | None = None
    least: Count = 5
    tries: Count = 3
    most: Count = 100
    birth: Gaussian | None = None

    def matched(self, lost: Gaussian, found: Gaussian, birth: Gaussian, possible: Any) -> tuple[Any, Any]:
        """Which lost targets are which of the tracks: the places of both, of each pair that is sure.

        Args:
            lost: beliefs of lost targets, of the present, with a leading axis L.
            found: beliefs of tracks, with a leading axis C.
            birth: where and how fast new targets are.
            possible: which pairs may be, ``(L, C)``.

        Example:
            >>> from pilotage.core import Space
            >>> line = Space("x [m]", "vx [m/s]")
            >>> lost = Gaussian.of(line, [[0.0, 5.0], [80.0, -5.0]], std=[2.0, 1.0])
            >>> found = Gaussian.of(line, [[79.0, -5.5]], std=[0.5, 0.5])
            >>> everywhere = Gaussian.of(line, std=[100.0, 10.0])
            >>> [each.tolist() for each in Reidentification().matched(lost, found, everywhere, np.ones((2, 1), bool))]
            [[1], [0]]
        """
        space = lost.space
        d = np.asarray(space.minus(found.mean[None], np.asarray(lost.mean)[:, None]))
        T = np.asarray(lost.cov)[:, None] + np.asarray(found.cov)[None]
        same, distances = deviation(d, T)
        new, _ = deviation(np.asarray(space.minus(found.mean, birth.mean)), np.asarray(birth.cov))
        gate = Gate.of(self.gate)
        rows, columns = np.nonzero(possible & (distances <= gate.limit(space.dim)))
        pairs = Pairs(rows, columns, distances[rows, columns], *distances.shape)
        odds = np.log(self.returns / (1.0 - self.returns) / self.newcomers) + (same - new)[rows, columns]
        taken = np.asarray(JPDA().share(pairs, odds).beta) > self.sure if len(rows) else np.zeros(0, bool)
        if self.alone:
            taken &= (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
        return rows[taken], columns[taken]
