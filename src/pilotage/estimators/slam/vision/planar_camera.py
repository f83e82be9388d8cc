"""A pair of cameras in the plane, which measures bearings."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import SettingError
from pilotage.core.settings import Interval, Positive, settings
from pilotage.models import TracedSensor, stereo_bearings

from .camera_model import CameraModel, Mask

Array = NDArray[np.float64]


@settings
class PlanarCamera(CameraModel):
    """A pair of cameras in the plane: a robot on the floor that tells features by their bearings.

    ::

        (X, Y) = R' (point - position)             X ahead, Y to the left
        left = atan2(Y, X),    right = atan2(Y + baseline, X)    [rad]

    A single camera would not do: two views of bearings in the plane fit any motion, as two lines in a plane always
    meet.

    Args:
        baseline: how far the right camera is to the right of the left one [m].
        view: angle that is seen to each side [rad].
        std: standard deviation of a bearing [rad].
        near, far: distances between which points are seen [m].

    Raises:
        SettingError: if a setting is out of its range.

    Example:
        >>> PlanarCamera(baseline=1.0).observe([0.0, 0.0, 0.0], [[2.0, 0.0]]).round(3).tolist()
        [[0.0, 0.464]]
    """

    baseline: Positive = 0.3
    view: Annotated[float, Interval(0.0, np.pi / 2, "(]")] = 0.8
    std: Positive = 0.002
    near: Positive = 0.2
    far: Positive = 30.0

    def __post_init__(self) -> None:
        if self.near >= self.far:
            raise SettingError(f"near of PlanarCamera is {self.near} and far {self.far}; expected near < far")

    def make_sensor(self) -> TracedSensor:
        """The sensor, made once."""
        return stereo_bearings(baseline=self.baseline, std=self.std)

    @property
    def has_depth(self) -> bool:
        """It is a pair of cameras."""
        return True

    def lines(self, z: Array) -> tuple[Array, Array]:
        """Origins and directions ``(K, 2, 2)`` of the lines of sight of readings ``(K, 2)``."""
        origins = np.zeros((len(z), 2, 2))
        origins[:, 1, 1] = -self.baseline
        return origins, np.stack([np.cos(z), np.sin(z)], axis=2)

    def ray_std(self, z: Array) -> Array:
        """Standard deviations of the bearings ``(K,)`` [rad]."""
        return np.full(len(z), self.std)

    def in_view(self, points: Array) -> Mask:
        """Which points ``(K, 2)`` in the frame of the camera both cameras see."""
        ahead, distance = points[:, 0] > 0.0, np.hypot(points[:, 0], points[:, 1])
        z = self.observe([0.0, 0.0, 0.0], points)
        return ahead & (distance > self.near) & (distance < self.far) & (np.abs(z) < self.view).all(axis=1)
