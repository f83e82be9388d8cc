"""Causes of failed steps of a filter: found out from the model's own answers, after the fact, one belief at a time."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import CovarianceError, Dynamics, FilterStatus, ModelError, PilotageError, Sensor, ShapeError
from ._inputs import once_or_rows
from ._launch import packed
from ._steps import PREDICTION_FAILED, UPDATE_FAILED
from ._timeline import Timeline

if TYPE_CHECKING:
    from ._gaussian import CompiledEstimator

ERRORS: dict[FilterStatus, tuple[type[PilotageError], str]] = {
    FilterStatus.NOT_FINITE_BELIEF: (ShapeError, "the belief holds NaN or infinity; start from finite numbers"),
    FilterStatus.NOT_FINITE_ACTION: (ShapeError, "the action holds NaN or infinity: {u}; give finite numbers"),
    FilterStatus.NOT_FINITE_READING: (
        ShapeError,
        "the reading of {model} holds infinity: {z}; give finite numbers, or NaN where nothing was measured",
    ),
    FilterStatus.NOT_FINITE_CONTEXT: (ShapeError, "the context of {model} holds NaN or infinity; give finite numbers"),
    FilterStatus.UNDEFINED_STATE: (ModelError, "{model} predicted a state that is not finite from {x}"),
    FilterStatus.UNDEFINED_READING: (ModelError, "{model} expects a reading that is not finite at {x}"),
    FilterStatus.UNDEFINED_JACOBIAN: (
        ModelError,
        "the Jacobian of {model} is undefined at {x}: NaN or infinite there; start from another state",
    ),
    FilterStatus.UNDEFINED_NOISE: (ModelError, "the noise of {model} is NaN or infinite at {x}; check its noise"),
    FilterStatus.IMPOSSIBLE_NOISE: (
        CovarianceError,
        "the noise of {model} is no covariance at {x}: a variance is negative, or a correlation beyond 1",
    ),
    FilterStatus.SINGULAR_INNOVATION: (
        CovarianceError,
        "the innovation covariance of {model} is not positive definite; check its noise",
    ),
    FilterStatus.INDEFINITE_BELIEF: (
        CovarianceError,
        "the covariance of the belief is not positive definite, so it has no sigma points; where some variances are "
        "1e12 times others, start with a smaller std, or use SquareRootUKF",
    ),
    FilterStatus.OVERFLOW: (ModelError, "{model} led to a belief that is not finite from {x}; it diverges"),
    FilterStatus.NOT_CONVERGED: (
        ModelError,
        "the update with {model} did not converge from {x} on the reading {z}; allow more iterations, or gate readings",
    ),
}


def error_of(status: FilterStatus, model: Any, belief: Any, where: str = "", **given: Any) -> PilotageError:
    """The error for a status, with a sentence; `where` is such as "step 3"."""
    kind, sentence = ERRORS[status]
    said = sentence.format(model=repr(model), x=belief.mean, **{"u": None, "z": None, **given})
    return kind(f"{said}{f' (at {where})' if where else ''}; the belief is unchanged").of_row(status)


def why_prediction(dynamics: Dynamics, belief: Any, u: Any, dt: float, jacobian: bool) -> FilterStatus:
    """The cause of a prediction that failed, of one belief; `jacobian` where the filter needs one."""
    if not _finite(belief.mean, belief.cov):
        return FilterStatus.NOT_FINITE_BELIEF
    if not _finite(u):
        return FilterStatus.NOT_FINITE_ACTION
    with np.errstate(all="ignore"):
        if not _finite(dynamics.step(belief.mean, u, dt)):
            return FilterStatus.UNDEFINED_STATE
        found = _why_noise(dynamics.noise(belief.mean, u, dt))
        if found is None and jacobian and not _finite(dynamics.linearize(belief.mean, u, dt)[0]):
            return FilterStatus.UNDEFINED_JACOBIAN
    return found or _why_belief(belief)


def why_update(sensor: Sensor, belief: Any, z: Any, context: Any, S: Any, estimator: Any) -> FilterStatus:
    """The cause of an update that failed, of one belief; S is the innovation covariance that it found."""
    jacobian = estimator.jacobian
    if not _finite(belief.mean, belief.cov):
        return FilterStatus.NOT_FINITE_BELIEF
    if np.isinf(z).any():
        return FilterStatus.NOT_FINITE_READING
    if isinstance(context, np.ndarray) and not _finite(context):
        return FilterStatus.NOT_FINITE_CONTEXT
    context = None if isinstance(context, np.ndarray) and context.size == 0 else context
    with np.errstate(all="ignore"):
        expected = np.asarray(sensor.observe(belief.mean, context))
        if not _finite(np.where(np.isnan(z), 0.0, expected)):
            return FilterStatus.UNDEFINED_READING
        seen = ~np.isnan(np.asarray(sensor.reading.minus(z, expected)))
        R = np.asarray(sensor.noise(belief.mean, context))[np.ix_(seen, seen)]
        found = _why_noise(R)
        if found is None and jacobian and not _finite(np.asarray(sensor.linearize(belief.mean, context))[seen]):
            return FilterStatus.UNDEFINED_JACOBIAN
    if found is not None:
        return found
    if _why_belief(belief) is FilterStatus.INDEFINITE_BELIEF and not jacobian:
        return FilterStatus.INDEFINITE_BELIEF
    try:
        np.linalg.cholesky(S)
    except np.linalg.LinAlgError:
        return FilterStatus.SINGULAR_INNOVATION
    return estimator.unexplained if _finite(S) else FilterStatus.UNDEFINED_READING


def explain(
    estimator: CompiledEstimator,
    belief: Any,
    steps: Timeline,
    batch: tuple[int, ...],
    codes: np.ndarray,
    found: np.ndarray,
    after: np.ndarray | None = None,
) -> None:
    """Put causes in place of failures; those of a single belief raise.

    Args:
        estimator: the estimator that took the steps.
        belief: the belief before all of them.
        steps: the steps.
        batch: axes of the batch.
        codes: how each step went, ``(B, T)``.
        found: what updates found, ``(B, T, ...)``.
        after: the beliefs after each step of a sequence, ``(B, T, numbers)``; None for a single step.
    """
    for i, k in np.argwhere((codes == PREDICTION_FAILED) | (codes == UPDATE_FAILED)):
        start = packed(estimator, belief, batch)[i] if after is None or k == 0 else after[i, k - 1]
        alone = estimator.unpack(belief.space, start.copy())
        u, dt = _at(steps.us, batch, i)[k], float(steps.dts[k])
        model: Any = steps.dynamics
        z = None
        if codes[i, k] == PREDICTION_FAILED:
            codes[i, k] = why_prediction(model, alone, u, dt, estimator.jacobian)
        else:
            j = int(steps.which[k])
            if steps.moves[k]:
                alone = estimator.predict(alone, model, u, dt)
            model = steps.sensors[j]
            n, m = model.reading.size, model.reading.dim
            z = _at(steps.zs, batch, i)[k, :n]
            c: Any = _at(steps.contexts, batch, i)[k]
            c = c[: model.context.size] if model.context is not None else steps.objects[j][int(c[0])]
            S = found[i, k, n + m : n + m + m * m].reshape(m, m)
            codes[i, k] = why_update(model, alone, z, c, S, estimator)
        if not batch:
            where = "" if after is None else f"step {k}"
            raise error_of(FilterStatus(codes[i, k]), model, alone, where, u=u, z=z)


def report(how: np.ndarray, batch: tuple[int, ...], status: np.ndarray | None) -> None:
    """Write how the rows of a prediction went to `status`, or warn of those that failed."""
    if status is not None:
        status[...] = how.reshape(batch)
    elif how.any():
        some = how[how > 0]
        warnings.warn(
            f"{len(some)} of {how.size} predictions failed, the first because of {FilterStatus(some[0]).name}; their "
            "beliefs are unchanged (give status=... to get each)",
            RuntimeWarning,
            stacklevel=4,
        )


def _at(a: np.ndarray, batch: tuple[int, ...], i: int) -> np.ndarray:
    """Sequence i of arrays ``(..., T, n)``."""
    return once_or_rows(a, batch, 2, "array")[i if a.ndim > 2 else 0]


def _finite(*arrays: Any) -> bool:
    return all(bool(np.isfinite(np.asarray(a, dtype=np.float64)).all()) for a in arrays)


def _why_noise(R: Any) -> FilterStatus | None:
    """The fault of a noise covariance, if it has one."""
    R = np.asarray(R, dtype=np.float64)
    if not _finite(R):
        return FilterStatus.UNDEFINED_NOISE
    variances = np.diagonal(R)
    top = np.abs(variances).max(initial=0.0)
    most = 1.000001 * variances[:, None] * variances + 1e-18 * top * top
    np.fill_diagonal(most, np.inf)
    bad = (variances < -1e-9 * top).any() or (np.tril(R, -1) ** 2 > most).any()
    return FilterStatus.IMPOSSIBLE_NOISE if bad else None


def _why_belief(belief: Any) -> FilterStatus:
    """Whether the covariance has a root; where it has, numbers overflowed."""
    values = np.linalg.eigvalsh(belief.cov)
    return FilterStatus.INDEFINITE_BELIEF if values.min() < -1e-9 * np.abs(values).max() else FilterStatus.OVERFLOW
