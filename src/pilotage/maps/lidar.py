"""The lidar: a sensor of ranges on a map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers, shared_axes
from pilotage.core.errors import ModelError, ShapeError
from pilotage.core.sensor import Sensor
from pilotage.core.settings import number, positive, shown
from pilotage.core.space import Space
from pilotage.core.streams import Rng, generator

from .disc_ranges import disc_ranges
from .occupancy import OccupancyGrid, check_grid
from .raycast import entered, measured
from .scan_kernels import score_beams, score_field

Array = NDArray[np.float64]

MODELS = ("likelihood_field", "beam")


@dataclass(frozen=True, eq=False, repr=False)
class Lidar(Sensor):
    """A lidar on an `OccupancyGrid`: expected ranges along fixed directions, and the likelihood of a scan at a pose.

    The context is what stands in front of the map, such as people: discs ``(K, 3)`` of x, y and radius [m], or None.

    The range of a beam has a mixture density of four terms, where z* is the range expected from the map::

        p(z | x) =   hit     N(z; z*, sigma^2)                        the obstacle on the map
                   + short   decay exp(-decay z) for z <= z*          an obstacle in front of it
                   + missed  [z = max_range]                          nothing seen
                   + random  1 / max_range                            any other reading

    Hit and short are truncated to the range of readings and normalised. With ``model="beam"``, `log_prob` sums the
    logarithm of this density over the beams, with z* from exact ray casting. With ``model="likelihood_field"``, the hit
    term uses the distance d from the end of the beam to the nearest obstacle, ``hit N(d; 0, sigma^2)``; this is faster
    and smooth in the pose, but ignores obstacles along the beam. Here `short` is added to `random`. A beam that ends in
    an unknown cell carries no information and counts at least ``1 / max_range``.

    The beams of a scan are not independent, because they share the errors of the map, so their product is
    overconfident. With `power` < 1 it is raised to that power, a heuristic (Thrun et al., section 6.3.4).

    Attributes:
        grid: the map.
        angles: directions of the beams relative to the x axis of the sensor ``(B,)`` [rad], or a number of beams spread
            evenly over the full circle, the first one backwards.
        max_range: largest range [m]; a reading of this or more (also infinity) means that nothing was seen.
        model: "likelihood_field" or "beam".
        sigma: standard deviation of a hit [m].
        hit, short, missed, random: weights of the mixture; they add up to 1.
        decay: decay rate of the short readings [1/m].
        power: exponent of the likelihood of a scan.
        mount: x [m], y [m], yaw [rad] of the sensor on the robot.
        beams: number of beams of a scan that `log_prob` uses, evenly spread; None for all.
        unknown: "free" if rays pass through unknown cells, "blocked" if they end there.
        inset: distance behind its end at which a beam is looked up in the likelihood field [m]. Use 0 for a map made
            from scans, whose surfaces lie anywhere in its cells. If the world consists of the squares of the map, as in
            simulation, beams end on their faces, and half a cell removes a bias of that size. A beam that ends on a
            face ends in the cell behind it, as in `OccupancyGrid.update`.
        min_range: smallest range [m]; a reading below it, or of 0, was not measured: `log_prob` ignores it, and
            `sample` returns NaN for it.

    Source: S. Thrun, W. Burgard, D. Fox, Probabilistic Robotics, 2005, tables 6.1 (beam) and 6.3 (likelihood field).

    Example:
        >>> grid = OccupancyGrid.from_ascii(["...#", "...#"], resolution=0.5)
        >>> lidar = Lidar(grid, angles=[0.0, np.pi], max_range=5.0)
        >>> lidar.observe([0.25, 0.25, 0.0])
        array([1.25, 5.  ])
        >>> here, there = lidar.log_prob([1.25, np.inf], [[0.25, 0.25, 0.0], [0.75, 0.25, 0.0]])
        >>> bool(here > there)
        True
    """

    grid: OccupancyGrid
    angles: ArrayLike
    max_range: float
    model: str = "likelihood_field"
    sigma: float = 0.1
    hit: float = 0.8
    short: float = 0.05
    missed: float = 0.05
    random: float = 0.1
    decay: float = 0.5
    power: float = 1.0
    mount: Sequence[float] = (0.0, 0.0, 0.0)
    beams: int | None = None
    unknown: str = "free"
    inset: float = 0.0
    min_range: float = 0.0
    state: Space = field(init=False)
    reading: Space = field(init=False)

    def __post_init__(self) -> None:
        check_grid(self.grid)
        angles = np.array(numbers(self.angles, "angles"))  # a copy, because it becomes read-only
        if angles.ndim == 0:
            angles = _full_circle(float(angles))
        if angles.ndim != 1 or len(angles) == 0 or not np.isfinite(angles).all():
            raise ShapeError(f"angles must be finite with shape (B,), or a number of beams, not {shown(self.angles)}")
        mount = numbers(self.mount, "mount")
        if mount.shape != (3,) or not np.isfinite(mount).all():
            raise ShapeError(f"mount must be three finite numbers x, y, yaw, not {shown(self.mount)}")
        self._check_mixture()
        for name in ("inset", "min_range"):
            positive(getattr(self, name), name, zero=True)
        if self.beams is not None and self.beams not in range(1, len(angles) + 1):
            raise ModelError(f"beams must be a whole number from 1 to the {len(angles)} of a scan, not {self.beams}")
        angles.setflags(write=False)
        object.__setattr__(self, "angles", angles)
        object.__setattr__(self, "state", Space("x y [m]", "yaw: angle"))
        object.__setattr__(self, "reading", Space(" ".join(f"range_{i}" for i in range(len(angles))) + " [m]"))

    def _check_mixture(self) -> None:
        if self.model not in MODELS:
            raise ModelError(f"model must be one of {', '.join(MODELS)}, not {self.model!r}")
        if self.unknown not in ("free", "blocked"):
            raise ModelError(f'unknown must be "free" or "blocked", not {self.unknown!r}')
        for name in ("max_range", "sigma", "decay", "power"):
            positive(getattr(self, name), name)
        shares = tuple(number(getattr(self, name), name) for name in ("hit", "short", "missed", "random"))
        if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-9):
            raise ModelError(f"hit, short, missed and random must add up to 1 and not be negative, not {shown(shares)}")

    def __repr__(self) -> str:
        return f"Lidar({len(self._angles)} beams, {self.max_range:g} m, {self.model}, on {self.grid!r})"

    # --- the protocol of a sensor ---

    def observe(self, x: Any, context: Any = None) -> Array:
        """The expected ranges ``(..., B)`` at poses ``(..., 3)``; `max_range` if nothing is within it."""
        return self._ranges(self.state.check(x), self._angles, context)

    def noise(self, x: Any, context: Any = None) -> Array:
        """The covariance ``sigma^2 I`` of hits, ``(B, B)``, for Gaussian filters."""
        return np.eye(len(self._angles)) * self.sigma**2

    def log_prob(self, z: Any, x: Any, context: Any = None) -> Array:
        """The log-likelihood ``(...)`` of scans ``(..., B)`` at poses ``(..., 3)``; leading axes broadcast.

        NaN, 0 and ranges below `min_range` count as not measured and are ignored. Only the beam model takes discs.
        """
        if context is not None and self.model != "beam":
            raise ModelError("a likelihood field knows nothing in front of the map; give discs to Lidar(model='beam')")
        poses, scans = numbers(x, "poses"), numbers(z, "scans")
        if poses.shape[-1:] != (3,):
            raise ShapeError(f"poses must have shape (..., 3) for x, y, yaw, not {poses.shape}")
        if scans.shape[-1:] != (len(self._angles),):
            raise ShapeError(f"a scan has {len(self._angles)} ranges; these readings have the shape {scans.shape}")
        batch = shared_axes(scans=scans.shape[:-1], poses=poses.shape[:-1])
        poses = poses if poses.shape[:-1] == batch else np.broadcast_to(poses, (*batch, 3))
        poses = np.ascontiguousarray(poses.reshape(-1, 3))
        scans = scans[..., self._used]
        if scans.ndim > 1:
            scans = np.broadcast_to(scans, (*batch, scans.shape[-1]))
        scans = scans.reshape(-1, scans.shape[-1])
        scans = np.minimum(measured(scans, self.min_range), self.max_range)
        beams = self.model == "beam"
        score = self._score_beams(scans, poses, context) if beams else self._score_field(scans, poses)
        return self.power * score.reshape(batch)

    def cleaned(self, z: Array) -> Array:
        """Scans ``(..., B)`` with NaN in place of 0, of ranges below `min_range`, and of beams that are not used."""
        return np.where(self._unused, np.nan, measured(z, self.min_range))

    def ends(self, z: Any, x: Any) -> Array:
        """Points ``(..., B, 2)`` where the beams of scans ``(..., B)`` end, from poses ``(..., 3)`` [m].

        Example:
            >>> lidar = Lidar(OccupancyGrid.from_ascii(["...#"]), angles=[0.0], max_range=5.0)
            >>> lidar.ends([2.0], [1.0, 0.5, 0.0]).tolist()
            [[3.0, 0.5]]
        """
        sensors, ranges = self._sensor_poses(self.state.check(x)), self.reading.check(z, "scan", finite=False)
        directions = sensors[..., 2:] + self._angles
        along = np.stack((np.cos(directions), np.sin(directions)), axis=-1)
        return sensors[..., None, :2] + ranges[..., None] * along

    def sample(self, x: Any, context: Any = None, *, rng: Rng = None) -> Array:
        """Random readings ``(..., B)`` from the beam mixture at poses ``(..., 3)``, for either `model`.

        Args:
            x: poses.
            context: discs in front of the map.
            rng: seed or generator.
        """
        from scipy.special import ndtr, ndtri  # a heavy import that only this method needs

        stream = generator(rng)
        expected = self.observe(x, context)
        seen = expected < self.max_range
        # Hits and shorts are drawn by the inverse of their truncated distribution functions.
        low, high = ndtr(-expected / self.sigma), ndtr((self.max_range - expected) / self.sigma)
        u, v, w = stream.random((3, *expected.shape))
        hits = np.where(seen, expected + self.sigma * ndtri(low + u * (high - low)), np.inf)
        anything = w * self.max_range
        near = self.decay * expected < 1e-9  # no room in front of it; as in `beam_density`, this share is random
        shorts = np.where(near, anything, -np.log1p(v * np.expm1(-self.decay * expected)) / self.decay)
        kind = stream.choice(4, size=expected.shape, p=[self.hit, self.short, self.missed, self.random])
        drawn = np.select([kind == 0, kind == 1, kind == 2], [hits, shorts, np.inf], anything)
        return measured(np.clip(drawn, 0.0, self.max_range), self.min_range)

    # --- computation ---

    @property
    def _angles(self) -> Array:
        return np.asarray(self.angles, dtype=np.float64)

    @cached_property
    def _used(self) -> NDArray[np.intp]:
        """Indices of the beams that `log_prob` uses."""
        count = len(self._angles)
        used = count if self.beams is None else int(self.beams)
        return np.arange(used) * count // used

    @cached_property
    def _unused(self) -> NDArray[np.bool_]:
        """The mask of the other beams."""
        return ~np.isin(np.arange(len(self._angles)), self._used)

    @cached_property
    def _directions(self) -> Array:
        """Cosines and sines of the angles of the beams that `log_prob` uses, ``(2, B)``."""
        angles = self._angles[self._used]
        return np.stack((np.cos(angles), np.sin(angles)))

    def _sensor_poses(self, poses: Array) -> Array:
        """Poses ``(..., 3)`` of the sensor in the world, from poses of the robot."""
        x, y, yaw = self.mount
        if x == y == yaw == 0.0:
            return poses
        c, s = np.cos(poses[..., 2]), np.sin(poses[..., 2])
        return poses + np.stack((c * x - s * y, s * x + c * y, np.full(c.shape, yaw)), axis=-1)

    def _ranges(self, poses: Array, angles: Array, discs: Any) -> Array:
        sensors = self._sensor_poses(poses)
        walls = self.grid.raycast(sensors, angles, self.max_range, unknown=self.unknown)
        return walls if discs is None else np.minimum(walls, disc_ranges(sensors, angles, _discs(discs)))

    def _score_beams(self, scans: Array, poses: Array, discs: Any) -> Array:
        expected = self._ranges(poses, self._angles[self._used], discs)
        out = np.empty(len(poses))
        score_beams(
            np.ascontiguousarray(scans), expected, self.max_range,
            *(float(v) for v in (self.sigma, self.hit, self.short, self.missed, self.random, self.decay)), out,
        )  # fmt: skip
        return out

    def _score_field(self, scans: Array, poses: Array) -> Array:
        """Scores by the likelihood field; beams without a hit are looked up in the ring, and corrected afterwards."""
        directions, scale = self._directions, 1.0 / self.grid.resolution
        nothing = scans >= self.max_range
        if len(scans) == 1:
            # One scan for all poses, the usual case: leave out the beams without an end.
            ends = ~(nothing | np.isnan(scans))[0]
            reach, directions = entered((scans[:, ends] + self.inset) * scale), directions[:, ends]
            constant = nothing.sum(axis=-1) * _log(self.missed)
        else:
            idle = nothing | np.isnan(scans)
            reach = np.where(idle, _FAR, entered((scans + self.inset) * scale))
            off_map = float(self._table[0, 0])
            constant = nothing.sum(axis=-1) * _log(self.missed) - idle.sum(axis=-1) * off_map
        ends_x, ends_y = (np.ascontiguousarray(reach * along) for along in directions)
        out, memory = np.empty(len(poses)), (np.empty((2, len(poses))), np.empty(ends_x.shape[1], dtype=np.int32))
        grid, sensors = self.grid, self._sensor_poses(poses)
        score_field(
            self._table.ravel(), self._table.shape[1], sensors, np.asarray(grid.origin), grid.resolution,
            ends_x, ends_y, *memory, out,
        )  # fmt: skip
        return out + constant

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        """The log-likelihood of a beam that ends in each cell, with a ring for everything off the map."""
        grid = self.grid
        d = grid.distance_field().values
        density = self.hit * np.exp(-0.5 * (d / self.sigma) ** 2) / (self.sigma * math.sqrt(2.0 * math.pi))
        floor = (self.random + self.short) / self.max_range
        p = np.full((grid.shape[0] + 2, grid.shape[1] + 2), max(floor, 1e-30))
        p[1:-1, 1:-1] = np.maximum(density + floor, np.where(grid.unknown, 1.0 / self.max_range, 1e-30))
        return np.log(p).astype(np.float32)


_FAR = 1e12
"""A distance in cells that lies off every map."""


def _log(p: float) -> float:
    return math.log(p) if p > 0 else math.log(1e-30)


def _discs(given: Any) -> Array:
    discs = numbers(given, "discs")
    if discs.ndim != 2 or discs.shape[1] != 3 or not np.isfinite(discs).all():
        raise ShapeError(f"the context of a lidar is finite discs x, y, radius (K, 3); these have shape {discs.shape}")
    return discs


def _full_circle(count: float) -> Array:
    if not (count.is_integer() and count >= 1):
        raise ShapeError(f"a number of beams must be a positive integer, not {count:g}")
    return np.linspace(-np.pi, np.pi, int(count), endpoint=False)
