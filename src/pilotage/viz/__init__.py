"""Plotting with matplotlib: maps, paths, poses, beliefs, scans, and animations.

Each function draws on the `Axes` that it is given and returns the artists. Settings of an artist may have any of their
matplotlib names, such as ``linewidth`` or ``lw``. Nothing here uses pyplot or its global state, so plots work without a
screen and in any thread.

- `map_figure`, `fit_axes`, `scale_bar`: figures with axes in metres
- `draw_grid`, `draw_raster`, `draw_discs`: maps, fields, obstacles
- `draw_path`, `draw_pose`, `draw_goals`, `draw_scan`: paths, robots, goals, lidar scans
- `plot_plan`, `draw_tree`: a plan with its map and its search tree
- `draw_belief`, `draw_ellipse`, `draw_particles`: beliefs
- `draw_tracks`, `draw_detections`: tracks of many targets, and the detections they were made of
- `plot_errors`, `plot_consistency`, `draw_chi_square`: errors, NEES and NIS of a filter
- `plot_calibration`, `draw_reliability`: the uncertainty of a learned model
- `plot_cost_time`, `CostPoint`, `plot_trajectories`: results of the controller benchmark
- `svg`: a figure as text
- `MappingFrame`, `mapping_animation`: a map that grows while a robot drives
- `NavigationRun`, `navigation_picture`, `navigation_animation`: a whole run of a robot on a map
- `write_animation`, `draw_panels`: an animation of any figure, and films side by side
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import require
from ..core.names import absent

require("matplotlib", extra="viz")

from .animation import write_animation as write_animation  # noqa: E402
from .beliefs import draw_belief as draw_belief  # noqa: E402
from .beliefs import draw_ellipse as draw_ellipse  # noqa: E402
from .beliefs import draw_particles as draw_particles  # noqa: E402
from .benchmarks import CostPoint as CostPoint  # noqa: E402
from .benchmarks import plot_cost_time as plot_cost_time  # noqa: E402
from .benchmarks import plot_trajectories as plot_trajectories  # noqa: E402
from .benchmarks import svg as svg  # noqa: E402
from .calibration import draw_reliability as draw_reliability  # noqa: E402
from .calibration import plot_calibration as plot_calibration  # noqa: E402
from .consistency import draw_chi_square as draw_chi_square  # noqa: E402
from .consistency import plot_consistency as plot_consistency  # noqa: E402
from .consistency import plot_errors as plot_errors  # noqa: E402
from .figures import fit_axes as fit_axes  # noqa: E402
from .figures import map_figure as map_figure  # noqa: E402
from .figures import scale_bar as scale_bar  # noqa: E402
from .grids import draw_discs as draw_discs  # noqa: E402
from .grids import draw_grid as draw_grid  # noqa: E402
from .grids import draw_raster as draw_raster  # noqa: E402
from .mapping import MappingFrame as MappingFrame  # noqa: E402
from .mapping import mapping_animation as mapping_animation  # noqa: E402
from .navigation import NavigationRun as NavigationRun  # noqa: E402
from .navigation import navigation_animation as navigation_animation  # noqa: E402
from .navigation import navigation_picture as navigation_picture  # noqa: E402
from .panels import draw_panels as draw_panels  # noqa: E402
from .paths import draw_goals as draw_goals  # noqa: E402
from .paths import draw_path as draw_path  # noqa: E402
from .paths import draw_pose as draw_pose  # noqa: E402
from .paths import draw_scan as draw_scan  # noqa: E402
from .plans import draw_tree as draw_tree  # noqa: E402
from .plans import plot_plan as plot_plan  # noqa: E402
from .tracks import draw_detections as draw_detections  # noqa: E402
from .tracks import draw_tracks as draw_tracks  # noqa: E402

__all__ = [
    "CostPoint",
    "MappingFrame",
    "NavigationRun",
    "draw_belief",
    "draw_chi_square",
    "draw_detections",
    "draw_discs",
    "draw_ellipse",
    "draw_goals",
    "draw_grid",
    "draw_panels",
    "draw_particles",
    "draw_path",
    "draw_pose",
    "draw_raster",
    "draw_reliability",
    "draw_scan",
    "draw_tracks",
    "draw_tree",
    "fit_axes",
    "map_figure",
    "mapping_animation",
    "navigation_animation",
    "navigation_picture",
    "plot_calibration",
    "plot_consistency",
    "plot_cost_time",
    "plot_errors",
    "plot_plan",
    "plot_trajectories",
    "scale_bar",
    "svg",
    "write_animation",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
