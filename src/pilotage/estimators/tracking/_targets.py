"""Rows of beliefs, one a row, and what a filter says of them: the engine under every tracker."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Sensor
from ...core.arrays import Array
from ...core.settings import setting
from .._gaussian import GaussianEstimator
from .._modes import SeveralModels
from .._rows import NO_READING, ModeRows, outcome
from ..ekf import EKF
from ..imm import IMM
from ..kf import KF
from ..ukf import UKF
from ._moments import Moments

Filters = EKF | UKF | KF | IMM | GaussianEstimator | SeveralModels
"""Filters that a tracker takes; the first are for the sentence that refuses others."""


class Rows:
    """Beliefs of single targets: a table for each model of the filter, and the weights of the models.

    Attributes:
        tables: of each model, ``(N, numbers)``.
        weights: of the models, ``(N, M)``.
    """

    __slots__ = ("tables", "weights")

    def __init__(self, tables: list[Array], weights: Array) -> None:
        self.tables, self.weights = tables, weights

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, index: Any) -> Rows:
        """The rows of an index, copied where numpy copies."""
        return Rows([table[index] for table in self.tables], self.weights[index])

    def __setitem__(self, index: Any, rows: Rows) -> None:
        for table, new in zip(self.tables, rows.tables, strict=True):
            table[index] = new
        self.weights[index] = rows.weights

    def copy(self) -> Rows:
        return Rows([table.copy() for table in self.tables], self.weights.copy())

    def joined(self, other: Rows) -> Rows:
        """These rows, and the others behind them."""
        if not len(other):
            return self
        both = zip(self.tables, other.tables, strict=True)
        return Rows([np.concatenate(pair) for pair in both], np.concatenate((self.weights, other.weights)))


class Targets:
    """A filter of single targets that works on `Rows`.

    Args:
        filter: a Kalman filter with dynamics, or a filter of several models. Gates are the tracker's.
    """

    def __init__(self, filter: Any) -> None:
        self.filter = filter = setting(filter, Filters, "filter of a tracker")
        self.alone = isinstance(filter, GaussianEstimator)
        modes: Any = filter
        if self.alone:
            modes = IMM((filter.moving(),), 1.0, dt=filter.dt or 1.0, filter=filter)
        self.modes = modes
        self._engine = ModeRows(modes, (1,), modes.spread(modes.first(std=1.0)), alone=self.alone)
        self._moments = [Moments(each, model) for each, model in modes.components]
        self._mounted: dict[int, tuple[Sensor, list[Any], Array]] = {}
        self._packed: tuple[Any, Rows] | None = None
        self._iterated = any(hasattr(each, "iterations") for each, _ in modes.components)
        self._idle = np.zeros(modes.models[0].action.size)

    def __reduce__(self) -> Any:
        return Targets, (self.filter,)

    @property
    def spaces(self) -> tuple[Any, ...]:
        """The states of the models."""
        return tuple(model.state for _, model in self.modes.components)

    @property
    def shared(self) -> Any:
        """The space of what all models share."""
        return self.unpack(Rows(self._engine.tables, self._engine.weights)).moments().space

    def none(self) -> Rows:
        """No rows."""
        return Rows([table[:0].copy() for table in self._engine.tables], self._engine.weights[:0].copy())

    def pack(self, belief: Any) -> Rows:
        """Rows of a belief, which has one leading axis or none."""
        belief = self._engine.own(belief)
        axes = np.shape(belief.log_weights)[:-1] or np.shape(belief.components[0].moments().mean)[:-1]
        return Rows(*self._engine._packed(belief, axes or (1,)))

    def packed(self, belief: Any) -> Rows:
        """`pack` of a belief that comes again and again, which must not be changed."""
        if self._packed is None or self._packed[0] is not belief:
            self._packed = belief, self.pack(belief)
        return self._packed[1]

    def unpack(self, rows: Rows) -> Any:
        """The belief in these rows, with a leading axis: a `Gaussian`, or a `Mixture` of modes."""
        rows = rows.copy()
        return self._engine.mixture(rows.tables, rows.weights, (len(rows),))

    def mounted(self, sensor: Sensor) -> list[Any]:
        """The sensor on the state of each model."""
        kept = self._mounted.get(id(sensor))
        if kept is None:
            mounted = [sensor.on(model.state) for _, model in self.modes.components]
            kept = sensor, mounted, mounted[0].reading.identity()
            for (filter, _), h in zip(self.modes.components, kept[1], strict=True):
                filter.check_sensor(h)
            self._mounted[id(sensor)] = kept
        return kept[1]

    def predict(self, rows: Rows, dt: float, u: Array | None = None) -> Any:
        """Move rows by `dt` seconds, in place; the status of each, ``(N,)``: one that fails stays as it was."""
        if not len(rows):
            return np.zeros(0, np.int64)
        return self._engine.predict_tables(rows.tables, rows.weights, self._idle if u is None else u, dt)

    def update(self, rows: Rows, sensor: Sensor, z: Array, context: Any) -> tuple[Array, Any]:
        """Update rows with a reading each, in place; log-likelihoods and statuses ``(N,)``.

        Args:
            rows: the beliefs.
            sensor: the sensor.
            z: readings ``(N, k)``.
            context: of the sensor, as `context_of` gives it, with no axis of rows.
        """
        if not len(rows):
            return np.zeros(0), np.zeros(0, np.int64)
        codes, founds = self._engine.update_tables(rows.tables, rows.weights, self.mounted(sensor), z, context)
        logs = founds[0][:, 0, -1] if len(founds) == 1 else self._weighed(rows, founds, outcome(codes))
        return logs, outcome(codes)

    def _weighed(self, rows: Rows, founds: list[Array], status: Any) -> Array:
        """Log-likelihoods of readings over the modes; the weights of the modes become those after the reading."""
        logs = np.stack([found[:, 0, -1] for found in founds], axis=-1)
        with np.errstate(divide="ignore"):
            joint = np.log(rows.weights) + logs
        top = joint.max(-1)
        total = top + np.log(np.exp(joint - top[:, None]).sum(-1))
        good = status <= NO_READING
        rows.weights[good] = np.maximum(np.exp(joint - total[:, None])[good], self.modes.least)
        rows.weights /= rows.weights.sum(-1, keepdims=True)
        return total

    def expect(self, rows: Rows, sensor: Sensor, context: Any) -> tuple[Array, Array, Any]:
        """Expected readings ``(N, k)``, their covariances ``(N, m, m)``, and whether each is known, ``(N,)``."""
        mounted = self.mounted(sensor)
        z, S, good = self._expected(rows.copy(), mounted, self._mounted[id(sensor)][2], context)
        if self._iterated:  # it linearizes at the reading
            z, S, good = self._expected(rows.copy(), mounted, np.ascontiguousarray(z), context)
        return z, S, good

    def _expected(self, rows: Rows, mounted: list[Any], z: Array, context: Any) -> tuple[Array, Array, Any]:
        """`expect` by an update with one reading or one each, which changes the rows."""
        weights, reading = rows.weights.copy(), mounted[0].reading
        k, m = reading.size, reading.dim
        codes, founds = self._engine.update_tables(rows.tables, rows.weights, mounted, z, context)
        parts = [(found[:, 0, :k], found[:, 0, k + m : k + m + m * m].reshape(-1, m, m)) for found in founds]
        z, S = parts[0] if len(parts) == 1 else matched(reading, weights, parts)
        return z, S, (codes <= NO_READING).all(-1) & np.isfinite(z).all(-1)

    def means(self, rows: Rows) -> Array:
        """Means of the beliefs on the state of the first model, ``(N, n)``; of several models, over what they share."""
        if self.alone:
            return rows.tables[0][:, : self.spaces[0].size]
        return np.asarray(self.unpack(rows).moments().mean)

    def moments(self, rows: Rows) -> tuple[Any, Array, Array]:
        """The space that all models share, and means and covariances on it."""
        found = self._engine.mixture(rows.tables, rows.weights, (len(rows),)).moments()
        return found.space, np.array(found.mean), np.array(found.cov)

    def merge(self, rows: Rows, starts: Any, shares: Array) -> Rows:
        """The moments of groups of rows: group i is ``rows[starts[i]:starts[i + 1]]`` with shares of sum 1."""
        owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        weights = np.zeros((len(starts) - 1, rows.weights.shape[1]))
        np.add.at(weights, owner, shares[:, None] * rows.weights)
        tables = []
        for j, (moments, given) in enumerate(zip(self._moments, rows.tables, strict=True)):
            share = shares * rows.weights[:, j] / weights[owner, j] if len(rows.tables) > 1 else shares
            tables.append(moments(given, starts, share))
        return Rows(tables, weights)


def matched(reading: Any, weights: Array, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Mean and covariance of the readings that several modes expect."""
    means, covs = (np.stack(each, axis=1) for each in zip(*parts, strict=True))
    mean = np.asarray(reading.mean(means, weights))
    d = np.asarray(reading.minus(means, mean[:, None]))
    return mean, np.einsum("nj,njab->nab", weights, covs + d[..., :, None] * d[..., None, :])
