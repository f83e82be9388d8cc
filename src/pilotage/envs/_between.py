"""States between two ticks, at which a constraint is judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core import Space, Task
from ..core.arrays import Array
from ..models import TracedTask


def points_between(pieces: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    """The inner points of ways ``(N,)`` cut into equal pieces: whose way each lies on, and at which share of it.

    Example:
        >>> which, share = points_between(np.array([1, 2, 4]))
        >>> which.tolist(), share.tolist()
        ([1, 2, 2, 2], [0.5, 0.25, 0.5, 0.75])
    """
    inner = np.maximum(pieces - 1, 0)
    which = np.repeat(np.arange(len(pieces)), inner)
    place = 1 + np.arange(len(which)) - np.repeat(np.cumsum(inner) - inner, inner)
    return which, place / pieces[which]


def judged_components(task: Task, state: Space) -> NDArray[np.int64]:
    """Components of the tangent of `state` that the constraint of a task reads: all, where that is not known."""
    if isinstance(task, TracedTask):
        read = task.components("g", "x")
    else:
        read = {state.find(name) for name in task.state.names} if task.state.size else set(range(state.size))
    found: list[int] = []
    for part, s, t in state.layout:
        if part.size == part.dim:
            found += [t.start + i for i in range(part.size) if s.start + i in read]
        elif read & {*range(s.start, s.stop)}:
            found += range(t.start, t.stop)
    return np.array(found, dtype=np.int64)
