"""The sensor whose squared residuals are the objective of SE-Sync."""

from __future__ import annotations

from typing import Any

from pilotage.core import Space
from pilotage.core.rotations import conjugate, product, rotate
from pilotage.models import TracedSensor, sensor
from pilotage.models.relative import POSES, seen_from
from pilotage.models.trace.portable import variants
from pilotage.models.trace.sensor import SensorFamily


def relative_matrix(axes: int) -> TracedSensor:
    """A pose relative to another as a translation and a rotation matrix, whose errors are differences of numbers.

    ::

        z = [R' (t_c - t),  R' R_c by rows]         (R, t): the pose;  (R_c, t_c): the context

    Source: Rosen, Carlone, Bandeira and Leonard, "SE-Sync" (IJRR 2019), problem 1.

    Example:
        >>> import numpy as np
        >>> relative_matrix(2).observe([1.0, 0.0, np.pi / 2], context=[1.0, 2.0, np.pi]).round(3).tolist()
        [2.0, 0.0, 0.0, -1.0, 1.0, 0.0]
    """
    return _family(axes)(std=1.0)


@variants
def _family(axes: int) -> SensorFamily:
    @sensor(state=POSES[axes], reading=Space(f"z: float64[{axes + axes * axes}]"), context=POSES[axes])
    def relative_matrix(x: Any, c: Any, p: Any, m: Any) -> Any:
        place = seen_from(x, c, axes, m)
        if axes == 2:
            cos, sin = m.cos(c[2] - x[2]), m.sin(c[2] - x[2])
            return [*place, cos, -sin, sin, cos]
        turn = product(conjugate(x[3:]), c[3:])
        columns = [rotate(turn, [float(i == k) for i in range(3)]) for k in range(3)]
        return [*place, *(columns[k][i] for i in range(3) for k in range(3))]

    return relative_matrix
