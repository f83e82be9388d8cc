"""Correlative scan matching over resolutions: the best pose in a window, whatever the guess."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import SettingError
from pilotage.core.settings import Natural, Positive, settings
from pilotage.models.trace import driver

from .field import LikelihoodField, likelihood_field
from .icp import PointToLineICP
from .match import PLANE, Match, arguments, judged, nothing
from .surface import Surface

Array = NDArray[np.float64]
Levels = list[NDArray[np.uint8]]


MOST = 20_000_000
"""Largest number of squares in which a search begins."""


@settings
class CorrelativeMatcher:
    """Correlative scan matching: the pose in a window at which most points of a scan lie on the reference.

    ::

        maximise S(pose) = mean over i of M(cell of R p_i + t)      M: likelihood field

    over all cells of the window and headings apart by the angle at which the far points move by a cell. Branch and
    bound finds the maximum without trying all of them: the maximum of M over squares of ``2^h`` cells bounds the score
    of all poses in a square, so that squares are searched only as long as their bound is above the best score so far.
    The pose is then refined by point-to-line ICP, if wanted.

    Args:
        window: half width of the window along x and y [m].
        turn: half width of the window of headings [rad].
        resolution: side of a cell [m].
        sigma: standard deviation of the likelihood field [m].
        levels: number of times that squares double.
        least: score below which nothing is found.
        refine: the matcher that starts from the best cell; None for the cell itself, with half a cell and a step of the
            heading in its covariance.

    Sources: E. Olson, "Real-time correlative scan matching", ICRA 2009; W. Hess et al., "Real-time loop closure in 2D
    LIDAR SLAM", ICRA 2016, section V, for branch and bound.

    Example:
        >>> from pilotage.estimators.slam.matching import scan_surface
        >>> from pilotage.maps import Lidar, OccupancyGrid
        >>> lidar = Lidar(OccupancyGrid.load("depot.yaml"), angles=360, max_range=20.0)
        >>> poses = [[5.0, 1.0, 0.0], [5.8, 1.5, 0.3]]
        >>> first, second = (scan_surface(lidar.observe(pose), lidar.angles, 20.0) for pose in poses)
        >>> match = CorrelativeMatcher(window=1.0, turn=0.5).match(first, second, guess=[0.0, 0.0, 0.0])
        >>> match.status.value, bool(np.allclose(match.pose, [0.8, 0.5, 0.3], atol=0.01))
        ('matched', True)
    """

    window: Positive = 0.5
    turn: Positive = 0.35
    resolution: Positive = 0.05
    sigma: Positive = 0.1
    levels: Natural = 4
    least: Positive = 0.2
    refine: PointToLineICP | None = PointToLineICP()

    def match(self, reference: Surface, scan: Surface, guess: Any) -> Match:
        """The pose of the scan in the frame of the reference.

        Args:
            reference: surface of one scan or several.
            scan: surface of the scan.
            guess: pose ``(3,)`` in the middle of the window, or a Gaussian over poses, which is a prior of the
                refinement as well.
        """
        start, prior = arguments(reference, scan, guess, "CorrelativeMatcher")
        if not (len(reference) and len(scan)):
            return nothing(start, prior, "there are no points to match")
        pose, score = self.search(reference, scan, start)
        if not score >= self.least:
            return nothing(start, prior, f"no pose in the window has a score of {self.least:g}", max(score, 0.0))
        if self.refine is None:
            cell = np.array([0.25 * self.resolution**2, 0.25 * self.resolution**2, _step(self.resolution, scan) ** 2])
            found = judged(PointToLineICP().judgement, reference, scan, pose, np.zeros((3, 3)), 1)
            return Match(pose, found.cov + np.diag(cell), *_fields(found))
        return self.refine.match(reference, scan, guess, start=pose)

    def search(
        self, reference: Surface, scan: Surface, start: Array, avoid: Array | None = None, apart: float = 0.0
    ) -> tuple[Array, float]:
        """The best cell of the window as a pose, and its score; the start and -1 if none has a score of `least`.

        Args:
            reference, scan: surfaces with points.
            start: pose ``(3,)`` in the middle of the window.
            avoid, apart: only poses that are at least so far [m] from this one are searched, to find a rival of it.
        """
        field = likelihood_field(reference, self.resolution, self.sigma)
        return self.search_in(field, pyramid(field, self.levels), scan, start, avoid, apart)

    def search_in(
        self,
        field: LikelihoodField,
        pooled: Levels,
        scan: Surface,
        start: Array,
        avoid: Array | None = None,
        apart: float = 0.0,
    ) -> tuple[Array, float]:
        """`search` in a field whose `pyramid` is known."""
        step = _step(self.resolution, scan)
        half = math.ceil(self.turn / step)
        headings = start[2] + step * np.arange(-half, half + 1)
        corner = np.array([*field.corner, field.resolution])
        cells = math.ceil(self.window / self.resolution)
        ends = np.empty((len(headings), len(scan), 2), np.int32)
        place_points(np.ascontiguousarray(scan.points), start, headings, corner, ends)
        flat, side = np.stack(pooled), 2 ** (len(pooled) - 1)
        across = 2 * cells // side + 1
        if (count := len(headings) * across**2) > MOST:
            raise SettingError(
                f"the window of CorrelativeMatcher, {self.window:g} m and {self.turn:g} rad, has {count:.1g} squares; "
                f"expected at most {MOST:.0g}: take a larger resolution or more levels"
            )
        roots = np.empty((count, 4), np.int64)
        bound_roots(flat, ends, cells, side, across, roots)
        roots = roots[np.argsort(-roots[:, 0], kind="stable")]
        best, far = (
            np.array([self.least * 255.0 * len(scan), 0, 0, 0]).astype(np.int64),
            self._circle(start, avoid, apart),
        )
        found = descend(flat, ends, cells, roots, far, np.empty((4 * len(pooled) + 4, 5), np.int64), best)
        if not found:
            return start, -1.0
        score, heading, i, j = best.tolist()
        x, y = start[0] + i * field.resolution, start[1] + j * field.resolution
        return np.array(PLANE.plus([x, y, headings[heading]], np.zeros(3))), score / (255.0 * len(scan))

    def _circle(self, start: Array, avoid: Array | None, apart: float) -> Array:
        """The middle and the radius of what is left out, in cells from the start."""
        if avoid is None:
            return np.array([0.0, 0.0, -1.0])
        return np.array([avoid[0] - start[0], avoid[1] - start[1], apart]) / self.resolution


def pyramid(field: LikelihoodField, levels: int) -> Levels:
    """A field in 255 steps, and its maxima over squares of 2, 4, 8 ... cells upwards and to the right."""
    made = [np.ceil(255.0 * field.values).astype(np.uint8)]
    for level in range(levels):
        made.append(np.empty_like(made[0]))
        pool(made[-2], 2**level, made[-1])
    return made


def _fields(found: Match) -> tuple[Any, ...]:
    return found.status, found.reason, found.overlap, found.rms, found.free, found.iterations


def _step(resolution: float, scan: Surface) -> float:
    """The turn by which far points move by a cell [rad]."""
    return resolution / max(float(np.quantile(np.hypot(*scan.points.T), 0.9)), 10.0 * resolution)


@driver("void(u1[:,::1], i8, u1[:,::1])")
def pool(values, apart, out):
    """The largest of four values: of each cell, and of those so many cells to the right, above, and both."""
    rows, columns = values.shape
    for j in range(rows):
        above = min(j + apart, rows - 1)
        for i in range(columns):
            right = min(i + apart, columns - 1)
            out[j, i] = max(max(values[j, i], values[j, right]), max(values[above, i], values[above, right]))


@driver("void(f8[:,::1], f8[::1], f8[::1], f8[::1], i4[:,:,::1])")
def place_points(points, start, headings, corner, ends):
    """The cells (column, row) of the points of a scan at the start, for each heading."""
    for h in range(headings.shape[0]):
        c, s = math.cos(headings[h]), math.sin(headings[h])
        for n in range(points.shape[0]):
            x, y = c * points[n, 0] - s * points[n, 1] + start[0], s * points[n, 0] + c * points[n, 1] + start[1]
            ends[h, n, 0] = np.int32(math.floor((x - corner[0]) / corner[2]))
            ends[h, n, 1] = np.int32(math.floor((y - corner[1]) / corner[2]))


@driver("void(u1[:,:,::1], i4[:,:,::1], i8, i8, i8, i8[:,::1])")
def bound_roots(pooled, ends, cells, side, across, roots):
    """Bounds of the largest squares: ``(sum of values, heading, column, row)`` of their lower-left corners."""
    n, level = 0, pooled.shape[0] - 1
    for h in range(ends.shape[0]):
        for b in range(across):
            for a in range(across):
                i, j = a * side - cells, b * side - cells
                roots[n, 0], roots[n, 1], roots[n, 2], roots[n, 3] = total(pooled[level], ends[h], i, j, side), h, i, j
                n += 1


@driver
def total(values, ends, i, j, side):
    """The sum of the values at the ends of a scan that is moved by i columns and j rows."""
    rows, columns, found = values.shape[0], values.shape[1], 0
    for n in range(ends.shape[0]):
        u, v = ends[n, 0] + i, ends[n, 1] + j
        if -side < u < columns and -side < v < rows:
            # A square that begins left of the field is part of the one that begins at its side.
            found += values[max(v, 0), max(u, 0)]
    return found


@driver("b1(u1[:,:,::1], i4[:,:,::1], i8, i8[:,::1], f8[::1], i8[:,::1], i8[::1])")
def descend(pooled, ends, cells, roots, far, stack, best):
    """Find the best cell, from the squares of the highest bounds down; whether there is one.

    Args:
        pooled: the field and its maxima over squares.
        ends: cells of the points for each heading.
        cells: half width of the window.
        roots: squares in the order of their bounds, see `bound_roots`.
        far: middle (column, row) and radius of a circle in which no pose is wanted.
        stack: memory for squares: bound, heading, column, row, level.
        best: score to be surpassed, overwritten by ``(score, heading, column, row)``.
    """
    found = False
    for r in range(roots.shape[0]):
        if roots[r, 0] <= best[0]:
            break
        size = 1
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = roots[r, 0], roots[r, 1], roots[r, 2], roots[r, 3]
        stack[0, 4] = pooled.shape[0] - 1
        while size > 0:
            size -= 1
            bound, h, i, j, level = stack[size, 0], stack[size, 1], stack[size, 2], stack[size, 3], stack[size, 4]
            if bound <= best[0] or i > cells or j > cells:
                continue
            if level == 0:
                if math.hypot(i - far[0], j - far[1]) >= far[2]:
                    best[0], best[1], best[2], best[3], found = bound, h, i, j, True
                continue
            size = _split(pooled, ends, h, i, j, level - 1, stack, size)
    return found


@driver
def _split(pooled, ends, h, i, j, level, stack, size):
    """Push the four quarters of a square, the best one last; returns the size of the stack."""
    side, first = 1 << level, size
    for quarter in range(4):
        u, v = i + side * (quarter & 1), j + side * (quarter >> 1)
        bound = total(pooled[level], ends[h], u, v, side)
        k = size
        while k > first and stack[k - 1, 0] > bound:
            for a in range(5):
                stack[k, a] = stack[k - 1, a]
            k -= 1
        stack[k, 0], stack[k, 1], stack[k, 2], stack[k, 3], stack[k, 4] = bound, h, u, v, level
        size += 1
    return size
