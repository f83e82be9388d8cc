"""Association of detections with targets: the update with each detection alone, and the mixture of these."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import FilterStatus, Gaussian, Sensor, Update
from ...core.arrays import Array
from ...core.mixture import merged
from ...core.scans import detections
from .._gaussian import GaussianEstimator
from .._inputs import context_of


def scan_of(z: Any, sensor: Sensor) -> Array:
    """A checked scan ``(..., K, n)``."""
    z = detections(z)
    return sensor.reading.check(z, "scan", finite=False) if z.size else np.zeros((*z.shape[:-1], sensor.reading.size))


def updates(filter: GaussianEstimator, prior: Gaussian, sensor: Sensor, z: Array, context: Any) -> Update:
    """The filter's update with each detection alone, ``(..., K)``."""
    one = Gaussian.trusted(prior.space, prior.mean[..., None, :], prior.cov[..., None, :, :])
    if context is not None and sensor.context is not None:
        context = context_of(context, sensor)[..., None, :]
    return filter.update(one, sensor, z, context)


def outcome(each: Any, seen: Any) -> Any:
    """The outcome of scans from those of their detections ``(..., K)``: a failure, else the best."""
    worst = each.max(-1, initial=0)
    best = np.where(seen, each, FilterStatus.NO_READING).min(-1, initial=FilterStatus.NO_READING)
    return np.where(worst > FilterStatus.NO_READING, worst, best)


def mixed(prior: Gaussian, each: Gaussian, beta: Array, taken: Any) -> Gaussian:
    """Moments of the mixture of the prediction and its updates ``(..., K)``, where a detection was taken."""
    batch, n, d = taken.shape, prior.space.size, prior.space.dim
    mean, cov = np.broadcast_to(prior.mean, (*batch, n)), np.broadcast_to(prior.cov, (*batch, d, d))
    means = np.concatenate([mean[..., None, :], each.mean], axis=-2)
    covs = np.concatenate([cov[..., None, :, :], each.cov], axis=-3)
    after = merged(prior.space, means, covs, beta)
    return Gaussian.trusted(
        prior.space, np.where(taken[..., None], after.mean, mean), np.where(taken[..., None, None], after.cov, cov)
    )
