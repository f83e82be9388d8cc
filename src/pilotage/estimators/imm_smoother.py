"""The smoother of runs of several models."""

from __future__ import annotations

import numpy as np

from ..core import FilterRun, FilterStatus, Gaussian, Mixture, Space, carry
from ..core.arrays import Array
from ..core.mixture import merged
from ..core.weights import log_sum_exp

NONE = 1e-12
"""Share of the largest variance of a prediction below which a direction has none."""


def smooth_modes(run: FilterRun) -> Mixture:
    """The beliefs of a run of an `IMM`, or of another filter of several models, given all its readings.

    ::

        x_ij, P_ij    the belief of mode i, carried to the space of mode j and predicted by model j
        G_ij = P_i F_j' P_ij^-1                                    F_j acts on what mode j shares with mode i
        x_i|j = x_i (+) G_ij (x'_j (-) x_ij)                       x'_j, P'_j are smoothed at the next step
        P_i|j = P_i + G_ij (P'_j - P_ij) G_ij'
        w_i|j  ~  T_ij w_i N(x'_j (-) x_ij; 0, P_ij)               sum_i w_i|j = 1
        w_i    =  sum_j w_i|j w'_j                                 the belief of mode i merges x_i|j, P_i|j over j

    Source: Barber, "Expectation correction for smoothed inference in switching linear dynamical systems", Journal of
    Machine Learning Research 7, 2006, with one Gaussian for each mode. Helmick, Blair and Hoffman, "Fixed-interval
    smoothing for Markovian switching systems", IEEE Trans. Information Theory 41, 1995, weigh modes alike, by the
    likelihood of what a filter that runs backwards says of the next step. F_j is the Jacobian, for sigma-point filters
    too. With one mode it is the smoother of `rts`.
    """
    after, count = run.beliefs, len(run.dynamics)
    spaces = [part.space for part in after.components]
    x, P = [np.array(c.mean) for c in after.components], [np.array(c.cov) for c in after.components]
    logs = np.array(np.broadcast_to(after.log_weights, (*x[0].shape[:-1], count)))
    pairs = {(i, j): pair for i in range(count) for j in range(count) if (pair := Pair(run, i, j)).possible}
    for k in range(len(run.dts) - 2, -1, -1):
        late, joint = logs[..., k + 1, :], np.full((*logs.shape[:-2], count, count), -np.inf)
        found: dict[tuple[int, int], tuple[Array, Array]] = {}
        for (i, j), pair in pairs.items():
            off, gained = pair.compared(k, x[j][..., k + 1, :], P[j][..., k + 1, :, :])
            joint[..., i, j] = logs[..., k, i] + pair.log_likelihood(k, off)
            found[i, j] = corrected(spaces[i], x[i][..., k, :], P[i][..., k, :, :], pair.G[..., k, :, :], off, gained)
        joint = given_next(joint) + late[..., None, :]
        logs[..., k, :] = log_sum_exp(joint)
        for i in range(count):
            to = [j for j in range(count) if (i, j) in found]
            w = shares(joint[..., i, to])
            means, covs = (np.stack([found[i, j][a] for j in to], axis=-2 - a) for a in (0, 1))
            belief = merged(spaces[i], means, covs, w)
            x[i][..., k, :], P[i][..., k, :, :] = belief.mean, belief.cov
    parts = tuple(Gaussian.trusted(*part) for part in zip(spaces, x, P, strict=True))
    return Mixture.trusted(parts, logs - log_sum_exp(logs)[..., None])


class Pair:
    """Predictions from the beliefs of mode i by model j, for all steps of a run but the last.

    Attributes:
        mean, cov: x_ij ``(..., T - 1, n)`` and P_ij.
        G: G_ij.
        log_switch: log T_ij ``(T - 1,)``; `possible` where it is not always -inf.
    """

    def __init__(self, run: FilterRun, i: int, j: int) -> None:
        self._chains(run, i, j)
        if self.possible:
            self._predict(run, i, j)

    def _chains(self, run: FilterRun, i: int, j: int) -> None:
        dts, self.log_switch = run.dts[1:], np.full(len(run.dts) - 1, -np.inf)
        for dt in np.unique(dts):
            T = run.estimator.chain(float(dt))
            with np.errstate(divide="ignore"):
                self.log_switch[dts == dt] = np.log(float(i == j) if T is None else T[i, j])
        self.possible = i == j or bool((self.log_switch > -np.inf).any())

    def _predict(self, run: FilterRun, i: int, j: int) -> None:
        filter, model = run.estimator.components[j]
        own, other = (run.beliefs.components[a][..., :-1] for a in (i, j))
        start, dts = carry(own, model.state, other), run.dts[1:]
        us = np.broadcast_to(run.us[..., 1:, :], (*start.mean.shape[:-1], run.us.shape[-1]))
        d = model.state.dim
        self.space, self.mean, self.cov = model.state, np.array(start.mean), np.array(start.cov)
        F = np.broadcast_to(np.eye(d), self.cov.shape).copy()
        for dt in np.unique(dts[dts > 0.0]):
            at, how = np.flatnonzero(dts == dt), np.zeros((*start.mean.shape[:-2], int((dts == dt).sum())), int)
            u, ahead = us[..., at, :], filter.predict(start[..., at], model, us[..., at, :], float(dt), status=how)
            self.mean[..., at, :], self.cov[..., at, :, :] = ahead.mean, ahead.cov
            moved = np.asarray(model.linearize(start.mean[..., at, :], u, float(dt))[0])
            F[..., at, :, :] = np.where((how > FilterStatus.NO_READING)[..., None, None], np.eye(d), moved)
        names = model.state.common(own.space)
        here, there = own.space.indices(names)[1], model.state.indices(names)[1]
        across = F[..., :, there] @ own.cov[..., here, :]
        values, self._vectors = np.linalg.eigh(self.cov)
        least = NONE * values[..., -1:]
        self._values = np.maximum(values, least)
        inverse = np.where(values > least, 1.0 / self._values, 0.0)
        self.G = np.swapaxes(across, -1, -2) @ (self._vectors * inverse[..., None, :]) @ self._vectors.swapaxes(-1, -2)

    def compared(self, k: int, x: Array, P: Array) -> tuple[Array, Array]:
        """Mean and covariance at the next step, against what this pair predicted."""
        return np.asarray(self.space.minus(x, self.mean[..., k, :])), P - self.cov[..., k, :, :]

    def log_likelihood(self, k: int, off: Array) -> Array:
        """``log T_ij N(off; 0, P_ij)``, up to what all modes i have in common."""
        values, vectors = self._values[..., k, :], self._vectors[..., k, :, :]
        e = (off[..., None, :] @ vectors)[..., 0, :]
        return self.log_switch[k] - 0.5 * (e * e / values + np.log(values)).sum(-1)


def corrected(space: Space, x: Array, P: Array, G: Array, off: Array, gained: Array) -> tuple[Array, Array]:
    """``x (+) G off`` and ``P + G gained G'``."""
    cov = P + G @ gained @ np.swapaxes(G, -1, -2)
    return np.asarray(space.plus(x, (G @ off[..., None])[..., 0])), 0.5 * (cov + np.swapaxes(cov, -1, -2))


def given_next(joint: Array) -> Array:
    """``log w_i|j`` of numbers ``(..., i, j)`` that are proportional to them; -inf where nothing leads to mode j."""
    total = log_sum_exp(np.swapaxes(joint, -1, -2))[..., None, :]
    return np.where(total > -np.inf, joint - np.where(total > -np.inf, total, 0.0), -np.inf)


def shares(logs: Array) -> Array:
    """Weights of sum 1 from their logarithms; equal ones where all are zero."""
    total = log_sum_exp(logs)[..., None]
    return np.where(total > -np.inf, np.exp(logs - np.where(total > -np.inf, total, 0.0)), 1.0 / logs.shape[-1])
