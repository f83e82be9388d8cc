"""`pilotage plan`: a path on a map, or a whole benchmark scenario against its published optima."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pilotage.core.errors import PilotageError, counted
from pilotage.core.plan import Plan
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import AStar, Dijkstra, solve_scenario
from pilotage.planners.search import Mismatch, ScenarioReport

Point = tuple[float, float]
Algorithm = Literal["astar", "dijkstra"]
ALGORITHMS = {"astar": AStar, "dijkstra": Dijkstra}
SHOWN = 5
"""Mismatches listed in text; JSON lists all."""


def plan(
    *,
    map: Path | None = None,
    start: Point | None = None,
    goal: Point | None = None,
    scen: Path | None = None,
    algorithm: Algorithm = "astar",
    radius: float | None = None,
    inflate: float = 0.0,
    resolution: float | None = None,
    json: bool = False,
    out: Path | None = None,
) -> int:
    """Plan a path on a map, or solve a benchmark scenario.

    Args:
        map: A ROS map (.yaml, with its image beside it), such an image alone (.pgm, .png, with --resolution), a
            MovingAI map (.map, .map.gz; cells of 1 m, y upwards), or the name of a stock map (depot, tb3_sandbox,
            turtlebot3_world). With --scen it may be left out when it lies beside the scenario.
        start: Start x and y [m], in the frame of the map.
        goal: Goal x and y [m].
        scen: A MovingAI scenario (.scen, .scen.gz): every instance is solved and compared with its published optimum.
        algorithm: Both find the shortest path; astar expands fewer cells.
        radius: Radius of a round robot [m]: the path is clear of the faces of obstacles, of unknown cells and of the
            edge of the map.
        inflate: Instead, quick and approximate: distance to keep from the centres of occupied cells [m].
        resolution: Side of a pixel [m], of a map that is an image without a yaml file.
        json: Print one JSON object instead of text.
        out: Draw map and path into this image, with axes in metres in the frame of the map.
    """
    if scen is not None:
        if start is not None or goal is not None or out is not None or inflate or radius is not None:
            raise PilotageError(
                "--scen brings its own starts and goals: leave out --start, --goal, --radius, --inflate, --out"
            )
        return _scenario(map, scen, algorithm, json)
    if map is None or start is None or goal is None:
        needed = {"--map FILE": map, "--start X Y": start, "--goal X Y": goal}
        missing = ", ".join(option for option, value in needed.items() if value is None)
        raise PilotageError(f"say where to plan; missing: {missing} (or give --scen FILE)")
    grid = OccupancyGrid.load(map, resolution=resolution)
    if radius is not None and inflate:
        raise PilotageError("--radius and --inflate are two ways to give the size of the robot; give one of them")
    planner = ALGORITHMS[algorithm]()
    if radius is not None:
        found = planner.plan(grid.problem(start, goal, Footprint.disc(radius)))
    else:
        grid = grid.inflate(inflate) if inflate else grid
        found = planner.plan(grid, start=start, goal=goal)
    if out is not None:
        from .picture import save_picture

        save_picture(grid, found.xs, np.array([start, goal]), out)
    facts = _facts(map, algorithm, found)
    print(jsonlib.dumps(facts) if json else _text(facts, out))
    return 0 if found.ok else 1


def _facts(map: Path, algorithm: str, found: Plan) -> dict[str, Any]:
    """The plan as plain values; what is infinite is null, which JSON can say."""
    return {
        "map": str(map),
        "algorithm": algorithm,
        "status": found.status.value,
        "reason": found.reason,
        "cost": found.cost if np.isfinite(found.cost) else None,
        "lower_bound": found.lower_bound if np.isfinite(found.lower_bound) else None,
        "xs": None if found.xs is None else found.xs.tolist(),
        "stats": {name: _plain(value) for name, value in found.stats.items()},
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(facts: dict[str, Any], out: Path | None) -> str:
    stats = facts["stats"]
    effort = f"{counted(stats['expansions'], 'expansion')} in {1e3 * stats['seconds']:.3g} ms"
    if facts["xs"] is None:
        line = f"{facts['status']}: {facts['reason']} ({effort})"
    else:
        line = f"{facts['status']}: {facts['cost']:.2f} m over {counted(len(facts['xs']), 'state')} ({effort})"
    return line if out is None else f"{line}\n{out}"


def _scenario(map: Path | None, scen: Path, algorithm: Algorithm, json: bool) -> int:
    """Solve every instance; 1 when any length differs from the published one."""
    report = solve_scenario(scen, ALGORITHMS[algorithm](), map_path=map)
    facts = {
        "scen": str(scen),
        "algorithm": algorithm,
        "instances": report.instances,
        "mismatches": len(report.mismatches),
        "expansions": report.expansions,
        "seconds": report.seconds,
        "expansions_per_second": report.expansions_per_second,
        "differing": [_difference(mismatch) for mismatch in report.mismatches],
        "other_map": _other_map(map, report),
    }
    print(jsonlib.dumps(facts) if json else "\n".join(_scenario_lines(facts)))
    return 1 if report.mismatches else 0


def _other_map(map: Path | None, report: ScenarioReport) -> str | None:
    """The map that the instances were made for, where it is not the one given and the results differ."""
    made_for = {Path(mismatch.scenario.map_name).name for mismatch in report.mismatches}
    if map is None or not made_for or map.name.removesuffix(".gz") in made_for:
        return None
    return ", ".join(sorted(made_for))


def _difference(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "instance": mismatch.number,
        "start": mismatch.scenario.start,
        "goal": mismatch.scenario.goal,
        "published": mismatch.scenario.optimal_length if mismatch.scenario.solvable else None,
        "found": mismatch.plan.cost if mismatch.plan.ok else None,
        "reason": mismatch.plan.reason,
    }


def _scenario_lines(facts: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{counted(facts['instances'], 'instance')}, "
        f"{facts['mismatches']} mismatch{'' if facts['mismatches'] == 1 else 'es'} with the published optima, "
        f"{counted(facts['expansions'], 'expansion')} in {facts['seconds']:.3g} s "
        f"({facts['expansions_per_second']:,.0f} expansions/s)"
    )
    for one in facts["differing"][:SHOWN]:
        found = one["reason"] if one["found"] is None else f"found {one['found']:.4f}"
        published = "no path" if one["published"] is None else f"{one['published']:.4f}"
        yield f"  instance {one['instance']}: {one['start']} to {one['goal']}, published {published}, {found}"
    if facts["mismatches"] > SHOWN:
        yield f"  and {facts['mismatches'] - SHOWN} more; --json lists all"
    if facts["other_map"] is not None:
        yield f"these instances were made for the map {facts['other_map']}; the one given has another name"
