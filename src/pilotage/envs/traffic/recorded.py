"""Replayed traffic from files of NGSIM and CommonRoad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core import TrackTable
from ...core.arrays import Array
from ...core.errors import SettingError
from ...core.settings import Count, setting
from ...io import RoadScenario
from ...io.commonroad import STATE
from ...io.ngsim import Traffic as NGSIMTraffic
from ...planners.frenet import ReferenceLine
from .replayed import ReplayedTraffic
from .road import Road


def ngsim_traffic(traffic: NGSIMTraffic, lanes: Count = 6, *, least: float = 60.0) -> ReplayedTraffic:
    """The traffic of a file of NGSIM, as `read_ngsim` gives it.

    Places across the road are moved by one number, so that the cars in the leftmost lane drive in its middle, in the
    median. The middle of a car is half its length behind the recorded middle of its front. Its yaw is the direction of
    its way, over a second before and after.

    Args:
        traffic: the recording.
        lanes: number of lanes of 3.7 m.
        least: see `ReplayedTraffic`.

    Example:
        >>> from pilotage.io.ngsim import STATE as ROWS
        >>> t = np.arange(100) / 10
        >>> tracks = TrackTable(t, np.full(100, 7), np.stack([15 * t, 0 * t - 9.0, 0 * t + 15, 0 * t], -1), space=ROWS)
        >>> i80 = ngsim_traffic(NGSIMTraffic(tracks, np.full(100, 3), {7: (4.0, 1.8)}))
        >>> i80.start(vehicle=7)[:4].round(2).tolist()
        [28.0, 1.85, 0.0, 15.0]
    """
    road = Road(lanes=setting(lanes, Count, "lanes"))
    tracks = traffic.tracks
    shift = _shift(traffic, road)
    rows = np.empty((len(tracks), 4))
    for i in tracks.ids:
        mine = tracks.id == i
        x, y, v = tracks.x[mine, 0], tracks.x[mine, 1], tracks.x[mine, 2]
        yaw = heading(tracks.t[mine], x, y)
        half = 0.5 * traffic.sizes[int(i)][0]
        rows[mine] = np.stack([x - half * np.cos(yaw), y - half * np.sin(yaw) + shift, yaw, v], -1)
    table = TrackTable(tracks.t, tracks.id, rows, space=STATE, kind=tracks.kind)
    return ReplayedTraffic(table, traffic.sizes, road, least=least)


def _shift(traffic: NGSIMTraffic, road: Road) -> float:
    """By how much y of a recording becomes that on a road [m]; the leftmost lane in use says it."""
    if not len(traffic.tracks):
        return 0.0
    lane = int(min(traffic.lanes.min(), road.lanes))
    return float(road.centers[road.lanes - max(lane, 1)] - np.median(traffic.tracks.x[traffic.lanes <= lane, 1]))


def heading(t: Array, x: Array, y: Array, span: float = 1.0) -> Array:
    """The direction of a way ``(K,)`` [rad], over `span` seconds before and after; that of the road where it rests."""
    before, after = np.searchsorted(t, t - span), np.searchsorted(t, t + span, side="right") - 1
    dx, dy = x[after] - x[before], y[after] - y[before]
    return np.where(dx > 1.0, np.arctan2(dy, np.maximum(dx, 1.0)), 0.0)


def commonroad_traffic(scenario: RoadScenario, *, least: float = 60.0) -> ReplayedTraffic:
    """The traffic of a scenario on a road of one direction, straightened along its longest lane.

    Places become Frenet coordinates: x the length along the lane, y the distance beside it, from the middle of all
    lanes. Cars beyond the ends of the lane are left out.

    Args:
        scenario: as `read_commonroad` gives it; its time step must be 0.1 s.
        least: see `ReplayedTraffic`.

    Raises:
        SettingError: if there are no lanes, or a tenth of the cars drive across them, as at an intersection.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.io import Lanelet
        >>> s = np.linspace(0.0, 300.0, 31)
        >>> lane = Lanelet(np.stack([0 * s - 2, s], -1), np.stack([0 * s + 2, s], -1))
        >>> t, space = np.arange(100) / 10, Space("x y [m]", "yaw: angle", "speed [m/s]")
        >>> rows = np.stack([0 * t + 0.5, 20 * t, 0 * t + np.pi / 2, 0 * t + 20], -1)
        >>> tracks = TrackTable(t, np.full(100, 7), rows, space=space)
        >>> north = RoadScenario("north", 0.1, tracks, {}, {7: (4.0, 1.8)}, {1: lane}, {})
        >>> commonroad_traffic(north).start(vehicle=7)[[0, 1, 3]].round(2).tolist()
        [40.0, -0.5, 20.0]

    Source: frame of M. Werling et al. 2010, by `ReferenceLine`.
    """
    if not scenario.lanelets:
        raise SettingError(f"{scenario} has no lanes; expected a road")
    line = ReferenceLine(max((_chain(scenario, i) for i in scenario.lanelets), key=_length))
    sides = [_beside(line, lane.left, lane.right) for lane in scenario.lanelets.values()]
    edges = np.array([np.median(both, axis=0) for both in sides if len(both)])
    left, right = edges[:, 0].max(), edges[:, 1].min()
    lanes = max(round(float((left - right) / np.median(edges[:, 0] - edges[:, 1]))), 1)
    road = Road(lanes=lanes, lane_width=float(left - right) / lanes)
    x = scenario.tracks.x
    found = line.to_frenet(np.concatenate([x, np.zeros((len(x), 2))], -1))
    yaw = np.arctan(found[:, 4])
    rows = np.stack([found[:, 0], found[:, 3] - 0.5 * (left + right), yaw, x[:, 3]], -1)
    along, beyond = np.isfinite(found).all(1), _ends(line, x[:, :2])
    if (across := ~along & ~beyond).sum() > 0.1 * max((~beyond).sum(), 1):
        raise SettingError(f"{across.sum()} of {len(x)} places in {scenario} are across its lanes; expected a road")
    table = TrackTable(scenario.tracks.t[along], scenario.tracks.id[along], rows[along], space=STATE)
    return ReplayedTraffic(table, scenario.sizes, road, least=least)


def _chain(scenario: RoadScenario, first: int) -> Array:
    """The middle of a lanelet and those that follow ``(K, 2)``."""
    seen, points, i = set[int](), [], first
    while i in scenario.lanelets and i not in seen:
        seen.add(i)
        points.append(scenario.lanelets[i].middle)
        following = [j for j in scenario.lanelets[i].successors if j in scenario.lanelets]
        i = following[0] if following else -1
    way = np.concatenate(points)
    return np.asarray(way[np.append(True, np.hypot(*np.diff(way, axis=0).T) > 0.1)])


def _length(way: Array) -> float:
    return float(np.hypot(*np.diff(way, axis=0).T).sum())


def _beside(line: ReferenceLine, left: Array, right: Array) -> Array:
    """Distances of the left and right bounds of a lane from the line ``(K, 2)``."""
    rows = np.zeros((len(left), 6))
    middle = 0.5 * (left + right)
    turn = np.gradient(middle, axis=0) if len(middle) > 1 else np.ones((1, 2))
    rows[:, 2] = np.arctan2(turn[:, 1], turn[:, 0])
    found = []
    for bound in (left, right):
        rows[:, :2] = bound
        found.append(line.to_frenet(rows)[:, 3])
    both = np.stack(found, -1)
    return np.asarray(both[np.isfinite(both).all(1)])


def _ends(line: ReferenceLine, points: Array) -> NDArray[np.bool_]:
    """Whether points are before the start of a line, or after its end."""
    first, last = line.poses([0.0, line.length])
    before = (points - first[:2]) @ [np.cos(first[2]), np.sin(first[2])] < 0.0
    after = (points - last[:2]) @ [np.cos(last[2]), np.sin(last[2])] > 0.0
    return np.asarray(before | after)
