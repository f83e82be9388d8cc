"""Shortcuts: parts of a path replaced by direct ways where the problem allows them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, instance, settings
from ...core.space import Space
from ...core.streams import Rng, seeded
from ..sampling._bound import Floor
from ..steering._curves import Curve, driven

Array = NDArray[np.float64]
GAIN = 1e-9
"""A way that is shorter by less than this share of the path is not shorter but for rounding."""


@settings
class Shortcut:
    """Shortcutting: makes a path shorter by direct ways between its points, where these are allowed.

    ::

        from each state on, go directly to the last state that can be reached          (without a steering curve)
        repeat  draw points p, q on the path
                replace the part from p to q by the direct way, if it is allowed and shorter

    Edges are checked by `Problem.edges_allowed`, without gaps if the constraint is an `EdgeConstraint`. The octile
    zigzag of a grid search becomes a path with any angles. The length in the metric of the problem never increases.

    Attributes:
        tries: number of random pairs of points.
        steering: curve of the direct ways, `Dubins` or `ReedsShepp`, for a plan made with it; None:
            `Space.interpolate`.

    Source: R. Geraerts, M. Overmars, Creating high-quality paths for motion planning, 2007, section 3.1.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.planners import AStar
        >>> problem = OccupancyGrid.from_ascii(["......"] * 4).problem([0.5, 0.5], [5.5, 3.5])
        >>> plan = AStar().plan(problem)
        >>> print(plan, "|", Shortcut().smooth(plan, problem))
        solved: cost 6.243 over 6 states | solved: cost 5.831 over 2 states
    """

    tries: Count = 200
    steering: Curve | None = None

    def smooth(self, plan: Plan, problem: Problem, *, rng: Rng = 0) -> Plan:
        """A plan with a shorter path from the first to the last state of a plan.

        Args:
            plan: the plan; one that is not solved is returned as it is.
            problem: the problem that it solves, which checks the shortcuts and measures lengths.
            rng: seed or generator.

        Returns:
            A plan in the space of the problem; its cost is its length in the metric of the problem. It has no times and
            no controls, unless there is a steering curve.

        Raises:
            SettingError: if `plan` or `problem` are of another type.
            SpaceError: if the plan lacks a component of the problem.
        """
        instance(plan, Plan, "Shortcut")
        instance(problem, Problem, "Shortcut").needs_no_times(self)
        if plan.xs is None or plan.space is None:
            return plan
        stream, seed = seeded(rng)
        xs = plan.xs[:, [plan.space.find(name) for name in problem.space.names]]
        if self.steering is None:
            xs = _direct(problem, xs)
        for _ in range(self.tries):
            xs = self._try(problem, xs, np.sort(stream.random(2)))
        us, ts = (None, None) if self.steering is None else driven(problem.space, xs)
        cost, bound = float(_lengths(problem, xs).sum()), _bound(problem, xs)
        return dataclasses.replace(
            plan, space=problem.space, xs=xs, us=us, ts=ts, cost=cost, lower_bound=min(bound, cost), seed=seed
        )

    def _try(self, problem: Problem, xs: Array, shares: Array) -> Array:
        """The path with its part between two shares of its length replaced, if that makes it shorter."""
        along = np.concatenate([[0.0], np.cumsum(_lengths(problem, xs))])
        places = shares * along[-1]
        i, j = np.clip(np.searchsorted(along, places, side="right") - 1, 0, max(len(xs) - 2, 0))
        if i == j:
            return xs
        p, q = (
            problem.space.interpolate(xs[k], xs[k + 1], (s - along[k]) / (along[k + 1] - along[k]))
            for k, s in zip((i, j), places, strict=True)
        )
        way = np.concatenate([xs[i : i + 1], self._way(p, q), xs[j + 1 : j + 2]])
        shorter = _lengths(problem, way).sum() < along[j + 1] - along[i] - GAIN * along[-1]
        if not shorter or not problem.edges_allowed(way[:-1], way[1:]).all():
            return xs
        return np.concatenate([xs[:i], way, xs[j + 2 :]])

    def _way(self, p: Array, q: Array) -> Array:
        """The states of the direct way between two states."""
        found: Any = None if self.steering is None else self.steering.connect(p, q).xs
        return np.stack([p, q]) if found is None else found


def _direct(problem: Problem, xs: Array) -> Array:
    """The path that goes from each state directly to the last one that an allowed and shorter way leads to."""
    along = np.concatenate([[0.0], np.cumsum(_lengths(problem, xs))])
    kept = [0]
    while kept[-1] < len(xs) - 1:
        i = kept[-1]
        fine = problem.edges_allowed(xs[i], xs[i + 1 :])
        fine &= problem.distance(xs[i], xs[i + 1 :]) <= along[i + 1 :] - along[i] + GAIN * along[-1]
        kept.append(i + 1 + int(np.flatnonzero(fine)[-1]) if fine.any() else i + 1)
    return xs[kept]


def _bound(problem: Problem, xs: Array) -> float:
    """A length that no path from the start of a path to its end, or to any goal of the problem, undercuts."""
    if isinstance(problem.goal, Space):
        return 0.0
    return float(Floor(problem)(xs[0], np.concatenate((problem.goals(), xs[-1:]))).min())


def _lengths(problem: Problem, xs: Array) -> Array:
    return problem.distance(xs[:-1], xs[1:])
