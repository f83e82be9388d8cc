"""Training of the network behind the parameters of a formula, by gradients through its step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch

from ..core import Rng, seeded
from ..core.settings import Count, Fraction, Positive, instance, setting
from .border import array, tensor
from .fit import Epoch, Fit, passes
from .parametric import ParametricDynamics
from .regression import Regression
from .scaling import Scaling
from .transitions import split, velocities


def fit_parameters(
    model: ParametricDynamics,
    states: Any,
    actions: Any,
    dt: float,
    *,
    epochs: int = 200,
    batch: int = 256,
    rate: float = 1e-2,
    held_out: float = 0.1,
    rng: Rng = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Fit[ParametricDynamics]:
    """Fit the network behind the parameters of a formula to transitions, by gradients through the step.

    ::

        minimise  mean |(x' (-) step(x, u; p(phi))) / s|^2

    s is the size of the prior's error in each component. The rest is as in `fit`: Adam, a learning rate that decays
    along a cosine, the network with the smallest held-out error, and noise from what it leaves unexplained there.

    Args:
        model: the model to train; it is not changed.
        states, actions, dt, epochs, batch, rate, held_out, rng, progress: as for `fit`.

    Raises:
        ShapeError: if states and actions do not match the model or each other, or are too few.
        PilotageError: if a setting is out of its range, or training diverges.

    Example:
        >>> import numpy as np
        >>> from pilotage.models import pendulum
        >>> real = pendulum(damping=0.4)
        >>> us = np.zeros((20, 10, 1))
        >>> xs = real.rollout(real.state.sample(20, rng=0), us, 0.05)
        >>> blank = ParametricDynamics(pendulum(damping=0.1), {"damping": (0.0, 1.0)}, inputs="theta_rate")
        >>> swing = fit_parameters(blank, xs, us, 0.05, epochs=60, rng=0).model
        >>> bool(abs(swing.parameters([0.0, 2.0], [0.0])["damping"] - 0.4) < 0.05)
        True
    """
    instance(model, ParametricDynamics, "fit_parameters")
    dt, rate = setting(dt, Positive, "dt"), setting(rate, Positive, "rate")
    epochs, batch = setting(epochs, Count, "epochs"), setting(batch, Count, "batch")
    held_out = setting(held_out, Fraction, "held_out")
    x, u, v = velocities(model, states, actions, dt)
    generator, seed = seeded(rng)
    kept, held = split(len(x), held_out, generator)
    moving = _Moving(model, x[kept], u[kept], v[kept], dt)
    rows = torch.cat([x, u, tensor(model.prior.step(array(x), array(u), dt))], -1)
    size = Scaling(torch.zeros(rows.shape[1]), torch.ones(rows.shape[1]), moving.scale)
    examples = Regression(moving, size, rows, v, kept, held, batch=batch, seed=int(generator.integers(2**63)))
    course = passes(examples, epochs, rate, progress)
    found = moving.model
    left = model.state.minus(
        model.state.plus(rows[held, -model.state.size :], dt * v[held]), found.step(x[held], u[held], dt)
    )
    noise = array(left.square().mean(0).sqrt()) / math.sqrt(dt)
    return Fit(found.refined(found.network, found.scaling, noise.tolist()), course, seed)


class _Moving(torch.nn.Module):
    """A copy of a model as a network from rows (x, u, next state of the prior) to the velocity that it adds, scaled."""

    def __init__(self, model: ParametricDynamics, x: torch.Tensor, u: torch.Tensor, v: torch.Tensor, dt: float) -> None:
        super().__init__()
        scaling = Scaling.of(model.features(x, u), v)
        ones = torch.ones(len(model.ranges), dtype=torch.float64)
        self.scale, self.dt = scaling.scale, dt
        self.network = copy.deepcopy(model.network)
        self.model = model.refined(self.network, Scaling(scaling.mean, scaling.std, ones), None)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """``((step(x, u) (-) prior) / dt) / scale``, of each member."""
        model, n, m = self.model, self.model.state.size, self.model.action.size
        x, u, before = rows.double().split((n, m, n), -1)
        y = model.advanced(x, u, self.dt, model.member_values(x, u))
        return model.state.minus(y, before.expand(y.shape)) / self.dt / self.scale
