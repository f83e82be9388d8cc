"""The smoother of runs of several models."""

from __future__ import annotations

import numpy as np

from ..core import FilterRun, FilterStatus, Gaussian, Mixture, ModelError, Space, carry
from ..core.arrays import Array
from ..core.mixture import merged
from ..core.weights import log_sum_exp

NONE = 1e-12
"""Share of the largest variance of a prediction below which a direction has none."""
NOTHING = 1e-9
"""Share of a variance by which the future has to reduce it; less counts as that much."""


def smooth_modes(run: FilterRun) -> Mixture:
    """The beliefs of a run of an `IMM`, or of another filter of several models, given all its readings.

    ::

        x_j, P_j      predicted and x'_j, P'_j smoothed at the next step: their ratio is what the future says of mode j,
                      v = B (x - x_j) + e,   e ~ N(0, R),   with B P_j B' = I,  B P'_j B' = M diagonal
                      v = (I - M)^-1 B (x'_j (-) x_j),    R = (I - M)^-1 M
        x_ij, P_ij    the belief of mode i, carried to the space of mode j and predicted by model j
        y_ij, S_ij    v - B (x_ij (-) x_j)  and  B P_ij B' + R
        x_i|j, P_i|j  the belief of mode i updated by y_ij, of which it knows through F_j
        w_ij   ~      w'_j T_ij w_i N(y_ij; 0, S_ij)               with sum_i w_ij = w'_j
        w_i    =      sum_j w_ij                                   the belief of mode i merges x_i|j, P_i|j over j

    Source: Helmick, Blair and Hoffman, "Fixed-interval smoothing for Markovian switching systems", IEEE Trans.
    Information Theory 41, 1995, whose filter that runs backwards is here the ratio of two forward beliefs, so that the
    state may be on any space and no model has to be inverted. F_j is the Jacobian, for sigma-point filters too. With
    one mode this is the smoother of `rts`.

    Raises:
        ModelError: if the run holds moments only.
    """
    after, count = run.beliefs, len(run.dynamics)
    if not isinstance(after, Mixture):
        raise ModelError(
            f"the beliefs of the run are {type(after).__name__}; expected a Mixture of modes (run with keep='beliefs')"
        )
    spaces = [part.space for part in after.components]
    x, P = [np.array(c.mean) for c in after.components], [np.array(c.cov) for c in after.components]
    logs = np.array(np.broadcast_to(after.log_weights, (*x[0].shape[:-1], count)))
    pairs = {(i, j): pair for i in range(count) for j in range(count) if (pair := Pair(run, i, j)).possible}
    for k in range(len(run.dts) - 2, -1, -1):
        late, joint = logs[..., k + 1, :], np.full((*logs.shape[:-2], count, count), -np.inf)
        ahead = [
            Future(
                part.space,
                part.mean[..., k + 1, :],
                part.cov[..., k + 1, :, :],
                x[j][..., k + 1, :],
                P[j][..., k + 1, :, :],
            )
            for j, part in enumerate(run.predicted.components)
        ]
        found: dict[tuple[int, int], tuple[Array, Array]] = {}
        for (i, j), pair in pairs.items():
            log_likelihood, dx, gained = pair.updated(k, ahead[j])
            joint[..., i, j] = logs[..., k, i] + log_likelihood
            found[i, j] = np.asarray(spaces[i].plus(x[i][..., k, :], dx)), P[i][..., k, :, :] - gained
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


class Future:
    """What smoothing told of a mode at a step: numbers ``v = B (x - ref) + e`` with variances r, in the tangent at ref.

    Args:
        space: the space of the mode.
        ref, cov: predicted mean and covariance.
        x, P: smoothed mean and covariance.
    """

    def __init__(self, space: Space, ref: Array, cov: Array, x: Array, P: Array) -> None:
        values, vectors = np.linalg.eigh(cov)
        some = values > NONE * values[..., -1:]
        root = np.where(some, 1.0 / np.sqrt(np.where(some, values, 1.0)), 0.0)[..., None] * np.swapaxes(vectors, -1, -2)
        kept, turned = np.linalg.eigh(root @ P @ np.swapaxes(root, -1, -2) + ~some[..., None] * np.eye(some.shape[-1]))
        kept = np.clip(kept, 0.0, 1.0 - NOTHING)
        self.space, self.ref, self.B = space, ref, np.swapaxes(turned, -1, -2) @ root
        self.v = (self.B @ np.asarray(space.minus(x, ref))[..., None])[..., 0] / (1.0 - kept)
        self.r = kept / (1.0 - kept)


class Pair:
    """Predictions from the beliefs of mode i by model j, for all steps of a run but the last.

    Attributes:
        mean, cov: x_ij ``(..., T - 1, n)`` and P_ij.
        C: covariance of x_i and x_ij, ``P_i F_j'`` on what mode j shares with mode i.
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
        self.C = np.swapaxes(across, -1, -2)

    def updated(self, k: int, ahead: Future) -> tuple[Array, Array, Array]:
        """``log T_ij N(y_ij; 0, S_ij)``, and by how much what is ahead moves x_i and reduces P_i."""
        B, d = ahead.B, np.asarray(self.space.minus(self.mean[..., k, :], ahead.ref))
        S = B @ self.cov[..., k, :, :] @ np.swapaxes(B, -1, -2) + ahead.r[..., None] * np.eye(B.shape[-1])
        y = (ahead.v - (B @ d[..., None])[..., 0])[..., None]
        across = B @ np.swapaxes(self.C[..., k, :, :], -1, -2)
        scaled = np.linalg.solve(S, np.concatenate([y, across], axis=-1))
        moved = np.swapaxes(across, -1, -2) @ scaled
        nis = (np.swapaxes(y, -1, -2) @ scaled[..., :1])[..., 0, 0]
        log_likelihood = self.log_switch[k] - 0.5 * (nis + np.linalg.slogdet(S)[1])
        gained = 0.5 * (moved[..., 1:] + np.swapaxes(moved[..., 1:], -1, -2))
        return log_likelihood, moved[..., 0], gained


def given_next(joint: Array) -> Array:
    """``log w_i|j`` of numbers ``(..., i, j)`` that are proportional to them; -inf where nothing leads to mode j."""
    total = log_sum_exp(np.swapaxes(joint, -1, -2))[..., None, :]
    return np.where(total > -np.inf, joint - np.where(total > -np.inf, total, 0.0), -np.inf)


def shares(logs: Array) -> Array:
    """Weights of sum 1 from their logarithms; equal ones where all are zero."""
    total = log_sum_exp(logs)[..., None]
    return np.where(total > -np.inf, np.exp(logs - np.where(total > -np.inf, total, 0.0)), 1.0 / logs.shape[-1])
