"""RRT and RRT* grow side by side: the first stops at its first path, the second makes its path shorter and shorter.

RRT     each new state hangs on the nearest state of the tree
RRT*    each new state hangs on the neighbour through which it is cheapest, and neighbours move to it if that is
        cheaper: the cost tends to the minimum
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from pilotage.core import Plan, Problem, Space
from pilotage.io import write_atomic
from pilotage.models import task
from pilotage.planners import RRT, RRTStar
from pilotage.viz import draw_discs, draw_path, fit_axes, write_animation
from pilotage.viz.palette import ESTIMATE, INK, PAPER, SHADE, TRUTH

PLANE = Space("x y [m] in [-3, 3]")
DISCS = np.array([[0.0, 0.0, 1.0], [0.3, 2.1, 0.6], [-0.2, -2.2, 0.5]])
START, GOAL = (-2.0, 0.0), (2.0, 0.0)
SHORTEST = 2.0 * (math.sqrt(3.0) + math.pi / 6.0)
"""Around the disc in the middle: two tangents and an arc of 60 degrees."""
FRAMES, SAMPLES = 24, 4000


@task(state=PLANE, action=Space(), constraint=lambda x, u, p, m: [r - m.hypot(x[0] - a, x[1] - b) for a, b, r in DISCS])
def discs(x: Any, u: Any, p: Any, m: Any) -> Any:
    """No cost; the depth in each disc must not be positive."""
    return 0.0


def world() -> Problem:
    """A point that has to get around a disc, past two others."""
    return Problem(PLANE, START, GOAL, discs(), resolution=0.02)


def grow(seed: int) -> dict[str, list[Plan]]:
    """Both trees at growing numbers of samples."""
    counts = np.unique(np.geomspace(20, SAMPLES, FRAMES).astype(int))
    problem = world()
    return {
        "RRT": [RRT(step=0.4, iterations=int(n)).plan(problem, rng=seed) for n in counts],
        "RRT*": [RRTStar(step=0.4, iterations=int(n)).plan(problem, rng=seed) for n in counts],
    }


def animate(file: Path, plans: dict[str, list[Plan]]) -> Figure:
    """Write the animation; the figure shows its last frame."""
    figure = Figure(figsize=(11.0, 6.0), dpi=80)
    figure.subplots_adjust(0.01, 0.02, 0.99, 0.92, wspace=0.03)
    trees, paths, ends, titles = [], [], [], []
    for k, name in enumerate(plans):
        ax = figure.add_subplot(1, 2, k + 1)
        fit_axes(ax, (-3.0, -3.0), (3.0, 3.0), labels=False)
        draw_discs(ax, DISCS[:, :2], DISCS[:, 2], color=SHADE, alpha=1.0)
        trees.append(ax.add_collection(LineCollection([], color=TRUTH, linewidth=0.8, alpha=0.5), autolim=False))
        edge = [withStroke(linewidth=6.0, foreground=PAPER)]
        paths.append(draw_path(ax, [[np.nan, np.nan]], color=ESTIMATE, linewidth=3.5, path_effects=edge))
        for place, mark, size in ((START, "o", 12), (GOAL, "*", 20)):
            ends.extend(ax.plot(*place, mark, color=INK, markeredgecolor=PAPER, markersize=size, zorder=8))
        titles.append(ax.text(0.0, 3.1, name, ha="center", color=INK, fontsize=16))

    def update(i: int) -> None:
        for (name, each), tree, path, title in zip(plans.items(), trees, paths, titles, strict=True):
            plan = each[min(i, len(each) - 1)]
            nodes, parents = plan.stats["tree"], plan.stats["parents"]
            tree.set_segments(list(np.stack((nodes[parents[1:]], nodes[1:]), axis=1)))
            path.set_data(*(np.zeros((2, 0)) if plan.xs is None else plan.xs.T))
            cost = f"cost {plan.cost:.3f}" if plan else "no path yet"
            title.set_text(f"{name}: {len(nodes):,} states, {cost}")

    frames = max(len(each) for each in plans.values())
    write_animation(file, figure, [*trees, *paths, *ends, *titles], update, frames + 8, fps=6.0)
    update(frames)
    return figure


def main(*, seed: int = 0, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """RRT against RRT* growing in the same plane; ends with a table, a picture and an animation.

    Args:
        seed: Seed of the samples.
        out: Folder for the pictures.
        no_animation: Print the table only.
    """
    plans = grow(seed)
    for name, each in plans.items():
        first = next(plan for plan in each if plan)
        print(f"{name:5} first path {first.cost:.3f}, last {each[-1].cost:.3f}, shortest possible {SHORTEST:.3f}")
    if not no_animation:
        out.mkdir(parents=True, exist_ok=True)
        figure, picture = animate(out / "rrt-growing.gif", plans), io.BytesIO()
        figure.savefig(picture, format="png", dpi=130)
        write_atomic(out / "rrt-growing.png", picture.getvalue())
        print(f"see {out / 'rrt-growing.gif'} and {out / 'rrt-growing.png'}")
    plain, star = plans["RRT"][-1].cost, plans["RRT*"][-1].cost
    well = star < 1.03 * SHORTEST and star < plain
    if not well:
        print(
            f"not as it should be: RRT* costs {star:.3f}, RRT {plain:.3f}; RRT* within 3 % of the shortest is asked for"
        )
    return 0 if well else 1
