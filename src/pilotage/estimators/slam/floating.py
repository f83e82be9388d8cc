"""Floating variables of a graph, in words: the readings do not say where they are.

A part of a graph that is tied to nothing known may be moved as a whole without any reading noticing. More subtle cases,
such as a landmark of which only one range was measured, show as a pivot that vanishes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph, linalg

if TYPE_CHECKING:
    from ._system import System

PIVOT = 1e-14
"""Share of its information below which a variable is undetermined, once the others are unknown: that of rounding."""
SOUND = 1e-9
"""The same far above the rounding of a large graph."""


def floating(system: System) -> str:
    """A sentence on the parts of a graph that are tied to nothing known; empty when there are none.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators.slam import FactorGraph, Factors, Variables
        >>> from pilotage.estimators.slam._system import System
        >>> from pilotage.models import relative_pose
        >>> step = relative_pose()
        >>> poses = Variables(step.state, np.zeros((5, 3)), fixed=[0])
        >>> z = np.zeros((3, 3))
        >>> graph = FactorGraph({"pose": poses}, [Factors(step, z, ("pose", [0, 2, 3]), ("pose", [1, 3, 4]))])
        >>> floating(System(graph))
        'pose 2-4 float: no reading ties them to a fixed variable or to the world; fix one, or add a prior'
    """
    n, fixed = len(system.fixed), system.fixed
    known = fixed.copy()
    ends = [np.zeros((0, 2), dtype=np.int64)]
    for group in system.groups:
        v = group.variables
        held = fixed[v].any(axis=1) | (v.shape[1] == 1)
        known[v[held]] = True
        ends += [v[~held][:, [0, k]] for k in range(1, v.shape[1])]
    i, j = np.concatenate(ends).T
    ties: Any = sparse.coo_matrix((np.ones(len(i)), (i, j)), shape=(n, n))
    parts, part = csgraph.connected_components(ties, directed=False)
    tied = np.zeros(parts, dtype=bool)
    tied[part[known]] = True
    loose = np.flatnonzero(~tied[part])
    if len(loose) == 0 or (system.factor() and (system.cholesky.pivots > SOUND).all()):
        return ""  # readings such as a sum and a difference of two variables say where both are
    return (
        f"{_spelt(system, loose)} float: no reading ties them to a fixed variable or to the world; "
        "fix one, or add a prior"
    )


def weak(system: System) -> str:
    """A sentence on variables that the readings leave free to move, at the values last linearised; empty for none."""
    if system.factor() and (system.cholesky.pivots > PIVOT).all():
        return ""
    direction = _free_direction(system, system.diagonal)
    moves = [f"{name} ({', '.join(axes)})" for name, axes in _largest(system, direction)]
    more = f" and {len(moves) - 5} more" if len(moves) > 5 else ""
    return f"the readings leave {', '.join(moves[:5])}{more} free to move together; add readings or a prior"


def _free_direction(system: System, diagonal: NDArray[np.float64]) -> NDArray[np.float64]:
    """A step that no reading notices, by inverse iteration; components in units of their own information."""
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    unit = sparse.diags(1.0 / scale)
    matrix = (unit @ system.matrix @ unit + 1e-10 * sparse.identity(len(scale))).tocsc()
    factors = linalg.splu(matrix)
    d = np.random.default_rng(0).standard_normal(len(scale))
    for _ in range(4):
        d = factors.solve(d)
        d /= abs(d).max()
    return d


def _largest(system: System, d: NDArray[np.float64]) -> Iterable[tuple[str, list[str]]]:
    """The variables that move most, and which of their components."""
    for kind, variables in system.graph.variables.items():
        names, first = variables.space.tangent_names, system.first[kind]
        for k in np.flatnonzero(~variables.fixed):
            column = int(system.pattern.columns[first + k])
            moved = abs(d[column : column + len(names)]) > 0.1
            if moved.any():
                yield f"{kind} {k}", [n for n, m in zip(names, moved, strict=True) if m]


def _spelt(system: System, variables: NDArray[np.intp]) -> str:
    """Numbers of variables by kind, with runs drawn together: ``pose 3, 5-9``."""
    words: list[str] = []
    for kind, first in system.first.items():
        count = len(system.graph.variables[kind].values)
        own = variables[(variables >= first) & (variables < first + count)] - first
        runs = np.split(own, np.flatnonzero(np.diff(own) > 1) + 1) if len(own) else []
        spans = [str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs]
        more = f" and {len(spans) - 5} more runs" if len(spans) > 5 else ""
        words += [f"{kind} {', '.join(spans[:5])}{more}"] if spans else []
    return " and ".join(words)
