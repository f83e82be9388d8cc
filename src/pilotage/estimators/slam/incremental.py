"""Incremental smoothing: a factor graph that grows, of which each update eliminates only the part that it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian, ShapeError, Space
from pilotage.core.settings import Count, NonNegative, Positive, instance, settings, shown, whole
from pilotage.models.trace import code_of, parameters

from ._bayes_tree import BayesTree, Term
from ._system import information_of, measured
from .factors import FactorGraph, Factors, Variables
from .kernels import RobustKernel

Array = NDArray[np.float64]


@settings(eq=False)
class IncrementalSmoother:
    """An incremental smoother in the manner of iSAM2, for graphs that grow while a robot drives.

    ::

        minimise sum e' W e over all factors so far

    The graph is kept as a Bayes tree. An update eliminates again the variables of new factors, and those between them
    and the root; a variable is linearised again when its step is longer than `relinearize`, a bounded number of them
    at a time, those with the longest steps first. `forget` marginalises variables, so that a fixed-lag smoother takes
    constant time and memory.

    Args:
        spaces: the space of each kind of variables.
        relinearize: length of a step, in any component of the tangent, above which a variable is linearised again.
        budget: maximum number of variables that are linearised again in an update.
        wildfire: change of a step in any component below which the steps of the variables that follow are kept.

    Raises:
        SettingError: if a setting is out of its range.

    Source: Kaess, Johannsson, Roberts, Ila, Leonard and Dellaert, "iSAM2: Incremental Smoothing and Mapping Using the
    Bayes Tree" (2012), algorithms 2 to 8.

    Example:
        >>> from pilotage.models import absolute_pose, relative_pose
        >>> prior, step = absolute_pose(std=0.01), relative_pose(std=0.1)
        >>> smoother = IncrementalSmoother({"pose": step.state})
        >>> smoother.update({"pose": [[0.0, 0.0, 0.0]]}, [Factors(prior, [[0.0, 0.0, 0.0]], ("pose", [0]))])
        >>> ahead = Factors(step, [[1.0, 0.0, 0.0]], ("pose", [0]), ("pose", [1]))
        >>> smoother.update({"pose": [[0.9, 0.0, 0.0]]}, [ahead])
        >>> print(smoother.belief("pose", 1))
        pose (1.00, 0.00, 0.0 deg) +- (0.10 m, 0.10 m, 5.8 deg)
    """

    spaces: Any
    relinearize: Positive = 0.1
    budget: Count = 1000
    wildfire: NonNegative = 1e-5
    _memory: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.spaces, Mapping) or not self.spaces:
            raise ShapeError(f"spaces of a smoother are {shown(self.spaces)}; expected {{'pose': Space(...)}}")
        spaces = {kind: instance(space, Space, "IncrementalSmoother") for kind, space in self.spaces.items()}
        object.__setattr__(self, "spaces", spaces)
        object.__setattr__(self, "_memory", _Memory(spaces, self.relinearize))

    def update(self, variables: Mapping[str, ArrayLike], factors: Sequence[Factors]) -> None:
        """Add variables and factors, and find the values that explain all readings best.

        Args:
            variables: initial values of new variables by kind ``(N, size)``; they are numbered on from those before.
            factors: readings, which name variables by kind and number, old and new ones.

        Raises:
            ShapeError: if variables or factors do not fit, or the readings do not determine all variables; nothing is
                changed then.
        """
        memory: _Memory = self._memory
        new = memory.numbered(variables)
        added = [each for given in factors for each in memory.linked(instance(given, Factors, "update"), new)]
        loose = set(new) - {v for factor in added for v in factor.variables}
        if loose:
            kind, _ = new[min(loose)]
            raise ShapeError(
                f"{len(loose)} new variables, {kind} the first, float: no reading names them; give each one"
            )
        lengths = memory.tree.lengths
        moved = set(sorted(lengths, key=lengths.__getitem__, reverse=True)[: self.budget])
        touched = {v for factor in added for v in factor.variables} | moved
        for v in moved:
            touched.update(memory.tree.tied_below(v))
        memory.eliminate(touched, new, moved, added, self.wildfire)

    def relax(self, updates: int = 10) -> None:
        """Linearise again until all steps are short: then the values are those of batch optimisation.

        Args:
            updates: maximum number of times.
        """
        memory: _Memory = self._memory
        for _ in range(whole(updates, "updates", 1, 10**6)):
            long = {v for v, step in memory.tree.steps.items() if abs(step).max() > 1e-9}
            if not long:
                break
            memory.eliminate(set(memory.tree.nodes), {}, long, [], 0.0)

    def forget(self, kind: str, indices: ArrayLike) -> None:
        """Marginalise variables: what their readings say about the others is kept as linearised.

        Args:
            kind: of the variables.
            indices: their numbers ``(N,)``; they cannot be named again.

        Raises:
            ShapeError: if there are no such variables.
        """
        memory: _Memory = self._memory
        leaving = [memory.variable(kind, int(k)) for k in np.atleast_1d(indices)]
        touched = set(leaving).union(*(memory.tree.tied_below(v) for v in leaving))
        memory.eliminate(touched, {}, set(), [], self.wildfire, leaving)
        for v in leaving:
            memory.remove(v)

    def __getitem__(self, kind: str) -> Array:
        """Values of all variables of a kind ``(N, size)``; NaN for those forgotten."""
        memory: _Memory = self._memory
        ids = memory.ids_of(kind)
        out = np.full((len(ids), self.spaces[kind].size), np.nan)
        for k, v in enumerate(ids):
            if v in memory.values:
                out[k] = memory.value(v)
        return out

    def belief(self, kind: str, index: int) -> Gaussian:
        """The marginal belief of one variable.

        Raises:
            ShapeError: if there is no such variable, or it was forgotten.
        """
        memory: _Memory = self._memory
        v = memory.variable(kind, index)
        return Gaussian(self.spaces[kind], memory.value(v), memory.tree.covariance(v))


@dataclass(eq=False)
class _Linked:
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
class _Prior:
    """What variables that were forgotten say about others, at values that stay as they were."""

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


class _Memory:
    """What evolves: the values at which factors are linearised, and the Bayes tree."""

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

    def linked(self, factors: Factors, new: Mapping[int, tuple[str, Array]]) -> list[_Linked]:
        """The readings of factors."""
        named = [self._numbers(kind, indices, new, factors) for kind, indices in factors.variables]
        graph, count = self._small(factors, named, new), len(factors.x)
        mounted = graph.factors[0]
        z, W = measured(mounted, information_of(graph, mounted))
        code = code_of(mounted.sensor, f"e E{' G' if len(named) > count else ''}")
        empty, p, known = np.zeros(0), parameters(mounted.sensor), mounted.known
        return [
            _Linked(vs, code, z[k], W[k], p, empty if known is None else known[k], factors.kernel, count)
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

        def kept(rest: Term) -> _Prior:
            return _Prior(
                rest, {u: self.values[u] for u in rest.variables}, {u: self._space(u) for u in rest.variables}
            )

        self.tree.remove(v, kept)
        del self.values[v]
