"""The base of planners that search the motions of a vehicle; subclasses give the motions and the cells."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PilotageError, counted
from ...core.plan import Budget, Plan, PlanStatus
from ...core.problem import Problem
from ...core.settings import setting
from ...core.space import Space
from ...core.streams import Rng, seeded
from ..sampling._problem import compiled
from ..sampling.rrt_connect import _in_se2  # pyright: ignore[reportPrivateUsage]
from ..steering._curves import Curve, driven
from ._on_cells import stats_of
from ._pose_field import Field
from ._pose_kernel import search
from ._pose_tree import Motions, Search

Array = NDArray[np.float64]


class PosePlanner(ABC):
    """A planner over the motions of a vehicle."""

    if TYPE_CHECKING:
        steering: Curve
        reverse: float
        cusp: float
        bend: float
        weight: float

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """Plan a path that a vehicle can drive.

        Args:
            problem: the problem; from a map, ``grid.problem(start, goal, footprint, space=Space("pose: SE2"))``.
            rng: seed or generator, for goals that are regions, from which states are drawn.
            budget: maximum planning time [s].

        Returns:
            A plan whose `xs` ``(T+1, n)`` lead from the start to a goal. Along a curve, its controls `us` ``(T, 2)`` are
            speed (1 m/s, or -1 in reverse) and yaw rate of a unicycle, and `ts` the times; with a model, they are its
            actions. `stats` contains ``expansions``, ``seconds``, ``expansions_per_second``, ``nodes`` and ``cusps``.

        Raises:
            PilotageError: if the problem is not one of poses in SE(2), or not one of states of the model.
        """
        if not isinstance(problem, Problem):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise PilotageError(
                f"{type(self).__name__} plans for a Problem, not {type(problem).__name__}; "
                "grid.problem(start, goal, footprint, space=Space('pose: SE2')) makes one"
            )
        self._check(problem)
        _ = search.compiled, self.steering.curve.address  # first: a budget is not spent on compiling
        began = time.perf_counter()
        deadline = math.inf if budget is None else began + setting(budget, Budget, "the budget")
        stream, seed = seeded(rng)
        goals = problem.goals(rng=stream)
        fine = goals[problem.allowed(goals)]
        reason = problem.explain(problem.start, "start")
        reason = reason or ("" if len(fine) else problem.explain(goals[0], "goal"))
        if reason:
            return Plan(PlanStatus.INVALID, reason=reason, stats=stats_of(0, began), seed=seed)
        pose = [problem.space.find(name, type(self).__name__) for name in ("x", "y", "yaw")]
        bound = 0.0 if isinstance(problem.goal, Space) else self._bound(problem, fine, pose)
        field = Field.of(problem, fine, pose)
        if reason := field.separation(problem.start[pose[:2]], fine[0, pose[:2]]):
            stats = stats_of(0, began)
            return Plan(PlanStatus.NO_PATH, lower_bound=math.inf, reason=reason, stats=stats, seed=seed)
        found = self._search(problem, fine, pose, field)
        finished = found.run(deadline)
        stats = stats_of(found.expansions, began) | {"nodes": found.count}
        if not found.found:
            status = PlanStatus.NO_PATH if finished else PlanStatus.BUDGET
            reason = _reason(self, found, finished)
            return Plan(status, lower_bound=bound, reason=reason, stats=stats, seed=seed)
        xs, us, ts = self._driven(problem, found, fine)
        stats["seconds"] = time.perf_counter() - began
        cost = found.cost
        return Plan(PlanStatus.SOLVED, problem.space, xs, us, ts, cost, min(bound, cost), stats=stats, seed=seed)

    def _check(self, problem: Problem) -> None:
        """Refuse problems on other spaces."""
        if not _in_se2(problem):
            raise PilotageError(
                f"{type(self).__name__} plans for poses in SE(2), not states of {problem.space!r}; give the problem the "
                'space Space("pose: SE2")'
            )

    @abstractmethod
    def _motions(self, problem: Problem) -> Motions:
        """The motions of the vehicle."""

    @abstractmethod
    def _cells(self, problem: Problem) -> Array:
        """Middle of cell 0 and cells per unit, for each component of a state ``(2, n)``."""

    @property
    def _span(self) -> float:
        """Length of a motion [m]."""
        return 1.0

    def _bound(self, problem: Problem, goals: Array, pose: list[int]) -> float:
        """A cost that no path can undercut: the length of the curve without obstacles."""
        start = np.tile(problem.start[pose], (len(goals), 1))
        return float(self.steering.distance(start, goals[:, pose]).min())

    def _search(self, problem: Problem, goals: Array, pose: list[int], field: Field) -> Search:
        motions, region = self._motions(problem), problem.goal if isinstance(problem.goal, Space) else None
        curves = _in_se2(problem)
        vehicle = np.array([motions.code.address, *pose, _turn(problem.space, pose[2]), curves], dtype=np.int64)
        rules = np.array([self.reverse, self.cusp, self.bend, self.weight, self._span, *field.frame])
        bounds = np.zeros((0, problem.space.size)) if region is None else np.array([region.low, region.high])
        world = compiled(problem, None, self.steering)
        ends = np.ascontiguousarray(goals[:, pose])
        return Search(world, motions, vehicle, rules, self._cells(problem), field, ends, bounds)

    def _driven(self, problem: Problem, found: Search, goals: Array) -> tuple[Array, Array, Array]:
        """States, controls and times of the best way."""
        nodes, motions = found.chain()
        xs = [nodes[0]]
        for k, motion in enumerate(motions):
            for d in found.motions.actions(motion)[:-1]:
                xs.append(problem.space.plus(xs[-1], d))
            xs.append(nodes[k + 1])
        if found.goal >= 0:
            curve = self.steering.connect(xs[-1], goals[found.goal], spacing=self._span)
            assert curve.xs is not None
            xs.extend(curve.xs[1:])
        return np.array(xs), *driven(problem.space, np.array(xs))


def _turn(space: Space, yaw: int) -> int:
    """The column of the tangent that turns the component `yaw`."""
    return next(t.start + yaw - s.start for _, s, t in space.layout if s.start <= yaw < s.stop)


def _reason(planner: PosePlanner, found: Search, finished: bool) -> str:
    """The reason why there is no path."""
    effort = counted(found.expansions, "expansion")
    if finished:
        return f"no path over the motions of {planner!r} was found; all cells that they reach were searched in {effort}"
    return f"the budget was spent after {effort}; the nearest state to the goal is {found.nearest():.2f} m from it"
