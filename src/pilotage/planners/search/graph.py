"""Graphs: what a search needs of one, and one of numbered states with edges in arrays."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import whole

Array = NDArray[np.float64]
Edges = list[tuple[int, float]]


@runtime_checkable
class Graph(Protocol):
    """A directed graph of hashable states, given by the neighbours of each; it may be infinite.

    A graph may have further methods. ``heuristic(a, b)`` estimates the cost from a to b, never above the true one,
    and falls by at most the cost of an edge along it (consistent); without it, 0 is used. ``predecessors(state)``
    returns the edges that lead to a state, as pairs of their other end and cost; without it, every edge has the same
    cost in both directions. ``points(states)`` returns positions ``(K, k)`` for the plan, or None.
    """

    def neighbours(self, state: Any, /) -> Iterable[tuple[Hashable, float]]:
        """The states to which edges lead from a state, each with its cost, 0 or more."""
        ...


class EdgeGraph:
    """A graph of the states 0 to n-1, with edges in arrays (compressed sparse rows).

    The edges of state i are ``targets[first[i]:first[i+1]]``, their costs are ``lengths`` at the same places. With
    positions, the heuristic is the straight distance times the least cost per distance of all edges.

    Args:
        count: number n of states.
        edges: pairs of states ``(m, 2)``.
        lengths: costs of the edges ``(m,)``, 0 or more; default: their straight lengths.
        positions: a point of each state ``(n, k)``.
        directed: whether an edge leads one way only.

    Raises:
        ShapeError: if a shape does not fit, an edge names a state that does not exist, or a cost is negative or NaN.

    Example:
        >>> from pilotage.planners import Dijkstra
        >>> graph = EdgeGraph(3, [(0, 1), (1, 2), (0, 2)], [1.0, 1.0, 5.0])
        >>> plan = Dijkstra().plan(graph, 0, 2)
        >>> plan.stats["states"], plan.cost
        ([0, 1, 2], 2.0)
    """

    def __init__(
        self,
        count: int,
        edges: ArrayLike,
        lengths: ArrayLike | None = None,
        *,
        positions: ArrayLike | None = None,
        directed: bool = False,
    ) -> None:
        self.count = whole(count, "count")
        self.positions = None if positions is None else _points(positions, self.count)
        pairs = _pairs(edges, self.count)
        costs = self._straight(pairs) if lengths is None else _costs(lengths, len(pairs))
        self._rate = self._least_rate(pairs, costs)
        if not directed:
            pairs, costs = np.concatenate((pairs, pairs[:, ::-1])), np.concatenate((costs, costs))
        self.first, self.targets, self.lengths = _rows(pairs, costs, self.count)
        self._back = _rows(pairs[:, ::-1], costs, self.count) if directed else None

    def neighbours(self, state: int) -> Edges:
        """The edges from a state: pairs of target and cost."""
        return _edges(self.first, self.targets, self.lengths, state)

    def predecessors(self, state: int) -> Edges:
        """The edges to a state: pairs of source and cost."""
        return self.neighbours(state) if self._back is None else _edges(*self._back, state)

    def points(self, states: list[int]) -> Array | None:
        """The positions ``(K, k)`` of states, None without any."""
        return None if self.positions is None else self.positions[states]

    def heuristic(self, a: int, b: int) -> float:
        """Straight distance between two states times the least cost per distance; 0 without positions."""
        if self.positions is None or self._rate == 0.0:
            return 0.0
        return self._rate * float(np.linalg.norm(self.positions[a] - self.positions[b]))

    def __contains__(self, state: object) -> bool:
        return isinstance(state, int | np.integer) and bool(0 <= state < self.count)

    def _straight(self, pairs: NDArray[np.int64]) -> Array:
        if self.positions is None:
            raise ShapeError("edges need lengths, or positions of the states from which they follow")
        return np.linalg.norm(self.positions[pairs[:, 0]] - self.positions[pairs[:, 1]], axis=-1)

    def _least_rate(self, pairs: NDArray[np.int64], costs: Array) -> float:
        """Least cost per distance, a little less for rounding; 0 without positions."""
        if self.positions is None or not len(pairs):
            return 0.0
        distances = self._straight(pairs)
        apart = distances > 0.0
        return float((costs[apart] / distances[apart]).min(initial=np.inf)) * (1.0 - 1e-12) if apart.any() else 0.0


def _pairs(edges: ArrayLike, count: int) -> NDArray[np.int64]:
    pairs = np.asarray(edges)
    if pairs.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ShapeError(f"edges must be pairs of whole numbers (m, 2), not {pairs.dtype} of shape {pairs.shape}")
    wrong = ((pairs < 0) | (pairs >= count)).any(axis=1)
    if wrong.any():
        raise ShapeError(f"edge {pairs[wrong][0].tolist()} names a state that is not in 0 to {count - 1}")
    return pairs.astype(np.int64)


def _costs(lengths: ArrayLike, count: int) -> Array:
    costs = numbers(lengths, "lengths")
    if costs.shape != (count,):
        raise ShapeError(f"lengths have shape {costs.shape}; expected one a row of edges, ({count},)")
    wrong = ~(costs >= 0.0)
    if wrong.any():
        raise ShapeError(f"the cost of edge {int(wrong.argmax())} is {costs[wrong][0]:g}; expected 0 or more")
    return costs


def _points(positions: ArrayLike, count: int) -> Array:
    points = numbers(positions, "positions")
    if points.ndim != 2 or len(points) != count or not np.isfinite(points).all():
        raise ShapeError(f"positions must be finite and have shape ({count}, k), not {points.shape}")
    return points


def _rows(pairs: NDArray[np.int64], costs: Array, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Edges sorted by source: where those of each begin, their targets and costs."""
    order = np.argsort(pairs[:, 0], kind="stable")
    first = np.searchsorted(pairs[order, 0], np.arange(count + 1))
    return first.astype(np.int64), pairs[order, 1], costs[order]


def _edges(first: NDArray[np.int64], targets: NDArray[np.int64], lengths: Array, state: int) -> Edges:
    here = slice(first[state], first[state + 1])
    return list(zip(targets[here].tolist(), lengths[here].tolist(), strict=True))
