"""The world `dynamics`: a network learns how a model of the library moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core import Dynamics, FormatError, SettingError
from ...core.arrays import Array
from ...core.confidence import Share
from ...core.registry import Registry
from ...core.settings import Count, Natural, Positive, settings
from .._processes import first_process
from ..dynamics import LearnedDynamics
from ..evaluation import EvaluationProtocol
from ..networks import MLP
from ..records import Record
from ..runs import read_run_end, read_settings
from ..training import train
from ..training_settings import TrainingSettings
from ..transitions import Transitions


@settings(kw_only=True)
class DynamicsSettings(TrainingSettings):
    """Settings of the world `dynamics`, besides those of every training.

    Attributes:
        model: name of a model in `pilotage.models`, or ``module:object`` for another.
        drives: number of recorded drives.
        length: number of steps per drive.
        dt: duration of a step [s].
        hidden: width of each hidden layer.
        batch: number of transitions per gradient step.
        held_out: share of the transitions for validation.

    Example:
        >>> DynamicsSettings(model="unicycle").drives
        200
    """

    steps: Count = 4000
    rate: Positive = 3e-3
    clip: Positive | None = None
    save_every: Count = 1000
    model: str = "pendulum"
    drives: Count = 200
    length: Count = 25
    dt: Positive = 0.05
    hidden: tuple[Count, ...] = (64, 64)
    batch: Count = 256
    held_out: Share = 0.1


@settings(kw_only=True)
class DynamicsOptions:
    """Settings of the evaluation.

    Attributes:
        drives: number of drives.
        length: number of steps per drive.
        tolerance: largest relative error at the end of a drive that succeeds.
        seed: seed of the drives.

    Example:
        >>> DynamicsOptions(length=10).tolerance
        0.1
    """

    drives: Count = 200
    length: Count = 25
    tolerance: Positive = 0.1
    seed: Natural = 0


class DynamicsWorld:
    """A network learns how a model of the library moves, from random drives.

    Random drives start in random states and have random actions in every step. A `LearnedDynamics` is trained on their
    transitions and saved. It is evaluated on other drives, by its error relative to the motion::

        one_step  = sqrt(mean |(model(x, u) (-) x') / s_1|^2),      s_k: root mean square of x_k (-) x_0, per component
        open_loop = sqrt(mean |(model^T(x_0, us) (-) x_T) / s_T|^2)

    so that a model that never moves has the error 1. A drive succeeds if its open-loop error is below the tolerance.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     world = DynamicsWorld()
        ...     found = world.train(DynamicsSettings(model="unicycle", drives=20, steps=100), Path(folder))
        ...     result = world.evaluate(Path(folder), DynamicsOptions(drives=10))
        >>> found["end"], sorted(result)
        ('completed', ['model', 'one_step', 'open_loop', 'success'])
    """

    settings = DynamicsSettings
    options = DynamicsOptions

    def train(
        self,
        settings: DynamicsSettings,
        folder: Path,
        *,
        resume: bool = False,
        progress: Callable[[Record], None] | None = None,
    ) -> Mapping[str, Any]:
        """Train on random drives, and save a `LearnedDynamics` in the folder."""
        model, generator = model_of(settings.model), np.random.default_rng(settings.seed)
        xs, us = random_drives(model, settings.drives, settings.length, settings.dt, generator)
        network = MLP(
            model.state.width + model.action.width, model.state.dim, hidden=settings.hidden, seed=settings.seed
        )
        data = Transitions(
            LearnedDynamics(model.state, model.action, network), xs, us, settings.dt,
            batch=settings.batch, held_out=settings.held_out, generator=generator,
        )  # fmt: skip
        with data.examples.threads():
            trained = train(data.examples, settings, folder, resume=resume, progress=progress)
        if first_process():
            data.model().save(folder)
        return trained.to_json()

    def evaluate(self, folder: Path | None, options: DynamicsOptions) -> Mapping[str, Any]:
        """The errors of the model in the folder, and the share of drives whose end it predicts."""
        if folder is None:
            raise SettingError("the world dynamics has no weights in the package; train it, and give folder=")
        kept = read_settings(folder, DynamicsSettings)
        end, model = read_run_end(folder), model_of(kept.model)
        if end is None:
            raise FormatError(f"the run in {folder} has not ended; resume=True continues it")
        learned, stream = LearnedDynamics.load(folder), np.random.default_rng([options.seed, 1])
        xs, us = random_drives(model, options.drives, options.length, kept.dt, stream)
        one = relative_errors(model, learned.step(xs[:, 0], us[:, 0], kept.dt), xs[:, 0], xs[:, 1])
        errors = relative_errors(model, learned.rollout(xs[:, 0], us, kept.dt)[:, -1], xs[:, 0], xs[:, -1])
        protocol = EvaluationProtocol(
            world="dynamics", starts=f"{kept.model}, random states and actions, dt {kept.dt}", goals="open loop",
            budget=options.length, episodes=options.drives, seed=options.seed,
            success=(("relative error", options.tolerance),),
        )  # fmt: skip
        return {
            "model": kept.model, "one_step": _rms(one), "open_loop": _rms(errors),
            "success": protocol.rate(errors < options.tolerance).to_json(),
        }  # fmt: skip


def model_of(name: str) -> Dynamics:
    """A model of the library with its default parameters, or ``module:object``.

    Raises:
        SettingError: if there is none of this name, or it is no dynamics.

    Example:
        >>> model_of("pendulum").state.names
        ('theta', 'theta_rate')
    """
    from ... import models

    if ":" in name:
        made = Registry("model", "pilotage.models").get(name)
    elif name in models.__all__:
        made = getattr(models, name)
    else:
        raise SettingError(f"there is no model {name!r} in pilotage.models; your own is module:object")
    model = made() if callable(made) else made
    if not isinstance(model, Dynamics):
        raise SettingError(f"{name!r} is a {type(model).__name__}; expected a name of dynamics, such as pendulum")
    return model


def random_drives(
    model: Dynamics, count: int, length: int, dt: float, generator: np.random.Generator
) -> tuple[Array, Array]:
    """The states ``(count, length + 1, n)`` and actions ``(count, length, m)`` of drives with random actions.

    Raises:
        SettingError: if a drive does not stay finite.

    Example:
        >>> from pilotage.models import unicycle
        >>> xs, us = random_drives(unicycle(), 4, 9, 0.1, np.random.default_rng(0))
        >>> xs.shape, us.shape
        ((4, 10, 3), (4, 9, 2))
    """
    us = model.action.sample((count, length), rng=generator)
    xs = np.asarray(model.rollout(model.state.sample(count, rng=generator), us, dt))
    if not np.isfinite(xs).all():
        raise SettingError(f"length is {length}, but random drives of {model!r} do not stay finite; give less, or dt")
    return xs, us


def relative_errors(model: Dynamics, predicted: Array, start: Array, end: Array) -> Array:
    """The error of each prediction ``(N,)``, relative to the root mean square of the motion in each component."""
    motion = np.sqrt((model.state.minus(end, start) ** 2).mean(0))
    error = model.state.minus(predicted, end) / np.where(motion > 1e-12, motion, 1.0)
    return np.sqrt((error**2).mean(-1))


def _rms(errors: Array) -> float:
    return float(np.sqrt((errors**2).mean()))
