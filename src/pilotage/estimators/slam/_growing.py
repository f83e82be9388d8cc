"""The state of incremental smoothing: the values at which factors are linearised, and the Bayes tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import ShapeError, Space
from pilotage.core.settings import shown, whole
from pilotage.models.trace import code_of, parameters

from ._bayes_tree import BayesTree, Term
from ._system import information_of, measured
from .factors import FactorGraph, Factors, Variables
from .kernels import RobustKernel

Array = NDArray[np.float64]


@dataclass(eq=False)
class Linked:
    """One reading of a factor, with its variables by number."""

    variables: tuple[int, ...]
    code: Any
    z: Array
    W: Array
    parameters: Array
    known: Array
    kernel: RobustKernel | None
    state: int
    term: Term | None = None

    def linearized(self, values: Mapping[int, Array]) -> Term:
        """The term at these values."""
        given = [values[v] for v in self.variables]
        x, context = np.concatenate(given[: self.state]), np.concatenate([np.zeros(0), *given[self.state :]])
        out = self.code.run(x, self.known if self.state == len(given) else context, self.z, self.parameters)
        J, W, e = np.hstack([out[name] for name in out if name != "e"]), self.W, out["e"]
        if self.kernel is not None:
            W = W * float(self.kernel.weight(e @ W @ e))
        return Term(self.variables, J.T @ W @ J, J.T @ W @ e)


@dataclass(eq=False)
class Prior:
    """The information of forgotten variables about others, at values that stay as they were."""

    rest: Term
    at: dict[int, Array]
    spaces: dict[int, Space]
    term: Term | None = None

    @property
    def variables(self) -> tuple[int, ...]:
        return self.rest.variables

    def linearized(self, values: Mapping[int, Array]) -> Term:
        """The term, with its gradient carried to these values."""
        d = np.concatenate([self.spaces[v].minus(values[v], self.at[v]) for v in self.variables])
        return Term(self.variables, self.rest.H, self.rest.g + self.rest.H @ d)


class GrowingGraph:
    """The state of the smoother: the values at which factors are linearised, and the Bayes tree."""

    def __init__(self, spaces: Mapping[str, Space], far: float) -> None:
        self.spaces, self.tree = spaces, BayesTree(far)
        self.values: dict[int, Array] = {}
        self._ids: dict[str, list[int]] = {kind: [] for kind in spaces}
        self._kinds: list[tuple[str, int]] = []

    def ids_of(self, kind: str) -> list[int]:
        if kind not in self._ids:
            raise ShapeError(f"the smoother has no variables {shown(kind)}; it has {', '.join(self._ids)}")
        return self._ids[kind]

    def variable(self, kind: str, index: int) -> int:
        """The number of a variable that is there."""
        ids = self.ids_of(kind)
        v = ids[whole(index, f"the index of {kind}", 0, len(ids) - 1)]
        if v not in self.values:
            raise ShapeError(f"{kind} {index} was forgotten; expected a variable that is still there")
        return v

    def numbered(self, given: Mapping[str, ArrayLike]) -> dict[int, tuple[str, Array]]:
        """New variables by number, not added yet."""
        new: dict[int, tuple[str, Array]] = {}
        for kind, values in given.items():
            self.ids_of(kind)
            for value in Variables(self.spaces[kind], np.asarray(values)).values:
                new[len(self._kinds) + len(new)] = kind, value
        return new

    def linked(self, factors: Factors, new: Mapping[int, tuple[str, Array]]) -> list[Linked]:
        """The readings of factors."""
        named = [self._numbers(kind, indices, new, factors) for kind, indices in factors.variables]
        graph, count = self._small(factors, named, new), len(factors.x)
        mounted = graph.factors[0]
        z, W = measured(mounted, information_of(graph, mounted))
        code = code_of(mounted.sensor, f"e E{' G' if len(named) > count else ''}")
        empty, p, known = np.zeros(0), parameters(mounted.sensor), mounted.known
        return [
            Linked(vs, code, z[k], W[k], p, empty if known is None else known[k], factors.kernel, count)
            for k, vs in enumerate(zip(*named, strict=True))
        ]

    def _numbers(self, kind: str, indices: Any, new: Mapping[int, tuple[str, Array]], factors: Factors) -> list[int]:
        """The numbers of variables, old and new ones."""
        if kind not in self._ids:
            raise ShapeError(f"{factors.sensor!r} names variables {kind!r}; expected one of {', '.join(self._ids)}")
        known, fresh = self._ids[kind], [v for v, (k, _) in new.items() if k == kind]
        numbers = list[int]()
        for k in indices.tolist():
            within = 0 <= k < len(known) + len(fresh)
            v = (known[k] if k < len(known) else fresh[k - len(known)]) if within else -1
            if v not in self.values and v not in new:
                raise ShapeError(f"{factors.sensor!r} names {kind} {k}, which is not there or was forgotten")
            numbers.append(v)
        return numbers

    def _small(self, factors: Factors, named: list[list[int]], new: Mapping[int, tuple[str, Array]]) -> FactorGraph:
        """A graph of these factors alone, which checks them."""
        places: dict[str, dict[int, int]] = {}
        x = list[tuple[str, list[int]]]()
        for (kind, _), numbers in zip(factors.variables, named, strict=True):
            own = places.setdefault(kind, {})
            x.append((kind, [own.setdefault(v, len(own)) for v in numbers]))
        variables = {
            kind: Variables(
                self.spaces[kind], np.array([self.value(v) if v in self.values else new[v][1] for v in own])
            )
            for kind, own in places.items()
        }
        count = len(factors.x)
        context = x[count:] if len(x) > count else factors.context
        return FactorGraph(variables, [replace(factors, x=x[:count], context=context)])

    def value(self, v: int) -> Array:
        """The estimate of a variable."""
        step = self.tree.steps.get(v)
        return self.values[v] if step is None else self._space(v).plus(self.values[v], step)

    def _space(self, v: int) -> Space:
        return self.spaces[self._kinds[v][0]]

    def eliminate(
        self, touched: set[int], new: Mapping[int, tuple[str, Array]], moved: set[int], added: Sequence[Any],
        threshold: float, first: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """Eliminate variables again, with new ones and new factors; some at other values."""
        before = {v: self.values[v] for v in moved}
        for v, (kind, value) in new.items():
            self._kinds.append((kind, len(self._ids[kind])))
            self._ids[kind].append(v)
            self.values[v] = value
        for v in moved:
            self.values[v] = self.value(v)
        terms = dict[Any, Term]()

        def term(factor: Any) -> Term:
            if factor.term is not None and moved.isdisjoint(factor.variables):
                return factor.term
            terms[factor] = factor.linearized(self.values)
            return terms[factor]

        again, dims = self.tree.above(touched), {v: self.spaces[kind].dim for v, (kind, _) in new.items()}
        last = {v for factor in added for v in factor.variables} - set(first)
        try:
            order = self.tree.eliminate(again, dims, added, term, last, first)
        except np.linalg.LinAlgError as error:
            kind, index = self._kinds[error.args[0]]
            self._undo(new, before)
            raise ShapeError(
                f"the readings so far leave {kind} {index} free to move; expected readings that determine every "
                "variable; add them with a prior, or when there are more"
            ) from None
        for factor, made in terms.items():
            factor.term = made
        self.tree.solve(order, threshold)

    def _undo(self, new: Mapping[int, tuple[str, Array]], before: Mapping[int, Array]) -> None:
        """Take back variables that could not be eliminated."""
        for v, (kind, _) in reversed(list(new.items())):
            del self.values[v], self._kinds[v], self._ids[kind][-1]
        self.values.update(before)

    def remove(self, v: int) -> None:
        """Marginalise a leaf."""

        def kept(rest: Term) -> Prior:
            return Prior(rest, {u: self.values[u] for u in rest.variables}, {u: self._space(u) for u in rest.variables})

        self.tree.remove(v, kept)
        del self.values[v]
