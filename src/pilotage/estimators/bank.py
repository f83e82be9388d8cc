"""A bank of filters: many targets at once, of which some are tracked and some are measured."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..core import Sensor, ShapeError, Update
from ..core.settings import setting, whole
from ._clock import Clock
from ._gaussian import GaussianEstimator
from ._inputs import action
from ._modes import SeveralModels, axes_of
from ._rows import ModeRows
from .ekf import EKF
from .imm import IMM
from .kf import KF
from .ukf import UKF


class Bank:
    """Many filters with the same settings, one for each track, in arrays that stay where they are.

    A bank has a fixed number of places. `add` puts tracks into free places and returns these; they keep their places
    until `remove`. `predict` moves all tracks, and `update` takes readings of those that were measured. There is no
    Python loop over tracks, and a track that fails harms no other: it keeps its belief, and has its own status.

    Args:
        estimator: a Kalman filter with dynamics, such as ``EKF(model, dt=0.1)``, or a filter of several models.
        capacity: number of places.
        t: start time [s].

    Attributes:
        capacity: number of places.

    Raises:
        ModelError: if the estimator has no dynamics.

    Example:
        >>> import numpy as np
        >>> from pilotage.core import Gaussian
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> model, radar = constant_velocity(), position(std=0.5)
        >>> bank = Bank(KF(model, dt=0.1), capacity=100)
        >>> rows = bank.add(Gaussian.of(model.state, [[0, 0, 1, 0], [5, 5, 0, 0], [9, 0, 0, 0]], std=1.0))
        >>> bank.predict().tolist()
        [0, 0, 0]
        >>> bank.update(radar, [[5.1, 4.9], [0.2, 0.0]], rows=[1, 0]).accepted.tolist()
        [True, True]
        >>> bank.remove(rows[:1])
        >>> bank.rows.tolist(), bank.belief.mean.shape
        ([1, 2], (2, 4))
    """

    def __init__(self, estimator: Any, capacity: int, *, t: float = 0.0) -> None:
        kinds = EKF | UKF | KF | IMM | GaussianEstimator | SeveralModels  # the first are for the sentence
        self.estimator, self.capacity = setting(estimator, kinds, "estimator of Bank"), whole(capacity, "capacity")
        self._alone = isinstance(estimator, GaussianEstimator)
        modes: Any = estimator
        if self._alone:
            modes = IMM((estimator.moving(),), 1.0, dt=estimator.dt or 1.0, filter=estimator)
        self._clock = Clock(t, estimator.dt, *modes.models)
        self._engine = ModeRows(modes, (self.capacity,), modes.spread(modes.first(std=1.0)), alone=self._alone)
        self._mask = np.zeros(self.capacity, dtype=bool)

    def __len__(self) -> int:
        return int(self._mask.sum())

    def __repr__(self) -> str:
        return f"<Bank of {type(self.estimator).__name__}: {len(self)} of {self.capacity} places at t = {self.t:g} s>"

    def __getstate__(self) -> dict[str, Any]:
        copied = ("_engine", "_clock", "_mask")
        return {name: copy.copy(value) if name in copied else value for name, value in vars(self).items()}

    @property
    def t(self) -> float:
        """Time of the beliefs [s]."""
        return self._clock.t

    @property
    def mask(self) -> np.ndarray:
        """Whether there is a track in each place, ``(capacity,)``."""
        return self._mask.copy()

    @property
    def rows(self) -> np.ndarray:
        """The places of the tracks, in order, ``(N,)``."""
        return np.flatnonzero(self._mask)

    @property
    def belief(self) -> Any:
        """The beliefs of all tracks, with a leading axis, in the order of `rows`."""
        return self[None]

    def __getitem__(self, rows: Any) -> Any:
        """The beliefs of the tracks in these places, with the leading axes of `rows`; one track for a number."""
        where, batch = self._where(rows)
        return self._engine.part(where, batch)

    def add(self, belief: Any) -> np.ndarray:
        """Put tracks into free places: a belief with one leading axis, or a single one. Their places, ``(K,)``.

        A bank of a Kalman filter takes Gaussians, others mixtures with a component for each mode.

        Raises:
            ShapeError: if there are too few free places.
        """
        belief = self._engine.own(belief)
        axes = axes_of(belief)
        if len(axes) > 1:
            raise ShapeError(f"the belief has leading axes {axes}; a bank takes one axis of tracks")
        count, free = axes[0] if axes else 1, np.flatnonzero(~self._mask)
        if count > len(free):
            raise ShapeError(f"{count} tracks do not fit: {len(free)} of {self.capacity} places are free")
        rows = free[:count]
        self._engine.put(rows, belief)
        self._mask[rows] = True
        return rows

    def remove(self, rows: Any) -> None:
        """Free these places."""
        self._mask[self._where(rows)[0]] = False

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> np.ndarray:
        """Move all tracks by `dt` seconds, or up to time `to`, under action `u`; the status of each track, ``(N,)``.

        Args:
            dt: seconds; by default the step of the estimator.
            to: time [s], instead of `dt`; long ways are cut as in `Filter.predict`.
            u: action ``(m,)``, or one for each track ``(N, m)`` in the order of `rows`; zero by default.

        A track that fails on the way to `to` keeps the belief that it had before, and an error that a model raises
        leaves all tracks and the time as they were.
        """
        u, batch = action(u, self._engine.first.action), (len(self),)
        dt = self._clock.step(dt, to)
        count, length = self._clock.cut(dt) if to is not None else (0, 0.0)
        if not count:
            return self._moved(u, dt, to, batch)
        saved, before, status = self._engine.save(), copy.copy(self._clock), np.zeros(batch, dtype=np.int64)
        try:
            for _ in range(int(count)):
                status = _first(status, self._moved(u, float(length), None, batch))
            status = _first(status, self._moved(u, self._clock.step(None, to), to, batch))
        except BaseException:
            self._engine.restore(saved)
            self._clock = before
            raise
        self._engine.restore(saved, self.rows[status > 0])
        return status

    def _moved(self, u: np.ndarray, dt: float, to: float | None, batch: tuple[int, ...]) -> np.ndarray:
        """Move all tracks by one step; the status of each."""
        status = self._engine.predict_rows(self._where(None)[0], u, dt, batch)
        self._clock.advance(dt, to)
        return status

    def expect(self, sensor: Sensor, rows: Any = None, context: Any = None) -> Any:
        """The readings to expect of the tracks in these places (default: of all), with their covariances."""
        return self.estimator.expect(self[rows], sensor, context)

    def update(self, sensor: Sensor, z: Any, rows: Any = None, context: Any = None) -> Update:
        """Update tracks with readings, each of one track; others stay.

        Args:
            sensor: the sensor.
            z: readings ``(K, k)``, NaN where not measured.
            rows: the places of the K tracks, all different; by default all tracks, in the order of `rows`.
            context: context of the sensor ``(c,)``, or one for each reading ``(K, c)``.
        """
        where, batch = self._where(rows)
        return self._engine.update_rows(where, sensor, z, context, batch)

    def _where(self, rows: Any) -> tuple[Any, tuple[int, ...]]:
        """Index of these places, a slice where they are the first ones, and their axes; empty places are refused."""
        if rows is None:
            rows, count = self.rows, len(self)
            first = count == 0 or rows[-1] == count - 1
            return (slice(0, count) if first else rows), (count,)
        index = np.asarray(rows)
        if index.dtype.kind not in "iu" and index.size:
            raise ShapeError(f"rows are {rows!r}; expected places of tracks, as whole numbers")
        flat = index.reshape(-1).astype(np.int64)
        if flat.size and not (0 <= flat.min() <= flat.max() < self.capacity and self._mask[flat].all()):
            lost = [int(i) for i in flat if not (0 <= i < self.capacity and self._mask[i])]
            raise ShapeError(f"there are no tracks in the places {lost[:10]}; see `rows`")
        if len(np.unique(flat)) < len(flat):
            raise ShapeError("rows name a place twice; give one reading for each track")
        return flat, index.shape


def _first(status: np.ndarray, later: np.ndarray) -> np.ndarray:
    """The status of the first step that failed."""
    return np.where(status > 0, status, later)
