"""Smoothing and mapping: variables on any spaces and the readings between them, as one least-squares problem.

- `FactorGraph`, `Variables`, `Factors`: the unknowns and the readings
- `GaussNewton`, `LevenbergMarquardt`, `Dogleg`: solvers; `Solution`, `SolveStatus`: a solution, or why there is none
- `Huber`, `Cauchy`, `Tukey`, `GemanMcClure`, `DynamicCovarianceScaling`, `TruncatedSquare`: robust kernels
- `pose_graph`: the factor graph of a g2o file
- `chordal`, `spanning_tree`: initial guesses of the poses
"""

from __future__ import annotations

from .dogleg import Dogleg as Dogleg
from .factors import FactorGraph as FactorGraph
from .factors import Factors as Factors
from .factors import Variables as Variables
from .gauss_newton import GaussNewton as GaussNewton
from .initial import chordal as chordal
from .initial import spanning_tree as spanning_tree
from .kernels import Cauchy as Cauchy
from .kernels import DynamicCovarianceScaling as DynamicCovarianceScaling
from .kernels import GemanMcClure as GemanMcClure
from .kernels import Huber as Huber
from .kernels import RobustKernel as RobustKernel
from .kernels import TruncatedSquare as TruncatedSquare
from .kernels import Tukey as Tukey
from .levenberg_marquardt import LevenbergMarquardt as LevenbergMarquardt
from .pose_graph import pose_graph as pose_graph
from .solution import Solution as Solution
from .solution import SolveStatus as SolveStatus
from .solver import GraphSolver as GraphSolver

__all__ = [
    "Cauchy",
    "Dogleg",
    "DynamicCovarianceScaling",
    "FactorGraph",
    "Factors",
    "GaussNewton",
    "GemanMcClure",
    "GraphSolver",
    "Huber",
    "LevenbergMarquardt",
    "RobustKernel",
    "Solution",
    "SolveStatus",
    "TruncatedSquare",
    "Tukey",
    "Variables",
    "chordal",
    "pose_graph",
    "spanning_tree",
]
