"""The travel of a robot since a sensor was last heard: readings from one place are not independent.

A scan errs where the map is wrong, where somebody stands, where a surface is dark; another scan from the same place
errs in the same way, and adds no evidence. With errors whose correlation falls off exponentially with the way between
two readings, a reading adds a share of what the first one told that grows in proportion to that way, up to one:

    share = min(1, hypot(d / distance, a / angle)),   d^2 = |p (-) p'|^2 + var p,   a^2 = |yaw (-) yaw'|^2 + var yaw

p, yaw: mean motion of the particles by dead reckoning; var: how much motion noise has spread them in the meantime.
(Thrun, Burgard and Fox, *Probabilistic Robotics*, 2005, section 6.3.4, give the problem; AMCL's `update_min_d` and
`update_min_a` are the step function in place of this ramp.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from ...core import Sensor, Space
from ...core.arrays import Array
from ...models.trace import code_of
from ...models.trace.single import Single

Source = tuple[Sensor, Any]
"""A sensor and a context: of one landmark, say."""
SOURCES = 64
"""So many are remembered."""
PLANE = Space("pose: SE2")


@dataclass(frozen=True)
class Travel:
    """Dead reckoning of a cloud of particles.

    Attributes:
        pose: mean motion since the start, x, y, yaw in the frame of the start.
        variance: sums of the variances of position [m^2] and heading [rad^2] that motion noise has added.

    Example:
        >>> before, after = np.zeros((2, 3)), np.array([[0.1, 0.0, 0.0], [0.3, 0.0, 0.0]])
        >>> Travel().moved(before, after).pose
        (0.2, 0.0, 0.0)
    """

    pose: tuple[float, ...] = (0.0, 0.0, 0.0)
    variance: tuple[float, float] = (0.0, 0.0)

    def moved(self, before: Array, after: Array) -> Travel:
        """The travel after particles, some for all, have moved between poses ``(N, 3)``."""
        d = cast(Array, PLANE.minus(after, before))
        mean, (x, y, yaw) = d.mean(0), d.var(0)
        pose = cast(Array, PLANE.plus(np.array(self.pose), mean))
        return Travel(tuple(pose.tolist()), (self.variance[0] + float(x + y), self.variance[1] + float(yaw)))

    def share(self, last: Travel, distance: float, angle: float) -> float:
        """The share of its evidence that a reading adds to one at `last`; 1 where distance and angle are 0."""
        if distance == 0.0 or angle == 0.0:
            return 1.0
        x, y, yaw = _minus()(self.pose, last.pose).tolist()
        d = math.sqrt(x * x + y * y + self.variance[0] - last.variance[0])
        a = math.sqrt(yaw * yaw + self.variance[1] - last.variance[1])
        return min(1.0, math.hypot(d / distance, a / angle))


@cache
def _minus() -> Any:
    """Machine code of ``p (-) p'``."""
    return Single(code_of(PLANE, "minus"), (PLANE.size, PLANE.size, 0), np.zeros(0))


Heard = tuple[tuple[Source, Travel], ...]
"""The travel at the last reading from each source."""


def last_heard(heard: Heard, source: Source) -> Travel | None:
    """The travel at the last reading from a source; None when there was none."""
    return next((travel for other, travel in heard if _same(other, source)), None)


def heard_now(heard: Heard, source: Source, travel: Travel) -> Heard:
    """With a reading from a source at this travel."""
    return (*(each for each in heard if not _same(each[0], source)), (source, travel))[-SOURCES:]


def _same(one: Source, other: Source) -> bool:
    context = one[1] is other[1] or np.array_equal(np.asarray(one[1]), np.asarray(other[1]))
    return bool(context and (one[0] is other[0] or one[0] == other[0]))
