"""Compiled steps through a space: differences, moves, the room that a constraint leaves, and edges."""

from __future__ import annotations

import math

from ...core.problem import EVEN
from ...models.trace import call, driver
from ..steering._curves import FIRST, LENGTH, QUARTER, SEGMENTS

# Addresses of machine code, in the array `codes`; 0 where nothing is forbidden, where edges are checked by what the
# constraint says of states, and where states are connected by `Space.interpolate`, without a steering curve.
# ACTION and REFERENCE are addresses of what the constraint is given beside the state.
PLUS, MINUS, CONSTRAINT, EDGE, STEER, ACTION, REFERENCE = 0, 1, 2, 3, 4, 5, 6
# Columns of the tangent that move x, y, yaw and z of a robot on a map, in the array `layout`; then whether edges are
# checked exactly, whether the space is curved, so that an edge between states in bounds may leave them, and whether
# ways back are longer.
X, Y, YAW, Z, EXACT, CURVED, ONE_WAY = 0, 1, 2, 3, 4, 5, 6
# Numbers in the array `settings`; CHECKS counts how often the constraint was asked.
STEP, RESOLUTION, SLACK, ARM, CHECKS, RADIUS = 0, 1, 2, 3, 4, 5
# Rows of the memory `work`.
MOVED, DIFFERENCE, SCALED, VALUES, NOTHING, WORD, HERE, THERE = 0, 1, 2, 3, 4, 5, 6, 7
ROWS = 8
TINY = 1e-7
"""A segment of a curve so short [m] is rounding."""
WORLD = "Tuple((i8[::1], i8[::1], f8[::1], f8[::1], f8[:,::1], f8[::1], i8, f8[:,::1]))"
"""The type of `Compiled.world`."""


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
def bow(world, a, b, i, j):
    """The largest distance of the edge from a to b from its chord, in components i and j: `pilotage.core.moving.bows`.

    It is reached in the middle; 0 on a flat space.
    """
    codes, layout, _, metric, _, _, _, work = world
    if layout[CURVED] == 0:
        return 0.0
    d, x = work[DIFFERENCE], work[MOVED]
    subtract(codes, metric, b, a, d)
    move(codes, metric, a, 0.5, d, work[SCALED], x)
    return math.hypot(x[i] - 0.5 * (a[i] + b[i]), x[j] - 0.5 * (a[j] + b[j]))


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
    codes, _, settings, _, bounds, parameters, count, work = world
    if not inside(bounds, x):
        return -1.0
    if codes[CONSTRAINT] == 0:
        return math.inf
    settings[CHECKS] += 1.0
    values = work[VALUES]
    call(codes[CONSTRAINT], x, codes[ACTION], codes[REFERENCE], parameters, values)
    least = math.inf
    for k in range(count):
        if not values[k] <= 0.0:
            return -1.0
        least = min(least, -values[k])
    return least


@driver(f"void({WORLD}, f8[:,::1], f8[::1])")
def rooms(world, xs, out):
    """`room` of states ``(K, n)``."""
    for k in range(xs.shape[0]):
        out[k] = room(world, xs[k])


@driver(f"void({WORLD}, f8[:,::1], f8[::1])")
def lengths(world, xs, out):
    """Lengths in the metric of the edges from the first of states ``(K, n)`` to all of them."""
    codes, _, _, metric, _, _, _, work = world
    for k in range(xs.shape[0]):
        out[k] = subtract(codes, metric, xs[k], xs[0], work[DIFFERENCE])


@driver
def edge_allowed(world, a, room_a, b, room_b):
    """Whether all of the edge from a to b is allowed, where its ends are: `Problem.edges_allowed`.

    With a robot on a map, in steps of the room that is left, which hide nothing: the docstring of `FootprintConstraint`
    has the formula. Otherwise at points that are `RESOLUTION` apart, and so are bounds on a space that is not flat.
    """
    codes, layout, settings, metric, bounds, _, _, work = world
    x, d, scaled, nothing, values = work[MOVED], work[DIFFERENCE], work[SCALED], work[NOTHING], work[VALUES]
    curved, exact = layout[CURVED] != 0, layout[EXACT] != 0
    if codes[EDGE] != 0:
        settings[CHECKS] += 1.0
        call(codes[EDGE], a, b, nothing, nothing, values)
        return values[0] <= 0.0
    if codes[CONSTRAINT] == 0 and not curved:
        return True
    length = subtract(codes, metric, b, a, d)
    if curved or not exact:
        pieces = max(math.ceil(length / settings[RESOLUTION] - EVEN), 1)
        stride = 1
        while stride < pieces:
            stride *= 2
        while stride > 1:  # the middle first, then the quarters: obstacles are met sooner than from one end
            for k in range(stride // 2, pieces, stride):
                move(codes, metric, a, k / pieces, d, scaled, x)
                if not inside(bounds, x) or (not exact and room(world, x) < 0.0):
                    return False
            stride //= 2
    if exact:
        length = math.hypot(d[layout[X]], d[layout[Y]])
        if layout[Z] >= 0:
            length = math.hypot(length, d[layout[Z]])
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


@driver(f"i8({WORLD}, f8[:,::1], f8[::1], i8, i8)")
def farthest(world, xs, rooms, i, last):
    """The last of the states from i + 1 to `last` that an allowed edge joins to state i; i + 1 if there is none.

    Args:
        xs: states ``(K, n)``.
        rooms: `room` of each.
    """
    for j in range(last, i + 1, -1):
        if rooms[i] >= 0.0 and rooms[j] >= 0.0 and edge_allowed(world, xs[i], rooms[i], xs[j], rooms[j]):
            return j
    return i + 1


@driver
def copy(x, b):
    """``b = x``."""
    for k in range(x.shape[0]):
        b[k] = x[k]


@driver
def pieces(curvature, length):
    """The number of equal parts of a segment that turn by a quarter at most; 0 where it is none."""
    return max(math.ceil(abs(curvature * length) / QUARTER - EVEN), 1) if abs(length) > TINY else 0


@driver
def cost_of_way(world, backward, a, x, most):
    """The length in the metric of the way from a to x, or from x to a; any bound of it if that is `most`.

    A segment of a steering curve with length s and curvature k is ``|s| sqrt(w_x^2 + (w_yaw k)^2)`` long. The straight
    line, and the arc that turns by the difference of the headings, are shorter than the curve and cheaper to compute.
    """
    codes, _, settings, metric, _, _, _, work = world
    if codes[STEER] == 0:
        return subtract(codes, metric, x, a, work[DIFFERENCE])
    straight = metric[0] * math.hypot(x[0] - a[0], x[1] - a[1])
    turn = abs(x[2] - a[2])
    arc = min(turn, 2.0 * math.pi - turn) * math.hypot(metric[0] * settings[RADIUS], metric[2])
    if max(straight, arc) >= most:
        return max(straight, arc)
    word, total = work[WORD], 0.0
    if backward:
        call(codes[STEER], x, a, 0, settings[RADIUS:], word)
    else:
        call(codes[STEER], a, x, 0, settings[RADIUS:], word)
    for k in range(int(word[SEGMENTS])):
        total += abs(word[FIRST + 2 * k + 1]) * math.hypot(metric[0], metric[2] * word[FIRST + 2 * k])
    return total


@driver
def toward(world, a, x, b):
    """``b``: x, or the state one step along the way from a to x where x is farther; whether b is x."""
    codes, _, settings, metric, _, _, _, work = world
    d = work[DIFFERENCE]
    if codes[STEER] == 0:
        length = subtract(codes, metric, x, a, d)
        if length > settings[STEP]:
            move(codes, metric, a, settings[STEP] / length, d, work[SCALED], b)
            return False
        copy(x, b)
        return True
    word, left = work[WORD], settings[STEP]
    call(codes[STEER], a, x, 0, settings[RADIUS:], word)
    copy(x, b)
    if word[LENGTH] <= left:
        return True
    here = work[HERE]
    copy(a, here)
    for k in range(int(word[SEGMENTS])):
        curvature, length = word[FIRST + 2 * k], word[FIRST + 2 * k + 1]
        part = min(abs(length), left)
        left -= part
        d[0], d[1], d[2] = math.copysign(part, length), 0.0, curvature * math.copysign(part, length)
        move(codes, metric, here, 1.0, d, work[SCALED], b)
        copy(b, here)
    return False


@driver
def way_allowed(world, a, room_a, b, room_b):
    """Whether all of the way from a to b is allowed, where its ends are: an edge, or the edges of a steering curve."""
    codes, _, settings, metric, _, _, _, work = world
    if codes[STEER] == 0:
        return edge_allowed(world, a, room_a, b, room_b)
    word, d, here, there = work[WORD], work[DIFFERENCE], work[HERE], work[THERE]
    call(codes[STEER], a, b, 0, settings[RADIUS:], word)
    copy(a, here)
    left, room_here = word[LENGTH], room_a
    for k in range(int(word[SEGMENTS])):
        curvature, length = word[FIRST + 2 * k], word[FIRST + 2 * k + 1]
        count = pieces(curvature, length)
        for _ in range(count):
            d[0], d[1], d[2] = length / count, 0.0, curvature * length / count
            left -= abs(d[0])
            last = left <= TINY
            if last:
                copy(b, there)
            else:
                move(codes, metric, here, 1.0, d, work[SCALED], there)
            room_there = room_b if last else room(world, there)
            if room_there < 0.0 or not edge_allowed(world, here, room_here, there, room_there):
                return False
            copy(there, here)
            room_here = room_there
    return True
