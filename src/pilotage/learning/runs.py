"""Runs on disk: a folder with ``run.json``, the last state of the training and the best weights, without pickles.

The tensors are first written to files that are named by the hash of their content; then ``run.json``, which names them,
is replaced in one step; finally the files that it no longer names are removed. If the process is killed at any time,
the folder holds a complete checkpoint, old or new.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..core import FormatError, MissingFile, SettingError, require
from ..io import write_atomic
from ._tensors import Tensors, fits, moments, put, restore, taken
from .checkpoint import content_name, tensors_of
from .records import Record, TrainingEnd, best_of
from .training_settings import TrainingSettings

Kind = TypeVar("Kind", bound=TrainingSettings)

VERSION = 1
RUN = "run.json"
ENTRIES = ("format", "settings", "step", "end", "reason", "records", "pending", "state", "last", "best")
FREE = ("device", "save_every")
"""Settings that may change when a run is resumed."""


@dataclass
class Snapshot:
    """The progress of a training besides its tensors."""

    step: int = 0
    records: list[Record] = field(default_factory=list[Record])
    pending: dict[str, list[float]] = field(default_factory=dict[str, list[float]])  # sum and count since a record
    state: Any = None
    end: TrainingEnd | None = None
    reason: str = ""

    def count(self, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a step."""
        for name, value in metrics.items():
            total, number = self.pending.get(name, (0.0, 0))
            self.pending[name] = [total + value, number + 1]

    def means(self) -> dict[str, float]:
        """The means of the metrics since the last call."""
        means = {name: total / number for name, (total, number) in self.pending.items()}
        self.pending = {}
        return means


class RunFolder:
    """The folder of a run with these settings."""

    def __init__(self, folder: str | Path, settings: TrainingSettings) -> None:
        self.folder, self.settings, self._plain = Path(folder), settings, plain(settings)

    @property
    def exists(self) -> bool:
        """Whether there is a run in the folder."""
        return (self.folder / RUN).is_file()

    def write(
        self,
        snapshot: Snapshot,
        modules: Mapping[str, torch.nn.Module],
        optimizer: torch.optim.Optimizer,
        best: Tensors,
    ) -> None:
        """Replace the checkpoint in one step. The last state of a training that diverged stays what it was before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = _config(self.folder) if self.exists else {}
        step, last = snapshot.step, None
        if snapshot.end is TrainingEnd.DIVERGED:
            step, last = before["step"], before["last"]
        files = {
            "last": last or self._put("last", {**taken(modules), **moments(optimizer)}),
            "best": self._put("best", best) if best else None,
        }
        config = {
            "format": VERSION, "settings": self._plain, "step": step,
            "end": None if snapshot.end is None else snapshot.end.value, "reason": snapshot.reason,
            "records": [_coded(asdict(record)) for record in snapshot.records], "pending": _coded(snapshot.pending),
            "state": snapshot.state, **files,
        }  # fmt: skip
        write_atomic(self.folder / RUN, json.dumps(config) + "\n")
        for name in ("last", "best"):
            if before.get(name) not in (None, files[name]):
                (self.folder / before[name]).unlink(missing_ok=True)

    def _put(self, kind: str, tensors: Tensors) -> str:
        content = require("safetensors.torch", extra="learning").save(dict(tensors))
        name = content_name(kind, content)
        if not (self.folder / name).is_file():
            write_atomic(self.folder / name, content)
        return name

    def read(
        self, modules: Mapping[str, torch.nn.Module], optimizer: torch.optim.Optimizer, *, resume: bool
    ) -> tuple[Snapshot, Tensors]:
        """Load the checkpoint into modules and optimiser; the result is the progress, and the best weights."""
        config = _config(self.folder)
        if not resume:
            raise SettingError(
                f"{self.folder} holds a run at step {config['step']}; resume=True continues it, or give another folder"
            )
        self._compare(read_settings(self.folder, type(self.settings)))
        snapshot = _snapshot(config, self.folder)
        if snapshot.end is TrainingEnd.COMPLETED and snapshot.step < self.settings.steps:
            snapshot.end = None
        last = tensors_of(self.folder / _named(config, "last", self.folder))
        best = {} if config["best"] is None else tensors_of(self.folder / _named(config, "best", self.folder))
        fits(best, modules, self.folder)
        put(last, modules, self.folder)
        restore(optimizer, last, self.folder)
        return snapshot, best

    def _compare(self, kept: TrainingSettings) -> None:
        for each in fields(self.settings):
            mine, theirs = getattr(self.settings, each.name), getattr(kept, each.name)
            if mine == theirs or each.name in FREE:
                continue
            if each.name == "steps" and mine > theirs and self.settings.schedule == "constant":
                continue  # the rate of no step depends on their number
            more = ", whose learning rates depend on it" if each.name == "steps" else ""
            raise SettingError(
                f"{each.name} is {mine!r}, but the run in {self.folder} was begun with {theirs!r}{more}; give "
                f"{each.name}={theirs!r}, or another folder, where `load_best` lets a run begin with these weights"
            )


def load_best(folder: str | Path, modules: Mapping[str, torch.nn.Module]) -> Record:
    """Load the best weights of a run into modules; the result is the record of these weights.

    Args:
        folder: folder of the run.
        modules: the modules, by name, as `Trainee.modules`; they are changed only if all weights fit.

    Raises:
        MissingFile: if there is no run in the folder, or a file of it is missing.
        FormatError: if a file is damaged, the weights have other names or shapes, or no validation had a finite score.

    Example:
        >>> from pilotage.learning import TrainingSettings, train
        >>> import tempfile
        >>> class Zero:
        ...     def __init__(self):
        ...         self.modules = {"net": torch.nn.Linear(2, 1)}
        ...     def loss(self, step, generator):
        ...         return self.modules["net"](torch.eye(2)).pow(2).sum(), {}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trained, again = train(Zero(), TrainingSettings(steps=10), folder), Zero()
        ...     load_best(folder, again.modules) == trained.best
        True
    """
    folder = Path(folder)
    config = _config(folder)
    snapshot = _snapshot(config, folder)
    best = best_of(snapshot.records)
    if config["best"] is None or best is None:
        raise FormatError(f"the run in {folder} has no best weights: no validation had a finite score until now")
    put(tensors_of(folder / _named(config, "best", folder)), modules, folder)
    return snapshot.records[best]


def read_settings(folder: str | Path, kind: type[Kind]) -> Kind:
    """The settings of the run in a folder, as an object of the class `kind`.

    Raises:
        MissingFile: if there is no run in the folder.
        FormatError: if the file is damaged, or has settings that the class has not.

    Example:
        >>> from pilotage.learning import TrainingSettings, train
        >>> import tempfile
        >>> class Zero:
        ...     def __init__(self):
        ...         self.modules = {"net": torch.nn.Linear(2, 1)}
        ...     def loss(self, step, generator):
        ...         return self.modules["net"](torch.eye(2)).pow(2).sum(), {}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = train(Zero(), TrainingSettings(steps=10), folder)
        ...     read_settings(folder, TrainingSettings).steps
        10
    """
    folder = Path(folder)
    try:
        return kind(**_config(folder)["settings"])
    except (SettingError, TypeError) as error:
        raise FormatError(f"{folder / RUN} has settings that do not fit: {error}") from error


def read_run_end(folder: str | Path) -> TrainingEnd | None:
    """The reason why the run in a folder ended; None if it did not."""
    return _snapshot(_config(Path(folder)), Path(folder)).end


def plain(settings: TrainingSettings) -> dict[str, Any]:
    """Settings as JSON.

    Raises:
        SettingError: if a field is no number, string or list of these.
    """
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    for name, value in values.items():
        try:
            json.dumps(value)
        except TypeError:
            raise SettingError(
                f"{name} of {type(settings).__name__} is a {type(value).__name__}; expected numbers, strings, "
                f"True, False, None or tuples of them, which can be kept in {RUN}"
            ) from None
    return values


def _config(folder: Path) -> dict[str, Any]:
    path = folder / RUN
    if not path.is_file():
        raise MissingFile(f"there is no run in {folder}: {RUN} is missing")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or config.get("format") != VERSION:
        raise FormatError(f"{path} is no run of format {VERSION}")
    strange, missing = sorted(config.keys() - {*ENTRIES}), [name for name in ENTRIES if name not in config]
    if strange or missing:
        raise FormatError(f"{path} has unknown entries {strange} and lacks {missing}")
    return config


def _named(config: Mapping[str, Any], kind: str, folder: Path) -> str:
    name = config[kind]
    if not isinstance(name, str) or Path(name).name != name:
        raise FormatError(f"{folder / RUN} names no file of tensors: its entry `{kind}` is {name!r}")
    return name


def _snapshot(config: Mapping[str, Any], folder: Path) -> Snapshot:
    try:
        records = [Record(**{**each, **_read(each)}) for each in config["records"]]
        end = None if config["end"] is None else TrainingEnd(config["end"])
        pending = {name: [float(total), int(number)] for name, (total, number) in config["pending"].items()}
        return Snapshot(int(config["step"]), records, pending, config["state"], end, str(config["reason"]))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise FormatError(f"{folder / RUN} is damaged: {error}") from error


def _coded(value: Any) -> Any:
    """A value for JSON, in which numbers that are not finite are strings."""
    if isinstance(value, dict):
        return {name: _coded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_coded(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _read(record: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a record that `_coded` wrote."""
    numbers = {name: float(record[name]) for name in ("loss", "score", "rate")}
    return {**numbers, "metrics": {name: float(value) for name, value in record["metrics"].items()}}
