"""Solutions of factor graphs: values, chi2, the outcome in words, and the covariances of what was estimated."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian, ShapeError
from pilotage.core.settings import whole

from .floating import weak

if TYPE_CHECKING:
    from ._system import System
    from .factors import FactorGraph

Array = NDArray[np.float64]


class SolveStatus(enum.Enum):
    """The outcome of solving a factor graph."""

    CONVERGED = "converged"
    LIMIT = "limit of iterations"
    STUCK = "no step lowers the cost"
    UNDETERMINED = "undetermined"
    NOT_FINITE = "not finite"


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """The values of all variables that explain the readings best, or the reason why there are none.

    Attributes:
        graph: the graph with the final values; with the given values if parts of it are not determined.
        status: the outcome.
        reason: the outcome in words.
        chi2: chi2 of the guess and after each iteration; ``chi2[-1]`` is that of the solution.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.estimators.slam import FactorGraph, Factors, GaussNewton, Variables
        >>> from pilotage.models import position
        >>> points = Variables(Space("x [m]"), [[0.0]])
        >>> graph = FactorGraph({"point": points}, [Factors(position(1, std=1.0), [[1.0], [2.0]], ("point", [0, 0]))])
        >>> solution = GaussNewton().solve(graph)
        >>> print(solution.belief("point", 0))
        x 1.50 +- 0.71 m
    """

    graph: FactorGraph
    status: SolveStatus
    reason: str
    chi2: tuple[float, ...]
    _system: System = field(repr=False)

    def __repr__(self) -> str:
        return f"Solution({self.reason}; {self.graph!r})"

    def __getitem__(self, kind: str) -> Array:
        """Values of all variables of a kind ``(N, size)``; a `ShapeError` where there is no such kind."""
        return self.graph.of_kind(kind).values

    @property
    def iterations(self) -> int:
        """Number of iterations."""
        return len(self.chi2) - 1

    @cached_property
    def weights(self) -> tuple[Array, ...]:
        """Of each `Factors` of the graph, the weight of each reading ``(K,)``.

        A robust kernel gives weights from 1, which is an inlier, to 0; without a kernel, all are 1.
        """
        return tuple(self._system.weights(self._system.vector(self.graph)))

    def belief(self, kind: str, index: int) -> Gaussian:
        """The marginal belief of one variable: its block of ``H^-1``.

        Raises:
            ShapeError: if there is no such kind, or the variable is fixed or not determined.
            SettingError: if the index is not between 0 and the number of variables minus one.
        """
        variables, column = self.graph.of_kind(kind), self._column(kind, index)
        cov = self._block(column + np.arange(variables.space.dim))
        return Gaussian(variables.space, variables.values[index], cov)

    def covariance(self, variables: Sequence[tuple[str, int]]) -> Array:
        """The joint covariance of several variables in their tangents, one after another: a block of ``H^-1``.

        Args:
            variables: kind and index of each.

        Raises:
            ShapeError: if there is no such kind, or a variable is fixed or not determined.
            SettingError: if an index is not between 0 and the number of variables minus one.
        """
        columns = [
            self._column(kind, index) + np.arange(self.graph.of_kind(kind).space.dim) for kind, index in variables
        ]
        return self._block(np.concatenate([np.zeros(0, dtype=np.int64), *columns]))

    def covariances(self, kind: str) -> Array:
        """The marginal covariances of all variables of a kind ``(N, dim, dim)``; NaN for those that are held fixed.

        ::

            entries of H^-1 where L has entries, found in one pass over the factors from the last to the first

        Raises:
            ShapeError: if there is no such kind, or the variables are not determined.

        Source: Kaess and Dellaert, "Covariance Recovery from a Square Root Information Matrix for Data Association"
        (2009), section 5.
        """
        variables, system = self.graph.of_kind(kind), self._system
        columns = system.pattern.columns[system.first[kind] :][: len(variables.values)]
        out = np.full((len(columns), variables.space.dim, variables.space.dim), np.nan)
        if (columns >= 0).any():
            self._determined(f"the variables {kind}")
            place = np.cumsum(system.pattern.dims) - system.pattern.dims
            blocks = system.cholesky.inverse_blocks()
            for k in np.flatnonzero(columns >= 0):
                block = blocks[int(np.searchsorted(place, columns[k]))]
                out[k] = 0.5 * (block + block.T)
        return out

    def _column(self, kind: str, index: int) -> int:
        """The first column of a variable that has a covariance."""
        variables, system = self.graph.of_kind(kind), self._system
        index = whole(index, f"the index of {kind}", 0, len(variables.values) - 1)
        column = int(system.pattern.columns[system.first[kind] + index])
        self._determined(f"{kind} {index}", "it is held fixed" if column < 0 else "")
        return column

    def _determined(self, what: str, unknown: str = "") -> None:
        if unknown := unknown or self._undetermined:
            raise ShapeError(f"{what} has no covariance: {unknown}; expected a variable that the readings determine")

    def _block(self, columns: NDArray[np.int64]) -> Array:
        """The rows and columns of ``H^-1`` with these numbers."""
        cov = np.empty((len(columns), len(columns)))
        for k, column in enumerate(columns):
            unit = np.zeros(self._system.pattern.size)
            unit[column] = 1.0
            cov[k] = self._system.cholesky.solve(unit)[columns]
        return 0.5 * (cov + cov.T)

    @cached_property
    def _undetermined(self) -> str:
        """Why there are no covariances; empty where there are, and H is factored at the solution."""
        if self.status in (SolveStatus.UNDETERMINED, SolveStatus.NOT_FINITE):
            return self.reason
        self._system.linearize(self._system.vector(self.graph))
        return weak(self._system)
