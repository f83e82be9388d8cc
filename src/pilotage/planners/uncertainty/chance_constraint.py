"""Chance constraints: paths on which a robot that is not quite where it believes collides with at most a given risk."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import numbers
from ...core.errors import CovarianceError, ShapeError
from ...core.planar import planar
from ...core.problem import Problem
from ...core.settings import Count, instance, instances, setting, settings
from ...maps import FootprintConstraint
from ...maps.collision import within
from .track import PredictedTrack, Risk

Array = NDArray[np.float64]
LEAST = 1e-12
"""A probability below which risks are not told apart."""


@settings(eq=False)
class ChanceConstraint:
    """The constraint that a robot collides with probability `risk` at most, along a whole path.

    ::

        pose = x (+) e,  e ~ N(0, Sigma(x))                 x: what the robot believes, and follows
        g_k(x) + m(x) <= 0 for all discs k                  g_k: of `FootprintConstraint`, at clearance c: -max_k g_k
        m = sqrt(-2 lambda ln r),   r = risk / steps        lambda: largest variance of x and y in any direction
        P(collision at x) <= P(|e_xy| >= m) <= exp(-m^2 / (2 lambda)) = r
        if the heading matters:  m = sqrt(-2 lambda ln(r / 2)) + arm sigma_yaw z,   P(|N(0, 1)| >= z) = r / 2

    An error moves no point of a disc farther than m, but with probability r. By Boole's inequality, a path on which the
    error is drawn `steps` times has at most the risk ``steps r``, whatever joins the errors. An error that stays the
    same along the path, such as that of a map's position, is one draw. The exception is a robot that starts within m:
    most planners lead it out first, at a larger risk, of which ``plan.stats["led_out"]`` tells; see `risk_at`.

    Attributes:
        inner: constraint of the robot on a map, as of `OccupancyGrid.problem`.
        covariance: covariance of x and y ``(2, 2)``, or of x, y and yaw ``(3, 3)`` [m, rad]; a belief with these
            components; or a function from states ``(..., n)`` to such covariances ``(..., d, d)``.
        risk: largest probability of a collision on the whole path.
        steps: number of times that the error is drawn on the path.

    Raises:
        ShapeError: if the covariance has another shape.
        CovarianceError: if it is not positive semidefinite.

    Source: L. Blackmore, M. Ono, B. Williams, Chance-constrained optimal path planning with obstacles, 2011.

    Example:
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii(["........"] * 4, resolution=0.5)
        >>> problem = hall.problem([0.75, 1.0], [3.25, 1.0], Footprint.disc(0.2))
        >>> safe = ChanceConstraint(problem.constraint, 0.1**2 * np.eye(2), risk=0.01)
        >>> round(float(safe.margin([1.0, 1.0])), 3), float(safe([1.0, 1.0]).max().round(3))
        (0.303, -0.189)
    """

    inner: FootprintConstraint
    covariance: Any
    risk: Risk = 0.01
    steps: Count = 1

    def __post_init__(self) -> None:
        if not callable(self.covariance):
            object.__setattr__(self, "covariance", _covariance(self.covariance, self.inner))

    @property
    def footprint(self) -> Any:
        """The footprint of the robot, without the margin."""
        return self.inner.footprint

    def __call__(self, x: Any) -> Array:
        """Values ``(..., K)`` [m] at states ``(..., n)``; the risk is low enough if none is positive."""
        return np.asarray(self.inner(x)) + self.margin(x)[..., None]

    def margin(self, x: Any) -> Array:
        """Clearance m ``(...)`` [m] that the robot needs at states ``(..., n)``."""
        x = np.asarray(x, dtype=np.float64)
        return np.broadcast_to(self._margin(x, self.risk / self.steps), x.shape[:-1])

    def _margin(self, x: Any, r: float) -> Array:
        P = _checked(self.covariance(x), self.inner) if callable(self.covariance) else self.covariance
        share = r * (0.5 if self.inner.footprint.turns else 1.0)
        widest = np.maximum(np.linalg.eigvalsh(P[..., :2, :2])[..., -1], 0.0)
        margin = np.sqrt(-2.0 * widest * np.log(share))
        if self.inner.footprint.turns:
            z = -NormalDist().inv_cdf(0.5 * share)
            margin = margin + self.inner.footprint.arm * z * np.sqrt(np.maximum(P[..., 2, 2], 0.0))
        return margin

    def risk_at(self, clearance: float, x: Any = None) -> float:
        """The least r with ``m <= clearance`` at a state ``(n,)``: a bound of the probability of a collision there.

        Args:
            clearance: of the robot, without the margin [m].
            x: the state, which counts if the covariance is a function of it.

        Example:
            >>> from pilotage.maps import Footprint, OccupancyGrid
            >>> problem = OccupancyGrid.from_ascii(["...."] * 4).problem([1, 1], [3, 1], Footprint.disc(0.2))
            >>> chance = ChanceConstraint(problem.constraint, 0.1**2 * np.eye(2), risk=0.01)
            >>> round(chance.risk_at(0.02), 2), round(chance.risk_at(float(chance.margin([1, 1]))), 4)
            (0.98, 0.01)
        """
        low, high = LEAST, 1.0
        while high > 1.001 * low:
            r = math.sqrt(low * high)
            low, high = (low, r) if self._margin(x, r) <= clearance else (r, high)
        return high

    def grown(self) -> FootprintConstraint:
        """The same constraint for a constant covariance: that of a robot whose discs are larger by the margin.

        Raises:
            ShapeError: if the covariance is a function.
        """
        if callable(self.covariance):
            raise ShapeError("the covariance is a function of the state; expected one covariance for all states")
        margin = float(self.margin(np.zeros(self.inner.space.size)))
        return self.inner.keeping(margin, f" for a risk of {self.risk:g}", self.risk_at)

    def describe(self, x: Any) -> str:
        """The reason why a state ``(n,)`` is too risky, as the end of a sentence; empty if it is allowed."""
        exact = float(self.inner.robot_clearance(x))
        if exact < 0.0 or not float(self(x).max()) > 0.0:
            return self.inner.describe(x)
        return within(exact, float(self.margin(x)), f" for a risk of {self.risk:g}")


def chance_constrained(
    problem: Problem,
    covariance: Any,
    *,
    risk: Risk = 0.01,
    steps: Count = 1,
    tracks: Sequence[PredictedTrack] = (),
) -> Problem:
    """The problem with the constraint that a path has a collision with probability `risk` at most.

    A robot that starts within the margin of the constraint is led out of it first by planners that know no times, and
    by `SpaceTimeAStar`. On this way the risk is larger: ``plan.stats["led_out"]`` says so, and how large.

    With one covariance for all states, every planner solves it, compiled and without gaps, as for a larger robot. With
    a function of the state, planners that sample do, and check edges at points `Problem.resolution` apart.

    Args:
        problem: a problem on a map, of `OccupancyGrid.problem`.
        covariance: a belief, a covariance, or a function of states; see `ChanceConstraint`.
        risk: largest probability of a collision on the whole path.
        steps: number of times that the error is drawn on the path; 1 if it stays the same along it.
        tracks: predictions of moving discs, which become moving obstacles of the problem: the error of the robot, and
            that of each track, get equal shares of the risk; see `PredictedTrack.obstacle`.

    Raises:
        SettingError: if the problem is not one on a map, or the risk is not between 0 and 1.

    Example:
        >>> from pilotage.core import Gaussian, Space
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> from pilotage.planners import AStar
        >>> door = ["........."] * 4 + ["....#....", "....#....", ".........", "....#....", "....#...."]
        >>> hall = OccupancyGrid.from_ascii(door, resolution=0.5).refined(8)
        >>> belief = Gaussian.of(Space("x y [m]"), [0.75, 1.25], std=0.05)
        >>> problem = hall.problem(belief, [3.75, 1.25], Footprint.disc(0.1))
        >>> [round(AStar().plan(chance_constrained(problem, belief, risk=risk)).cost, 1) for risk in (0.1, 0.001)]
        [3.0, 4.8]
    """
    hint = "; expected one of grid.problem(start, goal, footprint)"
    instance(problem, Problem, "chance_constrained")
    inner = instance(problem.constraint, FootprintConstraint, "chance_constrained", hint)
    tracks = instances(tracks, PredictedTrack, "tracks")
    share = setting(risk, Risk, "risk") / (1 + len(tracks))
    chance = ChanceConstraint(inner, covariance, share, setting(steps, Count, "steps"))
    moving = [*problem.moving, *(track.obstacle(share) for track in tracks)]
    if moving and callable(covariance):
        raise ShapeError("the covariance is a function of the state; expected one for all beside moving obstacles")
    return dataclasses.replace(problem, constraint=chance if callable(covariance) else chance.grown(), moving=moving)


def _covariance(given: Any, inner: FootprintConstraint) -> Array:
    """The covariance of x, y and, if the heading matters, yaw, from a belief or a matrix."""
    if not hasattr(given, "moments"):
        return _checked(given, inner)
    names = ("x", "y", "yaw") if inner.footprint.turns else ("x", "y")
    return _checked(planar(given, names)[1], inner)


def _checked(given: Any, inner: FootprintConstraint) -> Array:
    """A covariance ``(..., d, d)``, with d = 3 at least if the heading matters."""
    P = numbers(given, "the covariance")
    least = 3 if inner.footprint.turns else 2
    if P.shape[-2:] not in ((2, 2), (3, 3)) or P.shape[-1] < least:
        raise ShapeError(f"the covariance has shape {P.shape}; expected ({least}, {least})")
    if not np.isfinite(P).all() or np.linalg.eigvalsh(P).min(initial=0.0) < -1e-9 * abs(P).max(initial=0.0):
        raise CovarianceError("the covariance is not finite and positive semidefinite")
    return P
