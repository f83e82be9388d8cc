"""Training of the network of a learned model on observed transitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..core import Dynamics, Rng, SettingError, seeded
from ..core.settings import positive, whole
from .records import Record
from .regression import Regression
from .transitions import Learned, Transitions

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
        >>> import numpy as np
        >>> from pilotage.learning import ResidualDynamics
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
        states: states ``(..., T+1, n)``, `dt` seconds apart, or a list of episodes of any lengths.
        actions: actions ``(..., T, m)``, or a list of those of each episode.
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
        >>> import numpy as np
        >>> from pilotage.core import Space
        >>> from pilotage.learning import LearnedDynamics
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
    generator, seed = seeded(rng)
    data = Transitions(model, states, actions, dt, batch=batch, held_out=held_out, generator=generator)
    course = passes(data.examples, epochs, rate, progress)
    return Fit(data.model(), course, seed)


def passes(
    examples: Regression, epochs: int, rate: float, progress: Callable[[Epoch], None] | None
) -> tuple[Epoch, ...]:
    """The history of a training in passes over all examples; the network has the best weights afterwards."""

    def epoch(record: Record) -> Epoch:
        return Epoch(record.step // examples.batches, epochs, record.loss, record.score)

    report = None if progress is None else lambda record: progress(epoch(record))
    return tuple(map(epoch, examples.fitted(epochs, rate, report).records))
