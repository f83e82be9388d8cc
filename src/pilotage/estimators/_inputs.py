"""Checks of the inputs of estimators: beliefs, actions, readings, contexts."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..core import CovarianceError, Gaussian, ModelError, Sensor, ShapeError, Space, SpaceError
from ..core.arrays import numbers
from ..core.arrays import shared_axes as shared_axes
from ..core.declared import called

Axes = tuple[int, ...]
EMPTY = np.zeros(0)


def check_belief(belief: Any, space: Space | None = None, wider: bool = False) -> None:
    """Refuse what is no belief, or one that does not live on this space, or on a `wider` one that holds its parts."""
    if not (hasattr(belief, "moments") and hasattr(belief, "space")):  # asking the protocol itself takes ten times that
        raise ModelError(f"a belief was expected, such as Gaussian.of(space, mean, std=1.0); {belief!r} was given")
    if space is None or belief.space == space:
        return
    if not (wider and len(belief.space.common(space)) == len(space.parts)):
        raise SpaceError(f"the belief is over {belief.space}, the dynamics move {space}")


def first_belief(space: Space, mean: Any, std: Any, cov: Any, belief: Any) -> Any:
    """The belief that a filter starts from: `belief`, or else the Gaussian of a mean and std or cov."""
    if belief is not None:
        return belief
    if hasattr(mean, "moments"):
        raise ModelError(f"the mean is a belief, {mean}; give it by name: start(belief=...)")
    if std is None and cov is None:
        raise CovarianceError("a filter starts from a mean and either std or cov, or from a belief: start(mean, std)")
    return Gaussian.of(space, mean, std=std, cov=cov)


def moving(estimator: Any) -> Any:
    """The dynamics of an estimator; an error where there are none."""
    if estimator.dynamics is None:
        name = type(estimator).__name__
        raise ModelError(f"{name} has no dynamics; give some, as in {name}(dynamics=car, dt=0.05)")
    return estimator.dynamics


def action(u: Any, space: Space) -> np.ndarray:
    """Checked actions ``(..., m)``; None is zero."""
    return np.zeros(space.size) if u is None else space.check(u, "action")


def reading_of(z: Any, sensor: Sensor, name: str = "reading") -> np.ndarray:
    """Checked readings ``(..., size)``, NaN where not measured; None is a reading of which nothing was.

    A number is a reading of one component.
    """
    reading = sensor.reading
    if reading.size == 1 and isinstance(z, (int, float, np.number)):
        z = [z]
    return reading.check(np.full(reading.size, np.nan) if z is None else z, name, finite=False)


def context_of(context: Any, sensor: Sensor) -> Any:
    """A checked context: numbers ``(..., c)`` for a sensor that says what they are, else any object as it is."""
    space = sensor.context
    if space is None:
        return context
    if context is None and space.size == 0:
        return EMPTY
    if context is None:
        raise ShapeError(
            f"{sensor!r} needs a context of {space.size} numbers: {', '.join(space.names)}; none was given"
        )
    context = numbers(context, f"context of {called(sensor)}")
    if space.size == 0 and context.size:
        raise ShapeError(f"{sensor!r} takes no context; {context!r} was given")
    return space.check(context, f"context of {called(sensor)}")


def context_axes(context: Any, sensor: Sensor) -> Axes:
    """Leading axes of a context that `context_of` checked; an object has none."""
    return () if sensor.context is None else context.shape[:-1]


def spread(a: np.ndarray, batch: Axes, keep: int = 1, what: str = "array") -> np.ndarray:
    """`a` broadcast to the batch, the last `keep` axes kept; itself where it has these axes."""
    own, tail = a.shape[: a.ndim - keep], a.shape[a.ndim - keep :]
    if own == batch:
        return a
    try:
        return np.broadcast_to(a, (*batch, *tail))
    except ValueError:
        raise ShapeError(f"the {what} has the leading axes {own}, where {batch} were expected") from None


def flat_rows(a: np.ndarray, batch: Axes, keep: int = 1, what: str = "array") -> np.ndarray:
    """`a` as `spread`, contiguous, batch axes flattened into one; without a copy where it is so already."""
    if a.ndim == keep and not batch:  # as a rule
        return np.ascontiguousarray(a)[None]
    return np.ascontiguousarray(spread(a, batch, keep, what)).reshape(prod(batch), *a.shape[a.ndim - keep :])


def rows(a: np.ndarray, batch: Axes, keep: int = 1, what: str = "array") -> np.ndarray:
    """`flat_rows` that are never read-only."""
    flat = flat_rows(a, batch, keep, what)
    return flat if flat.flags.writeable else flat.copy()


def once_or_rows(a: np.ndarray, batch: Axes, keep: int, what: str) -> np.ndarray:
    """`rows`, but a single one where `a` has no batch axes."""
    return rows(a, () if a.ndim == keep else batch, keep, what) if a.ndim >= keep else rows(a, (), keep, what)


def unflat(a: np.ndarray, batch: Axes) -> np.ndarray:
    """The first axis as the batch axes it stands for; without copying, also where all rows are one."""
    if len(batch) == 1:
        return a
    return a[0] if not batch else a.reshape(*batch, *a.shape[1:])


@lru_cache(maxsize=64)
def gate_quantiles(probability: float | None, dim: int) -> np.ndarray:
    """Largest NIS that passes, for 0 to `dim` measured components: chi-square quantiles, or infinity without a gate."""
    if probability is None:
        return np.full(dim + 1, np.inf)
    from scipy.special import gammaincinv  # the chi-square quantile, without the half second that scipy.stats takes

    return np.array([np.inf, *(2.0 * gammaincinv(0.5 * k, probability) for k in range(1, dim + 1))])
