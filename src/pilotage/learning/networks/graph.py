"""A network of graphs, by messages along their edges."""

from __future__ import annotations

import torch

from ...core.settings import Count, Natural
from ._perceptrons import Activation, chain
from .network import Network, recorded


class GraphNetwork(Network):
    """A network of graphs: in each round, nodes send messages along edges and change by the sum of what they receive.

    ::

        m_ij = phi_e(h_i, h_j, e_ij)              for each edge from i to j
        h_j  = h_j + phi_v(h_j, sum_i m_ij)

    Its results follow the order of the nodes, and do not depend on that of the edges. A node without edges changes no
    other, so that graphs of several sizes can be padded.

    Args:
        inputs: numbers that describe a node.
        outputs: number of outputs of each node.
        edge: numbers that describe an edge.
        width: width of the layers.
        rounds: number of rounds, which is how far a message can go.
        activation: "tanh", "silu", "relu" or "mish".
        seed: seed of the initial weights.

    Source: Battaglia et al., "Relational inductive biases, deep learning, and graph networks", 2018, algorithm 1,
    without global attributes.

    Example:
        >>> edges = torch.tensor([[0, 1], [1, 2]])                    # from node 0 to 1, from 1 to 2
        >>> GraphNetwork(4, 2, edge=1)(torch.zeros(5, 3, 4).double(), edges, torch.zeros(2, 1).double()).shape
        torch.Size([5, 3, 2])
    """

    @recorded
    def __init__(
        self,
        inputs: Count,
        outputs: Count,
        *,
        edge: Natural = 0,
        width: Count = 64,
        rounds: Count = 2,
        activation: Activation = "relu",
        seed: Natural = 0,
    ) -> None:
        self.embed = torch.nn.Linear(inputs, width)
        self.messages = torch.nn.ModuleList(chain([2 * width + edge, width, width], activation) for _ in range(rounds))
        self.changes = torch.nn.ModuleList(chain([2 * width, width, width], activation) for _ in range(rounds))
        self.linear = torch.nn.Linear(width, outputs)

    def forward(self, nodes: torch.Tensor, edges: torch.Tensor, features: torch.Tensor | None = None) -> torch.Tensor:
        """The outputs ``(..., N, outputs)`` of nodes ``(..., N, inputs)``.

        Args:
            nodes: the nodes of graphs with the same edges.
            edges: indices of the nodes where edges begin and end ``(E, 2)``.
            features: what describes the edges ``(..., E, edge)``; None if `edge` is 0.
        """
        h, (start, end) = self.embed(nodes), edges.unbind(-1)
        e = h.new_zeros(*h.shape[:-2], len(edges), 0)
        e = e if features is None else features.expand(*h.shape[:-2], *features.shape[-2:])
        for message, change in zip(self.messages, self.changes, strict=True):
            m = message(torch.cat([h[..., start, :], h[..., end, :], e], -1))
            received = torch.zeros_like(h).index_add(-2, end, m)
            h = h + change(torch.cat([h, received], -1))
        return self.linear(h)
