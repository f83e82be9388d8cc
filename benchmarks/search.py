"""Shortest paths on the maps of MovingAI."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.io import Scenario, find_movingai_map, read_movingai_scenarios
from pilotage.maps import OccupancyGrid
from pilotage.planners import AStar

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "movingai"
EVERY, EVERY_QUICK = 40, 200


@dataclass(frozen=True)
class Round:
    """A map and queries on it, in the terms of either side."""

    grid: OccupancyGrid
    weights: Any
    queries: list[Scenario]

    def ends(self, query: Scenario) -> tuple[Any, Any]:
        """Start and goal in the world; files count rows from the top."""
        cells = [(self.grid.shape[0] - 1 - y, x) for x, y in (query.start, query.goal)]
        start, goal = self.grid.cell_to_world(cells)
        return start, goal


@row(
    "astar",
    peer="pyastar2d",
    bar=1.0,
    unit="ms",
    needs=["pyastar2d"],
    note="a query; MovingAI maps of every kind; true octile metric, while the peer (C++) charges diagonals as straight",
)
def astar(quick: bool) -> Contest:
    import pyastar2d  # pyright: ignore[reportMissingImports]

    rounds = [load(file, EVERY_QUICK if quick else EVERY) for file in scenario_files()]
    ready = [(r, [r.ends(query) for query in r.queries]) for r in rounds]
    planner, count = AStar(), sum(len(r.queries) for r in rounds)

    def ours() -> list[Any]:
        return [planner.plan(r.grid, start, goal) for r, ends in ready for start, goal in ends]

    def peer() -> None:
        for r in rounds:
            for query in r.queries:
                (sx, sy), (gx, gy) = query.start, query.goal
                pyastar2d.astar_path(r.weights, (sy, sx), (gy, gx), allow_diagonal=True)

    def check() -> str:
        optima = [query.optimal_length for r in rounds for query in r.queries]
        plans = ours()
        worst = max(abs(plan.cost - optimum) for plan, optimum in zip(plans, optima, strict=True))
        assert worst < 0.01, f"a path differs from the published optimum by {worst:.3f}"
        rate = sum(plan.stats["expansions"] for plan in plans) / sum(plan.stats["seconds"] for plan in plans)
        return f"all {count} on {len(rounds)} maps as published; {rate / 1e6:.1f} million expansions/s"

    return Contest(ours, peer, check, work=count)


def scenario_files() -> list[Path]:
    """The scenario files for single robots.

    Raises:
        FileNotFoundError: when the data is not there.
    """
    files = sorted(file for file in DATA.glob("*/*.scen*") if file.parent.name != "mapf")
    if not files:
        raise FileNotFoundError(f"no MovingAI scenarios in {DATA}; set PILOTAGE_DATA")
    return files


def load(file: Path, every: int) -> Round:
    grid = OccupancyGrid.load(find_movingai_map(file))
    weights = np.where(grid.occupied[::-1], np.inf, 1.0).astype(np.float32)
    return Round(grid, weights, read_movingai_scenarios(file)[::every])
