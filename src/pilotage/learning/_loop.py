"""The steps of the training loop; see `train`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from ..core import ModelError, PilotageError
from ..core.settings import shown
from ._processes import Processes
from ._streams import stream
from ._tensors import copied_weights, load_weights
from .records import Record, Trained, TrainingEnd, best_of, collapses
from .runs import RunFolder, Snapshot
from .training_settings import TrainingSettings


class Loop:
    """The state of a training, and its steps."""

    def __init__(
        self, trainee: Any, modules: Mapping[str, torch.nn.Module], settings: TrainingSettings, device: torch.device,
        processes: Processes, seed: Callable[[int], None], run: RunFolder | None,
    ) -> None:  # fmt: skip
        self.trainee, self.modules, self.settings, self.processes = trainee, modules, settings, processes
        self.seed, self.run = seed, run
        every = {id(p): p for module in modules.values() for p in module.parameters()}  # modules may share some
        self.parameters = [p for p in every.values() if p.requires_grad]
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
        for module in self.modules.values():
            module.train()  # a part of it may have evaluated before
        self.processes.same(value for m in self.modules.values() for value in m.state_dict().values())
        if self.processes.first and not found:
            self._save()

    def _step(self, step: int) -> None:
        self._mode(training=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        generator = stream(self.settings.seed, step, self.processes.rank)
        self.seed(int(generator.bit_generator.random_raw()))
        self.optimizer.zero_grad()
        with self.cast():
            loss, metrics = _answer(self.trainee, step, generator)
        loss.backward()
        metrics = {**metrics, "loss": self.processes.mean(loss, self.parameters)}
        if self.settings.clip is not None:
            metrics["gradient_norm"] = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        numbers = {name: _number(value) for name, value in metrics.items()}
        if not math.isfinite(numbers["loss"] + numbers.get("gradient_norm", 0.0)):
            self.snapshot.end = TrainingEnd.DIVERGED
            self.snapshot.reason = f"training diverged: in step {step + 1} the loss is {numbers['loss']}" + (
                f", and the norm of its gradient {numbers['gradient_norm']}" if "gradient_norm" in numbers else ""
            )
            return
        self.optimizer.step()
        self.snapshot.count(numbers)

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
        means, found = self.snapshot.means(), dict[str, float]()
        if self.processes.first and hasattr(self.trainee, "validate"):
            self._mode(training=False)
            with torch.no_grad():
                found = _validated(self.trainee)
        found = self.processes.told(found)
        loss = means.pop("loss")
        score, rate = found.pop("score", loss), self._rate(done - 1)
        self.snapshot.records.append(Record(done, self.settings.steps, loss, score, rate, {**means, **found}))
        self._judge(done)
        if self.processes.count > 1 and hasattr(self.trainee, "state"):
            self.trainee.restore(self.processes.told(self.trainee.state()))

    def _rate(self, step: int) -> float:
        """The learning rate of a step: half of that of the schedule after each collapse."""
        return self.settings.rate_at(step) * 0.5 ** collapses(self.snapshot.records, self.settings.collapse)

    def _judge(self, done: int) -> None:
        """Keep the weights if they are the best, return to those after a collapse, and stop if none were for long."""
        records, patience = self.snapshot.records, self.settings.patience
        best = best_of(records)
        if best == len(records) - 1:
            self.best = copied_weights(self.modules)
        elif collapses(records, self.settings.collapse) > collapses(records[:-1], self.settings.collapse):
            load_weights(self.best, self.modules)
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
        load_weights(self.best, self.modules)
        self._mode(training=False)
        end = snapshot.end or TrainingEnd.COMPLETED
        return Trained(snapshot.records[best], tuple(snapshot.records), end, snapshot.reason, self.settings)

    def _mode(self, *, training: bool) -> None:
        for module in self.modules.values():
            if module.training != training:
                module.train(training)


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)


def _answer(trainee: Any, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, Mapping[str, Any]]:
    answer = trainee.loss(step, generator)
    if isinstance(answer, tuple) and len(answer) == 2:
        loss, metrics = answer
        if isinstance(loss, torch.Tensor) and loss.numel() == 1 and loss.requires_grad and isinstance(metrics, Mapping):
            return loss.reshape(()), metrics
    raise ModelError(
        f"loss of {type(trainee).__name__} gives {shown(answer)}; expected a scalar tensor with gradients, and metrics"
    )


def _validated(trainee: Any) -> dict[str, float]:
    found = trainee.validate()
    if not isinstance(found, Mapping) or "score" not in found:
        raise ModelError(f"validate of {type(trainee).__name__} gives {shown(found)}; expected metrics with a score")
    return {name: _number(value) for name, value in found.items()}
