"""PRM*: a roadmap whose paths become shortest ones."""

from __future__ import annotations

import math
from typing import ClassVar

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, Positive, settings
from ...core.streams import Rng
from ..steering._curves import Curve
from . import roadmap as maps
from ._draws import Sequence
from .roadmap import Roadmap


@settings
class PRMStar:
    """PRM*: a `PRM` with as many neighbours as shortest paths need.

    ::

        k = ceil(factor e (1 + 1/d) log(size))        d: dimension of the space

    The cost of its paths tends to the minimum as its size grows, if the factor is above 1.

    Attributes:
        size: number of states.
        factor: factor of k.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        steering: `Dubins` or `ReedsShepp` for vehicles with a turning radius; None: `Space.interpolate`.

    Source: S. Karaman, E. Frazzoli, Sampling-based algorithms for optimal motion planning, IJRR 2011, algorithm 4.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> round(PRMStar(size=2000).plan(problem, rng=0).cost, 1)
        6.3
    """

    checks: ClassVar[bool] = True

    size: Count = 1000
    factor: Positive = 1.1
    samples: Sequence = "uniform"
    steering: Curve | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path through the space of a problem; see `PRM.plan`."""
        return maps.planned(self, problem, rng, budget)

    def roadmap(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Roadmap:
        """A roadmap for many queries; see `PRM.roadmap`."""
        return maps.roadmap(self, problem, rng, budget)

    def near(self, problem: Problem) -> int:
        """The number of neighbours."""
        return max(math.ceil(self.factor * math.e * (1.0 + 1.0 / problem.space.dim) * math.log(self.size)), 1)
