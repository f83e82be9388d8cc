"""Search on grids, graphs and over motions of vehicles: `AStar`, `HybridAStar` and others; benchmark scenarios."""

from __future__ import annotations

from ...core.moving import MovingObstacle as MovingObstacle
from .anytime import ARAStar as ARAStar
from .astar import AStar as AStar
from .bidirectional import Bidirectional as Bidirectional
from .breadth_first import BreadthFirst as BreadthFirst
from .depth_first import DepthFirst as DepthFirst
from .dijkstra import Dijkstra as Dijkstra
from .dstar_lite import DStarLite as DStarLite
from .exploration import Frontier as Frontier
from .exploration import FrontierExploration as FrontierExploration
from .exploration import frontiers as frontiers
from .field import cost_to_go as cost_to_go
from .graph import EdgeGraph as EdgeGraph
from .graph import Graph as Graph
from .greedy import GreedyBestFirst as GreedyBestFirst
from .hybrid_astar import HybridAStar as HybridAStar
from .jump_point import JumpPointSearch as JumpPointSearch
from .replanner import Replanner as Replanner
from .scenario import Mismatch as Mismatch
from .scenario import ScenarioReport as ScenarioReport
from .scenario import solve_scenario as solve_scenario
from .space_time import SpaceTimeAStar as SpaceTimeAStar
from .state_lattice import Primitive as Primitive
from .state_lattice import StateLattice as StateLattice
from .theta_star import LazyThetaStar as LazyThetaStar
from .theta_star import ThetaStar as ThetaStar

__all__ = [
    "ARAStar",
    "AStar",
    "Bidirectional",
    "BreadthFirst",
    "DStarLite",
    "DepthFirst",
    "Dijkstra",
    "EdgeGraph",
    "Frontier",
    "FrontierExploration",
    "Graph",
    "GreedyBestFirst",
    "HybridAStar",
    "JumpPointSearch",
    "LazyThetaStar",
    "Mismatch",
    "MovingObstacle",
    "Primitive",
    "Replanner",
    "ScenarioReport",
    "SpaceTimeAStar",
    "StateLattice",
    "ThetaStar",
    "cost_to_go",
    "frontiers",
    "solve_scenario",
]
