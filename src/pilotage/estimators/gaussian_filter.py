"""The filter that robot code holds: a Gaussian estimator bound to its models, with belief and clock."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, Sensor, ShapeError, Update
from ..core.results import DeferredUpdate
from ..models import parameters
from .batches import each_context
from .clock import Clock
from .gaussian_estimator import OF_DYNAMICS, GaussianEstimator, check, moments_on
from .inputs import sequence
from .packing import EMPTY, Pack, sensor_numbers, unpacked

REMEMBERED = 64
# Writeable arrays of this type, dtype and strides go to a kernel as they are, and the kernel checks their length. For
# any other kind numba would compile the kernel once more, which takes seconds: they are copied.
ARRAY, FLOAT, FLAT = np.ndarray, np.dtype(np.float64), (8,)


class _Link:
    """A sensor bound to a filter.

    Attributes:
        given, sensor: the sensor, and the same mounted on the filter's state.
        pack: layout of its results in the filter's belief.
        quick: the type of readings that need no more check than that of their length; None for no type.
        alone: True when a reading may come without context.
        context_shape: shape of a context, ``(None,)`` where it may be any object.
        dt: the step for which `q` holds the parameters of the dynamics.
        q: the numbers of the sensor (see `packing`).
        update, step: the drivers; `step` is bound at the first step.
        results: bytes of the filter's belief to the fields of an `Update`.
    """

    def __init__(self, owner: GaussianFilter, sensor: Sensor) -> None:
        estimator = owner.estimator
        estimator.check_sensor(sensor)
        self.given = sensor
        self.sensor = sensor.on(owner.dynamics.state)
        self.pack = Pack(owner.dynamics.state, self.sensor.reading)
        self.quick = ARRAY if self.sensor.reading.flat else None
        self.alone = not getattr(self.sensor, "context_size", 0)
        self.context_shape = (getattr(self.sensor, "context_size", None),)
        self.dt = math.nan
        self.q = sensor_numbers(self.sensor, estimator.gate)
        self.update = estimator.correction(self.sensor)[1]
        self.step: Callable[..., int] = self.update
        self.results: Callable[[bytes], tuple[Any, ...]] = tuple

    def reading(self, z: Any) -> np.ndarray:
        """A reading as one array of numbers."""
        return _single(self.sensor.reading.check(z, "reading", finite=False), "reading")

    def context(self, context: Any) -> Any:
        """A context as drivers take it."""
        if type(context) is ARRAY and context.shape == self.context_shape and context.dtype is FLOAT:
            return context if context.strides == FLAT and context.flags.writeable else context.copy()
        return each_context(context, self.sensor, ())[0]


class GaussianFilter:
    """A Gaussian estimator bound to its dynamics, with belief and clock. Made by `start`.

    A step takes one to three microseconds with traced models. After an error (a NaN action, a singular innovation
    covariance) belief and clock are what they were before.

    Example:
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import gnss, unicycle
        >>> robot = EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(gnss(std=0.5), z=[0.1, 0.0]).accepted, robot.t
        (True, 0.1)
    """

    def __init__(self, estimator: GaussianEstimator, dynamics: Dynamics, belief: Gaussian, t: float = 0.0) -> None:
        self.estimator = estimator
        self.dynamics = dynamics
        self._clock = Clock(t, estimator.dt)
        self._pack = Pack(dynamics.state)
        self._b = self._pack.packed(self._own(belief))
        self._w = estimator.scratch(self._pack)
        self._idle = np.zeros(dynamics.action.size)
        self._quick = ARRAY if dynamics.action.flat else None
        self._predict = estimator.prediction(dynamics)[1]
        self._dt, self._p = math.nan, EMPTY
        self._links: dict[int, _Link] = {}  # by id, as sensors need not have a hash; links keep them alive

    def __repr__(self) -> str:
        return f"<{type(self.estimator).__name__} at t = {self.t:g} s: {self.belief}>"

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: belief and clock of their own, drivers bound anew, links by other ids."""
        state = {name: value for name, value in vars(self).items() if name != "_predict"}
        own = {"_b": self._b.copy(), "_w": self._w.copy(), "_clock": copy.copy(self._clock), "_links": {}}
        return {**state, **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._predict = self.estimator.prediction(self.dynamics)[1]

    @property
    def belief(self) -> Gaussian:
        """What is known now; it may be set."""
        return self._pack.belief(self._b.copy())

    @belief.setter
    def belief(self, belief: Any) -> None:
        belief = self._own(belief)
        n, d = self._pack.space.size, self._pack.space.dim
        self._b[:d, :d], self._b[d, :n] = belief.cov, belief.mean
        self._forget_points()

    @property
    def t(self) -> float:
        """Time of the belief, in seconds."""
        return self._clock.t

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> None:
        """Move the belief by `dt` seconds, or up to time `to`, under action `u` (default: zero)."""
        clock = self._clock
        dt = clock.step(dt, to)
        if dt != self._dt:
            self._dt, self._p = dt, parameters(self.dynamics, dt)
        if u is None:
            u = self._idle
        elif type(u) is not self._quick or u.dtype is not FLOAT or u.strides != FLAT or not u.flags.writeable:
            u = self._action(u)
        code = self._predict(self._b, u, dt, self._p, self._w)
        if code < 0:
            self._refuse(code, u)
        clock.t = clock.t + dt if to is None else max(clock.t, float(to))

    def update(self, sensor: Sensor, z: Any, t: float | None = None, context: Any = None) -> Update:
        """Take in reading `z`, NaN where not measured; with `t`, predict up to that time first.

        Readings come in order of time, several at one instant in any order: one from before `t` of the filter is
        refused, and nothing changes.
        """
        link = self._links.get(id(sensor)) or self._attach(sensor)
        if type(z) is not link.quick or z.dtype is not FLOAT or z.strides != FLAT or not z.flags.writeable:
            z = link.reading(z)
        context = EMPTY if context is None and link.alone else link.context(context)
        if t is not None and t != self._clock.t:
            return self._update_later(link, z, t, context)
        code = link.update(self._b, z, context, link.q, self._w)
        if code < 0:
            self._refuse(code, z, link)
        return DeferredUpdate(link.results, self._b.tobytes(), code > 0)

    def step(self, sensor: Sensor, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict and update in one compiled call, the fastest way through a tick."""
        link = self._links.get(id(sensor)) or self._attach(sensor)
        clock = self._clock
        wanted = clock.dt if dt is None else dt
        dt = link.dt if wanted == link.dt else self._paced(link, wanted)
        if u is None:
            u = self._idle
        elif type(u) is not self._quick or u.dtype is not FLOAT or u.strides != FLAT or not u.flags.writeable:
            u = self._action(u)
        if type(z) is not link.quick or z.dtype is not FLOAT or z.strides != FLAT or not z.flags.writeable:
            z = link.reading(z)
        context = EMPTY if context is None and link.alone else link.context(context)
        code = link.step(self._b, u, dt, z, context, link.q, self._w)
        if code < 0:
            self._refuse(code, u if code == -6 else z, link)
        clock.t += dt
        return DeferredUpdate(link.results, self._b.tobytes(), code > 0)

    def run(self, us: Any, zs: Any, ts: Any = None, *, sensor: Sensor, contexts: Any = None) -> FilterRun:
        """A whole sequence of readings of one sensor, compiled; the filter ends where the sequence ends.

        Args:
            us: actions ``(T, m)``, or None for zero.
            zs: readings ``(T, m)``.
            ts: their times ``(T,)``; by default a usual step apart.
            sensor: what reads them.
            contexts: context of each, ``(T, c)``.
        """
        self.estimator.check_sensor(sensor)
        zs = sequence(zs, sensor)
        count = len(zs)
        dts = np.full(count, self._clock.step(None, None)) if ts is None else self._clock.steps(ts, count)
        result = self.estimator.run(self.belief, self.dynamics, us, zs, dts, sensor=sensor, contexts=contexts)
        if count:
            self.belief = result.beliefs[-1]
            self._clock.t = self._clock.t + float(dts.sum()) if ts is None else max(self._clock.t, float(ts[-1]))
        return result

    def _update_later(self, link: _Link, z: np.ndarray, t: float, context: Any) -> Update:
        """Predict up to time t and update; all or nothing."""
        if self._clock.step(None, t) == 0.0:  # the same time, but for rounding: nothing to predict
            return self.update(link.sensor, z, context=context)
        before, began = self._b.copy(), self._clock.t
        try:
            self.predict(to=t)
            return self.update(link.sensor, z, context=context)
        except BaseException:
            self._b[:], self._clock.t = before, began
            raise

    def _attach(self, sensor: Sensor) -> _Link:
        """Bind a sensor at its first reading, and let its results fit into the belief."""
        link = _Link(self, sensor)
        if len(self._links) >= REMEMBERED:
            self._links.clear()
        self._links[id(sensor)] = self._links[id(link.sensor)] = link
        self._b = _grown(self._b, link.pack.shape)
        self._w = _grown(self._w, (self.estimator.scratch(link.pack).shape[0], self._b.shape[1]))
        for one in self._links.values():
            one.results = partial(unpacked, one.pack, self._b.shape)
        return link

    def _paced(self, link: _Link, dt: float | None) -> float:
        """Ready the sensor's link for a step of `dt` seconds."""
        dt = self._clock.step(dt, None)
        p = parameters(self.dynamics, dt)
        if link.step is link.update or len(p):
            link.q = sensor_numbers(link.sensor, self.estimator.gate, p)
            link.step = self.estimator.cycle(self.dynamics, link.sensor)[1]
        link.dt = dt
        return dt

    def _forget_points(self) -> None:
        """Scratch as it was at the start; sigma points of another belief are not to serve this one."""
        self._w = _grown(self.estimator.scratch(self._pack), self._w.shape)

    def _action(self, u: Any) -> np.ndarray:
        return _single(self.dynamics.action.check(u, "action"), "action")

    def _own(self, belief: Any) -> Gaussian:
        """A belief for this filter: a single one, on the space of its dynamics."""
        belief = moments_on(belief, self.dynamics.state)
        if belief.mean.ndim != 1:
            name = type(self.estimator).__name__
            raise ShapeError(f"a filter holds one belief, not {belief.mean.shape[:-1]} of them; use {name}().run")
        return belief

    def _refuse(self, code: int, given: np.ndarray, link: _Link | None = None) -> None:
        """Say what a negative code means."""
        self._forget_points()
        if code == -6:
            self._action(given)
        if link is None or code in OF_DYNAMICS:
            check(code, self.dynamics)
            return
        if code == -7:
            link.reading(given)
        check(code, link.sensor)


def _grown(a: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`a` in the upper left corner of a table at least this large."""
    larger = np.zeros((max(a.shape[0], shape[0]), max(a.shape[1], shape[1])))
    larger[: a.shape[0], : a.shape[1]] = a
    return larger


def _single(a: np.ndarray, what: str) -> np.ndarray:
    """One vector, in an array that kernels take."""
    if a.ndim != 1:
        raise ShapeError(f"one {what} was expected, {a.shape[:-1]} of them were given")
    return np.array(a)
