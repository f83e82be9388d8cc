"""The intelligent driver model: how a driver follows the car in front."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import driver

BRAKE = 8.0
"""The strongest braking of a car [m/s^2]."""


@driver
def idm(v: float, gap: float, ahead: float, patience: float, p: Any) -> float:
    """The acceleration [m/s^2] of the intelligent driver model, at most `BRAKE` of braking::

        a [1 - (v / v0)^4 - (s* / s)^2],   s* = s0 + max(0, patience v T + v (v - v_ahead) / (2 sqrt(a b)))

    Args:
        v: speed [m/s].
        gap: s, from bumper to bumper [m]; infinite on a free road.
        ahead: v_ahead, the speed of the car in front [m/s].
        patience: what the driver is content with of the time gap, 1 while following.
        p: desired speed v0 [m/s], time gap T [s], acceleration a and comfortable braking b [m/s^2], and least gap
            s0 [m].

    Source: M. Treiber, A. Hennecke, D. Helbing, "Congested traffic states in empirical observations and microscopic
    simulations", Phys. Rev. E 62 (2000), equations (1) and (2).
    """
    v0, T, a, b, s0 = p[0], p[1], p[2], p[3], p[4]
    r = v / v0
    desired = s0 + max(0.0, patience * v * T + 0.5 * v * (v - ahead) / math.sqrt(a * b))
    q = desired / max(gap, 0.1)
    return max(a * (1.0 - r * r * r * r - q * q), -BRAKE)
