"""Multiple hypothesis tracking: decisions about associations are put off until later scans have made them clear."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ...core.settings import Count, Fraction, Interval, settings
from ._doubles import Claims, claims_of, double_trees, doubles_of
from ._histories import Histories
from ._hypotheses import Choices, Forest, best, decided, grown, lengthened, parted, pruned, without
from ._state import (
    COASTING,
    CONFIRMED,
    TENTATIVE,
    Hypotheses,
    Parts,
    Scan,
    State,
    children,
    gated,
    moved,
    newborn,
    nothing,
)
from .management import Management
from .sprt import ScoreTest
from .tracks import Tracks


@settings
class MHT(Hypotheses):
    """Track-oriented multiple hypothesis tracking, in place of an association of `Tracker`.

    Each detection may be the next one of any track in whose gate it is, a new track, or false, and each track may have
    been missed. So a track is a tree, whose leaves are its histories, each with a belief of its own. A global
    hypothesis takes leaves that use no detection twice; its score is the sum of theirs::

        s    =  log(r / (1 - r))                            new, r the `start` of the management
        s   <-  s + log(1 - P_D P_G)                        missed
        s   <-  s + log(P_D N(z (-) h(x); 0, S) / lambda)   detected
        P(hypothesis)  ~  exp(sum s)

    The likeliest hypotheses are kept for each cluster of trees that share detections, found by Murty's ranked
    assignments from each earlier hypothesis, as many as it has weight. The best one is shown. Associations `depth`
    scans ago are decided by the weight of all hypotheses that agree about them (N-scan pruning). The management of the
    tracker confirms and deletes leaves by their own scores; a tentative leaf with a score below 0 counts as a false
    detection. A track that is confirmed in place of another one, with which it has detections in common, takes its
    number.

    With one hypothesis and r = 1 / 2 it is `GNN`.

    Source: Reid, "An algorithm for tracking multiple targets", IEEE Trans. Automatic Control 24, 1979; Kurien, "Issues
    in the design of practical multitarget tracking algorithms", in Bar-Shalom (ed.), 1990; Blackman, "Multiple
    hypothesis tracking for multiple target tracking", IEEE Aerospace and Electronic Systems Magazine 19, 2004.

    Args:
        hypotheses: of each cluster, at most.
        depth: N, the scans after which an association is decided.
        least: probability of a hypothesis that is kept.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 3.0, "vy": 3.0})
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5)), birth, MHT(depth=4))
        >>> for t in range(6):
        ...     tracks = tracker.update([[1.0 * t, 0.1], [20.0 - t, 5.0]], t=float(t))
        >>> tracks.mean.round(0)[:, :2].tolist()
        [[5.0, 0.0], [15.0, 5.0]]
    """

    hypotheses: Count = 50
    depth: Annotated[int, Interval(0, ends="[)")] = 5
    least: Fraction = 1e-3

    def method(self, parts: Parts) -> TrackTrees:
        """The method of a tracker."""
        return TrackTrees(self, parts, parts.management or ScoreTest())


@dataclass(frozen=True)
class TrackTrees:
    """The step of multiple hypothesis tracking."""

    settings: MHT
    parts: Parts
    management: Management

    @property
    def targets(self) -> Any:
        return self.parts.targets

    @property
    def _prior(self) -> float:
        """The score with which a track begins: its log-odds against a false detection, at most even."""
        r = min(self.management.start, 0.5)
        return math.log(r / (1.0 - r))

    def none(self, t: float) -> Histories:
        return Histories.none(nothing(self.targets, t), self.settings.depth)

    def predict(self, state: Histories, t: float) -> Histories:
        return replace(state, leaves=moved(self.targets, state.leaves, t, self.management.lifetime))

    def step(self, state: Histories, scan: Scan, fresh: Any) -> Histories:
        leaves, forest, path, new, claims = self._grown(self.predict(state, scan.t), scan)
        leaves, ends = self._managed(leaves, new)
        relief = np.where(leaves.status == TENTATIVE, np.maximum(-leaves.score - self._prior, 0.0), 0.0)
        forest = pruned(without(forest, ends, relief), relief, self.settings.least, self.settings.hypotheses)
        forest = parted(decided(forest, path[:, self.settings.depth, 0]))
        doubles, merged, doubts = self._doubles(leaves, forest, new, claims)
        leaves = leaves.changed(merged=merged, doubts=doubts)
        if doubles.any():
            forest = parted(pruned(without(forest, doubles, relief), relief, 0.0, self.settings.hypotheses))
        return state.settled(leaves, forest, path, new, scan, fresh)

    def _grown(self, state: Histories, scan: Scan) -> tuple[State, Forest, Any, Any, Claims]:
        """The leaves that may follow in this scan, the hypotheses over that, their paths, which are new, and the
        claims of those that are not."""
        parts, before = self.parts, state.leaves
        found = gated(parts.targets, parts.gate, before.rows, scan)
        rows, which, memory = parts.initiation.step(
            before.memory, parts.targets, scan.t, scan.detector.sensor, scan.z, scan.context
        )
        keys = before.ids.min(initial=0) - 1 - which
        new = newborn(rows, scan.places[which], keys, scan.t, self.management.start, parts.initiation.points)
        leaves = children(before, found, scan, new).changed(memory=memory)
        missed = np.where(found.seen > 0.0, np.log1p(-found.P), 0.0)
        parents = np.concatenate([np.arange(len(missed)), found.pairs.rows])
        begins = np.full(len(scan.z), -1, np.int64)
        begins[which] = len(parents) + np.arange(len(which))
        choices = Choices(found.pairs, found.w - missed[found.pairs.rows] - self._prior, missed, begins)
        forest, count = grown(state.forest, choices, self.settings.hypotheses), len(leaves.ids)
        claims = lambda i: claims_of(found, int(parents[i]))
        return leaves, forest, lengthened(state.path, parents, leaves.source), np.arange(count) >= len(parents), claims

    def _managed(self, leaves: State, new: Any) -> tuple[State, Any]:
        """The leaves with their status, and which of them end."""
        evidence = leaves.evidence
        confirmed = evidence.confirmed | self.management.confirm(evidence)
        status = np.where(confirmed, np.where(leaves.source >= 0, CONFIRMED, COASTING), TENTATIVE)
        return leaves.changed(status=status), self.management.delete(evidence) & ~new

    def _doubles(self, leaves: State, forest: Forest, new: Any, claims: Claims) -> tuple[Any, dict[int, int], Any]:
        """The leaves of trees that say the same as a better one; of those that go on with it, its number; and doubts.

        New ones are compared among themselves.
        """
        born = double_trees(self.targets, self.parts.ellipsoid, leaves, forest, new)
        shown = best(forest)
        shown = shown[~new[shown]]
        found = doubles_of(self.targets, self.parts.merging, leaves[shown], lambda i: claims(int(shown[i])), len(shown))
        ids = leaves.ids[shown]
        return born | np.isin(leaves.ids, ids[list(found.into)]), found.numbers(ids), found.doubts

    def tracks(self, state: Histories) -> Tracks:
        return state.tracks(self.targets)
