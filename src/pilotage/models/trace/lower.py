"""Lowering: a traced graph rewritten in the operations that a processor has.

`wrap`, `mod`, `sign`, minima and the reading of rasters become arithmetic, comparisons and selections. For lanes, where
a call of the C library would stop SIMD, the elementary functions become polynomials: see `polynomials` for double
precision, and `short_polynomials` for single.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import polynomials, short_polynomials
from .expression import Expr
from .graph import Graph, reachable
from .polynomials import PI
from .reals import DOUBLE, SINGLE, Real
from .rowwise import gathered

TURN = 6.283185307179586


def lower(outputs: Sequence[Expr], lanes: bool, real: Real = DOUBLE) -> list[Expr]:
    """`outputs` in the operations that `llvm` emits; without calls of the C library where there are lanes."""
    if not outputs:
        return []
    outputs = gathered(outputs)
    g = outputs[0].graph
    rules = {**COMMON, **(LANES[real.precision] if lanes else {})}
    new: dict[int, Expr] = {}
    for i in reachable(outputs):
        e = g.nodes[i]
        args = [new[a.index] for a in e.args]
        rule = rules.get(e.op)
        if rule is not None:
            new[i] = rule(g, e, args)
        elif e.op == "map":
            (function,) = lower([g.nodes[int(e.value)]], lanes, real)
            new[i] = g.raw("map", *args, value=function.index)
        elif any(a is not b for a, b in zip(args, e.args, strict=True)):
            new[i] = g.raw(e.op, *args, value=e.value)
        else:
            new[i] = e
    return [new[o.index] for o in outputs]


def wrap(g: Graph, a: Expr) -> Expr:
    """Angle in (-pi, pi]."""
    r = a + TURN * g.node("floor", (PI - a) * 0.15915494309189535)
    # Rounding of the quotient may leave r on -pi, or one ulp above pi; beyond 1e15 nothing is left of an angle.
    return g.where((r <= -PI) | (r > PI), PI, r)


def sign(g: Graph, a: Expr) -> Expr:
    """-1, 0 or 1; NaN for NaN."""
    return g.where(a > 0.0, 1.0, g.where(a < 0.0, -1.0, g.raw("mul", g.zero, a)))


def extreme(g: Graph, e: Expr, a: Expr, b: Expr) -> Expr:
    """The lesser or greater of two, NaN if either is."""
    first = b < a if e.op == "min" else b > a
    return g.where(first if b.op == "const" else first | (b != b), b, a)


def floored(g: Graph, a: Expr, b: Expr) -> Expr:
    """The remainder of `a` divided by `b`, with the sign of `b`."""
    r = g.raw("rem", a, b)
    return g.where((r != 0.0) & ((r < 0.0) != (b < 0.0)), r + b, r)


def read(g: Graph, e: Expr, x: Expr, y: Expr) -> Expr:
    """Bilinear value of a raster (order 0) or its slope along world x or y (1, 2); see `layout.Layout.vector`.

    Outside, the value of the nearest border cell holds and the slope is 0. The comparisons are written so that NaN
    stays in the place and has some cell: no index leaves the table.
    """
    group, header, order = e.value
    ox, oy, c, s, scale, columns, rows, start = (g.input(group, header + k) for k in range(8))
    i = (c * (x - ox) + s * (y - oy)) * scale - 0.5
    j = (c * (y - oy) - s * (x - ox)) * scale - 0.5

    def cell(place: Expr, count: Expr) -> tuple[Expr, Expr]:
        inside = g.where(place < 0.0, 0.0, place)
        inside = g.where(inside > count - 1.0, count - 1.0, inside)
        low = g.where(inside < count - 2.0, inside, count - 2.0)
        low = g.node("floor", g.where(low > 0.0, low, 0.0))
        return low, inside - low

    (i0, a), (j0, b) = cell(i, columns), cell(j, rows)
    right = g.where(columns > 1.0, 1.0, 0.0)
    up = g.where(rows > 1.0, columns, 0.0)
    k = start + j0 * columns + i0
    corner = [[g.raw("load", k + v * up + h * right, value=group) for h in (0.0, 1.0)] for v in (0.0, 1.0)]
    if order == 0:
        low = corner[0][0] + a * (corner[0][1] - corner[0][0])
        high = corner[1][0] + a * (corner[1][1] - corner[1][0])
        return low + b * (high - low)
    along = (1.0 - b) * (corner[0][1] - corner[0][0]) + b * (corner[1][1] - corner[1][0])
    across = (1.0 - a) * (corner[1][0] - corner[0][0]) + a * (corner[1][1] - corner[0][1])
    along = g.where((i >= 0.0) & (i <= columns - 1.0), along * scale, 0.0)
    across = g.where((j >= 0.0) & (j <= rows - 1.0), across * scale, 0.0)
    return c * along - s * across if order == 1 else s * along + c * across


COMMON: dict[str, Callable[[Graph, Expr, list[Expr]], Expr]] = {
    "wrap": lambda g, e, a: wrap(g, a[0]),
    "sign": lambda g, e, a: sign(g, a[0]),
    "min": lambda g, e, a: extreme(g, e, *a),
    "max": lambda g, e, a: extreme(g, e, *a),
    "mod": lambda g, e, a: floored(g, *a),
    "lookup": lambda g, e, a: read(g, e, *a),
}
"""Rules for all code."""

LANES = {DOUBLE.precision: polynomials.RULES, SINGLE.precision: short_polynomials.RULES}
"""Further rules for lanes, by precision."""
