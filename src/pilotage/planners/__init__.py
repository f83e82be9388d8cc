"""From a start to a goal: a path, or the reason why there is none.

- `search`: shortest paths on grids (`AStar`, `Dijkstra`), the cost to go, benchmark scenarios
"""

from __future__ import annotations

from .search import AStar as AStar
from .search import Dijkstra as Dijkstra
from .search import ScenarioReport as ScenarioReport
from .search import cost_to_go as cost_to_go
from .search import solve_scenario as solve_scenario

__all__ = ["AStar", "Dijkstra", "ScenarioReport", "cost_to_go", "solve_scenario"]
