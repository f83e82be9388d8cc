"""The constraints of iLQR: an augmented Lagrangian ``sum (max(0, lambda + w g)^2 - lambda^2) / 2w`` along a plan."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import call, driver


@driver
def augmented(g: Any, multipliers: Any, weight: float) -> float:
    """``sum (max(0, lambda + w g)^2 - lambda^2) / 2w``: the share of a constraint in an augmented Lagrangian.

    Source: Nocedal and Wright, "Numerical optimization" (2006), equation 17.65.
    """
    total = 0.0
    for i in range(len(multipliers)):
        a = multipliers[i] + weight * g[i]
        a = 0.0 if a < 0.0 else a  # NaN stays
        total += (a * a - multipliers[i] * multipliers[i]) / (2.0 * weight)
    return total


@driver
def charge(bound: Any, multipliers: Any, weight: float, Vx: Any, Vxx: Any, Qu: Any, Quu: Any, Qux: Any) -> None:
    """Add the expansion of `augmented` by the next state to V, and by the action to Q.

    ::

        Vx += gx' a,   Vxx += w gx' gx,   Qu += gu' a,   Quu += w gu' gu,   Qux += w gu' gx       a = lambda + w g > 0
    """
    k, d, m = len(multipliers), len(Vx), len(Qu)
    gx, gu = bound[k : k + k * d].reshape(k, d), bound[k + k * d :].reshape(k, m)
    for i in range(k):
        a = multipliers[i] + weight * bound[i]
        if a > 0.0:
            for j in range(d):
                Vx[j] += gx[i, j] * a
                for l in range(d):
                    Vxx[j, l] += weight * gx[i, j] * gx[i, l]
            for j in range(m):
                Qu[j] += gu[i, j] * a
                for l in range(m):
                    Quu[j, l] += weight * gu[i, j] * gu[i, l]
                for l in range(d):
                    Qux[j, l] += weight * gu[i, j] * gx[i, l]


@driver
def pressed(bounds: Any, multipliers: Any, weight: float) -> bool:
    """Whether a constraint has a share in the augmented Lagrangian: ``lambda + w g > 0`` somewhere along the plan."""
    for t in range(multipliers.shape[0]):
        for i in range(multipliers.shape[1]):
            if multipliers[t, i] + weight * bounds[t, i] > 0.0:
                return True
    return False


@driver
def violation(models: Any, rows: Any, xs: Any, us: Any, multipliers: Any, weight: float, w: Any) -> Any:
    """Largest value of the constraint along a plan, its cost, and how far from an optimum the multipliers are.

    That is the largest ``|max(g, -lambda / w)|``: a constraint is violated, or is kept with room to spare and still has
    a multiplier. The multipliers become ``max(0, lambda + w g)``.

    Source: Birgin and Martinez, "Practical augmented Lagrangian methods for constrained optimization" (2014),
    algorithm 4.1.
    """
    code, _, _, c = models
    worst, gap, T = -math.inf, 0.0, len(us)
    call(code[7], xs[T], us[T - 1], rows[T], c, w)
    cost = w[0]
    for t in range(T):
        call(code[2], xs[t], us[t], rows[t], c, w)
        cost += w[0]
        call(code[4], xs[t + 1], us[t], rows[t + 1], c, w)
        for i in range(multipliers.shape[1]):
            worst = w[i] if not w[i] <= worst else worst
            gap = max(gap, math.fabs(max(w[i], -multipliers[t, i] / weight)))
            multipliers[t, i] = max(0.0, multipliers[t, i] + weight * w[i])
    return worst, cost, gap


@driver
def nudge(us: Any, limits: Any) -> None:
    """Move all actions up by a hundredth of their range, or of ``1 + |u|`` where that is less, within the limits.

    A heuristic that leaves a line of symmetry, such as that through the centre of a round obstacle: the constraint has
    no gradient across it, which holds a plan there for ever.
    """
    for t in range(us.shape[0]):
        for j in range(us.shape[1]):
            step = 0.01 * min(limits[1, j] - limits[0, j], 1.0 + math.fabs(us[t, j]))
            us[t, j] = min(us[t, j] + step, limits[1, j])
