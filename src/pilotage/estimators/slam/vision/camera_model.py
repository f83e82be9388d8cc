"""Cameras as an abstract class: what two-view geometry, resection and bundle adjustment need to know of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Sensor, Space
from pilotage.core.settings import settings

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@settings
class CameraModel(ABC):
    """A camera in space or in the plane, as an abstract class.

    A reading is what the camera measures of one point: a pixel, a pixel of each of a pair of cameras, or bearings. The
    frame of a camera in space has Z ahead, X to the right and Y down; that of a camera in the plane X ahead and Y to
    the left.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera, PlanarCamera
        >>> Camera().axes, PlanarCamera().axes, Camera().has_depth, PlanarCamera().has_depth
        (3, 2, False, True)
    """

    @cached_property
    def sensor(self) -> Sensor:
        """The sensor: a pose of the camera and a point to a reading, traced."""
        return self.make_sensor()

    @abstractmethod
    def make_sensor(self) -> Sensor:
        """The sensor, made once."""

    @property
    @abstractmethod
    def has_depth(self) -> bool:
        """Whether a single reading tells the distance of a point, as that of a pair of cameras."""

    @abstractmethod
    def lines(self, z: Array) -> tuple[Array, Array]:
        """The lines of sight of readings ``(K, m)`` in the frame of the camera.

        Returns:
            Origins ``(K, eyes, axes)`` [m] and directions of length 1 ``(K, eyes, axes)``.
        """

    @abstractmethod
    def in_view(self, points: Array) -> Mask:
        """Which points ``(K, axes)`` in the frame of the camera it can see ``(K,)``."""

    @abstractmethod
    def ray_std(self, z: Array) -> Array:
        """Standard deviations of the directions of readings ``(K,)``, to each side [rad]."""

    @property
    def pose(self) -> Space:
        """The space of its poses, SE(3) or SE(2)."""
        return self.sensor.state

    @property
    def place(self) -> Space:
        """The space of points."""
        space = self.sensor.context
        assert space is not None
        return space

    @property
    def reading(self) -> Space:
        """The space of readings."""
        return self.sensor.reading

    @property
    def axes(self) -> int:
        """3 in space, 2 in the plane."""
        return self.place.size

    @property
    def ahead(self) -> int:
        """The axis of its frame that points ahead."""
        return 2 if self.axes == 3 else 0

    def observe(self, poses: ArrayLike, points: ArrayLike) -> Array:
        """The readings ``(..., m)`` of points ``(..., axes)`` from poses, without noise."""
        return np.asarray(self.sensor.observe(np.asarray(poses, float), np.asarray(points, float)))

    def local(self, poses: ArrayLike, points: ArrayLike) -> Array:
        """Points ``(..., axes)`` of the world in the frame of the camera at poses ``(..., size)``."""
        return np.asarray(self.pose.act(self.pose.inverse(poses), points))

    def sees(self, poses: ArrayLike, points: ArrayLike) -> Mask:
        """Which points ``(K, axes)`` the camera sees from poses ``(K, size)`` or one of them, were nothing in between.

        Example:
            >>> from pilotage.estimators.slam.vision import Camera
            >>> Camera().sees([0, 0, 0, 1, 0, 0, 0], [[0.0, 0.0, 5.0], [0.0, 0.0, -5.0]]).tolist()
            [True, False]
        """
        return self.in_view(np.atleast_2d(self.local(poses, points)))

    def rays(self, z: Array) -> Array:
        """Directions ``(K, axes)`` of length 1 of the lines of sight of the (left) camera."""
        return self.lines(z)[1][:, 0]
