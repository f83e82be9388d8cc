"""The training loop: gradient steps on the loss of a trainee, with validation, early stop and a run on disk."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ..core import ModelError, PilotageError, SettingError
from ..core.settings import instance, shown
from ._processes import Processes, joined
from ._tensors import put, taken
from .records import Record, Trained, TrainingEnd, best_of
from .runs import RunFolder, Snapshot
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
        resume: whether to continue the run in the folder, if there is one. Otherwise, a run in it is an error.
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
    modules = _modules(trainee)
    device = _placed(modules, settings.device)
    with joined(device) as processes, _streams(device) as seed:
        run = None if folder is None else RunFolder(folder, settings)
        return _Loop(trainee, modules, settings, device, processes, seed, run).trained(resume, progress)


class _Loop:
    """The state of a training, and its steps."""

    def __init__(
        self, trainee: Any, modules: Mapping[str, torch.nn.Module], settings: TrainingSettings, device: torch.device,
        processes: Processes, seed: Callable[[int], None], run: RunFolder | None,
    ) -> None:  # fmt: skip
        self.trainee, self.modules, self.settings, self.processes = trainee, modules, settings, processes
        self.seed, self.run = seed, run
        self.parameters = [p for module in modules.values() for p in module.parameters() if p.requires_grad]
        decay, fused = settings.weight_decay, device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.AdamW(self.parameters, lr=settings.rate, weight_decay=decay, fused=fused)
        mixed = settings.precision == "mixed" and device.type == "cuda"
        self.cast = (lambda: torch.autocast("cuda", torch.bfloat16)) if mixed else nullcontext
        self.snapshot, self.best = Snapshot(), dict[str, torch.Tensor]()

    def trained(self, resume: bool, progress: Callable[[Record], None] | None) -> Trained:
        """Take all steps that are left."""
        self._begin(resume)
        for step in range(self.snapshot.step, self.settings.steps):
            if self.snapshot.end is not None:
                break
            self._step(step)
            self._ended(step + 1, progress)
        return self._result()

    def _begin(self, resume: bool) -> None:
        """Continue the run in the folder, or start one; all processes have the same weights afterwards."""
        found = self.processes.told(self.run is not None and self.run.exists)
        if self.run is not None and found:
            self.snapshot, self.best = self.run.read(self.modules, self.optimizer, resume=resume)
            if self.snapshot.state is not None:
                self.trainee.restore(self.snapshot.state)
        self.processes.same(value for m in self.modules.values() for value in m.state_dict().values())
        if self.processes.first and not found:
            self._save()

    def _step(self, step: int) -> None:
        self._mode(training=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate_at(step)
        generator = stream(self.settings.seed, step, self.processes.rank)
        self.seed(int(generator.bit_generator.random_raw()))
        self.optimizer.zero_grad()
        with self.cast():
            loss, metrics = _answer(self.trainee, step, generator)
        loss.backward()
        value = self.processes.mean(loss, self.parameters)
        if not math.isfinite(value):
            self.snapshot.end = TrainingEnd.DIVERGED
            self.snapshot.reason = f"training diverged: the loss of step {step + 1} is {value}"
            return
        if self.settings.clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
            metrics = {**metrics, "gradient_norm": norm}
        self.optimizer.step()
        self.snapshot.count({"loss": value, **{name: _number(each) for name, each in metrics.items()}})

    def _ended(self, done: int, progress: Callable[[Record], None] | None) -> None:
        """Validate and save after a step, if it is time to."""
        if self.snapshot.end is None:
            self.snapshot.step = done
            if done % self.settings.validate_every == 0 or done == self.settings.steps:
                self._validate(done)
                if progress is not None and self.processes.first:
                    progress(self.snapshot.records[-1])
        ended = self.snapshot.end is not None
        if self.processes.first and (ended or done % self.settings.save_every == 0):
            self._save()

    def _validate(self, done: int) -> None:
        means, found = self.snapshot.means(), {}
        if self.processes.first and hasattr(self.trainee, "validate"):
            self._mode(training=False)
            with torch.no_grad():
                found = {name: _number(value) for name, value in self.trainee.validate().items()}
            if "score" not in found:
                raise ModelError(f"validate of {type(self.trainee).__name__} gives {sorted(found)}; expected a score")
        found = self.processes.told(found)
        loss = means.pop("loss")
        score, rate = found.pop("score", loss), self.settings.rate_at(done - 1)
        self.snapshot.records.append(Record(done, self.settings.steps, loss, score, rate, {**means, **found}))
        self._judge(done)
        if self.processes.count > 1 and hasattr(self.trainee, "state"):
            self.trainee.restore(self.processes.told(self.trainee.state()))

    def _judge(self, done: int) -> None:
        """Keep the weights if they are the best, and stop if there were none for long."""
        records, patience = self.snapshot.records, self.settings.patience
        best = best_of(records)
        if best == len(records) - 1:
            self.best = taken(self.modules)
        stale = len(records) - 1 - (-1 if best is None else best)
        if done == self.settings.steps:
            self.snapshot.end = TrainingEnd.COMPLETED
        elif patience is not None and stale >= patience:
            self.snapshot.end = TrainingEnd.EARLY_STOP
            self.snapshot.reason = f"the score did not improve in {patience} validations"

    def _save(self) -> None:
        if self.run is None:
            return
        if self.snapshot.end is not TrainingEnd.DIVERGED:
            self.snapshot.state = self.trainee.state() if hasattr(self.trainee, "state") else None
        self.run.write(self.snapshot, self.modules, self.optimizer, self.best)

    def _result(self) -> Trained:
        snapshot, best = self.snapshot, best_of(self.snapshot.records)
        if best is None:
            reason = snapshot.reason or "training diverged: no validation has a finite score"
            raise PilotageError(f"{reason}; try a rate below {self.settings.rate:g}")
        put(self.best, self.modules)
        self._mode(training=False)
        end = snapshot.end or TrainingEnd.COMPLETED
        return Trained(snapshot.records[best], tuple(snapshot.records), end, snapshot.reason, self.settings)

    def _mode(self, *, training: bool) -> None:
        for module in self.modules.values():
            if module.training != training:
                module.train(training)


def stream(seed: int, step: int, rank: int = 0) -> np.random.Generator:
    """The random numbers of a step, by a counter-based generator: nothing has to be kept between steps.

    Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Example:
        >>> stream(3, 5).random() == stream(3, 5).random(), stream(3, 5).random() == stream(3, 6).random()
        (True, False)
    """
    return np.random.Generator(np.random.Philox(key=seed % 2**128, counter=[0, 0, step, rank]))


@contextmanager
def _streams(device: torch.device) -> Iterator[Callable[[int], None]]:
    """A function that seeds torch's own streams; the caller finds them unchanged afterwards."""
    gpus = [device] if device.type == "cuda" else []
    streams = [torch.default_generator, *(torch.cuda.default_generators[gpu.index or 0] for gpu in gpus)]

    def seed(number: int) -> None:
        for each in streams:  # torch.manual_seed does the same in 90 us instead of 1
            each.manual_seed(number)

    with torch.random.fork_rng(devices=gpus):
        yield seed


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)


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


def _answer(trainee: Any, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, Mapping[str, Any]]:
    answer = trainee.loss(step, generator)
    if isinstance(answer, tuple) and len(answer) == 2:
        loss, metrics = answer
        if isinstance(loss, torch.Tensor) and loss.numel() == 1 and loss.requires_grad and isinstance(metrics, Mapping):
            return loss.reshape(()), metrics
    raise ModelError(
        f"loss of {type(trainee).__name__} gives {shown(answer)}; expected a scalar tensor with gradients, and metrics"
    )
