"""Drawings of plans: the map, the tree or the roadmap of the search, and the path."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..core import Plan, Problem, ShapeError, Space
from ..maps import OccupancyGrid
from .figures import map_figure
from .grids import draw_grid
from .palette import INK, PLAN, TRUTH, styled
from .paths import draw_path

Array = NDArray[np.float64]


def draw_tree(ax: Axes, plan: Plan, *, space: Space | None = None, **style: Any) -> LineCollection:
    """The search tree or the roadmap of a plan of a sampling planner, as lines between states.

    Args:
        ax: the axes.
        plan: the plan; its `stats` hold the states ``tree`` ``(N, n)``, and ``parents`` or ``edges`` of them.
        space: the space of the states, whose x and y are drawn, or else its first two components; default: that of the
            plan.
        **style: settings of the lines.

    Raises:
        ShapeError: if the plan has no tree.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.planners import RRT
        >>> grid = OccupancyGrid.from_ascii(["....", ".##.", "...."])
        >>> plan = RRT().plan(grid.problem([0.5, 0.5], [3.5, 2.5]), rng=0)
        >>> figure, ax = map_figure(grid)
        >>> len(draw_tree(ax, plan).get_segments()) == len(plan.stats["tree"]) - 1
        True
    """
    if "tree" not in plan.stats:
        raise ShapeError(f"the plan has no tree to draw: {plan}")
    states = np.asarray(plan.stats["tree"])[:, _axes(space or plan.space)]
    given = styled(LineCollection, style, color=TRUTH, linewidth=0.4, alpha=0.5, zorder=2)
    lines = LineCollection(list(states[_edges(plan)]), **given)
    ax.add_collection(lines, autolim=False)
    return lines


def plot_plan(plan: Plan, problem: Problem, *, width: float = 7.0, tree: bool = True) -> tuple[Figure, Axes]:
    """A figure of a plan: the map of the problem, the search tree, the path, start and goals.

    Args:
        plan: the plan, solved or not.
        problem: the problem that it answers.
        width: width of the figure [inches].
        tree: whether to draw the search tree or the roadmap, if the plan has one.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.planners import RRTStar
        >>> problem = OccupancyGrid.from_ascii(["....", ".##.", "...."]).problem([0.5, 0.5], [3.5, 2.5])
        >>> figure, ax = plot_plan(RRTStar(iterations=300).plan(problem, rng=0), problem)
        >>> ax.get_title().startswith("solved: cost ")
        True
    """
    axes, world = _axes(problem.space), problem.world
    corners = [problem.space.low[axes], problem.space.high[axes]]
    figure, ax = map_figure(world if isinstance(world, OccupancyGrid) else corners, width=width)
    if isinstance(world, OccupancyGrid):
        draw_grid(ax, world)
    else:
        ax.set_xlabel(problem.space.names[axes[0]])
        ax.set_ylabel(problem.space.names[axes[1]])
        _draw_forbidden(ax, problem, axes)
    if tree and "tree" in plan.stats:
        draw_tree(ax, plan, space=problem.space)
    if plan.xs is not None:
        draw_path(ax, plan.xs[:, axes], color=PLAN, linewidth=2.0)
    ax.plot(*problem.start[axes], "o", color=INK, zorder=8)
    ax.plot(*problem.goals(rng=0)[:, axes].T, "*", color=PLAN, markersize=10, zorder=8)
    ax.set_title(str(plan)[:90], fontsize=9)
    return figure, ax


def _axes(space: Space | None) -> list[int]:
    """The components that are drawn: x and y, or else the first two."""
    names = () if space is None else space.names
    found = [[i for i, name in enumerate(names) if name.rpartition(".")[2] == axis] for axis in "xy"]
    return [each[0] for each in found] if all(found) else [0, 1]


def _edges(plan: Plan) -> NDArray[np.int64]:
    """Pairs of states ``(E, 2)`` that are connected."""
    if "edges" in plan.stats:
        return np.asarray(plan.stats["edges"])
    parents = np.asarray(plan.stats["parents"])
    nodes = np.flatnonzero(parents >= 0)
    return np.stack((parents[nodes], nodes), axis=-1)


def _draw_forbidden(ax: Axes, problem: Problem, axes: list[int]) -> None:
    """What is forbidden where all other components are those of the start."""
    low, high = problem.space.low[axes], problem.space.high[axes]
    x, y = (np.linspace(a, b, 241) for a, b in zip(low, high, strict=True))
    states = np.broadcast_to(problem.start, (len(y), len(x), problem.space.size)).copy()
    states[..., axes[0]], states[..., axes[1]] = np.meshgrid(x, y)
    ax.contourf(x, y, ~problem.allowed(states), levels=[0.5, 1.5], colors=[INK], zorder=1)
