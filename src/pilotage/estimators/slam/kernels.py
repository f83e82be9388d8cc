"""Robust kernels: losses that grow more slowly than the square of a residual, and so limit outliers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.settings import Positive, settings
from pilotage.models.trace import Code, Function
from pilotage.models.trace.function import Input, Kind, Value
from pilotage.models.trace.graph import Graph
from pilotage.models.trace.tracer import SymbolicMath

Array = NDArray[np.float64]

LOSS = Kind("loss", ("x",), frozenset("x"), {"w": ("rho", "x")})
"""rho: the loss of a squared residual x; w: its slope."""


@settings
class RobustKernel(ABC):
    """A robust kernel: the loss of a squared residual.

    ::

        chi2 = sum rho(s),    s = e' W e,    weight = rho'(s)

    A kernel of your own is a class with a `loss`, a formula in `s` and the mathematics `m`, of which the weight is
    derived. The loss should begin as rho = s.

    Args:
        scale: the root of s at which a reading begins to be taken for an outlier; s is about chi-square distributed.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Zhang, "Parameter Estimation Techniques: A Tutorial with Application to Conic Fitting" (1997), section 9.4.

    Example:
        >>> class LogCosh(RobustKernel):
        ...     def loss(self, s, m):
        ...         return 2.0 * self.scale**2 * m.log(m.cosh(m.sqrt(s + 1e-12) / self.scale))
        >>> LogCosh(scale=1.0).weight([0.0, 1.0, 100.0]).round(2).tolist()
        [1.0, 0.76, 0.1]
    """

    scale: Positive = 1.0

    @abstractmethod
    def loss(self, s: Any, m: Any) -> Any:
        """The loss rho of a squared residual s; `m` is a namespace of mathematics."""

    def rho(self, s: ArrayLike) -> Array:
        """Losses of squared residuals of any shape."""
        return self._evaluated("rho", s)

    def weight(self, s: ArrayLike) -> Array:
        """Weights of squared residuals of any shape."""
        return self._evaluated("w", s)

    def code(self, results: str, lanes: bool = False, precision: str = "double") -> Code:
        """Machine code of "rho w"."""
        return _function(self).code(results, lanes, precision)

    def vector(self, dt: float | None = None) -> Array:
        """No parameters: the scale is part of the code."""
        return np.zeros(0)

    def dependencies(self, result: str) -> frozenset[str]:
        """The squared residual."""
        return _function(self).dependencies(result)

    def _evaluated(self, result: str, s: ArrayLike) -> Array:
        given = np.asarray(s, dtype=np.float64)
        return np.broadcast_to(_function(self)(result, given[..., None]).reshape(-1), (given.size,)).reshape(
            given.shape
        )


@settings
class Huber(RobustKernel):
    """Huber's kernel: quadratic for inliers, linear for outliers; convex, so it has no further minima.

    ::

        rho(s) = s                      if s <= scale^2
                 2 scale sqrt(s) - scale^2      otherwise

    Args:
        scale: the root of s at which a reading begins to be taken for an outlier.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Huber, "Robust Estimation of a Location Parameter" (1964).

    Example:
        >>> Huber(scale=2.0).weight([1.0, 16.0]).tolist()
        [1.0, 0.5]
    """

    scale: Positive = 1.345

    def loss(self, s: Any, m: Any) -> Any:
        """The loss."""
        c = self.scale
        return m.where(s <= c * c, s, 2.0 * c * m.sqrt(m.maximum(s, c * c)) - c * c)


@settings
class Cauchy(RobustKernel):
    """The Cauchy kernel: the loss grows as a logarithm.

    ::

        rho(s) = scale^2 log(1 + s / scale^2)

    Args:
        scale: the root of s at which the weight is a half.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Zhang, "Parameter Estimation Techniques" (1997), table 1.

    Example:
        >>> Cauchy(scale=2.0).weight([0.0, 4.0]).tolist()
        [1.0, 0.5]
    """

    scale: Positive = 2.385

    def loss(self, s: Any, m: Any) -> Any:
        """The loss."""
        c2 = self.scale**2
        return c2 * m.log(1.0 + s / c2)


@settings
class Tukey(RobustKernel):
    """Tukey's biweight: outliers have no influence at all.

    ::

        rho(s) = scale^2 / 3 (1 - (1 - s / scale^2)^3)      if s <= scale^2
                 scale^2 / 3                                otherwise

    Args:
        scale: the root of s from which on readings have no weight.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Zhang, "Parameter Estimation Techniques" (1997), table 1.

    Example:
        >>> Tukey(scale=2.0).weight([0.0, 2.0, 4.0]).tolist()
        [1.0, 0.25, 0.0]
    """

    scale: Positive = 4.685

    def loss(self, s: Any, m: Any) -> Any:
        """The loss."""
        c2 = self.scale**2
        return c2 / 3.0 * (1.0 - (1.0 - m.minimum(s / c2, 1.0)) ** 3)


@settings
class GemanMcClure(RobustKernel):
    """The kernel of Geman and McClure: the loss tends to the square of the scale.

    ::

        rho(s) = scale^2 s / (scale^2 + s)

    Args:
        scale: the root of s at which the weight is a quarter.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Geman and McClure, "Bayesian image analysis" (1985); Yang, Antonante, Tzoumas and Carlone, "Graduated
    Non-Convexity for Robust Spatial Perception" (2020), example 1.

    Example:
        >>> GemanMcClure(scale=2.0).weight([0.0, 4.0]).tolist()
        [1.0, 0.25]
    """

    scale: Positive = 3.0

    def loss(self, s: Any, m: Any) -> Any:
        """The loss."""
        c2 = self.scale**2
        return c2 * s / (c2 + s)


@settings
class DynamicCovarianceScaling(RobustKernel):
    """Dynamic covariance scaling: the information of an outlier is scaled down, by its residual.

    ::

        rho'(s) = min(1, 2 scale^2 / (scale^2 + s))^2

    Args:
        scale: the root of s from which on information is scaled down.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Agarwal, Tipaldi, Spinello, Stachniss and Burgard, "Robust Map Optimization using Dynamic Covariance
    Scaling" (2013), equation 15.

    Example:
        >>> DynamicCovarianceScaling(scale=2.0).weight([1.0, 12.0]).tolist()
        [1.0, 0.25]
    """

    scale: Positive = 1.0

    def loss(self, s: Any, m: Any) -> Any:
        """The loss."""
        c2 = self.scale**2
        return m.where(s <= c2, s, 3.0 * c2 - 4.0 * c2 * c2 / (c2 + s))


@settings
class TruncatedSquare(RobustKernel):
    """The truncated square: outliers cost a fixed amount and have no influence; solve it by `GraduatedNonConvexity`.

    ::

        rho(s) = min(s, scale^2)

    Args:
        scale: the root of s from which on a reading is an outlier.

    Raises:
        SettingError: if the scale is not a positive number.

    Source: Yang, Antonante, Tzoumas and Carlone, "Graduated Non-Convexity for Robust Spatial Perception" (2020),
    example 2.

    Example:
        >>> TruncatedSquare(scale=2.0).weight([3.9, 4.1]).tolist()
        [1.0, 0.0]
    """

    scale: Positive = 3.0

    def loss(self, s: Any, m: Any) -> Any:
        """The loss."""
        c2 = self.scale**2
        return m.where(s <= c2, s, c2)


@lru_cache(maxsize=64)
def _function(kernel: RobustKernel) -> Function:
    """The loss as a traced function."""
    graph = Graph()
    m: Any = SymbolicMath(graph)
    (s,) = graph.inputs("x", 1)
    rho = Value(None, [graph.lift(kernel.loss(s, m))], ())
    return Function(LOSS, type(kernel).__name__, graph, {"x": Input(None, [s])}, {"rho": rho})
