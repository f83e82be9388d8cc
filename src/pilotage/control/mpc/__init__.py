"""Linear model predictive control, and the quadratic programs that it solves."""

from __future__ import annotations

from .linear_mpc import LinearMPC as LinearMPC
from .program import QPSolution as QPSolution
from .program import QPStatus as QPStatus
from .program import QuadraticProgram as QuadraticProgram
from .tube_mpc import TubeMPC as TubeMPC

__all__ = ["LinearMPC", "QPSolution", "QPStatus", "QuadraticProgram", "TubeMPC"]
