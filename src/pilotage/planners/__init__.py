"""Planners: a path from a start to a goal, or the reason why there is none.

- `search`: shortest paths on grids (`AStar`, `Dijkstra`), the cost to go, benchmark scenarios
- `sampling`: paths through any space, found with random samples (`RRTConnect`)
- `steering`: curves of vehicles with a turning radius (`Dubins`, `ReedsShepp`)
- `smoothing`: shorter paths (`Shortcut`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .sampling import RRTConnect as RRTConnect
from .search import AStar as AStar
from .search import Dijkstra as Dijkstra
from .search import ScenarioReport as ScenarioReport
from .search import cost_to_go as cost_to_go
from .search import solve_scenario as solve_scenario
from .smoothing import Shortcut as Shortcut
from .steering import Dubins as Dubins
from .steering import ReedsShepp as ReedsShepp

__all__ = [
    "AStar", "Dijkstra", "Dubins", "RRTConnect", "ReedsShepp", "ScenarioReport", "Shortcut", "cost_to_go",
    "solve_scenario",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
