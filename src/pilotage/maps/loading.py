"""The conversion between map files and the cells of an occupancy grid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.chunks import in_chunks
from pilotage.core.errors import FormatError
from pilotage.io import RosMap, read_movingai_map, read_ros_map
from pilotage.io.atomic import real_target
from pilotage.io.contents import path_of
from pilotage.io.ros_map import Server, read_map_image

from .cells import log_odds, odds_at, probabilities, read_only
from .stock import find_map, kind_of

if TYPE_CHECKING:
    from .occupancy import OccupancyGrid

CERTAIN = 1e-6
"""Share of the interval between two thresholds by which a cell stays away from them."""


class Loaded(NamedTuple):
    """The fields of an `OccupancyGrid`."""

    log_odds: NDArray[np.float32]
    resolution: float
    origin: tuple[float, float, float]
    occupied_thresh: float
    free_thresh: float


def load(path: str | os.PathLike[str], server: Server, image: dict[str, Any]) -> Loaded:
    """Read a map file.

    Args:
        path: the file, or the name of a stock map.
        server: the version of map_server to follow in reading images.
        image: the fields of a yaml file, for an image without one; empty for all other files.

    Raises:
        MissingFile: if neither a file nor a map of that name exists.
        FormatError: if the file is not valid, or fields are missing or not allowed.
    """
    if kind_of(path_of(path)) == "image" and "resolution" not in image:
        raise FormatError(
            f"{path}: an image does not say how large its pixels are; give their side, resolution= [m], "
            "or, if it has a yaml file, give the yaml, not the image"
        )
    file = find_map(path)
    kind = kind_of(file)
    if kind == "image":
        return _from_ros(read_map_image(file, image, server=server))
    if image:
        raise FormatError(
            f"{path}: {', '.join(f'{name}=' for name in image)} only with an image alone; this file has its own"
        )
    if kind == "movingai":
        return Loaded(read_only(log_odds(~read_movingai_map(file)[::-1])), 1.0, RosMap.origin, 0.65, 0.196)
    return _from_ros(read_ros_map(file, server=server))


def _from_ros(found: RosMap) -> Loaded:
    """The cells of a ROS map, in the classes of the file.

    In the mode scale, occupancy runs from 0 at one threshold to 1 at the other; the grid stores the p in between.
    """
    p, free, occupied = found.occupancy, found.free_thresh, found.occupied_thresh
    if found.mode == "scale":
        p = in_chunks(lambda s: _unscaled(s, free, occupied), p, np.float32)
    return Loaded(read_only(log_odds(p)), found.resolution, found.origin, occupied, free)


def _unscaled(s: NDArray[np.float32], free: float, occupied: float) -> NDArray[Any]:
    between = free + np.clip(s, CERTAIN, 1.0 - CERTAIN) * (occupied - free)
    return np.where((s > 0.0) & (s < 1.0), between, s)


def ros_target(path: str | os.PathLike[str]) -> Path:
    """The yaml file of a ROS map to write.

    Raises:
        FormatError: if its name does not end in .yaml or .yml.
        MissingFile: if its folder does not exist.
    """
    file = path_of(path)
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise FormatError(f"{path}: a ROS map is a .yaml file, and its image is written beside it")
    real_target(file)
    return file


def ros_map(grid: OccupancyGrid, mode: str) -> RosMap:
    """The ROS map of a grid, with its cells in the same classes."""
    free, occupied = grid.free_thresh, grid.occupied_thresh
    if mode == "raw":
        p = in_chunks(lambda l: _kept(l, grid), grid.log_odds, np.float32)
    elif mode == "scale":
        p = in_chunks(lambda l: _scaled(l, free, occupied), grid.log_odds, np.float32)
    else:
        p = np.full(grid.shape, np.nan, dtype=np.float32)
    if mode != "raw":
        p[grid.occupied], p[grid.free] = 1.0, 0.0
    return RosMap(p, grid.resolution, grid.origin, occupied, free, mode)


def _kept(l: NDArray[np.float32], grid: OccupancyGrid) -> NDArray[Any]:
    """Probabilities on the side of the thresholds on which their cells are, as exact numbers."""
    free, occupied, p = grid.free_thresh, grid.occupied_thresh, probabilities(l)
    between = np.clip(p, free + CERTAIN, occupied - CERTAIN)
    low, high = odds_at(free).max(), odds_at(occupied).min()
    p = np.where(
        l >= high, np.maximum(p, occupied + CERTAIN), np.where(l <= low, np.minimum(p, free - CERTAIN), between)
    )
    return np.clip(p, 0.0, 1.0)


def _scaled(l: NDArray[np.float32], free: float, occupied: float) -> NDArray[Any]:
    return np.clip((probabilities(l) - free) / (occupied - free), CERTAIN, 1.0 - CERTAIN)
