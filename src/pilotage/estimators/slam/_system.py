"""The normal equations of a factor graph: its arrays, its pattern, and the drivers that fill and use them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pilotage.core import CovarianceError
from pilotage.models.trace import LANES, code_of, parameters

from . import _drivers
from ._cholesky import Cholesky
from ._pattern import Pattern, pattern_of

if TYPE_CHECKING:
    from .factors import FactorGraph, Factors

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Group:
    """The factors of one sensor, ready for the drivers.

    Attributes:
        variables: those that each of them ties together, numbered over all kinds ``(K, n)``.
        kernel: their robust kernel, or None.
    """

    def __init__(self, graph: FactorGraph, factors: Factors, first: dict[str, int], starts: Indices, end: int) -> None:
        sensor, dim = factors.sensor, factors.sensor.reading.dim
        spaces = [graph.variables[kind].space for kind, _ in factors.variables]
        self.variables = np.stack([first[kind] + i.astype(np.int64) for kind, i in factors.variables], axis=1)
        places, sizes = starts[self.variables], [space.size for space in spaces]
        if factors.known is not None:
            known = end + np.arange(factors.known.size).reshape(factors.known.shape)
            places, sizes = np.hstack([places, known[:, :1]]), [*sizes, factors.known.shape[1]]
        tied = " G" if len(spaces) > len(factors.x) else ""
        self._codes = code_of(sensor, "e"), code_of(sensor, f"e E{tied}")
        memory = np.zeros(sum(sizes) + 1)  # one more, which is read as the context where a sensor declares none
        z, self._information = measured(factors, information_of(graph, factors))
        self._weighted = self._information
        places, sizes = np.ascontiguousarray(places), np.array(sizes)
        self._fixed = places, sizes, sensor.state.size, z, parameters(sensor), memory
        self.kernel, self._loss = factors.kernel, np.zeros(3)
        self._slope = code_of(self.kernel, "rho w") if self.kernel is not None else None
        self._squares = np.zeros(factors.count)
        self._ends = np.cumsum([0, *(space.dim for space in spaces)])
        rows = dim * (1 + int(self._ends[-1]))
        self._out = np.empty(self._codes[1].size)
        self._lanes = np.zeros((rows, LANES)), np.zeros((dim * dim + 1, LANES)), np.zeros((rows, LANES))
        self._d = sensor.state.dim
        self.slots = np.zeros((0, 0), dtype=np.int64)

    def hold(self, weights: Array) -> None:
        """Weigh each reading by a number of its own ``(K,)``, in place of the kernel."""
        self._weighted, self._slope = self._information * weights[:, None, None], None

    def squares(self, x: Array) -> Array:
        """``e' W e`` of each reading ``(K,)``."""
        return self._cost(x, 0, self._information)[1].copy()

    def cost(self, x: Array) -> float:
        return self._cost(x, self._kernel, self._weighted)[0]

    def linearize(self, x: Array, step: Array, g: Array, H: Array) -> float:
        code = self._codes[1]
        memory = self._kernel, self._loss, self._weighted, self.slots, self._ends, self._d, self._out, *self._lanes
        total = _drivers.linearize.compiled(code.address, x, *self._fixed, *memory, step, g, H)
        code.check()
        return total

    @property
    def informed(self) -> NDArray[np.bool_]:
        """Which readings say anything ``(K,)``: those that are not missing, and whose information is not zero."""
        return np.asarray(self._information.any(axis=(1, 2)))

    @property
    def _kernel(self) -> int:
        return 0 if self._slope is None else self._slope.address

    def _cost(self, x: Array, kernel: int, W: Array) -> tuple[float, Array]:
        code = self._codes[0]
        memory = kernel, self._loss, W, self._squares, self._out
        total = _drivers.cost.compiled(code.address, x, *self._fixed, *memory)
        code.check()
        return total, self._squares


class System:
    """The normal equations ``H d = -g`` of a graph.

    Attributes:
        first: number of the first variable of each kind.
        fixed: which variables are held fixed.
        groups: the factors by sensor.
        x, chi2: the values last linearised, and chi2 there.
    """

    def __init__(self, graph: FactorGraph) -> None:
        self.graph, kinds = graph, graph.variables
        counts = np.array([len(v.values) for v in kinds.values()], dtype=np.int64)
        self.first = dict(zip(kinds, (np.cumsum(counts) - counts).tolist(), strict=True))
        self.dims = np.repeat(np.array([v.space.dim for v in kinds.values()], dtype=np.int64), counts)
        self.fixed = np.concatenate([np.zeros(0, dtype=bool), *(v.fixed for v in kinds.values())])
        sizes = np.repeat(np.array([v.space.size for v in kinds.values()], dtype=np.int64), counts)
        starts, end = np.cumsum(sizes) - sizes, int(sizes.sum())
        self.groups, self._known = list[Group](), list[Array]()
        for each in graph.factors:
            if each.count:
                self.groups.append(Group(graph, each, self.first, starts, end))
                if each.known is not None:
                    self._known.append(each.known.ravel())
                    end += each.known.size
        self._factored: tuple[float, bool] | None = None
        self.x, self.chi2 = self.vector(graph), math.nan

    def vector(self, graph: FactorGraph) -> Array:
        """The values of all variables of a graph, and then the known contexts."""
        values = (v.values.ravel() for v in graph.variables.values())
        return np.concatenate([np.zeros(0), *values, *self._known], dtype=np.float64)

    def split(self, x: Array) -> dict[str, Array]:
        """The values in such a vector by kind ``(N, size)``."""
        parts, at = dict[str, Array](), 0
        for kind, v in self.graph.variables.items():
            parts[kind] = x[at : at + v.values.size].reshape(v.values.shape)
            at += v.values.size
        return parts

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern of the entries of H."""
        pairs = [g.variables[:, pair] for g in self.groups for pair in combinations(range(g.variables.shape[1]), 2)]
        pattern = pattern_of(self.dims, self.fixed, np.concatenate([np.zeros((0, 2), dtype=np.int64), *pairs]))
        for group in self.groups:
            group.slots = pattern.slots(group.variables)
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

    def cost(self, x: Array) -> float:
        """chi2 at other values."""
        return sum((group.cost(x) for group in self.groups), 0.0)

    def linearize(self, x: Array) -> float:
        """chi2, and H and g at these values."""
        self.g[:] = self._H[:] = 0.0
        self.x, self._factored = x, None
        self.chi2 = sum((group.linearize(x, np.empty(0), self.g, self._H) for group in self.groups), 0.0)
        return self.chi2

    def weights(self, x: Array) -> Iterator[Array]:
        """Of each `Factors` of the graph, the weights ``(K,)`` that its kernel gives to the readings at x."""
        groups = iter(self.groups)
        for factors in self.graph.factors:
            kernel = factors.kernel
            squares = next(groups).squares(x) if factors.count else np.zeros(0)
            yield np.ones(len(squares)) if kernel is None else kernel.weight(squares)

    def noticed(self, step: Array) -> float:
        """``d' H d`` of a step d, by way of J d: no rounding of H hides what J leaves free."""
        scratch = np.empty_like(step)
        return sum((group.linearize(self.x, step, scratch, self._H) for group in self.groups), 0.0)

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

    def moved(self, x: Array, step: Array) -> Array:
        """Values moved along a step."""
        out = x.copy()
        for (plus, columns, dim), a, b in zip(
            self._plus, self.split(x).values(), self.split(out).values(), strict=True
        ):
            _drivers.retract.compiled(plus.address, a, columns, dim, step, b)
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
    given = [graph.variables[kind].values[indices] for kind, indices in factors.variables]
    return information_at(factors, given)


def information_at(factors: Factors, given: Sequence[Array]) -> Array:
    """The inverse of the sensor's noise, for values of the variables of each reading."""
    x, tied = np.hstack(given[: len(factors.x)]), given[len(factors.x) :]
    R = np.asarray(factors.sensor.noise(x, np.hstack(tied) if tied else factors.known))
    try:
        np.linalg.cholesky(R)
    except np.linalg.LinAlgError:
        raise CovarianceError(
            f"the noise of {factors.sensor!r} has no inverse, by which its readings are weighted; give each component "
            "a std above 0, or the factors their weights: information="
        ) from None
    shape = (factors.count, *R.shape[-2:])
    return np.array(np.broadcast_to(np.linalg.inv(R), shape), order="C")
