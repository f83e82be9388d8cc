"""What all filters with a `Gaussian` belief share: pure functions on beliefs, over batches and whole sequences."""

from __future__ import annotations

import itertools
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core import CovarianceError, Dynamics, FilterRun, Gaussian, ModelError, Sensor, ShapeError, Space, Update
from ..core.arrays import numbers
from ..core.seconds import seconds
from ..core.settings import instance
from ..models import bind, parameters
from .batches import contexts_of, each_context, rows, unflat
from .clock import usual, wanted
from .gaussian_drivers import predict_all, predict_one, run_sequence, step_one, update_all, update_one
from .inputs import action, check_belief, context_axes, context_of, first_belief, shared_axes
from .kernels import kept, kernel_key
from .packing import Pack, check_gate, sensor_numbers

if TYPE_CHECKING:
    from .gaussian_filter import GaussianFilter

OF_DYNAMICS = (-2, -3, -5, -6, -8)
"""Codes of drivers that blame the dynamics or their action, not the sensor."""


@dataclass(frozen=True)
class Drivers:
    """The two inner steps of a Gaussian filter (see `gaussian_drivers`) and the scratch they need."""

    predict: Callable[..., int]
    update: Callable[..., int]
    scratch: Callable[[int, int], int]
    """Tangent sizes of state and reading to the rows of scratch."""


@dataclass(frozen=True)
class GaussianEstimator(ABC):
    """Base of the filters whose belief is a `Gaussian`; subclasses give the drivers."""

    dynamics: Dynamics | None = None
    dt: float | None = None
    gate: float | None = None

    _drivers: ClassVar[Drivers]

    def __post_init__(self) -> None:
        check_gate(self.gate)
        usual(self.dt)
        if self.dynamics is not None:
            self.check_dynamics(self.dynamics)

    def check_dynamics(self, dynamics: Dynamics) -> None:
        """Refuse dynamics that this filter is not for. Any will do unless a filter says otherwise."""
        instance(dynamics, Dynamics, type(self).__name__)

    def check_sensor(self, sensor: Sensor) -> None:
        """Refuse sensors that this filter is not for. Any will do unless a filter says otherwise."""
        instance(sensor, Sensor, type(self).__name__)

    def start(
        self, mean: Any = None, std: Any = None, *, cov: Any = None, belief: Any = None, t: float = 0.0
    ) -> GaussianFilter:
        """A `GaussianFilter` that begins with this belief at time `t`: mean and std (or cov), or a whole belief.

        Args:
            mean: state ``(n,)``.
            std: standard deviations in the tangent, a number or ``(d,)``.
            cov: covariance ``(d, d)`` instead of `std`.
            belief: any belief over the state instead of the three.
            t: seconds.
        """
        from .gaussian_filter import GaussianFilter

        if self.dynamics is None:
            raise ModelError(
                f"{type(self).__name__} has no dynamics yet; bind them: {type(self).__name__}(car, dt=0.05)"
            )
        space = self.dynamics.state
        belief = first_belief(space, mean, std, cov, belief)
        return GaussianFilter(self, self.dynamics, moments_on(belief, space), t)

    def predict(self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None) -> Gaussian:
        """The belief `dt` seconds later under action `u` (default: zero); leading axes of the belief are a batch."""
        self.check_dynamics(dynamics)
        dt = wanted(dt, self.dt)
        belief, u = moments_on(belief, dynamics.state), action(u, dynamics.action)
        batch = shared_axes(belief=belief.mean.shape[:-1], action=u.shape[:-1])
        pack = Pack(dynamics.state)
        flat = pack.rows(belief, batch)
        w = self.scratch(pack)
        check(self.prediction(dynamics)[0](flat, rows(u, batch), dt, parameters(dynamics, dt), w), dynamics)
        return pack.belief(unflat(flat, batch))

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None) -> Update:
        """The belief after reading `z` (NaN where not measured) and what it did; leading axes are a batch."""
        self.check_sensor(sensor)
        belief = moments_on(belief)
        sensor = sensor.on(belief.space)
        z, context = sensor.reading.check(z, "reading", finite=False), context_of(context, sensor)
        own = context_axes(context, sensor)
        batch = shared_axes(belief=belief.mean.shape[:-1], reading=z.shape[:-1], context=own)
        pack = Pack(belief.space, sensor.reading)
        flat = pack.rows(belief, batch)
        codes = np.zeros(len(flat), dtype=np.int64)
        contexts = each_context(context, sensor, batch)
        kernel, q = self.correction(sensor)[0], sensor_numbers(sensor, self.gate)
        check(kernel(flat, rows(z, batch), contexts, q, self.scratch(pack), codes), sensor)
        accepted = codes.reshape(batch) > 0 if batch else bool(codes[0] > 0)
        belief, y, S, nis, log_likelihood = pack.results(unflat(flat, batch))
        return Update(belief, y, S, nis, log_likelihood, accepted)

    def run(
        self,
        belief: Any,
        dynamics: Dynamics,
        us: Any,
        zs: Any,
        dt: Any = None,
        *,
        sensor: Sensor,
        contexts: Any = None,
    ) -> FilterRun:
        """A whole sequence: predict and update for each reading.

        Args:
            belief: what is known before the first prediction; leading axes are a batch.
            dynamics: how the state moves.
            us: actions ``(..., T, m)``, or None for zero.
            zs: readings ``(..., T, m)``.
            dt: seconds before each reading, a number or ``(T,)``; by default the usual step.
            sensor: what reads them.
            contexts: context of each, ``(T, c)``.

        Returns:
            Beliefs ``(..., T)`` and the results of each update.
        """
        self.check_dynamics(dynamics)
        self.check_sensor(sensor)
        sensor = sensor.on(dynamics.state)
        zs = sensor.reading.check(zs, "readings", finite=False)
        if zs.ndim < 2:
            raise ShapeError(f"a run takes readings (..., T, {sensor.reading.size}); one of shape {zs.shape} was given")
        belief = moments_on(belief, dynamics.state)
        us, steps = np.atleast_2d(action(us, dynamics.action)), zs.shape[-2]
        if us.shape[-2] not in (1, steps):
            raise ShapeError(f"{us.shape[-2]} actions were given for {steps} readings; every reading needs its own")
        us = np.broadcast_to(us, (*us.shape[:-2], steps, us.shape[-1]))
        batch = shared_axes(belief=belief.mean.shape[:-1], actions=us.shape[:-2], readings=zs.shape[:-2])
        pack, given = Pack(dynamics.state, sensor.reading), contexts_of(contexts, sensor, steps)
        b0, us, zs = pack.rows(belief, batch), rows(us, batch, 2), rows(zs, batch, 2)
        belief, *others = self.run_many(pack, dynamics, sensor, b0, us, self._steps(dt, steps), zs, given)
        belief = Gaussian.trusted(belief.space, unflat(belief.mean, batch), unflat(belief.cov, batch))
        return FilterRun(belief, *(unflat(a, batch) for a in others))

    def run_many(
        self, pack: Pack, dynamics: Dynamics, sensor: Sensor, b0: Any, us: Any, dts: Any, zs: Any, contexts: Any
    ) -> tuple[Gaussian, Any, Any, Any, Any]:
        """Rows of packed beliefs through their sequences: beliefs, innovations, NIS, log-likelihoods, accepted."""
        bs, codes = self.run_packed(pack, dynamics, sensor, b0, us, dts, zs, contexts)
        belief, y, _, nis, log_likelihood = pack.results(bs)
        return belief, y, nis, log_likelihood, codes > 0

    def run_packed(
        self, pack: Pack, dynamics: Dynamics, sensor: Sensor, b0: Any, us: Any, dts: Any, zs: Any, contexts: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Packed beliefs ``(B, T, rows, columns)`` and codes ``(B, T)`` after each step."""
        kernel = self.cycle(dynamics, sensor)[0]
        bs, codes = np.zeros((len(b0), len(dts), *pack.shape)), np.ones((len(b0), len(dts)), dtype=np.int64)
        w = self.scratch(pack)
        for piece in _pieces(dts, dynamics):
            q = sensor_numbers(sensor, self.gate, parameters(dynamics, float(dts[piece.start])))
            times = dts[piece]
            for i in range(len(b0)):
                given = (us[i, piece], times, zs[i, piece], contexts[piece])
                done = piece.start + kernel(b0[i], *given, q, w, bs[i, piece], codes[i, piece])
                if done < piece.stop:
                    where = f"step {done}" if len(b0) == 1 else f"step {done} of sequence {i}"
                    check(codes[i, done], dynamics if codes[i, done] in OF_DYNAMICS else sensor, where)
        return bs, codes

    def prediction(self, dynamics: Dynamics) -> tuple[Callable[..., int], Callable[..., int]]:
        """`predict_all` and `predict_one` for these dynamics."""
        key = (self._key(), kernel_key(dynamics))
        return kept(key, lambda: self._bound(predict_all, predict_one, dynamics=dynamics))

    def correction(self, sensor: Sensor) -> tuple[Callable[..., int], Callable[..., int]]:
        """`update_all` and `update_one` for this sensor."""
        key = (self._key(), "update", kernel_key(sensor))
        return kept(key, lambda: self._bound(update_all, update_one, sensor=sensor))

    def cycle(self, dynamics: Dynamics, sensor: Sensor) -> tuple[Callable[..., int], Callable[..., int]]:
        """`run_sequence` and `step_one` for these models."""
        key = (self._key(), kernel_key(dynamics), kernel_key(sensor))
        return kept(key, lambda: self._bound(run_sequence, step_one, dynamics=dynamics, sensor=sensor))

    def scratch(self, pack: Pack) -> np.ndarray:
        """Scratch for the drivers on beliefs of this layout."""
        dim = pack.space.dim
        rows = dim + 1 + self._drivers.scratch(dim, 0 if pack.reading is None else pack.reading.dim)
        w = np.zeros((rows, pack.shape[1]))
        self.prepare(w[dim + 1 :], dim)
        return w

    def prepare(self, w: np.ndarray, dim: int) -> None:
        """Write what the drivers need to know of the settings into their scratch. Most need nothing."""
        return

    def _bound(self, many: Any, one: Any, **models: Any) -> tuple[Callable[..., int], Callable[..., int]]:
        fill = {"predict_belief": self._drivers.predict, "update_belief": self._drivers.update}
        many, one = bind(many, one, fill=fill, heap=False, purpose=type(self).__name__, **models)
        return many, restoring(one) if isinstance(one, FunctionType) else one

    def _key(self) -> tuple[Any, ...]:
        return (self._drivers.predict, self._drivers.update)

    def _steps(self, dt: Any, count: int) -> np.ndarray:
        """Seconds before each of `count` readings."""
        if dt is None:
            return np.full(count, wanted(None, self.dt))
        given = np.array(numbers(dt, "dt"))
        if given.ndim == 0:
            return np.full(count, wanted(dt, self.dt))
        if given.shape not in ((1,), (count,)):
            raise ShapeError(f"dt has shape {given.shape}; {count} readings need one number or {count} of them")
        for step in given[~((given >= 0.0) & (given < np.inf))]:
            seconds(float(step))
        return np.full(count, given[0]) if given.size == 1 else given


def restoring(driver: Callable[..., int]) -> Callable[..., int]:
    """A driver in plain Python that puts the belief back where a model's own code raises."""

    def guarded(b: np.ndarray, *rest: Any) -> int:
        before = b.copy()
        try:
            return driver(b, *rest)
        except BaseException:
            b[...] = before
            raise

    return guarded


def moments_on(belief: Any, space: Space | None = None) -> Gaussian:
    """The Gaussian of a belief, which must live on this space."""
    check_belief(belief, space)
    return belief.moments()


def check(code: int, model: Any, where: str = "") -> None:
    """Turn a negative code of a driver into a sentence."""
    if code >= 0:
        return
    at = f" at {where}" if where else ""
    sentences: dict[int, tuple[type[Exception], str]] = {
        -1: (CovarianceError, f"the innovation covariance of {model!r} is not positive definite{at}; check its noise"),
        -2: (ShapeError, f"the action holds NaN or infinity{at}; give finite numbers"),
        -3: (ModelError, f"{model!r} predicted a state or covariance that is not finite{at}; the belief is unchanged"),
        -4: (ShapeError, f"the reading of {model!r} holds infinity, or it led to a belief that is not finite{at}"),
        -5: (CovarianceError, f"the covariance is not positive definite{at}, so it has no sigma points"),
        -8: (
            CovarianceError,
            f"the process noise of {model!r} is no covariance{at}: a variance is negative or NaN, or a "
            "correlation beyond 1",
        ),
    }
    error, sentence = sentences[int(code)]
    raise error(sentence)


def _pieces(dts: np.ndarray, dynamics: Dynamics) -> list[slice]:
    """The steps that share one vector of parameters; all of them, unless it depends on dt."""
    count = len(dts)
    if not getattr(dynamics, "parameters_depend_on_dt", False):
        return [slice(0, count)] if count else []
    edges = [0, *(np.flatnonzero(np.diff(dts)) + 1).tolist(), count]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]
