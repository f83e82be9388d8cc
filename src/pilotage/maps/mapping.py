"""Mapping with known poses: scans update the log-odds of the cells that they cross, compiled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import number, positive
from pilotage.models.trace import driver

from .cells import log_odds
from .frame import GridFrame, local_rays
from .raycast import entered, measured


@dataclass(frozen=True)
class Evidence:
    """The evidence of one beam about a cell, and its limits. A beam ends in the cell that it enters.

    ::

        l(cell) <- clip(l(cell) + log(p / (1 - p)), clamp),   p = hit where a beam ends, miss where it passes

    Attributes:
        hit, miss: probabilities of occupancy given that one beam ends in the cell or passes it.
        clamp: lowest and highest probability that evidence can reach, so that the map can still change.

    Source: A. Hornung et al., OctoMap, 2013, equations 2 and 4, with its default values.
    """

    hit: float = 0.7
    miss: float = 0.4
    clamp: tuple[float, float] = (0.12, 0.97)

    def __post_init__(self) -> None:
        hit, miss, clamp = number(self.hit, "hit"), number(self.miss, "miss"), numbers(self.clamp, "clamp")
        if not (0 < miss <= 0.5 <= hit < 1 and clamp.shape == (2,) and 0 <= clamp[0] < 0.5 < clamp[1] <= 1):
            raise ShapeError(
                "evidence asks for 0 < miss <= 0.5 <= hit < 1 and a clamp (low, high) around 0.5, "
                f"not {self.miss}, {self.hit} and {self.clamp}"
            )

    def add(
        self,
        cells: NDArray[np.float32],
        frame: GridFrame,
        poses: ArrayLike,
        ranges: ArrayLike,
        angles: ArrayLike,
        max_range: float,
        min_range: float,
    ) -> NDArray[np.float32]:
        """The log-odds ``(ny, nx)`` of a grid after lidar scans, as a new read-only array.

        Args:
            cells: log-odds before the scans; NaN if unknown.
            frame: frame of the grid.
            poses: poses of the sensor, ``(..., 3)`` x [m], y [m], yaw [rad]; poses that are not finite are ignored.
            ranges: ``(..., B)`` [m]; NaN, 0 and less than `min_range` mean not measured; `max_range` or more (also
                infinity) means nothing was seen.
            angles: ``(B,)`` of the beams relative to the yaw [rad].
            max_range, min_range: largest and smallest range of the sensor [m].
        """
        local, directions = local_rays(frame, poses, angles)
        reach = positive(max_range, "max_range") / frame.resolution
        scans = numbers(ranges, "ranges")
        expected = (*np.shape(poses)[:-1], len(directions))
        if scans.shape != expected:
            raise ShapeError(f"ranges have shape {scans.shape}; {expected} was expected, a scan for each pose")
        out = np.array(cells, order="C")
        least = positive(min_range, "min_range", zero=True)
        scans = entered(measured(scans, least).reshape(len(local), len(directions)) / frame.resolution)
        change = (float(value) for value in log_odds([self.hit, self.miss, *self.clamp]))
        add_scans(
            out,
            np.zeros(out.shape, dtype=np.int32),
            local,
            np.cos(directions),
            np.sin(directions),
            np.ascontiguousarray(scans),
            entered(reach),
            *change,
        )
        out.setflags(write=False)
        return out


@driver("void(f4[:,::1], i4[:,::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], f8, f8, f8, f8, f8)")
def add_scans(log_odds, changed, poses, beam_cos, beam_sin, ranges, reach, hit, miss, low, high):
    """Add scans to a grid one by one, in place.

    Each scan changes a cell once: by `hit` if a beam ends in it, else by `miss` if one crosses it.

    Args:
        log_odds: ``(ny, nx)`` float32, NaN if unknown; updated.
        changed: memory, ``(ny, nx)`` int32 of zeros.
        poses: ``(T, 3)`` x, y in cells from the corner of cell [0, 0], heading in the axes of the grid.
        beam_cos, beam_sin: of the beam angles, ``(B,)``.
        ranges: ``(T, B)`` in cells; NaN and negative were not measured, `reach` or more saw nothing.
        reach: of the sensor [cells].
        hit, miss: log-odds that are added.
        low, high: log-odds do not leave this interval, unless they lay outside before.
    """
    rows, columns = log_odds.shape
    for scan in range(poses.shape[0]):
        x, y, heading = poses[scan, 0], poses[scan, 1], poses[scan, 2]
        if not (abs(x) < 1e9 and abs(y) < 1e9 and math.isfinite(heading)):
            continue
        c, s = math.cos(heading), math.sin(heading)
        for crossing in range(2):
            for b in range(beam_cos.shape[0]):
                r = ranges[scan, b]
                if not r >= 0.0 or (crossing == 0 and r >= reach):
                    continue
                r = min(r, reach)
                end_x = x + r * (c * beam_cos[b] - s * beam_sin[b])
                end_y = y + r * (s * beam_cos[b] + c * beam_sin[b])
                if crossing == 1:
                    _cross(log_odds, changed, scan + 1, x, y, end_x, end_y, miss, low, high)
                elif 0.0 <= end_x < columns and 0.0 <= end_y < rows:
                    i, j = int(end_x), int(end_y)
                    if changed[j, i] != scan + 1:
                        changed[j, i] = scan + 1
                        log_odds[j, i] = _added(log_odds[j, i], hit, low, high)


@driver
def _cross(log_odds, changed, stamp, x, y, end_x, end_y, miss, low, high):
    """Lower the cells from a start up to, but not including, the cell of the end (Amanatides and Woo, 1987)."""
    rows, columns = log_odds.shape
    dx, dy = end_x - x, end_y - y
    # The beam is clipped to the map with a margin of one cell, because it may be extremely long.
    begin, finish = 0.0, 1.0
    for p, d, beyond in ((x, dx, columns + 1.0), (y, dy, rows + 1.0)):
        if d != 0.0:
            a, b = (-1.0 - p) / d, (beyond - p) / d
            begin, finish = max(begin, min(a, b)), min(finish, max(a, b))
        elif not -1.0 <= p <= beyond:
            return
    if begin >= finish:
        return
    if finish < 1.0:
        end_x, end_y = x + finish * dx, y + finish * dy
    if begin > 0.0:
        x, y = x + begin * dx, y + begin * dy
    dx, dy = end_x - x, end_y - y
    i, j = int(math.floor(x)), int(math.floor(y))
    step_i, step_j = (1 if dx > 0 else -1), (1 if dy > 0 else -1)
    next_x = ((i + (1 if dx > 0 else 0)) - x) / dx if dx != 0.0 else np.inf
    next_y = ((j + (1 if dy > 0 else 0)) - y) / dy if dy != 0.0 else np.inf
    per_x, per_y = (abs(1.0 / dx) if dx != 0.0 else np.inf), (abs(1.0 / dy) if dy != 0.0 else np.inf)
    # The number of steps is counted, so that the beam ends in the right cell regardless of rounding.
    for _ in range(abs(int(math.floor(end_x)) - i) + abs(int(math.floor(end_y)) - j)):
        if 0 <= i < columns and 0 <= j < rows and changed[j, i] != stamp:
            changed[j, i] = stamp
            log_odds[j, i] = _added(log_odds[j, i], miss, low, high)
        if next_x < next_y:
            next_x += per_x
            i += step_i
        else:
            next_y += per_y
            j += step_j


@driver
def _added(old, change, low, high):
    """The log-odds after a change; unknown cells start from 0."""
    if math.isnan(old):
        old = np.float32(0.0)
    return np.float32(max(min(old + change, max(old, high)), min(old, low)))
