"""Search on grids: `AStar` and `Dijkstra`, the cost to go to a goal, and benchmark scenarios."""

from __future__ import annotations

from .field import cost_to_go as cost_to_go
from .grid import AStar as AStar
from .grid import Dijkstra as Dijkstra
from .scenario import Mismatch as Mismatch
from .scenario import ScenarioReport as ScenarioReport
from .scenario import solve_scenario as solve_scenario

__all__ = ["AStar", "Dijkstra", "Mismatch", "ScenarioReport", "cost_to_go", "solve_scenario"]
