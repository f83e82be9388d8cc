"""Gaussian beliefs as the tables that compiled drivers work on.

Rows of a packed belief: the covariance (d rows), the mean (1), the innovation (1), its covariance S (m rows), and NIS
and log-likelihood (1). A compiled function pays for each array it is handed, so what belongs together is one array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Gaussian, ModelError, Space
from ..models import parameters

EMPTY = np.zeros(0)


@dataclass(frozen=True)
class Pack:
    """Layout of a packed belief with room for the results of an update on a reading of this tangent size."""

    space: Space
    reading: Space | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        z = self.reading
        if z is None:
            return self.space.dim + 1, max(self.space.size, 3)
        return self.space.dim + z.dim + 3, max(self.space.size, z.size, 3)

    def packed(self, belief: Gaussian) -> np.ndarray:
        """``(..., rows, columns)``; results are zero."""
        n, d = self.space.size, self.space.dim
        b = np.zeros((*belief.mean.shape[:-1], *self.shape))
        b[..., :d, :d] = belief.cov
        b[..., d, :n] = belief.mean
        return b

    def rows(self, belief: Gaussian, batch: tuple[int, ...]) -> np.ndarray:
        """The belief for each of a batch, ``(B, rows, columns)`` with the batch axes flattened."""
        packed = np.broadcast_to(self.packed(belief), (*batch, *self.shape))
        return np.array(packed).reshape(math.prod(batch), *self.shape)

    def belief(self, b: np.ndarray) -> Gaussian:
        """The belief in packed form; its arrays are views."""
        n, d = self.space.size, self.space.dim
        return Gaussian.trusted(self.space, b[..., d, :n], b[..., :d, :d])

    def results(self, b: np.ndarray) -> tuple[Any, ...]:
        """Belief, innovation, S, NIS and log-likelihood: what an `Update` holds."""
        assert self.reading is not None
        d, m = self.space.dim, self.reading.dim
        scores = b[..., d + 2 + m, :]
        S = b[..., d + 2 : d + 2 + m, :m]
        return self.belief(b), b[..., d + 1, :m], S, _number(scores[..., 0]), _number(scores[..., 1])


def sensor_numbers(sensor: Any, gate: float | None, p: np.ndarray = EMPTY) -> np.ndarray:
    """What drivers need to know of a sensor: gates (m+1), the index of `p` (1), the sensor's parameters, then `p`."""
    gates, s = gate_quantiles(gate, sensor.reading.dim), parameters(sensor)
    return np.concatenate([gates, [len(gates) + 1 + len(s)], s, p])


def unpacked(pack: Pack, shape: tuple[int, int], b: bytes) -> tuple[Any, ...]:
    """`Pack.results` of the bytes of a packed belief of this shape."""
    return pack.results(np.frombuffer(b).reshape(shape))


def _number(value: Any) -> Any:
    return float(value) if value.ndim == 0 else value


def check_gate(gate: Any) -> None:
    """Refuse what is not a gate: None, or a probability between 0 and 1."""
    if gate is not None and not (isinstance(gate, (int, float, np.number)) and 0.0 < gate < 1.0):
        raise ModelError(f"gate is {gate!r}; it is the probability that a good reading passes, such as 0.99")


@lru_cache(maxsize=64)
def gate_quantiles(probability: float | None, dim: int) -> np.ndarray:
    """Largest NIS that passes, for 0 to `dim` measured components: chi-square quantiles, or infinity without a gate."""
    if probability is None:
        return np.full(dim + 1, np.inf)
    from scipy.special import gammaincinv  # the chi-square quantile, without the half second that scipy.stats takes

    return np.array([np.inf, *(2.0 * gammaincinv(0.5 * k, probability) for k in range(1, dim + 1))])
