"""The Bayes tree of a linear least-squares problem, one variable a node, of which a part can be eliminated again.

    sum over terms of  d' H d + 2 g' d,     each in the steps d of some variables

A node keeps ``L L' = H_vv``, ``Y = L^-1 H_vs`` and ``y = L^-1 g_v`` of its variable v and the later variables s that it
is tied to, its separator; what remains of the terms for s goes to the first of them, its parent.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from . import _factorize

Array = NDArray[np.float64]

_forward: Any = linalg.get_lapack_funcs("trtrs")


class Term(NamedTuple):
    """A quadratic term ``d' H d + 2 g' d`` of the steps of some variables, one after another."""

    variables: tuple[int, ...]
    H: Array
    g: Array


@dataclass(eq=False)
class Node:
    """A variable in the tree.

    Attributes:
        separator: later variables that it is tied to.
        L, Y, y: its conditional.
        rest: what elimination leaves for the separator.
        terms: factors of which it is the first variable to be eliminated.
        parent: the first variable of the separator to be eliminated; None where it is empty.
        children: variables whose parent it is.
    """

    separator: tuple[int, ...]
    L: Array
    Y: Array
    y: Array
    rest: Term
    terms: list[Any]
    parent: int | None
    children: set[int]


class BayesTree:
    """A Bayes tree whose factors are objects that give a `Term`.

    Args:
        far: length of a step, in any component, above which its variable is listed in `lengths`.

    Attributes:
        nodes: by variable.
        steps: the solution, by variable.
        lengths: of the steps that are long, by variable.
    """

    def __init__(self, far: float) -> None:
        self.nodes: dict[int, Node] = {}
        self.steps: dict[int, Array] = {}
        self.lengths: dict[int, float] = {}
        self._far = far
        self._dims: dict[int, int] = {}

    def above(self, touched: Iterable[int]) -> set[int]:
        """These variables and all between them and the root."""
        found = set[int]()
        for v in touched:
            u: int | None = v
            while u is not None and u not in found:
                found.add(u)
                u = self.nodes[u].parent if u in self.nodes else None
        return found

    def tied_below(self, v: int) -> set[int]:
        """The variables that have v in their separator."""
        found, waiting = set[int](), [v]
        while waiting:
            for child in self.nodes[waiting.pop()].children:
                if v in self.nodes[child].separator:
                    found.add(child)
                    waiting.append(child)
        return found

    def eliminate(
        self, again: set[int], dims: dict[int, int], factors: Sequence[Any], term: Callable[[Any], Term],
        last: set[int], first: Sequence[int] = (),
    ) -> list[int]:  # fmt: skip
        """Eliminate variables, all up to the root, with new factors; the order in which it was done.

        Args:
            again: variables: some of the tree, with all above them, and new ones.
            dims: of new variables.
            factors: new factors, whose variables are all among them.
            term: the term of a factor.
            last: variables to be eliminated last, as the next factors will tie them.
            first: variables to be eliminated first, in this order.

        Raises:
            LinAlgError: if a variable is not determined; its number is the argument.
        """
        self._dims.update(dims)
        made: dict[int, Node] = {}
        old = [factor for v in again if v in self.nodes for factor in self.nodes[v].terms]
        orphans = [c for v in again if v in self.nodes for c in self.nodes[v].children if c not in again]
        terms = [(term(factor), factor) for factor in (*old, *factors)]
        terms += [(self.nodes[c].rest, c) for c in orphans]
        order = _order(again, [t.variables for t, _ in terms], last, first)
        place = {v: k for k, v in enumerate(order)}
        waiting: dict[int, list[tuple[Term, Any]]] = {v: [] for v in order}
        for each in terms:
            waiting[min(each[0].variables, key=place.__getitem__)].append(each)
        for v in order:
            node = made[v] = self._node(v, waiting.pop(v), place)
            if node.parent is not None:
                waiting[node.parent].append((node.rest, v))
        self.nodes.update(made)  # not before all of them are determined
        for v, node in made.items():
            for c in node.children:
                self.nodes[c].parent = v
        return order

    def _node(self, v: int, terms: list[tuple[Term, Any]], place: dict[int, int]) -> Node:
        """Eliminate a variable."""
        tied = {u for t, _ in terms for u in t.variables} - {v}
        separator = tuple(sorted(tied, key=place.__getitem__))
        starts, size = dict[int, int](), 0
        for u in (v, *separator):
            starts[u] = size
            size += self._dims[u]
        F, d = np.zeros((size + 1, size + 1)), self._dims[v]  # with g as the last row and column
        for t, _ in terms:
            rows = _rows(t.variables, starts, self._dims)
            F[rows[:, None], rows] += t.H
            F[rows, size] += t.g
        if _factorize.front.compiled(F.ravel(), size + 1, d) >= 0:
            raise np.linalg.LinAlgError(v)
        rest = Term(separator, F[d:size, d:size], F[d:size, size])
        L, Y, y = F[:d, :d].T, F[:d, d:size], F[:d, size]  # what is above the diagonal of L is not read
        children = {f for t, f in terms if isinstance(f, int)}
        parent = separator[0] if separator else None
        return Node(separator, L, Y, y, rest, [f for _, f in terms if not isinstance(f, int)], parent, children)

    def solve(self, order: Sequence[int], threshold: float) -> None:
        """Find the steps: of the variables just eliminated, and of those below whose separator moved.

        Source: Kaess et al., "iSAM2" (2012), algorithm 7.
        """
        changed, done = {v for v in reversed(order) if self._solved(v, 0.0)}, set(order)
        waiting = [c for v in order for c in self.nodes[v].children if c not in done]
        while waiting:
            v = waiting.pop()
            if not changed.isdisjoint(self.nodes[v].separator) and self._solved(v, threshold):
                changed.add(v)
                waiting.extend(self.nodes[v].children)

    def _solved(self, v: int, threshold: float) -> bool:
        """Find the step of one variable; whether it changed."""
        node = self.nodes[v]
        right = -node.y
        if node.separator:
            right -= node.Y @ np.concatenate([self.steps[u] for u in node.separator])
        step, _ = _forward(node.L, right, lower=1, trans=1)
        before, length = self.steps.get(v), float(abs(step).max())
        self.steps[v] = step
        if length > self._far:
            self.lengths[v] = length
        else:
            self.lengths.pop(v, None)
        return before is None or bool(abs(step - before).max() > threshold)

    def covariance(self, v: int) -> Array:
        """The marginal covariance of one variable: by that of the path from it to the root."""
        columns: dict[int, Array] = {}
        unit = np.eye(self._dims[v])
        right = {v: unit}
        u: int | None = v
        while u is not None:  # L w = unit, from v up
            node = self.nodes[u]
            w, _ = _forward(node.L, right.pop(u, np.zeros((self._dims[u], len(unit)))), lower=1)
            columns[u], at = w, 0
            for s in node.separator:
                part = node.Y[:, at : at + self._dims[s]].T @ w
                right[s] = right.get(s, 0.0) - part
                at += self._dims[s]
            u = node.parent
        return sum((np.einsum("ai,aj->ij", w, w) for w in columns.values()), np.zeros_like(unit))

    def remove(self, v: int, kept: Callable[[Term], Any]) -> None:
        """Take a leaf out, and keep what is left for its separator as a factor."""
        node = self.nodes.pop(v)
        del self.steps[v], self._dims[v]
        self.lengths.pop(v, None)
        if node.parent is not None:
            parent = self.nodes[node.parent]
            parent.children.discard(v)
            parent.terms.append(kept(node.rest))


def _rows(variables: Sequence[int], starts: dict[int, int], dims: dict[int, int]) -> NDArray[np.intp]:
    return np.array([k for u in variables for k in range(starts[u], starts[u] + dims[u])])


def _order(again: set[int], ties: Sequence[tuple[int, ...]], last: set[int], first: Sequence[int]) -> list[int]:
    """An order of small fill: minimum degree, with some variables first and others last."""
    near: dict[int, set[int]] = {v: set() for v in again}
    for tie in ties:
        for v in tie:
            near[v].update(tie)
    group = {v: (2 if v in last else 1) for v in again} | dict.fromkeys(first, 0)
    heap = [(group[v], len(near[v]), v) for v in again]
    heapq.heapify(heap)
    order, done = list[int](), set[int]()
    while heap:
        _, degree, v = heapq.heappop(heap)
        if v in done or degree != len(near[v]):
            continue
        order.append(v)
        done.add(v)
        clique = near.pop(v)
        clique.discard(v)
        for u in clique:
            near[u] |= clique
            near[u].discard(v)
            heapq.heappush(heap, (group[u], len(near[u]), u))
    return order
