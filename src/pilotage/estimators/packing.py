"""Gaussian beliefs as the flat arrays that compiled drivers work on: ``[x, P, nis, log-likelihood, innovation, S]``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Gaussian, Space


@dataclass(frozen=True)
class Pack:
    """Where things lie in a packed belief with the results of an update on a reading of `readings` tangent numbers."""

    space: Space
    readings: int = 0

    @property
    def known(self) -> int:
        """Length of state and covariance."""
        return self.space.size + self.space.dim**2

    @property
    def size(self) -> int:
        """Length of it all."""
        return self.known + (2 + self.readings + self.readings**2 if self.readings else 0)

    def packed(self, belief: Gaussian) -> np.ndarray:
        """``(..., size)``; results are zero."""
        b = np.zeros((*belief.mean.shape[:-1], self.size))
        b[..., : self.space.size] = belief.mean
        b[..., self.space.size : self.known] = belief.cov.reshape(*belief.cov.shape[:-2], -1)
        return b

    def belief(self, b: np.ndarray) -> Gaussian:
        """The belief in packed rows ``(..., size)``; its arrays are views."""
        n, d = self.space.size, self.space.dim
        return Gaussian.trusted(self.space, b[..., :n], b[..., n : self.known].reshape(*b.shape[:-1], d, d))

    def results(self, b: np.ndarray) -> tuple[Any, ...]:
        """Belief, innovation, S, NIS and log-likelihood: what an `Update` holds."""
        i, m = self.known, self.readings
        y = b[..., i + 2 : i + 2 + m]
        S = b[..., i + 2 + m : self.size].reshape(*b.shape[:-1], m, m)
        return self.belief(b), y, S, _number(b[..., i]), _number(b[..., i + 1])


def _number(value: Any) -> Any:
    return float(value) if value.ndim == 0 else value


@lru_cache(maxsize=64)
def gate_quantiles(probability: float | None, dim: int) -> np.ndarray:
    """Largest NIS that passes, for 0 to `dim` measured components: chi-square quantiles, or infinity without a gate."""
    if probability is None:
        return np.full(dim + 1, np.inf)
    from scipy.special import gammaincinv  # the chi-square quantile, without the half second that scipy.stats takes

    return np.array([np.inf, *(2.0 * gammaincinv(0.5 * k, probability) for k in range(1, dim + 1))])
