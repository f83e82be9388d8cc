"""Compiled steps through a space: differences, moves, the room that a constraint leaves, and edges."""

from __future__ import annotations

import math

from ...core.problem import EVEN
from ...models.trace import call, driver
from ..steering._curves import LENGTH

# Addresses of machine code, in the array `codes`; 0 where nothing is forbidden, where edges are checked by what the
# constraint says of states, and where states are connected by `Space.interpolate`, without a steering curve.
PLUS, MINUS, CONSTRAINT, EDGE, STEER = 0, 1, 2, 3, 4
# Columns of the tangent that move x, y and yaw of a footprint, in the array `layout`; then whether edges are checked
# exactly, and whether the space is curved, so that an edge between states in bounds may leave them.
X, Y, YAW, EXACT, CURVED = 0, 1, 2, 3, 4
# Numbers in the array `settings`.
STEP, RESOLUTION, SLACK, ARM, CELL, RADIUS = 0, 1, 2, 3, 4, 5
# Rows of the memory `work`.
MOVED, DIFFERENCE, SCALED, VALUES, NOTHING, WORD = 0, 1, 2, 3, 4, 5
ROWS = 6


@driver
def subtract(codes, metric, b, a, d):
    """``d = b (-) a``; the length of d in the metric."""
    call(codes[MINUS], b, a, 0, 0, d)
    square = 0.0
    for i in range(metric.shape[0]):
        square += (metric[i] * d[i]) ** 2
    return math.sqrt(square)


@driver
def move(codes, metric, a, share, d, scaled, b):
    """``b = a (+) share d``."""
    for i in range(metric.shape[0]):
        scaled[i] = share * d[i]
    call(codes[PLUS], a, scaled, 0, 0, b)


@driver
def away(world, tree, a, x, most):
    """The length of the way from a to x, or from x to a in the tree of the goal; any bound of it if that is `most`."""
    codes, _, settings, metric, _, _, _, _, work = world
    if codes[STEER] == 0:
        return subtract(codes, metric, x, a, work[DIFFERENCE])
    straight = math.hypot(x[0] - a[0], x[1] - a[1])
    if straight >= most:
        return straight
    word = work[WORD]
    if tree == 0:
        call(codes[STEER], a, x, 0, settings[RADIUS:], word)
    else:
        call(codes[STEER], x, a, 0, settings[RADIUS:], word)
    return word[LENGTH]


@driver
def inside(bounds, x):
    """Whether x lies between the bounds ``(2, n)``."""
    fine = True
    for i in range(bounds.shape[1]):
        fine = fine and bounds[0, i] <= x[i] and x[i] <= bounds[1, i]
    return fine


@driver
def room(world, x):
    """The margin that the constraint leaves at x; negative where it is violated or NaN, and out of bounds."""
    codes, _, _, _, bounds, parameters, count, _, work = world
    if not inside(bounds, x):
        return -1.0
    if codes[CONSTRAINT] == 0:
        return math.inf
    values = work[VALUES]
    call(codes[CONSTRAINT], x, work[NOTHING], work[NOTHING], parameters, values)
    least = math.inf
    for k in range(count):
        if not values[k] <= 0.0:
            return -1.0
        least = min(least, -values[k])
    return least


@driver
def edge_allowed(world, a, room_a, b, room_b):
    """Whether all of the edge from a to b is allowed, where its ends are: `Problem.edges_allowed`.

    With a footprint, in steps of the room that is left, which hide nothing: the docstring of `FootprintConstraint` has
    the formula. Otherwise at points that are `RESOLUTION` apart, and so are bounds on a space that is not flat.
    """
    codes, layout, settings, metric, bounds, _, _, _, work = world
    x, d, scaled, nothing, values = work[MOVED], work[DIFFERENCE], work[SCALED], work[NOTHING], work[VALUES]
    curved, exact = layout[CURVED] != 0, layout[EXACT] != 0
    if codes[EDGE] != 0:
        call(codes[EDGE], a, b, nothing, nothing, values)
        return values[0] <= 0.0
    if codes[CONSTRAINT] == 0 and not curved:
        return True
    length = subtract(codes, metric, b, a, d)
    if curved or not exact:
        pieces = max(math.ceil(length / settings[RESOLUTION] - EVEN), 1)
        for k in range(1, pieces):
            move(codes, metric, a, k / pieces, d, scaled, x)
            if not inside(bounds, x) or (not exact and room(world, x) < 0.0):
                return False
    if exact:
        length = math.hypot(d[layout[X]], d[layout[Y]])
        if layout[YAW] >= 0:
            length += settings[ARM] * abs(d[layout[YAW]])
        t, end = max(room_a, settings[SLACK]), length - room_b
        while t < end:
            move(codes, metric, a, t / length, d, scaled, x)
            left = room(world, x)
            if left <= settings[SLACK]:
                return False
            t += left
    return True
