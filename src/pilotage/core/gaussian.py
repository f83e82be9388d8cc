"""The normal distribution on a space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from ._bound import by_name as explained
from ._product import listed
from ._values import Value, at, broadcast, by_name, described, freeze, states
from .arrays import Array
from .covariances import check_covariance, check_root, diagonal, log_normal, log_normal_root, root_of, triangular
from .errors import CovarianceError
from .settings import instance, whole
from .space import Space
from .streams import Rng, generator


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Gaussian(Value):
    """A Gaussian on a space: ``x = mean (+) e``, ``e ~ N(0, cov)``, normal in the tangent space at the mean.

    Args:
        space: the space of the states.
        mean: ``(..., size)``; angles are wrapped and quaternions normalised.
        cov: ``(..., dim, dim)``, symmetric to 1e-8 of its largest entry and positive definite. A single matrix applies
            to all means.

    A Gaussian stores either its covariance or a root of it (`from_root`), and computes the other on demand. `rooted`
    tells which one it stores; all computations use that one. Arrays are read-only copies. Two Gaussians are equal only
    if they are the same object; to compare values, compare the arrays.

    Raises:
        ShapeError: if mean or covariance do not fit the space or contain NaN.
        CovarianceError: if the covariance is not symmetric positive definite.

    Example:
        >>> print(Gaussian(Space("x [m]", "yaw: angle"), [0.31, 0.02], [[0.1764, 0], [0, 0.0029]]))
        x 0.31 +- 0.42 m, yaw 1.1 +- 3.1 deg
    """

    space: Space
    mean: Array
    rooted: bool

    @explained
    def __init__(self, space: Space, mean: Any, cov: Any) -> None:
        x = states(space, mean, "mean", "Gaussian")
        x, P = broadcast(("mean", x, 1), ("cov", check_covariance(cov, space.dim), 2))
        self.__dict__.update(space=space, mean=x, rooted=False, cov=P)

    @classmethod
    def from_root(cls, space: Space, mean: Any, root: Any) -> Gaussian:
        """The Gaussian with covariance ``A A'``, for square-root filters.

        Args:
            space: the space of the states.
            mean: ``(..., size)``.
            root: A, ``(..., dim, dim)`` or with more columns; stored as a lower triangular L with ``L L' = A A'``.

        Raises:
            ShapeError: if mean or root do not fit the space or contain NaN.
            CovarianceError: if the root is singular.

        Example:
            >>> Gaussian.from_root(Space("x y"), [0, 0], [[3.0, 0.0], [4.0, 5.0]]).cov
            array([[ 9., 12.],
                   [12., 41.]])
        """
        x = states(space, mean, "mean", "Gaussian")
        x, L = broadcast(("mean", x, 1), ("root", check_root(root, space.dim), 2))
        return cls.trusted(space, x, root=L)

    @classmethod
    def trusted(cls, space: Space, mean: Array, cov: Array | None = None, *, root: Array | None = None) -> Gaussian:
        """A Gaussian made without copies or checks; the arrays become read-only and must not be used elsewhere.

        `cov` may be semidefinite; a `root`, given instead, is lower triangular.
        """
        rooted = root is not None
        matrix = cast(Array, root if rooted else cov)
        mean.setflags(write=False)
        matrix.setflags(write=False)
        new = object.__new__(cls)
        new.__dict__.update({"space": space, "mean": mean, "rooted": rooted, "root" if rooted else "cov": matrix})
        return new

    def holding(self, space: Space, mean: Array, matrix: Array) -> Gaussian:
        """Another one, `trusted`, whose matrix is what this one holds: a root or a covariance."""
        return Gaussian.trusted(space, mean, **{"root" if self.rooted else "cov": matrix})

    @property
    def held(self) -> Array:
        """The root or the covariance, whichever is held."""
        return self.root if self.rooted else self.cov

    @classmethod
    @explained
    def of(cls, space: Space, mean: Any = None, *, std: Any = None, cov: Any = None) -> Gaussian:
        """A Gaussian with standard deviations (a number or ``(..., dim)``) or a covariance; default mean: identity.

        Numbers may be given by name, ``{"x": 1.0}``: all standard deviations, and those of the mean that differ from
        identity.

        Example:
            >>> Gaussian.of(Space("x y [m]"), [1, 2], std=0.5).cov
            array([[0.25, 0.  ],
                   [0.  , 0.25]])
            >>> print(Gaussian.of(Space("x y [m]"), {"y": 2.0}, std={"x": 0.1, "y": 0.5}))
            x 0.00 +- 0.10 m, y 2.00 +- 0.50 m
        """
        if (std is None) == (cov is None):
            raise CovarianceError("give either std or cov, and not both")
        start = instance(space, Space, "Gaussian").identity()
        mean = start if mean is None else by_name(mean, start, space.names, "mean")
        std = by_name(std, np.full(space.dim, np.nan), space.tangent_names, "std")
        return cls(space, mean, diagonal(std, space.dim) if cov is None else cov)

    @cached_property
    def cov(self) -> Array:
        """Covariance in the tangent space at the mean, ``(..., dim, dim)``."""
        return freeze(self.root @ np.swapaxes(self.root, -1, -2))

    @cached_property
    def root(self) -> Array:
        """A matrix A with ``A A' = cov``; lower triangular if the covariance is positive definite."""
        return freeze(root_of(self.cov))

    @property
    def std(self) -> Array:
        """Standard deviations of the tangent components, ``(..., dim)``."""
        if self.rooted:
            return np.sqrt(np.square(self.root).sum(-1))
        return np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1))

    def moments(self) -> Gaussian:
        """The Gaussian itself."""
        return self

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``."""
        z = generator(rng).standard_normal((*self.mean.shape[:-1], whole(n, "n", 0), self.space.dim))
        d = np.einsum("...ij,...nj->...ni", self.root, z)
        return cast(Array, self.space.plus(self.mean[..., None, :], d))

    def log_prob(self, x: Any) -> Array:
        """``log N(x (-) mean; 0, cov)`` at states ``(..., size)`` that broadcast against the mean.

        Raises:
            CovarianceError: if the covariance is singular, so that there is no density.
        """
        d = self.space.minus(x, self.mean)
        return log_normal_root(d, self.root) if self.rooted else log_normal(d, self.cov)

    def marginal(self, names: str | Iterable[str]) -> Gaussian:
        """The marginal Gaussian of the named parts, in the order given.

        Example:
            >>> Gaussian.of(Space("x y z"), [1, 2, 3], std=1).marginal("z x").mean
            array([3., 1.])
        """
        names = listed(names)
        i, j = self.space.indices(names)
        matrix = triangular(self.root[..., j, :]) if self.rooted else self.cov[..., j[:, None], j]
        return self.holding(self.space.select(names), self.mean[..., i], matrix)

    def __getitem__(self, index: Any) -> Gaussian:
        """The Gaussian(s) at `index` of the leading axes: ``run.beliefs[-1]``."""
        return self.holding(self.space, *at(index, (self.mean, 1), (self.held, 2)))

    def __getstate__(self) -> dict[str, Any]:
        held = "root" if self.rooted else "cov"
        return {**super().__getstate__(), held: self.held}

    def __str__(self) -> str:
        return described(self.space, self.mean, self.std, "Gaussians")

    def __repr__(self) -> str:
        return f"Gaussian({self})"
