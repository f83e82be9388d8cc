"""PRM: a roadmap of random states, each connected to a fixed number of neighbours."""

from __future__ import annotations

from typing import ClassVar

from ...core.plan import Plan
from ...core.problem import Problem
from ...core.settings import Count, settings
from ...core.streams import Rng
from ..steering._curves import Curve
from . import roadmap as maps
from ._draws import Sequence
from .roadmap import Roadmap


@settings
class PRM:
    """A probabilistic roadmap: allowed samples of any space, each connected to its k nearest by allowed ways.

    ::

        V = size allowed samples
        E = {(v, w): w is one of the k nearest of v, or the reverse, and the way is allowed}

    `roadmap` makes the `Roadmap` once, for many queries; `plan` makes one for a single query.

    Attributes:
        size: number of states.
        neighbours: number k of neighbours.
        samples: "uniform" random samples, or a "halton" sequence with a random shift.
        steering: `Dubins` or `ReedsShepp` for vehicles with a turning radius; None: `Space.interpolate`.

    Source: L. Kavraki, P. Svestka, J.-C. Latombe, M. Overmars, Probabilistic roadmaps for path planning in
    high-dimensional configuration spaces, 1996; S. Karaman, E. Frazzoli, Sampling-based algorithms for optimal motion
    planning, IJRR 2011, algorithm 2 (k-nearest sPRM).

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> plan = PRM(size=300).plan(problem, rng=0)
        >>> plan.ok, bool(problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all())
        (True, True)
    """

    checks: ClassVar[bool] = True

    size: Count = 1000
    neighbours: Count = 10
    samples: Sequence = "uniform"
    steering: Curve | None = None

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path through the space of a problem.

        Args:
            problem: the problem. All real components of its space need bounds; a map provides them.
            rng: seed or generator.
            budget: maximum planning time [s].

        Returns:
            A shortest path on the roadmap, in a plan as that of `Roadmap.plan`.

        Raises:
            PilotageError: if `problem` is not a `Problem`, has no bounds to draw samples from, or is not one in SE(2)
                although there is a steering curve.
        """
        return maps.planned(self, problem, rng, budget)

    def roadmap(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Roadmap:
        """A roadmap for all queries with the space and the constraint of a problem.

        Args:
            problem: the problem; its start and goal do not matter.
            rng: seed or generator.
            budget: maximum time [s]; the roadmap is smaller if it is too short.
        """
        return maps.roadmap(self, problem, rng, budget)

    def near(self, problem: Problem) -> int:
        """The number of neighbours."""
        return self.neighbours
