"""Twelve searches side by side on one city map: the cells that each expands, in order, and the path that it finds.

breadth-first, depth-first, greedy    baselines: fewest steps, some path, whatever seems near the goal
Dijkstra, A*, bidirectional A*        shortest paths; the heuristic and the second side save expansions
weighted A*, ARA*                     a path of bounded cost, soon; ARA* goes on until it is a shortest one
jump point search, D* Lite            shortest paths again: the first skips cells, the second searches from the goal
Theta*, lazy Theta*                   paths of any angle, never longer than those of A*

The map is one of MovingAI (Boston_1_256, see `PILOTAGE_DATA`), or any other given as --map; without one, a city is
drawn from the seed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pilotage.core import Plan, Raster
from pilotage.io import write_atomic
from pilotage.maps import OccupancyGrid
from pilotage.planners import (
    ARAStar,
    AStar,
    Bidirectional,
    BreadthFirst,
    DepthFirst,
    Dijkstra,
    DStarLite,
    GreedyBestFirst,
    JumpPointSearch,
    LazyThetaStar,
    ThetaStar,
)
from pilotage.viz import draw_grid, draw_path, draw_raster, fit_axes, write_animation
from pilotage.viz.palette import INK, MUTED, PAPER, SURPRISE

CITY = "movingai/cities/Boston_1_256.map.gz"
START, GOAL = (0.86, 0.06), (0.04, 0.76)
"""Where the ends are, in shares of the map."""
WEIGHT, FIRST_WEIGHT = 2.0, 3.0
SEARCHES: dict[str, Any] = {
    "breadth-first": BreadthFirst(),
    "depth-first": DepthFirst(),
    "greedy best-first": GreedyBestFirst(),
    "Dijkstra": Dijkstra(),
    "A*": AStar(),
    f"weighted A*, w = {WEIGHT:g}": AStar(weight=WEIGHT),
    f"ARA*, w = {FIRST_WEIGHT:g} to 1": ARAStar(weight=FIRST_WEIGHT),
    "bidirectional A*": Bidirectional(),
    "jump point search": JumpPointSearch(),
    "D* Lite": DStarLite(),
    "Theta*": ThetaStar(),
    "lazy Theta*": LazyThetaStar(),
}
SHORTEST = (Dijkstra, ARAStar, Bidirectional, JumpPointSearch, DStarLite)
COLUMNS, FRAMES, PAUSE = 4, 60, 12
COLORS = colormaps["viridis"]
SPARSE = 1500
"""Searches with fewer expansions are drawn with larger dots."""


def city(seed: int, side: int = 256) -> OccupancyGrid:
    """Blocks between streets; some are parks, and others have a yard that is open to one side."""
    rng, solid = np.random.default_rng(seed), np.zeros((side, side), dtype=bool)
    y = 4
    while y < side - 8:
        x, depth = 4, int(rng.integers(14, 36))
        while x < side - 8:
            width, kind = int(rng.integers(14, 40)), rng.random()
            block = solid[y : min(y + depth, side - 4), x : min(x + width, side - 4)]
            block[...] = kind > 0.15
            if kind > 0.7:
                block[4 if kind > 0.85 else 0 : -4 if kind < 0.85 else None, 4:-4] = False
            x += width + int(rng.integers(3, 9))
        y += depth + int(rng.integers(3, 9))
    return OccupancyGrid.from_occupied(solid, 1.0)


def ends(grid: OccupancyGrid) -> tuple[np.ndarray, np.ndarray]:
    """The free cell nearest to where the start belongs, and the reachable one nearest to where the goal does."""
    found = []
    for share, free in ((START, grid.free), (GOAL, None)):
        cells = np.argwhere(grid.free_component(found[0]) if free is None else free)
        away = np.abs(cells - np.multiply(share[::-1], grid.shape)).sum(axis=1)
        found.append(grid.cell_to_world(cells[np.argmin(away)]))
    return found[0], found[1]


def judged(plans: dict[str, Plan], grid: OccupancyGrid) -> list[str]:
    """What is not as it should be; an empty list if all is."""
    best, faults = plans["Dijkstra"].cost, []
    for name, plan in plans.items():
        (low, high), slack = limits(SEARCHES[name], best), 1e-9 * best
        if not plan.ok or not valid(plan, grid):
            faults.append(f"{name}: {plan}")
        elif not low - slack <= plan.cost <= high + slack:
            faults.append(f"{name} costs {plan.cost:.3f}; expected {low:.3f} to {high:.3f}")
        elif plan.lower_bound > min(best, plan.cost) + slack:
            faults.append(f"{name} claims that no path costs less than {plan.lower_bound:.3f}; one costs {best:.3f}")
    return faults


def limits(search: Any, best: float) -> tuple[float, float]:
    """The least and the largest cost that a search may find, where the shortest grid path costs `best`."""
    if isinstance(search, AStar):
        return best, search.weight * best
    if isinstance(search, ThetaStar | LazyThetaStar):
        return 0.0, best
    return best, best if isinstance(search, SHORTEST) else np.inf


def valid(plan: Plan, grid: OccupancyGrid) -> bool:
    """Whether all of a path is free, it is as long as the plan says, and all expansions were recorded."""
    assert plan.xs is not None
    length = np.hypot(*np.diff(plan.xs, axis=0).T).sum()
    told = len(plan.stats["expanded"]) == plan.stats["expansions"]
    return bool(grid.is_free(plan.xs).all() and np.isclose(length, plan.cost, rtol=1e-9) and told)


def times(plan: Plan, grid: OccupancyGrid) -> np.ndarray:
    """The expansion ``(ny, nx)`` with which each cell was first expanded, infinity for the others."""
    rows, columns = grid.world_to_cell(plan.stats["expanded"]).T
    found, reach = np.full(grid.shape, np.inf), 2 if len(rows) < SPARSE else 0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            place = np.clip(rows + dy, 0, grid.shape[0] - 1), np.clip(columns + dx, 0, grid.shape[1] - 1)
            np.minimum.at(found, place, np.arange(len(rows), dtype=float))
    return np.where(grid.occupied, np.inf, found)


class Panel:
    """One search: its expansions so far, coloured by their order, and its path once it is found."""

    def __init__(self, ax: Axes, name: str, plan: Plan, grid: OccupancyGrid) -> None:
        fit_axes(ax, grid.origin[:2], np.add(grid.origin[:2], grid.size), labels=False)
        draw_grid(ax, grid)
        self.plan, self.times, self.total = plan, times(plan, grid), int(plan.stats["expansions"])
        order = np.where(np.isfinite(self.times), self.times / max(self.total, 1), 0.0)
        self.colors = COLORS(0.3 + 0.7 * order, bytes=True)
        self.image = draw_raster(ax, Raster(order, grid.resolution, grid.origin), zorder=1)
        assert plan.xs is not None
        widths = (2.8, 1.4) if len(plan.xs) < 2000 else (0.0, 0.5)
        self.path = [
            draw_path(ax, plan.xs, color=color, linewidth=width)
            for color, width in zip((PAPER, SURPRISE), widths, strict=True)
        ]
        self.ends = [
            *ax.plot(*plan.xs[0], "o", color=INK, markeredgecolor=PAPER, markersize=7, zorder=6),
            *ax.plot(*plan.xs[-1], "*", color=SURPRISE, markeredgecolor=PAPER, markersize=13, zorder=6),
        ]
        place = {"transform": ax.transAxes, "ha": "center", "va": "bottom"}
        ax.text(0.5, 1.075, name, color=INK, fontsize=9, weight="bold", **place)
        self.text = ax.text(0.5, 1.01, "", color=MUTED, fontsize=8, **place)

    def show(self, count: int) -> None:
        """The search after `count` expansions."""
        done = count >= self.total
        self.colors[..., 3] = np.where(self.times < count, 255, 0)
        self.image.set_data(self.colors)
        for line in self.path:
            line.set_visible(done)
        said = f"{min(count, self.total):,} expansions"
        self.text.set_text(f"{said}, cost {self.plan.cost:,.1f}" if done else said)

    @property
    def moving(self) -> list[Artist]:
        """What changes from frame to frame, in drawing order."""
        return [self.image, *self.path, *self.ends, self.text]


def picture(plans: dict[str, Plan], grid: OccupancyGrid, title: str) -> tuple[Figure, list[Panel]]:
    """A panel for each search."""
    rows, top = -(-len(plans) // COLUMNS), 0.75
    height = 2.45 * grid.shape[0] / grid.shape[1]
    total = (height + 0.45) * rows + 0.35
    figure = Figure(figsize=(2.5 * COLUMNS, total), dpi=90)
    axes = figure.subplots(rows, COLUMNS)
    figure.subplots_adjust(0.01, 0.05 / total, 0.99, 1.0 - top / total, wspace=0.04, hspace=0.45 / height)
    figure.text(0.01, 1.0 - 0.1 / total, title, color=INK, fontsize=10, va="top")
    return figure, [Panel(ax, name, plan, grid) for ax, (name, plan) in zip(axes.flat, plans.items(), strict=False)]


def write(out: Path, plans: dict[str, Plan], grid: OccupancyGrid, title: str, film: str) -> list[Path]:
    """Write the film and the picture of its end; all searches expand equally many cells from frame to frame."""
    figure, panels = picture(plans, grid, title)
    last = max(panel.total for panel in panels)

    def update(i: int) -> None:
        for panel in panels:
            panel.show(round(last * min(1.0, (i + 1) / FRAMES) ** 3))  # slow at first, where the informed ones end

    files = [out / f"searches.{film}", out / "searches.png"]
    moving, saved = [each for panel in panels for each in panel.moving], io.BytesIO()
    write_animation(files[0], figure, moving, update, FRAMES + PAUSE, fps=12.0)
    for each in moving:
        each.set_animated(False)
    figure.savefig(saved, format="png")
    write_atomic(files[1], saved.getvalue())
    return files


def main(
    *,
    map: Path | None = None,
    seed: int = 0,
    out: Path = Path("pilotage-demo"),
    mp4: bool = False,
    no_animation: bool = False,
) -> int:
    """Search one city map in twelve ways; ends with a table, a film and a picture.

    Args:
        map: A map file. Default: the city Boston_1_256 of the data in PILOTAGE_DATA, if it is there.
        seed: Seed of the city that is drawn, where there is no map.
        out: Folder for the film and the picture.
        mp4: Write the film as mp4, which needs ffmpeg, instead of gif.
        no_animation: Print the table only.
    """
    path = Path(os.environ.get("PILOTAGE_DATA", ".")) / CITY if map is None else map
    real = map is not None or path.is_file()
    grid, name = (OccupancyGrid.load(path), path.name.split(".")[0]) if real else (city(seed), f"a city, seed {seed}")
    start, goal = ends(grid)
    plans = {name: search.plan(grid, start, goal, record=True) for name, search in SEARCHES.items()}
    print(f"{name}, from ({start[0]:g}, {start[1]:g}) to ({goal[0]:g}, {goal[1]:g})\n")
    print(f"{'search':22} {'expansions':>10} {'cost [m]':>9} {'no path below':>13} {'states':>7}")
    for each, plan in plans.items():
        states = 0 if plan.xs is None else len(plan.xs)
        print(f"{each:22} {plan.stats['expansions']:10,} {plan.cost:9.1f} {plan.lower_bound:13.1f} {states:7,}")
    faults = judged(plans, grid)
    if not no_animation and all(plans.values()):
        out.mkdir(parents=True, exist_ok=True)
        title = f"{name}: cells in the order in which they are expanded, blue first, yellow last; the path in red"
        files = write(out, plans, grid, title, "mp4" if mp4 else "gif")
        print(f"\nsee {files[0]} and {files[1]}")
    for fault in faults:
        print(f"not as it should be: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
