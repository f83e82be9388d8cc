"""A costmap: layers of obstacles, inflated with a cost that decays exponentially."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core._values import freeze
from pilotage.core.arrays import numbers
from pilotage.core.errors import SettingError, ShapeError
from pilotage.core.settings import positive

from .cells import read_only
from .distance import distance_bands
from .footprint import Footprint
from .occupancy import OccupancyGrid, check_grid
from .queries import PlanningMap
from .surprises import ObstacleLayer

Mask = NDArray[np.bool_]
Costs = NDArray[np.uint8]
Box = tuple[slice, slice]
Layer = OccupancyGrid | ObstacleLayer | ArrayLike
LETHAL, INSCRIBED, UNKNOWN, STEPS = 254, 253, 255, 252


@dataclass(frozen=True, eq=False, repr=False)
class Costmap(PlanningMap):
    """A map with obstacles from several layers, around which costs decay exponentially, for planners on cells.

    ::

        cost = 254                                            in obstacles of any layer
               253                                            d <= inscribed: a robot there is in collision
               floor(252 exp(-decay (d - inscribed)))         d <= radius, rounded up to whole cells
               0                                              else;  255 in unknown cells with d > inscribed

        d = distance between the centres of the cell and of the nearest obstacle;  a layer of costs raises them: max

    The numbers are those of Nav2's inflation layer. Costs are a function of the obstacles as they are now, so an
    obstacle that has gone leaves none behind. `with_layers` computes only what has changed, and gives the same costs as
    a new costmap, bit for bit. As a grid, cells of cost 253 and 254 are occupied, and planners use `costs` unless they
    are given others. A `problem` forbids collisions of the footprint with obstacles of all layers, exactly; planners on
    cells take the costs with it as ``costs=costmap.costs``.

    Attributes:
        grid: the map, the static layer; unknown cells are its own.
        layers: further layers: `ObstacleLayer`, `OccupancyGrid` with the cells of `grid`, or costs ``(ny, nx)`` from 0
            to 254, such as zones to avoid; 254 is an obstacle.
        inscribed: radius of a round robot, or of the largest disc in its footprint [m].
        radius: distance from obstacles at which costs end [m]; at least `inscribed`.
        decay: rate of the exponential decay [1/m], `cost_scaling_factor` of Nav2.
        weight: extra cost per metre for planners at cost 252; a path may be longer by this factor to avoid it.

    Raises:
        ShapeError: if a layer has other cells than `grid`, or costs that are not whole numbers from 0 to 254.
        SettingError: if a length or rate is negative, or `radius` is less than `inscribed`.

    Source: Nav2, nav2_costmap_2d, inflation_layer.hpp, computeCost, with its default values for radius and decay.

    Example:
        >>> hall = OccupancyGrid.from_ascii(["#......."], resolution=0.1)
        >>> Costmap(hall, inscribed=0.2, radius=0.55).cost
        array([[254, 253, 253,  92,  34,  12,   4,   0]], dtype=uint8)
        >>> from pilotage.planners import AStar
        >>> hall = OccupancyGrid.from_ascii(["....#....", ".........", "........."], resolution=0.5).refined(5)
        >>> costmap = Costmap(hall, inscribed=0.15, radius=1.0, decay=2.0)
        >>> problem = costmap.problem([0.25, 0.75], [4.25, 0.75])
        >>> [round(float(AStar().plan(problem, costs=c).xs[:, 1].min()), 2) for c in (None, costmap.costs)]
        [0.75, 0.25]
    """

    grid: OccupancyGrid
    layers: Sequence[Layer] = ()
    inscribed: float = 0.22
    radius: float = 0.55
    decay: float = 10.0
    weight: float = 3.0

    def __post_init__(self) -> None:
        check_grid(self.grid)
        object.__setattr__(self, "layers", tuple(_checked(each, self.grid) for each in self.layers))
        for name in ("inscribed", "radius", "decay", "weight"):
            object.__setattr__(self, name, positive(getattr(self, name), name, zero=True))
        if self.radius < self.inscribed:
            raise SettingError(
                f"radius {self.radius:g} m < inscribed {self.inscribed:g} m; costs end at `radius` from obstacles, so "
                "expected at least `inscribed`"
            )

    def __repr__(self) -> str:
        return f"Costmap({self.grid!r}, {len(self.layers)} further layers)"

    def __getstate__(self) -> dict[str, Any]:
        names = ("grid", "layers", "inscribed", "radius", "decay", "weight")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fill a costmap, whose layers would be writeable when they come from a pickle."""
        freeze(state["layers"])
        vars(self).update(state)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        return self.grid.shape

    @property
    def resolution(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The side of a cell [m]."""
        return self.grid.resolution

    @property
    def origin(self) -> tuple[float, float, float]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The pose of the lower-left corner of the map."""
        return self.grid.origin

    def with_layers(self, *layers: Layer) -> Costmap:
        """The same costmap with these layers in place of the present ones, computed around what has changed."""
        new, cost, reach = replace(self, layers=layers), self._inflated.copy(), self._reach
        for box in _boxes(new.lethal != self.lethal, reach):
            around = _grown(box, reach)
            inside = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, around, strict=True))
            cost[box] = self._inflate(new.lethal[around])[inside]
        object.__setattr__(new, "_inflated", cost)
        return new

    @cached_property
    def _world(self) -> OccupancyGrid:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The map with the obstacles of all layers: what is forbidden is a collision with them, exactly."""
        return self.grid.with_occupied(self.lethal)

    @property
    def _robot(self) -> Footprint:
        return Footprint.disc(self.inscribed)

    @cached_property
    def lethal(self) -> Mask:
        """The obstacles of all layers, bools ``(ny, nx)``."""
        mask = self.grid.occupied.copy()
        for each in self.layers:
            mask |= each.occupied if isinstance(each, ObstacleLayer | OccupancyGrid) else np.asarray(each) >= LETHAL
        return read_only(mask)

    @cached_property
    def cost(self) -> Costs:
        """The costs ``(ny, nx)``, 0 to 255, as in Nav2."""
        cost = self._known
        return read_only(np.where(self.grid.unknown & (cost < INSCRIBED), np.uint8(UNKNOWN), cost))

    @cached_property
    def _known(self) -> Costs:
        """The costs of all that is known: in unknown cells, those of obstacles around and of the layers."""
        cost = self._inflated.copy()
        for each in self.layers:
            if isinstance(each, np.ndarray):
                np.maximum(cost, each, out=cost)
        return cost

    @property
    def costs(self) -> NDArray[np.float64]:
        """The costs ``1 + weight cost / 252`` of a metre in each cell ``(ny, nx)``, for planners.

        An unknown cell costs as much as a free one there, so a planner with ``unknown="free"`` does not prefer it.
        """
        return 1.0 + self.weight / STEPS * self._known.astype(np.float64)

    @cached_property
    def occupied(self) -> Mask:
        """The cells in which a robot is in collision, bools ``(ny, nx)``."""
        return read_only((self.cost == INSCRIBED) | (self.cost == LETHAL))

    @cached_property
    def free(self) -> Mask:
        """The free cells of the map in which a robot is clear of all layers, bools ``(ny, nx)``."""
        return read_only(self.grid.free & (self.cost < INSCRIBED))

    @cached_property
    def _inflated(self) -> Costs:
        """The costs around the obstacles, without those of layers of costs."""
        return self._inflate(self.lethal)

    def _inflate(self, lethal: Mask) -> Costs:
        """The costs around obstacles, of the map or a part of it."""
        cost, table = np.zeros(lethal.shape, np.uint8), self._table
        if lethal.any():
            for rows, d in distance_bands(lethal):
                cost[rows] = table[np.minimum(np.rint(d * d), len(table) - 1).astype(np.intp)]
        return cost

    @property
    def _reach(self) -> int:
        """The distance at which costs end [cells]."""
        return math.ceil(self.radius / self.resolution - 1e-9)

    @property
    def _table(self) -> Costs:
        """The cost by the square of the distance [cells], and a last entry for all larger ones."""
        d = np.sqrt(np.arange(self._reach**2 + 2)) * self.resolution
        cost = np.floor(STEPS * np.exp(-self.decay * np.maximum(d - self.inscribed, 0.0)))
        cost[d <= self.inscribed * (1.0 + 1e-12)] = INSCRIBED
        cost[0], cost[-1] = LETHAL, 0
        return cost.astype(np.uint8)


def _boxes(changed: Mask, reach: int) -> Iterator[Box]:
    """Boxes of rows and columns that contain all cells within reach of changed ones."""
    columns = np.flatnonzero(changed.any(axis=0))
    for run in np.split(columns, np.flatnonzero(np.diff(columns) > 2 * reach) + 1) if len(columns) else ():
        across = slice(int(run[0]), int(run[-1]) + 1)
        rows = np.flatnonzero(changed[:, across].any(axis=1))
        yield _grown((slice(int(rows[0]), int(rows[-1]) + 1), across), reach)


def _grown(box: Box, reach: int) -> Box:
    rows, columns = (slice(max(side.start - reach, 0), side.stop + reach) for side in box)
    return rows, columns


def _checked(layer: Any, grid: OccupancyGrid) -> Any:
    """A layer that fits the grid; costs as a read-only array."""
    if isinstance(layer, ObstacleLayer | OccupancyGrid):
        frame = layer.grid if isinstance(layer, ObstacleLayer) else layer
        if (frame.shape, frame.resolution, frame.origin) != (grid.shape, grid.resolution, grid.origin):
            raise ShapeError(f"a layer of a costmap must have the cells of the map, {grid!r}, not those of {frame!r}")
        return layer
    costs = numbers(layer, "a layer of costs")
    if costs.shape != grid.shape or not ((costs >= 0) & (costs <= LETHAL) & (costs == np.floor(costs))).all():
        raise ShapeError(
            f"a layer of costs must be whole numbers from 0 to 254 of shape {grid.shape}; this one has shape "
            f"{costs.shape}, and values from {costs.min(initial=np.inf):g} to {costs.max(initial=-np.inf):g}"
        )
    return read_only(costs.astype(np.uint8))
