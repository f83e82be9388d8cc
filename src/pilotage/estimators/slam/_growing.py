"""The state of incremental smoothing: a Bayes tree of variables and factors, of which a part is eliminated again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core import ShapeError, Space

from . import _bayes_tree as tree
from . import _tree_steps
from ._memory import Pool, enlarged
from ._minimum_degree import ordered
from ._readings import Readings
from ._unknowns import Unknowns

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
NONE = np.zeros(0, dtype=np.int64)


class Part(NamedTuple):
    """The part of a tree that is eliminated again: its cliques, variables, factors, and the cliques right below."""

    removed: Indices
    again: Indices
    terms: Indices
    orphans: Indices


class GrowingGraph:
    """The state of the smoother: variables, readings, and the Bayes tree.

    Attributes:
        unknowns, readings: its variables and factors.
        eliminated: how many variables were eliminated the last time.
    """

    def __init__(self, spaces: Mapping[str, Space], far: float) -> None:
        self.unknowns = Unknowns(spaces, far)
        self.readings = Readings(self.unknowns)
        self.eliminated, self._far, self._search = 0, far, 0
        self._cliques = np.full((64, 11), -1, dtype=np.int64)
        self._lists = Pool(np.int64, tree.LIST, tree.COUNT)
        self._fronts = Pool(np.float64, tree.FRONT, tree.SIDE, 2)

    def eliminate(
        self, touched: Indices, moved: Indices = NONE, added: Indices = NONE, first: int = 0, *, new: Indices = NONE,
        wildfire: float,
    ) -> None:  # fmt: skip
        """Eliminate variables again, with new ones and new factors; some at other values.

        Args:
            touched: variables that were there before.
            moved: those of them that are linearised where they are now.
            added: new factors.
            first: how many of the touched are eliminated first, each in a clique of its own.
            new: new variables.
            wildfire: change of a step up to which it is kept; see `IncrementalSmoother`.

        Raises:
            ShapeError: if a variable is not determined; then the tree and the values are as they were.
        """
        table, flagged = self.unknowns.table, np.concatenate([moved, touched[:first]])
        self._cliques = enlarged(self._cliques, self.unknowns.count)
        table[flagged, tree.MOVED] = 1
        part = self._affected(touched)
        again = part.again if not first else np.concatenate(
            [touched[:first], part.again[~np.isin(part.again, touched[:first])]]
        )  # fmt: skip
        part = part._replace(again=np.concatenate([again, new]), terms=np.concatenate([part.terms, added]))
        before = self.unknowns.move(moved)
        try:
            self.readings.linearize(part.terms)
            self._replace(part, self.readings.variables(added), first, wildfire)
        except ShapeError:
            self.unknowns.move_back(moved, before)
            self.readings.linearize(part.terms)
            raise
        finally:
            table[flagged, tree.MOVED] = 0
        self.eliminated = len(part.again)

    def covariance(self, v: int) -> Array:
        """The marginal covariance of a variable."""
        table = self.unknowns.table
        dim = int(table[v, tree.DIM])
        right, out = np.zeros((len(self.unknowns.steps), dim)), np.empty((dim, dim))
        _tree_steps.covariance.compiled(table, self._cliques, self._lists.array, self._fronts.array, v, right, out)
        return out

    def remove(self, v: int) -> None:
        """Marginalise a variable that was eliminated first: what is left for its separator becomes a factor."""
        at = int(self.unknowns.table[v, tree.CLIQUE])
        clique = self._cliques[at].copy()
        tied = self._lists.array[clique[tree.LIST] + 1 :][: clique[tree.COUNT] - 1].tolist()
        side, width, parent = (int(clique[k]) for k in (tree.SIDE, tree.WIDTH, tree.PARENT))
        rest = self._fronts.array[clique[tree.FRONT] :][: side * side].reshape(side, side)[width:, width:]
        self.readings.drop(self._factors_of(at))
        self._take_out(at)
        self.unknowns.table[v, tree.CLIQUE] = -1
        if parent >= 0:
            H = np.triu(rest[:-1, :-1])  # kept column by column
            f = self.readings.add_prior(H + np.triu(H, 1).T, rest[:-1, -1].copy(), tied)
            self.readings.table[f, tree.FOLLOWING] = self._cliques[parent, tree.TERM]
            self._cliques[parent, tree.TERM] = f

    def _factors_of(self, clique: int) -> Indices:
        found, f = list[int](), int(self._cliques[clique, tree.TERM])
        while f >= 0:
            found.append(f)
            f = int(self.readings.table[f, tree.FOLLOWING])
        return np.array(found, dtype=np.int64)

    def _take_out(self, clique: int) -> None:
        """Take a clique without children out of the tree."""
        row, cliques = self._cliques[clique].copy(), self._cliques
        self._lists.waste += int(row[tree.COUNT])
        self._fronts.waste += int(row[tree.SIDE] ** 2)
        cliques[clique] = -1
        if row[tree.PARENT] >= 0:
            at, column = int(row[tree.PARENT]), tree.CHILD
            while cliques[at, column] != clique:
                at, column = int(cliques[at, column]), tree.NEXT
            cliques[at, column] = row[tree.NEXT]

    def _affected(self, touched: Indices) -> Part:
        """The part of the tree above some variables, and all cliques with one that moved."""
        self._search += 1
        n, m, counts = self.unknowns.count, len(self.readings.table), np.zeros(4, dtype=np.int64)
        found = [np.empty(size, dtype=np.int64) for size in (n, n, m, n)]
        tree.affected.compiled(
            self.unknowns.table, self._cliques, self.readings.table, self._lists.array, touched, self._search, *found,
            counts,
        )  # fmt: skip
        return Part(*(each[:count] for each, count in zip(found, counts.tolist(), strict=True)))

    def _replace(self, part: Part, last: Indices, first: int, wildfire: float) -> None:
        """Eliminate a part of the tree, and put what it gives in its place."""
        used = self._lists.used, self._fronts.used
        cliques, pool, elements = self._ordered(part, last, first)
        made = self._laid(part.again, cliques, pool, elements)
        bad = self._filled(part, elements, made)
        if bad >= 0:
            self._lists.used, self._fronts.used = used[0], int(made[0, tree.FRONT])
            raise ShapeError(
                f"the readings so far leave {self.unknowns.name_of(bad)} free to move; expected readings that "
                "determine every variable; add them with a prior, or when there are more"
            )
        waste = np.zeros(2, dtype=np.int64)
        tree.grown.compiled(
            self.unknowns.table, self._cliques, self.readings.table, self._lists.array, part.removed, part.terms,
            part.orphans, elements, made, waste,
        )  # fmt: skip
        self._lists.waste += int(waste[0])
        self._fronts.waste += int(waste[1])
        self._solve(part.orphans, made, wildfire)

    def _ordered(self, part: Part, last: Indices, first: int) -> tuple[Indices, Indices, Indices]:
        """An order of elimination: its cliques, their variables, and the elements that each of them joins."""
        table, N, T = self.unknowns.table, len(part.again), len(part.terms) + len(part.orphans)
        table[part.again, tree.LOCAL] = np.arange(N)
        groups = np.ones(N, dtype=np.int64)
        groups[table[last, tree.LOCAL]] = 2
        groups[:first] = 0
        links = self.readings.table[part.terms, tree.TIED].sum() + self._cliques[part.orphans, tree.COUNT].sum()
        elements, pool = np.empty((T + N, 6), dtype=np.int64), np.empty(int(links), dtype=np.int64)
        used = tree.tied.compiled(
            table, self._cliques, self.readings.table, self._lists.array, self.readings.links.array, part.terms,
            part.orphans, elements, pool,
        )  # fmt: skip
        cliques, pool = ordered(elements, pool[:used], groups, table[part.again, tree.DIM])
        return cliques, pool, elements[: T + len(cliques)]

    def _laid(self, again: Indices, cliques: Indices, pool: Indices, elements: Indices) -> Indices:
        """A table of new cliques, with room for their fronts."""
        rows = self.unknowns.count
        self._lists.room(int(cliques[:, 2].sum()), self._cliques, rows)
        made, ends = np.full((len(cliques), 11), -1, dtype=np.int64), np.array([self._lists.used, 0])
        tree.laid.compiled(
            self.unknowns.table, again, cliques, pool, elements[len(elements) - len(made) :], made, self._lists.array,
            ends,
        )  # fmt: skip
        self._lists.used, count = ends.tolist()
        self._fronts.room(count, self._cliques, rows)
        made[:, tree.FRONT] += self._fronts.used
        self._fronts.used += count
        return made

    def _filled(self, part: Part, elements: Indices, made: Indices) -> int:
        """Eliminate the fronts of new cliques; the variable that is not determined, or -1."""
        sides = made[:, tree.SIDE].max(initial=0), self._cliques[part.orphans, tree.SIDE].max(initial=0)
        rows = np.empty(int(max(sides)), dtype=np.int64)
        heads = np.empty(len(elements) + len(made), dtype=np.int64)
        return tree.eliminated.compiled(
            self.unknowns.table, self._cliques, self.readings.table, self._lists.array, self.readings.links.array,
            part.terms, part.orphans, elements, made, self.readings.data.array, self._fronts.array, rows, heads,
        )  # fmt: skip

    def _solve(self, orphans: Indices, made: Indices, wildfire: float) -> None:
        unknowns = self.unknowns
        right, waiting = np.empty(len(unknowns.steps)), np.empty(unknowns.count, dtype=np.int64)
        _tree_steps.solved.compiled(
            unknowns.table, self._cliques, self._lists.array, self._fronts.array, unknowns.steps, made, orphans,
            self._search, self._far, wildfire, unknowns.long, unknowns.long_count, right, waiting,
        )  # fmt: skip
