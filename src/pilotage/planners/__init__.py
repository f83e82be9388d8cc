"""Planners: a path from a start to a goal, or the reason why there is none.

- `search`: paths on grids and graphs (`AStar`, `JumpPointSearch`, `ThetaStar` and others), of vehicles (`HybridAStar`,
  `StateLattice`) and among moving obstacles (`SpaceTimeAStar`), the cost to go, exploration by frontiers, benchmark
  scenarios
- `sampling`: paths through any space, found with random samples (`RRTConnect`, `RRTStar`, `BITStar`, `PRM`), and paths
  that a model drives (`KinodynamicRRT`, `SST`)
- `steering`: curves of vehicles with a turning radius (`Dubins`, `ReedsShepp`), motions of least jerk (`Polynomial`)
- `frenet`: trajectories along a road among moving obstacles, the best of many candidates (`FrenetPlanner`)
- `smoothing`: shorter paths (`Shortcut`), smooth ones in a corridor free of obstacles (`CorridorSmoother`), the
  times along them (`TimeParameterization`), and the fastest line around a race track (`RacingLine`)
- `uncertainty`: plans whose risk of a collision is bounded (`chance_constrained`, `collision_risk`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .frenet import FrenetPlanner as FrenetPlanner
from .frenet import ReferenceLine as ReferenceLine
from .sampling import PRM as PRM
from .sampling import RRT as RRT
from .sampling import SST as SST
from .sampling import BITStar as BITStar
from .sampling import InformedRRTStar as InformedRRTStar
from .sampling import KinodynamicRRT as KinodynamicRRT
from .sampling import LazyPRM as LazyPRM
from .sampling import PRMStar as PRMStar
from .sampling import Roadmap as Roadmap
from .sampling import RRTConnect as RRTConnect
from .sampling import RRTStar as RRTStar
from .search import ARAStar as ARAStar
from .search import AStar as AStar
from .search import Bidirectional as Bidirectional
from .search import BreadthFirst as BreadthFirst
from .search import DepthFirst as DepthFirst
from .search import Dijkstra as Dijkstra
from .search import DStarLite as DStarLite
from .search import EdgeGraph as EdgeGraph
from .search import Frontier as Frontier
from .search import FrontierExploration as FrontierExploration
from .search import Graph as Graph
from .search import GreedyBestFirst as GreedyBestFirst
from .search import HybridAStar as HybridAStar
from .search import JumpPointSearch as JumpPointSearch
from .search import LazyThetaStar as LazyThetaStar
from .search import MovingObstacle as MovingObstacle
from .search import Replanner as Replanner
from .search import ScenarioReport as ScenarioReport
from .search import SpaceTimeAStar as SpaceTimeAStar
from .search import StateLattice as StateLattice
from .search import ThetaStar as ThetaStar
from .search import cost_to_go as cost_to_go
from .search import frontiers as frontiers
from .search import solve_scenario as solve_scenario
from .smoothing import Corridor as Corridor
from .smoothing import CorridorSmoother as CorridorSmoother
from .smoothing import RacingLine as RacingLine
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
    "PRM",
    "RRT",
    "SST",
    "ARAStar",
    "AStar",
    "BITStar",
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
    "FrenetPlanner",
    "Frontier",
    "FrontierExploration",
    "Graph",
    "GreedyBestFirst",
    "HybridAStar",
    "InformedRRTStar",
    "JumpPointSearch",
    "KinodynamicRRT",
    "LazyPRM",
    "LazyThetaStar",
    "MovingObstacle",
    "PRMStar",
    "Polynomial",
    "PredictedTrack",
    "RRTConnect",
    "RRTStar",
    "RacingLine",
    "ReedsShepp",
    "ReferenceLine",
    "Replanner",
    "Roadmap",
    "ScenarioReport",
    "Shortcut",
    "SpaceTimeAStar",
    "StateLattice",
    "ThetaStar",
    "TimeParameterization",
    "best_durations",
    "chance_constrained",
    "collision_risk",
    "cost_to_go",
    "frontiers",
    "predicted_covariances",
    "solve_scenario",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
