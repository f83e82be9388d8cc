"""Informed RRT*: RRT* that draws only samples which can improve its path."""

from __future__ import annotations

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import settings
from ...core.streams import Rng
from .rrt_star import RRTStar, planned


@settings
class InformedRRTStar(RRTStar):
    """Informed RRT*: once a path of cost c is known, `RRTStar` with samples from the set that can improve it.

    ::

        X_f = {x: floor(start, x) + floor(x, goal) < c}

    The floor is a lower bound of the cost of any path. In R^n with one goal, X_f is an ellipsoid, from which samples
    are drawn directly; elsewhere samples outside X_f are rejected. On angles, and on positions and rotations of poses,
    the floor is the shortest way without obstacles. Until there is a path, the planner is `RRTStar`.

    Attributes are those of `RRTStar`.

    Source: J. Gammell, S. Srinivasa, T. Barfoot, Informed RRT*: optimal sampling-based path planning focused via direct
    sampling of an admissible ellipsoidal heuristic, IROS 2014.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> plan = InformedRRTStar(iterations=3000).plan(problem, rng=0)
        >>> round(plan.cost, 1), plan.lower_bound
        (6.3, 6.0)
    """

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a short path through the space of a problem; see `RRTStar.plan`."""
        return planned(self, problem, rng, budget, informed=True)
