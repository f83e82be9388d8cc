"""The engine of filters with several models: one compiled filter a component, and the weights of the components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never

import numpy as np

from ..core import FilterRun, Gaussian, Mixture, Sensor, ShapeError, Space, Update
from ..core.results import DeferredUpdate
from ..core.weights import log_sum_exp
from ._causes import error_of, why_prediction, why_update
from ._compiled import FLAT, FLOAT, NO_READING, CompiledEngine, CompiledLink
from ._engine import Engine, Link, followed
from ._inputs import EMPTY
from ._mixing import Mixing, imm_predict, imm_update
from ._timeline import Timeline

if TYPE_CHECKING:
    from ._modes import SeveralModels


class SwitchingEngine(Engine):
    """Filters of several models, mixed before each prediction.

    Args:
        estimator: the settings.
        belief: a mixture with a Gaussian component for each mode.
    """

    def __init__(self, estimator: SeveralModels, belief: Mixture) -> None:
        self.estimator = estimator
        self._start(belief)

    def _start(self, belief: Mixture) -> None:
        belief = self._own(belief)
        parts: Any = belief.components
        components = self.estimator.components
        self.engines = [
            CompiledEngine(filter, model, part) for (filter, model), part in zip(components, parts, strict=True)
        ]
        self.weights = np.array(belief.weights)
        self._kernel, self._mixing = imm_predict.compiled, Mixing(components).memory
        self._jobs = np.array([engine.job.at for engine in self.engines], dtype=np.int64)
        self._dt = float("nan")

    def _own(self, belief: Any) -> Mixture:
        """A belief for this engine: a single one, with a component for each of the estimator."""
        belief = self.estimator.accepted(belief)
        given = belief.log_weights.shape[:-1], *(part.moments().mean.shape[:-1] for part in belief.components)
        if axes := next(filter(None, given), ()):
            name = type(self.estimator).__name__
            raise ShapeError(f"the belief has leading axes {axes}; a filter holds one, {name} takes many")
        return belief

    def __getstate__(self) -> dict[str, Any]:
        return {"estimator": self.estimator, "belief": self.belief}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.estimator = state["estimator"]
        self._start(state["belief"])

    @property
    def dynamics(self) -> tuple[Any, ...]:
        return tuple(model for _, model in self.estimator.components)

    @property
    def first(self) -> Any:
        return self.estimator.models[0]

    @property
    def belief(self) -> Mixture:
        with np.errstate(divide="ignore"):
            return Mixture.trusted(tuple(engine.belief for engine in self.engines), np.log(self.weights))

    @belief.setter
    def belief(self, belief: Any) -> None:
        belief = self._own(belief)
        saved = self.save()
        try:
            for engine, part in zip(self.engines, belief.components, strict=True):
                engine.belief = part
        except BaseException:
            self.restore(saved)
            raise
        self.weights[:] = belief.weights

    def save(self) -> Any:
        return [engine.save() for engine in self.engines], self.weights.copy()

    def restore(self, saved: Any) -> None:
        for engine, memory in zip(self.engines, saved[0], strict=True):
            engine.restore(memory)
        self.weights[:] = saved[1]

    def predict(self, u: Any, dt: float) -> None:
        self.move(u, dt, self.save())

    def move(self, u: Any, dt: float, saved: Any) -> None:
        """Predict; or raise the error of what failed, and be as saved."""
        if dt != self._dt:
            chain = self.estimator.chain(dt)
            self._T = np.eye(len(self.engines)) if chain is None else chain
            for engine in self.engines:
                engine.pace(dt)
            self._dt = dt
        u = self.engines[0]._idle if u is None else self.engines[0].action(u)
        for engine in self.engines:
            engine.refresh()
        status = self._kernel(self._jobs, u, self.weights, self._T, int(self.estimator.pooled), *self._mixing)
        try:
            for engine in self.engines:
                engine.check()
            if status:
                self._refuse(u, saved)
        except BaseException:
            self.restore(saved)
            raise

    def _refuse(self, u: np.ndarray, saved: Any) -> Never:
        self.restore(saved)
        engine = next((e for e in self.engines if e.failed), self.engines[0])
        why = why_prediction(engine.dynamics, engine.belief, u, self._dt, engine.estimator.jacobian)
        raise error_of(why, engine.dynamics, engine.belief, u=u)

    def attach(self, sensor: Sensor) -> Link:
        return SwitchingLink(self, sensor)

    def run(self, steps: Timeline) -> FilterRun:
        return followed(self, steps)


class SwitchingLink(Link):
    """A sensor bound to the filters of all modes."""

    def __init__(self, engine: SwitchingEngine, sensor: Sensor) -> None:
        self._engine = engine
        self._links: list[CompiledLink] = [each.attach(sensor) for each in engine.engines]
        self._kernel = imm_update.compiled
        self._jobs = np.array([link.job.at for link in self._links], dtype=np.int64)
        self._places = np.array([link.numbers - 1 for link in self._links], dtype=np.int64)
        self._logs, self._least = np.zeros(len(self._links)), engine.estimator.least

    def update(self, z: Any, context: Any) -> Update:
        engine, first = self._engine, self._links[0]
        if type(z) is not first._quick or z.dtype is not FLOAT or z.strides != FLAT or not z.flags.writeable:
            z = first.reading(z)
        c = EMPTY if context is None and first.alone else first.context(context)
        saved = engine.save()
        for link in self._links:
            if link.objects:
                link.context(context)
            link.refresh()
        status = self._kernel(self._jobs, engine.weights, self._logs, self._least, self._places, z, c)
        try:
            for link in self._links:
                link.check()
            if status > NO_READING:
                self._refuse(z, context, saved)
        except BaseException:
            engine.restore(saved)
            raise
        memory = tuple(each.memory() for each in engine.engines), saved[1], engine.weights.copy(), z.copy()
        return DeferredUpdate(self._results, memory, status)

    def step(self, u: Any, dt: float, z: Any, context: Any) -> Update:
        saved = self._engine.save()
        self._engine.move(u, dt, saved)
        try:
            return self.update(z, context)
        except BaseException:
            self._engine.restore(saved)
            raise

    def _refuse(self, z: np.ndarray, context: Any, saved: Any) -> Never:
        first = self._links[0]
        first.reading(z)
        self._engine.restore(saved)
        link = next((each for each in self._links if each.failed), first)
        c = context if link.objects else (EMPTY if context is None else first.context(context))
        belief = link.belief
        S = link.results(link.memory())[2]
        raise error_of(why_update(link.sensor, belief, z, c, S, link.estimator), link.sensor, belief, z=z)

    def _results(self, memory: Any) -> tuple[Any, ...]:
        """Fields of an update: the reading against the moments of what the modes expected, and how well they did."""
        tables, prior, weights, z = memory
        parts = [link.results(each) for link, each in zip(self._links, tables, strict=True)]
        reading = self._links[0].sensor.reading
        expected = tuple(
            Gaussian.trusted(reading, link.expected(table), part[2])
            for link, table, part in zip(self._links, tables, parts, strict=True)
        )
        with np.errstate(divide="ignore"):
            belief, before = Mixture.trusted(tuple(part[0] for part in parts), np.log(weights)), np.log(prior)
        y, S, nis, log_likelihood = joint(reading, expected, before, np.array([part[4] for part in parts]), z)
        return belief, y, S, float(nis), float(log_likelihood)


def joint(reading: Space, expected: tuple[Gaussian, ...], before: Any, logs: Any, z: Any) -> tuple[Any, ...]:
    """Innovation, S, NIS and log-likelihood of readings ``(..., k)`` under a mixture.

    Args:
        reading: the space of readings.
        expected: what each component expected.
        before: log-weights before the reading, ``(..., M)``.
        logs: log-likelihood of each component, ``(..., M)``.
        z: the readings.
    """
    moments = Mixture.trusted(expected, before).moments()
    with np.errstate(invalid="ignore"):  # an infinite angle is NaN, which is not measured
        y = np.asarray(reading.minus(z, moments.mean))
    seen = ~np.isnan(y)
    S = np.where(seen[..., None] & seen[..., None, :], moments.cov, np.eye(reading.dim))
    e = np.where(seen, y, 0.0)
    nis = np.einsum("...i,...i", e, np.linalg.solve(S, e[..., None])[..., 0])
    return y, S, nis, log_sum_exp(before + logs)
