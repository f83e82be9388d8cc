"""Benchmark scenarios: solves the queries of a file and compares the results with the published optima."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pilotage.core.errors import FormatError
from pilotage.core.plan import Plan, PlanStatus
from pilotage.core.settings import positive, whole
from pilotage.io import Scenario, find_movingai_map, read_movingai_scenarios
from pilotage.maps import OccupancyGrid

from .astar import AStar


@dataclass(frozen=True)
class Mismatch:
    """A query whose cost differs from the published optimum.

    Attributes:
        number: index of the query in the file, from 0.
        scenario: the query.
        plan: the plan that the planner returned.

    Example:
        >>> from pilotage.core import PlanStatus
        >>> query = Scenario("arena.map", 49, 49, start=(1, 11), goal=(1, 12), optimal_length=1.0)
        >>> print(Mismatch(3, query, Plan(PlanStatus.NO_PATH, reason="the goal is in another component")).plan)
        no path: the goal is in another component
    """

    number: int
    scenario: Scenario
    plan: Plan


@dataclass(frozen=True)
class ScenarioReport:
    """The results of a planner on a scenario file.

    Attributes:
        instances: number of queries.
        mismatches: queries whose cost differs from the published optimum by more than the tolerance, without a path, or
            with a path where none was published.
        expansions: total number of cells expanded.
        seconds: planning time, without reading files.

    Example:
        >>> ScenarioReport(instances=100, mismatches=(), expansions=40_000, seconds=0.01).expansions_per_second
        4000000.0
    """

    instances: int
    mismatches: tuple[Mismatch, ...]
    expansions: int
    seconds: float

    @property
    def expansions_per_second(self) -> float:
        """Number of cells expanded per second."""
        return self.expansions / self.seconds if self.seconds > 0 else 0.0


def solve_scenario(
    path: str | os.PathLike[str],
    planner: Any = None,
    *,
    map_path: str | os.PathLike[str] | None = None,
    tolerance: float = 0.01,
    every: int = 1,
) -> ScenarioReport:
    """Solve the queries of a MovingAI `.scen[.gz]` file and compare each cost with the published optimum.

    Args:
        path: the scenario file.
        planner: any planner for grids; default `AStar()`.
        map_path: the map file; default: the one that belongs to the scenario.
        tolerance: largest difference of cost that counts as equal [cells].
        every: solve only every n-th query; at least 1.

    Raises:
        FormatError: if a file is malformed, or the map is missing or does not have the size that the scenarios state.
        ShapeError: if `every` or `tolerance` is out of range.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "hall.map").write_text("type octile\\nheight 1\\nwidth 3\\nmap\\n...\\n")
        >>> _ = (folder / "hall.map.scen").write_text("version 1\\n0 hall.map 3 1 0 0 2 0 2.0\\n")
        >>> report = solve_scenario(folder / "hall.map.scen")
        >>> report.instances, report.mismatches
        (1, ())
    """
    every, tolerance = whole(every, "every"), positive(tolerance, "tolerance", zero=True)
    scenarios = read_movingai_scenarios(path)[::every]
    grid = OccupancyGrid.load(find_movingai_map(path) if map_path is None else map_path)
    planner = AStar() if planner is None else planner
    mismatches: list[Mismatch] = []
    expansions, seconds = 0, 0.0
    for number, scenario in enumerate(scenarios):
        _check_size(scenario, grid, path)
        start, goal = (_world(cell, grid) for cell in (scenario.start, scenario.goal))
        began = time.perf_counter()
        plan = planner.plan(grid, start, goal)
        seconds += time.perf_counter() - began
        expansions += int(plan.stats.get("expansions", 0))
        if not _agrees(plan, scenario, tolerance):
            mismatches.append(Mismatch(number * every, scenario, plan))
    return ScenarioReport(len(scenarios), tuple(mismatches), expansions, seconds)


def _agrees(plan: Plan, scenario: Scenario, tolerance: float) -> bool:
    """Whether a plan is as long as the published one, or there is no path where none was published."""
    if not scenario.solvable:
        return plan.status in (PlanStatus.NO_PATH, PlanStatus.INVALID)  # in pieces of the map, or in a wall
    return abs(plan.cost - scenario.optimal_length) <= tolerance


def _world(cell: tuple[int, int], grid: OccupancyGrid) -> np.ndarray[Any, np.dtype[np.float64]]:
    """World point of a cell (x, y) counted from the top, as scenario files do."""
    return grid.cell_to_world((grid.shape[0] - 1 - cell[1], cell[0]))


def _check_size(scenario: Scenario, grid: OccupancyGrid, path: str | os.PathLike[str]) -> None:
    if (scenario.height, scenario.width) != grid.shape:
        raise FormatError(
            f"{path}: made for a map of {scenario.width} x {scenario.height} cells, "
            f"but its map has {grid.shape[1]} x {grid.shape[0]}"
        )
