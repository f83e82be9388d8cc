"""Reference lines: smooth curves by arc length, and the coordinates beside them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import numbers
from ...core.errors import ShapeError
from ...core.plan import Plan
from ...core.settings import Positive, settings
from ._frame import cartesian_states, frenet_states

Array = NDArray[np.float64]
TURN = 1e-6
"""How far [rad] from a half turn a line turns at least; less, and its tangent vanishes where it turns back."""


@settings(eq=False, repr=False)
class ReferenceLine:
    """A reference line: the middle of a lane by arc length, and Frenet coordinates beside it.

    ::

        r(s): cubic spline through the points,   |r'| = 1,   t = r',  n = t turned left,   k = t x t'
        x = r(s) + d n(s)
        q = 1 - k d,   w = sqrt(q^2 + d'^2)                         ' : by s,   . : by time
        yaw = yaw_r + atan2(d', q),   speed = s. w
        acceleration = s.. w + s.^2 (d' d'' - q (k' d + k d')) / w
        curvature = ((q d'' + (k' d + k d') d') / w^2 + k) / w

    The formulas are those of Werling without a division by the speed, so they hold at rest too. The curve through the
    points has continuous curvature. It is resampled at equal steps of its length, so ``|r'|`` is 1 up to the fourth
    power of the spacing.

    Attributes:
        points: x, y ``(K, 2)`` [m] in driving order, two or more; or a plan with x and y, such as that of
            `CorridorSmoother`.
        spacing: longest distance between the joints of the spline [m].

    Raises:
        ShapeError: if the points have another shape, are not finite, two neighbours are the same, or the line turns
            back on itself.
        SpaceError: if the plan lacks x or y.

    Source: M. Werling et al., Optimal trajectory generation for dynamic street scenarios in a Frenet frame, 2010,
    appendix I.

    Example:
        >>> angle = np.linspace(0.0, np.pi, 30)
        >>> bend = ReferenceLine(10.0 * np.stack([np.sin(angle), 1.0 - np.cos(angle)], -1))
        >>> round(bend.length, 3), bend.curvature([5.0]).round(3)
        (31.416, array([0.1]))
        >>> bend.to_frenet([9.0, 10.0, np.pi / 2, 4.5, 0.0, 1 / 9])[[0, 1, 3]].round(3)     # 1 m to the left
        array([15.708,  5.   ,  1.   ])
    """

    points: Any
    spacing: Positive = 0.1

    def __post_init__(self) -> None:
        given = self.points
        if isinstance(given, Plan):
            if given.xs is None or given.space is None:
                raise ShapeError(f"the plan has no path: {given.reason}; a reference line needs one")
            xy = given.xs[:, [given.space.find(name, "ReferenceLine") for name in ("x", "y")]]
            given = xy[np.append(True, np.linalg.norm(np.diff(xy, axis=0), axis=-1) > 1e-9)]
        points = numbers(given, "the points of a reference line")
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
            raise ShapeError(f"the points of a reference line have shape {points.shape}; expected (K, 2), finite")
        if not np.diff(points, axis=0).any(-1).all():
            raise ShapeError("two neighbouring points of a reference line are the same; expected a line that moves on")
        steps = np.diff(points, axis=0)
        steps /= np.linalg.norm(steps, axis=-1)[:, None]
        if (back := np.linalg.norm(steps[1:] + steps[:-1], axis=-1) < TURN).any():
            raise ShapeError(
                f"a reference line turns back at {points[1 + back.argmax()]}; expected a line that moves on"
            )
        object.__setattr__(self, "points", points)

    def __repr__(self) -> str:
        return f"ReferenceLine({len(self.points)} points, {self.length:.4g} m)"

    @property
    def length(self) -> float:
        """The length of the line [m]."""
        return self.pieces[1] * len(self.pieces[0])

    @cached_property
    def pieces(self) -> tuple[Array, float]:
        """Coefficients ``(N, 2, 4)`` of x and y on each piece, constant first, and the length of a piece [m]."""
        from scipy.interpolate import CubicHermiteSpline, CubicSpline  # imported late: it takes 0.1 s

        chords = np.linalg.norm(np.diff(self.points, axis=0), axis=-1)
        curve = CubicSpline(np.append(0.0, np.cumsum(chords)), self.points)
        u = np.concatenate([*map(_parted, curve.x[:-1], curve.x[1:], np.ceil(chords / self.spacing)), curve.x[-1:]])
        nodes, weights = np.polynomial.legendre.leggauss(5)
        half = 0.5 * np.diff(u)
        inner = u[:-1, None] + half[:, None] * (1.0 + nodes)
        lengths = half * (np.linalg.norm(curve(inner, 1), axis=-1) @ weights)
        along = np.append(0.0, np.cumsum(lengths))
        place = CubicHermiteSpline(along, u, 1.0 / np.linalg.norm(curve(u, 1), axis=-1))
        count = max(int(np.ceil(along[-1] / self.spacing)), 3)
        s = np.linspace(0.0, along[-1], count + 1)
        fitted = CubicSpline(s, curve(np.clip(place(s), 0.0, u[-1])))
        return np.ascontiguousarray(fitted.c[::-1].transpose(1, 2, 0)), float(along[-1] / count)

    def poses(self, s: ArrayLike) -> Array:
        """Points and headings of the line at arc lengths ``(...)``: x, y, yaw ``(..., 3)``; NaN beyond its ends."""
        return self._at(s)[..., :3]

    def curvature(self, s: ArrayLike) -> Array:
        """The curvature at arc lengths ``(...)`` [1/m], positive in a left turn; NaN beyond its ends."""
        return self._at(s)[..., 5]

    def to_cartesian(self, states: ArrayLike) -> Array:
        """States x, y, yaw, speed, acceleration, curvature ``(..., 6)`` from Frenet coordinates.

        Args:
            states: s, s., s.., d, d', d'' ``(..., 6)``: the first three by time, the last three by s.

        Returns:
            NaN where ``1 - k d`` is not positive, beyond the centre of the curve.
        """
        return self._converted(cartesian_states, states)

    def to_frenet(self, states: ArrayLike) -> Array:
        """Frenet coordinates s, s., s.., d, d', d'' ``(..., 6)`` of states: the inverse of `to_cartesian`.

        Args:
            states: x, y, yaw, speed, acceleration, curvature ``(..., 6)``.

        Returns:
            Those at the nearest point of the line; NaN where that is an end and not beside the state, and where the
            heading is across the line or against it.
        """
        return self._converted(frenet_states, states)

    def _converted(self, conversion: Any, states: ArrayLike) -> Array:
        rows = numbers(states, "states")
        if rows.shape[-1:] != (6,):
            raise ShapeError(f"states have shape {rows.shape}; expected (..., 6)")
        flat = np.array(rows.reshape(-1, 6), order="C")
        out = np.empty_like(flat)
        conversion(*self.pieces, flat, out)
        return out.reshape(rows.shape)

    def _at(self, s: ArrayLike) -> Array:
        where = numbers(s, "arc lengths")
        states = np.zeros((*where.shape, 6))
        states[..., 0], states[..., 1] = np.where((where >= 0.0) & (where <= self.length), where, np.nan), 1.0
        return self.to_cartesian(states)


def _parted(low: float, high: float, count: float) -> Array:
    """Equal steps from a number to another, without the last."""
    return np.linspace(low, high, int(count), endpoint=False)
