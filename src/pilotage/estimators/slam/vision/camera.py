"""The pinhole camera with its image, or a pair of them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import SettingError
from pilotage.core.settings import Count, Finite, Interval, NonNegative, Positive, settings
from pilotage.models import TracedSensor, pinhole, stereo_pinhole
from pilotage.models.camera import distort

from .camera_model import CameraModel, Mask

Array = NDArray[np.float64]
Coefficient = Annotated[float, Interval(-10.0, 10.0)]


@settings
class Camera(CameraModel):
    """A pinhole camera, or a pair of rectified ones.

    ::

        (X, Y, Z) = R' (point - position)          Z ahead, X to the right, Y down
        u = fx X / Z + cx,    v = fy Y / Z + cy,    and of a pair: right = u - fx baseline / Z    [px]

    Args:
        focal: focal lengths (fx, fy) [px].
        centre: principal point (cx, cy) [px].
        width, height: size of the image [px].
        distortion: of the lens (k1, k2, p1, p2), as in OpenCV; images of a pair are rectified, and have none.
        baseline: how far the right camera of a pair is to the right of the left one [m]; 0 for a single camera.
        std: standard deviation of a pixel [px].
        near, far: distances ahead between which points are seen [m].

    Raises:
        SettingError: if a setting is out of its range, or a pair has a distortion.

    Source: Hartley and Zisserman, "Multiple View Geometry in Computer Vision" (2004), section 6.1.

    Example:
        >>> camera = Camera(focal=(400.0, 400.0), distortion=(-0.2, 0.05, 0.0, 0.0))
        >>> z = camera.observe([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [[1.0, 0.5, 2.0]])
        >>> (2.0 * camera.rays(z) / camera.rays(z)[:, 2:]).round(9).tolist()
        [[1.0, 0.5, 2.0]]
    """

    focal: tuple[Positive, Positive] = (500.0, 500.0)
    centre: tuple[Finite, Finite] = (320.0, 240.0)
    width: Count = 640
    height: Count = 480
    distortion: tuple[Coefficient, Coefficient, Coefficient, Coefficient] = (0.0, 0.0, 0.0, 0.0)
    baseline: NonNegative = 0.0
    std: Positive = 1.0
    near: Positive = 0.1
    far: Positive = 100.0

    def __post_init__(self) -> None:
        if self.baseline > 0.0 and any(self.distortion):
            raise SettingError(
                f"distortion of Camera is {self.distortion} and its baseline {self.baseline}; expected rectified "
                "images of a pair, which have no distortion"
            )
        if self.near >= self.far:
            raise SettingError(f"near of Camera is {self.near} and far {self.far}; expected near < far")

    def make_sensor(self) -> TracedSensor:
        """The sensor, made once."""
        lens = {"focal": self.focal, "centre": self.centre, "std": self.std}
        if self.has_depth:
            return stereo_pinhole(baseline=self.baseline, **lens)
        if any(self.distortion):
            return pinhole(distorted=True, distortion=self.distortion, **lens)
        return pinhole(**lens)

    @property
    def has_depth(self) -> bool:
        """Whether it is a pair of cameras."""
        return self.baseline > 0.0

    def lines(self, z: Array) -> tuple[Array, Array]:
        """Origins and directions ``(K, eyes, 3)`` of the lines of sight of readings ``(K, 2)``, or ``(K, 3)``."""
        eyes = 2 if self.has_depth else 1
        origins, d = np.zeros((len(z), eyes, 3)), np.ones((len(z), eyes, 3))
        for eye, column in enumerate((0, 2)[:eyes]):
            origins[:, eye, 0] = eye * self.baseline
            d[:, eye, 0], d[:, eye, 1] = self._undistorted(z[:, column], z[:, 1])
        return origins, d / np.linalg.norm(d, axis=2, keepdims=True)

    def ray_std(self, z: Array) -> Array:
        """Standard deviations of the directions of readings ``(K,)``, to each side [rad]: smaller off the axis."""
        return self.std / np.sqrt(self.focal[0] * self.focal[1]) * self.rays(z)[:, 2] ** 1.5

    def in_view(self, points: Array) -> Mask:
        """Which points ``(K, 3)`` in the frame of the camera lie in the image, ahead between near and far."""
        ahead = (points[:, 2] > self.near) & (points[:, 2] < self.far)
        shown = np.where(ahead[:, None], points, [0.0, 0.0, 1.0])
        z = self.observe([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], shown)
        u = z[:, ::2] if self.has_depth else z[:, :1]
        inside = (u >= 0.0).all(axis=1) & (u < self.width).all(axis=1) & (z[:, 1] >= 0.0) & (z[:, 1] < self.height)
        return ahead & inside & self._unfolded(shown)

    def _undistorted(self, u: Array, v: Array) -> tuple[Array, Array]:
        """The points of the image plane without distortion, by Newton's method."""
        x0, y0 = (u - self.centre[0]) / self.focal[0], (v - self.centre[1]) / self.focal[1]
        x, y, (k1, k2, p1, p2) = x0, y0, self.distortion
        for _ in range(10 if any(self.distortion) else 0):
            dx, dy = distort(x, y, self.distortion)
            r2 = x * x + y * y
            s, t = 1.0 + k1 * r2 + k2 * r2 * r2, 2.0 * (k1 + 2.0 * k2 * r2)
            xx, yy = s + t * x * x + 2.0 * p1 * y + 6.0 * p2 * x, s + t * y * y + 6.0 * p1 * y + 2.0 * p2 * x
            xy = t * x * y + 2.0 * p1 * x + 2.0 * p2 * y
            det = xx * yy - xy * xy
            x, y = x + (yy * (x0 - dx) - xy * (y0 - dy)) / det, y + (xx * (y0 - dy) - xy * (x0 - dx)) / det
        return x, y

    def _unfolded(self, points: Array) -> Mask:
        """Where the radius in the image still grows with that of the point: farther out, the formula folds back."""
        k1, k2 = self.distortion[:2]
        r2 = (points[:, :2] ** 2).sum(axis=1) / points[:, 2] ** 2
        return 1.0 + 3.0 * k1 * r2 + 5.0 * k2 * r2**2 > 0.0
