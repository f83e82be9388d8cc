"""Polygons: their convex pieces, and discs that cover them."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import shown

Array = NDArray[np.float64]


def outline(corners: ArrayLike) -> Array:
    """The corners of a polygon whose sides do not cross, counter-clockwise, without those on a straight side.

    Raises:
        ShapeError: if sides cross or touch, or there are fewer than three corners.
    """
    points = numbers(corners, "the corners of a footprint")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise ShapeError(
            f"the corners of a footprint have shape {points.shape}; expected three or more finite rows x, y"
        )
    kept = points[_turns(points) != 0.0]
    x, y = kept.T
    area = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) if len(kept) > 2 else 0.0
    if area == 0.0 or _crossing(kept):
        raise ShapeError(f"the corners {shown(points.tolist())} are not a simple polygon; its sides must not cross")
    return kept if area > 0.0 else kept[::-1].copy()


def convex_pieces(corners: Array) -> list[Array]:
    """Convex polygons that together are a polygon with counter-clockwise corners: triangles, joined while convex.

    Source: S. Hertel, K. Mehlhorn, Fast triangulation of simple polygons, 1983: at most four times as many pieces as
    necessary.

    Example:
        >>> ell = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0], [1.0, 2.0], [0.0, 2.0]])
        >>> [len(piece) for piece in convex_pieces(ell)]
        [4, 4]
    """
    if (_turns(corners) >= 0.0).all():
        return [corners]
    pieces = _triangles(corners)
    pairs = itertools.combinations(range(len(pieces)), 2)
    while (pair := next(((a, b) for a, b in pairs if _joined(pieces[a], pieces[b], corners)), None)) is not None:
        joined = _joined(pieces[pair[0]], pieces[pair[1]], corners)
        pieces = [each for k, each in enumerate(pieces) if k not in pair] + [joined]
        pairs = itertools.combinations(range(len(pieces)), 2)
    return [corners[piece] for piece in pieces]


def _turns(points: Array) -> Array:
    """Twice the area of the triangle at each corner: positive at a turn to the left; rounding counts as straight."""
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    scale = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    return np.where(abs(turns) <= 1e-12 * scale, 0.0, turns)


def _crossing(points: Array) -> bool:
    """Whether two sides of a polygon that are not neighbours meet."""
    ends = np.roll(points, -1, axis=0)
    for i, j in itertools.combinations(range(len(points)), 2):
        if j - i in (1, len(points) - 1):
            continue
        a, b, c, d = points[i], ends[i], points[j], ends[j]
        near = (np.maximum(a, b) >= np.minimum(c, d)) & (np.maximum(c, d) >= np.minimum(a, b))
        if near.all() and _side(a, b, c) * _side(a, b, d) <= 0.0 and _side(c, d, a) * _side(c, d, b) <= 0.0:
            return True
    return False


def _side(a: Array, b: Array, p: Array) -> float:
    """Positive if p lies to the left of the line from a to b."""
    return float((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]))


def _triangles(corners: Array) -> list[list[int]]:
    """Triangles of a simple polygon, by cutting off ears."""
    left, out = list(range(len(corners))), list[list[int]]()
    while len(left) > 3:
        around = zip(left[-1:] + left[:-1], left, left[1:] + left[:1], strict=True)
        ear = next(each for each in around if _is_ear(each, left, corners))
        out.append(list(ear))
        left.remove(ear[1])
    return [*out, left]


def _is_ear(ear: tuple[int, int, int], left: list[int], corners: Array) -> bool:
    """Whether a triangle of three corners in a row lies in the polygon, and holds none of its other corners."""
    a, b, c = corners[list(ear)]
    inside = [p for k, p in enumerate(corners) if k in left and k not in ear]
    return _side(a, b, c) > 0.0 and not any(min(_side(a, b, p), _side(b, c, p), _side(c, a, p)) >= 0.0 for p in inside)


def _joined(a: list[int], b: list[int], corners: Array) -> list[int]:
    """The union of two pieces along a common side; empty if there is none, or the union is not convex."""
    for k, i in enumerate(a):
        j = a[(k + 1) % len(a)]
        if i in b and b[b.index(i) - 1] == j:
            n = b.index(i)
            union = a[k + 1 :] + a[: k + 1] + (b[n:] + b[:n])[1:-1]
            return union if (_turns(corners[union]) >= 0.0).all() else []
    return []


def cover(hull: Array, rows: int) -> tuple[tuple[float, float, float], ...]:
    """Discs around the pieces of a polygon that is cut into rows of squares along its longer side."""
    sides = np.roll(hull, -1, axis=0) - hull
    sides /= np.linalg.norm(sides, axis=-1, keepdims=True)
    normals = np.stack([-sides[:, 1], sides[:, 0]], -1)
    widths = np.ptp(hull @ normals.T, axis=0)
    narrow = int(np.argmin(widths))
    columns = math.ceil(float(np.ptp(hull @ sides[narrow])) * rows / float(widths[narrow]) - 1e-9)
    row_pieces = _slices(hull, normals[narrow], rows)
    return tuple(_enclosing(piece) for row in row_pieces for piece in _slices(row, sides[narrow], max(columns, 1)))


def _slices(hull: Array, axis: Array, count: int) -> list[Array]:
    """A polygon cut across `axis` into slices of equal thickness."""
    along = hull @ axis
    cuts = np.linspace(along.min(), along.max(), count + 1)
    cuts[0], cuts[-1] = -np.inf, np.inf
    return [_between(hull, axis, low, high) for low, high in itertools.pairwise(cuts)]


def _between(hull: Array, axis: Array, low: float, high: float) -> Array:
    """The corners of the part of a polygon between two lines across `axis`."""
    for sign, bound in ((1.0, high), (-1.0, -low)):
        if bound == np.inf:
            continue
        kept: list[Array] = []
        for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
            da, db = sign * float(a @ axis) - bound, sign * float(b @ axis) - bound
            if da <= 0.0:
                kept.append(a)
            if da * db < 0.0:
                kept.append(a + (b - a) * (da / (da - db)))
        hull = np.array(kept)
    return hull


def _enclosing(points: Array) -> tuple[float, float, float]:
    """The smallest disc around a few points: the smallest one through two or three of them that contains all."""
    best = (0.0, 0.0, math.inf)
    for group in itertools.chain(itertools.combinations(points, 2), itertools.combinations(points, 3)):
        center = _circumcenter(np.array(group))
        if center is not None:
            r = float(np.linalg.norm(points - center, axis=-1).max())
            if r < best[2]:
                best = (float(center[0]), float(center[1]), r * (1.0 + 1e-12))
    return best


def _circumcenter(points: Array) -> Array | None:
    if len(points) == 2:
        return points.mean(0)
    a, b = points[1] - points[0], points[2] - points[0]
    area = 2.0 * (a[0] * b[1] - a[1] * b[0])
    if abs(area) < 1e-12 * float(a @ a + b @ b):
        return None
    return points[0] + np.array([b[1] * (a @ a) - a[1] * (b @ b), a[0] * (b @ b) - b[0] * (a @ a)]) / area
