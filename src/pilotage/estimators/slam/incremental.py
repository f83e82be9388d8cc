"""Incremental smoothing: a factor graph that grows, of which each update eliminates only the part that it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core import Gaussian, ShapeError, Space
from pilotage.core.settings import Count, NonNegative, Positive, instance, settings, shown, whole

from ._growing import NONE, GrowingGraph
from .factors import Factors

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
        object.__setattr__(self, "_memory", GrowingGraph(spaces, self.relinearize))

    def update(self, variables: Mapping[str, ArrayLike], factors: Sequence[Factors]) -> None:
        """Add variables and factors, and find the values that explain all readings best.

        Args:
            variables: initial values of new variables by kind ``(N, size)``; they are numbered on from those before.
            factors: readings, which name variables by kind and number, old and new ones.

        Raises:
            ShapeError: if variables or factors do not fit, or the readings do not determine all variables; nothing is
                changed then.
        """
        memory: GrowingGraph = self._memory
        unknowns, readings = memory.unknowns, memory.readings
        mark, added, tied = unknowns.add(variables), [NONE], [NONE]
        try:
            for given in factors:
                ids, named = readings.add(instance(given, Factors, "update"), mark.total)
                added.append(ids)
                tied.append(named.ravel())
            named = np.concatenate(tied)
            loose = np.ones(unknowns.count - mark.total, dtype=bool)
            loose[named[named >= mark.total] - mark.total] = False
            if loose.any():
                first = unknowns.name_of(mark.total + int(np.argmax(loose)))
                raise ShapeError(
                    f"{loose.sum()} new variables, {first} the first, float: no reading names them; give each one"
                )
            new = np.arange(mark.total, unknowns.count)
            moved = unknowns.long_steps(self.budget)
            touched = np.concatenate([named[named < mark.total], moved])
            memory.eliminate(touched, moved, np.concatenate(added), new=new, wildfire=self.wildfire)
        except BaseException:
            readings.drop(np.concatenate(added))
            unknowns.undo(mark)
            raise

    def relax(self, updates: int = 10) -> None:
        """Linearise again until all steps are short: then the values are those of batch optimisation.

        Args:
            updates: maximum number of times.
        """
        memory: GrowingGraph = self._memory
        for _ in range(whole(updates, "updates", 1, 10**6)):
            long = memory.unknowns.longer(1e-9)
            if not len(long):
                break
            memory.eliminate(memory.unknowns.all, long, wildfire=0.0)

    def forget(self, kind: str, indices: ArrayLike) -> None:
        """Marginalise variables: what their readings say about the others is kept as linearised.

        Args:
            kind: of the variables.
            indices: their numbers ``(N,)``; they cannot be named again.

        Raises:
            ShapeError: if there are no such variables.
        """
        memory: GrowingGraph = self._memory
        leaving = np.array([memory.unknowns.there(kind, int(k)) for k in np.atleast_1d(indices)], dtype=np.int64)
        memory.eliminate(leaving, first=len(leaving), wildfire=self.wildfire)
        for v in leaving.tolist():
            memory.remove(v)

    def __getitem__(self, kind: str) -> Array:
        """Values of all variables of a kind ``(N, size)``; NaN for those forgotten."""
        memory: GrowingGraph = self._memory
        return memory.unknowns.values_of(kind)

    def value(self, kind: str, index: int) -> Array:
        """The value of one variable ``(size,)``.

        Raises:
            ShapeError: if there is no such variable, or it was forgotten.
        """
        memory: GrowingGraph = self._memory
        return memory.unknowns.value(memory.unknowns.there(kind, index))

    def belief(self, kind: str, index: int) -> Gaussian:
        """The marginal belief of one variable.

        Raises:
            ShapeError: if there is no such variable, or it was forgotten.
        """
        memory: GrowingGraph = self._memory
        v = memory.unknowns.there(kind, index)
        return Gaussian(self.spaces[kind], memory.unknowns.value(v), memory.covariance(v))
