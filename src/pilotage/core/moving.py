"""Moving obstacles: discs that move along known or predicted paths."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import frozen, numbers
from .belief import Belief
from .errors import PilotageError, ShapeError
from .plan import Plan
from .planar import planar
from .settings import instance, positive, settings, shown

Array = NDArray[np.float64]


@settings(eq=False)
class MovingObstacle:
    """A disc that moves along a known or predicted path.

    Between two times it moves along a straight line at a constant speed. Before the first and after the last time, it
    rests.

    Attributes:
        ts: times ``(T,)`` [s], increasing; 0 is the start of the plan.
        xys: positions ``(T, 2)`` [m].
        radius: radius [m], one or ``(T,)``; between two times, the larger one counts.

    Raises:
        ShapeError: if shapes do not fit, a number is not finite, times do not increase, or a radius is negative.

    Example:
        >>> MovingObstacle([0.0, 2.0], [[0.0, 0.0], [4.0, 0.0]], 0.5).at(1.0).tolist()
        [2.0, 0.0]
    """

    ts: ArrayLike
    xys: ArrayLike
    radius: ArrayLike

    def __post_init__(self) -> None:
        ts, xys = numbers(self.ts, "the times of an obstacle"), numbers(self.xys, "the positions of an obstacle")
        if ts.ndim != 1 or not len(ts) or xys.shape != (len(ts), 2) or not np.isfinite([*ts, *xys.ravel()]).all():
            raise ShapeError(
                f"times and positions of an obstacle have shapes {ts.shape} and {xys.shape}; expected finite numbers "
                "of shape (T,) and (T, 2)"
            )
        radius = numbers(self.radius, "the radius of an obstacle")
        if radius.shape not in ((), ts.shape) or not ((radius >= 0.0) & np.isfinite(radius)).all():
            raise ShapeError(
                f"the radius of an obstacle is {shown(self.radius)}; expected one, or {len(ts)}, of 0 or more"
            )
        if not (np.diff(ts) > 0.0).all():
            raise ShapeError("the times of an obstacle do not increase; expected each to be later than the one before")
        for name, value in (("ts", ts), ("xys", xys), ("radius", np.broadcast_to(radius, ts.shape))):
            object.__setattr__(self, name, frozen(value))

    @classmethod
    def of(cls, plan: Plan, radius: float) -> MovingObstacle:
        """Another robot that follows a plan with times."""
        if plan.xs is None or plan.ts is None or plan.space is None:
            raise PilotageError("an obstacle follows a plan with states and times; this one has none")
        xy = [plan.space.find(name, "a moving obstacle") for name in ("x", "y")]
        last = np.append(np.diff(plan.ts) > 0.0, True)
        return cls(plan.ts[last], plan.xs[last][:, xy], positive(radius, "radius", zero=True))

    @classmethod
    def predicted(cls, ts: ArrayLike, beliefs: Iterable[Any], radius: float, risk: float = 0.05) -> MovingObstacle:
        """A tracked object, from beliefs over its state at some times.

        ::

            radius_k = radius + sqrt(-2 ln(risk) l_k),   l_k: largest eigenvalue of the covariance of x and y

        The middle of the object lies in a disc around its mean with probability 1 - risk at least, at each time. The
        position of a pose in SE(2) deviates by no more than its tangent vector, in whatever frame that is. A whole
        track is as risky as its times together: `pilotage.planners.chance_constrained` shares a risk among them.

        Args:
            ts: times ``(T,)`` [s].
            beliefs: a belief with components x and y for each time, such as the predictions of a track.
            radius: radius of the object [m].
            risk: probability that it is elsewhere, above 0 and below 1.

        Raises:
            ShapeError: if the risk is no probability, or the position of a belief is not one in the plane.
        """
        share = positive(risk, "risk")
        if not share < 1.0:
            raise ShapeError(f"risk is {shown(risk)}; expected a probability above 0 and below 1")
        places, radii = list[Array](), list[float]()
        for belief in beliefs:
            mean, P = planar(instance(belief, Belief, "MovingObstacle.predicted"), ("x", "y"))
            places.append(mean)
            largest = max(float(np.linalg.eigvalsh(P)[-1]), 0.0)
            radii.append(positive(radius, "radius", zero=True) + math.sqrt(-2.0 * math.log(share) * largest))
        return cls(ts, np.array(places), np.array(radii))

    def at(self, t: ArrayLike) -> Array:
        """Positions ``(..., 2)`` [m] at times ``(...)``."""
        ts, xys, when = np.asarray(self.ts), np.asarray(self.xys), numbers(t, "times")
        return np.stack([np.interp(when, ts, xys[:, k]) for k in range(2)], -1)

    def radii(self, t: ArrayLike) -> Array:
        """Radii ``(...)`` [m] at times ``(...)``: of the two times around each, the larger one."""
        own, radii = np.asarray(self.ts), np.asarray(self.radius)
        k = np.searchsorted(own, numbers(t, "times"))
        return np.maximum(radii[np.minimum(k, len(own) - 1)], radii[np.maximum(k - 1, 0)])

    def later(self, seconds: float) -> MovingObstacle:
        """The same motion as a clock shows it that starts so many seconds later."""
        return MovingObstacle(np.asarray(self.ts) - seconds, self.xys, self.radius)

    def room(self, xys: ArrayLike, ts: ArrayLike) -> Array:
        """The least room [m] between the disc and a point on each of its ways, ``(N-1,)``; negative if they overlap.

        It is exact for a point that moves along straight lines at constant speeds: the distance of both is that of a
        straight line from the origin, between any two of the times of either.

        Args:
            xys: positions ``(N, 2)`` [m] of the point.
            ts: its times ``(N,)`` [s], ascending.

        Example:
            >>> walker = MovingObstacle([0.0, 2.0], [[1.0, -1.0], [1.0, 1.0]], 0.3)
            >>> walker.room([[0.0, 0.0], [2.0, 0.0], [3.0, 0.0]], [0.0, 2.0, 3.0]).round(3).tolist()
            [-0.3, 1.114]
        """
        own = np.asarray(self.ts)
        x, when = numbers(xys, "positions"), numbers(ts, "times")
        at = np.unique(np.concatenate([when, own[(own > when[0]) & (own < when[-1])]]))
        d = np.stack([np.interp(at, when, x[:, k]) for k in range(2)], -1) - self.at(at)
        steps = np.diff(d, axis=0)
        share = np.clip(-(d[:-1] * steps).sum(-1) / np.maximum((steps**2).sum(-1), 1e-300), 0.0, 1.0)
        middle = 0.5 * (at[1:] + at[:-1])
        room = np.linalg.norm(d[:-1] + share[:, None] * steps, axis=-1) - self.radii(middle)
        out = np.full(len(when) - 1, np.inf)
        np.minimum.at(out, np.searchsorted(when, middle) - 1, room)
        return out
