"""A picture and an animation of a robot that localizes itself and drives to its goals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from ..core import ShapeError
from ..core.arrays import Array
from ..maps import OccupancyGrid
from .animation import write_animation
from .beliefs import draw_ellipse, draw_particles, shape_ellipse
from .figures import fit_axes, known_corners, map_figure, quiet, scale_bar
from .grids import draw_discs, draw_grid
from .palette import ESTIMATE, FOG, INK, MUTED, PAPER, PARTICLE, PLAN, SHADE, SURPRISE, TRUTH
from .paths import arrow, beams, draw_goals, draw_path, draw_pose


@dataclass(frozen=True, eq=False)
class NavigationRun:
    """The history of one run of a robot on a map, with one entry for each of T time steps.

    Attributes:
        grid: the map that the robot has.
        times: times ``(T,)`` [s].
        truth: true poses ``(T, 3)``: x [m], y [m], yaw [rad].
        mean, cov: estimated poses ``(T, 3)`` and their covariances ``(T, 3, 3)``.
        known: whether the robot was localized, bools ``(T,)``.
        clouds: particles ``(N, >= 2)`` of each step, in any number; empty for other estimators.
        plans: the path ``(K, >= 2)`` at each step, or None.
        scans: lidar ranges ``(T, B)`` [m], measured from the center of the robot; or None.
        angles: directions of the beams ``(B,)`` [rad].
        max_range: largest range of the lidar [m].
        goals: positions of the goals ``(G, 2)`` [m].
        reached: times at which the goals were reached ``(G,)`` [s]; NaN for those that were not.
        obstacles: x, y and radius of obstacles that are not on the map ``(M, 3)`` [m].
        radius: radius of the robot [m].

    Raises:
        ShapeError: if the arrays do not fit each other.

    Example:
        >>> grid, still = OccupancyGrid.from_ascii(["....", "...."]), np.tile([1.0, 1.0, 0.0], (5, 1))
        >>> cov, known = np.tile(0.01 * np.eye(3), (5, 1, 1)), np.arange(5) > 2
        >>> run = NavigationRun(grid, 0.1 * np.arange(5), still, still + 0.1, cov, known)
        >>> run.found, run.error.round(3).tolist()
        (3, [0.141, 0.141, 0.141, 0.141, 0.141])
    """

    grid: OccupancyGrid
    times: Array
    truth: Array
    mean: Array
    cov: Array
    known: NDArray[np.bool_]
    clouds: Sequence[NDArray[Any]] = ()
    plans: Sequence[Array | None] = ()
    scans: Array | None = None
    angles: Array = field(default_factory=lambda: np.zeros(0))
    max_range: float = np.inf
    goals: Array = field(default_factory=lambda: np.zeros((0, 2)))
    reached: Array = field(default_factory=lambda: np.zeros(0))
    obstacles: Array = field(default_factory=lambda: np.zeros((0, 3)))
    radius: float = 0.1

    def __post_init__(self) -> None:
        ticks = len(self.times)
        shapes = {"truth": (ticks, 3), "mean": (ticks, 3), "cov": (ticks, 3, 3), "known": (ticks,)}
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise ShapeError(
                    f"{name} has shape {np.shape(getattr(self, name))}; expected {shape} for a run of {ticks} steps"
                )
        for name in ("clouds", "plans", "scans"):
            given = getattr(self, name)
            if given is not None and len(given) not in (0, ticks):
                raise ShapeError(f"{name} has {len(given)} entries; expected {ticks}, one for each step, or none")
        if ticks == 0:
            raise ShapeError("times is empty; expected a run of at least one step")
        if len(self.goals) != len(self.reached):
            raise ShapeError(f"reached has {len(self.reached)} times; expected one for each of {len(self.goals)} goals")

    @property
    def error(self) -> Array:
        """Distance between estimated and true position, ``(T,)`` [m]."""
        return np.hypot(*(self.mean[:, :2] - self.truth[:, :2]).T)

    @property
    def found(self) -> int:
        """Index of the first step at which the robot was localized; of the last step if it never was."""
        return int(np.argmax(self.known)) if self.known.any() else len(self.times) - 1


def navigation_picture(run: NavigationRun, *, title: str = "", width: float = 8.0) -> Figure:
    """A figure of a run: map, true path, estimate, particles and goals; below, the position error over time.

    Args:
        run: the run to draw.
        title: title of the figure.
        width: width of the figure [inches].

    Example:
        >>> grid, still = OccupancyGrid.from_ascii(["....", "...."]), np.tile([1.0, 1.0, 0.0], (5, 1))
        >>> cov, known = np.tile(0.01 * np.eye(3), (5, 1, 1)), np.arange(5) > 2
        >>> run = NavigationRun(grid, 0.1 * np.arange(5), still, still + 0.1, cov, known)
        >>> len(navigation_picture(run, title="standing still").axes)
        2
    """
    low, high = known_corners(run.grid)
    # A map that is as high as it is wide would fill more than a page.
    width = min(width, 0.8 + 0.75 * width * float((high - low)[0] / (high - low)[1]))
    figure, ax = map_figure(run.grid, width=width, strip=1.45, head=0.62)
    draw_world(ax, run)
    i = run.found
    for k in sorted({0, i // 3, i - 1}) if len(run.clouds) and i > 0 else []:
        draw_particles(ax, np.asarray(run.clouds[k]), s=2.5, alpha=0.5, zorder=2)
    draw_path(ax, run.truth[: i + 1], color=TRUTH, alpha=0.45, linewidth=1.1)
    draw_path(ax, run.truth[i:], color=TRUTH, linewidth=2.0)
    draw_path(ax, run.mean[i:], color=ESTIMATE, linewidth=1.0, linestyle=(0, (3, 1.6)), zorder=5)
    size = symbol(ax, run.radius)
    draw_pose(ax, run.truth[0], size, facecolor=PAPER, edgecolor=TRUTH, linewidth=1.2)
    draw_pose(ax, run.truth[-1], size)
    draw_goals(ax, run.goals, zorder=8)
    _legend(figure, ax, run, title)
    box = ax.get_position()
    high = figure.get_figheight()
    strip = figure.add_axes((box.x0, 0.5 / high, box.width, 0.95 / high))
    draw_error(strip, run)
    return figure


def draw_world(ax: Axes, run: NavigationRun) -> None:
    """The static scene: the map, and obstacles that are not on it."""
    ax.set_facecolor(FOG)
    draw_grid(ax, run.grid)
    draw_discs(ax, run.obstacles[:, :2], run.obstacles[:, 2])


def draw_error(ax: Axes, run: NavigationRun) -> None:
    """Position error over time, with the 95 % bound of the belief."""
    t, floor = run.times, 1e-3
    # Half axis of the 95 % circle of a density as wide as the mean variance.
    bound = np.sqrt(5.99 * 0.5 * np.trace(run.cov[:, :2, :2], axis1=1, axis2=2))
    ax.fill_between(t, floor, np.maximum(bound, floor), color=ESTIMATE, alpha=0.18, linewidth=0.0)
    ax.plot(t, np.maximum(run.error, floor), color=TRUTH, linewidth=1.0)
    ax.set_yscale("log")
    ax.set_ylim(5e-3, 3.0 * max(1.0, float(run.error.max())))
    ax.set_xlim(t[0], t[-1])
    ax.axvspan(t[0], t[run.found], color=FOG, zorder=0)
    for k, when in enumerate(run.reached):
        if np.isfinite(when):
            ax.axvline(when, color=PLAN, linewidth=0.9)
            ax.annotate(
                str(k + 1), (when, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(-2, -2), textcoords="offset points",
                color=PLAN, fontsize=7, weight="bold", ha="right", va="top",
            )  # fmt: skip
    ax.set_xlabel("time [s]", color=MUTED)
    ax.set_ylabel("error [m]", color=MUTED)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    quiet(ax)


def symbol(ax: Axes, radius: float) -> float:
    """Size of the arrow that shows a robot [m]: its radius, or larger so that it can be seen."""
    x0, x1 = ax.get_xlim()
    return max(radius, 0.011 * (x1 - x0))


def _legend(figure: Figure, ax: Axes, run: NavigationRun, title: str) -> None:
    """A legend in one line above the map, and the title above it."""
    entries: list[Any] = [
        Line2D([], [], color=TRUTH, linewidth=2.0, label="true path"),
        Line2D([], [], color=ESTIMATE, linewidth=1.2, linestyle=(0, (3, 1.6)), label="estimate"),
        Line2D([], [], color=PARTICLE, marker="o", markersize=3, linestyle="", label="particles before it knew"),
        Line2D([], [], color=PLAN, marker="o", markersize=7, linestyle="", label="goals"),
    ]
    if len(run.obstacles):
        entries.append(Line2D([], [], color=SURPRISE, marker="o", markersize=6, linestyle="", label="not on the map"))
    box, high = ax.get_position(), figure.get_figheight()
    figure.legend(
        handles=entries, loc="lower left", bbox_to_anchor=(box.x0, box.y1 + 0.04 / high), ncols=len(entries),
        fontsize=7.5, frameon=False, labelcolor=INK, columnspacing=1.6, handlelength=1.6, borderaxespad=0, borderpad=0,
    )  # fmt: skip
    figure.text(box.x0, box.y1 + 0.28 / high, title, fontsize=11, color=INK, weight="bold", va="bottom")


def navigation_animation(
    file: str | os.PathLike[str], run: NavigationRun, *, frames: int = 150, fps: float = 15.0, width: float = 6.4
) -> Path:
    """Write an animation of a run: particles, scan, plan, estimate and robot.

    Args:
        file: path that ends in ``.gif`` or ``.mp4``.
        run: the run to draw.
        frames: largest number of frames; steps are left out evenly.
        fps: frames per second.
        width: width of the animation [inches], at 100 pixels per inch.

    Example:
        >>> import tempfile
        >>> grid, still = OccupancyGrid.from_ascii(["....", "...."]), np.tile([1.0, 1.0, 0.0], (5, 1))
        >>> cov, known = np.tile(0.01 * np.eye(3), (5, 1, 1)), np.arange(5) > 2
        >>> run = NavigationRun(grid, 0.1 * np.arange(5), still, still + 0.1, cov, known)
        >>> navigation_animation(tempfile.mkdtemp() + "/run.gif", run, width=2.0).name
        'run.gif'
    """
    figure, ax = map_figure(run.grid, width=width, head=0.62, dpi=100)
    low, high = known_corners(run.grid)
    margin = 0.02 * float(np.max(high - low))
    fit_axes(ax, low - margin, high + margin, labels=False)
    tall = width * (high - low + 2 * margin)[1] / (high - low + 2 * margin)[0]
    figure.set_size_inches(width, tall)
    ax.set_position((0.0, 0.0, 1.0, 1.0))
    for spine in ax.spines.values():
        spine.set_visible(False)
    draw_world(ax, run)
    scale_bar(ax)
    film = _Film(ax, run)
    ticks = np.unique(np.linspace(0, len(run.times) - 1, frames).astype(int))
    return write_animation(file, figure, film.moving, lambda i: film.show(ticks[i]), len(ticks), fps=fps)


class _Film:
    """The moving artists of an animation, and what they show at each step."""

    def __init__(self, ax: Axes, run: NavigationRun) -> None:
        self.run, self.size = run, 1.3 * symbol(ax, run.radius)
        self.cloud: PathCollection = draw_particles(ax, np.zeros((1, 2)), s=4.0, alpha=0.8)
        self.scan = LineCollection([], color=SURPRISE, linewidth=0.5, alpha=0.25, zorder=3)
        ax.add_collection(self.scan, autolim=False)
        self.plan = draw_path(ax, np.zeros((0, 2)), color=PLAN, linewidth=1.4, linestyle=(0, (1, 1.2)))
        self.trail = draw_path(ax, np.zeros((0, 2)), color=TRUTH, linewidth=1.6)
        self.ellipse = draw_ellipse(ax, run.mean[0, :2], np.eye(2))
        self.goals, self.names = draw_goals(ax, run.goals)
        self.body = Circle((0.0, 0.0), run.radius, facecolor=INK, alpha=0.25, linewidth=0.0, zorder=6)
        ax.add_patch(self.body)
        self.robot = draw_pose(ax, run.truth[0], self.size)
        self.believed = draw_pose(
            ax, run.mean[0], self.size, facecolor="none", edgecolor=ESTIMATE, linewidth=1.4, zorder=8
        )
        style = {"facecolor": PAPER, "alpha": 0.85, "edgecolor": SHADE, "boxstyle": "round,pad=0.35", "linewidth": 0.6}
        self.clock = ax.text(
            0.988, 0.978, "", transform=ax.transAxes, ha="right", va="top", fontsize=8, color=INK, zorder=10, bbox=style
        )
        self.moving = [
            self.cloud, self.scan, self.plan, self.trail, self.ellipse, self.goals, *self.names, self.body, self.robot,
            self.believed, self.clock,
        ]  # fmt: skip

    def show(self, k: int) -> None:
        """Show step `k`."""
        run = self.run
        self.cloud.set_offsets(np.asarray(run.clouds[k])[:3000, :2] if len(run.clouds) else np.zeros((0, 2)))
        if run.scans is not None and len(run.scans):
            self.scan.set_segments(list(beams(run.truth[k], run.scans[k], run.angles, run.max_range)))
        plan = run.plans[k] if len(run.plans) else None
        self.plan.set_data(*(np.zeros((2, 0)) if plan is None else np.asarray(plan)[:, :2].T))
        self.trail.set_data(*run.truth[: k + 1, :2].T)
        sure = bool(run.known[k])
        self.ellipse.set_visible(sure)
        self.believed.set_visible(sure)
        shape_ellipse(self.ellipse, run.mean[k, :2], run.cov[k, :2, :2])
        self.body.set_center((run.truth[k, 0], run.truth[k, 1]))
        self.robot.set_xy(arrow(run.truth[k], self.size))
        self.believed.set_xy(arrow(run.mean[k], self.size))
        done = run.reached <= run.times[k]
        self.goals.set_facecolor([to_rgba(PLAN if there else SHADE) for there in done])
        self.clock.set_text(self._words(k, sure, int(done.sum())))

    def _words(self, k: int, sure: bool, done: int) -> str:
        what = f"goal {min(done + 1, len(self.run.goals))} of {len(self.run.goals)}" if sure else "where am I?"
        if len(self.run.goals) and done == len(self.run.goals):
            what = "all goals reached"
        return f"{self.run.times[k]:5.1f} s   {what}"
