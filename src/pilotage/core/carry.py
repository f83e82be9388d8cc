"""Conversion of beliefs from one space to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import numpy as np

from .arrays import Array
from .belief import Belief
from .covariances import deviations, triangular
from .diagonal import Diagonal
from .errors import SpaceError
from .gaussian import Gaussian
from .mixture import Mixture
from .particles import Particles
from .point import Point
from .settings import instance
from .space import Space
from .streams import Rng, checked, generator

Fill = Belief | Mapping[str, tuple[Any, Any]]

_Moments = TypeVar("_Moments", Gaussian, Diagonal, Point)


def carry(belief: Belief, space: Space, fill: Fill | None = None, *, rng: Rng = None) -> Any:
    """A belief converted to another space: keep parts of the same name, drop or fill in the others.

    The parts that stay keep their exact marginal. New parts are independent of them; use `augment` to add parts that
    are not. Where a rotation or pose is perturbed on the other side in the new space, its covariance is carried there
    by the adjoint, which is exact. A Gaussian stays a Gaussian (and keeps its root, if it holds one). A diagonal
    belief or a point keeps its type if `fill` has the same type. Particles draw their new parts at random. Each
    component of a mixture is converted separately. Any other belief becomes the Gaussian of its moments.

    Args:
        belief: the belief to convert.
        space: the new space.
        fill: prior of the parts that `belief` lacks: a belief whose space has them, or a mapping from their names to
            ``(mean, std)``. None if it lacks none.
        rng: seed or generator, for particles.

    Raises:
        SpaceError: if neither has a part, or a part has a different kind or unit.

    Example:
        >>> here = Gaussian.of(Space("x [m]", "speed [m/s]"), [3, 1], std=[0.5, 0.1])
        >>> print(carry(here, Space("x [m]", "yaw: angle"), {"yaw": (0.0, 0.2)}))
        x 3.00 +- 0.50 m, yaw 0 +- 11 deg
    """
    checked(rng)
    instance(belief, Belief, "carry")
    instance(space, Space, "carry")
    if isinstance(belief, Mixture):
        draw = generator(rng)
        return Mixture([carry(c, space, fill, rng=draw) for c in belief.components], belief.log_weights)
    belief = _on_sides(belief, space)
    if belief.space == space:
        return belief
    kept = space.common(belief.space)
    missing = [part.name for part in space.parts if part.name not in kept]
    prior = _prior(fill, space.select(missing)) if missing else None
    if isinstance(belief, Particles):
        return _particles(belief.marginal(kept), prior, space, rng)
    for kind in (Diagonal, Point):
        if isinstance(belief, kind) and (prior is None or isinstance(prior, kind)):
            return _independent(belief.marginal(kept), prior, space)
    return _gaussian(belief.moments().marginal(kept), None if prior is None else prior.moments(), space)


def _on_sides(belief: Any, space: Space) -> Any:
    """The belief with its rotations and poses perturbed on the sides that they have in the new space."""
    sides = {part.name: part.side for part in space.parts}
    there = Space(*(part.perturbed(sides.get(part.name, part.side)) for part in belief.space.parts))
    if there == belief.space:
        return belief
    if isinstance(belief, Particles):
        return Particles.trusted(there, belief.points, belief.log_weights)
    if isinstance(belief, Point):
        return Point(there, belief.mean)
    belief = belief.moments()
    T = belief.space.swapped(there, belief.mean)
    held = triangular(T @ belief.root) if belief.rooted else _symmetric(T @ belief.cov @ np.swapaxes(T, -1, -2))
    return belief.holding(there, belief.mean, held)


def _symmetric(P: Array) -> Array:
    return 0.5 * (P + np.swapaxes(P, -1, -2))


def _prior(fill: Fill | None, missing: Space) -> Belief:
    """`fill` on exactly the parts that are missing."""
    names = [part.name for part in missing.parts]
    if isinstance(fill, Mapping):
        have = [name for name in names if name in fill]
    else:
        have = [] if fill is None else missing.common(fill.space)
    lacking = [name for name in names if name not in have]
    if lacking or fill is None:
        raise SpaceError(
            f"the belief knows nothing of {', '.join(lacking)}; give a prior, fill={{{lacking[0]!r}: (mean, std)}}"
        )
    if not isinstance(fill, Mapping):
        return cast(Any, fill).marginal(names)
    means: list[Array] = []
    variances: list[Array] = []
    for part in missing.parts:
        mean, std = fill[part.name]
        means.append(np.broadcast_to(np.asarray(mean, dtype=np.float64), (part.size,)))
        variances.append(np.broadcast_to(deviations(std, part.dim) ** 2, (part.dim,)))
    return Diagonal(missing, np.concatenate(means), np.concatenate(variances))


def _order(kept: Space, prior: Space | None, space: Space) -> tuple[Any, Any]:
    """Places of the components of `space`, stored and tangent, in kept and filled ones side by side."""
    both = kept if prior is None else kept.join(prior)
    return both.indices([part.name for part in space.parts])


def _beside(a: Array, b: Array | None) -> Array:
    """Vectors side by side, over the leading axes of both."""
    if b is None:
        return a
    batch = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    return np.concatenate([np.broadcast_to(v, (*batch, v.shape[-1])) for v in (a, b)], axis=-1)


def _gaussian(kept: Gaussian, prior: Gaussian | None, space: Space) -> Gaussian:
    i, j = _order(kept.space, prior.space if prior else None, space)
    mean = _beside(kept.mean, prior.mean if prior else None)[..., i]
    own = kept.held
    other = np.zeros((0, 0)) if prior is None else prior.root if kept.rooted else prior.cov
    n, d = own.shape[-1], space.dim
    both = np.zeros((*np.broadcast_shapes(own.shape[:-2], other.shape[:-2]), d, d))
    both[..., :n, :n] = own
    both[..., n:, n:] = other
    return kept.holding(space, mean, triangular(both[..., j, :]) if kept.rooted else both[..., j[:, None], j])


def _independent(kept: Diagonal | Point, prior: Any, space: Space) -> Diagonal | Point:
    i, j = _order(kept.space, prior.space if prior else None, space)
    mean = _beside(kept.mean, prior.mean if prior else None)[..., i]
    if isinstance(kept, Point):
        return Point(space, mean)
    return Diagonal.trusted(space, mean, _beside(kept.var, prior and prior.var)[..., j])


def _particles(kept: Particles, prior: Belief | None, space: Space, rng: Rng) -> Particles:
    new: Array | None = None
    if prior is not None:
        new = prior.sample(kept.points.shape[-2], rng=generator(rng))
        batch = kept.points.shape[:-1]
        if new.ndim == 2 and len(batch) > 1:
            new = prior.sample(int(np.prod(batch)), rng=generator(rng)).reshape(*batch, new.shape[-1])
    i, _ = _order(kept.space, prior.space if prior else None, space)
    points = _beside(kept.points, new)[..., i]
    return Particles.trusted(space, points, np.broadcast_to(kept.log_weights, points.shape[:-1]))
