"""The readings of a graph that grows: each is a factor of variables by number, and has a term where they are now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Sensor, ShapeError
from pilotage.models.trace import Code, code_of, parameters

from . import _terms
from ._bayes_tree import CLIQUE, DATA, EDGE, FOLLOWING, FRESH, GROUP, LINKS, MOVED, TIED
from ._memory import Pool, enlarged
from ._system import information_at, measured
from ._unknowns import Unknowns
from .factors import FactorGraph, Factors, Variables, contexts_of, refuse_ties_to_itself

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NONE = np.zeros(0, dtype=np.int64)
BLOCK = 7
"""Column of the table of factors: how many numbers a factor has."""
PRIOR = -2
"""In place of the number of a sensor: the factor is what forgotten variables left."""
REMEMBERED = 1000
"""Sensors whose checks are remembered."""


class Prior(NamedTuple):
    """The information of forgotten variables about others, and the values at which it was found."""

    H: Array
    g: Array
    at: tuple[Array, ...]


@dataclass(eq=False)
class Group:
    """Readings of one sensor, mounted on its variables, and one kernel.

    Attributes:
        edge: columns of a term, with that of its gradient.
        sizes, parameters, memory: see `_terms.linearized`.
        context: numbers of a known context.
    """

    sensor: Sensor
    code: Code
    slope: Code | None
    edge: int
    context: int
    sizes: Indices
    parameters: Array
    memory: tuple[Array, Array, Array]

    @property
    def block(self) -> int:
        """How many numbers a factor has."""
        return self.edge**2 + int(self.sizes[1] + self.sizes[2] ** 2 + self.sizes[3])


class Readings:
    """The readings of a graph that grows.

    Attributes:
        table: of factors, see `_bayes_tree`.
        links, data: the variables and the numbers of factors.
    """

    def __init__(self, unknowns: Unknowns) -> None:
        self._unknowns, self.table = unknowns, np.full((64, 8), -1, dtype=np.int64)
        self.links, self.data = Pool(np.int64, LINKS, TIED), Pool(np.float64, DATA, BLOCK)
        self._free, self._count = list[int](), 0
        self._groups, self._numbers = list[Group](), dict[Any, int]()
        self._checked: dict[Any, tuple[Factors, int]] = {}
        self._priors: dict[int, Prior] = {}
        self._loss = np.zeros(3)

    def add(self, factors: Factors, before: int) -> tuple[Indices, Indices]:
        """Add readings of variables, of which those from `before` on are new; their factors and variables."""
        tied = np.stack([self._named(kind, i, before, factors) for kind, i in factors.variables], axis=1)
        refuse_ties_to_itself(factors)
        number = self._group_of(factors, tied)
        group = self._groups[number]
        z, W = measured(factors, self._information(factors, group, tied))
        parts = [z, W.reshape(len(z), W.shape[1] ** 2)]
        if group.context:
            parts.append(contexts_of(factors.context, (len(z), group.context), factors.sensor))
        ids, data = self._new(number, tied, group.edge, group.block)
        data[:, group.edge**2 :] = np.hstack(parts)
        return ids, tied

    def add_prior(self, H: Array, g: Array, tied: list[int]) -> int:
        """Add what a forgotten variable left for others."""
        edge = len(g) + 1
        (f,), data = self._new(PRIOR, np.array([tied]), edge, edge**2)
        data[0] = 0.0
        self._priors[int(f)] = Prior(H, g, tuple(self._unknowns.linearized_at(v).copy() for v in tied))
        self._carry(int(f))
        self.table[f, FRESH] = 0
        return int(f)

    def drop(self, factors: Indices) -> None:
        """Forget factors."""
        for f in factors.tolist():
            self.links.waste += int(self.table[f, TIED])
            self.data.waste += int(self.table[f, BLOCK])
            self.table[f] = -1
            self._priors.pop(f, None)
            self._free.append(f)

    def linearize(self, terms: Indices) -> None:
        """Linearise those factors that are new, or of which a variable moved."""
        unknowns, links, data = self._unknowns, self.links.array, self.data.array
        for number, group in enumerate(self._groups):
            slope = 0 if group.slope is None else group.slope.address
            x, out, weighted = group.memory
            _terms.linearized.compiled(
                group.code.address, number, group.sizes, group.parameters, slope, self._loss, unknowns.table,
                self.table, links, terms, unknowns.values, data, x, out, weighted,
            )  # fmt: skip
            group.code.check()
        if self._priors:
            for f in terms[self.table[terms, GROUP] == PRIOR].tolist():
                if self._unknowns.table[self._tied(f), MOVED].any():
                    self._carry(f)

    def _carry(self, f: int) -> None:
        """The term of a prior, with its gradient carried to the values of its variables."""
        H, g, at = self._priors[f]
        unknowns, edge, place = self._unknowns, len(g) + 1, self.table[f, DATA]
        tied = zip(self._tied(f).tolist(), at, strict=True)
        d = [unknowns.space_of(v).minus(unknowns.linearized_at(v), x) for v, x in tied]
        term = self.data.array[place : place + edge**2].reshape(edge, edge)
        term[:-1, :-1], term[:-1, -1] = H, g + H @ np.concatenate(d)

    def variables(self, factors: Indices) -> Indices:
        """The variables of factors, some of them more than once."""
        return np.concatenate([NONE, *(self._tied(f) for f in factors.tolist())])

    def _tied(self, f: int) -> Indices:
        return self.links.array[self.table[f, LINKS] :][: self.table[f, TIED]]

    def _new(self, number: int, tied: Indices, edge: int, block: int) -> tuple[Indices, Array]:
        """New factors of these variables ``(K, n)``, and their numbers ``(K, block)``."""
        count, n = tied.shape
        self.links.room(tied.size, self.table, self._count)
        self.data.room(count * block, self.table, self._count)
        while len(self._free) < count:
            self._free.append(self._count)
            self._count += 1
        self.table = enlarged(self.table, self._count)
        ids = np.array([self._free.pop() for _ in range(count)], dtype=np.int64)
        each, rows = np.arange(count), np.empty((count, self.table.shape[1]), dtype=np.int64)
        rows[:, [GROUP, TIED, EDGE, FOLLOWING, FRESH, BLOCK]] = number, n, edge, -1, 1, block
        rows[:, LINKS], rows[:, DATA] = self.links.used + n * each, self.data.used + block * each
        self.table[ids] = rows
        self.links.array[self.links.used :][: tied.size] = tied.ravel()
        data = self.data.array[self.data.used :][: count * block].reshape(count, block)
        self.links.used += tied.size
        self.data.used += count * block
        return ids, data

    def _named(self, kind: str, indices: Indices, before: int, factors: Factors) -> Indices:
        """The numbers of variables, old and new ones."""
        try:
            known = self._unknowns.ids_of(kind)
        except ShapeError:
            kinds = ", ".join(self._unknowns.spaces)
            raise ShapeError(f"{factors.sensor!r} names variables {kind!r}; expected one of {kinds}") from None
        within = (indices >= 0) & (indices < len(known))
        v = known[indices[within]]
        within[within] = (v >= before) | (self._unknowns.table[v, CLIQUE] >= 0)
        if not within.all():
            wrong = indices[~within][0]
            raise ShapeError(f"{factors.sensor!r} names {kind} {wrong}, which is not there or was forgotten")
        return v

    def _group_of(self, factors: Factors, tied: Indices) -> int:
        """The number of the group that factors belong to."""
        known = factors.known is not None
        named = tuple(kind for kind, _ in factors.variables), len(factors.x), known
        key = id(factors.sensor), named, factors.kernel
        if key not in self._checked:
            if len(self._checked) > REMEMBERED:
                self._checked.clear()
            # The sensor is kept, so that no other gets its id.
            self._checked[key] = factors, self._numbered(self._mounted(factors, tied))
        return self._checked[key][1]

    def _mounted(self, factors: Factors, tied: Indices) -> Factors:
        """The factors with a sensor that fits their variables, checked by a graph of one reading."""
        own = dict[str, list[int]]()
        for (kind, _), (v, *_) in zip(factors.variables, tied.T.tolist(), strict=True):
            own.setdefault(kind, []).append(v)
        spaces = self._unknowns.spaces
        guess = {
            kind: Variables(spaces[kind], np.array([self._unknowns.value(v) for v in vs])) for kind, vs in own.items()
        }
        x = [
            (kind, [own[kind].index(v)]) for (kind, _), (v, *_) in zip(factors.variables, tied.T.tolist(), strict=True)
        ]
        n, context = len(factors.x), factors.context
        if len(x) > n:
            context = x[n:]
        elif context is not None:
            context = np.atleast_2d(context)[0]
        return FactorGraph(
            guess, [Factors(factors.sensor, factors.z[0], x[:n], context, kernel=factors.kernel)]
        ).factors[0]

    def _numbered(self, factors: Factors) -> int:
        """The number of the group of mounted factors, a new one if there is none."""
        sensor, n = factors.sensor, len(factors.x)
        spaces = [self._unknowns.spaces[kind] for kind, _ in factors.variables]
        code = code_of(sensor, f"e E{' G' if len(spaces) > n else ''}")
        p, context = parameters(sensor), 0 if factors.known is None else factors.known.shape[1]
        key = code.address, tuple(spaces), n, p.tobytes(), factors.kernel, context
        if key not in self._numbers:
            self._numbers[key] = len(self._groups)
            slope = None if factors.kernel is None else code_of(factors.kernel, "rho w")
            reading, edge = sensor.reading, 1 + sum(space.dim for space in spaces)
            sizes = np.array([sensor.state.size, reading.size, reading.dim, context, sensor.state.dim])
            x = np.zeros(sum(space.size for space in spaces) + context + 1)
            memory = x, np.empty(code.size), np.empty(reading.dim)
            self._groups.append(Group(sensor, code, slope, edge, context, sizes, p, memory))
        return self._numbers[key]

    def _information(self, factors: Factors, group: Group, tied: Indices) -> Array:
        """Information of each reading."""
        if factors.information is not None:
            return factors.information.copy()
        given = [np.array([self._unknowns.value(v) for v in column]) for column in tied.T.tolist()]
        mounted = factors if group.sensor is factors.sensor else replace(factors, sensor=group.sensor)
        return information_at(mounted, given)
