"""The normal equations of a factor graph: its arrays, its pattern, and the drivers that fill and use them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pilotage.models.trace import LANES, code_of, parameters

from . import _drivers
from ._cholesky import Cholesky
from ._pattern import Pattern, pattern_of

if TYPE_CHECKING:
    from .factors import FactorGraph, Factors

Array = NDArray[np.float64]
Values = Sequence[Array]
NO_CONTEXT = np.zeros((1, 1))  # a sensor that declares no context reads one number, as the place of an object


class Group:
    """The factors of one sensor, ready for the drivers.

    Attributes:
        i, j: the variables that each of them ties together, numbered over all kinds; -1 for no second variable.
    """

    def __init__(self, graph: FactorGraph, factors: Factors, first: dict[str, int]) -> None:
        sensor, count = factors.sensor, factors.count
        kinds = list(graph.variables)
        self._kind = kinds.index(factors.x[0])
        own = np.ascontiguousarray(factors.x[1], dtype=np.int64)
        self.i = own + first[factors.x[0]]
        self.j = np.full(count, -1, dtype=np.int64)
        self._numbers: Array | None = None
        self._second = -1
        if factors.ties:
            name, other = factors.context
            self._second = kinds.index(name)
            other = np.ascontiguousarray(other, dtype=np.int64)
            self.j = other + first[name]
        elif factors.context is None:
            self._numbers, other = NO_CONTEXT, np.zeros(count, dtype=np.int64)
        else:
            self._numbers, other = factors.context, np.arange(count)
        self._codes = code_of(sensor, "e"), code_of(sensor, "e E G")
        dim, d = sensor.reading.dim, sensor.state.dim
        context = sensor.context.dim if factors.ties and sensor.context else 0
        self.dim = dim
        self._fixed = own, other, *measured(factors, information_of(graph, factors)), parameters(sensor)
        self._dims = np.array([d, context], dtype=np.int64)
        rows = dim * (1 + d + context)
        self._out = np.empty(self._codes[1].size)
        self._lanes = np.zeros((rows, LANES)), np.zeros((dim * dim + 1, LANES)), np.zeros((rows, LANES))
        self.slots = np.zeros((count, 8), dtype=np.int64)

    def cost(self, values: Values) -> float:
        code = self._codes[0]
        total = _drivers.cost.compiled(code.address, *self._variables(values), *self._fixed, self._out)
        code.check()
        return total

    def linearize(self, values: Values, g: Array, H: Array) -> float:
        code = self._codes[1]
        total = _drivers.linearize.compiled(
            code.address, *self._variables(values), *self._fixed, self.slots, self._dims, self._out, *self._lanes, g, H
        )
        code.check()
        return total

    def _variables(self, values: Values) -> tuple[Array, Array]:
        return values[self._kind], values[self._second] if self._numbers is None else self._numbers


class System:
    """The normal equations ``H d = -g`` of a graph.

    Attributes:
        first: number of the first variable of each kind.
        fixed: which variables are held fixed.
        groups: the factors by sensor.
    """

    def __init__(self, graph: FactorGraph) -> None:
        self.graph, kinds = graph, graph.variables
        counts = [len(v.values) for v in kinds.values()]
        self.first = dict(zip(kinds, (np.cumsum(counts) - counts).tolist(), strict=True))
        self.dims = np.repeat([v.space.dim for v in kinds.values()], counts).astype(np.int64)
        self.fixed = np.concatenate([v.fixed for v in kinds.values()])
        self.groups = [Group(graph, each, self.first) for each in graph.factors if each.count]
        self._factored: tuple[float, bool] | None = None

    @property
    def start(self) -> list[Array]:
        """The values of the graph, to be moved."""
        return [v.values.copy() for v in self.graph.variables.values()]

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern of the entries of H."""
        pairs = [np.stack([g.i, g.j], axis=1) for g in self.groups if (g.j >= 0).all()]
        pattern = pattern_of(self.dims, self.fixed, np.concatenate([np.zeros((0, 2), dtype=np.int64), *pairs]))
        for group in self.groups:
            group.slots = pattern.slots(group.i, group.j)
        return pattern

    @cached_property
    def cholesky(self) -> Cholesky:
        """Factors of H."""
        return Cholesky(self.pattern.dims, self.pattern.ties)

    @cached_property
    def g(self) -> Array:
        """Gradient of chi2 / 2."""
        return np.zeros(self.pattern.size)

    @cached_property
    def _H(self) -> Array:
        return np.zeros(len(self.pattern.indices))

    @cached_property
    def _plus(self) -> list[tuple[Any, NDArray[np.int64], int]]:
        """Of each kind of variables: machine code, first columns, and dimension."""
        spaces = [v.space for v in self.graph.variables.values()]
        ends = (*self.first.values(), len(self.dims))
        columns = [np.ascontiguousarray(self.pattern.columns[a:b]) for a, b in pairwise(ends)]
        return [(code_of(s, "plus"), c, s.dim) for s, c in zip(spaces, columns, strict=True)]

    def cost(self, values: Values) -> float:
        """chi2 at other values."""
        return sum(group.cost(values) for group in self.groups)

    def linearize(self, values: Values) -> float:
        """chi2, and H and g at these values."""
        self.g[:] = self._H[:] = 0.0
        self._factored = None
        return sum(group.linearize(values, self.g, self._H) for group in self.groups)

    @property
    def diagonal(self) -> Array:
        """The diagonal of H."""
        return self._H[self.pattern.diagonal]

    @property
    def matrix(self) -> Any:
        """H as a sparse matrix."""
        shape = (self.pattern.size, self.pattern.size)
        return sparse.csc_matrix((self._H, self.pattern.indices, self.pattern.indptr), shape=shape)

    def factor(self, damping: float = 0.0) -> bool:
        """Factor ``H + damping diag(H)``, once for each H; False when it is not positive definite."""
        if self._factored is None or self._factored[0] != damping:
            indptr, indices = self.pattern.indptr, self.pattern.indices
            self._factored = damping, self.cholesky.factor(indptr, indices, self._H, damping)
        return self._factored[1]

    def moved(self, values: Values, step: Array) -> list[Array]:
        """Values moved along a step."""
        out = [np.empty_like(v) for v in values]
        for (plus, columns, dim), x, y in zip(self._plus, values, out, strict=True):
            _drivers.retract.compiled(plus.address, x, columns, dim, step, y)
        return out


def measured(factors: Factors, W: Array) -> tuple[Array, Array]:
    """Readings without NaN, and the information of what was measured: ``W_ss - W_sm W_mm^-1 W_ms``, the rest zero."""
    missing, reading = factors.missing, factors.sensor.reading
    rows = missing.any(axis=1)
    z = np.where(missing if reading.flat else rows.reshape(-1, 1), reading.identity(), factors.z)
    for k in np.flatnonzero(rows):
        m, s = missing[k], ~missing[k]
        own = W[k][np.ix_(s, s)] - W[k][np.ix_(s, m)] @ np.linalg.pinv(W[k][np.ix_(m, m)]) @ W[k][np.ix_(m, s)]
        W[k] = 0.0
        W[k][np.ix_(s, s)] = own
    return np.ascontiguousarray(reading.normalize(z)), W


def information_of(graph: FactorGraph, factors: Factors) -> Array:
    """Information of each reading; by default the inverse of the sensor's noise at the guess."""
    if factors.information is not None:
        return factors.information.copy()
    x = graph.variables[factors.x[0]].values[factors.x[1]]
    context = factors.context
    if factors.ties:
        context = graph.variables[context[0]].values[context[1]]
    R = np.asarray(factors.sensor.noise(x, context))
    shape = (factors.count, *R.shape[-2:])
    return np.array(np.broadcast_to(np.linalg.inv(R), shape), order="C")
