"""Cells of an occupancy grid from map files, and back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.chunks import in_chunks
from pilotage.core.errors import FormatError
from pilotage.io import RosMap, read_movingai_map, read_ros_map
from pilotage.io.contents import path_of
from pilotage.io.ros_map import Server, read_map_image

from .cells import log_odds, probabilities, read_only
from .stock import find_map, kind_of

if TYPE_CHECKING:
    from .occupancy import OccupancyGrid

CERTAIN = 1e-6
"""Share of the way between two thresholds that keeps a cell from counting as beyond one of them."""


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
        server: the map_server whose reading of images is followed.
        image: fields of a yaml file, for an image without one; empty for all other files.

    Raises:
        MissingFile: when there is no such file, nor a map of that name.
        FormatError: naming the file and what is wrong in it, or that fields are missing or too many.
    """
    if kind_of(path_of(path)) == "image" and "resolution" not in image:
        raise FormatError(
            f"{path}: an image does not say how large its pixels are; give their side, resolution= [m], "
            "or where a yaml file goes with it, give the yaml, not the image"
        )
    file = find_map(path)
    kind = kind_of(file)
    if kind == "image":
        return _from_ros(read_map_image(file, image, server=server))
    if image:
        raise FormatError(f"{path}: {', '.join(image)} go with an image alone; this file has its own")
    if kind == "movingai":
        return Loaded(read_only(log_odds(~read_movingai_map(file)[::-1])), 1.0, RosMap.origin, 0.65, 0.196)
    return _from_ros(read_ros_map(file, server=server))


def _from_ros(found: RosMap) -> Loaded:
    """Cells in the classes that the file says.

    In the mode scale, occupancy runs from 0 at one threshold to 1 at the other; the cells of a grid hold the p between.
    """
    p, free, occupied = found.occupancy, found.free_thresh, found.occupied_thresh
    if found.mode == "scale":
        p = in_chunks(lambda s: _unscaled(s, free, occupied), p, np.float32)
    return Loaded(read_only(log_odds(p)), found.resolution, found.origin, occupied, free)


def _unscaled(s: NDArray[np.float32], free: float, occupied: float) -> NDArray[Any]:
    between = free + np.clip(s, CERTAIN, 1.0 - CERTAIN) * (occupied - free)
    return np.where((s > 0.0) & (s < 1.0), between, s)


def ros_map(grid: OccupancyGrid, mode: str) -> RosMap:
    """What map_server is to make of a grid, in the classes that its cells have."""
    free, occupied = grid.free_thresh, grid.occupied_thresh
    if mode == "raw":
        p = probabilities(grid.log_odds, np.float32)
    elif mode == "scale":
        p = in_chunks(lambda l: _scaled(l, free, occupied), grid.log_odds, np.float32)
    else:
        p = np.full(grid.shape, np.nan, dtype=np.float32)
    if mode != "raw":
        p[grid.occupied], p[grid.free] = 1.0, 0.0
    return RosMap(p, grid.resolution, grid.origin, occupied, free, mode)


def _scaled(l: NDArray[np.float32], free: float, occupied: float) -> NDArray[Any]:
    return np.clip((probabilities(l) - free) / (occupied - free), CERTAIN, 1.0 - CERTAIN)
