"""What estimators are handed, checked: beliefs, actions, readings, contexts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import CovarianceError, Gaussian, ModelError, Sensor, ShapeError, Space, SpaceError

Axes = tuple[int, ...]


def check_belief(belief: Any, space: Space | None = None) -> None:
    """Refuse what is no belief, or one that does not live on this space."""
    if not (hasattr(belief, "moments") and hasattr(belief, "space")):  # asking the protocol itself takes ten times that
        raise ModelError(f"a belief was expected, such as Gaussian.of(space, mean, std=1.0); {belief!r} was given")
    if space is not None and belief.space != space:
        raise SpaceError(f"the belief is over {belief.space}, the dynamics move {space}")


def first_belief(space: Space, mean: Any, std: Any, cov: Any, belief: Any) -> Any:
    """What a filter starts from: `belief`, or else the Gaussian of a mean and std or cov."""
    if belief is not None:
        return belief
    if std is None and cov is None:
        raise CovarianceError("a filter starts from a mean and either std or cov, or from a belief: start(mean, std)")
    return Gaussian.of(space, mean, std=std, cov=cov)


def action(u: Any, space: Space) -> np.ndarray:
    """Checked actions ``(..., m)``; None is zero."""
    return np.zeros(space.size) if u is None else space.check(u, "action")


def sequence(zs: Any, sensor: Sensor) -> np.ndarray:
    """Checked readings ``(T, m)`` of a sensor."""
    zs = sensor.reading.check(zs, "readings", finite=False)
    if zs.ndim != 2:
        raise ShapeError(f"one sequence of readings (T, {sensor.reading.size}) was expected; {zs.shape} was given")
    return zs


def context_of(context: Any, sensor: Sensor) -> Any:
    """A checked context: numbers ``(..., c)`` for a sensor that says how many it takes, else any object as it is."""
    size = getattr(sensor, "context_size", None)
    if size is None:
        return context
    try:
        given = np.zeros(0) if context is None else np.asarray(context, dtype=float)
    except (TypeError, ValueError):
        raise ShapeError(f"{sensor!r} needs a context of {size} numbers, not {context!r}") from None
    if given.shape[-1:] != (size,):
        needs = f"needs a context of {size} numbers" if size else "takes no context"
        raise ShapeError(f"{sensor!r} {needs}; one of shape {given.shape} was given")
    if not np.isfinite(given).all():
        raise ShapeError(f"the context of {sensor!r} holds NaN or infinity: {given}; give finite numbers")
    return given


def context_axes(context: Any, sensor: Sensor) -> Axes:
    """Leading axes of a context that `context_of` checked; an object has none."""
    return () if getattr(sensor, "context_size", None) is None else context.shape[:-1]


def shared_axes(**axes: Axes) -> Axes:
    """The batch axes that all of these broadcast to.

    Example:
        >>> shared_axes(belief=(), reading=(4, 1), action=(3,))
        (4, 3)
    """
    given = {name: shape for name, shape in axes.items() if shape}
    if len(given) < 2:  # as a rule; numpy takes longer to say so
        return next(iter(given.values()), ())
    try:
        return np.broadcast_shapes(*given.values())
    except ValueError:
        said = ", ".join(f"{name} {shape}" for name, shape in given.items())
        raise ShapeError(f"leading axes do not fit each other: {said}; give equal axes, or axes of length 1") from None
