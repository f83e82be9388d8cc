"""Drawings of maps, scalar fields and round obstacles."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.image import AxesImage
from matplotlib.patches import Circle
from matplotlib.transforms import Affine2D
from numpy.typing import ArrayLike, NDArray

from ..core import Raster, ShapeError
from ..core.arrays import numbers
from ..core.settings import instance
from ..maps import InflatedGrid
from ..maps.cells import GridCells
from .palette import FOG, INK, PAPER, SHADE, SURPRISE, styled
from .paths import rows


def draw_grid(ax: Axes, grid: GridCells, **style: Any) -> AxesImage:
    """A map: walls dark, free space white, unknown cells light grey, cells added by inflation grey.

    Args:
        ax: the axes to draw on; their limits do not change.
        grid: the map, with any origin and yaw.
        **style: settings of `imshow`.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.viz import map_figure
        >>> grid = OccupancyGrid.from_ascii([".#", ".?"])
        >>> figure, ax = map_figure(grid)
        >>> draw_grid(ax, grid).get_array().shape
        (2, 2, 3)
    """
    instance(grid, GridCells, "draw_grid", "; OccupancyGrid.from_occupied(array, resolution) makes a map")
    return _image(ax, grid_colors(grid), grid.resolution, grid.origin, **{"zorder": 0, **style})


def grid_colors(grid: GridCells) -> NDArray[np.uint8]:
    """Colours of the cells ``(ny, nx, 3)``, row 0 lowest."""
    base = grid.grid if isinstance(grid, InflatedGrid) else grid
    colors = np.empty((*grid.shape, 3), np.uint8)
    colors[...] = rgb(FOG)
    colors[grid.free] = rgb(PAPER)
    colors[grid.occupied & ~base.occupied] = rgb(SHADE)
    colors[base.occupied] = rgb(INK)
    return colors


def draw_raster(ax: Axes, raster: Raster, **style: Any) -> AxesImage:
    """A scalar field as colours; `cmap`, `vmin`, `vmax` and other settings are those of `imshow`.

    Example:
        >>> from pilotage.maps import OccupancyGrid
        >>> from pilotage.viz import map_figure
        >>> grid = OccupancyGrid.from_ascii(["..#", "..."])
        >>> figure, ax = map_figure(grid)
        >>> draw_raster(ax, grid.distance_field(), vmax=2.0).get_array().shape
        (2, 3)
    """
    instance(raster, Raster, "draw_raster", "; draw_grid draws a map, and grid.distance_field() is a raster")
    return _image(ax, raster.values, raster.resolution, raster.origin, **{"cmap": "cividis", "zorder": 0, **style})


def draw_discs(ax: Axes, centers: ArrayLike, radii: ArrayLike, **style: Any) -> PatchCollection:
    """Round obstacles: centers ``(K, 2)`` [m] and radii ``(K,)`` [m], or one radius for all.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> len(draw_discs(ax, [[1, 1], [3, 2]], 0.3).get_paths())
        2
    """
    points = rows(centers, "centers")
    spread = numbers(radii, "radii")
    if spread.shape not in ((), (len(points),)):
        raise ShapeError(f"radii have shape {spread.shape}; expected one of them, or ({len(points)},) for the centers")
    spread = np.broadcast_to(spread, (len(points),))
    given = styled(PatchCollection, style, facecolor=SURPRISE, edgecolor="none", alpha=0.85, zorder=2)
    found = PatchCollection(
        [Circle((x, y), r) for (x, y), r in zip(points.tolist(), spread.tolist(), strict=True)], **given
    )
    ax.add_collection(found, autolim=False)
    return found


def _image(
    ax: Axes, values: NDArray[Any], resolution: float, origin: tuple[float, float, float], **style: Any
) -> AxesImage:
    """An image of cells in the world, placed by the pose of its lower-left corner."""
    rows, columns = values.shape[:2]
    x, y, yaw = origin
    limits = ax.get_xlim(), ax.get_ylim()
    given = {"interpolation": "nearest", **style}
    image = ax.imshow(values, origin="lower", extent=(0, columns, 0, rows), **given)
    image.set_transform(Affine2D().scale(resolution).rotate(yaw).translate(x, y) + ax.transData)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    return image


def rgb(color: str) -> tuple[int, int, int]:
    """A colour as three bytes."""
    r, g, b = (round(255 * part) for part in to_rgb(color))
    return r, g, b
