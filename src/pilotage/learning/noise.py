"""Noise and parameters of models that make the readings of a filter most likely, by gradients through the filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core import ModelError, PilotageError, SettingError
from ..core.declared import called
from ..core.settings import whole
from ..estimators import CKF, EKF, GHKF, IMM, KF, UKF
from ..estimators._clock import Clock
from ..estimators._gaussian import moments_on
from ..estimators._timeline import Timeline, timeline
from ._threads import threads_for
from .border import array, tensor
from .likelihood import log_likelihood

Tensor = torch.Tensor
KINDS = (KF, EKF, UKF, CKF, GHKF)
STEP = 1e-3
"""Step of the differences between gradients that make the Hessian."""
FLAT = 1e-8
"""Curvature, relative to the largest, below which a direction has no standard error."""


@dataclass(frozen=True)
class Fitted:
    """A number that was fitted.

    Attributes:
        name: what it is: "process noise on vx", "measurement noise of gnss", or the name of a parameter; with several
            models also of which: "process noise of constant_turn", "density of constant_velocity 2".
        value: the number; for noise, the factor of the standard deviation that the model has.
        std: its standard error; infinite where the readings do not tell.

    Example:
        >>> print(Fitted("process noise on vx", 3.0, 0.2))
        process noise on vx: 3 +- 0.2
    """

    name: str
    value: float
    std: float

    def __str__(self) -> str:
        return f"{self.name}: {self.value:.3g} +- {self.std:.2g}"


@dataclass(frozen=True)
class NoiseFit:
    """The outcome of `fit_noise`.

    Attributes:
        fitted: factors of noise, then parameters.
        log_likelihoods: log-likelihood of all readings before and after.
        dynamics: the dynamics with the fitted parameters and noise, ready for use; of an `IMM`, those of each mode. A
            model without `scale_noise` keeps its noise, which is then to be multiplied by the factors.
        sensors: the sensors with the fitted noise, in the order of the readings, likewise.

    Example:
        >>> NoiseFit((Fitted("density", 0.5, 0.02),), (-120.0, -100.0), None, ())["density"].value
        0.5
    """

    fitted: tuple[Fitted, ...]
    log_likelihoods: tuple[float, float]
    dynamics: Any
    sensors: tuple[Any, ...]

    def __getitem__(self, name: str) -> Fitted:
        for each in self.fitted:
            if each.name == name:
                return each
        raise SettingError(f"{name!r} was not fitted; there is {', '.join(each.name for each in self.fitted)}")

    def __str__(self) -> str:
        return "\n".join(map(str, self.fitted))


def fit_noise(
    estimator: EKF | UKF | CKF | GHKF | IMM,
    belief: Any,
    readings: Any,
    us: Any = None,
    *,
    dynamics: Any = None,
    sensor: Any = None,
    dt: float | None = None,
    ts: Any = None,
    contexts: Any = None,
    process: Sequence[str] | bool = True,
    measurement: bool = True,
    params: Sequence[str] = (),
    iterations: int = 60,
    progress: Callable[[int, float], None] | None = None,
) -> NoiseFit:
    """The factors of noise and the parameters under which the readings of a Kalman filter or an `IMM` are most likely.

    ::

        theta* = argmax log p(z_1 .. z_T | theta),    Q = D(theta) Q D(theta),   R = r(theta)^2 R
        std    = diag(H^-1)^1/2,                      H = - d^2 log p / d theta^2 at theta*

    The likelihood is that of the filter without a gate, and its gradient goes through all steps of it (L-BFGS). Factors
    are fitted in logarithms, so they stay positive. Sequences of a batch are fitted together. The modes of an `IMM`
    have factors of their own. For other estimators, `pilotage.estimators.consistency` tells factors without gradients.

    Args:
        estimator: `KF`, `EKF`, `UKF`, `CKF` or `GHKF` with its dynamics and dt, or an `IMM` of such filters.
        belief: the first belief; leading axes are a batch of sequences.
        readings, us, ts, sensor, contexts: as for the `run` of the estimator.
        dynamics, dt: in the place of those of the estimator; for an `IMM`, dynamics of each mode, and its own dt.
        process: names of the components whose process noise is fitted; True for one factor of all of Q, False for none.
        measurement: whether a factor of each sensor's R is fitted.
        params: names of parameters of the dynamics to fit.
        iterations: steps of the optimiser at most.
        progress: a function that is called with the number of each evaluation and its log-likelihood.

    Raises:
        SettingError: if there is nothing to fit, or no such component or parameter.
        ModelError: if the estimator or a model has no gradients.
        PilotageError: if no step has a finite likelihood.

    Source: Gupta and Mehra, "Computational aspects of maximum likelihood estimation and reduction in sensitivity
    function calculations", IEEE Trans. Automatic Control 19, 1974; Sarkka, "Bayesian Filtering and Smoothing" (2013),
    section 12.3.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.models import constant_velocity, position
        >>> rng = np.random.default_rng(0)
        >>> zs = rng.normal(0.0, 0.4, size=(80, 1))
        >>> kf = KF(constant_velocity(1, density=0.01), dt=0.1)
        >>> start = Gaussian.of(kf.dynamics.state, std=0.5)
        >>> found = fit_noise(kf, start, zs, sensor=position(1, std=0.1), process=False, iterations=8)
        >>> bool(abs(found["measurement noise of position"].value - 4.0) < 1.0)
        True
    """
    belief, models, steps = _problem(estimator, belief, dynamics, dt, (us, readings, ts, sensor, contexts))
    for each in (*models, *steps.sensors):
        if not hasattr(each, "replace") and not getattr(each, "takes_tensors", False):
            raise ModelError(f"{called(each)} takes no tensors, so no gradient goes through it")
    unknowns = _Unknowns(models, steps.sensors, process, measurement, tuple(params))
    theta = torch.tensor(unknowns.first, dtype=torch.float64, requires_grad=True)
    most = whole(iterations, "iterations")

    def value(theta: Tensor) -> Tensor:
        return log_likelihood(estimator, belief, steps, *unknowns.applied(theta)).sum()

    with threads_for(0):
        before, after = _climbed(value, theta, most, progress)
        values, stds = _errors(value, theta.detach(), unknowns.plain, unknowns.units)
        found, q, r = unknowns.applied(theta.detach())
    fitted = tuple(map(Fitted, unknowns.names, values, stds))
    moving = tuple(_scaled(model, array(scale)) for model, scale in zip(found, q, strict=True))
    seeing = tuple(_scaled(each, float(scale)) for each, scale in zip(steps.sensors, r, strict=True))
    return NoiseFit(fitted, (before, after), moving if isinstance(estimator, IMM) else moving[0], seeing)


def _problem(estimator: Any, belief: Any, dynamics: Any, dt: Any, given: Any) -> tuple[Any, tuple[Any, ...], Timeline]:
    """The first belief, the dynamics of each mode, and the steps."""
    for each in estimator.filters if type(estimator) is IMM else (estimator,):
        if type(each) not in KINDS:
            names = ", ".join(kind.__name__ for kind in KINDS)
            raise ModelError(f"{type(each).__name__} has no gradients here; expected one of {names}, or an IMM of them")
    if isinstance(estimator, IMM):
        own = estimator if dynamics is None else estimator.of(dynamics)
        belief, models = own.accepted(belief), own.models
    else:
        models = (estimator.dynamics if dynamics is None else dynamics,)
        if models[0] is None:
            raise ModelError("there are no dynamics; give some, as in EKF(car, dt=0.05) or dynamics=car")
        belief = moments_on(belief, models[0].state)
    us, readings, ts, sensor, contexts = given
    clock = Clock(0.0, estimator.dt if dt is None else dt, *models)
    return belief, models, timeline(clock, models[0], us, readings, ts, sensor=sensor, contexts=contexts)


def _scaled(model: Any, factors: Any) -> Any:
    """A model with its noise times these factors, where it has `scale_noise` and some factor is not 1."""
    return model.scale_noise(factors) if hasattr(model, "scale_noise") and np.any(factors != 1.0) else model


class _Unknowns:
    """The numbers that are fitted, factors as logarithms and before the parameters, which are relative to theirs.

    Attributes:
        names, first, plain, units: of each its name, where it starts, whether it is none of the logarithms, and unit.
    """

    def __init__(
        self,
        models: tuple[Any, ...],
        sensors: tuple[Any, ...],
        process: Sequence[str] | bool,
        measurement: bool,
        params: tuple[str, ...],
    ) -> None:
        self.models, self.sensors, self.measurement = models, sensors, measurement
        own = [f" of {name}" for name in _numbered(models)] if len(models) > 1 else [""]
        self.parts = [(f"process noise{own[j]}", j, slice(None)) for j in range(len(models)) if process is True]
        if not isinstance(process, bool):
            self.parts = [
                (f"process noise on {name}{own[j]}", j, at)
                for name in (process.split() if isinstance(process, str) else process)
                for j, at in _holders(name, [[*model.state.tangent.names] for model in models])
            ]
        held = [{n: v for n, v in getattr(m, "params", {}).items() if isinstance(v, float | int)} for m in models]
        self.values = [(n, j, float(held[j][n])) for n in params for j in _owners(n, models, held)]
        seeing = [f"measurement noise of {name}" for name in _numbered(sensors)] * measurement
        self.names = [p[0] for p in self.parts] + seeing + [f"{n}{own[j]}" for n, j, _ in self.values]
        if not self.names:
            raise SettingError("there is nothing to fit; give process, measurement or params")
        self.a, self.b = len(self.parts), len(self.parts) + len(seeing)
        self.plain = [k >= self.b for k in range(len(self.names))]
        self.first = [float(plain) for plain in self.plain]
        self.units = [1.0] * self.b + [value or 1.0 for _, _, value in self.values]

    def applied(self, theta: Tensor) -> tuple[list[Any], list[Tensor], Tensor]:
        """The models, the factors of their process noise, and those of the sensors."""
        given: list[dict[str, Any]] = [{} for _ in self.models]
        for k, (name, j, _) in enumerate(self.values, start=self.b):
            given[j][name] = theta[k] * self.units[k] if theta.requires_grad else float(theta[k]) * self.units[k]
        logs = [theta.new_zeros(model.state.dim) for model in self.models]
        for k, (_, j, at) in enumerate(self.parts):
            mask = theta.new_zeros(len(logs[j]))
            mask[at] = 1.0
            logs[j] = logs[j] + theta[k] * mask
        r = theta[self.a : self.b].exp() if self.measurement else theta.new_ones(len(self.sensors))
        models = [m.replace(**own) if own else m for m, own in zip(self.models, given, strict=True)]
        return models, [each.exp() for each in logs], r


def _numbered(models: tuple[Any, ...]) -> list[str]:
    """Names of models, with numbers where there are several of one name."""
    names = [called(each) for each in models]
    return [n if names.count(n) == 1 else f"{n} {names[:i].count(n) + 1}" for i, n in enumerate(names)]


def _holders(name: str, tangents: list[list[str]]) -> list[tuple[int, int]]:
    """The modes that have this component, and where."""
    found = [(j, names.index(name)) for j, names in enumerate(tangents) if name in names]
    if not found:
        known = ", ".join(dict.fromkeys(n for names in tangents for n in names))
        raise SettingError(f"the state has no component {name!r}; it has {known}")
    return found


def _owners(name: str, models: tuple[Any, ...], held: list[dict[str, Any]]) -> list[int]:
    """The modes that have this parameter."""
    found = [j for j, values in enumerate(held) if name in values]
    if not found:
        known = ", ".join(dict.fromkeys(n for values in held for n in values)) or "none"
        who = " and ".join(dict.fromkeys(map(called, models)))
        raise SettingError(f"{who} has no parameter {name!r} that is one number; it has {known}")
    return found


def _climbed(value: Callable[[Tensor], Tensor], theta: Tensor, iterations: int, progress: Any) -> tuple[float, float]:
    """Raise the value over theta, in place; the value before and after."""
    optimizer = torch.optim.LBFGS([theta], max_iter=iterations, line_search_fn="strong_wolfe", tolerance_change=1e-10)
    seen: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        try:
            loss = -value(theta)
        except RuntimeError:  # a covariance that is not positive definite
            loss = (theta * math.inf).sum()
        if loss.requires_grad and bool(loss.isfinite()):
            loss.backward()
        seen.append(-float(loss.detach()))
        if progress is not None:
            progress(len(seen), seen[-1])
        return loss

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    if not math.isfinite(seen[0]) or not bool(theta.isfinite().all()):
        raise PilotageError("the readings have no finite likelihood under these models; check the noise and the units")
    return seen[0], float(value(theta).detach())


def _gradient(value: Callable[[Tensor], Tensor], theta: Tensor, shift: Any) -> Any:
    """Gradient of the value at a point beside theta."""
    at = (theta + tensor(shift)).requires_grad_()
    return array(torch.autograd.grad(value(at), at)[0])


def _errors(
    value: Callable[[Tensor], Tensor], theta: Tensor, plain: list[bool], units: list[float]
) -> tuple[list[float], list[float]]:
    """Values and standard errors, of factors by ``std(exp t) = exp(t) std(t)``."""
    shifts = STEP * np.eye(len(theta))
    H = np.stack([(_gradient(value, theta, -d) - _gradient(value, theta, d)) / (2.0 * STEP) for d in shifts])
    w, V = np.linalg.eigh(0.5 * (H + H.T))
    good = w > FLAT * max(float(np.abs(w).max()), 1e-300)
    C = (V[:, good] / w[good]) @ V[:, good].T
    free = (np.abs(V[:, ~good]) > 1e-3).any(1)
    std = np.where(free, np.inf, np.sqrt(np.maximum(np.diag(C), 0.0)))
    t = array(theta)
    values = np.where(plain, t, np.exp(t))
    return (values * units).tolist(), (np.where(plain, std, values * std) * np.abs(units)).tolist()
