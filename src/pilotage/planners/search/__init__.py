"""Search on grids: `AStar` and `Dijkstra`, the cost to go to a goal, and benchmark scenarios."""

from __future__ import annotations

from .astar import AStar as AStar
from .dijkstra import Dijkstra as Dijkstra
from .field import cost_to_go as cost_to_go
from .jump_point import JumpPointSearch as JumpPointSearch
from .scenario import Mismatch as Mismatch
from .scenario import ScenarioReport as ScenarioReport
from .scenario import solve_scenario as solve_scenario

__all__ = ["AStar", "Dijkstra", "JumpPointSearch", "Mismatch", "ScenarioReport", "cost_to_go", "solve_scenario"]
