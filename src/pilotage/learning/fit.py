"""Training of the network of a learned model on observed transitions."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from ..core import Dynamics, PilotageError, Rng, SettingError, ShapeError, seeded
from ..core.settings import positive, whole
from ._network_dynamics import NetworkDynamics
from ._threads import threads_for, weights
from ._transitions import steps_of
from .border import array, tensor
from .dynamics import LearnedDynamics
from .networks.gaussian_head import loss_of
from .residual import ResidualDynamics
from .scaling import Scaling

Learned = TypeVar("Learned", ResidualDynamics, LearnedDynamics)
Model = TypeVar("Model", bound=Dynamics)


@dataclass(frozen=True)
class Epoch:
    """The progress of training after an epoch.

    Attributes:
        number, of: number of this epoch, and of all epochs.
        loss, validation: mean squared error of the scaled velocity, on the training and the held-out transitions; of a
            `GaussianHead`, the negative log-likelihood.

    Example:
        >>> Epoch(3, 200, loss=0.5, validation=0.6)
        Epoch(number=3, of=200, loss=0.5, validation=0.6)
    """

    number: int
    of: int
    loss: float
    validation: float


@dataclass(frozen=True)
class Fit(Generic[Model]):
    """The result of training: the trained model and the history.

    Attributes:
        model: the model with the network of the smallest validation error; the given model is unchanged.
        epochs: history of the training.
        seed: seed that replays the training; None if a running generator was given.

    Example:
        >>> from pilotage.models import pendulum
        >>> us = np.zeros((8, 5, 1))
        >>> found = fit(ResidualDynamics(pendulum()), pendulum().rollout([0.5, 0.0], us, 0.1), us, 0.1, epochs=3, rng=0)
        >>> len(found.epochs), found.best.of, found.seed
        (3, 3, 0)
    """

    model: Model
    epochs: tuple[Epoch, ...]
    seed: int | None

    @property
    def best(self) -> Epoch:
        """The epoch of the network that was kept."""
        return min(self.epochs, key=lambda epoch: math.inf if math.isnan(epoch.validation) else epoch.validation)


def fit(
    model: Learned,
    states: Any,
    actions: Any,
    dt: float,
    *,
    epochs: int = 200,
    batch: int = 256,
    rate: float = 3e-3,
    held_out: float = 0.1,
    rng: Rng = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Fit[Learned]:
    """Fit the network of a model to transitions, by least squares on ``v = (x' (-) prior.step(x, u, dt)) / dt``.

    A network with a `GaussianHead` is fitted by maximum likelihood instead, see `loss_of`.

    The optimiser is Adam. Inputs and outputs are scaled to unit size, the learning rate decays along a cosine, and the
    network with the smallest error on the held-out transitions is kept. The noise of the model is set to the residual
    of the network on these transitions: ``noise = std(v - g) sqrt(dt)``, in units of the standard deviation that a
    `GaussianHead` gives, which calibrates it on data that it has not seen.

    Args:
        model: the model to train; it is not changed.
        states: states ``(..., T+1, n)``, `dt` seconds apart.
        actions: actions ``(..., T, m)``.
        dt: duration of a transition [s].
        epochs: number of passes over the data.
        batch: number of transitions per gradient step.
        rate: initial learning rate.
        held_out: share of the transitions for validation.
        rng: seed or generator for the split and the batches.
        progress: a function that is called after every epoch.

    Raises:
        ShapeError: if states and actions do not match the model or each other, or are too few.
        PilotageError: if a setting is out of its range, or training diverges.

    Example:
        >>> from pilotage.core import Space
        >>> space, push = Space("x [m]"), Space("v [m/s]")
        >>> us = np.random.default_rng(0).normal(size=(200, 1, 1))
        >>> xs = np.concatenate([np.zeros((200, 1, 1)), 0.1 * us], axis=1)
        >>> learned = fit(LearnedDynamics(space, push), xs, us, 0.1, epochs=60, rng=0).model
        >>> bool(abs(learned.step([0.0], [1.0], 0.1) - 0.1) < 0.01)
        True
    """
    dt, rate = positive(dt, "dt"), positive(rate, "rate")
    epochs, batch = whole(epochs, "epochs"), whole(batch, "batch")
    if not 0.0 < held_out < 1.0:
        raise SettingError(f"held_out is {held_out}; expected a share of the transitions, between 0 and 1")
    x, u, v = transitions(model, states, actions, dt)
    generator, seed = seeded(rng)
    kept, held = split(len(x), held_out, generator)
    phi = torch.cat([model.state.features(x), model.action.features(u)], -1)
    scaling = Scaling.of(phi[kept], v[kept])
    network = copy.deepcopy(model.network)
    with threads_for(batch * weights(network)):
        course, best = train(network, scaling, phi, v, kept, held, epochs, batch, rate, generator, progress)
    if not any(math.isfinite(epoch.validation) for epoch in course):
        raise PilotageError(f"training diverged: no epoch has a finite error; try a rate below {rate}")
    network.load_state_dict(best)
    trained = model.refined(network, scaling, 0.0)
    noise = _unexplained(trained, x[held], u[held], v[held]) * math.sqrt(dt)
    return Fit(model.refined(network, scaling, noise.tolist()), tuple(course), seed)


def split(count: int, held_out: float, generator: np.random.Generator) -> tuple[Any, Any]:
    """Which transitions to train on, and which to hold out."""
    order = generator.permutation(count)
    cut = max(1, round(held_out * count))
    if count - cut < 1:
        raise ShapeError(f"{count} transitions are too few to train on and hold out; give at least two")
    return order[cut:], order[:cut]


def _unexplained(
    model: ResidualDynamics | LearnedDynamics, x: torch.Tensor, u: torch.Tensor, v: torch.Tensor
) -> np.ndarray[Any, Any]:
    """The standard deviation of velocities ``(dim,)`` about the model's, in units of those of its head, if any."""
    with torch.no_grad():
        error, out = v - model.correction(x, u), model.members(x, u)
        variance = torch.ones_like(error) if out.log_variance is None else out.log_variance.exp().mean(0)
        return array((error.square() / variance).mean(0).sqrt())


def transitions(
    model: NetworkDynamics | LearnedDynamics, states: Any, actions: Any, dt: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The states ``(N, n)``, the actions ``(N, m)`` and the velocities ``(N, d)`` that the prior does not explain."""
    x, u, y = steps_of(model, states, actions)
    v = model.state.minus(y, model.prior.step(x, u, dt)) / dt
    return tensor(x), tensor(u), tensor(v)


def train(
    network: torch.nn.Module, scaling: Scaling, phi: torch.Tensor, v: torch.Tensor, kept: Any, held: Any,
    epochs: int, batch: int, rate: float, generator: np.random.Generator, progress: Callable[[Epoch], None] | None,
) -> tuple[list[Epoch], dict[str, Any]]:  # fmt: skip
    """The history of training, and the weights with the smallest error on the held-out transitions."""
    kind = next(network.parameters())
    inputs, targets = scaling.inward(phi).to(kind), (v / scaling.scale).to(kind)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs))
    course: list[Epoch] = []
    best, least = copy.deepcopy(network.state_dict()), math.inf
    for number in range(1, epochs + 1):
        losses: list[float] = []
        shuffled = generator.permutation(kept)
        for start in range(0, len(shuffled), batch):
            rows = torch.as_tensor(shuffled[start : start + batch])
            loss = loss_of(network, inputs[rows], targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        schedule.step()
        network.eval()
        with torch.no_grad():
            validation = float(loss_of(network, inputs[held], targets[held]))
        network.train()
        if validation < least:
            best, least = copy.deepcopy(network.state_dict()), validation
        course.append(Epoch(number, epochs, float(np.mean(losses)), validation))
        if progress is not None:
            progress(course[-1])
    return course, best
