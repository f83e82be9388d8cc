"""The elevation map: the height of the ground in each cell with its variance, and how well a robot can drive there."""

from __future__ import annotations

import copy
import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Positive, positive, settings, shown, whole

from ..models.trace import driver
from .frame import GridFrame
from .occupancy import OccupancyGrid

Array = NDArray[np.float64]


@settings
class TerrainLimits:
    """The terrain that a robot can just drive on.

    Attributes:
        slope: steepest slope [rad].
        roughness: largest deviation from the plane through the ground around (root of the mean square) [m].
        step: largest difference of heights around [m].
        radius: of the ground that counts as around a cell [m].

    Example:
        >>> TerrainLimits(slope=0.3).step
        0.15
    """

    slope: Positive = 0.5
    roughness: Positive = 0.05
    step: Positive = 0.15
    radius: Positive = 0.3


class ElevationMap(GridFrame):
    """A map in two and a half dimensions: the height of the ground in each cell, a Gaussian.

    ::

        K = P / (P + R),   h <- h + K (z - h),   P <- (1 - K) P          for a point at height z with variance R

    The first point in a cell sets h = z and P = R. A point with ``|z - h| > gate sqrt(P + R)`` belongs to another
    surface: in one scan, the upper one counts; after earlier scans, P grows by `doubt`, until the new height is
    believed. Maps are changed in place.

    Args:
        shape: number of rows and columns ``(ny, nx)``.
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of cell [0, 0] in the world.
        gate: standard deviations beyond which a point belongs to another surface.
        doubt: growth of the variance by a point of another surface [m^2].

    Raises:
        SettingError: if a setting is out of range.
        ShapeError: if shape or origin is malformed.

    Source: P. Fankhauser, M. Bloesch, M. Hutter, Probabilistic terrain mapping for mobile robots with uncertain
    localization, 2018, equations 8 and 9; the rules for several surfaces are those of its program, elevation_mapping.

    Example:
        >>> ground = ElevationMap((1, 3), resolution=1.0)
        >>> ground.insert([[0.5, 0.5, 2.0], [0.4, 0.6, 2.1], [1.5, 0.5, 3.0]], variance=0.01)
        >>> ground.height.round(2), ground.variance[0, 0].round(3)
        (array([[2.05, 3.  ,  nan]]), np.float64(0.005))
    """

    def __init__(
        self,
        shape: tuple[int, int],
        resolution: float,
        origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
        *,
        gate: float = 3.0,
        doubt: float = 1e-3,
    ) -> None:
        if np.shape(shape) != (2,):
            raise ShapeError(f"the shape of an elevation map is {shape}; expected rows and columns")
        rows, columns = (whole(n, "shape") for n in shape)
        self.resolution, self.origin = resolution, origin
        self._check_frame()
        self.gate, self.doubt = positive(gate, "gate"), positive(doubt, "doubt", zero=True)
        # Height, variance, and the scan in which they were set or fused last: side by side, as a point needs them.
        self._cells: Array = np.full((rows, columns, 3), np.nan)
        self._scan = 0

    def __repr__(self) -> str:
        ny, nx = self.shape
        known = 1.0 - np.isnan(self.height).mean()
        return f"ElevationMap({nx} x {ny} cells of {self.resolution:g} m, {known:.0%} known)"

    def __copy__(self) -> Self:
        """A copy that changes on its own."""
        return copy.deepcopy(self)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        rows, columns, _ = self._cells.shape
        return rows, columns

    @property
    def height(self) -> Array:
        """The heights ``(ny, nx)`` [m], NaN if unknown; what is written to them is written to the map."""
        return self._cells[..., 0]

    @property
    def variance(self) -> Array:
        """The variances of the heights ``(ny, nx)`` [m^2], NaN if unknown; they can be written to, too."""
        return self._cells[..., 1]

    def insert(self, points: ArrayLike, variance: ArrayLike) -> None:
        """Add the points of a scan.

        Args:
            points: ``(..., 3)`` in the world [m]; those that are not finite or off the map are left out.
            variance: of their heights ``(...)``, or one for all [m^2]; that of a point that is not finite may be any.

        Raises:
            ShapeError: if shapes do not fit, or a variance is not positive and finite.
        """
        p = numbers(points, "points")
        if p.shape[-1:] != (3,):
            raise ShapeError(f"points must have shape (..., 3), not {p.shape}")
        R = numbers(variance, "variance")
        wrong = ~(np.isfinite(R) & (R > 0.0))
        if R.shape not in ((), p.shape[:-1]) or (wrong.any() and (R.ndim == 0 or np.isfinite(p[wrong]).all(-1).any())):
            raise ShapeError(
                f"variance must be positive and finite, one or of shape {p.shape[:-1]}, not {shown(variance)}"
            )
        p, R = (np.require(each, requirements=["C", "W"]) for each in (p.reshape(-1, 3), R.reshape(-1)))
        self._scan += 1
        frame, rules = np.array([*self.origin, self.resolution]), np.array([self.gate, self.doubt])
        fuse(self._cells, float(self._scan), frame, p, R, rules)

    def predict(self, variance: float) -> None:
        """Add to the variance of all heights [m^2], as the robot moves with uncertain height or the ground changes."""
        self._cells[..., 1] += positive(variance, "variance", zero=True)

    def terrain(self, radius: float) -> tuple[Array, Array, Array]:
        """Slope [rad], roughness [m] and step [m] of the ground around each cell, ``(ny, nx)`` each.

        ::

            (a, b, c) = argmin sum over cells around (h - a x - b y - c)^2
            slope = atan |(a, b)|,   roughness = root of the mean square that is left,   step = max h - min h

        NaN where the ground around does not define a plane; the step is NaN where nothing is known.

        Args:
            radius: of the ground around [m], to the centres of cells.
        """
        reach = positive(radius, "radius") / self.resolution
        slope, roughness, step = (np.empty(self.shape) for _ in range(3))
        fit_planes(np.ascontiguousarray(self.height), reach, slope, roughness, step)
        return np.arctan(slope / self.resolution), roughness, step

    def traversability(self, limits: TerrainLimits | None = None) -> Array:
        """The traversability of each cell ``(ny, nx)``: 1 flat, 0 at a limit or beyond, NaN if unknown.

        ::

            t = 1 - (slope / limit + roughness / limit + step / limit) / 3,    0 if one of them exceeds its limit

        Source: M. Wermelinger, P. Fankhauser, R. Diethelm, P. Kruesi, R. Siegwart, M. Hutter, Navigation planning for
        legged robots in challenging terrain, 2016, section III-A, with equal weights.
        """
        most = limits or TerrainLimits()
        measured = self.terrain(most.radius)
        shares = np.stack(
            [m / limit for m, limit in zip(measured, (most.slope, most.roughness, most.step), strict=True)]
        )
        beyond = (shares >= 1.0).any(0)
        t = np.where(beyond, 0.0, 1.0 - shares.mean(0))
        return np.where(np.isnan(self.height), np.nan, t)

    def to_grid(self, limits: TerrainLimits | None = None) -> OccupancyGrid:
        """The map for planners in the plane: free where a robot can drive, occupied where not, else unknown.

        Example:
            >>> x, y = np.meshgrid(np.arange(0.05, 1.0, 0.1), np.arange(0.05, 0.5, 0.1))
            >>> ground = ElevationMap((5, 10), resolution=0.1)
            >>> ground.insert(np.stack([x, y, np.where(x < 0.5, 0.0, 0.4)], axis=-1), variance=1e-4)
            >>> ground.to_grid(TerrainLimits(radius=0.1)).occupied[2].astype(int)
            array([0, 0, 0, 0, 1, 1, 0, 0, 0, 0])
        """
        t = self.traversability(limits)
        p = np.where(np.isnan(t), np.nan, np.where(t > 0.0, 0.0, 1.0))
        return OccupancyGrid.from_probability(p, self.resolution, self.origin)

    def costs(self, limits: TerrainLimits | None = None, peak: float = 10.0) -> Array:
        """Traversal costs ``(ny, nx)``, ``1 + peak (1 - t)``, for the `costs` of `AStar.plan` on `to_grid`.

        Args:
            limits: of the robot.
            peak: additional cost at a limit, and of unknown cells; not negative.
        """
        t = np.nan_to_num(self.traversability(limits), nan=0.0)
        return 1.0 + positive(peak, "peak", zero=True) * (1.0 - t)


@driver("void(f8[:,:,::1], f8, f8[::1], f8[:,::1], f8[::1], f8[::1])")
def fuse(cells, scan, frame, points, R, rules):
    """Add points to cells one by one.

    Args:
        cells: height and variance of each cell, NaN if unknown, and the scan in which they were set or fused last,
            ``(ny, nx, 3)``; changed.
        scan: the number of this scan.
        frame: origin and resolution of the map ``(4,)``, see `GridFrame`.
        points: ``(N, 3)``; they may lie off the map.
        R: variance of each height ``(N,)``, or one for all ``(1,)``.
        rules: gate and doubt.
    """
    rows, columns, _ = cells.shape
    gate, doubt = rules[0] * rules[0], rules[1]
    c, s = math.cos(frame[2]), math.sin(frame[2])
    for n in range(points.shape[0]):
        dx, dy, z = (points[n, 0] - frame[0]) / frame[3], (points[n, 1] - frame[1]) / frame[3], points[n, 2]
        x, y = c * dx + s * dy, c * dy - s * dx
        if not (0.0 <= x < columns and 0.0 <= y < rows and abs(z) < np.inf):
            continue
        cell, r = cells[int(y), int(x)], R[min(n, R.shape[0] - 1)]
        h, P = cell[0], cell[1]
        if math.isnan(h + P):
            cell[0], cell[1], cell[2] = z, r, scan
        elif (z - h) * (z - h) <= gate * (P + r):
            K = P / (P + r)
            cell[0], cell[1], cell[2] = h + K * (z - h), (1.0 - K) * P, scan
        elif cell[2] != scan:
            cell[1] = P + doubt
        elif z > h:
            cell[0], cell[1] = z, r


@driver("void(f8[:,::1], f8, f8[:,::1], f8[:,::1], f8[:,::1])")
def fit_planes(height, reach, slope, roughness, step):
    """Fit a plane to the known cells within `reach` cells around each; slopes are per cell."""
    rows, columns = height.shape
    span = int(math.floor(reach))
    for i in range(rows):
        for j in range(columns):
            n = x = y = z = xx = xy = yy = xz = yz = zz = 0.0
            low, high = np.inf, -np.inf
            here = height[i, j] if not math.isnan(height[i, j]) else 0.0
            for di in range(max(-span, -i), min(span, rows - 1 - i) + 1):
                for dj in range(max(-span, -j), min(span, columns - 1 - j) + 1):
                    h = height[i + di, j + dj]
                    if math.isnan(h) or di * di + dj * dj > reach * reach:
                        continue
                    low, high = min(low, h), max(high, h)
                    h -= here  # small numbers keep their digits
                    n, x, y, z = n + 1.0, x + dj, y + di, z + h
                    xx, xy, yy = xx + dj * dj, xy + dj * di, yy + di * di
                    xz, yz, zz = xz + dj * h, yz + di * h, zz + h * h
            step[i, j] = high - low if n > 0.0 else np.nan
            slope[i, j] = roughness[i, j] = np.nan
            if n < 3.0:
                continue
            xx, xy, yy = xx - x * x / n, xy - x * y / n, yy - y * y / n
            xz, yz, zz = xz - x * z / n, yz - y * z / n, zz - z * z / n
            det = xx * yy - xy * xy
            if det > 1e-9:  # whole numbers of cells: zero if they lie on a line
                a, b = (yy * xz - xy * yz) / det, (xx * yz - xy * xz) / det
                slope[i, j] = math.sqrt(a * a + b * b)
                roughness[i, j] = math.sqrt(max(zz - a * xz - b * yz, 0.0) / n)
