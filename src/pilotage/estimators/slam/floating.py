"""Floating variables of a graph, in words: the readings do not say where they are.

A part of a graph that is tied to nothing known may be moved as a whole without any reading noticing. More subtle cases,
such as a landmark of which only one range was measured, or the scale of a map made of bearings alone, show as a step
that changes no residual to first order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._factorize import parts

if TYPE_CHECKING:
    from ._system import System

Array = NDArray[np.float64]

PIVOT = 1e-7
"""Share of its information that each variable keeps, the others unknown, above which no step can be free: a free one
leaves a share of about the square root of rounding at most."""
AGREED = 2.0
"""Ratio up to which H and J agree on how much readings notice a step."""
ALIKE = 1e-6
"""Share of a growth to which positions follow it."""
DAMPING = 1e-10
"""That of a matrix which is singular but for rounding."""


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
        v = group.variables[group.informed]
        held = fixed[v].any(axis=1) | (v.shape[1] == 1)
        known[v[held]] = True
        ends += [v[~held][:, [0, k]] for k in range(1, v.shape[1])]
    part, tied = np.arange(n), np.zeros(n, dtype=bool)
    parts.compiled(np.concatenate(ends), part)
    tied[part[known]] = True
    loose = np.flatnonzero(~tied[part])
    if len(loose) == 0 or _free_direction(system) is None:
        return ""  # readings such as a sum and a difference of two variables say where both are
    return (
        f"{_spelt(system, loose)} float: no reading ties them to a fixed variable or to the world; "
        "fix one, or add a prior"
    )


def weak(system: System) -> str:
    """A sentence on variables that the readings leave free to move, at the values last linearised; empty for none."""
    direction = _free_direction(system)
    if direction is None:
        return ""
    scale = "the scale, and with it " if _grows(system, direction) else ""
    share = direction * np.sqrt(np.where(system.diagonal > 0.0, system.diagonal, 1.0))
    moves = [f"{name} ({', '.join(axes)})" for name, axes in _largest(system, share / abs(share).max())]
    more = f" and {len(moves) - 5} more" if len(moves) > 5 else ""
    return f"the readings leave {scale}{', '.join(moves[:5])}{more} free to move together; add readings or a prior"


def _free_direction(system: System) -> Array | None:
    """A step that no reading notices, at the values last linearised; None where there is none.

    The rounding of H hides whether the step that is noticed least is noticed at all: the end of a long chain of poses
    looks as free as a scale. That of J is far smaller: a step is free where J does not confirm what the factors say.
    """
    sound = system.factor()
    if sound and (system.cholesky.pivots > PIVOT).all():
        return None
    unread = system.diagonal == 0.0
    if unread.any():
        return unread.astype(float)
    if not sound:
        system.factor(DAMPING)
    step, noticed = _least_noticed(system)
    return None if sound and noticed / AGREED < system.noticed(step) < noticed * AGREED else step


def _least_noticed(system: System) -> tuple[Array, float]:
    """The step d that lowers ``d' H d / d' diag(H) d`` most, and that ratio, by inverse iteration with the factors."""
    information = system.diagonal
    d, growth = np.random.default_rng(0).standard_normal(len(information)), 1.0
    for _ in range(4):
        d = system.cholesky.solve(information * d)
        growth = float(np.sqrt(d @ (information * d)))
        d /= growth
    return d, 1.0 / growth


def _grows(system: System, step: Array) -> bool:
    """Whether a step moves all positions away from one point, in proportion to their distance, and nothing else."""
    before, after = system.split(system.x), system.split(system.moved(system.x, step))
    moves: dict[str, list[Array]] = {"": [np.zeros((2, 1))]}
    for kind, variables in system.graph.variables.items():
        space, free = variables.space, ~variables.fixed
        if not free.any():
            continue
        for name, unit, x, y in zip(space.names, space.units, before[kind][free].T, after[kind][free].T, strict=True):
            axis = name.split(".")[-1]
            moves.setdefault(axis if unit == "m" and axis in ("x", "y", "z") else "", []).append(np.stack([x, y - x]))
    still, *each = (np.hstack(moved) for moved in moves.values())
    p, d = np.hstack([np.zeros((2, 1)), *(moved - moved.mean(axis=1, keepdims=True) for moved in each)])
    growth = (p @ d) / max(p @ p, np.finfo(float).tiny) * p
    return bool(abs(np.append(d - growth, still[1])).max() < ALIKE * abs(growth).max())


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
