"""The base of filters with several models: their settings, their start, and pure functions on beliefs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

import numpy as np

from ..core import Dynamics, FilterRun, Gaussian, Mixture, Rng, Sensor, ShapeError, Space, Update
from ..core.arrays import numbers, shared_axes
from ..core.errors import SettingError
from ..core.settings import Numbers, Positive, setting, settings
from ..core.streams import checked
from ._causes import report
from ._clock import Clock, wanted
from ._engine import followed
from ._gaussian import GaussianEstimator
from ._inputs import action, context_axes, context_of, reading_of
from ._rows import ModeRows
from ._switching import SwitchingEngine
from ._timeline import timeline
from .ekf import EKF
from .filter import Filter
from .imm_smoother import smooth_modes
from .kf import KF
from .ukf import UKF

Filters = EKF | UKF | KF | GaussianEstimator | tuple[GaussianEstimator, ...]
"""One Kalman filter for all modes, or one for each; the first are for the sentence that refuses others."""


class SeveralModels:
    """Base of the filters with a Kalman filter for each of several models, the modes of a target.

    Subclasses say what the components of a belief are, and how their weights and beliefs pass on in a prediction.

    Attributes:
        pooled: whether all modes go on from the mixture of all.
    """

    own_contexts: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    if TYPE_CHECKING:
        models: tuple[Dynamics, ...]
        dt: float
        filter: Any

    def __post_init__(self) -> None:
        name, count = type(self).__name__, len(self.models)
        if count < 1:
            raise SettingError(f"models of {name} is empty; give the dynamics of at least one mode")
        if isinstance(self.filter, tuple) and len(self.filter) != count:
            raise SettingError(f"filter of {name} has {len(self.filter)} filters for {count} models; give one for each")
        for filter, model in zip(self.filters, self.models, strict=True):
            filter.check_dynamics(model)
            if model.action != self.models[0].action:
                raise SettingError(
                    f"models of {name} have the actions {self.models[0].action} and {model.action}; expected one"
                )

    @property
    def filters(self) -> tuple[GaussianEstimator, ...]:
        """The filter of each model."""
        return self.filter if isinstance(self.filter, tuple) else (self.filter,) * len(self.models)

    @property
    def components(self) -> tuple[tuple[GaussianEstimator, Dynamics], ...]:
        """Filter and model of each component of a belief."""
        return tuple(zip(self.filters, self.models, strict=True))

    @property
    def least(self) -> float:
        """The least weight of a component after an update: above zero, so that none is lost to rounding."""
        return 1e-300

    def chain(self, dt: float) -> np.ndarray | None:
        """Probabilities of going from component to component in `dt` seconds; None where each stays what it is."""
        return None

    def spread(self, belief: Mixture) -> Mixture:
        """A belief with a component for each model, as one with a component for each of `components`."""
        return belief

    def probabilities(self, belief: Mixture) -> np.ndarray:
        """The probability of each model, ``(..., M)``."""
        return belief.weights

    def start(
        self,
        mean: Any = None,
        std: Any = None,
        *,
        weights: Any = None,
        belief: Mixture | None = None,
        t: float = 0.0,
        sensors: Mapping[str, Sensor] | None = None,
        rng: Rng = None,
        history: float | None = None,
        delayed: Literal["replay", "retrodict"] = "replay",
        latency: Mapping[str, float] | None = None,
    ) -> Filter:
        """A `Filter` that starts with this belief at time `t`.

        Args:
            mean: values of components by name, for all modes that have them; 0 for others. If all modes have the same
                state, also a state.
            std: standard deviations: one number, or by name (1 for others).
            weights: probabilities of the modes; equal by default.
            belief: a mixture with a Gaussian component for each mode, instead of mean, std and weights.
            t: start time [s].
            sensors: sensors by name; `update` accepts these names.
            rng: not used.
            history, delayed, latency: as for the `start` of other filters, see `Filter.remember`.

        Raises:
            ShapeError: if the mean is not given by name although modes differ in their states, or no mode has a
                component of that name.
        """
        checked(rng)
        belief = self.first(mean, std, weights) if belief is None else belief
        return Filter(SwitchingEngine(self, belief), t, self.dt, sensors).remember(history, delayed, latency)

    def first(self, mean: Any = None, std: Any = None, weights: Any = None) -> Mixture:
        """The belief that `start` makes of these."""
        spaces = [model.state for model in self.models]
        alike = all(space == spaces[0] for space in spaces)
        if mean is not None and (isinstance(mean, Mapping) or not alike):
            known(mean, "mean", *(space.names for space in spaces))
        if isinstance(std, Mapping):
            known(std, "std", *(space.tangent_names for space in spaces))
        with np.errstate(divide="ignore"):
            logs = None if weights is None else np.log(numbers(weights, "weights"))
        return Mixture([named(space, mean, std) for space in spaces], logs)

    def predict(
        self,
        belief: Any,
        dynamics: Any = None,
        u: Any = None,
        dt: float | None = None,
        *,
        rng: Rng = None,
        status: np.ndarray | None = None,
    ) -> Any:
        """The mixture `dt` seconds later under action `u`; `dynamics` replaces the models, if given.

        Leading axes of the belief are a batch, whose rows that fail stay the same. The status of each is written to
        `status`, integers ``(...)``, if it is given; otherwise failures give a warning.
        """
        checked(rng)
        own, dt = self if dynamics is None else self.of(dynamics), wanted(dt, self.dt)
        belief, given = own.accepted(belief), action(u, own.models[0].action)
        batch = shared_axes(belief=axes_of(belief), action=given.shape[:-1])
        if not batch:
            engine = SwitchingEngine(own, belief)
            engine.predict(u, dt)
            return engine.belief
        rows = ModeRows(own, batch, belief)
        report(rows.predict_rows(slice(None), given, dt, batch), batch, status)
        return rows.belief

    def expect(self, belief: Mixture, sensor: Sensor, context: Any = None) -> Mixture:
        """The expected reading of each component."""
        belief = self.accepted(belief)
        pairs = zip(self.components, belief.components, strict=True)
        return Mixture([filter.expect(part, sensor, context) for (filter, _), part in pairs], belief.log_weights)

    def update(self, belief: Mixture, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The mixture after a reading; innovation and S are those of the mixture's expected reading.

        Leading axes are a batch, with a status for each row.
        """
        checked(rng)
        belief = self.accepted(belief)
        axes = axes_of(belief)
        if not axes and np.ndim(z) <= 1 and np.ndim(context) <= 1:
            return SwitchingEngine(self, belief).attach(sensor).update(z, context)
        given = context_of(context, sensor)
        batch = shared_axes(belief=axes, reading=reading_of(z, sensor).shape[:-1], context=context_axes(given, sensor))
        return ModeRows(self, batch, belief).attach(sensor).update(z, context)

    def run(
        self,
        belief: Mixture,
        dynamics: Any,
        us: Any,
        readings: Any,
        dt: Any = None,
        *,
        sensor: Sensor | None = None,
        contexts: Any = None,
        ts: Any = None,
        t: float = 0.0,
    ) -> FilterRun:
        """Process a whole sequence, or many side by side; see `EKF.run`. `dynamics` may be None for the models."""
        own = self if dynamics is None else self.of(dynamics)
        belief, first = own.accepted(belief), own.models[0]
        steps = timeline(Clock(t, self.dt, *own.models), first, us, readings, ts, dt, sensor=sensor, contexts=contexts)
        batch = shared_axes(belief=axes_of(belief), given=steps.batch)
        return followed(ModeRows(own, batch, belief) if batch else SwitchingEngine(own, belief), steps)

    def smoothed(self, run: FilterRun, *, rng: Rng = None) -> Mixture:
        """The beliefs of a run given all its readings; see `smooth`."""
        checked(rng)
        return smooth_modes(run)

    def of(self, models: Any) -> Self:
        """The same settings for other models."""
        return replace(cast(Any, self), models=models)

    def accepted(self, belief: Any) -> Mixture:
        """A belief with a component for each of `components`; what is none is refused."""
        counts = {len(self.components): None, len(self.models): None}
        if isinstance(belief, Mixture):
            if len(belief.components) == len(self.components):
                return belief
            if len(belief.components) == len(self.models):
                return self.spread(belief)
        many = " or ".join(map(str, counts))
        raise ShapeError(
            f"the belief is {belief!r}; expected a Mixture of {many} components, one for each mode, "
            "such as start(mean=..., std=...).belief of the filter"
        )


@settings
class SwitchingModels(SeveralModels):
    """Base of the filters whose target switches between modes by a Markov chain."""

    models: tuple[Dynamics, ...]
    switching: Any
    dt: Positive
    filter: Filters = EKF()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "switching", rows_of(self.switching, len(self.models), type(self).__name__))

    def transition(self, dt: float) -> np.ndarray:
        """Probabilities of switching between modes in `dt` seconds, ``(M, M)``; the identity for `dt` 0."""
        return power(self.switching, dt / self.dt)

    def chain(self, dt: float) -> np.ndarray | None:
        return self.transition(dt)


def axes_of(belief: Mixture) -> tuple[int, ...]:
    """Leading axes of a mixture."""
    parts = {f"component {i}": part.moments().mean.shape[:-1] for i, part in enumerate(belief.components)}
    return shared_axes(weights=belief.log_weights.shape[:-1], **parts)


def rows_of(switching: Any, count: int, name: str) -> tuple[tuple[float, ...], ...]:
    """A checked switching matrix, of one or of the probability of staying."""
    T = np.asarray(setting(switching, float | Annotated[Any, Numbers(None, None)], f"switching of {name}"))
    if T.ndim == 0 and count > 1:
        T = np.full((count, count), (1.0 - T) / (count - 1)) + np.eye(count) * (T - (1.0 - T) / (count - 1))
    T = np.ones((1, 1)) if count == 1 else T
    if T.shape != (count, count) or not ((T >= 0.0).all() and np.allclose(T.sum(1), 1.0, atol=1e-9)):
        raise SettingError(
            f"switching of {name} is {switching}; expected ({count}, {count}) whose rows sum to 1, or one "
            "probability of staying"
        )
    return tuple(map(tuple, T.tolist()))


def known(given: Any, what: str, *names: Sequence[str]) -> None:
    """Refuse what is not given by name, and names that no mode has."""
    if not isinstance(given, Mapping):
        raise ShapeError(f"{what} is {given!r}; modes differ in their states, so give values by name: {{'x': 0.0}}")
    every = dict.fromkeys(name for each in names for name in each)
    for name in given:
        if name not in every:
            raise ShapeError(f"{what} gives {name!r}, which no mode has; their states hold {', '.join(every)}")


def named(space: Space, mean: Any, std: Any) -> Gaussian:
    """A Gaussian from a state, or from values by name: those that the space has."""
    mean = {} if mean is None else mean
    own = {name: mean[name] for name in mean if name in space.names} if isinstance(mean, Mapping) else mean
    if isinstance(std, Mapping):
        std = {name: std.get(name, 1.0) for name in space.tangent_names}
    return Gaussian.of(space, own, std=1.0 if std is None else std)


@lru_cache(maxsize=64)
def power(switching: tuple[tuple[float, ...], ...], steps: float) -> np.ndarray:
    """A transition matrix over some steps, also a fraction of one.

    Raises:
        ShapeError: for fractions of a step over which the matrix has no root that is one, too.
    """
    T = np.asarray(switching)
    near = round(steps)
    if abs(steps - near) < 1e-6 * max(1.0, steps):
        found = np.linalg.matrix_power(T, near)
    else:
        values, vectors = np.linalg.eig(T)
        found = np.real_if_close(vectors @ np.diag(values.astype(complex) ** steps) @ np.linalg.inv(vectors), tol=1e6)
        if np.iscomplexobj(found) or (found < -1e-9).any():
            raise ShapeError(
                f"switching has no transition over {steps:g} steps; take whole steps, or let modes stay longer"
            )
        found = np.maximum(found, 0.0)
    return np.ascontiguousarray(found / found.sum(1, keepdims=True))
