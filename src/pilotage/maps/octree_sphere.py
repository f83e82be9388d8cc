"""The free space of a sphere in an octree: clearances, the constraint of planners, and the planning problem."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Never, final

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import ModelError
from pilotage.core.settings import instance, positive
from pilotage.core.space import Space

from ..models.trace import driver
from ..models.trace.driver import Intrinsic
from .cells import read_only
from .octree_graph import VoxelGraph

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
POINT = Space("x y z [m]")
voxels = Intrinsic("voxels", f"{__package__}._voxels")
SLACK = 1e-3
"""A share of a voxel: clearance below this counts as zero along an edge, so that the number of steps stays finite."""


@dataclass(frozen=True, eq=False, repr=False)
class VoxelBox:
    """A box of voxels, blocked or not; everything around it is blocked.

    Attributes:
        blocked: bools ``(nx, ny, nz)``, with one ring of voxels added that stands for what lies around.
        resolution: side of a voxel [m].
        corner: lowest corner of the first voxel, one of the ring, ``(3,)`` [m].

    Example:
        >>> box = VoxelBox(np.pad(np.zeros((3, 1, 1), dtype=bool), 1, constant_values=True), 0.5, np.zeros(3))
        >>> box.clearances(1.0)[2, 1, 1]
        np.float32(0.25)
    """

    blocked: Mask
    resolution: float
    corner: Array

    def __repr__(self) -> str:
        nx, ny, nz = (n - 2 for n in self.blocked.shape)
        return f"VoxelBox({nx} x {ny} x {nz} voxels of {self.resolution:g} m)"

    def clearances(self, reach: float) -> NDArray[np.float32]:
        """The exact distances [m] of voxel centres from the surface of the nearest blocked voxel, 0 in blocked ones.

        ::

            d^2 = min over blocked voxels v of sum over axes of g(c - v)^2,   g(n) = max(|n| - 1/2, 0)

        The minimum is taken one axis after the other, as in the distance transform of P. Felzenszwalb and
        D. Huttenlocher, 2012, here with the distance to a cube.

        Args:
            reach: distances above this are cut off there [m]; may be infinite.
        """
        cells = math.ceil(min(reach / self.resolution, max(self.blocked.shape)) + 0.5)
        d = np.where(self.blocked, np.float32(0.0), np.float32(reach / self.resolution) ** 2)
        for axis in range(3):
            lines = np.moveaxis(d, axis, 0)
            near = lines.copy()
            for n in range(1, min(cells, len(lines) - 1) + 1):
                away = lines + np.float32((n - 0.5) ** 2)
                np.minimum(near[n:], away[:-n], out=near[n:])
                np.minimum(near[:-n], away[n:], out=near[:-n])
            d = np.moveaxis(near, 0, axis)
        return np.ascontiguousarray(np.sqrt(d)) * np.float32(self.resolution)


@final
@dataclass(frozen=True, eq=False, repr=False)
class SphereConstraint:
    """The constraint that a sphere touches no blocked voxel.

    ::

        g(x) = radius - |x_xyz - nearest point of a blocked voxel| <= 0

    Values are exact up to half a voxel of room, and never too small beyond. Edges are checked in steps as long as the
    room, which cannot miss a wall, however thin. Planners on graphs search `graph`, the voxels at whose centres the
    sphere is clear.

    Attributes:
        box: blocked and free voxels.
        radius: of the sphere [m].
        space: space of the states, with components x, y and z.

    Raises:
        ModelError: if the class is subclassed.

    Example:
        >>> from pilotage.maps import OcTree
        >>> tree = OcTree(0.5)
        >>> tree.update([[x, 0.2, 0.2] for x in (0.2, 0.7, 1.2)], False)
        >>> clear = tree.problem([0.25, 0.25, 0.25], [1.25, 0.25, 0.25], radius=0.2).constraint
        >>> clear([[0.25, 0.25, 0.25], [0.25, 0.25, 0.4]]).ravel().round(3)
        array([-0.05,  0.1 ])
    """

    box: VoxelBox
    radius: float
    space: Space

    def __post_init__(self) -> None:
        instance(self.box, VoxelBox, "SphereConstraint")
        object.__setattr__(self, "radius", positive(self.radius, "radius", zero=True))
        instance(self.space, Space, "SphereConstraint")
        _ = self.place

    def __init_subclass__(cls) -> Never:
        raise ModelError(f"{cls.__name__} is a subclass of SphereConstraint, which is final; hold one in another class")

    def __repr__(self) -> str:
        return f"SphereConstraint({self.radius:g} m in {self.box!r})"

    @cached_property
    def place(self) -> list[int]:
        """The indices of x, y and z in a state."""
        return [self.space.find(name, "a sphere") for name in ("x", "y", "z")]

    @cached_property
    def _near(self) -> NDArray[np.float32]:
        """Clearances of voxel centres [voxels], up to two voxels more than the radius."""
        return self.box.clearances(self.radius + 2.0 * self.box.resolution) / np.float32(self.box.resolution)

    @cached_property
    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.float32], Array]:
        """What the machine code `value` reads: blocked voxels, clearances, and numbers."""
        box = self.box
        numbers = [*box.blocked.shape, box.resolution, self.radius / box.resolution, *box.corner, *self.place]
        return np.ascontiguousarray(box.blocked).view(np.uint8), self._near, np.array(numbers, dtype=np.float64)

    @cached_property
    def graph(self) -> VoxelGraph:
        """The voxels at whose centres the sphere is clear, as a graph for searches."""
        clear = self._near - self.radius / self.box.resolution > 2.0 * SLACK  # more than an edge needs
        return VoxelGraph(read_only(clear), self.box.resolution, self.box.corner)

    def _scaled(self, x: Any) -> Array:
        p = np.asarray(x, dtype=np.float64)[..., self.place]
        return np.ascontiguousarray((p.reshape(-1, 3) - self.box.corner) / self.box.resolution)

    def __call__(self, x: Any) -> Array:
        """Values ``(..., 1)`` [m] at states ``(..., n)``; the sphere is clear if the value is not positive."""
        p = self._scaled(x)
        out = np.empty(len(p))
        rooms(self.box.blocked.view(np.uint8), self._near, self.radius / self.box.resolution, p, out)
        return (-self.box.resolution * out).reshape(*np.shape(x)[:-1], 1)

    def edges_allowed(self, a: Any, b: Any) -> Mask:
        """Whether the sphere is clear on the straight lines from states ``(..., n)`` to states ``(..., n)``."""
        a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
        p, q = self._scaled(a), self._scaled(b)
        out = np.empty(len(p), dtype=np.bool_)
        clear_edges(self.box.blocked.view(np.uint8), self._near, self.radius / self.box.resolution, p, q, out)
        return out.reshape(a.shape[:-1])

    def describe(self, x: Any) -> str:
        """A sentence on the depth of the collision at a state ``(n,)``; empty if it is clear."""
        value = float(self(x)[0])
        return "" if value <= 0.0 else f"is in collision, or near unknown space, by {value:.2f} m"


@driver
def room(blocked, near, radius, x, y, z):
    """The room of a sphere: exact up to half a voxel, else a lower bound [voxels].

    Between eight centres, no blocked voxel is nearer than to one of them: along each axis, the distance to a voxel on
    one side only grows away from the centre on that side.
    """
    nx, ny, nz = blocked.shape
    if not (1.0 <= x <= nx - 1.0 and 1.0 <= y <= ny - 1.0 and 1.0 <= z <= nz - 1.0):
        out = max(max(1.0 - x, x - (nx - 1.0)), max(max(1.0 - y, y - (ny - 1.0)), max(1.0 - z, z - (nz - 1.0))))
        return -radius - out if out >= 0.0 else np.nan
    i, j, k = int(min(x, nx - 1.5)), int(min(y, ny - 1.5)), int(min(z, nz - 1.5))
    if blocked[i, j, k] != 0:
        depth = min(min(min(x - i, i + 1 - x), min(y - j, j + 1 - y)), min(z - k, k + 1 - z))
        return -radius - max(depth, 1e-9)
    a, b, c = int(x - 0.5), int(y - 0.5), int(z - 0.5)
    least = np.inf
    for n in range(8):
        least = min(least, near[a + (n & 1), b + ((n >> 1) & 1), c + (n >> 2)])
    # The clearances are in single precision.
    if least - radius >= 0.5 + 1e-5 * least:
        return least * (1.0 - 1e-6) - radius
    return _nearest(blocked, x, y, z, i, j, k, radius + 1.5) - radius


@driver
def _nearest(blocked, x, y, z, i, j, k, reach):
    """The exact distance from a point in voxel (i, j, k) to the nearest blocked voxel, at most `reach`."""
    nx, ny, nz = blocked.shape
    span = math.ceil(reach)
    best = reach * reach
    for a in range(max(i - span, 0), min(i + span + 1, nx)):
        dx = max(max(a - x, x - a - 1), 0.0)
        for b in range(max(j - span, 0), min(j + span + 1, ny)):
            dy = max(max(b - y, y - b - 1), 0.0)
            if dx * dx + dy * dy >= best:
                continue
            for c in range(max(k - span, 0), min(k + span + 1, nz)):
                if blocked[a, b, c] != 0:
                    dz = max(max(c - z, z - c - 1), 0.0)
                    best = min(best, dx * dx + dy * dy + dz * dz)
    return math.sqrt(best)


@driver("void(CPointer(f8), CPointer(u1), CPointer(f4), CPointer(f8), CPointer(f8))")
def value(x, blocked, near, p, out):
    """The constraint [m] at a state, for planners; p are the numbers of `SphereConstraint.arrays`."""
    shape = int(p[0]), int(p[1]), int(p[2])
    side, radius = p[3], p[4]
    i, j, k = int(p[8]), int(p[9]), int(p[10])
    a, b, c = (x[i] - p[5]) / side, (x[j] - p[6]) / side, (x[k] - p[7]) / side
    out[0] = -side * room(voxels(blocked, shape), voxels(near, shape), radius, a, b, c)


@driver("void(Array(u1, 3, 'C', True), f4[:,:,::1], f8, f8[:,::1], f8[::1])")
def rooms(blocked, near, radius, points, out):
    """The rooms of a sphere at points ``(N, 3)``, all in voxels; NaN at points that are not finite."""
    for n in range(points.shape[0]):
        out[n] = room(blocked, near, radius, points[n, 0], points[n, 1], points[n, 2])


@driver("void(Array(u1, 3, 'C', True), f4[:,:,::1], f8, f8[:,::1], f8[:,::1], b1[::1])")
def clear_edges(blocked, near, radius, a, b, out):
    """Whether a sphere is clear on straight lines: no voxel is hit before it has moved by its room."""
    for n in range(a.shape[0]):
        x, y, z = a[n]
        dx, dy, dz = b[n, 0] - x, b[n, 1] - y, b[n, 2] - z
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        t = room(blocked, near, radius, x, y, z)
        left = room(blocked, near, radius, b[n, 0], b[n, 1], b[n, 2])
        fine = t >= 0.0 and left >= 0.0
        t = max(t, SLACK)
        while fine and t < length - left:
            s = t / length
            step = room(blocked, near, radius, x + s * dx, y + s * dy, z + s * dz)
            fine = step > SLACK
            t += step
        out[n] = fine
