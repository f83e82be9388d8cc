"""The variables of a graph that grows: their kinds, the values where they are linearised, and their steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import ShapeError, Space
from pilotage.core.settings import shown, whole
from pilotage.models.trace import code_of

from . import _drivers, _tree_steps
from ._bayes_tree import CLIQUE, DIM, KIND, LONG, MOVED, SIZE, STEP, VALUE
from ._memory import enlarged
from .factors import Variables

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Mark(NamedTuple):
    """How many variables there are, in all and of each kind, and how many numbers they have."""

    total: int
    counts: dict[str, int]
    ends: tuple[int, int]


class Unknowns:
    """The variables of a graph that grows.

    Attributes:
        table: of variables, see `_bayes_tree`.
        values, steps: where variables are linearised, and steps from there to the estimates, one after another.
        count: how many there were, forgotten ones too.
    """

    def __init__(self, spaces: Mapping[str, Space], far: float) -> None:
        self.spaces, self.count, self._far, self._ends = spaces, 0, far, (0, 0)
        self.table = np.full((64, 11), -1, dtype=np.int64)
        self.values, self.steps = np.empty(256), np.empty(256)
        self._kinds = list(spaces)
        self._plus = [code_of(space, "plus") for space in spaces.values()]
        self._ids, self._counts = {kind: np.empty(16, dtype=np.int64) for kind in spaces}, dict.fromkeys(spaces, 0)
        self.long, self.long_count = np.empty(64, dtype=np.int64), np.zeros(1, dtype=np.int64)

    def ids_of(self, kind: str) -> Indices:
        """Numbers of all variables of a kind."""
        if not isinstance(kind, str) or kind not in self._ids:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"the smoother has no variables {shown(kind)}; it has {', '.join(self._ids)}")
        return self._ids[kind][: self._counts[kind]]

    @property
    def all(self) -> Indices:
        """Numbers of all variables that were not forgotten."""
        return np.flatnonzero(self.table[: self.count, CLIQUE] >= 0)

    def there(self, kind: str, index: int) -> int:
        """The number of a variable that was not forgotten."""
        ids = self.ids_of(kind)
        v = int(ids[whole(index, f"the index of {kind}", 0, len(ids) - 1)])
        if self.table[v, CLIQUE] < 0:
            raise ShapeError(f"{kind} {index} was forgotten; expected a variable that is still there")
        return v

    def name_of(self, v: int) -> str:
        """The kind and the index of a variable."""
        kind = self._kinds[self.table[v, KIND]]
        return f"{kind} {int(np.searchsorted(self.ids_of(kind), v))}"

    def space_of(self, v: int) -> Space:
        """The space of a variable."""
        return self.spaces[self._kinds[self.table[v, KIND]]]

    def linearized_at(self, v: int) -> Array:
        """The value where a variable is linearised, in place."""
        at, size = self.table[v, VALUE], self.table[v, SIZE]
        return self.values[at : at + size]

    def value(self, v: int) -> Array:
        """The estimate of a variable."""
        step = self.steps[self.table[v, STEP] :][: self.table[v, DIM]]
        return self._plus[self.table[v, KIND]].run(self.linearized_at(v), step, step, step)["plus"]

    def values_of(self, kind: str) -> Array:
        """The estimates of all variables of a kind; NaN for those forgotten."""
        ids, space = self.ids_of(kind), self.spaces[kind]
        columns = np.where(self.table[ids, CLIQUE] >= 0, self.table[ids, STEP], -1)
        given = self.values[self.table[ids, VALUE][:, None] + np.arange(space.size)]
        out = np.full_like(given, np.nan)
        address = self._plus[self._kinds.index(kind)].address
        _drivers.retract.compiled(address, given, columns, space.dim, self.steps, out)
        return out

    def add(self, given: Mapping[str, ArrayLike]) -> Mark:
        """Add variables; what `undo` needs to take them back."""
        if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"new variables are {shown(given)}; expected {{kind: values}}")
        new = {kind: self._checked(kind, values) for kind, values in given.items()}
        mark = Mark(self.count, dict(self._counts), self._ends)
        for kind, values in new.items():
            self._append(kind, values)
        return mark

    def undo(self, mark: Mark) -> None:
        """Take back the variables that were added last."""
        self.count, self._counts, self._ends = mark

    def long_steps(self, budget: int) -> Indices:
        """The variables with the longest steps, of those that are listed as long."""
        lengths = np.empty(self.long_count[0])
        n = _tree_steps.longest.compiled(self.table, self.steps, self._far, self.long, len(lengths), lengths)
        self.long_count[0] = n
        if n <= budget:
            return self.long[:n].copy()
        return self.long[np.argpartition(-lengths[:n], budget)[:budget]]

    def longer(self, far: float) -> Indices:
        """All variables whose steps are longer in some component."""
        ids = self.all
        far_ones = np.flatnonzero(abs(self.steps[: self._ends[1]]) > far)
        firsts = self.table[: self.count, STEP]
        return np.intersect1d(ids, np.searchsorted(firsts, far_ones, side="right") - 1)

    def move(self, chosen: Indices) -> Array:
        """Linearise variables where they are; the values before."""
        before = np.empty(int(self.table[chosen, SIZE].sum()))
        used = 0
        for kind, code in enumerate(self._plus if len(chosen) else []):
            memory = self.table, chosen, self.values, self.steps, before
            used = _tree_steps.moved.compiled(code.address, kind, *memory, used)
        return before

    def move_back(self, chosen: Indices, before: Array) -> None:
        """Linearise variables where they were."""
        at = 0
        for kind in range(len(self._plus)):
            for v in chosen[self.table[chosen, KIND] == kind].tolist():
                own = self.linearized_at(v)
                own[:] = before[at : at + len(own)]
                at += len(own)

    def _checked(self, kind: str, values: ArrayLike) -> Array:
        self.ids_of(kind)
        return Variables(self.spaces[kind], np.asarray(values)).values

    def _append(self, kind: str, values: Array) -> None:
        (n, size), dim, first, old = values.shape, self.spaces[kind].dim, self.count, self._counts[kind]
        (at, step), each = self._ends, np.arange(n)
        self.count, self._counts[kind], self._ends = first + n, old + n, (at + n * size, step + n * dim)
        self.table, self.long = enlarged(self.table, self.count), enlarged(self.long, self.count)
        self.values, self.steps = enlarged(self.values, self._ends[0]), enlarged(self.steps, self._ends[1])
        self._ids[kind] = enlarged(self._ids[kind], old + n)
        self.values[at : self._ends[0]], self.steps[step : self._ends[1]] = values.ravel(), 0.0
        self._ids[kind][old : old + n] = first + each
        new = self.table[first : self.count]
        new[:, KIND], new[:, DIM], new[:, SIZE] = self._kinds.index(kind), dim, size
        new[:, VALUE], new[:, STEP] = at + size * each, step + dim * each
        new[:, CLIQUE], new[:, MOVED], new[:, LONG] = -1, 0, 0
