"""Smoothing and mapping: variables on any spaces and the readings between them, as one least-squares problem.

- `FactorGraph`, `Variables`, `Factors`: the unknowns and the readings
- `GaussNewton`, `Solution`, `SolveStatus`: the solver, and its solution or the reason why there is none
- `pose_graph`: the factor graph of a g2o file
- `chordal`, `spanning_tree`: initial guesses of the poses
- `OdometryModel`, `calibrate_odometry`: the errors of wheels
- `matching`, `closures`, `scans`, `scores`: scan matching, loop closures, SLAM from scans, and scores
"""

from __future__ import annotations

from .factors import FactorGraph as FactorGraph
from .factors import Factors as Factors
from .factors import Variables as Variables
from .gauss_newton import GaussNewton as GaussNewton
from .gauss_newton import Solution as Solution
from .gauss_newton import SolveStatus as SolveStatus
from .initial import chordal as chordal
from .initial import spanning_tree as spanning_tree
from .odometry import OdometryModel as OdometryModel
from .odometry import calibrate_odometry as calibrate_odometry
from .pose_graph import pose_graph as pose_graph

__all__ = [
    "FactorGraph",
    "Factors",
    "GaussNewton",
    "OdometryModel",
    "Solution",
    "SolveStatus",
    "Variables",
    "calibrate_odometry",
    "chordal",
    "pose_graph",
    "spanning_tree",
]
