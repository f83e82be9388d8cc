"""A Gaussian by its information: inverse covariance times state, so that nothing at all may be known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import CovarianceError, Gaussian, ModelError, Rng, ShapeError, Space
from ..core._values import Value, at, freeze
from ..core.arrays import Array, numbers
from ..core.settings import instance

ROUNDING = 1e-13
"""Information in a direction, relative to that of its components, that is only rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class Information(Value):
    """A Gaussian on a linear space by information matrix and vector: ``Y = P^-1``, ``y = P^-1 x``.

    Y may be singular: of some directions nothing is known, and the covariance is infinite there. `mean` is then NaN and
    `std` infinite for the components concerned, and `moments` raises an error that names them. Independent knowledge of
    a state adds up: ``a + b`` is the information of both.

    Args:
        space: the space of the state, of real numbers only.
        matrix: Y ``(..., d, d)``, symmetric positive semidefinite.
        vector: y ``(..., d)``.

    Raises:
        ModelError: if the space is not linear.
        ShapeError: if matrix or vector do not fit the space.

    Example:
        >>> wide = Information.none(Space("x [m]", "vx [m/s]"))
        >>> print(wide + Information(wide.space, [[4.0, 0.0], [0.0, 0.0]], [8.0, 0.0]))
        x 2.00 +- 0.50 m, vx unknown
    """

    space: Space
    matrix: Array
    vector: Array

    def __post_init__(self) -> None:
        if not instance(self.space, Space, "Information").linear:
            raise ModelError(f"{self.space} is not linear; the information of angles and rotations does not add up")
        d = self.space.dim
        Y, y = (np.array(numbers(a, name)) for a, name in ((self.matrix, "matrix"), (self.vector, "vector")))
        if Y.shape[-2:] != (d, d) or y.shape[-1:] != (d,):
            raise ShapeError(f"matrix {Y.shape} and vector {y.shape} do not fit {self.space}; expected {d} components")
        self.__setstate__({"space": self.space, "matrix": Y, "vector": y})

    @classmethod
    def none(cls, space: Space) -> Information:
        """No knowledge at all: all zeros."""
        return cls(space, np.zeros((space.dim, space.dim)), np.zeros(space.dim))

    @classmethod
    def of(cls, belief: Any) -> Information:
        """A belief by its information."""
        if isinstance(belief, Information):
            return belief
        known = belief.moments()
        Y = np.linalg.inv(known.cov)
        return cls(known.space, 0.5 * (Y + np.swapaxes(Y, -1, -2)), (Y @ known.mean[..., None])[..., 0])

    @classmethod
    def stacked(cls, beliefs: list[Information]) -> Information:
        """Beliefs of one shape side by side, along a new last leading axis."""
        matrices, vectors = (np.stack([getattr(b, name) for b in beliefs], axis) for name, axis in
                             (("matrix", -3), ("vector", -2)))  # fmt: skip
        return cls(beliefs[0].space, matrices, vectors)

    def __add__(self, other: Information) -> Information:
        return Information(self.space, self.matrix + other.matrix, self.vector + other.vector)

    def __getitem__(self, index: Any) -> Information:
        return Information(self.space, *at(index, (self.matrix, 2), (self.vector, 1)))

    @cached_property
    def parts(self) -> tuple[Array, Array]:
        """A covariance ``(..., d, d)`` of what is known, and a basis of what is not, its columns or zeros.

        Of the eigenvalues of Y, scaled to a diagonal of ones, those that rounding alone could leave count as zero.
        """
        diagonal = np.diagonal(self.matrix, axis1=-2, axis2=-1)
        scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        values, V = np.linalg.eigh(self.matrix * scale[..., :, None] * scale[..., None, :])
        V, some = scale[..., :, None] * V, values > ROUNDING * self.space.dim
        P = (V * np.where(some, 1.0 / np.where(some, values, 1.0), 0.0)[..., None, :]) @ np.swapaxes(V, -1, -2)
        return freeze((P, V * np.where(some, 0.0, 1.0)[..., None, :]))

    def tells(self, H: Array) -> NDArray[np.bool_]:
        """Whether what is known determines each row of ``H x``, ``(..., m)``."""
        nothing = self.parts[1]
        size = np.linalg.norm(H, axis=-1) * np.linalg.norm(nothing, axis=(-2, -1))[..., None]
        return np.asarray(np.linalg.norm(H @ nothing, axis=-1) <= 1e-7 * size)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether something is known of each component, ``(..., d)``."""
        return self.tells(np.eye(self.space.dim))

    @property
    def mean(self) -> Array:
        """The mean ``(..., d)``; NaN for components of which nothing is known."""
        return np.where(self.known, (self.parts[0] @ self.vector[..., None])[..., 0], np.nan)

    @property
    def std(self) -> Array:
        """Standard deviations ``(..., d)``; infinite for components of which nothing is known."""
        return np.where(self.known, np.sqrt(np.diagonal(self.parts[0], axis1=-2, axis2=-1)), np.inf)

    def moments(self) -> Gaussian:
        """The Gaussian.

        Raises:
            CovarianceError: if nothing is known of some direction; the message says of which.
        """
        if not self.known.all():
            raise CovarianceError(f"the belief has no finite covariance: {self._unknown()}; see .mean and .std")
        P = self.parts[0]
        return Gaussian.trusted(self.space, np.array(self.mean), 0.5 * (P + np.swapaxes(P, -1, -2)))

    def sample(self, n: int, *, rng: Rng = None) -> Array:
        """`n` states ``(..., n, size)``, see `moments`."""
        return self.moments().sample(n, rng=rng)

    def log_prob(self, x: Any) -> Array:
        """The log-density of states ``(..., size)``, see `moments`."""
        return self.moments().log_prob(x)

    def _unknown(self) -> str:
        """The components that are not known, in words; of a batch those of any belief."""
        known = np.asarray(self.known.reshape(-1, self.space.dim).all(0))
        names = [name for name, some in zip(self.space.names, known.tolist(), strict=True) if not some]
        directions = int((np.abs(self.parts[1]).max(-2) > 0.0).sum(-1).max())
        told = f", but for {len(names) - directions} combinations of them" if directions < len(names) else ""
        return f"nothing is known of {', '.join(names)}{told}"

    def __str__(self) -> str:
        if self.vector.ndim > 1:
            return f"Information of shape {self.vector.shape[:-1]} over {self.space.listing}"
        mean, std, known = self.mean, self.std, self.known
        return ", ".join(
            part.describe(mean[s], std[t]) if known[s].all() else f"{' '.join(self.space.names[s])} unknown"
            for part, s, t in self.space.layout
        )

    def __repr__(self) -> str:
        return f"Information({self})"
