"""Recurrent networks of sequences."""

from __future__ import annotations

from typing import Any, Literal

import torch

from ...core.settings import Count, Natural
from .network import Network, recorded


class Recurrent(Network):
    """A recurrent network (GRU or LSTM) of sequences, with a linear layer at its end; time comes after the batch.

    Args:
        inputs, outputs: number of inputs and outputs at each time.
        hidden: size of the hidden state.
        cell: "gru" or "lstm".
        layers: number of recurrent layers.
        seed: seed of the initial weights.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014 (GRU); Hochreiter and
    Schmidhuber, "Long short-term memory", Neural Computation 9, 1997 (LSTM).

    Example:
        >>> network, xs = Recurrent(3, 2, hidden=16), torch.zeros(5, 10, 3).double()
        >>> ys, state = network(xs)
        >>> y, state = network(xs[:, :1], state)                     # goes on where the sequence ended
        >>> ys.shape, y.shape
        (torch.Size([5, 10, 2]), torch.Size([5, 1, 2]))
    """

    @recorded
    def __init__(
        self,
        inputs: Count,
        outputs: Count,
        *,
        hidden: Count = 64,
        cell: Literal["gru", "lstm"] = "gru",
        layers: Count = 1,
        seed: Natural = 0,
    ) -> None:
        made = torch.nn.GRU if cell == "gru" else torch.nn.LSTM
        self.cell = made(inputs, hidden, num_layers=layers, batch_first=True)
        self.linear = torch.nn.Linear(hidden, outputs)

    def forward(self, features: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        """The outputs ``(..., T, outputs)`` for sequences ``(..., T, inputs)``, and the state at their end.

        `state` is the one that an earlier call returned, None at the beginning.
        """
        h, state = self.cell(features.reshape(-1, *features.shape[-2:]), state)
        return self.linear(h).reshape(*features.shape[:-1], -1), state
