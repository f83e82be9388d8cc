"""The filter that robot code holds: a sampling estimator bound to its models, with belief, clock and random stream."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, Particles, Rng, Sensor, ShapeError, Update, generator
from ..core.settings import instance
from .clock import Clock
from .inputs import action, check_belief, context_of, rows, sequence


class SamplingFilter:
    """A sampling estimator bound to its dynamics, with belief, clock and random stream. Made by `start`.

    After an error the belief is what it was before. Two filters of the same seed that are given the same go through the
    same beliefs, bit for bit.

    Attributes:
        estimator: the settings.
        dynamics: how the state moves.
        seed: what replays it, None when a running generator was handed in.

    Example:
        >>> from pilotage.estimators import ParticleFilter
        >>> from pilotage.models import gnss, unicycle
        >>> robot = ParticleFilter(unicycle(), dt=0.1, n=500).start(mean=[0, 0, 0], std=[1, 1, 0.1], rng=3)
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(gnss(std=0.5), z=[0.1, 0.0]).accepted, robot.t, robot.seed
        (True, 0.1, 3)
    """

    def __init__(
        self,
        estimator: Any,
        dynamics: Dynamics,
        belief: Any,
        t: float = 0.0,
        rng: Rng = None,
        seed: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.dynamics = dynamics
        self.seed = seed
        self.belief = belief
        self._rng = generator(rng)
        self._clock = Clock(t, estimator.dt)

    def __repr__(self) -> str:
        return f"<{type(self.estimator).__name__} at t = {self.t:g} s: {self.belief.moments()}>"

    def __getstate__(self) -> dict[str, Any]:
        """For copies and other processes: a clock and a stream of their own, which goes on as this one does."""
        return {**vars(self), "_clock": copy.copy(self._clock), "_rng": copy.deepcopy(self._rng)}

    @property
    def belief(self) -> Any:
        """The belief now; it may be set."""
        return self._belief

    @belief.setter
    def belief(self, belief: Any) -> None:
        check_belief(belief, self.dynamics.state)
        self._belief = belief

    @property
    def t(self) -> float:
        """Time of the belief, in seconds."""
        return self._clock.t

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> None:
        """Move the belief by `dt` seconds, or up to time `to`, under action `u` (default: zero)."""
        dt, u = self._clock.step(dt, to), action(u, self.dynamics.action)
        if u.ndim != 1:
            raise ShapeError(f"one action was expected, {u.shape[:-1]} of them were given")
        self.belief = self.estimator.predict(self.belief, self.dynamics, u, dt, rng=self._rng)
        self._clock.advance(dt, to)

    def update(self, sensor: Sensor, z: Any, t: float | None = None, context: Any = None) -> Update:
        """Take in reading `z`, NaN where not measured; with `t`, predict up to that time first.

        Readings come in order of time, several at one instant in any order: one from before `t` of the filter is
        refused, and nothing changes.
        """
        with self._unharmed():
            if t is not None and self._clock.step(None, t) > 0.0:
                self.predict(to=t)
            result = self.estimator.update(self.belief, sensor, z, context, rng=self._rng)
            if np.ndim(result.accepted) > 0:
                raise ShapeError(f"one reading was expected, with one context; {np.shape(result.accepted)} were given")
            self.belief = result.belief
            return result

    def step(self, sensor: Sensor, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict and update in one call."""
        with self._unharmed():
            self.predict(dt, u=u)
            return self.update(sensor, z, context=context)

    def run(self, us: Any, zs: Any, ts: Any = None, *, sensor: Sensor, contexts: Any = None) -> FilterRun:
        """A whole sequence of readings of one sensor; the filter ends where the sequence ends.

        Args:
            us: actions ``(T, m)``, or None for zero.
            zs: readings ``(T, m)``.
            ts: their times ``(T,)``; by default a usual step apart.
            sensor: what reads them.
            contexts: context of each, ``(T, c)``.

        Returns:
            The clouds stacked to ``(T, N)`` where their number of particles stays the same, else their moments.
        """
        instance(sensor, Sensor, type(self.estimator).__name__)
        zs = sequence(zs, sensor)
        if len(zs) == 0:
            raise ShapeError("a run over no readings was asked for; give at least one")
        count = len(zs)
        us = rows(action(us, self.dynamics.action), (count,), what="array of actions")
        given: Any = [None] * count if contexts is None else contexts
        if contexts is not None and sensor.context is not None:
            given = rows(context_of(contexts, sensor), (count,), what="context")
        times, dts = np.empty(count), np.empty(count)
        if ts is not None:
            self._clock.steps(ts, count)  # refuses times that do not fit
        predicted, beliefs, taken = [], [], []
        with self._unharmed():
            for k, z in enumerate(zs):
                before = self.t
                self.predict(to=None if ts is None else ts[k], u=us[k])
                times[k], dts[k] = self.t, self.t - before
                predicted.append(self.belief)
                found = self.update(sensor, z, context=given[k])
                beliefs.append(found.belief)
                taken.append((found.innovation, found.nis, found.log_likelihood, int(found.status)))
        y, nis, log_likelihood, status = (np.array(column) for column in zip(*taken, strict=True))
        return FilterRun(
            stacked(beliefs), stacked(predicted), y, nis, log_likelihood, status, times, dts, us, self.dynamics, (sensor,),
            np.zeros(count, dtype=np.int64),
        )  # fmt: skip

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Belief and time are what they were before when something goes wrong inside."""
        belief, clock = self.belief, copy.copy(self._clock)
        try:
            yield
        except BaseException:
            self.belief, self._clock = belief, clock
            raise


def stacked(beliefs: list[Any]) -> Any:
    """Beliefs of one space with time as their first axis: as particles where shapes agree, else as Gaussians."""
    space = beliefs[0].space
    if all(isinstance(b, Particles) and b.points.shape == beliefs[0].points.shape for b in beliefs):
        points, weights = np.stack([b.points for b in beliefs]), np.stack([b.log_weights for b in beliefs])
        return Particles.trusted(space, points, weights)
    moments = [b.moments() for b in beliefs]
    return Gaussian.trusted(space, np.stack([g.mean for g in moments]), np.stack([g.cov for g in moments]))
