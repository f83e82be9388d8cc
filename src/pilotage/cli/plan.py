"""`pilotage plan`: a path on a map, or a whole benchmark scenario against its published optima."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

from pilotage.core import Space
from pilotage.core.errors import PilotageError, counted
from pilotage.core.plan import Plan
from pilotage.core.settings import NonNegative, Positive, setting
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.planners import (
    ARAStar,
    AStar,
    Bidirectional,
    BreadthFirst,
    DepthFirst,
    Dijkstra,
    DStarLite,
    GreedyBestFirst,
    HybridAStar,
    JumpPointSearch,
    LazyThetaStar,
    ReedsShepp,
    ThetaStar,
    solve_scenario,
)
from pilotage.planners.search import Mismatch, ScenarioReport

from .mask import covered, masked
from .wording import rounded, spelled

Point = tuple[float, float]
Pose = tuple[float, float, float]
Corners = Annotated[list[float] | None, Parameter(consume_multiple=True)]
Algorithm = Literal[
    "astar", "dijkstra", "jump-point", "bidirectional", "ara-star", "dstar-lite", "theta-star", "lazy-theta-star",
    "breadth-first", "depth-first", "greedy",
]  # fmt: skip
ALGORITHMS: dict[Algorithm, Any] = {
    "astar": AStar,
    "dijkstra": Dijkstra,
    "jump-point": JumpPointSearch,
    "bidirectional": Bidirectional,
    "ara-star": ARAStar,
    "dstar-lite": DStarLite,
    "theta-star": ThetaStar,
    "lazy-theta-star": LazyThetaStar,
    "breadth-first": BreadthFirst,
    "depth-first": DepthFirst,
    "greedy": GreedyBestFirst,
}
SHOWN = 5
"""Mismatches listed in text; JSON lists all."""


def plan(
    *,
    map: Path | None = None,
    start: Point | None = None,
    goal: Point | None = None,
    scen: Path | None = None,
    algorithm: Algorithm | None = None,
    radius: float | None = None,
    footprint: Corners = None,
    start_yaw: float | None = None,
    goal_yaw: float | None = None,
    turning_radius: float | None = None,
    inflate: float | None = None,
    mask: Path | None = None,
    negate_mask: bool = False,
    unknown: Literal["occupied", "free"] | None = None,
    resolution: float | None = None,
    origin: Pose | None = None,
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
        algorithm: The search; astar by default. The first six find a shortest path over the cells, those with theta one
            of straight lines of any direction, breadth-first one of fewest steps, the last two any path.
        radius: Radius of a round robot [m]: the path is clear of the faces of obstacles, of unknown cells and of the
            edge of the map.
        footprint: Instead, the corners of a polygon, x and y of each [m], in the frame of the robot: x forwards, y to
            the left, the origin where it turns. Hybrid A* then finds a path that it can drive, in reverse too.
        start_yaw: With --footprint, its heading at the start [rad]; 0 by default: along x.
        goal_yaw: With --footprint, its heading at the goal [rad]; any by default.
        turning_radius: With --footprint, its smallest turning radius [m]; by default, the distance of its farthest
            corner.
        inflate: Instead, quick and approximate: distance to keep from the centres of occupied cells [m].
        mask: A second map, whose occupied cells must not be entered either. An image alone lies on that of the map: the
            same size, forbidden areas in black.
        negate_mask: Forbidden areas are white in a mask that is an image alone.
        unknown: What unknown cells are taken for; occupied by default.
        resolution: Side of a pixel [m], of a map that is an image without a yaml file.
        origin: x [m], y [m] and yaw [rad] of the lower-left corner of such an image; 0 0 0 by default.
        json: Print one JSON object instead of text.
        out: Draw map and path into this image, with axes in metres in the frame of the map.
    """
    ends = {"--start X Y": start, "--goal X Y": goal}
    sizes = {"--radius": radius, "--inflate": inflate, "--footprint": footprint}
    polygon = {"--start-yaw": start_yaw, "--goal-yaw": goal_yaw, "--turning-radius": turning_radius}
    picture = {"--negate-mask": negate_mask or None, "--resolution": resolution, "--origin": origin}
    if scen is not None:
        if given := _given({**ends, **sizes, **polygon, **picture, "--out": out, "--mask": mask, "--unknown": unknown}):
            raise PilotageError(f"--scen brings its own starts and goals: leave out {given}")
        return _scenario(map, scen, algorithm or "astar", json)
    if map is None or start is None or goal is None:
        missing = ", ".join(option for option, value in {"--map FILE": map, **ends}.items() if value is None)
        raise PilotageError(f"say where to plan; missing: {missing} (or give --scen FILE)")
    _check_robot(algorithm, sizes, polygon)
    for name, value, kind in (
        ("radius", radius, NonNegative),
        ("inflate", inflate, NonNegative),
        ("turning_radius", turning_radius, Positive),
        ("resolution", resolution, Positive),
    ):
        if value is not None:
            setting(value, kind, name)
    grid, cells = masked(OccupancyGrid.load(map, resolution=resolution, origin=origin), mask, negate_mask)
    passing, search = "free" if unknown == "free" else "blocked", ALGORITHMS[algorithm or "astar"]
    corners = None if footprint is None else _corners(footprint)
    if corners is not None:
        body, pose = Footprint.polygon(corners), (*start, start_yaw or 0.0)
        found = _driven(grid, pose, goal, goal_yaw, body, turning_radius, passing)
    elif radius is not None:
        found = search(unknown=passing).plan(grid.problem(start, goal, Footprint.disc(radius), unknown=passing))
    else:
        grid = grid.inflate(inflate) if inflate else grid
        found = search(unknown=passing).plan(grid, start=start, goal=goal)
    why = "" if cells is None or found.ok else covered(cells, grid, {"start": start, "goal": goal})
    found = replace(found, reason=spelled(found.reason, plan) + why)
    if out is not None:
        from .picture import save_picture

        save_picture(grid, found.xs, np.array([start, goal]), out, corners)
    facts = rounded(_facts(map, "hybrid_astar" if corners is not None else algorithm or "astar", found))
    facts["mask_cells"] = None if cells is None else int(cells.sum())
    print(jsonlib.dumps(facts) if json else _text(facts, out))
    return 0 if found.ok else 1


def _given(options: dict[str, Any]) -> str:
    """The options that were given, in a row."""
    return ", ".join(name.split()[0] for name, value in options.items() if value is not None)


def _check_robot(algorithm: Algorithm | None, sizes: dict[str, Any], polygon: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    if "," in (given := _given(sizes)):
        raise PilotageError(f"{given}: each gives the size of the robot in another way; give one of them")
    if sizes["--footprint"] is None and (given := _given(polygon)):
        raise PilotageError(f"{given}: only for a robot with --footprint, whose heading matters")
    if sizes["--footprint"] is not None and algorithm is not None:
        raise PilotageError("--algorithm is for round robots; for one with --footprint, hybrid A* plans")


def _corners(numbers: list[float]) -> np.ndarray:
    if len(numbers) % 2:
        given = counted(len(numbers), "number")
        raise PilotageError(f"--footprint has {given}; expected x and y of each corner, an even number")
    return np.reshape(numbers, (-1, 2))


def _driven(
    grid: OccupancyGrid,
    start: Pose,
    goal: Point,
    yaw: float | None,
    body: Footprint,
    turning_radius: float | None,
    unknown: str,
) -> Plan:
    """A path that a vehicle with this outline drives; its yaw at the goal is free if it is None."""
    end = goal if yaw is None else (*goal, yaw)
    problem = grid.problem(start, end, body, space=Space("pose: SE2"), unknown=unknown)
    corner = float(np.hypot(*np.array(body.hull).T).max())
    return HybridAStar(ReedsShepp(corner if turning_radius is None else turning_radius)).plan(problem)


def _facts(map: Path, algorithm: str, found: Plan) -> dict[str, Any]:
    """The plan as plain values; what is infinite is null, which JSON can say."""
    return {
        "map": str(map),
        "algorithm": algorithm,
        "status": found.status.value,
        "reason": found.reason,
        "cost": found.cost if np.isfinite(found.cost) else None,
        "length": _length(found),
        "lower_bound": found.lower_bound if np.isfinite(found.lower_bound) else None,
        "xs": found.xs,
        "stats": found.stats,
    }


def _length(found: Plan) -> float | None:
    """The length of a path [m], forwards and in reverse."""
    if found.xs is None:
        return None
    if found.us is not None and found.ts is not None:
        return float(np.abs(found.us[:, 0]) @ np.diff(found.ts))
    return float(np.hypot(*np.diff(found.xs[:, :2], axis=0).T).sum())


def _text(facts: dict[str, Any], out: Path | None) -> str:
    stats = facts["stats"]
    effort = f"{counted(stats['expansions'], 'expansion')} in {1e3 * stats['seconds']:.3g} ms"
    if facts["xs"] is None:
        line = f"{facts['status']}: {facts['reason']} ({effort})"
    else:
        line = f"{facts['status']}: {facts['length']:.2f} m over {counted(len(facts['xs']), 'state')} ({effort})"
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
