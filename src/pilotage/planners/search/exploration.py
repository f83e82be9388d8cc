"""Exploration: drive to the frontiers between what is known of a map and what is not, until there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import PilotageError, ShapeError, counted
from pilotage.core.plan import Plan, PlanStatus
from pilotage.core.settings import NonNegative, Positive, instance, positive, settings
from pilotage.maps import Footprint, OccupancyGrid

from ._on_cells import world_point
from .astar import AStar
from .field import cost_to_go

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Frontier:
    """A frontier: free cells beside unknown ones that hang together.

    Attributes:
        points: middles of the cells ``(N, 2)`` [m].
        length: number of cells times their side [m].

    Example:
        >>> Frontier(np.array([[1.0, 2.0], [1.0, 2.5]]), 1.0)
        Frontier(1 m at 1 2.2)
    """

    points: Array
    length: float

    def __repr__(self) -> str:
        x, y = self.points.mean(axis=0).round(1).tolist()
        return f"Frontier({self.length:.3g} m at {x:g} {y:g})"


def frontiers(grid: OccupancyGrid, *, least: float = 0.0) -> list[Frontier]:
    """The frontiers of a map, the longest first.

    Cells off the map are unknown.

    Args:
        grid: the map.
        least: length of the shortest frontier [m]; beams leave gaps in between, which are short.

    Raises:
        SettingError: if it is no `OccupancyGrid`, or `least` is negative.

    Source: B. Yamauchi, "A frontier-based approach for autonomous exploration", CIRA 1997.

    Example:
        >>> frontiers(OccupancyGrid.from_ascii(["####", "#..?", "####"]))
        [Frontier(1 m at 2.5 1.5)]
    """
    from scipy import ndimage

    instance(grid, OccupancyGrid, "frontiers")
    shortest = positive(least, "least", zero=True)
    unknown = np.pad(grid.unknown, 1, constant_values=True)
    beside: Any = ndimage.binary_dilation(unknown)
    labels = np.empty(grid.shape, dtype=np.int32)
    ndimage.label(beside[1:-1, 1:-1] & grid.free, np.ones((3, 3)), output=labels)
    order = np.argsort(labels, axis=None, kind="stable")
    first = np.flatnonzero(np.diff(labels.ravel()[order], prepend=0))
    parts = [np.column_stack(np.unravel_index(part, grid.shape)) for part in np.split(order, first)[1:]]
    found = [Frontier(grid.cell_to_world(part), len(part) * grid.resolution) for part in parts]
    return sorted((each for each in found if each.length >= shortest), key=lambda each: -each.length)


@settings
class FrontierExploration:
    """Exploration by frontiers: the path to the frontier that is near and long.

    ::

        minimise over frontiers    way - gain length

    over those to which a place leads, within `near` of one of their cells, where the robot fits. The path ends at that
    place. When no frontier is left, the status is NO_PATH, and all that can be reached has been seen.

    Args:
        least: length of the shortest frontier [m].
        gain: way that a metre of a frontier is worth [m].
        near: distance of the end of the path from a frontier [m], beside the radius of the robot.
        margin: distance that the robot keeps from obstacles [m]; less where there is no way otherwise.
        comfort: distance from obstacles up to which the path is worse [m].

    Source: B. Yamauchi, "A frontier-based approach for autonomous exploration", CIRA 1997, with the cost of J. Hörner,
    "Map-merging for multi-robot system", 2016 (m-explore).

    Example:
        >>> grid = OccupancyGrid.from_ascii(["########", "#......?", "########"])
        >>> plan = FrontierExploration(least=0.5).plan(grid, (1.5, 1.5), radius=0.4)
        >>> plan.xs[-1].tolist(), plan.stats["frontier"].tolist()
        ([6.5, 1.5], [6.5, 1.5])
    """

    least: Positive = 0.4
    gain: NonNegative = 0.5
    near: NonNegative = 0.5
    margin: NonNegative = 0.1
    comfort: Positive = 0.6

    MARGINS: ClassVar[tuple[float, ...]] = (1.0, 0.5, 0.0)
    """Shares of the margin that are tried, until the robot may stand where it is, and finds a way."""

    def plan(self, grid: OccupancyGrid, start: Any, *, radius: float, avoid: ArrayLike | None = None) -> Plan:
        """The path to the best frontier, or why there is none.

        ``stats["frontier"]`` is the point of the frontier that the path leads to ``(2,)``, and ``stats["frontiers"]``
        their number.

        Args:
            grid: the map so far.
            start: position, pose or belief of the robot.
            radius: radius of the robot [m].
            avoid: points ``(K, 2)``; frontiers with a cell nearer to one than `near` are left out, such as those that
                a visit has not cleared.

        Raises:
            SettingError: if the map is no `OccupancyGrid`, or the radius is negative.
            ShapeError: if start or points are none.
        """
        body, bad, place = positive(radius, "radius", zero=True), _points(avoid), world_point(start, "start")
        all_of_them = frontiers(grid, least=self.least)
        left = [each for each in all_of_them if not _close(each.points, bad, self.near)]
        reason = "nothing is left to explore"
        if all_of_them and not left:
            reason = f"{counted(len(all_of_them), 'frontier')} left, all near points to avoid"
        status = PlanStatus.INVALID if left else PlanStatus.NO_PATH
        for share in self.MARGINS if left else ():
            inflated = grid.inflate(body + share * self.margin)
            costs = grid.soft_costs(body + self.comfort, peak=5.0)
            try:
                ways = cost_to_go(inflated, place, costs=costs, unreachable=-1.0).values
            except PilotageError as error:
                reason = str(error).replace("goal", "start", 1)
                continue
            goal = self._best(grid, left, ways, body)
            if goal is None:
                status, reason = PlanStatus.NO_PATH, f"{counted(len(left), 'frontier')} cannot be reached"
                continue
            found = AStar().plan(inflated, place, goal[0], costs=costs)
            stats = {**found.stats, "frontier": goal[1], "frontiers": len(left)}
            return replace(found, stats=stats, footprint=Footprint.disc(body) if body else None)
        return Plan(status, reason=reason, stats={"frontiers": len(left)})

    def _best(
        self, grid: OccupancyGrid, left: list[Frontier], ways: Array, radius: float
    ) -> tuple[Array, Array] | None:
        """The place to drive to, and the point of the frontier beside it; ways are negative where none leads."""
        from scipy import ndimage

        result: Any = ndimage.distance_transform_edt(ways < 0.0, return_indices=True)
        away, places = result[0] * grid.resolution, np.moveaxis(result[1], 0, -1)
        best: tuple[float, Array, Array] | None = None
        for each in left:
            rows, columns = grid.world_to_cell(each.points).T
            at = places[rows, columns]
            lengths = np.where(away[rows, columns] <= radius + self.near, ways[at[:, 0], at[:, 1]], np.inf)
            k = int(np.argmin(lengths))
            cost = float(lengths[k]) - self.gain * each.length
            if np.isfinite(cost) and (best is None or cost < best[0]):
                best = cost, grid.cell_to_world(at[k]), each.points[k]
        return None if best is None else (best[1], best[2])


def _points(avoid: ArrayLike | None) -> Array:
    """Points ``(K, 2)``."""
    points = np.zeros((0, 2)) if avoid is None else numbers(avoid, "avoid").reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ShapeError("points to avoid hold NaN or infinity; expected x, y [m]")
    return points


def _close(points: Array, others: Array, distance: float) -> bool:
    """Whether a point is near one of the others."""
    away = np.linalg.norm(points[:, None] - others[None], axis=-1)
    return bool((away < distance).any())
