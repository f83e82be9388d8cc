"""Hybrid A*: paths of vehicles among obstacles."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ...core.problem import Problem
from ...core.settings import Count, Interval, NonNegative, Positive, settings
from ...models.trace import code_of
from ..steering import Dubins, ReedsShepp
from ..steering._curves import Curve
from ._pose_planner import PosePlanner
from ._pose_tree import Motions

Array = NDArray[np.float64]


@settings
class HybridAStar(PosePlanner):
    steering: Curve = ReedsShepp(1.0)
    reverse: Annotated[float, Interval(1.0, ends="[)")] = 1.5
    cusp: NonNegative = 0.5
    bend: NonNegative = 0.0
    weight: Annotated[float, Interval(1.0, 1000.0, "[]")] = 1.0
    step: Positive | None = None
    curvatures: Count = 2
    cell: Positive | None = None
    headings: Count = 72

    @property
    def _span(self) -> float:
        return self.step or 0.5 * self.steering.radius

    def _motions(self, problem: Problem) -> Motions:
        """Arcs of the same length, forwards and, unless the curve is Dubins's, backwards."""
        shares = np.linspace(-1.0, 1.0, 2 * self.curvatures + 1)
        gears = (1.0,) if isinstance(self.steering, Dubins) else (1.0, -1.0)
        rows = [[gear * self._span, 0.0, gear * share * self._span / self.steering.radius] for gear in gears for share in shares]
        count = len(rows)
        return Motions(
            np.array(rows), np.arange(count + 1), np.array([0, count]), np.zeros(count, dtype=np.int64),
            code_of(problem.space, "plus"), np.zeros(0),
        )

    def _cells(self, problem: Problem) -> Array:
        side = self.cell or self._span / 2.0
        turn = 2.0 * math.pi / self.headings
        return np.array([[problem.start[0], problem.start[1], problem.start[2]], [1.0 / side, 1.0 / side, 1.0 / turn]])
