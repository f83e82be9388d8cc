"""The plumbing of `fit` and `fit_parameters`: their settings, their passes over the data, and the run on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..core import Rng, SettingError, seeded
from ..core.confidence import Share
from ..core.settings import Count, Positive, setting
from ._processes import first_process, launched
from .records import Epoch, Record
from .regression import Regression
from .runs import RUN, read_settings
from .training_settings import FitSettings

Model = TypeVar("Model", bound=Any)


class FitRun:
    """The settings of a fit, and its folder."""

    def __init__(
        self, rng: Rng, folder: str | Path | None, *, resume: bool,
        dt: float, epochs: int, batch: int, rate: float, held_out: float,
    ) -> None:  # fmt: skip
        self.dt, self.rate = setting(dt, Positive, "dt"), setting(rate, Positive, "rate")
        self.epochs, self.batch = setting(epochs, Count, "epochs"), setting(batch, Count, "batch")
        self.held_out, self.resume = setting(held_out, Share, "held_out"), setting(resume, bool, "resume")
        self.folder = None if folder is None else Path(folder)
        if resume and folder is None:
            raise SettingError("resume=True needs the folder of the run; give folder=")
        rng = rng if self.folder is None else self._seed(rng, self.folder)
        if rng is None and launched():
            raise SettingError("rng is None; expected a seed, so that all processes of torchrun hold out the same data")
        self.generator, self.seed = seeded(rng)

    def _seed(self, rng: Rng, folder: Path) -> Any:
        """The seed of the run in the folder, or that of a new one."""
        if isinstance(rng, np.random.Generator):
            raise SettingError("rng is a Generator; expected a seed, from which the run in a folder can be repeated")
        known = read_settings(folder, FitSettings).seed if self._found(folder) else rng
        if rng is not None and rng != known:
            raise SettingError(
                f"rng is {rng}, but the run in {folder} was begun with {known}; give rng={known}, or another folder"
            )
        return known

    def _found(self, folder: Path) -> bool:
        return self.resume and (folder / RUN).is_file()

    def passes(self, examples: Regression, data: Any, progress: Callable[[Epoch], None] | None) -> tuple[Epoch, ...]:
        """The history of the training; the network has the best weights afterwards."""

        def epoch(record: Record) -> Epoch:
            return Epoch(record.step // examples.batches, self.epochs, record.loss, record.score)

        settings = FitSettings(
            **examples.schedule(self.epochs, self.rate), seed=self.seed or 0, dt=self.dt, epochs=self.epochs,
            batch=self.batch, held_out=self.held_out, data=_hash(*data, *examples.modules["network"].parameters()),
        )  # fmt: skip
        if self.folder is not None and self._found(self.folder):
            self._compare(settings, read_settings(self.folder, FitSettings))
        report = None if progress is None else lambda record: progress(epoch(record))
        trained = examples.trained(settings, self.folder, resume=self.resume, progress=report)
        return tuple(map(epoch, trained.records))

    def _compare(self, settings: FitSettings, known: FitSettings) -> None:
        if settings.data != known.data:
            raise SettingError(
                f"states, actions or initial weights differ from those of the run in {self.folder}; "
                "give the same, or another folder"
            )

    def kept(self, model: Model) -> Model:
        """The model, after it was saved in the folder."""
        if self.folder is not None and first_process():
            model.save(self.folder)
        return model


def _hash(*values: Any) -> str:
    """The hash of arrays and tensors."""
    found = hashlib.sha256()
    for value in values:
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value, dtype=np.float64)
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()[:16]
