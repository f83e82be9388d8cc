"""The rectangle: points on those sides of an object that a lidar sees, along its direction of motion."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ....core.arrays import Array
from ....core.settings import settings
from .extent import Extent

HIDDEN = 0.2
"""Probability that one of two near sides has no points."""
GRAZING = 0.3
"""Distance of the sensor from the line of a side from which on the side is seen as a whole [m]."""


@settings
class Rectangle(Extent):
    """A rectangular extent whose sides have the direction of motion, and of which a lidar sees the near sides.

    ::

        X = T(heading) diag(a^2, b^2) T(heading)',      a^2, b^2 ~ inverse Wishart of one dimension each

    where a and b are half of length and width. Points lie on the one or two sides that face the sensor, as many on each
    as it fills of the view, or as it is long if they are `even`; without a place of the sensor they lie all over the
    rectangle. Mean and covariance of such points take the place of 0 and ``scale X`` in the equations of `Ellipse`,
    whose V has only its diagonal. If two sides are near, one may have no points all the same, since something hides it:
    L is that of a mixture of these views, and the update that of the likeliest. So the centre does not move to the near
    side. The update of V along an axis is weighed by the share of the extent in the covariance, and E[X] takes the
    place of the rest: an axis that cannot be seen keeps its size.

    The heading is that of the state if it has a yaw. Otherwise it is estimated beside it::

        var <- var + 0.04 dt                         an object that stands may be turned, by 0.2 rad in a second
        theta <- theta + g (fit - theta),    g = var / (var + var_fit),    var <- (1 - g) var

    where the direction of the velocity takes the place of theta as soon as that is known better. The fit is the longer
    axis of points all over the object, with its variance, up to half turns; or with a lidar the direction of the
    rectangle that fits the sides best (`fit_rectangle`), up to quarter turns. The velocity tells which end is the
    front, when it is known to a third, and which sides are the long ones, when it is known to a fifth.

    Source: Tuncer and Ozkan, "Random matrix based extended target tracking with orientation: a new model and
    inference", IEEE Trans. Signal Processing 69, 2021, for the axes; Granstrom, Reuter, Meissner and Scheel, "A
    multiple model PHD approach to tracking of cars under an assumed rectangular shape", Fusion 2014, for the sides.

    Args:
        length, width, name, certainty, rate, rate_std, memory, rate_memory, share: see `Extent`.
        even: whether points on the sides are equally far from each other, as after `thinned`.

    Example:
        >>> car = Rectangle(length=4.0, width=2.0)
        >>> views, mean, cov = car.spread(car.matrix[None], np.array([[-20.0, 0.0]]), np.zeros(1))
        >>> mean[0].tolist()                                    # the rear of the car
        [[-2.0, 0.0]]
    """

    even: bool = False
    boxed: ClassVar[bool] = True
    free: ClassVar[float] = 4.0

    @property
    def matrix(self) -> Array:
        return np.diag([0.25 * self.length**2, 0.25 * self.width**2])

    def spread(self, X: Array, place: Array | None, hidden: Array) -> tuple[Array, Array, Array]:
        squares = np.stack([X[:, 0, 0], X[:, 1, 1]], -1)
        if place is None:
            return np.zeros((1, len(X))), np.zeros((1, len(X), 2)), (np.eye(2) * squares[:, None, :] / 3.0)[None]
        half = np.sqrt(squares)
        beyond = np.maximum(np.abs(place) - half, 0.0)
        fill = half[:, ::-1] * (np.minimum(beyond, GRAZING) if self.even else beyond)  # the side across x is the width
        shares = np.stack([fill, fill * [1.0, 0.0], fill * [0.0, 1.0]])
        some: Any = (shares > 0.0).any(-1)
        both = (fill > 0.0).all(-1)
        whole = np.where(both, (1.0 - HIDDEN) * (1.0 - hidden), 1.0)
        with np.errstate(divide="ignore"):
            views = np.log(np.stack([whole, 0.5 * (1.0 - whole), 0.5 * (1.0 - whole)]))
        views = np.where(some | (np.arange(3) == 0)[:, None], views, -np.inf)
        return views, *self._sides(shares, some, np.sign(place) * half, squares)

    def _sides(self, shares: Array, some: Any, ends: Array, squares: Array) -> tuple[Array, Array]:
        """Mean and covariance of points on sides at these ends of the axes, with these shares of them."""
        part = np.where(some[..., None], shares / np.maximum(shares.sum(-1, keepdims=True), 1e-300), 0.5)
        mean = np.where(some[..., None], part * ends, 0.0)
        cov = np.eye(2) * (squares * (part + part[..., ::-1] / 3.0) - mean**2)[..., None, :]
        cov[..., 0, 1] = cov[..., 1, 0] = -mean[..., 0] * mean[..., 1]
        return mean, cov
