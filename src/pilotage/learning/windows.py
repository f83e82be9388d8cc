"""Windows of sequences for training: shuffled batches of pieces of episodes, from memory-mapped files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch

from ..core.errors import PilotageError
from ..core.settings import Count, Interval, by_name, setting
from ..io import Sequences


class Windows:
    """Batches of windows of `length` steps of episodes, in a new order each epoch.

    ::

        windows of an episode of T steps begin at 0, stride, 2 stride, ... <= T - length

    Only the windows of a batch are read, so the episodes may be larger than the memory. No window reaches from one
    episode into the next, and episodes shorter than `length` have none. The order depends on the seed and the number of
    the epoch alone, so that a training that was interrupted goes on with the same batches.

    Args:
        sequences: the episodes.
        length: steps of a window: it has ``length + 1`` observations and `length` actions.
        batch: windows in a batch; the last batch of an epoch has what is left.
        stride: steps from the start of a window to the next.
        seed: seed of the order.

    Raises:
        PilotageError: if no episode is long enough.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pilotage.io import Episode, write_sequences
        >>> walk = Episode(np.zeros((11, 2)), np.zeros((10, 1)), np.zeros(10), [False] * 10, [False] * 10)
        >>> with TemporaryDirectory() as place:
        ...     write_sequences(f"{place}/walks", [walk, walk])
        ...     windows = Windows(Sequences(f"{place}/walks"), length=4, batch=5)
        ...     shapes = [tuple(part["observations"].shape) for part in windows.epoch(0)]
        >>> len(windows), shapes
        (14, [(5, 5, 2), (5, 5, 2), (4, 5, 2)])
    """

    @by_name
    def __init__(self, sequences: Sequences, *, length: int, batch: int, stride: int = 1, seed: int = 0) -> None:
        for name, value in (("length", length), ("batch", batch), ("stride", stride)):
            setting(value, Count, name)
        setting(seed, Annotated[int, Interval(0, np.inf, "[)")], "seed")
        self.sequences, self.length, self.batch, self.stride, self.seed = sequences, length, batch, stride, seed
        room = sequences.lengths - length
        self._ends = np.cumsum(np.where(room >= 0, room // stride + 1, 0))
        if len(self) == 0:
            longest = int(sequences.lengths.max(initial=0))
            raise PilotageError(f"no episode has {length} steps, the longest {longest}; give a shorter length")

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def place(self, k: int) -> tuple[int, int]:
        """The episode and the first step of window k."""
        episode = int(np.searchsorted(self._ends, k, side="right"))
        before = int(self._ends[episode - 1]) if episode else 0
        return episode, (k - before) * self.stride

    def order(self, epoch: int) -> np.ndarray:
        """The windows ``(N,)`` of an epoch, in its order."""
        return np.random.default_rng([self.seed, epoch]).permutation(len(self))

    def epoch(self, number: int = 0) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of an epoch: tensors ``(B, length + 1, ...)`` of observations, ``(B, length, ...)`` of others."""
        order = self.order(number)
        for begin in range(0, len(order), self.batch):
            parts = [self.sequences.window(*self.place(int(k)), self.length) for k in order[begin : begin + self.batch]]
            yield {name: torch.from_numpy(np.stack([part[name] for part in parts])) for name in parts[0]}

    def __repr__(self) -> str:
        return f"Windows({len(self)} of {self.length} steps, from {self.sequences!r})"
