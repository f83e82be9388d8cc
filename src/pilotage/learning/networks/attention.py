"""A network of sets of objects that attend to each other."""

from __future__ import annotations

import torch

from ...core import SettingError
from ...core.settings import Count, Natural
from .deep_set import mask_of
from .network import Network, recorded


class SetAttention(Network):
    """A network of a set of objects by attention: objects attend to each other, then a query attends to all of them.

    `encode` does the first half, whose results follow the order of the objects; those of the whole do not depend on it.
    A token that belongs to every set stands for "nothing", so that empty sets are allowed.

    Args:
        inputs: numbers that describe an object.
        outputs: number of outputs.
        query: numbers that describe what asks, such as the robot's own state; 0 for a learned query.
        width: width of the layers, a multiple of `heads`.
        heads: number of heads of each attention.
        layers: number of layers of self-attention.
        seed: seed of the initial weights.

    Raises:
        SettingError: if the width is not a multiple of the heads.

    Source: Lee et al., "Set transformer", ICML 2019, equations 7 and 12; layers of Vaswani et al., "Attention is all
    you need", NeurIPS 2017, normalised first.

    Example:
        >>> objects, there = torch.zeros(5, 8, 4).double(), torch.ones(5, 8, dtype=torch.bool)
        >>> network = SetAttention(4, 2, query=3)
        >>> network(objects, there, query=torch.zeros(5, 3).double()).shape, network.encode(objects, there).shape
        (torch.Size([5, 2]), torch.Size([5, 8, 64]))
    """

    @recorded
    def __init__(
        self,
        inputs: Count,
        outputs: Count,
        *,
        query: Natural = 0,
        width: Count = 64,
        heads: Count = 4,
        layers: Natural = 2,
        seed: Natural = 0,
    ) -> None:
        if width % heads:
            raise SettingError(f"width of SetAttention is {width}; expected a multiple of its {heads} heads")
        self.embed = torch.nn.Linear(inputs, width)
        self.nothing = torch.nn.Parameter(torch.randn(1, 1, width) / width**0.5)
        self.asked = torch.nn.Linear(query, width) if query else torch.nn.Parameter(torch.randn(1, width) / width**0.5)
        self.layers = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.cross = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear = torch.nn.Linear(width, outputs)

    def forward(
        self, objects: torch.Tensor, mask: torch.Tensor | None = None, query: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The outputs ``(..., outputs)`` for objects ``(..., N, inputs)``, of which those exist where `mask` is True.

        Args:
            objects: the objects.
            mask: ``(..., N)``; None if all exist.
            query: what asks ``(..., query)``; None for the learned query.
        """
        if (query is None) == isinstance(self.asked, torch.nn.Linear):
            raise SettingError(f"a query is {'missing' if query is None else 'given'}; the setting says otherwise")
        h, hidden = self._encoded(objects, mask_of(objects, mask))
        q = self.asked(query) if isinstance(self.asked, torch.nn.Linear) else self.asked
        q = q.expand(*objects.shape[:-2], q.shape[-1]).reshape(len(h), 1, -1)
        pooled, _ = self.cross(q, h, h, key_padding_mask=hidden, need_weights=False)
        return self.linear((q + pooled)[:, 0]).reshape(*objects.shape[:-2], -1)

    def encode(self, objects: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Each object in the light of the others ``(..., N, width)``."""
        h, _ = self._encoded(objects, mask_of(objects, mask))
        return h[:, 1:].reshape(*objects.shape[:-1], -1)

    def _encoded(self, objects: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The token and the objects ``(B, 1 + N, width)``, and which of them do not exist ``(B, 1 + N)``."""
        h = self.embed(objects.reshape(-1, *objects.shape[-2:]))
        h = torch.cat([self.nothing.expand(len(h), -1, -1), h], 1)
        hidden = torch.nn.functional.pad(~mask.reshape(len(h), -1), (1, 0), value=False)
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=hidden)
        return h, hidden
