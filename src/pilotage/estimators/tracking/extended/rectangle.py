"""The rectangle: points on those sides of an object that a lidar sees, along its direction of motion."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ....core.arrays import Array
from ....core.settings import settings
from .extent import Extent


@settings
class Rectangle(Extent):
    """A rectangular extent whose sides have the direction of motion, and of which a lidar sees the near sides.

    ::

        X = T(heading) diag(a^2, b^2) T(heading)',      a^2, b^2 ~ inverse Wishart of one dimension each

    where a and b are half of length and width. Points lie on the one or two sides that face the sensor, as many on
    each as it fills of the view; without a place of the sensor they lie all over the rectangle. Mean and covariance of
    such points take the place of 0 and ``scale X`` in the equations of `Ellipse`, whose V has only its diagonal. So the
    centre does not move to the near side. What is added to V along an axis is weighed by the share of the extent in the
    covariance, and by E[X] for the rest: an axis that cannot be seen keeps its size.

    The heading is that of the state if it has a yaw, and of the velocity as soon as that is known to a third; until
    then it is that of the rectangle that fits the points best (`fit_rectangle`).

    Source: Tuncer and Ozkan, "Random matrix based extended target tracking with orientation: a new model and
    inference", IEEE Trans. Signal Processing 69, 2021, for the axes; Granstrom, Reuter, Meissner and Scheel, "A
    multiple model PHD approach to tracking of cars under an assumed rectangular shape", Fusion 2014, for the sides.

    Args:
        length, width, name, certainty, rate, rate_std, memory, rate_memory, share: see `Extent`.

    Example:
        >>> car = Rectangle(length=4.0, width=2.0)
        >>> mean, cov = car.spread(car.matrix[None], np.array([[-20.0, 0.0]]))
        >>> mean.tolist()                                       # the rear of the car
        [[-2.0, 0.0]]
    """

    boxed: ClassVar[bool] = True
    free: ClassVar[float] = 4.0

    @property
    def matrix(self) -> Array:
        return np.diag([0.25 * self.length**2, 0.25 * self.width**2])

    def spread(self, X: Array, place: Array | None) -> tuple[Array, Array]:
        squares = np.stack([X[:, 0, 0], X[:, 1, 1]], -1)
        if place is None:
            return np.zeros_like(squares), np.eye(2) * squares[:, None, :] / 3.0
        half = np.sqrt(squares)
        beyond = np.maximum(np.abs(place) - half, 0.0)
        fill = half[:, ::-1] * beyond  # the side across x is as long as the width, and the other way round
        total = fill.sum(-1, keepdims=True)
        inside = total[:, 0] <= 0.0
        fill = np.where(inside[:, None], 0.5, fill / np.where(inside, 1.0, total[:, 0])[:, None])
        mean = np.where(inside[:, None], 0.0, fill * np.sign(place) * half)
        variance = squares * (fill + fill[:, ::-1] / 3.0) - mean**2
        cov = np.eye(2) * variance[:, None, :]
        cov[:, 0, 1] = cov[:, 1, 0] = -mean[:, 0] * mean[:, 1]
        return mean, cov
