"""Retrodiction: a late reading corrects the present belief through the past state that it measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core import FilterRun, FilterStatus, Gaussian, Update
from .rts import smooth


def retrodict(
    estimator: Any, dynamics: Any, past: Sequence[tuple[Gaussian, Any, float]], now: Gaussian, reading: tuple[Any, ...]
) -> tuple[Update, Gaussian]:
    """The update with a reading of the past at that time, and the belief after it at present.

    ::

        x_s, P_s   smoothed belief at the time s of the reading, from those since then
        C          = G_s G_(s+1) ... P      covariance of the states at s and now, by the gains of the smoother
        x_s', P_s' updated belief at s
        J          = C' P_s^-1
        x          = x (+) J (x_s' (-) x_s)
        P          = P + J (P_s' - P_s) J'

    Linear models with white process noise give exactly the belief that processing in order would give, for the first
    late reading since the time s; if several are late, and for nonlinear models, it is an approximation.

    Source: Bar-Shalom, "Update with out-of-sequence measurements in tracking: exact solution", IEEE Trans. Aerospace
    and Electronic Systems 38, 2002; for many steps, by the smoother's gains: Zhang and Bar-Shalom, "Optimal update with
    multiple out-of-sequence measurements with arbitrary arriving order", IEEE Trans. Aerospace and Electronic
    Systems 48, 2012.

    Args:
        estimator: a filter with a Gaussian belief.
        dynamics: the dynamics.
        past: filtered belief, action and seconds to the next, from the time of the reading on.
        now: the present belief.
        reading: the sensor, the reading and its context.
    """
    run = _run(estimator, dynamics, past, now)
    space, d, last = now.space, now.space.dim, run.beliefs.mean.shape[-2] - 1
    reach = np.where(now.std > 0.0, now.std, 1.0)
    shifted = np.concatenate([now.mean[None], space.plus(now.mean, np.diag(reach))])
    means = np.repeat(run.beliefs.mean[None], d + 1, axis=0)
    means[:, last] = shifted
    many = lambda a: np.broadcast_to(a, (d + 1, *a.shape))
    beliefs = Gaussian.trusted(space, means, many(run.beliefs.cov))
    predicted = Gaussian.trusted(space, many(run.predicted.mean), many(run.predicted.cov))
    smoothed = smooth(replace(run, beliefs=beliefs, predicted=predicted, status=many(run.status)))
    there = Gaussian.trusted(space, smoothed.mean[0, 0].copy(), smoothed.cov[0, 0].copy())
    gains = np.asarray(space.minus(smoothed.mean[1:, 0], there.mean)).T / reach
    result: Update = estimator.update(there, *reading)
    if not result.accepted:
        return result, now
    after = result.belief.moments()
    J = now.cov @ gains.T @ np.linalg.pinv(there.cov, rcond=1e-13, hermitian=True)
    P = now.cov + J @ (after.cov - there.cov) @ J.T
    x = space.plus(now.mean, J @ space.minus(after.mean, there.mean))
    return result, Gaussian.trusted(space, x, 0.5 * (P + P.T))


def _run(estimator: Any, dynamics: Any, past: Sequence[tuple[Gaussian, Any, float]], now: Gaussian) -> FilterRun:
    """The run from the first of the past beliefs to the present one."""
    predicted = [past[0][0]]
    for belief, u, dt in past:
        predicted.append(estimator.predict(belief, dynamics, u, dt) if dt > 0.0 else belief)
    actions = [np.zeros(dynamics.action.size) if u is None else np.asarray(u, dtype=np.float64) for _, u, _ in past]
    dts, us = np.array([0.0, *(dt for *_, dt in past)]), np.stack([actions[0], *actions])
    status = np.full(len(dts), int(FilterStatus.ACCEPTED))
    nothing: Any = np.zeros(0)
    beliefs = _stacked([*(belief for belief, *_ in past), now])
    which = np.zeros(len(dts), dtype=np.int64)
    return FilterRun(
        beliefs, _stacked(predicted), nothing, nothing, nothing, status, np.cumsum(dts), dts, us, dynamics, (), which,
        estimator,
    )  # fmt: skip


def _stacked(beliefs: list[Gaussian]) -> Gaussian:
    return Gaussian.trusted(beliefs[0].space, np.stack([b.mean for b in beliefs]), np.stack([b.cov for b in beliefs]))
