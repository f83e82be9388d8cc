"""Log-likelihood of readings under Kalman filters and their mixtures in torch, through which gradients go.

A filter replaces each model g by a line and noise that stands for the rest, ``g(x (+) d) ~ y (+) (A d + e)`` with
``e ~ N(0, B)``: A is the Jacobian and B zero, or both are those of the regression on sigma points. All else is one text
for all filters, and a filter of one model is a mixture of one mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core import Space
from ..estimators import EKF, IMM
from ..estimators._jobs import wrapped
from ..estimators._mixing import ROUNDS as STEPS
from ..estimators._mixing import shared_places
from ..estimators._points import FINEST, QUARTER
from ..estimators._timeline import Timeline
from .border import tensor

Tensor = torch.Tensor
Belief = tuple[Tensor, Tensor]
ROUNDS, LEAST = 12, 4
"""Rounds of a weighted mean: at most, and on a curved space at least, since gradients need some, too."""


class Model(NamedTuple):
    """Dynamics or a sensor with their input ``(B, m)``: where values live, the value, its Jacobian, and its noise."""

    space: Space
    value: Callable[[Tensor, Any], Tensor]
    slope: Callable[[Tensor, Any], Tensor]
    noise: Tensor
    given: Any


def log_likelihood(
    estimator: Any, belief: Any, steps: Timeline, models: Any = None, q: Any = None, r: Any = None
) -> Tensor:
    """Log-likelihood ``(B,)`` of readings under a filter, with gradients; a gate plays no part.

    ::

        x = f(x),   P = F P F' + B + q Q q;    S = H P H' + B + r^2 R,   l = -1/2 (y' S^-1 y + log det 2 pi S)
        log p = log sum_j w_j exp(l_j) over the modes of an `IMM`, which are mixed by moments before a prediction

    Args:
        estimator: a filter, of one model or of several.
        belief: the first belief; leading axes are a batch.
        steps: predictions and readings.
        models: the dynamics of each mode; by default those of the estimator, and of the steps for a filter of one.
        q: factors of standard deviations of process noise of each mode, ``(d,)`` or one.
        r: factors of those of each sensor, ``(J,)``.
    """
    filters, models, parts, weights = _modes(estimator, belief, steps, models)
    batch = np.broadcast_shapes(weights.shape[:-1], parts[0].mean.shape[:-1], steps.batch)
    beliefs = [(_rows(part.mean, 1, batch), _rows(part.cov, 2, batch)) for part in parts]
    us, zs, cs = (_rows(a, 2, batch) for a in (steps.us, steps.zs, steps.contexts))
    w, total = _rows(weights, 1, batch), us.new_zeros(len(us))
    scales = [tensor(1.0)] * len(models) if q is None else q
    sensors = [[sensor.on(model.state) for sensor in steps.sensors] for model in models]
    r = torch.ones(len(steps.sensors)) if r is None else r
    mixing = _Mixing([model.state for model in models])
    for k in range(len(steps.dts)):
        if steps.moves[k]:
            dt = float(steps.dts[k])
            if len(models) > 1 and (T := estimator.chain(dt)) is not None:
                beliefs, w = mixing(beliefs, w, tensor(T))
            beliefs = [
                _predicted(filter, model.state, _motion(model, belief[0], us[:, k], dt, scale), *belief)
                for filter, model, belief, scale in zip(filters, models, beliefs, scales, strict=True)
            ]
        j = int(steps.which[k])
        if j < len(steps.sensors):
            told = [
                _updated(f, m.state, _reading(s[j], b[0], cs[:, k], r[j]), zs[:, k, : s[j].reading.size], *b)
                for f, m, s, b in zip(filters, models, sensors, beliefs, strict=True)
            ]
            beliefs, logs = [each[:2] for each in told], torch.stack([each[2] for each in told], dim=-1)
            logs = w.clamp_min(1e-300).log() + logs if len(models) > 1 else logs
            total = total + logs.logsumexp(-1)
            w = logs.softmax(-1).clamp_min(estimator.least if len(models) > 1 else 0.0)
            w = w / w.sum(-1, keepdim=True)
    return total


def _modes(estimator: Any, belief: Any, steps: Timeline, models: Any) -> tuple[Any, Any, Any, np.ndarray]:
    """Filter, dynamics and belief of each mode, and the weights ``(..., M)``."""
    if isinstance(estimator, IMM):
        return estimator.filters, models or estimator.models, [c.moments() for c in belief.components], belief.weights
    return (estimator,), models or (steps.dynamics,), (belief,), np.ones(1)


def _rows(a: np.ndarray, axes: int, batch: tuple[int, ...]) -> Tensor:
    """An array whose last axes are those of one sequence, as a tensor with one row for each of a batch."""
    own = a.shape[a.ndim - axes :]
    return tensor(np.broadcast_to(a, (*batch, *own)).reshape(math.prod(batch), *own))


def _motion(model: Any, x: Tensor, u: Tensor, dt: float, scale: Tensor) -> Model:
    """A prediction by dynamics, whose noise is D Q D."""
    q = scale.expand(model.state.dim)
    Q = q[:, None] * q * model.noise(x, u, dt)
    return Model(model.state, lambda x, u: model.step(x, u, dt), lambda x, u: model.linearize(x, u, dt)[0], Q, u)


def _reading(sensor: Any, x: Tensor, c: Tensor, r: Any) -> Model:
    """A sensor with its context, whose noise is r^2 R."""
    given = c[:, : sensor.context.size] if sensor.context is not None and sensor.context.size else None
    return Model(sensor.reading, sensor.observe, sensor.linearize, r * r * sensor.noise(x, given), given)


def _predicted(filter: Any, space: Space, model: Model, x: Tensor, P: Tensor) -> Belief:
    """Mean and covariance after a prediction."""
    y, F, B = _line(filter, space, model, x, P)
    return y, F @ P @ F.mT + B + model.noise


def _updated(filter: Any, space: Space, model: Model, z: Tensor, x: Tensor, P: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and covariance after a reading, and its log-likelihood; components that are NaN are left out."""
    expected, H, B = _line(filter, space, model, x, P)
    y = model.space.minus(torch.where(z.isnan(), expected.detach(), z), expected)
    hidden = model.space.minus(z, expected.detach()).isnan()
    both = ~hidden[:, :, None] & ~hidden[:, None, :]
    y, H = torch.where(hidden, 0.0, y), torch.where(hidden[..., None], 0.0, H)
    R = torch.where(both, model.noise + B, torch.eye(y.shape[-1], dtype=x.dtype))
    L = torch.linalg.cholesky(H @ P @ H.mT + R)
    K = torch.cholesky_solve(H @ P, L).mT
    w = torch.linalg.solve_triangular(L, y[..., None], upper=False)[..., 0]
    seen = (~hidden).sum(-1).to(x.dtype)
    log = -0.5 * (w * w).sum(-1) - L.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * math.log(2.0 * math.pi) * seen
    M = torch.eye(space.dim, dtype=x.dtype) - K @ H
    return space.plus(x, (K @ y[..., None])[..., 0]), M @ P @ M.mT + K @ R @ K.mT, log


def _line(filter: Any, space: Space, model: Model, x: Tensor, P: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value y, slope A and covariance B of what the line leaves, of a model near x for a filter."""
    if isinstance(filter, EKF):
        return model.value(x, model.given), model.slope(x, model.given), P.new_zeros(())
    xi, w, v = (tensor(each) for each in filter.sigma_points().unit(space.dim))
    L, some = _root(P)
    y, D = _transformed(space, model, x, L, xi, w)
    T = (w[:, None] * xi).mT @ D * some[..., None]
    A = torch.linalg.solve_triangular(L + torch.diag_embed(1.0 - some), T.mT, upper=False, left=False)
    E = D - xi @ T
    return y, A, E.mT @ (v[:, None] * E)


def _root(P: Tensor) -> tuple[Tensor, Tensor]:
    """L with ``L L' = P``, and 1 or 0 for each column with a pivot or none; see `cholesky_semidefinite`."""
    L, info = torch.linalg.cholesky_ex(P)
    if not bool(info.any()):
        return L, torch.ones_like(P[..., 0])
    columns, pivots = list[Tensor](), list[Tensor]()
    for j in range(P.shape[-1]):
        a = P[..., j] - sum((c * c[..., j : j + 1] for c in columns), torch.zeros_like(P[..., j]))
        below = (torch.arange(P.shape[-1]) >= j).to(P.dtype)
        some = a[..., j : j + 1] > 1e-14 * P[..., j, j, None]
        columns.append(torch.where(some, below * a / torch.where(some, a[..., j : j + 1], 1.0).sqrt(), 0.0))
        pivots.append(some[..., 0].to(P.dtype))
    return torch.stack(columns, dim=-1), torch.stack(pivots, dim=-1)


def _transformed(space: Space, model: Model, x: Tensor, L: Tensor, xi: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of a model's values at the points ``x (+) L xi_i``, and their deviations from it; see `transform`."""
    base, V, halved = model.value(x, model.given)[:, None], xi @ L.mT, _halvings(space, L, xi)
    Y, D = _propagated(space, model, x, V, base, halved)
    if halved == 0 and bool((_turning(model.space) * D.detach().abs() > 2.0 * QUARTER).any()):
        halved = 3
        Y, D = _propagated(space, model, x, V, base, halved)
    return centred(model.space, Y, base[:, 0], D, w.expand(D.shape[:2]), far=halved > 0)


def _propagated(space: Space, model: Model, x: Tensor, V: Tensor, base: Tensor, halved: int) -> tuple[Tensor, Tensor]:
    """``Y_i = g(x (+) V_i)``, and their deviations from the base, followed along the way there."""
    given = None if model.given is None else model.given[:, None]
    Y = model.value(space.plus(x[:, None], 0.5**halved * V), given)
    D = model.space.minus(Y, base)
    for h in range(halved - 1, -1, -1):
        Y = model.value(space.plus(x[:, None], 0.5**h * V), given)
        D = _beside(model.space, Y, base, 2.0 * D)
    return Y, D


def _beside(space: Space, Y: Tensor, base: Tensor, near: Tensor) -> Tensor:
    """``Y (-) base``, of all the deviations that lead to Y the ones next to `near`."""
    return near + space.minus(Y, space.plus(base, near))


def _halvings(space: Space, L: Tensor, xi: Tensor) -> int:
    """The number of halvings of the way to a point, until no wrapped component goes further than a quarter turn."""
    reach = torch.linalg.vector_norm(xi, dim=-1).max() * torch.linalg.vector_norm(L.detach(), dim=-1)
    far = max((_turning(space) * reach).flatten().tolist(), default=0.0)
    return 0 if far <= 2.0 * QUARTER else min(FINEST, math.ceil(math.log2(far / QUARTER)))


@lru_cache(maxsize=64)
def _turning(space: Space) -> Tensor:
    """1 for tangent components that lead back to where they began, such as angles, else 0; ``(dim,)``."""
    return tensor(wrapped(space))


def centred(
    space: Space, Y: Tensor, y: Tensor, D: Tensor, w: Tensor, *, far: bool = False, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor]:
    """The mean of points Y ``(B, N, n)`` of weights ``(B, N)``, and their deviations from it; at first those from y."""
    for n in range(rounds):
        step = (w[..., None] * D).sum(1)
        y = space.plus(y, step)
        D = _beside(space, Y, y[:, None], D - step[:, None]) if far else space.minus(Y, y[:, None])
        still = (step * step <= 1e-26 * (D * D).sum(1)) | (step.abs() <= 1e-15)
        if space.linear or (bool(still.all()) and n + 1 >= (1 if space.flat else LEAST)):
            break
    return y, D


class _Mixing:
    """The mixing of the beliefs of modes on these spaces, by moments; see `IMM`."""

    def __init__(self, spaces: Sequence[Space]) -> None:
        self.spaces = spaces
        self.places, self.tangents = (torch.as_tensor(each) for each in shared_places([*spaces]))

    def __call__(self, beliefs: list[Belief], w: Tensor, T: Tensor) -> tuple[list[Belief], Tensor]:
        """The beliefs from which the modes go on, and their predicted weights ``(B, M)``."""
        c = w @ T
        led = c[:, None, :] > 0.0
        own = torch.eye(len(T), dtype=T.dtype)
        shares = torch.where(led, T * w[..., None] / torch.where(led, c[:, None, :], 1.0), own)
        return [self._mixed(j, beliefs, shares[..., j]) for j in range(len(T))], c

    def _mixed(self, j: int, beliefs: list[Belief], m: Tensor) -> Belief:
        """``sum_i m_i carry(belief_i)`` on the space of mode j, by moments."""
        space = self.spaces[j]
        carried = [self._carried(j, i, beliefs[i], beliefs[j]) for i in range(len(beliefs))]
        X, C = (torch.stack(each, dim=1) for each in zip(*carried, strict=True))
        first = X.take_along_dim(m.argmax(-1)[:, None, None].expand(-1, 1, space.size), dim=1)
        y, e = centred(space, X, first[:, 0], space.minus(X, first), m, rounds=STEPS)
        if not space.flat:
            G = space.transport(X, y[:, None])
            C = G @ C @ G.mT
        return y, (m[..., None, None] * (C + e[..., None] * e[..., None, :])).sum(1)

    def _carried(self, j: int, i: int, given: Belief, fill: Belief) -> Belief:
        """The belief of mode i on the space of mode j, which fills in what it lacks."""
        at, to = self.places[j, i, : self.spaces[j].size], self.tangents[j, i, : self.spaces[j].dim]
        both, neither = (to >= 0)[:, None] & (to >= 0), (to < 0)[:, None] & (to < 0)
        C = given[1][:, to.clamp_min(0)][:, :, to.clamp_min(0)]
        x = torch.where(at >= 0, given[0][:, at.clamp_min(0)], fill[0])
        return x, torch.where(both, C, torch.where(neither, fill[1], 0.0))
