"""Smoothing and mapping: variables on any spaces, tied by readings, as one least-squares problem.

- `FactorGraph`, `Variables`, `Factors`: what is unknown, and what was read
- `GaussNewton`, `Solution`, `SolveStatus`: its solution, or why there is none
- `pose_graph`: the graph of a g2o file
- `chordal`, `spanning_tree`: a first guess of its poses
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
from .pose_graph import pose_graph as pose_graph

__all__ = [
    "FactorGraph",
    "Factors",
    "GaussNewton",
    "Solution",
    "SolveStatus",
    "Variables",
    "chordal",
    "pose_graph",
    "spanning_tree",
]
