"""Bridging: where targets were, while nobody saw them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Gaussian, TrackTable
from ...core.arrays import Array, numbers
from ...core.errors import ShapeError, SpaceError
from ...core.settings import instance, setting
from ...models.linear import LinearSensor
from .._gaussian import GaussianEstimator
from ..rts import smooth
from ._intervals import Duration


def bridged(table: TrackTable, filter: Any, ts: Any = None, *, longest: float = np.inf) -> TrackTable:
    """A table whose gaps are filled: where a track has no row at an instant between two of its rows, it gets one.

    The rows are those of the Rauch-Tung-Striebel smoother between the belief before the gap and the one after it, which
    is taken for independent of what was known before, as it is after a re-identification.

    Args:
        table: tracks with covariances, such as those of `Tracker.run`.
        filter: the Kalman filter of the tracker, with dynamics of one model on the space of the table.
        ts: the instants, such as those of the scans [s]; None for those at which the table has any row.
        longest: gaps that are filled, at most [s].

    Raises:
        ShapeError: when the table has no covariances.
        SpaceError: when the dynamics are on another space.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity
        >>> car = constant_velocity(1, density=0.1)
        >>> cov = np.diag([0.01, 0.01])
        >>> seen = [[0.0, 2.0], [6.0, 2.0]]                         # at 0 s and 3 s
        >>> other = [[9.0, 0.0]] * 4                                # another one at 0, 1, 2 and 3 s
        >>> table = TrackTable([0, 3, 0, 1, 2, 3], [1, 1, 2, 2, 2, 2], [*seen, *other], space=car.state, cov=[cov] * 6)
        >>> bridged(table, KF(car, dt=1.0)).of(1).x.round(6)[:, 0].tolist()
        [0.0, 2.0, 4.0, 6.0]
    """
    instance(table, TrackTable, "bridged")
    instance(filter, GaussianEstimator, "bridged")
    longest = setting(longest, Duration, "longest of bridged")
    if table.cov is None:
        raise ShapeError("the table of bridged has no covariances; give one with them, such as that of Tracker.run")
    if filter.moving().state != table.space:
        raise SpaceError(f"the dynamics are on {filter.moving().state}, the table on {table.space}; give the same")
    times = table.times if ts is None else np.unique(numbers(ts, "ts of bridged"))
    parts = [table]
    for id in table.ids.tolist():
        own = table.of(id)
        for k, dt in enumerate(np.diff(own.t).tolist()):
            within = times[(times > own.t[k]) & (times < own.t[k + 1])]
            if len(within) and dt <= longest:
                parts.append(_bridge(own[k : k + 2], filter, np.append(within, own.t[k + 1])))
    return parts[0].joined(*parts[1:])


def _bridge(ends: TrackTable, filter: Any, ts: Array) -> TrackTable:
    """The rows between two, at all times but the last."""
    space, cov = ends.space, np.asarray(ends.cov)
    start = filter.start(belief=Gaussian(space, ends.x[0], cov[0]), t=float(ends.t[0]))
    z = np.full((len(ts), space.size), np.nan)
    z[-1] = ends.x[1]
    after = LinearSensor(np.eye(space.dim), cov[1], state=space, reading=space)
    found, count = smooth(start.run(None, z, ts, sensor=after)), len(ts) - 1
    return TrackTable(
        ts[:-1], np.full(count, ends.id[0]), found.mean[:-1], space=space, cov=found.cov[:-1],
        score=None if ends.score is None else np.full(count, ends.score.min()),
        kind=None if ends.kind is None else np.full(count, ends.kind[0]),
    )  # fmt: skip
