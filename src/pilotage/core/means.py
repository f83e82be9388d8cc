"""Weighted means of states on a space."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from .arrays import numbers, stack, unstack
from .errors import ShapeError
from .mathematics import math_for, torch_if_tensor
from .parts import Part

_MOST_STEPS = 200
"""Sigma points take 3 to 10; a thousand rotations scattered all over, up to 150."""


class Manifold(Protocol):
    """The methods of a space that the mean needs."""

    @property
    def size(self) -> int: ...
    @property
    def linear(self) -> bool: ...
    @property
    def layout(self) -> tuple[tuple[Part, slice, slice], ...]: ...
    def plus(self, x: Any, d: Any) -> Any: ...
    def minus(self, y: Any, x: Any) -> Any: ...
    def normalize(self, x: Any) -> Any: ...


def weighted_mean(space: Manifold, curved: Manifold, where: Any, xs: Any, weights: Any, axis: int) -> Any:
    """The mean of states ``(..., N, size)``.

    Args:
        space: where they live.
        curved: the space of the parts on which plus is not addition.
        where: storage indices of those parts.
        xs: the states, of the right length on their last axis.
        weights: as those of `Space.mean`.
        axis: the axis that is averaged.
    """
    torch = torch_if_tensor(xs, weights)
    if torch is not None:
        xs = torch.as_tensor(xs)
    if xs.ndim < 2 or axis % xs.ndim == xs.ndim - 1:
        raise ShapeError(
            f"states of shape {tuple(xs.shape)} cannot be averaged along axis {axis}; the last holds the components"
        )
    xs = (np if torch is None else torch).moveaxis(xs, axis, -2)
    w = _weights(xs, weights)
    average = (w[..., None] * xs).sum(-2)
    if space.linear:
        return average
    mu = _descend(curved, xs[..., where], w)
    if curved.size == space.size:
        return mu
    columns = unstack(average)
    for i, column in zip(where, unstack(mu), strict=True):
        columns[i] = column
    return stack(columns, average)


def _weights(xs: Any, weights: Any) -> Any:
    """Weights ``(..., N)`` of sum 1, of the array kind of `xs`."""
    count = xs.shape[-2]
    if count == 0:
        raise ShapeError("the mean of no states was asked for; give at least one")
    given = np.full(count, 1.0 / count) if weights is None else weights
    torch = torch_if_tensor(xs)
    if torch is None:
        w = numbers(given, "the weights of a mean")
    else:
        w = torch.as_tensor(given, dtype=xs.dtype, device=xs.device)
    if w.ndim == 0 or w.shape[-1] != count:
        raise ShapeError(f"weights of shape {tuple(w.shape)} were given for {count} states; give one each")
    total = w.sum(-1)[..., None]
    if not bool(((total > 0.0) & (total < np.inf)).all()):
        raise ShapeError("the weights of a mean must have a positive, finite sum; some sum to zero, less, inf or NaN")
    return w / total


def _descend(space: Manifold, xs: Any, w: Any) -> Any:
    """Gauss-Newton: ``mean <- mean (+) sum_i w_i (x_i (-) mean)`` until the step is lost in rounding.

    Without negative weights it converges from everywhere (Manton 2004), slowly where thousands of rotations are
    scattered all over; there the point after the last step has to do. With negative ones there may be no mean.
    """
    torch = torch_if_tensor(xs)
    shape = (*np.broadcast_shapes(tuple(xs.shape[:-2]), tuple(w.shape[:-1])), *xs.shape[-2:])
    xs = np.broadcast_to(xs, shape) if torch is None else xs.expand(shape)
    w = np.broadcast_to(w, shape[:-1]) if torch is None else w.expand(shape[:-1])
    if 0 in shape:
        return xs[..., 0, :]
    mu = _heaviest(xs, w)
    if bool((w >= 0.0).all()):
        mu = _chordal(space, xs, w, mu)
    tolerance = _rounding(xs, w)
    step: Any = 0.0
    for _ in range(_MOST_STEPS):
        step = (w[..., None] * space.minus(xs, mu)).sum(-2)[..., None, :]
        mu = space.plus(mu, step)
        if not bool((abs(step) > tolerance).any()):
            return mu[..., 0, :]
    if bool((w < 0.0).any()) and bool((abs(step) > 1e6 * tolerance).any()):
        raise ShapeError(
            f"no mean was found on {space}: the states are scattered over more than a quarter turn, and some of their "
            "weights are negative; use sigma points that lie closer, or weights that are not negative"
        )
    return mu[..., 0, :]


def _rounding(xs: Any, w: Any) -> float:
    """The rounding limit of the weighted sum of differences: large coordinates and weights that cancel count."""
    torch = torch_if_tensor(xs)
    epsilon = 2.3e-16 if torch is None else float(torch.finfo(xs.dtype).eps)
    reach = (np if torch is None else torch).nan_to_num(abs(xs)).max()
    return 8.0 * epsilon * w.shape[-1] ** 0.5 * max(1.0, float(reach)) * float(abs(w).sum(-1).max())


def _heaviest(xs: Any, w: Any) -> Any:
    """The sample of highest weight, ``(..., 1, n)``: among sigma points it lies close to the mean."""
    first = w.argmax(-1)[..., None, None]
    shape = (*xs.shape[:-2], 1, xs.shape[-1])
    torch = torch_if_tensor(xs)
    if torch is None:
        return np.take_along_axis(xs, np.broadcast_to(first, shape), axis=-2)
    return torch.take_along_dim(xs, first.expand(shape), dim=-2)


def _chordal(space: Manifold, xs: Any, w: Any, heaviest: Any) -> Any:
    """Mean of the embedded points, ``(..., 1, n)``: where to start when no weight is negative.

    Unlike any one sample it lies on the right side of widely scattered rotations.
    """
    m = math_for(xs)
    x, first = unstack(xs), unstack(heaviest)
    columns: list[Any] = []
    for part, s, _ in space.layout:
        columns += part.chord(x[s], lambda a: (w * a).sum(-1), first[s], m)
    return space.normalize(stack(columns, xs[..., 0, :])[..., None, :])
