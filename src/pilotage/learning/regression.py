"""Regression: the trainee of all networks that are fitted to examples."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from ._processes import rank
from ._streams import stream
from ._threads import threads_for, weights
from .networks.gaussian_head import loss_of
from .records import Trained
from .scaling import Scaling
from .training import train
from .training_settings import TrainingSettings


class Regression:
    """A network that is fitted to scaled examples, in passes over batches without replacement.

    ::

        loss = mean |network(scaled features) - targets / scale|^2      over a batch; the score, over the held-out rows

    A network with a `GaussianHead` has the negative log-likelihood instead, see `loss_of`.

    Args:
        network: the network, which is trained in place.
        scaling: scaling of features and targets.
        features, targets: examples ``(N, k)`` and ``(N, d)``.
        kept, held: indices of the examples for training and for validation.
        batch: number of examples per gradient step.
        seed: seed of the order of the examples.

    Example:
        >>> x = torch.linspace(-1, 1, 40, dtype=torch.float64)[:, None]
        >>> network = torch.nn.Linear(1, 1, dtype=torch.float64)
        >>> line = Regression(network, Scaling.none(1, 1), x, 3 * x, np.arange(30), np.arange(30, 40), batch=8, seed=0)
        >>> line.fitted(epochs=50, rate=0.1).best.score < 1e-3
        True
    """

    def __init__(
        self, network: torch.nn.Module, scaling: Scaling, features: torch.Tensor, targets: torch.Tensor,
        kept: Any, held: Any, *, batch: int, seed: int,
    ) -> None:  # fmt: skip
        kind = next(network.parameters())
        self.modules, self._network, self._seed = {"network": network}, network, seed
        self._inputs, self._targets = scaling.inward(features).to(kind), (targets / scaling.scale).to(kind)
        self._kept, self._held, self._batch = kept, torch.as_tensor(held), batch
        full, rest = divmod(len(kept), batch)
        self.batches = full + (rest > 1 or full == 0)  # one row that is left joins the last batch: it has no variance
        self._epoch, self._order = -1, np.arange(0)

    def loss(self, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss on the next batch."""
        epoch, number = divmod(step, self.batches)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, stream(self._seed, epoch, rank()).permutation(self._kept)
        end = (number + 1) * self._batch if number + 1 < self.batches else None
        return self._error(torch.as_tensor(self._order[number * self._batch : end])), {}

    def validate(self) -> dict[str, torch.Tensor]:
        """The loss on the held-out examples."""
        return {"score": self._error(self._held)}

    def _error(self, rows: torch.Tensor) -> torch.Tensor:
        return loss_of(self._network, self._inputs[rows], self._targets[rows])

    def fitted(self, epochs: int, rate: float, progress: Any = None) -> Trained:
        """The result of passes over all examples; the rate decays along a cosine."""
        settings = TrainingSettings(steps=epochs * self.batches, rate=rate, clip=None, validate_every=self.batches)
        with self.threads():
            return train(self, settings, progress=progress)

    def threads(self) -> AbstractContextManager[None]:
        """A suitable number of threads for the batches."""
        return threads_for(self._batch * weights(self._network))
