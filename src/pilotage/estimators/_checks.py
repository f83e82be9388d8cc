"""Checks of a run's consistency: NEES, NIS, gates, mean and whiteness of innovations, and factors of the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import FilterRun, FilterStatus, ModelError, ShapeError
from ..core.arrays import Array
from ._deviations import Deviations
from ._modes import SeveralModels
from ._suggestions import scales

LAGS = 10
"""Lags over which innovations are asked for correlation, and at most a fifth of the readings."""

UNTOLD = 10.0
"""Factor of a part of the noise that chance may give, from which on the readings say too little about it to check."""


@dataclass(frozen=True)
class Check:
    """One statistic and the interval in which it lies if the filter is consistent.

    Attributes:
        kind: "NEES", "NIS", "gated", "mean", "whiteness" or "scale".
        of: the sensor or component it is about; empty for the whole state.
        value, expected: the statistic, and its mean under a consistent filter.
        low, high: the interval at the level of the report, for this check alone.
        p: probability of so extreme a value under a consistent filter.
        failed: whether it is rejected, with the number of checks taken into account (Holm's method).

    Example:
        >>> print(Check("NIS", "gnss", 3.1, 2.0, 1.8, 2.2, 1e-9, failed=True))
        NIS of gnss: 3.1, expected 2 (1.8 to 2.2), too large
    """

    kind: str
    of: str
    value: float
    expected: float
    low: float
    high: float
    p: float
    failed: bool = False

    def __str__(self) -> str:
        outcome = f", too {'large' if self.value > self.expected else 'small'}"
        outcome = {"mean": ", off", "whiteness": ", correlated", "scale": ", wrong"}.get(self.kind, outcome)
        outcome = outcome if self.failed else ""
        about = f" of {self.of}" if self.of else ""
        return (
            f"{self.kind}{about}: {self.value:.3g}, expected {self.expected:.3g} ({self.low:.3g} to {self.high:.3g})"
            f"{outcome}"
        )


def nees_of(run: FilterRun, truth: Any, model: Deviations | None, level: float) -> tuple[Array, int, Array, Check]:
    """NEES of each step, its number of components, all errors, and the check of its mean."""
    after = run.beliefs.moments()
    space, T = after.space, len(run.dts)
    e = errors_of(run, truth)
    known = np.flatnonzero(np.isfinite(e).reshape(-1, space.dim).all(0))
    if not len(known):
        raise ModelError(f"no component of {space.listing} is known in all true states; NaN is for those that are not")
    P = np.array(after.cov).reshape(-1, T, space.dim, space.dim)
    within = P[..., known[:, None], known]
    G = inverse(within)
    dof = round(float(np.einsum("btij,btji->bt", G, within).mean()))
    nees = np.einsum("bti,btij,btj->bt", (d := e.reshape(-1, T, space.dim)[..., known]), G, d)
    variance = 2.0 * dof * nees.size
    if model is not None:
        variance += _together(model, P, G, known)
    else:
        variance *= _repeats(nees)
    variance *= _tails(run, nees, dof)
    check = _scaled("NEES", "", float(nees.sum()), float(dof * nees.size), variance, nees.size, level)
    return nees.reshape(e.shape[:-1]), dof, e, check


def errors_of(run: FilterRun, truth: Any) -> Array:
    """``truth (-) estimate`` after each step, ``(..., T, d)``."""
    after, x = run.beliefs.moments(), true_states(run, truth)
    return np.asarray(after.space.minus(np.broadcast_to(x, after.mean.shape), after.mean))


def true_states(run: FilterRun, truth: Any) -> Array:
    """True states ``(..., T, n)`` at the steps of a run, checked."""
    space = run.beliefs.space
    x = space.check(truth, "true states", finite=False)
    if x.shape[-2:] != (len(run.dts), space.size):
        raise ShapeError(
            f"the true states have shape {x.shape}; the run has {len(run.dts)} steps, one for each reading, at the "
            "times run.ts: give truth[np.searchsorted(ts, run.ts)] of states at times ts"
        )
    return x


def inverse(P: Array) -> Array:
    """Inverses of covariances of any units, over the directions that have variance."""
    std = np.sqrt(np.maximum(np.diagonal(P, axis1=-2, axis2=-1), np.finfo(float).tiny))
    scale = std[..., :, None] * std[..., None, :]
    return np.linalg.pinv(P / scale, rcond=1e-12, hermitian=True) / scale


def _together(model: Deviations, P: Array, G: Array, known: Any) -> float:
    """``4 sum_k<j tr(P_j^-1 C P_k^-1 C')``, what the correlation of errors adds to the variance of the sum of NEES."""
    Phi = P @ inverse(model.P) @ model.F
    A, total = np.zeros_like(P[:, 0]), 0.0
    for j in range(1, P.shape[1]):
        columns = P[:, j - 1][..., known]
        A = Phi[:, j] @ (A + columns @ G[:, j - 1] @ columns.swapaxes(-1, -2)) @ Phi[:, j].swapaxes(-1, -2)
        total += float(np.einsum("bij,bji->", G[:, j], A[:, known[:, None], known]))
    return 4.0 * total


def _repeats(values: Array) -> float:
    """``1 + 2 sum_l r_l`` over the lags before the first negative correlation: steps that say as much as one."""
    d = values - values.mean()
    r = np.array([(d[:, l:] * d[:, : d.shape[1] - l]).sum() for l in range(d.shape[1])]) / max((d**2).sum(), 1e-300)
    end = np.flatnonzero(r < 0.0)
    return float(1.0 + 2.0 * r[1 : end[0] if len(end) else None].sum())


def _tails(run: FilterRun, values: Array, dof: Any) -> float:
    """How much more the NEES or NIS of several modes vary than chi-square values of the same mean; 1 for one mode.

    A mixture has heavier tails than the normal distribution with its covariance.
    """
    ratio = values / dof
    if not isinstance(run.dynamics, tuple) or not ratio.size:
        return 1.0
    return max(1.0, float(ratio.var() / (2.0 * np.mean(1.0 / np.asarray(dof)) * max(ratio.mean() ** 2, 1e-300))))


def _scaled(kind: str, of: str, total: float, mean: float, variance: float, count: int, level: float) -> Check:
    """The check of a sum with this mean and variance, by a scaled chi-square distribution; numbers are per step."""
    from scipy.special import gammainc, gammaincc, gammaincinv

    k, theta = mean**2 / variance, variance / mean
    p = 2.0 * min(gammainc(k, total / theta), gammaincc(k, total / theta), 0.5)
    low, high = (theta * float(gammaincinv(k, q)) / count for q in (level / 2.0, 1.0 - level / 2.0))
    return Check(kind, of, total / count, mean / count, low, high, float(p))


def nis_checks(run: FilterRun, j: int, name: str, level: float) -> tuple[list[Check], float]:
    """Checks of a sensor's NIS and of its gated readings, and the share of these."""
    from scipy.special import bdtrc, gammainc

    at = run.which == j
    nis, status = run.nis[..., at].ravel(), run.status[..., at].ravel()
    m = np.isfinite(run.innovations[..., at, :]).sum(-1).ravel()
    taken, out = (np.isfinite(nis) & (m > 0) & (status == each) for each in (FilterStatus.ACCEPTED, FilterStatus.GATED))
    n, refused = int(taken.sum()), int(out.sum())
    if not n + refused:
        return [], 0.0
    if not refused:
        dof, tails = float(m[taken].sum()), _tails(run, nis[taken], m[taken])
        return [_scaled("NIS", name, float(nis[taken].sum()), dof, 2.0 * dof * tails, n, level)], 0.0
    # A gate that is not known lies between the largest quantile that passed and the least that did not.
    passed = float(gammainc(0.5 * m[taken], 0.5 * nis[taken]).max(initial=0.0))
    promised, share = 1.0 - max(passed, _gate(run.estimator)), refused / (n + refused)
    p = float(bdtrc(refused - 1, n + refused, promised))
    gated = Check("gated", name, share, promised, 0.0, _most(n + refused, promised, level), p)
    if not n:
        return [gated], share
    mean, variance = _cut(m[taken], float(gammainc(0.5 * m[out], 0.5 * nis[out]).min()))
    return [_scaled("NIS", name, float(nis[taken].sum()), mean, variance, n, level), gated], share


def _gate(estimator: Any) -> float:
    """The least probability with which a gate of the estimator promises to let a good reading pass; 0 if unknown."""
    filters = estimator.filters if isinstance(estimator, SeveralModels) else (estimator,)
    return min(getattr(each, "gate", None) or 0.0 for each in filters)


def _cut(m: Array, probability: float) -> tuple[float, float]:
    """Mean and variance of the sum of chi-square values of m degrees that are below their quantile."""
    from scipy.special import gammainc, gammaincinv

    g = gammaincinv(0.5 * m, probability)
    first = m * gammainc(0.5 * m + 1.0, g) / probability
    second = m * (m + 2.0) * gammainc(0.5 * m + 2.0, g) / probability
    return float(first.sum()), float((second - first**2).sum())


def _most(n: int, p: float, level: float) -> float:
    """Share of n readings that the gate rejects at most, at that level."""
    from scipy.special import bdtrc

    counts = np.arange(n + 1)
    return float(counts[np.argmax(bdtrc(counts, n, p) <= level)] / n)


def innovation_checks(run: FilterRun, j: int, name: str, model: Deviations | None, level: float) -> list[Check]:
    """Checks of mean and whiteness of each component of a sensor's innovations, over the readings that were taken."""
    from scipy.special import gammaincc, gammaincinv, ndtr, ndtri

    reading, at = run.sensors[j].reading, np.flatnonzero(run.which == j)
    k, checks = reading.dim, list[Check]()
    B = math.prod(run.status.shape[:-1])
    y = run.innovations[..., at, :k].reshape(B, len(at), k)
    taken = (run.status[..., at] == FilterStatus.ACCEPTED).reshape(B, len(at))
    if model is not None:
        S = model.H[:, at, :k] @ model.P[:, at] @ model.H[:, at, :k].swapaxes(-1, -2) + model.R[:, at, :k, :k]
        y = np.where(
            np.isfinite(y), np.linalg.solve(np.linalg.cholesky(S), np.nan_to_num(y)[..., None])[..., 0], np.nan
        )
    for i in range(k):
        rows = [row[np.isfinite(row) & use] for row, use in zip(y[..., i], taken, strict=True)]
        n = sum(map(len, rows))
        if n < 20:
            continue
        of = name if k == 1 else f"{name} {reading.tangent.names[i]}"
        every = np.concatenate(rows)
        mean, width = float(every.mean()), float(every.std()) / n**0.5
        p = 2.0 * float(ndtr(-abs(mean) / max(width, 1e-300)))
        bound = -float(ndtri(level / 2.0)) * width
        checks.append(Check("mean", of, mean, 0.0, -bound, bound, p))
        lags = min(LAGS, min(map(len, rows)) // 5)
        if lags:
            pairs = np.array([sum(len(row) - l for row in rows) for l in range(1, lags + 1)])
            r = np.array([sum(float(row[l:] @ row[:-l]) for row in rows) for l in range(1, lags + 1)])
            r /= max(float(every @ every), 1e-300)
            Q = float((r**2 * n**2 * (1.0 + 2.0 / n) / pairs).sum())
            high = 2.0 * float(gammaincinv(0.5 * lags, 1.0 - level))
            checks.append(Check("whiteness", of, Q, lags, 0.0, high, float(gammaincc(0.5 * lags, 0.5 * Q))))
    return checks


def scale_checks(run: FilterRun, model: Deviations, names: list[str], level: float) -> list[Check]:
    """Checks of the factor of each part of the noise that explains the readings best."""
    from scipy.special import gammaincc, ndtri

    checks, m = list[Check](), np.isfinite(run.innovations).sum(-1)
    taken = np.isfinite(run.nis) & (m > 0) & (run.status == FilterStatus.ACCEPTED)
    tails = _tails(run, run.nis[taken], m[taken])
    for part, gain, error in scales(run, model, names):
        width = math.exp(min(-float(ndtri(level / 2.0)) * error * tails**0.5, UNTOLD))
        if width > UNTOLD:
            continue
        p = float(gammaincc(0.5, gain / tails))
        checks.append(Check("scale", part.about, part.factor, 1.0, 1.0 / width, width, p))
    return checks


def holm(checks: list[Check], level: float) -> list[Check]:
    """The checks with those marked that are rejected at a level for all of them (Holm 1979)."""
    order = sorted(range(len(checks)), key=lambda i: checks[i].p)
    failed = set[int]()
    for rank, i in enumerate(order):
        if checks[i].p > level / (len(checks) - rank):
            break
        failed.add(i)
    return [Check(**{**vars(check), "failed": i in failed}) for i, check in enumerate(checks)]
