"""Lazy PRM: a roadmap whose ways are checked when a shortest path uses them."""

from __future__ import annotations

from typing import ClassVar

from ...core.settings import settings
from .prm_star import PRMStar


@settings
class LazyPRM(PRMStar):
    """Lazy PRM: the roadmap of `PRMStar` without checks of its ways, for constraints that are expensive.

    ::

        repeat  search a shortest path among the ways that are not known to be blocked
                check its ways from the goal back; at a blocked one, search again
        until   all ways of the path are allowed

    The path is the same as that of `PRMStar`. What is known of the ways is kept for later queries.

    Attributes are those of `PRMStar`.

    Source: R. Bohlin, L. Kavraki, Path planning using lazy PRM, ICRA 2000.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> problem = OccupancyGrid.from_ascii(["........", "...##...", "........"]).problem([1, 1.5], [7, 1.5])
        >>> lazy, full = (planner(size=300).plan(problem, rng=0) for planner in (LazyPRM, PRMStar))
        >>> lazy.cost == full.cost, lazy.stats["checks"] < 0.5 * full.stats["checks"]
        (True, True)
    """

    checks: ClassVar[bool] = False
