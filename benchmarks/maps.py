"""Map queries of a particle filter at every scan: rays and the likelihood of the scan; and scans added to a map."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

import pilotage
from benchmarks.harness import Contest, absolute, row
from pilotage.core.arrays import Array
from pilotage.maps import DynamicDistance, Lidar, OccupancyGrid, OccupancyMap
from pilotage.maps.distance import distance_transform

MAP = Path(pilotage.__file__).parent / "envs" / "maps" / "depot.yaml"
PARTICLES, BEAMS, REACH = 10_000, 60, 10.0


def poses(grid: OccupancyGrid, count: int) -> Array:
    """Poses ``(count, 3)`` spread over the free cells."""
    draw = np.random.default_rng(1)
    cells = np.argwhere(grid.free)[draw.integers(0, grid.free.sum(), count)]
    return np.column_stack((grid.cell_to_world(cells), draw.uniform(-np.pi, np.pi, count)))


@row(
    "raycast",
    peer="numpy marching",
    bar=8,
    unit="ms",
    note="10 000 particles x 60 beams, 10 m, 5 cm cells; ours exact traversal, the peer a cell a step",
)
def raycast(quick: bool) -> Contest:
    grid = OccupancyGrid.load(MAP)
    where, angles = poses(grid, PARTICLES // (10 if quick else 1)), np.linspace(-np.pi, np.pi, BEAMS, endpoint=False)

    def check() -> str:
        exact, marched = grid.raycast(where, angles, REACH), march(grid, where, angles)
        # A march sees a wall at its first step inside, and may step over a corner; it is never early.
        assert (marched >= exact - 1e-9).all(), "a march ended before the exact traversal"
        same = float((marched <= exact + 1.5 * grid.resolution).mean())
        assert same > 0.8, f"only {same:.0%} of the rays agree to a step"
        return f"{same:.0%} of the rays agree to a step, the peer skips corners on the others"

    return Contest(lambda: grid.raycast(where, angles, REACH), lambda: march(grid, where, angles), check)


def march(grid: OccupancyGrid, where: Array, angles: Array) -> Array:
    """Ranges by steps of a cell, all rays at once; those that have hit are taken out."""
    occupied = np.pad(grid.occupied, 1).ravel()
    width, (ny, nx) = grid.shape[1] + 2, grid.shape
    local = grid.world_to_grid(where)
    heading = (local[:, 2:] + angles).ravel()
    x: Any = np.repeat(local[:, 0], len(angles))
    y: Any = np.repeat(local[:, 1], len(angles))
    dx, dy = np.cos(heading), np.sin(heading)
    ranges, alive = np.full(heading.shape, REACH), np.arange(heading.size)
    for step in range(1, int(REACH / grid.resolution) + 1):
        x, y = x + dx, y + dy
        column = np.clip(np.floor(x), -1, nx).astype(np.intp) + 1
        line = np.clip(np.floor(y), -1, ny).astype(np.intp) + 1
        hit = occupied[line * width + column]
        if hit.any():
            ranges[alive[hit]] = step * grid.resolution
            going = ~hit
            alive, x, y, dx, dy = alive[going], x[going], y[going], dx[going], dy[going]
    return ranges.reshape(len(where), len(angles))


@row(
    "likelihood_field",
    peer="vectorised numpy",
    bar=15,
    unit="ms",
    note="10 000 particles x 60 beams, both by looking up one table",
)
def likelihood_field(quick: bool) -> Contest:
    grid = OccupancyGrid.load(MAP)
    lidar = Lidar(grid, BEAMS, REACH)
    where = poses(grid, PARTICLES)
    scan = lidar.sample(where[0], rng=2)
    table = log_table(lidar)

    def check() -> str:
        gap = float(np.abs(lidar.log_prob(scan, where) - score(lidar, table, scan, where)).max())
        assert gap < 1e-3, f"log-likelihoods differ by {gap:.2g}"
        return f"log-likelihoods agree to {gap:.0e}"

    return Contest(lambda: lidar.log_prob(scan, where), lambda: score(lidar, table, scan, where), check)


def log_table(lidar: Lidar) -> Array:
    """Log-likelihood of a beam that ends in a cell, with a ring for what lies off the map."""
    d = lidar.grid.distance_field().values
    floor = (lidar.random + lidar.short) / lidar.max_range
    hit = lidar.hit * np.exp(-0.5 * (d / lidar.sigma) ** 2) / (lidar.sigma * np.sqrt(2.0 * np.pi)) + floor
    known = np.maximum(hit, np.where(lidar.grid.unknown, 1.0 / lidar.max_range, 0.0))
    return np.log(np.pad(known, 1, constant_values=floor))


def score(lidar: Lidar, table: Array, scan: Array, where: Array) -> Array:
    """Log-likelihoods ``(N,)`` as one would write them in numpy."""
    grid, angles = lidar.grid, np.asarray(lidar.angles)
    (ny, nx), ends = grid.shape, scan < lidar.max_range
    heading = where[:, 2:] + angles[ends]
    column = (where[:, :1] + scan[ends] * np.cos(heading) - grid.origin[0]) / grid.resolution
    line = (where[:, 1:2] + scan[ends] * np.sin(heading) - grid.origin[1]) / grid.resolution
    column = np.clip(np.floor(column).astype(np.intp), -1, nx) + 1
    line = np.clip(np.floor(line).astype(np.intp), -1, ny) + 1
    total: Any = table[line, column].sum(axis=1)
    return total + (~ends).sum() * np.log(lidar.missed)


@row(
    "map_scans",
    peer="vectorised numpy",
    bar=30,
    unit="ms",
    note="a scan of 360 beams, 30 m, from a drive through the depot, 5 cm cells; both cross exactly the same cells",
)
def map_scans(quick: bool) -> Contest:
    where, scans, angles = drive(360)
    built, cells, corner = blank(where), *numpy_map(where)

    def check() -> str:
        for pose, scan in zip(where, scans, strict=True):
            built.insert(pose, scan, angles, SIGHT)
            insert(cells, corner, pose, scan, angles)
        np.testing.assert_allclose(built.log_odds, cells, atol=1e-4)
        return f"mean range {scans.mean():.1f} m, log-odds equal to 1e-4"

    turn, other = itertools.cycle(range(len(where))), itertools.cycle(range(len(where)))
    return Contest(
        lambda: built.insert(where[k := next(turn)], scans[k], angles, SIGHT),
        lambda: insert(cells, corner, where[k := next(other)], scans[k], angles),
        check,
    )


@absolute("map_scan_1080", limit=0.28, unit="ms", note="a scan of 1080 beams, else as map_scans")
def map_scan_1080(quick: bool) -> Contest:
    where, scans, angles = drive(1080)
    built, turn = blank(where), itertools.cycle(range(len(where)))
    return Contest(lambda: built.insert(where[k := next(turn)], scans[k], angles, SIGHT))


SIGHT = 30.0
HIT, MISS, LOW, HIGH = (float(np.log(p / (1.0 - p))) for p in (0.7, 0.4, 0.12, 0.97))


def drive(beams: int) -> tuple[Array, Array, Array]:
    """Poses ``(T, 3)`` along a hall of the depot, their scans ``(T, B)`` and the angles ``(B,)`` of the beams."""
    grid, angles = OccupancyGrid.load(MAP), np.linspace(-np.pi, np.pi, beams, endpoint=False)
    where = np.column_stack((np.linspace(4.0, 10.0, 60), np.full(60, 1.2), np.linspace(-0.5, 0.5, 60)))
    return where, grid.raycast(where, angles, SIGHT), angles


def frame(where: Array) -> tuple[Array, tuple[int, int]]:
    """The corner [m] and the shape of a map that holds all that can be seen."""
    low, high = where[:, :2].min(axis=0) - SIGHT - 1.0, where[:, :2].max(axis=0) + SIGHT + 1.0
    nx, ny = np.ceil((high - low) / 0.05).astype(int).tolist()
    return low, (ny, nx)


def blank(where: Array) -> OccupancyMap:
    corner, shape = frame(where)
    return OccupancyMap.from_grid(OccupancyGrid.from_probability(np.full(shape, np.nan), 0.05, (*corner.tolist(), 0.0)))


def numpy_map(where: Array) -> tuple[Any, Array]:
    corner, shape = frame(where)
    return np.full(shape, np.nan, dtype=np.float32), corner


def insert(cells: Any, corner: Array, pose: Array, ranges: Array, angles: Array) -> None:
    """Add a scan to log-odds ``(ny, nx)`` in place."""
    flat = cells.reshape(-1)
    for where, evidence in zip(crossed(cells.shape, corner, pose, ranges, angles, SIGHT), (MISS, HIT), strict=True):
        old = flat[where]
        flat[where] = np.clip(np.where(np.isnan(old), 0.0, old) + evidence, LOW, HIGH)


def crossed(
    shape: tuple[int, int], corner: Array, pose: Array, ranges: Array, angles: Array, reach: float
) -> tuple[Any, Any]:
    """The cells that the beams of a scan pass, and those in which they end; flat indices, each cell once.

    Beams enter cells through the sides of columns and of rows; all beams at once.
    """
    width, reach = shape[1], reach / 0.05
    x, y = (pose[:2] - corner) / 0.05
    r = np.minimum(ranges / 0.05 * (1.0 + 1e-7) + 1e-9, reach)  # a hit is the cell behind the face
    dx, dy = np.cos(pose[2] + angles), np.sin(pose[2] + angles)
    ends = np.floor(y + r * dy).astype(np.intp) * width + np.floor(x + r * dx).astype(np.intp)
    low, high = np.floor([y - r.max(), y + r.max() + 1.0]).astype(np.intp) * width
    passed = np.zeros(high - low, dtype=bool)  # of the rows that the scan may reach
    passed[int(y) * width + int(x) - low] = True
    for p, q, d, e, stride, other in ((x, y, dx, dy, 1, width), (y, x, dy, dx, width, 1)):
        first = int(p)
        count = np.abs(np.floor(p + r * d).astype(np.intp) - first)
        beam = np.repeat(np.arange(len(r)), count)
        step = np.arange(len(beam)) - np.repeat(np.cumsum(count) - count, count)
        up, slope = d > 0.0, e / d
        side = first + np.where(up[beam], step + 1, -step)
        across = (q + (side - p) * slope[beam]).astype(np.intp)
        passed[(side - ~up[beam]) * stride + across * other - low] = True
    passed[ends - low] = False
    return np.flatnonzero(passed) + low, np.unique(ends[r < reach])


@row(
    "distance_update",
    peer="from scratch",
    bar=1,
    unit="us",
    note="one cell of the depot map changes; the peer computes the whole field; the bar only says that it is no loss",
)
def distance_update(quick: bool) -> Contest:
    grid = OccupancyGrid.load(MAP)
    dynamic, mask = DynamicDistance(grid), grid.occupied.copy()
    draw = np.random.default_rng(4)
    cells = np.argwhere(grid.free)[draw.integers(0, grid.free.sum(), 4 if quick else 20)].tolist()

    def toggled() -> None:
        for cell in cells:
            dynamic.mark([cell], occupied=True)
            dynamic.mark([cell], occupied=False)

    def scratch() -> None:
        for cell in cells:
            for mask[*cell] in (True, False):
                fresh = distance_transform(mask)
                fresh *= grid.resolution

    def check() -> str:
        toggled()
        assert (dynamic.values == grid.distance_field().values).all(), "the field differs from the one from scratch"
        return "equal bit for bit"

    return Contest(toggled, scratch, check, work=2.0 * len(cells))
