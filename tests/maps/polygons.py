"""Clearances by other means than the library's: separating axes, and distances to all squares, in plain numpy."""

from __future__ import annotations

import numpy as np

from pilotage.maps import Footprint, OccupancyGrid

Array = np.ndarray


def placed(corners: Array, pose: Array) -> Array:
    """Corners of a polygon at a pose."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    return corners @ np.array([[c, s], [-s, c]]) + pose[:2]


def squares(grid: OccupancyGrid, unknown: str = "blocked", margin: int = 8) -> Array:
    """Corners ``(M, 4, 2)`` of all blocked cells in the world, those around the map among them."""
    blocked = np.pad(~(grid.free if unknown == "blocked" else ~grid.occupied), margin, constant_values=True)
    rows, columns = np.nonzero(blocked)
    low = np.stack([columns - margin, rows - margin], -1)[:, None]
    return grid.grid_to_world(low + np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))


def overlapping(polygon: Array, others: Array, slack: float = 1e-9) -> Array:
    """Whether a convex polygon overlaps each of the convex `others` ``(M, 4, 2)`` by more than `slack`."""
    apart = np.zeros(len(others), dtype=bool)
    for shape in (polygon[None], others):
        sides = np.roll(shape, -1, axis=1) - shape
        normals = np.stack([-sides[..., 1], sides[..., 0]], -1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        normals = np.broadcast_to(normals, (len(others), *normals.shape[1:]))
        mine = normals @ polygon.T
        theirs = np.einsum("mnc,mvc->mnv", normals, others)
        gaps = np.maximum(theirs.min(-1) - mine.max(-1), mine.min(-1) - theirs.max(-1))
        apart |= (gaps >= -slack).any(-1)
    return ~apart


def depth(polygon: Array, others: Array) -> float:
    """The way out of the one of the convex `others` ``(M, 4, 2)`` that a convex polygon overlaps the most; 0: none."""
    out = np.full(len(others), np.inf)
    for shape in (polygon[None], others):
        sides = np.roll(shape, -1, axis=1) - shape
        normals = np.stack([-sides[..., 1], sides[..., 0]], -1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        for k in range(normals.shape[1]):
            n = np.broadcast_to(normals[:, k], (len(others), 2))
            mine, theirs = n @ polygon.T, np.einsum("mc,mvc->mv", n, others)
            ways = np.minimum(mine.max(-1) - theirs.min(-1), theirs.max(-1) - mine.min(-1))
            out = np.minimum(out, ways)
    return max(float(out.max()), 0.0)


def point_to_polygons(p: Array, others: Array) -> Array:
    """Distance of a point to convex polygons ``(M, V, 2)``, 0 inside."""
    a, d = others, np.roll(others, -1, axis=1) - others
    t = np.clip(((p - a) * d).sum(-1) / (d * d).sum(-1), 0.0, 1.0)
    away = np.linalg.norm(a + t[..., None] * d - p, axis=-1).min(-1)
    inside = (d[..., 0] * (p - a)[..., 1] - d[..., 1] * (p - a)[..., 0] >= 0.0).all(-1)
    return np.where(inside, 0.0, away)


def gap(footprint: Footprint, pose: Array, others: Array) -> float:
    """Distance of a footprint to the nearest of the squares, 0 where they overlap."""
    if not footprint.hull:
        centers, radii = footprint.centers(pose)
        return max(min(float(point_to_polygons(c, others).min()) - r for c, r in zip(centers, radii, strict=True)), 0.0)
    polygon = placed(np.array(footprint.hull), pose)
    if overlapping(polygon, others).any():
        return 0.0
    near = [point_to_polygons(v, others).min() for v in polygon]
    near += [point_to_polygons(v, polygon[None])[0] for v in others.reshape(-1, 2)]
    return float(min(near))
