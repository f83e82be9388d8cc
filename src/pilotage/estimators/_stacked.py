"""Beliefs and updates of many steps, side by side along an axis of time, the last of the leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import FilterStatus, Gaussian, Mixture, Particles, Update
from ..core.arrays import Array
from .information_belief import Information


def stacked(beliefs: list[Any]) -> Any:
    """Beliefs as one with leading axes ``(..., T)``: mixtures, particles and information as such, others as Gaussians.

    A tuple of them where spaces or leading axes change: tracks that begin and end, a map that grows.
    """
    first = beliefs[0]
    if all(isinstance(b, Information) for b in beliefs):
        return Information.stacked(beliefs)
    if all(isinstance(b, Mixture) and len(b.components) == len(first.components) for b in beliefs):
        components = tuple(stacked([b.components[i] for b in beliefs]) for i in range(len(first.components)))
        return Mixture.trusted(components, np.stack([b.log_weights for b in beliefs], axis=-2))
    if all(isinstance(b, Particles) and b.points.shape == first.points.shape for b in beliefs):
        points = np.stack([b.points for b in beliefs], axis=-3)
        weights = np.stack([b.log_weights for b in beliefs], axis=-2)
        return Particles.trusted(first.space, points, weights)
    moments = [b.moments() for b in beliefs]
    space = moments[0].space
    if any(g.space != space or g.mean.shape != moments[0].mean.shape for g in moments):
        return tuple(beliefs)
    means, rooted = np.stack([g.mean for g in moments], axis=-2), all(g.rooted for g in moments)
    matrices = np.stack([g.root if rooted else g.cov for g in moments], axis=-3)
    return Gaussian.trusted(space, means, **{"root" if rooted else "cov": matrices})


def stacked_updates(updates: list[Update | None], width: int) -> tuple[Any, Any, Any, Any]:
    """Innovations ``(..., T, width)``, NIS, log-likelihoods and statuses ``(..., T)``; None is a step without reading.

    Each is a tuple of T where its axes change, as with the number of targets.
    """
    given = [update for update in updates if update is not None]
    read = np.array([update is not None for update in updates], dtype=bool)
    return (
        _placed([_widened(update.innovation, width) for update in given], read, np.nan, (width,)),
        _placed([update.nis for update in given], read, 0.0),
        _placed([update.log_likelihood for update in given], read, 0.0),
        _placed([update.status for update in given], read, int(FilterStatus.NO_READING)),
    )


def _widened(y: Array, width: int) -> Array:
    """``(..., dim)`` with NaN up to `width` components."""
    *axes, dim = np.shape(y)
    return np.concatenate([y, np.full((*axes, max(0, width - dim)), np.nan)], axis=-1)


def _placed(values: list[Any], read: Any, gap: Any, tail: tuple[int, ...] = ()) -> Any:
    """Values ``(..., *tail)`` of the steps that read, and a gap at the others."""
    if len({np.shape(value) for value in values}) > 1:
        rest = iter(values)
        return tuple(np.asarray(next(rest)) if seen else np.full(tail, gap) for seen in read)
    found = np.full((len(read), *np.shape(values[0] if values else np.full(tail, gap))), gap)
    if values:
        found[read] = values
    return np.moveaxis(found, 0, -1 - len(tail))
