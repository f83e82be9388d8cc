"""The mapper for robot code: an estimator of a pose and landmarks, with its current belief, clock and sensors."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pilotage.core import Dynamics, ModelError, PilotageError, Sensor, ShapeError
from pilotage.core.arrays import Array, numbers
from pilotage.core.declared import called
from pilotage.core.scans import detections
from pilotage.core.settings import instance

from ..._clock import Clock
from ..._inputs import action, reading_of
from .landmark_map import Ids, LandmarkMap, MapUpdate

REMEMBERED = 64
"""Sensors that a mapper keeps mounted."""


class LandmarkEngine(ABC):
    """The worker behind a `LandmarkMapper`; after an error the belief is the same as before.

    Everything that it is given was checked.

    Attributes:
        estimator: the settings.
        dynamics: how the vehicle moves.
    """

    estimator: Any
    dynamics: Dynamics

    @property
    @abstractmethod
    def belief(self) -> Any:
        """What is known of the vehicle's state."""

    @property
    @abstractmethod
    def map(self) -> LandmarkMap:
        """The landmarks."""

    @abstractmethod
    def predict(self, u: Array, dt: float) -> None:
        """Move the vehicle by `dt` seconds under an action ``(m,)``."""

    @abstractmethod
    def update(self, sensor: Sensor, z: Array, ids: Ids | None) -> MapUpdate:
        """Take in the detections ``(K, size)`` of a scan, finite, with the ids of their landmarks ``(K,)`` if known."""

    @abstractmethod
    def correct(self, sensor: Sensor, z: Array) -> MapUpdate:
        """Take in a reading ``(size,)`` of a sensor of the vehicle alone, NaN where not measured."""

    @abstractmethod
    def save(self) -> Any:
        """All that changes, for `restore`."""

    @abstractmethod
    def restore(self, saved: Any) -> None:
        """Make everything as it was saved."""


class LandmarkMapper:
    """A robot that makes a map of landmarks and finds its way on it: what `start` of `EKFSLAM` and others returns.

    An error (a NaN action, a scan of the wrong length) leaves belief, map and clock unchanged.

    Args:
        engine: the engine that computes predictions and updates.
        t: start time [s].
        dt: default step [s].
        sensors: sensors by name; `update` accepts these names.

    Example:
        >>> from pilotage.estimators.slam.landmarks import EKFSLAM
        >>> from pilotage.models import range_bearing, unicycle
        >>> robot = EKFSLAM(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=1e-3)
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(range_bearing(), [[5.0, 0.3], [4.0, -1.0]]).ids.tolist(), robot.t
        ([0, 1], 0.1)
    """

    def __init__(
        self,
        engine: LandmarkEngine,
        t: float = 0.0,
        dt: float | None = None,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> None:
        self._engine = engine
        self._clock = Clock(t, dt, engine.dynamics)
        self._mounted: dict[int, tuple[Sensor, Sensor]] = {}
        self.sensors = {name: instance(each, Sensor, "sensors") for name, each in (sensors or {}).items()}

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: all but the sensors that were mounted."""
        return {**vars(self), "_mounted": {}}

    def __repr__(self) -> str:
        return f"<{type(self.estimator).__name__} at t = {self.t:g} s: {self.belief.moments()}; {self.map!r}>"

    @property
    def estimator(self) -> Any:
        """The settings."""
        return self._engine.estimator

    @property
    def dynamics(self) -> Dynamics:
        """The dynamics of the vehicle."""
        return self._engine.dynamics

    @property
    def belief(self) -> Any:
        """The belief over the state of the vehicle."""
        return self._engine.belief

    @property
    def map(self) -> LandmarkMap:
        """The landmarks as they are known now."""
        return self._engine.map

    @property
    def t(self) -> float:
        """Time of the belief, in seconds."""
        return self._clock.t

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> None:
        """Move the vehicle by `dt` seconds in one step, or up to time `to`, under action `u` (default: zero).

        On the way to `to`, dynamics that integrate rates take steps of the usual `dt`, as those of a `Filter` do.

        Raises:
            ShapeError: if the action does not fit.
            PilotageError: if the time is no number of seconds ahead.
        """
        u = action(u, self.dynamics.action)
        if u.ndim != 1:
            raise ShapeError(f"an action has shape {u.shape}; a mapper takes one at a time, ({u.shape[-1]},)")
        step = self._clock.step(dt, to)
        count, length = (float(each) for each in self._clock.cut(step)) if to is not None else (0.0, 0.0)
        if count:
            self._steps(u, int(count), length, step)
        else:
            self._engine.predict(u, step)
        self._clock.advance(step, to)

    def _steps(self, u: Array, count: int, length: float, whole: float) -> None:
        """So many steps and a last one, or none of them."""
        before = self._engine.save()
        try:
            for _ in range(count):
                self._engine.predict(u, length)
            self._engine.predict(u, whole - count * length)
        except BaseException:
            self._engine.restore(before)
            raise

    def update(
        self, sensor: Sensor | str, z: ArrayLike | None, ids: ArrayLike | None = None, *, t: float | None = None,
        u: Any = None,
    ) -> MapUpdate:  # fmt: skip
        """Take in a scan; with `t`, predict up to that time first, under `u`.

        Args:
            sensor: a sensor of landmarks, whose context is the position of a landmark, such as `range_bearing`; or one
                of the vehicle alone, such as `gnss`; or its name.
            z: the detections ``(K, size)``, in which rows of NaN are none; the reading of a sensor of the vehicle.
            ids: the landmark of each detection ``(K,)``, 0 or more, -1 for none; None if they are not known.

        Raises:
            ShapeError: if detections or ids do not fit.
            ModelError: if the sensor has a context that is no position of a landmark.
        """
        given = self._sensor(sensor)
        own = given.context is not None and not given.context.size
        checked = reading_of(z, given) if own else _scan(z, given)
        if own and ids is not None:
            raise ShapeError(f"{called(given)} reads no landmarks, but ids were given: {ids!r}; leave them out")
        names = None if ids is None else _ids(ids, len(checked))
        if t is None and u is not None:
            raise PilotageError(f"u = {u!r} acts until a time; give t=..., or call predict first")
        if t is None:
            return self._engine.correct(given, checked) if own else self._seen(given, checked, names)
        before, clock = self._engine.save(), copy.copy(self._clock)
        try:
            self.predict(to=t, u=u)
            return self._engine.correct(given, checked) if own else self._seen(given, checked, names)
        except BaseException:
            self._engine.restore(before)
            self._clock = clock
            raise

    def _seen(self, sensor: Sensor, z: Array, ids: Ids | None) -> MapUpdate:
        """The outcome of the detections that are there, with those that are not as unused."""
        there = ~np.isnan(z).any(1) if ids is None else ~np.isnan(z).any(1) & (ids >= 0)
        found = self._engine.update(sensor, z[there], None if ids is None else ids[there])
        if there.all():
            return found
        every, new = np.full(len(z), -1, np.int64), np.zeros(len(z), bool)
        every[there], new[there] = found.ids, found.new
        return MapUpdate(every, new, found.removed, found.nis, found.dof, found.log_likelihood, found.status)

    def _sensor(self, sensor: Sensor | str) -> Sensor:
        """The sensor itself, on the state of the vehicle."""
        if isinstance(sensor, str):
            if sensor not in self.sensors:
                known = f"; it has {', '.join(self.sensors)}" if self.sensors else ""
                raise ModelError(f"the mapper has no sensor {sensor!r}{known}; give it to start(sensors=...)")
            sensor = self.sensors[sensor]
        known = self._mounted.get(id(sensor))
        if known is None:
            if len(self._mounted) >= REMEMBERED:
                self._mounted.clear()
            known = self._mounted[id(sensor)] = sensor, self._mount(sensor)
        return known[1]

    def _mount(self, sensor: Sensor) -> Sensor:
        """A sensor on the state of the vehicle, checked."""
        given = instance(sensor, Sensor, type(self.estimator).__name__).on(self.dynamics.state)
        if given.context is None or not (given.context.flat and given.context.size == given.context.dim):
            raise ModelError(
                f"the context of {called(given)} is {given.context}; expected the position of a landmark, numbers"
            )
        return given


def _scan(z: Any, sensor: Sensor) -> Array:
    """The detections of a scan ``(K, size)``, checked."""
    size = sensor.reading.size
    scan = detections(np.zeros((0, size)) if z is None else z)
    if not scan.size:
        return np.zeros((0, size))
    if scan.ndim != 2:
        raise ShapeError(
            f"a scan of {called(sensor)} has shape {scan.shape}; expected detections (K, {size}), one a row"
        )
    scan = sensor.reading.check(scan, f"scan of {called(sensor)}", finite=False)
    if np.isinf(scan).any():
        raise ShapeError(f"the scan of {called(sensor)} holds infinity; give finite numbers, or rows of NaN")
    return scan


def _ids(ids: Any, count: int) -> Ids:
    """The ids of the landmarks of so many detections, checked."""
    given = numbers(ids, "ids of landmarks")
    if given.shape != (count,) or (given != np.round(given)).any() or (given < -1).any() or (given > 2**53).any():
        raise ShapeError(f"ids of {count} detections are {ids!r}; expected a whole number for each, 0 or more, or -1")
    return given.astype(np.int64)
