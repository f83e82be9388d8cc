"""Compiled steps through a space: differences, moves, the room that a constraint leaves, and edges."""

from __future__ import annotations

import math

from ...models.trace import call, driver

# Addresses of machine code, in the array `codes`; 0 where the space is flat, and where nothing is forbidden.
PLUS, MINUS, CONSTRAINT = 0, 1, 2
# Columns of the tangent that move x, y and yaw of a footprint, in the array `layout`; then the tree of the next sample.
X, Y, YAW, EXACT = 0, 1, 2, 3
# Numbers in the array `settings`.
STEP, RESOLUTION, SLACK, ARM = 0, 1, 2, 3
# Rows of the array `metric`, one number for each tangent component: its weight, and a turn where it is an angle.
WEIGHT, TURN = 0, 1
# Rows of the memory `work`.
MOVED, DIFFERENCE, SCALED, VALUES, NOTHING = 0, 1, 2, 3, 4
ROWS = 5


@driver
def subtract(codes, metric, b, a, d):
    """``d = b (-) a``; the length of d in the metric."""
    if codes[MINUS] != 0:
        call(codes[MINUS], b, a, 0, 0, d)
    square = 0.0
    for i in range(metric.shape[1]):
        if codes[MINUS] == 0:
            d[i] = b[i] - a[i]
            if metric[TURN, i] > 0.0:
                d[i] -= metric[TURN, i] * math.floor(d[i] / metric[TURN, i] + 0.5)
        square += (metric[WEIGHT, i] * d[i]) ** 2
    return math.sqrt(square)


@driver
def move(codes, metric, a, share, d, scaled, b):
    """``b = a (+) share d``."""
    for i in range(metric.shape[1]):
        scaled[i] = share * d[i]
    if codes[PLUS] != 0:
        call(codes[PLUS], a, scaled, 0, 0, b)
        return
    for i in range(metric.shape[1]):
        b[i] = a[i] + scaled[i]
        if metric[TURN, i] > 0.0:
            b[i] -= metric[TURN, i] * math.ceil(b[i] / metric[TURN, i] - 0.5)


@driver
def room(codes, parameters, count, x, work):
    """How much the constraint leaves at x: minus the largest of its values; negative where it is violated or NaN."""
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
def edge_room(codes, metric, parameters, count, layout, settings, a, room_a, d, length, b, work):
    """The room at b = a (+) d, when all of the edge from a is allowed; negative when it is not.

    With a footprint, in steps of the room that is left, which hide nothing: the docstring of `FootprintConstraint` has
    the formula. Otherwise at points that are `RESOLUTION` apart.
    """
    room_b = room(codes, parameters, count, b, work)
    if room_b < 0.0 or codes[CONSTRAINT] == 0:
        return room_b
    exact = layout[EXACT] != 0
    if exact:
        length = math.hypot(d[layout[X]], d[layout[Y]])
        if layout[YAW] >= 0:
            length += settings[ARM] * abs(d[layout[YAW]])
        t, end, pace = max(room_a, settings[SLACK]), length - room_b, 0.0
    else:
        pace = length / max(math.ceil(length / settings[RESOLUTION]), 1)
        t, end = pace, length - 0.5 * pace
    x = work[MOVED]
    while t < end:
        move(codes, metric, a, t / length, d, work[SCALED], x)
        left = room(codes, parameters, count, x, work)
        if left < 0.0 or (exact and left <= settings[SLACK]):
            return -1.0
        t += left if exact else pace
    return room_b
