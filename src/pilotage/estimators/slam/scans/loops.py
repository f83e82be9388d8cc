"""Closing loops: places where a robot may be back, scans that say so, and when to believe them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pilotage.core.settings import Count, Fraction, NonNegative, Positive, settings

from ..closures import Closure, PairHistogram, consistent, disagreement, drift, similarity
from ..closures.consistency import threshold
from ..matching import CorrelativeMatcher, Match, PointToLineICP, Surface
from ..matching.correlative import pyramid
from ..matching.field import likelihood_field
from .keyframes import Keyframes

Array = NDArray[np.float64]


@settings
class LoopCloser:
    """Loop closures of a new scan: candidates by distance, matched, and believed only with good reason.

    1. Candidates are scans that the robot may be near, given how far it may have drifted since (`drift`), but not those
       of the way it has just come. Of each stretch of them, the nearest is tried; after much drift, the one whose
       descriptor is most like that of the new scan.
    2. The new scan with those just before it is matched to the scans around the candidate, in a window of three
       standard deviations of the drift.
    3. A match must overlap well, be the only one in a large window, and agree with the drift (chi-square).
    4. A closure after little drift is believed at once. Others wait until there are `votes` that agree pairwise
       (`consistent`), over a way of at least `spread`: places that look alike at one spot differ at the next.
    5. A closure that the optimised graph contradicts is given up.

    Args:
        matcher: finds the pose; its windows are set to the drift.
        histogram: describes scans, to compare them from any pose.
        radius: distance of a candidate [m].
        apart: way since a candidate [m].
        overlap: least share of the points that lie on the earlier scans.
        rms: largest root mean square of their distances [m].
        around: number of scans before and after a candidate it is joined with.
        before: number of scans that the new one is joined with.
        sure: standard deviation of the drift up to which a closure is believed at once [m].
        most: largest half width of a window [m].
        rival: share of the score of the best pose that no other one in the window may reach.
        votes: number of closures that must agree.
        spread: way along which they must lie [m].
        wait: way after which a closure that found no others is forgotten [m].
        level: probability with which a right closure passes a chi-square test.
        tries: number of candidates of one scan.

    Source: the order is that of E. Olson, "Recognizing places using spectrally clustered local matches", RAS 2009, with
    pairwise consistency (Mangelson et al. 2018) in place of spectral clustering.

    Example:
        >>> LoopCloser(votes=4).votes
        4
    """

    matcher: CorrelativeMatcher = CorrelativeMatcher()
    histogram: PairHistogram = PairHistogram()
    radius: Positive = 4.0
    apart: Positive = 8.0
    overlap: Fraction = 0.6
    rms: Positive = 0.08
    around: Count = 5
    before: Count = 3
    sure: NonNegative = 0.4
    most: Positive = 4.0
    rival: Fraction = 0.9
    votes: Count = 3
    spread: NonNegative = 1.0
    wait: Positive = 20.0
    level: Fraction = 0.999
    tries: Count = 2

    def search(self, frames: Keyframes, pending: list[Closure]) -> list[Closure]:
        """The closures that are believed after the newest scan; `pending` are those that wait, and is changed."""
        last = len(frames) - 1
        ends, _, steps = frames.edges()
        covs = drift(frames.poses, ends, steps, last)
        believed: list[Closure] = []
        for m in self._candidates(frames, covs):
            closure = self._closure(frames, m, covs[m])
            if closure is None:
                continue
            if _spread(covs[m]) <= self.sure:
                believed.append(closure)
            else:
                pending.append(closure)
        way = frames.travelled[last]
        pending[:] = [c for c in pending if way - frames.travelled[c.second] <= self.wait]
        return believed + self._agreed(frames, pending)

    def _candidates(self, frames: Keyframes, covs: Array) -> list[int]:
        """Of each stretch of scans that may be near, the one that is nearest."""
        x, way = np.array(frames.poses), np.array(frames.travelled)
        far = np.hypot(*(x[:, :2] - x[-1, :2]).T)
        near = (far - 2.0 * np.sqrt(covs[:, 0, 0] + covs[:, 1, 1]) < self.radius) & (way[-1] - way > self.apart)
        at = np.flatnonzero(near)
        if not len(at):
            return []
        stretches = np.split(at, np.flatnonzero(np.diff(at) > 2 * self.around) + 1)
        nearest = sorted((s[np.argmin(far[s])], k) for k, s in enumerate(stretches))
        nearest.sort(key=lambda pair: float(far[pair[0]]))
        return [self._likeliest(frames, stretches[k], m, covs) for m, k in nearest[: self.tries]]

    def _likeliest(self, frames: Keyframes, stretch: NDArray[np.intp], nearest: int, covs: Array) -> int:
        """The scan of a stretch to try: the nearest, or after much drift the one most like the newest."""
        if _spread(covs[nearest]) <= self.sure:
            return int(nearest)
        while len(frames.descriptors) < len(frames):
            frames.descriptors.append(self.histogram.describe(frames.surfaces[len(frames.descriptors)]))
        alike = similarity(frames.descriptors[-1], [frames.descriptors[k] for k in stretch])
        return int(stretch[np.argmax(alike)])

    def _closure(self, frames: Keyframes, m: int, cov: Array) -> Closure | None:
        """The closure from scan m to the newest, if the match is good."""
        last = len(frames) - 1
        place = frames.around(m, m - self.around, m + self.around + 1)
        scan = frames.around(last, last - self.before + 1, last + 1)
        guess, std = frames.relative(m, last), 3.0 * np.sqrt(np.diagonal(cov))
        window, turn = float(np.clip(std[:2].max(), 0.3, self.most)), float(np.clip(std[2], 0.1, 0.7))
        matcher = replace(self.matcher, window=window, turn=turn, resolution=0.05 if window < 2.0 else 0.1)
        near = std[:2].max() <= 0.3 and std[2] <= 0.1
        found = (matcher.refine or PointToLineICP() if near else matcher).match(place, scan, guess)
        if not self._good(found) or (window > 1.0 and not self._alone(matcher, place, scan, guess, found)):
            return None
        closure = Closure(m, last, found.pose, found.cov)
        return closure if frames.chi2(closure, cov) <= threshold(self.level) else None

    def _good(self, found: Match) -> bool:
        return found.ok and found.overlap >= self.overlap and found.rms <= self.rms

    def _alone(self, matcher: CorrelativeMatcher, place: Surface, scan: Surface, guess: Array, found: Match) -> bool:
        """Whether no other pose in the window has a score close to that of the match."""
        if len(found.free):
            return False
        field = likelihood_field(place, matcher.resolution, matcher.sigma)
        pooled = pyramid(field, matcher.levels)
        _, best = matcher.search_in(field, pooled, scan, guess)
        strict = replace(matcher, least=max(self.rival * best, 1e-3))
        _, second = strict.search_in(field, pooled, scan, guess, avoid=found.pose, apart=0.5)
        return second < self.rival * best

    def _agreed(self, frames: Keyframes, pending: list[Closure]) -> list[Closure]:
        """Take those out of the pending closures that agree with each other, if there are enough."""
        if len(pending) < self.votes:
            return []
        n = len(pending)
        d = np.zeros((n, n))
        for a in range(n):
            for b in range(a):
                one, two = pending[a], pending[b]
                between = frames.between(one.second, two.second), frames.between(two.first, one.first)
                d[a, b] = d[b, a] = disagreement(one, two, between)
        chosen = [pending[k] for k in consistent(d, self.level)]
        ways = [frames.travelled[c.second] for c in chosen]
        if len(chosen) < self.votes or max(ways) - min(ways) < self.spread:
            return []
        pending[:] = [c for c in pending if not any(c is each for each in chosen)]
        return chosen


def _spread(cov: Array) -> float:
    """The standard deviation of a position [m]."""
    return math.sqrt(float(cov[0, 0] + cov[1, 1]))
