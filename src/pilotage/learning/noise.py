"""Noise and parameters of models that make the readings of a filter most likely, by gradients through the filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core import Dynamics, ModelError, PilotageError, SettingError, Space
from ..core.declared import called
from ..core.settings import whole
from ..estimators import EKF, KF
from ..estimators._clock import Clock
from ..estimators._gaussian import moments_on
from ..estimators._timeline import Timeline, timeline
from ._threads import threads_for
from .border import array, tensor

Tensor = torch.Tensor
STEP = 1e-3
"""Step of the differences between gradients that make the Hessian."""
FLAT = 1e-8
"""Curvature, relative to the largest, below which a direction has no standard error."""


@dataclass(frozen=True)
class Fitted:
    """A number that was fitted.

    Attributes:
        name: what it is: "process noise on vx", "measurement noise of gnss", or the name of a parameter.
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
        dynamics: the dynamics with the fitted parameters; their noise is to be multiplied by the factors.

    Example:
        >>> NoiseFit((Fitted("density", 0.5, 0.02),), (-120.0, -100.0), None)["density"].value
        0.5
    """

    fitted: tuple[Fitted, ...]
    log_likelihoods: tuple[float, float]
    dynamics: Any

    def __getitem__(self, name: str) -> Fitted:
        for each in self.fitted:
            if each.name == name:
                return each
        raise SettingError(f"{name!r} was not fitted; there is {', '.join(each.name for each in self.fitted)}")

    def __str__(self) -> str:
        return "\n".join(map(str, self.fitted))


def fit_noise(
    estimator: EKF,
    belief: Any,
    readings: Any,
    us: Any = None,
    *,
    dynamics: Dynamics | None = None,
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
    """The factors of noise and the parameters under which the readings of a `KF` or `EKF` are most likely.

    ::

        theta* = argmax log p(z_1 .. z_T | theta),    Q = D(theta) Q D(theta),   R = r(theta)^2 R
        std    = diag(H^-1)^1/2,                      H = - d^2 log p / d theta^2 at theta*

    The likelihood is that of the filter, and its gradient goes through all steps of it (L-BFGS). Factors are
    fitted in logarithms, so they stay positive. Sequences of a batch are fitted together. For other
    estimators, `pilotage.estimators.consistency` tells factors without gradients.

    Args:
        estimator: `KF` or `EKF`, with its dynamics and dt.
        belief: the first belief; leading axes are a batch of sequences.
        readings, us, ts, sensor, contexts: as for the `run` of the estimator.
        dynamics, dt: in the place of those of the estimator.
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
    if type(estimator) not in (KF, EKF):
        raise ModelError(f"{type(estimator).__name__} has no gradients here; expected a KF or an EKF")
    model = estimator.dynamics if dynamics is None else dynamics
    if model is None:
        raise ModelError("there are no dynamics; give some, as in EKF(car, dt=0.05) or dynamics=car")
    belief = moments_on(belief, model.state)
    steps = timeline(
        Clock(0.0, estimator.dt if dt is None else dt, model), model, us, readings, ts, sensor=sensor, contexts=contexts
    )
    for each in (model, *steps.sensors):
        if not hasattr(each, "replace") and not getattr(each, "takes_tensors", False):
            raise ModelError(f"{called(each)} takes no tensors, so no gradient goes through it")
    names, first, apply, units = _unknowns(model, steps, process, measurement, tuple(params))
    theta = torch.tensor(first, dtype=torch.float64, requires_grad=True)
    most = whole(iterations, "iterations")

    def value(theta: Tensor) -> Tensor:
        return log_likelihood(belief, steps, *apply(theta)).sum()

    with threads_for(0):
        before, after = _climbed(value, theta, most, progress)
        values, stds = _errors(value, theta.detach(), [name in params for name in names], units)
    fitted = tuple(map(Fitted, names, values, stds))
    found = {f.name: f.value for f in fitted if f.name in params}
    return NoiseFit(fitted, (before, after), model.replace(**found) if found else model)  # type: ignore[attr-defined]


def log_likelihood(
    belief: Any,
    steps: Timeline,
    dynamics: Any = None,
    q: Any = 1.0,
    r: Any = None,
    parameters: Mapping[str, Any] | None = None,
) -> Tensor:
    """Log-likelihood ``(B,)`` of readings under the extended Kalman filter, with gradients.

    ::

        x = f(x, u),  P = F P F' + q Q q;    S = H P H' + r^2 R,   log p = -1/2 (y' S^-1 y + log det 2 pi S)

    Args:
        belief: the first belief; leading axes are a batch.
        steps: predictions and readings.
        dynamics: those of the steps, or others.
        q: factors of standard deviations of process noise, ``(d,)`` or one.
        r: factors of those of each sensor, ``(J,)``.
        parameters: values of parameters of the dynamics, as tensors.
    """
    model = steps.dynamics if dynamics is None else dynamics
    model = model.replace(**parameters) if parameters else model
    space: Space = model.state
    batch = np.broadcast_shapes(belief.mean.shape[:-1], steps.batch)
    x = tensor(np.broadcast_to(belief.mean, (*batch, space.size)).reshape(-1, space.size))
    P = tensor(np.broadcast_to(belief.cov, (*batch, space.dim, space.dim)).reshape(-1, space.dim, space.dim))
    us, zs, cs = (
        np.broadcast_to(a, (*batch, *a.shape[-2:])).reshape(math.prod(batch), *a.shape[-2:])
        for a in (steps.us, steps.zs, steps.contexts)
    )
    q, r = torch.as_tensor(q, dtype=torch.float64), torch.ones(len(steps.sensors)) if r is None else r
    D = torch.outer(q.expand(space.dim), q.expand(space.dim))
    total = x.new_zeros(len(x))
    for k in range(len(steps.dts)):
        if steps.moves[k]:
            u, dt = tensor(us[:, k]), float(steps.dts[k])
            F = model.linearize(x, u, dt)[0]
            P = F @ P @ F.mT + D * model.noise(x, u, dt)
            x = model.step(x, u, dt)
        j = int(steps.which[k])
        if j < len(steps.sensors):
            sensor = steps.sensors[j]
            c = tensor(cs[:, k, : sensor.context.size]) if sensor.context is not None and sensor.context.size else None
            x, P, log = _updated(space, sensor, x, P, tensor(zs[:, k, : sensor.reading.size]), c, r[j])
            total = total + log
    return total


def _updated(
    space: Space, sensor: Any, x: Tensor, P: Tensor, z: Tensor, c: Any, r: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and covariance after a reading, and its log-likelihood; components that are NaN are left out."""
    expected = sensor.observe(x, c)
    y = sensor.reading.minus(torch.where(z.isnan(), expected.detach(), z), expected)
    hidden = sensor.reading.minus(z, expected.detach()).isnan()
    H, R = sensor.linearize(x, c), r * r * sensor.noise(x, c)
    both = ~hidden[:, :, None] & ~hidden[:, None, :]
    y, H = torch.where(hidden, 0.0, y), torch.where(hidden[..., None], 0.0, H)
    R = torch.where(both, R, torch.eye(y.shape[-1], dtype=x.dtype))
    L = torch.linalg.cholesky(H @ P @ H.mT + R)
    K = torch.cholesky_solve(H @ P, L).mT
    w = torch.linalg.solve_triangular(L, y[..., None], upper=False)[..., 0]
    seen = (~hidden).sum(-1).to(x.dtype)
    log = -0.5 * (w * w).sum(-1) - L.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * math.log(2.0 * math.pi) * seen
    M = torch.eye(space.dim, dtype=x.dtype) - K @ H
    return space.plus(x, (K @ y[..., None])[..., 0]), M @ P @ M.mT + K @ R @ K.mT, log


def _unknowns(
    model: Any, steps: Timeline, process: Sequence[str] | bool, measurement: bool, params: tuple[str, ...]
) -> tuple[list[str], list[float], Callable[[Tensor], tuple[Any, ...]], list[float]]:
    """Names of what is fitted, where it starts (factors as logarithms), what the filter takes of it, and units."""
    tangent = list(model.state.tangent.names)
    parts = [("process noise", list(range(len(tangent))))] if process is True else []
    if not isinstance(process, bool):
        for name in process.split() if isinstance(process, str) else process:
            if name not in tangent:
                raise SettingError(f"the state has no component {name!r}; it has {', '.join(tangent)}")
            parts.append((f"process noise on {name}", [tangent.index(name)]))
    sensors = [f"measurement noise of {called(s)}" for s in steps.sensors] * measurement
    sensors = [n if sensors.count(n) == 1 else f"{n} {sensors[:i].count(n) + 1}" for i, n in enumerate(sensors)]
    held = getattr(model, "params", {})
    for name in params:
        if not isinstance(held.get(name), float | int):
            raise SettingError(
                f"{called(model)} has no parameter {name!r} that is one number; it has {', '.join(held) or 'none'}"
            )
    names = [*(name for name, _ in parts), *sensors, *params]
    if not names:
        raise SettingError("there is nothing to fit; give process, measurement or params")
    mask = torch.zeros(len(parts), len(tangent), dtype=torch.float64)
    for i, (_, at) in enumerate(parts):
        mask[i, at] = 1.0
    a, b = len(parts), len(parts) + len(sensors)
    scale = torch.tensor([float(held[name]) or 1.0 for name in params], dtype=torch.float64)

    def apply(theta: Tensor) -> tuple[Any, ...]:
        r = theta[a:b].exp() if measurement else None
        return None, (theta[:a] @ mask).exp(), r, dict(zip(params, theta[b:] * scale, strict=True))

    return names, [0.0] * b + [1.0] * len(params), apply, [1.0] * b + scale.tolist()


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
