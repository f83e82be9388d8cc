"""The engine of `IMM`: one compiled filter a mode, and the weights of the modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Never

import numpy as np

from ..core import FilterRun, Gaussian, Mixture, Sensor, ShapeError, Space, Update
from ..core.results import DeferredUpdate
from ..models.trace import code_of
from ._causes import error_of, why_prediction, why_update
from ._compiled import FLAT, FLOAT, NO_READING, CompiledEngine, CompiledLink
from ._engine import Engine, Link, followed
from ._inputs import EMPTY
from ._timeline import Timeline

if TYPE_CHECKING:
    from .imm import IMM


def check_mixture(belief: Any, count: int) -> None:
    """Refuse what is no mixture of a component for each mode, and a batch."""
    if not isinstance(belief, Mixture) or len(belief.components) != count:
        raise ShapeError(f"the belief is {belief!r}; expected a Mixture of {count} components, one for each mode")
    given = belief.log_weights.shape[:-1], *(part.moments().mean.shape[:-1] for part in belief.components)
    if axes := next(filter(None, given), ()):
        raise ShapeError(f"the belief has leading axes {axes}; an IMM takes one belief at a time")


class SwitchingEngine(Engine):
    """Filters of several models, mixed before each prediction.

    Args:
        estimator: the settings.
        belief: a mixture with a Gaussian component for each mode.
    """

    def __init__(self, estimator: IMM, belief: Mixture) -> None:
        self.estimator = estimator
        self._start(belief)

    def _start(self, belief: Mixture) -> None:
        from .imm import imm_predict

        models = self.estimator.models
        check_mixture(belief, len(models))
        parts: Any = zip(models, belief.components, strict=True)
        self.engines = [CompiledEngine(self.estimator.filter, model, part) for model, part in parts]
        self.weights = np.array(belief.weights)
        spaces = [model.state for model in models]
        self._kernel = imm_predict.compiled
        self._jobs = np.array([engine.job.at for engine in self.engines], dtype=np.int64)
        self._places, self._tangents = shared_places(spaces)
        self._codes = [None if space.flat else code_of(space, "transport") for space in spaces]
        self._transports = np.array([0 if code is None else code.address for code in self._codes], dtype=np.int64)
        self._layout = np.array([driver.address for driver in self.estimator.filter.layout], dtype=np.int64)
        self._moments, self._mixed = np.zeros((2, len(models), max(s.size + s.dim**2 for s in spaces)))
        self._given = np.zeros(len(models))
        self._dt = float("nan")

    def __getstate__(self) -> dict[str, Any]:
        return {"estimator": self.estimator, "belief": self.belief}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.estimator = state["estimator"]
        self._start(state["belief"])

    @property
    def dynamics(self) -> tuple[Any, ...]:
        return self.estimator.models

    @property
    def first(self) -> Any:
        return self.estimator.models[0]

    @property
    def belief(self) -> Mixture:
        with np.errstate(divide="ignore"):
            return Mixture.trusted(tuple(engine.belief for engine in self.engines), np.log(self.weights))

    @belief.setter
    def belief(self, belief: Any) -> None:
        check_mixture(belief, len(self.engines))
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
        if dt != self._dt:
            self._T = self.estimator.transition(dt)
            for engine in self.engines:
                engine.pace(dt)
            self._dt = dt
        u = self.engines[0]._idle if u is None else self.engines[0].action(u)
        saved = self.save()
        for engine in self.engines:
            engine.refresh()
        status = self._kernel(
            self._jobs,
            self._T,
            self.weights,
            self._given,
            self._places,
            self._tangents,
            self._transports,
            self._layout,
            self._moments,
            self._mixed,
            u,
        )
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
        from .imm import imm_update

        self._engine = engine
        self._links: list[CompiledLink] = [each.attach(sensor) for each in engine.engines]
        self._kernel = imm_update.compiled
        self._jobs = np.array([link.job.at for link in self._links], dtype=np.int64)
        self._places = np.array([link.numbers - 1 for link in self._links], dtype=np.int64)

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
        status = self._kernel(self._jobs, engine.weights, self._places, z, c)
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
        try:
            self._engine.predict(u, dt)
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
        with np.errstate(divide="ignore"):
            belief = Mixture.trusted(tuple(part[0] for part in parts), np.log(weights))
            before = np.log(prior)
        logs = before + np.array([part[4] for part in parts])
        top = logs.max()
        log_likelihood = float(top + np.log(np.exp(logs - top).sum()))
        reading = self._links[0].sensor.reading
        each = tuple(
            Gaussian.trusted(reading, link.expected(table), part[2])
            for link, table, part in zip(self._links, tables, parts, strict=True)
        )
        expected = Mixture.trusted(each, before).moments()
        y = np.asarray(reading.minus(z, expected.mean))
        seen = ~np.isnan(y)
        S = np.where(seen[:, None] & seen, expected.cov, np.eye(reading.dim))
        nis = float(y[seen] @ np.linalg.solve(S[np.ix_(seen, seen)], y[seen])) if seen.any() else 0.0
        return belief, y, S, nis, log_likelihood


def shared_places(spaces: list[Space]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the components of space j in space i, ``(M, M, size)``, and those of its tangent; -1 for none."""
    count = len(spaces)
    places = np.full((count, count, max(s.size for s in spaces)), -1, dtype=np.int64)
    tangents = np.full((count, count, max(s.dim for s in spaces)), -1, dtype=np.int64)
    for j, target in enumerate(spaces):
        for i, source in enumerate(spaces):
            names = target.common(source)
            (here, there), (own, other) = target.indices(names), source.indices(names)
            places[j, i, here], tangents[j, i, there] = own, other
    return places, tangents
