"""The result of scan matching: a pose, its covariance, and the directions about which the scans say nothing."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian, Space
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Count, Fraction, Positive, instance, settings

from ._point_to_line import assess
from .surface import Surface

Array = NDArray[np.float64]

PLANE = Space("pose: SE2")
FREE = 10.0
"""Standard deviation [m, rad] of a direction about which nothing is known."""


class MatchStatus(enum.Enum):
    """The outcome of matching a scan."""

    MATCHED = "matched"
    DEGENERATE = "degenerate"
    NO_OVERLAP = "no overlap"
    LIMIT = "limit of iterations"


@dataclass(frozen=True, eq=False)
class Match:
    """The pose of a scan in the frame of a reference.

    Attributes:
        pose: x [m], y [m], yaw [rad]; the guess where nothing overlaps.
        cov: covariance ``(3, 3)`` in the tangent of SE(2), that is, in the frame of the scan; large along `free`.
        status: the outcome.
        reason: the outcome in words.
        overlap: share of the points of the scan that lie on the reference.
        rms: root mean square of their distances [m].
        free: unit directions ``(k, 3)`` in the tangent about which the scans say nothing, such as along a corridor; the
            pose keeps to its guess along them.
        iterations: number of iterations.

    Example:
        >>> match = Match(np.zeros(3), np.eye(3), MatchStatus.MATCHED, "matched", 0.9, 0.01, np.zeros((0, 3)), 5)
        >>> match.ok, match.belief.mean.tolist()
        (True, [0.0, 0.0, 0.0])
    """

    pose: Array
    cov: Array
    status: MatchStatus
    reason: str
    overlap: float
    rms: float
    free: Array
    iterations: int

    @property
    def ok(self) -> bool:
        """Whether the pose may be used, within its covariance."""
        return self.status in (MatchStatus.MATCHED, MatchStatus.DEGENERATE)

    @property
    def belief(self) -> Gaussian:
        """The pose as a Gaussian on SE(2)."""
        return Gaussian(PLANE, self.pose, self.cov)


@settings
class Judgement:
    """The rules by which all matchers judge a match.

    The solution is a function of all ranges, so to first order their noise moves it by::

        cov = (H + L)^-1 (M + L) (H + L)^-1,   H = sum w J J',   M = cov(sum w J r),   L: information of a prior

    M counts each range once, although a point of the reference takes part in many residuals. Residuals larger than
    the noise explains enlarge it. Noise tilts lines, which looks like information along a corridor; its expectation is
    taken off H before its eigenvalues are judged.

    Args:
        noise: standard deviation of a range [m].
        reach: largest distance of a point from its partner at the end [m].
        least: least overlap of a match.
        points: number of points a direction must be held by: fewer leave it free.

    Source: A. Censi, "An accurate closed-form estimate of ICP's covariance", ICRA 2007, eq. 3; J. Zhang, M. Kaess and
    S. Singh, "On degeneracy of optimization-based state estimation problems", ICRA 2016, for free directions.

    Example:
        >>> from pilotage.estimators.slam.matching import PointToLineICP
        >>> PointToLineICP(judgement=Judgement(noise=0.01, least=0.5)).judgement.noise
        0.01
    """

    noise: Positive = 0.02
    reach: Positive = 0.2
    least: Fraction = 0.3
    points: Count = 1

    def facts(self, reference: Surface, scan: Surface, pose: Array) -> Facts:
        """Sums over the residuals of the scan at a pose."""
        facts, forces = np.empty((10, 3)), np.zeros((len(reference), 3))
        where = np.array(pose)
        assess(
            reference.table, reference.windows, *reference.buckets, scan.table, where, self.noise, self.reach,
            forces, facts, np.empty((1, 5)),
        )  # fmt: skip
        return Facts(facts[0:3], facts[3:6], facts[6:9], int(facts[9, 0]), float(facts[9, 1]), float(facts[9, 2]))

    def free(self, facts: Facts, scan: Surface) -> Array:
        """Unit directions ``(k, 3)`` about which the scan says nothing."""
        arm = math.sqrt(float((scan.points**2).sum(axis=1).mean())) if len(scan) else 1.0
        scale = np.array([1.0, 1.0, 1.0 / max(arm, 1e-3)])
        information = (facts.H - 3.0 * facts.tilted) * np.outer(scale, scale)
        values, vectors = np.linalg.eigh(information)
        most = np.trace(facts.H[:2, :2]) / max(facts.count, 1)  # information of one point, head on
        directions = (vectors[:, values < self.points * most] * scale[:, None]).T
        return directions / np.linalg.norm(directions, axis=1, keepdims=True)

    def covariance(self, facts: Facts, prior: Array, free: Array) -> Array:
        """Covariance of the solution, with a prior of that information; large along free directions."""
        held = np.eye(3) - free.T @ np.linalg.pinv(free.T) if len(free) else np.eye(3)
        tiny = 1e-9 * np.trace(facts.H) / 3.0 + 1e-12
        H, M = held @ facts.H @ held, held @ facts.M @ held * max(1.0, facts.chi2)
        L = prior + free.T @ free / FREE**2
        inverse = np.linalg.inv(H + L + tiny * np.eye(3) * (not len(free)))
        cov = inverse @ (M + L) @ inverse
        return 0.5 * (cov + cov.T)


@dataclass(frozen=True, eq=False)
class Facts:
    """Sums over the residuals of a scan at a pose; see `assess`."""

    H: Array
    tilted: Array
    M: Array
    count: int
    squares: float
    chi2: float


def arguments(reference: Any, scan: Any, guess: Any, name: str) -> tuple[Array, Array]:
    """The guess ``(3,)`` and the information of its prior ``(3, 3)``, with all arguments checked."""
    for value, kind in ((reference, Surface), (scan, Surface)):
        instance(value, kind, name, "; scan_surface(...) makes one of ranges")
    if hasattr(guess, "moments"):
        belief = guess.moments()
        if belief.space.dim != 3 or belief.space.size != 3:
            raise ShapeError(f"the guess of {name} is over {belief.space}; expected a pose in the plane")
        return np.array(PLANE.check(belief.mean, "the guess")), np.linalg.inv(belief.cov)
    return np.array(PLANE.check(guess, "the guess")), np.zeros((3, 3))


def nothing(guess: Array, prior: Array, reason: str, overlap: float = 0.0) -> Match:
    """The result where nothing is known but the prior."""
    cov = np.asarray(np.linalg.inv(prior + np.eye(3) / FREE**2), dtype=np.float64)
    return Match(guess, cov, MatchStatus.NO_OVERLAP, reason, overlap, math.nan, np.eye(3), 0)


def judged(judgement: Judgement, reference: Surface, scan: Surface, pose: Array, prior: Array, done: int) -> Match:
    """The result at a pose that a matcher has found; `done` is its number of iterations, negative at the limit."""
    facts = judgement.facts(reference, scan, pose)
    overlap = facts.count / max(len(scan), 1)
    free = judgement.free(facts, scan)
    cov = judgement.covariance(facts, prior, free)
    rms = math.sqrt(facts.squares / max(facts.count, 1))
    if done < 0:
        status, reason = MatchStatus.LIMIT, f"not converged after {-done} iterations"
    elif overlap < judgement.least:
        status, reason = MatchStatus.NO_OVERLAP, f"{overlap:.0%} of the scan lies on the reference"
    elif len(free):
        status = MatchStatus.DEGENERATE
        reason = "nothing is said about " + " and ".join(map(direction, free))
    else:
        status, reason = MatchStatus.MATCHED, f"{overlap:.0%} of the scan lies on the reference, {rms:.3f} m off it"
    return Match(pose, cov, status, reason, overlap, rms, free, abs(done))


def direction(free: Array) -> str:
    """A free direction in words."""
    x, y, turn = free.tolist()
    if abs(turn) > 0.9:
        return "the heading"
    bearing = math.degrees(math.atan2(y, x)) % 180.0
    return f"the position along {bearing:.0f} deg of the scan"
