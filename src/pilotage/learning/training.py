"""The training loop: gradient steps on the loss of a trainee, with validation, early stop and a run on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ..core import ModelError, SettingError
from ..core.settings import instance, shown
from ._loop import Loop
from ._processes import joined
from ._streams import torch_streams
from .records import Record, Trained
from .runs import RunFolder
from .training_settings import TrainingSettings


class Trainee(Protocol):
    """An object that `train` trains: modules, and a loss of them.

    More methods are optional:

    - ``validate() -> metrics``, with an entry ``"score"``, which is to become small: it selects the best weights.
      Without it, the mean loss since the last validation does. It runs without gradients, in evaluation mode.
    - ``state() -> JSON`` and ``restore(state)`` for what else evolves, such as the lesson of a curriculum.

    What is random is drawn from the `generator` or by torch's own functions: `train` seeds both at every step.

    Example:
        >>> class Line:
        ...     def __init__(self):
        ...         self.modules = {"line": torch.nn.Linear(1, 1)}
        ...     def loss(self, step, generator):
        ...         x = torch.tensor(generator.uniform(-1, 1, (32, 1)), dtype=torch.float32)
        ...         error = self.modules["line"](x) - (3 * x + 1)
        ...         return error.pow(2).mean(), {"worst": error.abs().max()}
        >>> trained = train(Line(), TrainingSettings(steps=300, rate=0.05))
        >>> trained.end.name, trained.best.loss < 1e-3
        ('COMPLETED', True)
    """

    @property
    def modules(self) -> Mapping[str, torch.nn.Module]:
        """The modules to train, by name."""
        ...

    def loss(self, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, Mapping[str, Any]]:
        """The loss of a gradient step, counted from 0, and metrics whose means are recorded; all are scalars."""
        ...


def train(
    trainee: Trainee,
    settings: TrainingSettings | None = None,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    progress: Callable[[Record], None] | None = None,
) -> Trained:
    """Train the modules of a trainee: in each step, AdamW follows the gradient of the loss.

    Random numbers of a step depend on the seed, the step and the process alone. A run that is killed and resumed
    therefore gives the same numbers, bit for bit on a CPU, as one that was not.

    Under ``torchrun``, every process draws its own batches, and the gradients are averaged; nothing else changes. The
    first process validates and writes the files.

    If the loss becomes NaN or infinite, training ends with the best weights until then.

    Args:
        trainee: modules and their loss; the modules are trained in place.
        settings: settings of the training.
        folder: folder of the run, which is made; None to keep nothing. See `load_best`.
        resume: whether to continue the run in the folder, if there is one. Otherwise, a run in it is an error. With the
            schedule "constant", it may be continued beyond its `steps`.
        progress: a function that is called after every validation, such as `print` or a `TensorBoard`.

    Raises:
        PilotageError: if training diverges before the first validation with a finite score.
        SettingError: if there is a run in the folder that cannot be continued: `resume` is False, or settings differ.
        FormatError: if the run in the folder is damaged, or has another architecture.
        ModelError: if the trainee gives something else than described in `Trainee`.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; Loshchilov and Hutter,
    "Decoupled weight decay regularization", ICLR 2019, algorithm 2.

    Example:
        >>> class Mean:
        ...     def __init__(self):
        ...         self.modules = {"mean": torch.nn.Linear(1, 1, bias=False)}
        ...     def loss(self, step, generator):
        ...         return (self.modules["mean"].weight - 2.0).pow(2).sum(), {}
        >>> trained = train(Mean(), TrainingSettings(steps=200, rate=0.1, validate_every=50))
        >>> [record.step for record in trained.records], trained.best.step
        ([50, 100, 150, 200], 200)
    """
    settings = TrainingSettings() if settings is None else instance(settings, TrainingSettings, "train")
    if resume and folder is None:
        raise SettingError("resume=True needs the folder of the run; give folder=")
    modules = _modules(trainee)
    device = _placed(modules, settings.device)
    with joined(device) as processes, torch_streams(device) as seed:
        run = None if folder is None else RunFolder(folder, settings)
        return Loop(trainee, modules, settings, device, processes, seed, run).trained(resume, progress)


def _modules(trainee: Any) -> Mapping[str, torch.nn.Module]:
    modules: Any = getattr(trainee, "modules", None)
    named = isinstance(modules, Mapping) and all(isinstance(m, torch.nn.Module) for m in modules.values())
    if not named or not any(p.requires_grad for m in modules.values() for p in m.parameters()):
        raise ModelError(f"modules of {type(trainee).__name__} is {shown(modules)}; expected modules with parameters")
    return modules


def _placed(modules: Mapping[str, torch.nn.Module], name: str | None) -> torch.device:
    """The device of the modules, after they were moved to that of the name."""
    if name is None:
        return next(p.device for module in modules.values() for p in module.parameters())
    device = device_of(name)
    for module in modules.values():
        module.to(device)
    return device


def device_of(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU if there is one, under torchrun that of this process.

    Example:
        >>> device_of("cpu")
        device(type='cpu')
    """
    there = torch.cuda.is_available()
    try:
        device = torch.device(("cuda" if there else "cpu") if name == "auto" else name)
    except RuntimeError as error:
        raise SettingError(
            f"device is {name!r}; expected cpu, cuda, cuda:N or auto: {str(error).splitlines()[0]}"
        ) from None
    if device.type == "cuda" and not there:
        raise SettingError(f"device is {name!r}, but torch finds no GPU; give cpu or auto")
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return device
