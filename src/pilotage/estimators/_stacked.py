"""Beliefs with time as their first axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Gaussian, Mixture, Particles


def stacked(beliefs: list[Any]) -> Any:
    """Beliefs as one with a leading axis: mixtures and particles where shapes agree, else Gaussians.

    A tuple of them where spaces or leading axes change: tracks that begin and end, a map that grows.
    """
    first = beliefs[0]
    if all(isinstance(b, Mixture) and len(b.components) == len(first.components) for b in beliefs):
        components = tuple(stacked([b.components[i] for b in beliefs]) for i in range(len(first.components)))
        return Mixture.trusted(components, np.stack([b.log_weights for b in beliefs]))
    if all(isinstance(b, Particles) and b.points.shape == first.points.shape for b in beliefs):
        points, weights = np.stack([b.points for b in beliefs]), np.stack([b.log_weights for b in beliefs])
        return Particles.trusted(first.space, points, weights)
    moments = [b.moments() for b in beliefs]
    space = moments[0].space
    if any(g.space != space or g.mean.shape != moments[0].mean.shape for g in moments):
        return tuple(beliefs)
    means = np.stack([g.mean for g in moments])
    if all(g.rooted for g in moments):
        return Gaussian.trusted(space, means, root=np.stack([g.root for g in moments]))
    return Gaussian.trusted(space, means, np.stack([g.cov for g in moments]))
