"""Records of the progress of training, and its result."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .training_settings import TrainingSettings


@dataclass(frozen=True)
class Record:
    """The progress of training at a validation.

    Attributes:
        step, of: number of steps done, and of all.
        loss: mean loss since the last validation.
        score: score of the validation, which is to become small; the loss, if the trainee has no `validate`.
        rate: learning rate of the last step.
        metrics: means of the metrics of the loss since the last validation, and metrics of the validation.

    Example:
        >>> Record(100, 1000, loss=0.5, score=0.6, rate=1e-3).step
        100
    """

    step: int
    of: int
    loss: float
    score: float
    rate: float
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


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


class TrainingEnd(enum.Enum):
    """The reason why training ended."""

    COMPLETED = "completed"
    EARLY_STOP = "early stop"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Trained:
    """The result of `train`: the modules of the trainee have the best weights, and are in evaluation mode.

    Attributes:
        best: the record with the smallest score.
        records: all records.
        end: why training ended.
        reason: the same in words; empty if all steps were done.
        settings: settings of the training.

    Example:
        >>> record = Record(100, 100, loss=0.5, score=0.6, rate=1e-3)
        >>> Trained(record, (record,), TrainingEnd.COMPLETED, "", TrainingSettings(steps=100)).best.score
        0.6
    """

    best: Record
    records: tuple[Record, ...]
    end: TrainingEnd
    reason: str
    settings: TrainingSettings

    def to_json(self) -> dict[str, Any]:
        """End, reason, number of steps, and the best record, for JSON."""
        done = self.records[-1].step
        return {"end": self.end.value, "reason": self.reason, "steps": done, "best": asdict(self.best)}


def best_of(records: Sequence[Record]) -> int | None:
    """The index of the first record with the smallest score; None if no score is finite.

    Example:
        >>> best_of([Record(i, 3, loss=0.0, score=s, rate=0.1) for i, s in enumerate([float("nan"), 2.0, 1.0, 1.0])])
        2
    """
    finite = [i for i, record in enumerate(records) if math.isfinite(record.score)]
    return min(finite, key=lambda i: records[i].score) if finite else None


def collapses(records: Sequence[Record], limit: float | None) -> int:
    """The number of records whose score exceeds the best one before by more than a limit; 0 without a limit.

    Example:
        >>> collapses([Record(i, 3, loss=0.0, score=s, rate=0.1) for i, s in enumerate([0.5, 0.2, 0.6, 0.3])], 0.2)
        1
    """
    if limit is None:
        return 0
    best, count = math.inf, 0
    for record in records:
        count += not record.score <= best + limit
        best = min(best, record.score) if math.isfinite(record.score) else best
    return count
