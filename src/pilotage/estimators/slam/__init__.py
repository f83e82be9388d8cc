"""Smoothing and mapping: variables on any spaces and the readings between them, as one least-squares problem.

- `FactorGraph`, `Variables`, `Factors`: the unknowns and the readings
- `GaussNewton`, `LevenbergMarquardt`, `Dogleg`: solvers; `Solution`, `SolveStatus`: a solution, or why there is none
- `Huber`, `Cauchy`, `Tukey`, `GemanMcClure`, `DynamicCovarianceScaling`, `TruncatedSquare`: robust kernels
- `GraduatedNonConvexity`, `false_closures`: graphs with many outliers
- `IncrementalSmoother`: graphs that grow while a robot drives, and fixed-lag smoothing
- `pose_graph`, `closing_edges`: the factor graph of a g2o file, and which of its edges close loops
- `chordal`, `spanning_tree`: initial guesses of the poses
- `certificate`, `Certificate`: how far poses may be from the global optimum
- `OdometryModel`, `calibrate_odometry`: the errors of wheels
- `matching`, `closures`, `scans`, `scores`: scan matching, loop closures, SLAM from scans, and scores
- `particles`: SLAM by particles
- `landmarks`: SLAM by landmarks, with a filter
- `vision`: visual odometry and bundle adjustment from tracked features
"""

from __future__ import annotations

from .certificate import Certificate as Certificate
from .certificate import certificate as certificate
from .chordal import chordal as chordal
from .dogleg import Dogleg as Dogleg
from .factors import FactorGraph as FactorGraph
from .factors import Factors as Factors
from .factors import Variables as Variables
from .false_closures import false_closures as false_closures
from .gauss_newton import GaussNewton as GaussNewton
from .graduated import GraduatedNonConvexity as GraduatedNonConvexity
from .incremental import IncrementalSmoother as IncrementalSmoother
from .kernels import Cauchy as Cauchy
from .kernels import DynamicCovarianceScaling as DynamicCovarianceScaling
from .kernels import GemanMcClure as GemanMcClure
from .kernels import Huber as Huber
from .kernels import RobustKernel as RobustKernel
from .kernels import TruncatedSquare as TruncatedSquare
from .kernels import Tukey as Tukey
from .levenberg_marquardt import LevenbergMarquardt as LevenbergMarquardt
from .odometry import OdometryModel as OdometryModel
from .odometry import calibrate_odometry as calibrate_odometry
from .pose_graph import closing_edges as closing_edges
from .pose_graph import pose_graph as pose_graph
from .solution import Solution as Solution
from .solution import SolveStatus as SolveStatus
from .solver import GraphSolver as GraphSolver
from .spanning_tree import spanning_tree as spanning_tree

__all__ = [
    "Cauchy",
    "Certificate",
    "Dogleg",
    "DynamicCovarianceScaling",
    "FactorGraph",
    "Factors",
    "GaussNewton",
    "GemanMcClure",
    "GraduatedNonConvexity",
    "GraphSolver",
    "Huber",
    "IncrementalSmoother",
    "LevenbergMarquardt",
    "OdometryModel",
    "RobustKernel",
    "Solution",
    "SolveStatus",
    "TruncatedSquare",
    "Tukey",
    "Variables",
    "calibrate_odometry",
    "certificate",
    "chordal",
    "closing_edges",
    "false_closures",
    "pose_graph",
    "spanning_tree",
]
