"""Training of the network behind the parameters of a formula, by gradients through its step."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..core import Rng
from ..core.settings import instance
from ._fit_run import FitRun
from .border import array, tensor
from .fit import Fit
from .parametric import ParametricDynamics
from .records import Epoch
from .regression import Regression
from .scaling import Scaling
from .transitions import split, steps_of, velocities


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
    folder: str | Path | None = None,
    resume: bool = False,
    progress: Callable[[Epoch], None] | None = None,
) -> Fit[ParametricDynamics]:
    """Fit the network behind the parameters of a formula to transitions, by gradients through the step.

    ::

        minimise  mean |(x' (-) step(x, u; p(phi))) / s|^2

    s is the size of the prior's error in each component. The rest is as in `fit`: Adam, a learning rate that decays
    along a cosine, the network with the smallest held-out error, and noise from what it leaves unexplained there.

    Args:
        model: the model to train; it is not changed.
        states, actions, dt, epochs, batch, rate, held_out, rng, folder, resume, progress: as for `fit`.

    Raises:
        ShapeError, SettingError, FormatError, PilotageError: as for `fit`.

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
    run = FitRun(rng, folder, resume=resume, dt=dt, epochs=epochs, batch=batch, rate=rate, held_out=held_out)
    x, u, v = velocities(model, states, actions, run.dt)
    kept, held = split(len(x), run.held_out, run.generator)
    moving = _Moving(model, x[kept], u[kept], v[kept], run.dt)
    rows = torch.cat([x, u, tensor(model.prior.step(array(x), array(u), run.dt))], -1)
    size = Scaling(torch.zeros(rows.shape[1]), torch.ones(rows.shape[1]), moving.scale)
    seed = int(run.generator.integers(2**63))
    examples = Regression(moving, size, rows, v, kept, held, batch=run.batch, seed=seed)
    course = run.passes(examples, steps_of(model, states, actions), progress)
    found = moving.model
    after = model.state.plus(rows[held, -model.state.size :], run.dt * v[held])
    with torch.no_grad():
        left = model.state.minus(after, found.step(x[held], u[held], run.dt))
    noise = array(left.square().mean(0).sqrt()) / math.sqrt(run.dt)
    return Fit(run.kept(found.refined(found.network, found.scaling, noise.tolist())), course, run.seed)


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
        return model.state.minus(y, before.expand(y.shape)) / self.dt / self.scale.to(y)
