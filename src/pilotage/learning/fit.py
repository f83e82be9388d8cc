"""Training of the network of a learned model on observed transitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..core import Dynamics, Rng, SettingError
from ..core.settings import shown
from ._fit_run import FitRun
from .dynamics import LearnedDynamics
from .records import Epoch
from .residual import ResidualDynamics
from .transitions import Learned, Transitions, steps_of

Model = TypeVar("Model", bound=Dynamics)


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
    folder: str | Path | None = None,
    resume: bool = False,
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
        rng: seed or generator for the split and the batches; under ``torchrun``, a seed.
        folder: folder of the run, which is made, as that of `train`; at the end, the model is saved in it, too. None to
            keep nothing.
        resume: whether to continue the run in the folder, if there is one, to the numbers of a run that was not
            interrupted. `rng` may then be left out.
        progress: a function that is called after every epoch, such as `print` or a `TensorBoard`.

    Raises:
        ShapeError: if states and actions do not match the model or each other, or are too few.
        SettingError: if a setting is out of its range, or there is a run in the folder that cannot be continued:
            `resume` is False, or settings, data or initial weights differ.
        FormatError: if the run in the folder is damaged, or has another architecture.
        PilotageError: if training diverges, or numbers are too large.

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
    if not isinstance(model, ResidualDynamics | LearnedDynamics):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(
            f"fit needs ResidualDynamics or LearnedDynamics, not {shown(model)} of type {type(model).__name__}; "
            "fit_parameters is for ParametricDynamics"
        )
    run = FitRun(rng, folder, resume=resume, dt=dt, epochs=epochs, batch=batch, rate=rate, held_out=held_out)
    split: Any = {"batch": run.batch, "held_out": run.held_out, "generator": run.generator}
    data = Transitions(model, states, actions, run.dt, **split)
    course = run.passes(data.examples, steps_of(model, states, actions), progress)
    return Fit(run.kept(data.model()), course, run.seed)
