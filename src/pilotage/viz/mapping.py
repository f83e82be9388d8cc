"""An animation of a map that grows while a robot drives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core import ShapeError
from ..core.arrays import Array
from ..maps import OccupancyGrid
from .animation import write_animation
from .figures import fit_axes, known_corners, map_figure
from .grids import grid_colors
from .palette import FOG, INK, PAPER, PLAN, SHADE, TRUTH
from .paths import arrow, draw_path, draw_pose


@dataclass(frozen=True, eq=False)
class MappingFrame:
    """A map at a moment, and where the robot was until then.

    Attributes:
        grid: the map so far.
        poses: poses of the robot so far, as they are known then ``(N, 3)``.
        plan: the path ahead ``(K, >= 2)``; empty if there is none.
        text: words in the corner.

    Example:
        >>> MappingFrame(OccupancyGrid.from_ascii(["..?"]), np.zeros((1, 3)), text="0 s").plan.shape
        (0, 2)
    """

    grid: OccupancyGrid
    poses: Array
    plan: Array = field(default_factory=lambda: np.zeros((0, 2)))
    text: str = ""


def mapping_animation(
    file: str | os.PathLike[str], frames: Sequence[MappingFrame], *, fps: float = 12.0, width: float = 6.4
) -> Path:
    """Write an animation of a map that grows: the map, the way, the path ahead and the robot.

    Args:
        file: path that ends in ``.gif`` or ``.mp4``.
        frames: maps one after another; the last one chooses what is in the picture.
        fps: frames per second.
        width: width of the animation [inches], at 100 pixels per inch.

    Raises:
        ShapeError: if there is no frame.

    Example:
        >>> import tempfile
        >>> grids = [OccupancyGrid.from_ascii(rows) for rows in (["..??", "..??"], ["....", "...."])]
        >>> frames = [MappingFrame(grid, np.array([[1.0, 1.0, 0.0]])) for grid in grids]
        >>> mapping_animation(tempfile.mkdtemp() + "/map.gif", frames, width=2.0).name
        'map.gif'
    """
    if not frames:
        raise ShapeError("there are no frames; expected one or more to make an animation of")
    figure, ax = map_figure(frames[-1].grid, width=width, dpi=100)
    low, high = known_corners(frames[-1].grid)
    margin = 0.03 * float(np.max(high - low))
    fit_axes(ax, low - margin, high + margin, labels=False)
    figure.set_size_inches(width, width * (high - low + 2 * margin)[1] / (high - low + 2 * margin)[0])
    ax.set_position((0.0, 0.0, 1.0, 1.0))
    ax.set_facecolor(FOG)
    for spine in ax.spines.values():
        spine.set_visible(False)
    size = 0.02 * float(np.max(high - low))
    image = ax.imshow(np.zeros((1, 1, 3), np.uint8), origin="lower", interpolation="nearest", zorder=0)
    fit_axes(ax, low - margin, high + margin, labels=False)
    trail, ahead = draw_path(ax, np.zeros((0, 2)), color=TRUTH), draw_path(ax, np.zeros((0, 2)), color=PLAN)
    robot = draw_pose(ax, frames[0].poses[-1], size)
    style = {"facecolor": PAPER, "alpha": 0.85, "edgecolor": SHADE, "boxstyle": "round,pad=0.35", "linewidth": 0.6}
    words = ax.text(
        0.985, 0.98, "", transform=ax.transAxes, ha="right", va="top", fontsize=8, color=INK, bbox=style, zorder=9
    )

    def show(k: int) -> None:
        _show(frames[k], image, trail, ahead, words)
        robot.set_xy(arrow(frames[k].poses[-1], size))

    return write_animation(file, figure, [image, trail, ahead, robot, words], show, len(frames), fps=fps)


def _show(frame: MappingFrame, image: Any, trail: Any, ahead: Any, words: Any) -> None:
    """Show a frame."""
    (x, y, _), (ny, nx), side = frame.grid.origin, frame.grid.shape, frame.grid.resolution
    image.set_data(grid_colors(frame.grid))
    image.set_extent((x, x + nx * side, y, y + ny * side))
    trail.set_data(*frame.poses[:, :2].T)
    ahead.set_data(*frame.plan[:, :2].T)
    words.set_text(frame.text)
