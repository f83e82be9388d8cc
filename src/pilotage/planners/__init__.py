"""Planners: a path from a start to a goal, or the reason why there is none.

- `search`: paths on grids and graphs (`AStar`, `JumpPointSearch`, `ThetaStar` and others), the cost to go, benchmark
  scenarios
- `sampling`: paths through any space, found with random samples (`RRTConnect`)
- `steering`: curves of vehicles with a turning radius (`Dubins`, `ReedsShepp`), motions of least jerk (`Polynomial`)
- `smoothing`: shorter paths (`Shortcut`), smooth ones in a corridor free of obstacles (`CorridorSmoother`),
  and the times along them (`TimeParameterization`)
- `uncertainty`: plans whose risk of a collision is bounded (`chance_constrained`, `collision_risk`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .sampling import RRTConnect as RRTConnect
from .search import ARAStar as ARAStar
from .search import AStar as AStar
from .search import Bidirectional as Bidirectional
from .search import BreadthFirst as BreadthFirst
from .search import DepthFirst as DepthFirst
from .search import Dijkstra as Dijkstra
from .search import DStarLite as DStarLite
from .search import EdgeGraph as EdgeGraph
from .search import Graph as Graph
from .search import GreedyBestFirst as GreedyBestFirst
from .search import JumpPointSearch as JumpPointSearch
from .search import LazyThetaStar as LazyThetaStar
from .search import Replanner as Replanner
from .search import ScenarioReport as ScenarioReport
from .search import ThetaStar as ThetaStar
from .search import cost_to_go as cost_to_go
from .search import solve_scenario as solve_scenario
from .smoothing import Corridor as Corridor
from .smoothing import CorridorSmoother as CorridorSmoother
from .smoothing import Shortcut as Shortcut
from .smoothing import TimeParameterization as TimeParameterization
from .steering import Dubins as Dubins
from .steering import Polynomial as Polynomial
from .steering import ReedsShepp as ReedsShepp
from .steering import best_durations as best_durations
from .uncertainty import ChanceConstraint as ChanceConstraint
from .uncertainty import PredictedTrack as PredictedTrack
from .uncertainty import chance_constrained as chance_constrained
from .uncertainty import collision_risk as collision_risk
from .uncertainty import predicted_covariances as predicted_covariances

__all__ = [
    "ARAStar",
    "AStar",
    "Bidirectional",
    "BreadthFirst",
    "ChanceConstraint",
    "Corridor",
    "CorridorSmoother",
    "DStarLite",
    "DepthFirst",
    "Dijkstra",
    "Dubins",
    "EdgeGraph",
    "Graph",
    "GreedyBestFirst",
    "JumpPointSearch",
    "LazyThetaStar",
    "Polynomial",
    "PredictedTrack",
    "RRTConnect",
    "ReedsShepp",
    "Replanner",
    "ScenarioReport",
    "Shortcut",
    "ThetaStar",
    "TimeParameterization",
    "best_durations",
    "chance_constrained",
    "collision_risk",
    "cost_to_go",
    "predicted_covariances",
    "solve_scenario",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
