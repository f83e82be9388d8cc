"""Extents: the size and shape of objects, of which a scan holds several points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ....core.arrays import Array
from ....core.settings import Positive, settings
from ._bodies import frames


@settings
class Extent(ABC):
    """Base of the extents of objects: what is known of size and points before an object is seen, and how that ages.

    Each extent is a random matrix X, whose semi-axes are the roots of its eigenvalues, and a rate of points::

        X ~ IW(v, V),     E[X] = V / (v - free)         inverse Wishart
        gamma ~ Gamma(alpha, beta),   n ~ Poisson(gamma)     points of a scan

        v <- free + exp(-dt / memory) (v - free)        V <- A V A' so that E[X] <- A E[X] A'
        alpha, beta <- exp(-dt / rate_memory) alpha, beta       so that E[gamma] stays; no less than of a new object

    in which A is the turn of the object from one scan to the next. `Ellipse` and `Rectangle` say how points lie.

    Source: Koch, "Bayesian approach to extended object and cluster tracking using random matrices", IEEE Trans.
    Aerospace and Electronic Systems 44, 2008, equations 16 to 18; with A of Lan and Li, "Tracking of extended object
    or target group using random matrix", Fusion 2012; the rate of Granstrom and Orguner, "Estimation and maintenance
    of measurement rates for multiple extended target tracking", Fusion 2012.

    Args:
        length, width: expected size of new objects [m].
        name: the kind of object, such as "car".
        certainty: number of points that the expected size is worth.
        rate: expected points of a scan.
        rate_std: standard deviation of that.
        memory: time after which old points count by a factor of e less for the size [s].
        rate_memory: the same for the rate [s].
        share: of new objects that are of this kind, beside the shares of other kinds.

    Example:
        >>> from pilotage.estimators.tracking.extended import Ellipse
        >>> issubclass(Ellipse, Extent)
        True
    """

    length: Positive = 4.5
    width: Positive = 1.8
    name: str = ""
    certainty: Positive = 20.0
    rate: Positive = 10.0
    rate_std: Positive = 7.0
    memory: Positive = 5.0
    rate_memory: Positive = 2.0
    share: Positive = 1.0

    boxed: ClassVar[bool]
    """Whether the axes are those of the direction of motion."""
    free: ClassVar[float]
    """Degrees of freedom at which the mean of X ceases to exist."""

    @property
    @abstractmethod
    def matrix(self) -> Array:
        """The expected X of a new object, ``(2, 2)`` [m^2], in its own frame."""

    @abstractmethod
    def spread(self, X: Array, place: Array | None, hidden: Array) -> tuple[Array, Array, Array]:
        """Points around the centre in each of W views: log-probabilities of the views, means and covariances.

        They are ``(W, N)``, ``(W, N, 2)`` and ``(W, N, 2, 2)``, in the frame of each object.

        Args:
            X: expected extents, ``(N, 2, 2)``.
            place: of the sensor in the frame of each object, ``(N, 2)`` [m]; None if it is unknown.
            hidden: share of each object that others hide, ``(N,)``.
        """

    @property
    def gamma(self) -> tuple[float, float]:
        """alpha and beta of a new object."""
        return (self.rate / self.rate_std) ** 2, self.rate / self.rate_std**2


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of an object at one time.

    Attributes:
        center: ``(2,)`` [m].
        length, width: the full axes [m]; of an ellipse, the length is the longer one.
        heading: direction of the length [rad].
        boxed: whether it is a rectangle; otherwise an ellipse.
        rate: expected points of a scan.
        kind: name of the extent.

    Example:
        >>> one = Outline(np.zeros(2), 4.0, 2.0, 0.0, True, 10.0, "car")
        >>> one.corners.tolist()
        [[2.0, 1.0], [-2.0, 1.0], [-2.0, -1.0], [2.0, -1.0]]
        >>> one.matrix.tolist()
        [[4.0, 0.0], [0.0, 1.0]]
    """

    center: Array
    length: float
    width: float
    heading: float
    boxed: bool
    rate: float
    kind: str

    @property
    def frame(self) -> Array:
        """The directions of length and width, as columns ``(2, 2)``."""
        return frames(np.asarray(self.heading))

    @property
    def matrix(self) -> Array:
        """X, ``(2, 2)`` [m^2]: the roots of its eigenvalues are the semi-axes."""
        return self.frame @ np.diag([0.25 * self.length**2, 0.25 * self.width**2]) @ self.frame.T

    @property
    def corners(self) -> Array:
        """The corners of the rectangle with these axes, counter-clockwise, ``(4, 2)`` [m]."""
        unit = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
        return self.center + (0.5 * unit * [self.length, self.width]) @ self.frame.T

    @property
    def curve(self) -> Array:
        """A closed curve to draw, ``(K, 2)`` [m]: the rectangle or the ellipse."""
        if self.boxed:
            return np.concatenate([self.corners, self.corners[:1]])
        angle = np.linspace(0.0, 2.0 * np.pi, 49)
        circle = 0.5 * np.stack([self.length * np.cos(angle), self.width * np.sin(angle)], -1)
        return self.center + circle @ self.frame.T
