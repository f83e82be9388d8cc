"""The filter for robot code: an estimator with its current belief, clock and sensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Literal, Never, cast

from ..core import (
    FilterRun,
    Gaussian,
    ModelError,
    PilotageError,
    Readings,
    Rng,
    Sensor,
    SettingError,
    ShapeError,
    Update,
)
from ..core.settings import Positive, by_name, instance, number, setting, shown
from ._clock import Clock
from ._engine import Engine, Link, PureEngine, followed
from ._history import Entry, History, Request
from ._late import take_late
from ._timeline import sensor_of, timeline
from .information_belief import Information

REMEMBERED = 64
"""Sensors that a filter keeps bound."""
Keep = Literal["beliefs", "moments"]


class Misplaced:
    """An attribute that people look for here although beliefs have it; asking for it says so.

    A `__getattr__` would cost every access to any attribute of a filter 70 ns.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, filter: Any, owner: type | None = None) -> Never:
        hint = "see belief.mean, belief.cov, belief.std"
        raise AttributeError(f"a Filter has no attribute {self.name!r}; {hint}", name=self.name, obj=filter)


class Filter:
    """An estimator with its current belief, clock and sensors; the `start` method of an estimator returns one.

    An error (a NaN action, a singular innovation covariance) leaves belief and clock unchanged. Filters can be copied
    and sent to other processes.

    Args:
        engine: the engine that computes predictions and updates.
        t: start time [s].
        dt: default step [s].
        sensors: sensors by name; `update` and `run` accept these names.
        seed: the seed that reproduces the filter, if it draws random numbers from a seed.

    Example:
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import gnss, unicycle
        >>> robot = EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1], sensors={"fix": gnss(std=0.5)})
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update("fix", z=[0.1, 0.0]).accepted, robot.t
        (True, 0.1)
    """

    def __init__(
        self,
        engine: Engine,
        t: float = 0.0,
        dt: float | None = None,
        sensors: Mapping[str, Sensor] | None = None,
        seed: int | None = None,
    ) -> None:
        self._engine = engine
        self._clock = Clock(t, dt, *engine.modes)
        self.sensors = _by_name(sensors)
        self.seed = seed
        self._history: History | None = None
        self._latency: dict[str, float] = {}
        self._forget()

    @classmethod
    def of(
        cls,
        estimator: Any,
        dynamics: Any,
        belief: Any,
        *,
        t: float = 0.0,
        dt: float | None = None,
        sensors: Mapping[str, Sensor] | None = None,
        rng: Rng = None,
        seed: int | None = None,
    ) -> Filter:
        """A filter for any estimator; `rng` is the random stream of estimators that draw random numbers.

        Raises:
            SpaceError: if the belief is not over the state of the dynamics; one that holds more will do.
        """
        engine = PureEngine(estimator, dynamics, belief, rng)
        engine.check_belief(belief)
        return cls(engine, t, dt, sensors, seed)

    def __repr__(self) -> str:
        belief = self.belief
        known = belief if isinstance(belief, Information) else belief.moments()  # which may be unknown in part
        return f"<{type(self.estimator).__name__} at t = {self.t:g} s: {known}>"

    if not TYPE_CHECKING:  # a type checker knows that a filter has none of these
        x, P, mean, cov, std = (Misplaced() for _ in range(5))

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: all but the links, which are made again."""
        own = {name: value for name, value in vars(self).items() if name not in ("_near", "_links", "_held")}
        return {**own, **{name: copy.copy(own[name]) for name in ("_engine", "_clock", "_history")}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    @property
    def estimator(self) -> Any:
        """The settings."""
        return self._engine.estimator

    @property
    def dynamics(self) -> Any:
        """The dynamics; a tuple if there are several modes."""
        return self._engine.dynamics

    @property
    def belief(self) -> Any:
        """The current belief; it can be set."""
        return self._engine.belief

    @belief.setter
    def belief(self, belief: Any) -> None:
        self._engine.check_belief(belief)
        self._engine.belief = belief
        self._begin_history()

    @property
    def t(self) -> float:
        """Time of the belief, in seconds."""
        return self._clock.t

    def remember(
        self,
        history: float | None = None,
        delayed: Literal["replay", "retrodict"] = "replay",
        latency: Mapping[str, float] | None = None,
    ) -> Filter:
        """Accept readings that arrive late, from now on; returns the filter itself.

        With a replay, the filter goes back to the time of a late reading and does again what it has done since, so the
        belief is that of processing in order: for any estimator, with the same random numbers. The update returned is
        the one of that time. With retrodiction (Bar-Shalom, 2002), the late reading corrects the present belief through
        the smoothed state of that time, and no reading is processed again; that is exact for a linear model and one
        late reading, and an approximation otherwise.

        A `run`, and a belief that is set, begin a new history.

        Args:
            history: how old a reading may be [s]; None accepts no late readings.
            delayed: "replay", or "retrodict" for Kalman filters.
            latency: seconds by which the times of a sensor's readings are later than what they show, by name: the delay
                of a camera, or the offset of a clock. They are taken off each time that is given with a reading, or off
                the present time. They hold for sensors that are given by name.

        Raises:
            SettingError: if a value is out of range, or a latency names no sensor.
            ModelError: for retrodiction with an estimator whose belief is not Gaussian.
        """
        setting(history, Positive | None, "history")
        if delayed not in ("replay", "retrodict"):
            raise SettingError(f"delayed is {delayed!r}; expected 'replay' or 'retrodict'")
        self._latency = {n: number(value, f"latency of {n!r}") for n, value in (latency or {}).items()}
        for name in self._latency:
            sensor_of(name, self.sensors)
        if delayed == "retrodict" and not isinstance(self.belief, Gaussian):
            raise ModelError(
                f"{type(self.estimator).__name__} has no Gaussian belief to retrodict; use delayed='replay'"
            )
        self._history = None if history is None else History(history, delayed == "retrodict")
        return self

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> None:
        """Move the belief by `dt` seconds in one step, or up to time `to`, under action `u` (default: zero).

        One long step of an integrator is coarse. If the dynamics integrate rates (`Dynamics.continuous`), the way to
        `to` is therefore cut into steps of `dt` and a shorter last one, or into 1000 equal steps if it is longer than
        1000 `dt`. Other dynamics, such as those of an odometer, move by all of `u` in each step, and take a single one.
        """
        if self._history is not None:
            return self._noted(self._history, Request(dt, to, u))
        if to is not None and dt is None:
            return self._until(to, u, self._engine.predict)
        clock = self._clock
        if dt is None and to is None and clock.dt is not None:
            self._engine.predict(u, clock.dt)
            clock.ticks += 1
            return
        dt = clock.step(dt, to)
        self._engine.predict(u, dt)
        clock.advance(dt)

    def update(
        self, sensor: Sensor | str, z: Any, t: float | None = None, context: Any = None, *, u: Any = None
    ) -> Update:
        """Update with reading `z` (NaN or None where not measured); with `t`, predict up to that time first, under `u`.

        A reading of one component may be a number. Readings must come in order of time, unless the filter has a history
        (see `remember`); those at the same time may come in any order. A reading from before raises an error, and
        nothing changes.
        """
        if self._latency and isinstance(sensor, str):
            t = (self.t if t is None else t) - self._latency.get(sensor, 0.0)
        if self._history is not None:
            return self._noted(self._history, Request(None, t, u, (sensor, z, context)))
        link = self._near.get(id(sensor)) or self._attached(sensor)
        if t is not None:
            return self._until(t, u, lambda u, dt: link.step(u, dt, z, context) if dt else link.update(z, context))
        if u is not None:
            raise PilotageError(f"u = {u!r} acts until a time; give t=..., or both steps at once: step(sensor, z, u)")
        return link.update(z, context)

    def step(self, sensor: Sensor | str, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict and update in one call, which is the fastest way to process a tick."""
        if self._latency and isinstance(sensor, str) and sensor in self._latency:
            return self._whole(lambda: (self.predict(dt, u=u), self.update(sensor, z, context=context))[1])
        if self._history is not None:
            return self._noted(self._history, Request(dt, None, u, (sensor, z, context), paced=True))
        link = self._near.get(id(sensor)) or self._attached(sensor)
        clock = self._clock
        if dt is None and clock.dt is not None:
            result = link.step(u, clock.dt, z, context)
            clock.ticks += 1
            return result
        dt = clock.step(dt, None)
        result = link.step(u, dt, z, context)
        clock.advance(dt)
        return result

    @by_name
    def run(
        self,
        us: Any,
        readings: Any,
        ts: Any = None,
        *,
        sensor: Sensor | str | None = None,
        contexts: Any = None,
        keep: Keep = "beliefs",
    ) -> FilterRun:
        """Process a whole sequence in one call; the filter ends up at the end of the sequence.

        For one sensor, pass its readings ``(T, k)``; an action ``(m,)`` acts before each of them, and each is one step.
        For several sensors, pass the `Readings` of each (`Scans` for detectors), with their own times; action k then
        acts until ``ts[k]``, and gaps between these are cut as in `predict`, into steps without a reading.

        Args:
            us: actions ``(T, m)``, or None for zero.
            readings: readings of `sensor`, or a list of `Readings` and `Scans`.
            ts: for one sensor, the times ``(T,)`` of its readings (default: one step `dt` apart); for several sensors,
                the times at which the actions end.
            sensor: the sensor of the readings, if there is only one.
            contexts: the contexts of the readings of a single sensor, ``(T, c)`` or a list of objects.
            keep: "moments" if the run is to hold a `Gaussian` of each belief instead of all its particles or modes,
                which take 640 MB for 8000 steps of 1000 particles of 4 components.
        """
        moments = setting(keep, Keep, "keep") == "moments" and not isinstance(self.belief, Gaussian)
        clock = copy.copy(self._clock)
        first, own = self._engine.first, self._engine.own_contexts
        readings = _on_time(readings, self._latency)
        steps = timeline(clock, first, us, readings, ts, sensor=sensor, contexts=contexts, names=self.sensors, own=own)
        if steps.batch:
            raise ShapeError(f"sequences have leading axes {steps.batch}; a filter takes one, the estimator's run many")
        result = followed(self._engine, steps, methodcaller("moments")) if moments else self._engine.run(steps)
        for dt, t in zip(steps.dts.tolist(), steps.ts.tolist(), strict=True):
            self._clock.advance(dt, None if ts is None and sensor is not None else t)
        self._begin_history()
        return result

    def _begin_history(self) -> None:
        if self._history is not None:
            self._history.entries.clear()

    def _noted(self, history: History, request: Request) -> Any:
        """Do what a request says, now or where it belongs in the history, and note it there."""
        to = request.to
        if request.reading and isinstance(to, (int, float)) and to < self.t - self._clock.rounding:
            return take_late(self, history, request)
        entry = Entry(request.kept(), copy.copy(self._clock), self._engine.save())
        result = self._done(request)
        history.add(entry, self._clock)
        return result

    def _done(self, request: Request) -> Any:
        """Do what a request says, without a note."""
        history, latency, self._history, self._latency = self._history, self._latency, None, {}
        try:
            if request.reading is None:
                return self.predict(request.dt, to=request.to, u=request.u)
            sensor, z, context = request.reading
            if request.paced:
                return self.step(sensor, z, request.u, request.dt, context)
            return self.update(sensor, z, request.to, context, u=request.u)
        finally:
            self._history, self._latency = history, latency

    def _until(self, to: float, u: Any, last: Callable[[Any, float], Any]) -> Any:
        """Predict in usual steps while more than one is left, and take the `last` step up to time `to`."""
        clock, dt = self._clock, self._clock.step(None, to)
        if dt <= clock.longest + clock.rounding:
            result = last(u, dt)
            clock.advance(dt, to)
            return result

        def steps() -> Any:
            count, length = clock.cut(dt)
            for _ in range(count):
                self._engine.predict(u, float(length))
                clock.advance(float(length))
            rest = clock.step(None, to)
            result = last(u, rest)
            clock.advance(rest, to)
            return result

        return self._whole(steps)

    def _whole(self, act: Callable[[], Any]) -> Any:
        """Do all of it, or nothing if there is an error."""
        saved, clock, history = self._engine.save(), copy.copy(self._clock), copy.copy(self._history)
        try:
            return act()
        except BaseException:
            self._engine.restore(saved)
            self._clock, self._history = clock, history
            raise

    def _attached(self, sensor: Any) -> Link:
        """The link of a sensor that is not known by identity: of an equal one, of one known by name, or a new one."""
        named = sensor_of(sensor, self.sensors)
        if named is not sensor:
            return self._near.get(id(named)) or self._attached(named)
        try:
            found = self._links.get(sensor)
        except TypeError:  # it has no hash: equal only to itself
            found, sensor_key = None, None
        else:
            sensor_key = sensor
        if found is not None:
            return found
        if len(self._near) >= REMEMBERED:
            self._engine.detach()
            self._forget()
        link = self._engine.attach(sensor)
        self._near[id(sensor)] = link
        self._held.append(sensor)  # or its id could become that of another
        if sensor_key is not None:
            self._links[sensor_key] = link
        return link

    def _forget(self) -> None:
        self._near: dict[int, Link] = {}
        self._links: dict[Any, Link] = {}
        self._held: list[Any] = []


def _on_time(readings: Any, latency: Mapping[str, float]) -> Any:
    """Readings with the latencies of their sensors, where these are given by name."""
    if not latency or not isinstance(readings, (Readings, list, tuple)):
        return readings
    if isinstance(readings, Readings):
        named = isinstance(readings.sensor, str) and not readings.latency
        return replace(readings, latency=latency.get(readings.sensor, 0.0)) if named else readings
    return [_on_time(one, latency) for one in cast("list[Any]", readings)]


def _by_name(sensors: Any) -> dict[str, Sensor]:
    """Sensors by their names, or a sentence."""
    if sensors is not None and not isinstance(sensors, Mapping):
        raise SettingError(f"sensors are {shown(sensors)}; expected sensors by name, as in {{'fix': gnss(std=1.5)}}")
    return {name: instance(sensor, Sensor, f"the name {name!r}") for name, sensor in (sensors or {}).items()}
