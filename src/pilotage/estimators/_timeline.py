"""The steps of a run, of one sensor or several at their own times, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import Dynamics, PilotageError, Readings, Scans, Sensor, ShapeError, Space
from ..core.arrays import numbers
from ..core.declared import called
from ..core.seconds import seconds
from ..core.settings import instance
from ._clock import Clock, wanted
from ._inputs import EMPTY, action, context_of, shared_axes


@dataclass
class Timeline:
    """Steps in order of time; a step predicts where `moves` says so, and then takes in a reading of sensor `which`.

    Attributes:
        dynamics: what moves the state.
        sensors: mounted on the state.
        ts, dts, moves, which: ``(T,)``; `which` is the number of sensors for no reading.
        us: ``(..., T, m)``.
        zs, contexts: ``(..., T, k)`` and ``(..., T, c)``, wide enough for all sensors.
        objects: for each sensor, contexts that it does not check as numbers, or None; `contexts` holds their places.
        scans: by sensor, the scans of a detector; `zs` then holds their places.
    """

    dynamics: Any
    sensors: tuple[Sensor, ...]
    ts: np.ndarray
    dts: np.ndarray
    moves: np.ndarray
    which: np.ndarray
    us: np.ndarray
    zs: np.ndarray
    contexts: np.ndarray
    objects: list[Any]
    scans: dict[int, Scans] = field(default_factory=dict)

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading axes of what is given."""
        return shared_axes(actions=self.us.shape[:-2], readings=self.zs.shape[:-2], contexts=self.contexts.shape[:-2])

    def of(self, j: int) -> Any:
        """Index of the steps with a reading of sensor j."""
        mine = self.which == j
        return slice(None) if mine.all() else np.flatnonzero(mine)

    @property
    def told(self) -> tuple[Any, ...]:
        """For each sensor, the contexts of its readings, as in a `FilterRun`."""
        found: list[Any] = []
        for j, (sensor, objects) in enumerate(zip(self.sensors, self.objects, strict=True)):
            cs = self.contexts[..., self.of(j), :]
            if objects is not None:
                found.append([objects[int(c)] for c in cs[..., 0].ravel()])
            elif sensor.context is not None:
                found.append(cs[..., : sensor.context.size])
        return tuple(found)

    def given(self, k: int) -> tuple[Any, Any]:
        """Readings or a scan, and contexts, of step k."""
        j, c = int(self.which[k]), self.contexts[..., k, :]
        sensor, z = self.sensors[j], self.zs[..., k, : self.sensors[j].reading.size].copy()
        z = self.scans[j][int(z[0])] if j in self.scans else z
        if sensor.context is None or self.objects[j] is not None:
            return z, self.objects[j][int(c[0])]
        return z, c[..., : sensor.context.size] if sensor.context.size else None


def timeline(
    clock: Clock,
    dynamics: Dynamics,
    us: Any,
    readings: Any,
    ts: Any = None,
    dt: Any = None,
    *,
    sensor: Any = None,
    contexts: Any = None,
    names: Mapping[str, Sensor] | None = None,
    own: bool = False,
) -> Timeline:
    """The steps of a run, in which contexts are the estimator's `own` or the sensors'; see `Filter.run`."""
    known = names or {}
    if sensor is not None:
        return _of_one(clock, dynamics, us, _mounted(sensor, dynamics, known), readings, ts, dt, contexts, own)
    given = [readings] if isinstance(readings, Readings | Scans) else readings
    if isinstance(given, np.ndarray) or not isinstance(given, Iterable):
        raise ShapeError(
            f"readings are {type(readings).__name__}; expected an array with sensor=..., or Readings(sensor, z, ts) of "
            "each sensor, Scans(sensor, scans, ts) of a detector"
        )
    several = list(given)
    for one in several:
        if not isinstance(one, Scans):
            instance(one, Readings, "a run over several sensors")
    return _of_several(clock, dynamics, us, several, ts, known, own)


def sensor_of(sensor: Any, names: Mapping[str, Sensor]) -> Any:
    """A sensor, by its name where one is given."""
    if not isinstance(sensor, str):
        return sensor
    if sensor not in names:
        raise PilotageError(f"there is no sensor {sensor!r}; this filter knows {', '.join(names) or 'none by name'}")
    return names[sensor]


def _mounted(sensor: Any, dynamics: Dynamics, names: Mapping[str, Sensor]) -> Sensor:
    found = sensor_of(sensor, names)
    instance(found, Sensor, "a run")
    return found.on(dynamics.state)


def _of_one(
    clock: Clock, dynamics: Dynamics, us: Any, sensor: Sensor, zs: Any, ts: Any, dt: Any, contexts: Any, own: bool
) -> Timeline:
    """A prediction before each reading of one sensor."""
    if _flat(zs):
        raise ShapeError(_unrolled(zs, sensor.reading, "readings"))
    zs = sensor.reading.check(zs, "readings", finite=False)
    if zs.ndim < 2:  # one image
        raise ShapeError(_unrolled(zs, sensor.reading, "readings"))
    count = zs.shape[-2]
    if ts is None:
        dts = _steps(clock, dt, count)
        times, moves = clock.t + np.cumsum(dts), np.ones(count, dtype=np.int64)
    else:
        dts = clock.steps(ts, count)
        times, moves = numbers(ts, "ts"), np.array(dts > 0.0, dtype=np.int64)
    cs, objects = _contexts(contexts, sensor, count, own)
    which = np.zeros(count, dtype=np.int64)
    return Timeline(dynamics, (sensor,), times, dts, moves, which, _actions(us, dynamics, count), zs, cs, [objects])


def _of_several(
    clock: Clock,
    dynamics: Dynamics,
    us: Any,
    several: Sequence[Readings | Scans],
    ts: Any,
    names: Mapping[str, Sensor],
    own: bool,
) -> Timeline:
    """Readings and scans of several sensors, each at their own times, and actions that end at times `ts`."""
    sensors = tuple(_mounted(one.sensor, dynamics, names) for one in several)
    zs = [_table(one, s) for s, one in zip(sensors, several, strict=True)]
    scans = {j: one for j, one in enumerate(several) if isinstance(one, Scans)}
    stamps = [one.seen for one in several]
    ticks = EMPTY if ts is None else numbers(ts, "ts")
    if ticks.ndim != 1:
        raise ShapeError(f"ts has shape {ticks.shape}; expected the times (T,) at which the actions end")
    if us is not None and ts is None:
        raise ShapeError("actions were given without times; give ts, the time at which each of them ends")
    events = [*stamps, np.concatenate([ticks, _cuts(clock, np.sort(np.concatenate([*stamps, ticks])))])]
    times = np.concatenate(events)
    which = np.concatenate([np.full(len(t), j) for j, t in enumerate(events)]).astype(np.int64)
    place = np.concatenate([np.arange(len(t)) for t in events]).astype(np.int64)
    order = np.argsort(times, kind="stable")
    times, which, place = times[order], which[order], place[order]
    dts = clock.steps(times, len(times))
    same = dts == 0.0
    keep = ~(same & (which == len(sensors)))  # a tick at the time of a reading is no step of its own
    times, which, place, dts = times[keep], which[keep], place[keep], dts[keep]
    batch = shared_axes(**{f"readings {j}": z.shape[:-2] for j, z in enumerate(zs)})
    widest = max((z.shape[-1] for z in zs), default=0)
    table = np.full((*batch, len(times), widest), np.nan)
    given = [_contexts(one.contexts, s, z.shape[-2], own) for one, s, z in zip(several, sensors, zs, strict=True)]
    cs = np.zeros((len(times), max((c.shape[-1] for c, _ in given), default=0)))
    for j, z in enumerate(zs):
        steps = np.flatnonzero(which == j)
        table[..., steps, : z.shape[-1]] = z[..., place[steps], :]
        cs[steps, : given[j][0].shape[-1]] = np.broadcast_to(given[j][0], (z.shape[-2], given[j][0].shape[-1]))[
            place[steps]
        ]
    held = _held(us, dynamics, ticks, times, clock.rounding)
    moves = np.array(dts > 0.0, dtype=np.int64)
    objects = [each for _, each in given]
    return Timeline(dynamics, sensors, times, dts, moves, which, held, table, cs, objects, scans)


def _cuts(clock: Clock, times: np.ndarray) -> np.ndarray:
    """Times that cut the gaps between those given, in order, into the longest steps and shorter last ones."""
    if clock.longest == np.inf or not np.isfinite(times).all():
        return EMPTY
    gaps = np.diff(times, prepend=clock.t)
    counts, lengths = clock.cut(gaps)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 1.0
    return np.repeat(times - gaps, counts) + np.repeat(lengths, counts) * place


def _table(one: Readings | Scans, sensor: Sensor) -> np.ndarray:
    """Readings ``(..., K, n)`` as a timeline keeps them; of scans their places ``(K, 1)``."""
    if isinstance(one, Scans) and not one.z.size:
        return np.arange(len(one), dtype=np.float64)[:, None]
    z = sensor.reading.check(one.z, f"readings of {called(sensor)}", finite=False)
    return np.arange(len(one), dtype=np.float64)[:, None] if isinstance(one, Scans) else z


def _held(us: Any, dynamics: Dynamics, ticks: np.ndarray, times: np.ndarray, slack: float) -> np.ndarray:
    """The action before each time: action k acts until tick k."""
    if us is None:
        return np.zeros((len(times), dynamics.action.size))
    given = _actions(us, dynamics, len(ticks))
    index = np.searchsorted(ticks, times - slack, side="left")
    if len(times) and index.max() >= len(ticks):
        raise ShapeError(f"a reading of t = {times[-1]:g} s comes after the last action, which ends at {ticks[-1]:g} s")
    return given[..., index, :]


def _actions(us: Any, dynamics: Dynamics, count: int) -> np.ndarray:
    """Actions ``(..., T, m)``."""
    if dynamics.action.size and _flat(us) and np.size(us) != dynamics.action.size:
        raise ShapeError(_unrolled(us, dynamics.action, "actions"))
    us = np.atleast_2d(action(us, dynamics.action))
    if us.shape[-2] not in (1, count):
        raise ShapeError(f"there are {us.shape[-2]} actions for {count} steps; give one for each, or one for all")
    return _spread(us, count)


def _flat(given: Any) -> bool:
    """Whether readings or actions are numbers side by side, and no rows; None stands for a row."""
    if isinstance(given, list | tuple):
        return len(given) > 0 and all(each is not None and np.ndim(each) == 0 for each in given)
    return getattr(given, "ndim", 2) < 2


def _unrolled(given: Any, space: Space, what: str) -> str:
    """How a run takes rows, for numbers that are none."""
    shape, rows = np.shape(given), f"np.reshape({what}, (-1, {space.size}))"
    hint = rows if math.prod(shape) % max(space.size, 1) == 0 else f"a list of lists of {space.size}"
    return f"{what} have shape {shape}; a run takes (..., T, {space.size}), a row of {space.listing} a step: {hint}"


def _spread(a: np.ndarray, count: int) -> np.ndarray:
    """Rows ``(..., T, n)``, of one for all or of each."""
    return a if a.shape[-2] == count else np.broadcast_to(a, (*a.shape[:-2], count, a.shape[-1]))


def _contexts(contexts: Any, sensor: Sensor, count: int, own: bool) -> tuple[np.ndarray, Any]:
    """Contexts as numbers ``(..., T, c)``, and the objects to which these point where they are none."""
    if sensor.context is not None and not own:
        cs = np.atleast_2d(context_of(contexts, sensor))
        if cs.shape[-2] not in (1, count):
            raise ShapeError(f"there are {cs.shape[-2]} contexts for {count} readings of {sensor!r}; give one for each")
        return _spread(cs, count), None
    if contexts is None:
        return np.zeros((count, 1)), [None]
    if not hasattr(contexts, "__len__") or len(contexts) != count:
        said = len(contexts) if hasattr(contexts, "__len__") else repr(contexts)
        raise ShapeError(f"there are {said} contexts for {count} readings of {sensor!r}; give one for each")
    return np.arange(count, dtype=np.float64)[:, None], list(contexts)


def _steps(clock: Clock, dt: Any, count: int) -> np.ndarray:
    """Seconds before each of `count` readings."""
    given = None if dt is None else np.array(numbers(dt, "dt"))
    if given is None or given.ndim == 0:
        return np.full(count, wanted(dt, clock.dt))
    if given.shape not in ((1,), (count,)):
        raise ShapeError(f"dt has shape {given.shape}; {count} readings need one number or {count} of them")
    for step in given[~((given >= 0.0) & (given < np.inf))]:
        seconds(float(step))
    return np.full(count, given[0]) if given.size == 1 else given
