"""Curves of a training for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core import require
from .records import Epoch, Record


class TensorBoard:
    """A `progress` of `train`, `fit` or `fit_parameters` that writes events, which TensorBoard draws.

    The curves are loss, score, rate and metrics by step; those of a fit are loss and validation by epoch.

    If a run is resumed, curves beyond its checkpoint are replaced.

    Args:
        folder: folder of the events; ``tensorboard --logdir FOLDER`` shows it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with TensorBoard(folder) as board:
        ...         board(Record(10, 100, loss=0.5, score=0.6, rate=1e-3))
        ...     len(list(Path(folder).iterdir()))
        1
    """

    def __init__(self, folder: str | Path) -> None:
        require("tensorboard", extra="learning")
        self._folder, self._writer = Path(folder), None

    def __call__(self, record: Record | Epoch) -> None:
        if isinstance(record, Epoch):
            step, values = record.number, {"loss": record.loss, "validation": record.validation}
        else:
            step, values = record.step, {"loss": record.loss, "score": record.score, "rate": record.rate}
            values |= record.metrics
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer: Any = SummaryWriter(str(self._folder), purge_step=step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
