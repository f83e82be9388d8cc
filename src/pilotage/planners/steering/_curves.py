"""Curves of straight lines and arcs between poses: memory layout, batches, and plans made of them.

A compiled curve, ``void curve(a, b, _, p, word)``, writes its segments from pose a to pose b to an array `word`: the
length of the curve, the number of segments, then for each segment its curvature and its length, negative in reverse.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import numbers
from ...core.errors import ShapeError
from ...core.plan import Plan, PlanStatus
from ...core.settings import Positive, setting, settings
from ...core.space import Space
from ...models.trace import call, driver
from ...models.trace.driver import Driver
from ...models.trace.turns import sine_cosine
from ._angles import wrapped

Array = NDArray[np.float64]
POSE = Space("pose: SE2")
LENGTH, SEGMENTS, FIRST = 0, 1, 2
WORD = 12
"""Numbers of a word: two, and two for each of five segments at most."""
QUARTER = 0.5 * math.pi
"""Longest turn between two states of a plan: the interpolation between poses is unique below half a turn."""
LENGTHS = "void(i8, f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[::1], f8[::1])"
CURVE = "void(CPointer(f8), CPointer(f8), CPointer(f8), CPointer(f8), CPointer(f8))"


@driver(inline=True)
def relative(a_x, a_y, a_yaw, b_x, b_y, b_yaw, radius):
    """Pose b in the frame of pose a, in units of the radius: x, y, and the heading in [-pi, pi]."""
    scale = 1.0 / radius
    dx, dy = (b_x - a_x) * scale, (b_y - a_y) * scale
    s, c = sine_cosine(a_yaw)
    return c * dx + s * dy, c * dy - s * dx, wrapped(b_yaw - a_yaw)


@driver(LENGTHS, nogil=True)
def lengths(address, a, b, p, ends, word, out):
    """Lengths of curves between poses ``(3, N)``; `ends` ``(2, 3)`` and `word` are memory."""
    for i in range(out.shape[0]):
        for k in range(3):
            ends[0, k], ends[1, k] = a[k, i], b[k, i]
        call(address, ends[0], ends[1], 0, p, word)
        out[i] = word[LENGTH]


@driver("void(i8, f8[::1], f8[::1], f8[::1], f8[::1])")
def one_word(address, a, b, p, word):
    """Write the segments of a curve between two poses ``(3,)``."""
    call(address, a, b, 0, p, word)


@settings
class Curve:
    """A shortest curve between two poses of a vehicle with a smallest turning radius.

    Attributes:
        radius: smallest turning radius [m].
    """

    curve: ClassVar[Driver]
    length: ClassVar[Driver | None] = None
    """The curve without its segments, if that is cheaper."""
    lengths: ClassVar[Driver] = lengths
    """Lengths of many; a curve without branches has its own, which becomes SIMD."""
    reversible: ClassVar[bool] = False
    """Whether the way back is as long."""

    radius: Positive = 1.0

    def distance(self, a: ArrayLike, b: ArrayLike) -> Array:
        """Lengths ``(...)`` [m] of the shortest curves from poses ``(..., 3)`` to poses ``(..., 3)``.

        Args:
            a: x [m], y [m] and yaw [rad] of the start.
            b: the same of the goal; both broadcast against each other.

        Raises:
            ShapeError: if a or b are not poses.
        """
        a, b = (POSE.check(x, name) for x, name in ((a, "the start"), (b, "the goal")))
        if a.shape != b.shape:
            a, b = np.broadcast_arrays(a, b)
        columns = [np.array(x.reshape(-1, 3).T, order="C") for x in (a, b)]  # copies: drivers take no read-only arrays
        out, p = np.empty(columns[0].shape[1]), np.array([self.radius])
        self.lengths.compiled((self.length or self.curve).address, *columns, p, np.empty((2, 3)), np.empty(WORD), out)
        return out.reshape(a.shape[:-1])[()]

    def segments(self, a: ArrayLike, b: ArrayLike) -> Array:
        """The segments ``(K, 2)`` of the shortest curve: curvature [1/m], and length [m], negative in reverse.

        Args:
            a: pose ``(3,)`` of the start.
            b: pose ``(3,)`` of the goal.

        Raises:
            ShapeError: if a or b are not poses.
        """
        ends = [np.array(POSE.check(x, name)) for x, name in ((a, "the start"), (b, "the goal"))]
        if ends[0].shape != (3,) or ends[1].shape != (3,):
            raise ShapeError(f"the ends of a curve have shapes {ends[0].shape} and {ends[1].shape}; expected (3,)")
        word = np.empty(WORD)
        one_word.compiled(self.curve.address, *ends, np.array([self.radius]), word)
        found = word[FIRST:].reshape(-1, 2)[: int(word[SEGMENTS])]
        return found[found[:, 1] != 0.0]

    def connect(self, a: ArrayLike, b: ArrayLike, *, spacing: float | None = None) -> Plan:
        """The shortest curve as a plan in SE(2), which `follow` drives with its cusps.

        Args:
            a: pose ``(3,)`` of the start.
            b: pose ``(3,)`` of the goal.
            spacing: longest distance between two states along the curve [m]; None: only the ends of segments, and
                points a quarter turn apart, between which `Space.interpolate` is the curve.

        Returns:
            A plan with poses `xs` ``(T+1, 3)``. Its controls `us` ``(T, 2)`` are speed [m/s] (1, or -1 in reverse) and
            yaw rate [rad/s] of `pilotage.models.unicycle`; the curvature is their quotient. `ts` are the times at that
            speed. `cost` and `lower_bound` are the length of the curve [m].

        Raises:
            ShapeError: if a or b are not poses.
            SettingError: if the spacing is not positive.
        """
        longest = math.inf if spacing is None else setting(spacing, Positive, "spacing")
        found = self.segments(a, b)
        xs = [POSE.normalize(numbers(a, "the start"))]
        for curvature, length in found:
            count = pieces(curvature, length, longest)
            twist = np.array([1.0, 0.0, curvature]) * length
            xs.extend(POSE.plus(xs[-1], twist * (np.arange(1, count + 1) / count)[:, None]))
        if len(xs) > 1:
            xs[-1] = POSE.normalize(numbers(b, "the goal"))
        total = float(abs(found[:, 1]).sum())
        us, ts = driven(POSE, np.array(xs))
        return Plan(PlanStatus.SOLVED, POSE, np.array(xs), us, ts, cost=total, lower_bound=total)


def pieces(curvature: float, length: float, longest: float = math.inf) -> int:
    """The number of equal pieces of a segment that are short enough for a plan."""
    return max(1, math.ceil(abs(length) / longest), math.ceil(abs(curvature * length) / QUARTER - 1e-9))


def driven(space: Space, xs: Array) -> tuple[Array, Array]:
    """Controls ``(T, 2)`` and times ``(T+1,)`` of a unicycle that drives along arcs between poses at 1 m/s."""
    d: Any = space.minus(xs[1:], xs[:-1])
    length = abs(d[:, 0])
    gear, turned = np.where(d[:, 0] < 0.0, -1.0, 1.0), d[:, 2] / np.maximum(length, 1e-300)
    return np.stack([gear, turned], -1), np.concatenate([[0.0], np.cumsum(length)])
