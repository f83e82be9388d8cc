"""The filter that robot code holds: a Gaussian estimator bound to its models, with belief and clock."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, Sensor, ShapeError, Update
from ..models import parameters
from .clock import Clock
from .gaussian_estimator import GaussianEstimator, check, each_context, moments_on
from .packing import Pack, gate_quantiles

EMPTY = np.zeros(0)
REMEMBERED = 64


class _Channel:
    """A sensor bound to a filter: its compiled update and its place in the filter's buffer."""

    def __init__(self, owner: GaussianFilter, sensor: Sensor) -> None:
        estimator = owner.estimator
        estimator.check_sensor(sensor)
        self.sensor = sensor.on(owner.dynamics.state)
        self.pack = Pack(owner.dynamics.state, self.sensor.reading)
        self.shape = (self.sensor.reading.size,)
        self.s = parameters(self.sensor)
        self.gates = gate_quantiles(estimator.gate, self.sensor.reading.dim)
        self.update = estimator.correction(self.sensor)[1]
        self.step: Any = None

    def reading(self, z: Any) -> np.ndarray:
        if type(z) is not np.ndarray or z.dtype != np.float64 or not z.flags.c_contiguous:
            z = np.array(z, dtype=np.float64)
        return z if z.shape == self.shape else _single(self.sensor.reading.check(z, "reading", finite=False), "reading")

    def context(self, context: Any) -> Any:
        if context is None and not getattr(self.sensor, "context_size", 0):
            return EMPTY
        return each_context(context, self.sensor, ())[0]


class GaussianFilter:
    """A Gaussian estimator bound to its dynamics, with belief and clock. Made by `start`.

    A step takes one to three microseconds with traced models. After an error (a NaN action, a singular innovation
    covariance) the belief is what it was before.

    Example:
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import gnss, unicycle
        >>> robot = EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=[1, 1, 0.1])
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(gnss(std=0.5), z=[0.1, 0.0]).accepted, robot.t
        (True, 0.1)
    """

    def __init__(self, estimator: GaussianEstimator, dynamics: Dynamics, belief: Gaussian, t: float = 0.0) -> None:
        if belief.mean.ndim != 1:
            raise ShapeError(f"a filter holds one belief, not {belief.mean.shape[:-1]}; use {type(estimator).__name__}.run")
        self.estimator = estimator
        self.dynamics = dynamics
        self._clock = Clock(float(t), estimator.dt)
        self._pack = Pack(dynamics.state)
        self._b = self._pack.packed(belief)
        self._w = estimator.scratch(self._pack)
        self._idle = np.zeros(dynamics.action.size)
        self._predict = estimator.prediction(dynamics)[1]
        self._dt, self._p = math.nan, EMPTY
        self._channels: dict[Sensor, _Channel] = {}

    @property
    def belief(self) -> Gaussian:
        """What is known now."""
        return self._pack.belief(self._b.copy())

    @belief.setter
    def belief(self, belief: Any) -> None:
        belief = moments_on(belief, self.dynamics.state)
        n, d = self._pack.space.size, self._pack.space.dim
        self._b[:d, :d], self._b[d, :n] = belief.cov, belief.mean
        self._w = _grown(self.estimator.scratch(self._pack), self._w.shape)  # forgets points of the old belief

    @property
    def t(self) -> float:
        """Time of the belief, in seconds."""
        return self._clock.t

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> None:
        """Move the belief by `dt` seconds, or up to time `to`, under action `u` (default: zero)."""
        dt = self._clock.step(dt, to)
        code = self._predict(self._b, self._action(u), dt, self._parameters(dt), self._w)
        if code < 1:
            check(code, self.dynamics)
        self._clock.t += dt

    def update(self, sensor: Sensor, z: Any, t: float | None = None, context: Any = None) -> Update:
        """Take in reading `z`, NaN where not measured; with `t`, predict up to that time first."""
        channel = self._channels.get(sensor) or self._attach(sensor)
        z, context = channel.reading(z), channel.context(context)
        if t is not None and t != self._clock.t:
            self.predict(to=t)
        code = channel.update(self._b, z, context, channel.s, channel.gates, self._w)
        if code < 0:
            check(code, sensor)
        return Update.deferred(partial(channel.pack.results, self._b.copy()), code > 0)

    def step(self, sensor: Sensor, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict and update in one compiled call, the fastest way through a tick."""
        channel = self._channels.get(sensor) or self._attach(sensor)
        if channel.step is None:
            channel.step = self.estimator.cycle(self.dynamics, channel.sensor)[0]
        dt = self._clock.step(dt, None)
        code = channel.step(
            self._b, self._action(u), dt, self._parameters(dt), channel.reading(z), channel.context(context),
            channel.s, channel.gates, self._w,
        )  # fmt: skip
        if code < 0:
            check(code, self.dynamics if code in (-2, -3, -5) else sensor)
        self._clock.t += dt
        return Update.deferred(partial(channel.pack.results, self._b.copy()), code > 0)

    def run(self, us: Any, zs: Any, ts: Any = None, *, sensor: Sensor, contexts: Any = None) -> FilterRun:
        """A whole sequence of readings of one sensor, compiled; the filter ends where the sequence ends.

        Args:
            us: actions ``(T, m)``, or None for zero.
            zs: readings ``(T, m)``.
            ts: their times ``(T,)``; by default a usual step apart.
            sensor: what reads them.
            contexts: context of each, ``(T, c)``.
        """
        count = len(zs)
        usual = self._clock.step(None, None) if ts is None else 0.0
        dts = np.full(count, usual) if ts is None else np.diff(np.asarray(ts, dtype=float), prepend=self.t)
        result = self.estimator.run(self.belief, self.dynamics, sensor, zs, us, dts, contexts)
        if count:
            self.belief = result.beliefs[-1]  # type: ignore[index]
            self._clock.t += float(dts.sum())
        return result

    def _attach(self, sensor: Sensor) -> _Channel:
        """Bind a sensor at its first reading, and let its results fit into the buffer."""
        if len(self._channels) >= REMEMBERED:
            self._channels.clear()
        channel = self._channels[sensor] = _Channel(self, sensor)
        self._b = _grown(self._b, channel.pack.shape)
        self._w = _grown(self._w, (self.estimator.scratch(channel.pack).shape[0], self._b.shape[1]))
        return channel

    def _action(self, u: Any) -> np.ndarray:
        if u is None:
            return self._idle
        if type(u) is not np.ndarray or u.dtype != np.float64 or not u.flags.c_contiguous:
            u = np.array(u, dtype=np.float64)
        return u if u.shape == self._idle.shape else _single(self.dynamics.action.check(u, "action"), "action")

    def _parameters(self, dt: float) -> np.ndarray:
        if dt != self._dt:
            self._dt, self._p = dt, parameters(self.dynamics, dt)
        return self._p


def _grown(a: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`a` in the upper left corner of a table at least this large."""
    larger = np.zeros((max(a.shape[0], shape[0]), max(a.shape[1], shape[1])))
    larger[: a.shape[0], : a.shape[1]] = a
    return larger


def _single(a: np.ndarray, what: str) -> np.ndarray:
    if a.ndim != 1:
        raise ShapeError(f"one {what} was expected, {a.shape[:-1]} of them were given")
    return np.ascontiguousarray(a)
