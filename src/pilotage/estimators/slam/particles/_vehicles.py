"""The vehicle in all particles of FastSLAM: a Gaussian in each, moved, conditioned on readings, and drawn from."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Dynamics, Gaussian, ModelError
from pilotage.core.arrays import Array
from pilotage.core.declared import called

from ...gaussian_particles import GaussianParticles

LOG_TURN = math.log(2.0 * math.pi)


class Pairs(NamedTuple):
    """Readings in each particle, some of which are there.

    Attributes:
        e: innovations ``(N, K, m)``, 0 where there is none.
        H: derivatives by the vehicle ``(N, K, m, d)``.
        V: covariances of the innovations, given the vehicle ``(N, K, m, m)``.
        there: which there are ``(N, K)``.
    """

    e: Array
    H: Array
    V: Array
    there: NDArray[np.bool_]


class Vehicles:
    """Weighted states of a vehicle, each with a covariance.

    Attributes:
        x, P: states ``(N, n)`` and covariances ``(N, d, d)``.
        log_weights: ``(N,)``.
    """

    def __init__(self, count: int, belief: Gaussian, dynamics: Dynamics, rng: np.random.Generator) -> None:
        self.dynamics, self.rng = dynamics, rng
        self.x, self.P = np.tile(belief.mean, (count, 1)), np.tile(np.asarray(belief.cov), (count, 1, 1))
        self.log_weights = np.full(count, -math.log(count))

    def copy(self) -> Vehicles:
        """The same, which changes on its own; nothing is written in place."""
        new = object.__new__(Vehicles)
        vars(new).update(vars(self))
        return new

    @property
    def belief(self) -> GaussianParticles:
        """The belief over the state; samples only, where no covariance is left."""
        sampled = () if self.P.any() else tuple(range(self.P.shape[1]))
        return GaussianParticles(self.dynamics.state, self.x, self.P, self.log_weights, sampled)

    @property
    def best(self) -> int:
        """The particle of the highest weight."""
        return int(np.argmax(self.log_weights))

    def predict(self, u: Array, dt: float) -> None:
        """``x = f(x, u, dt)``, ``P = F P F' + Q``."""
        x, F = np.asarray(self.dynamics.step(self.x, u, dt)), np.asarray(self.dynamics.linearize(self.x, u, dt)[0])
        Q = np.asarray(self.dynamics.noise(self.x, u, dt))
        if not (np.isfinite(x).all() and np.isfinite(F).all() and np.isfinite(Q).all()):
            raise ModelError(
                f"{called(self.dynamics)} gives NaN or infinity at {self.x[0].tolist()} under {u.tolist()}"
            )
        self.x, self.P = x, F @ self.P @ F.swapaxes(1, 2) + Q

    def condition(self, pairs: Pairs) -> tuple[Array, Array]:
        """Condition each particle on readings; NIS and log-likelihood of all of them together ``(N,)``.

        ::

            L = sum H' V^-1 H,   b = sum H' V^-1 e:    P = P (I + L P)^-1,   x = x (+) P b
            log N(e; 0, H P H' + V) = sum log N(e; 0, V) + b' P+ b / 2 - log det(I + L P) / 2
        """
        e, H, there = pairs.e, pairs.H, pairs.there
        inverse = np.linalg.inv(pairs.V)
        weighted = inverse @ H * there[..., None, None]
        L, b = np.einsum("nkmd,nkmf->ndf", weighted, H), np.einsum("nkmd,nkm->nd", weighted, e)
        A = np.eye(self.P.shape[1]) + L @ self.P
        P = np.linalg.solve(A.swapaxes(1, 2), self.P)  # P and L are symmetric
        shift = np.einsum("ndf,nf->nd", P, b)
        nis = np.einsum("nkm,nkmp,nkp->n", e, inverse, e) - np.einsum("nd,nd->n", b, shift)
        logs = np.linalg.slogdet(pairs.V)[1] + e.shape[2] * LOG_TURN
        log_likelihood = -0.5 * (nis + np.linalg.slogdet(A)[1] + (logs * there).sum(axis=1))
        if not np.isfinite(log_likelihood).all():
            raise ModelError("the likelihood of a reading is NaN or infinite; expected a covariance of noise, not zero")
        self.x, self.P = np.asarray(self.dynamics.state.plus(self.x, shift)), 0.5 * (P + P.swapaxes(1, 2))
        return nis, log_likelihood

    def draw(self) -> None:
        """Draw the state of each particle from its Gaussian."""
        values, vectors = np.linalg.eigh(self.P)
        xi = self.rng.standard_normal(values.shape) * np.sqrt(np.maximum(values, 0.0))
        self.x = np.asarray(self.dynamics.state.plus(self.x, np.einsum("nij,nj->ni", vectors, xi)))
        self.P = np.zeros_like(self.P)

    def weigh(self, log_likelihood: Array) -> float:
        """Multiply the weights by likelihoods; the logarithm of their mean."""
        logs = self.log_weights + log_likelihood
        top = float(logs.max())
        evidence = top + math.log(np.exp(logs - top).sum())
        self.log_weights = logs - evidence
        return evidence
