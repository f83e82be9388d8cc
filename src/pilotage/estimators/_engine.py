"""The workers behind a `Filter`: what holds a belief and takes in readings, one engine for each kind of estimator."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import Dynamics, FilterRun, ModelError, PilotageError, Rng, Sensor, ShapeError, Update, generator
from ..core.settings import instance
from ._inputs import EMPTY, action, check_belief
from ._stacked import stacked, stacked_updates
from ._startable import Startable
from ._timeline import Timeline


class Link(ABC):
    """A sensor bound to an engine."""

    @abstractmethod
    def update(self, z: Any, context: Any) -> Update:
        """Take in a reading."""

    @abstractmethod
    def step(self, u: Any, dt: float, z: Any, context: Any) -> Update:
        """Predict and take in a reading, or neither."""


class Engine(ABC):
    """The worker behind a `Filter`; after an error the belief is the same as before.

    Attributes:
        estimator: the settings.
        belief: what is known; it may be set.
        own_contexts: whether the estimator says what a context is, see `pilotage.core.Estimator`.
    """

    estimator: Any
    belief: Any
    own_contexts: bool = False

    @property
    @abstractmethod
    def dynamics(self) -> Any:
        """The dynamics; of several modes, those of each in a tuple."""

    @property
    def modes(self) -> tuple[Any, ...]:
        """The dynamics of all modes; of none, where dynamics are not those of the library."""
        given = self.dynamics if isinstance(self.dynamics, tuple) else (self.dynamics,)
        return given if all(isinstance(each, Dynamics) for each in given) else ()

    @property
    def first(self) -> Any:
        """Dynamics that have the state on which sensors of a run are mounted, and the action of all modes."""
        return self.dynamics

    def check_belief(self, belief: Any) -> None:
        """Refuse what is no belief over the state of the dynamics; here setting the belief does that."""
        check_belief(belief)

    @abstractmethod
    def predict(self, u: Any, dt: float) -> None:
        """Move the belief by `dt` seconds under an action, None for zero."""

    @abstractmethod
    def attach(self, sensor: Sensor) -> Link:
        """Bind a sensor."""

    @abstractmethod
    def run(self, steps: Timeline) -> FilterRun:
        """All steps of a timeline."""

    def detach(self) -> None:
        """Let go of all sensors."""
        return

    def save(self) -> Any:
        """The belief, and the random stream if there is one, for `restore`."""
        return self.belief

    def restore(self, saved: Any) -> None:
        """Belief and random stream as they were saved."""
        self.belief = saved


class PureEngine(Engine):
    """An engine of any estimator, by its pure functions; with a random stream for those that draw.

    Args:
        estimator: has `predict`, `update` and `own_contexts` (see `pilotage.core.Estimator`).
        dynamics: how the state moves.
        belief: what is known at first.
        rng: seed or generator.

    Raises:
        ModelError: when the estimator has no `own_contexts`.
    """

    def __init__(self, estimator: Any, dynamics: Any, belief: Any, rng: Rng = None) -> None:
        self.estimator, self._dynamics, self.belief = estimator, dynamics, belief
        try:
            self.own_contexts = estimator.own_contexts
        except AttributeError:
            raise ModelError(
                f"{type(estimator).__name__} does not say whether contexts are its own; write own_contexts = False in "
                "the class where sensors say what a context is"
            ) from None
        self.rng = generator(rng)

    @property
    def dynamics(self) -> Any:
        return self._dynamics

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "rng": copy.deepcopy(self.rng)}

    def check_belief(self, belief: Any) -> None:
        """Refuse what is no belief over the state; that of an estimator of a user may hold more, such as a map."""
        space = self.dynamics.state if isinstance(self.dynamics, Dynamics) else None
        check_belief(belief, space, wider=not isinstance(self.estimator, Startable))

    def predict(self, u: Any, dt: float) -> None:
        self.belief = self.estimator.predict(self.belief, self.dynamics, u, dt, rng=self.rng)

    def attach(self, sensor: Sensor) -> Link:
        return PureLink(self, sensor)

    def run(self, steps: Timeline) -> FilterRun:
        return followed(self, steps)

    def save(self) -> Any:
        return self.belief, None if self.rng is None else self.rng.bit_generator.state

    def restore(self, saved: Any) -> None:
        self.belief, state = saved
        if self.rng is not None:
            self.rng.bit_generator.state = state


class PureLink(Link):
    """A sensor of a `PureEngine`."""

    def __init__(self, engine: PureEngine, sensor: Sensor) -> None:
        instance(sensor, Sensor, type(engine.estimator).__name__)
        self._engine, self._sensor = engine, sensor

    def update(self, z: Any, context: Any) -> Update:
        engine = self._engine
        result = engine.estimator.update(engine.belief, self._sensor, z, context, rng=engine.rng)
        axes = np.ndim(result.accepted)
        if axes and axes >= engine.belief.moments().mean.ndim:  # no axes of targets, which the belief has as well
            raise ShapeError(f"readings have leading axes {np.shape(result.accepted)}; a filter takes one at a time")
        engine.belief = result.belief
        return result

    def step(self, u: Any, dt: float, z: Any, context: Any) -> Update:
        before = self._engine.save()
        try:
            self._engine.predict(u, dt)
            return self.update(z, context)
        except BaseException:
            self._engine.restore(before)
            raise


def followed(engine: Engine, steps: Timeline, keep: Callable[[Any], Any] = lambda belief: belief) -> FilterRun:
    """An engine through the steps of a timeline, one at a time; `keep` makes of beliefs what the run holds of them."""
    us = action(steps.us, steps.dynamics.action) if hasattr(steps.dynamics, "action") else steps.us
    links = [engine.attach(sensor) for sensor in steps.sensors]
    widest = max((s.reading.dim for s in steps.sensors), default=0)
    before, after, sizes, updates = list[Any](), list[Any](), list[Any](), list[Update | None]()
    saved, k = engine.save(), 0
    try:
        for k in range(len(steps.dts)):
            if steps.moves[k]:
                engine.predict(us[..., k, :], float(steps.dts[k]))
            before.append(keep(engine.belief))
            j = int(steps.which[k])
            found = links[j].update(*steps.given(k)) if j < len(links) else None
            updates.append(None if found is None else numbers_of(found))
            after.append(keep(engine.belief))
            sizes.append(getattr(engine.belief, "effective_size", None))
    except BaseException as error:
        engine.restore(saved)
        if isinstance(error, PilotageError):
            error.args = (f"{error} (at step {k})",)
        raise
    beliefs, predicted = (
        stacked(each) if each else stacked([keep(engine.belief)])[..., :0] for each in (after, before)
    )
    found = stacked_updates(updates, widest)
    size = None if None in sizes else np.moveaxis(np.array(sizes, dtype=np.float64), 0, -1)
    return FilterRun(
        beliefs, predicted, *found, steps.ts, steps.dts, us, engine.dynamics, steps.sensors, steps.which,
        engine.estimator, steps.told, size,
    )  # fmt: skip


def numbers_of(update: Update) -> Update:
    """An update without its belief, and without what its numbers are computed from."""
    return Update(None, update.innovation, EMPTY, update.nis, update.log_likelihood, status=update.status)
