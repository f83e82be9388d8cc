"""Problems whose states are poses in SE(2), as curves and cars need them."""

from __future__ import annotations

from dataclasses import replace

from pilotage.core.problem import Problem
from pilotage.core.settings import shown
from pilotage.core.space import Space
from pilotage.maps import FootprintConstraint

from ._curves import POSE


def in_se2(space: Space) -> bool:
    """Whether states are poses in SE(2), with the increments of `POSE`."""
    part = space.parts[0]
    return len(space.parts) == 1 and part.same_kind(POSE.parts[0]) and part.side == POSE.parts[0].side


def as_poses(problem: Problem) -> Problem:
    """The problem of a robot on a map with the same x, y and yaw as poses in SE(2); any other one as it is."""
    constraint = problem.constraint
    if problem.space.names != ("x", "y", "yaw") or not isinstance(constraint, FootprintConstraint):
        return problem
    space = _posed(problem.space)
    goal = _posed(problem.goal) if isinstance(problem.goal, Space) else problem.goal
    return replace(problem, space=space, goal=goal, constraint=replace(constraint, space=space))


def _posed(space: Space) -> Space:
    """SE(2) with the bounds of x and y."""
    return POSE.bounded({f"pose.{name}": (float(space.low[i]), float(space.high[i])) for i, name in enumerate("xy")})


def refusal(problem: Problem) -> str:
    """The sentence that tells what is needed in place of a problem that is not in SE(2)."""
    return (
        f"poses in SE(2), not states of {shown(problem.space)}; write grid.problem(start, goal, footprint, "
        'space=Space("pose: SE2")), with poses (x, y, yaw) as start and goal'
    )
