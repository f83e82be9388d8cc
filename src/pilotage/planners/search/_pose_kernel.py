"""Best-first search over the motions of a vehicle, compiled: hybrid A* and the state lattice are one loop.

::

    f = g + w h,   h = max(way of a point around the obstacles, curve of the vehicle without obstacles)

A node is a state as it was reached, not the middle of its cell; of all states in one cell (with one gear), the search
keeps the cheapest. A motion is a list of actions, each of which leads from a state to the next: an increment of a pose
along an arc, or an action of a model. When a node is expanded, now and then its curve to the goal is tried too; the
cheapest of those that are allowed ends the search once nothing that waits can be cheaper.
"""

from __future__ import annotations

import math

from ...models.trace import call, driver
from ..sampling._space import (
    DIFFERENCE,
    RADIUS,
    SCALED,
    STEER,
    TINY,
    WORD,
    WORLD,
    copy,
    edge_allowed,
    inside,
    move,
    pieces,
    room,
    subtract,
)  # fmt: skip
from ..steering._curves import FIRST, LENGTH, SEGMENTS
from ._heap import WAITING, pop, push

# What `search` returns.
FINISHED, PAUSED, FULL = 0, 1, 2
# The array `state`, after what `_heap` keeps there: nodes, nodes expanded, node and goal of the best way, expansions
# until the next curve is tried.
COUNT, EXPANSIONS, NODE, GOAL, PATIENCE = 1, 2, 3, 4, 5
STATE = 6
# Rows of `marks`: the cost so far, with the estimate of the rest, gear, curvature, room.
G, F, GEAR, CURVATURE, ROOM = 0, 1, 2, 3, 4
MARKS = 5
# Rows of `links`: the node before, the motion from it, the cell, whether the node is expanded.
PARENT, MOTION, CELL, CLOSED = 0, 1, 2, 3
LINKS = 4
# The array `vehicle`: address of the step, components x, y, yaw of a state, column of the turn in the tangent, whether
# curves lead to the goal.
STEP, X, Y, YAW, TURN, CURVES = 0, 1, 2, 3, 4, 5
# The array `rules`: factor of reversing, costs of a cusp and of a change of curvature, weight of h, length of a motion,
# the direction of the search, 1, or -1 from the goal to the start, the distance at which a goal is reached; then the
# frame of the field: corner, cosine and sine per metre.
REVERSE, CUSP, BEND, WEIGHT, SPAN, DIRECTION, TOLERANCE = 0, 1, 2, 3, 4, 5, 6
CORNER_X, CORNER_Y, COS, SIN = 7, 8, 9, 10
EMPTY = -1
GOLDEN = -7046029254386353131
"""2^64 over the golden ratio, as a signed integer: multiplicative hashing."""


@driver
def cell_of(cells, x, gear):
    """The cell of a state: its numbers hashed to 63 bits, and the gear as the lowest one.

    Of millions of cells, two have one hash with a probability of a millionth. Packed side by side, the numbers of many
    components have few bits each, and begin again a short way off.
    """
    key = 0
    for i in range(x.shape[0]):
        key = (key ^ int(math.floor((x[i] - cells[0, i]) * cells[1, i] + 0.5))) * GOLDEN
        key ^= key >> 32
    return (key << 1) | (1 if gear < 0.0 else 0)


@driver
def slot_of(keys, table, key):
    """The slot of a cell in the hash table, or the empty one where it belongs."""
    mask = keys.shape[0] - 1
    slot = ((key * GOLDEN) >> 20) & mask
    while table[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@driver
def estimate(x, vehicle, rules, field, goals, world):
    """h: an estimate of the cost from a state to the nearest goal [m]."""
    codes, _, settings, _, _, _, _, work = world
    px, py = x[vehicle[X]], x[vehicle[Y]]
    dx, dy = px - rules[CORNER_X], py - rules[CORNER_Y]
    column, line = int(rules[COS] * dx + rules[SIN] * dy), int(rules[COS] * dy - rules[SIN] * dx)
    around = field[min(max(line, 0), field.shape[0] - 1), min(max(column, 0), field.shape[1] - 1)]
    nearest, word, pose = math.inf, work[WORD], work[SCALED]
    pose[0], pose[1], pose[2] = px, py, x[vehicle[YAW]]
    for k in range(goals.shape[0]):
        length = math.hypot(px - goals[k, 0], py - goals[k, 1])
        if length < nearest and codes[STEER] != 0:
            call(codes[STEER], pose, goals[k], 0, settings[RADIUS:], word)
            length = word[LENGTH]
        nearest = min(nearest, length)
    return max(around, nearest)


@driver
def pay(a, b, trail, vehicle, rules, world):
    """Add the cost of the step from a to b to a trail, with gear and curvature of the step."""
    codes, _, _, metric, _, _, _, work = world
    d = work[DIFFERENCE]
    length = subtract(codes, metric, b, a, d)
    dx, dy = b[vehicle[X]] - a[vehicle[X]], b[vehicle[Y]] - a[vehicle[Y]]
    chord, yaw, half = math.hypot(dx, dy), a[vehicle[YAW]], 0.5 * d[vehicle[TURN]]
    gear, curvature = trail[GEAR], trail[CURVATURE]
    if chord > TINY:
        ahead = 1.0 if dx * math.cos(yaw + half) + dy * math.sin(yaw + half) > 0.0 else -1.0
        gear, curvature = rules[DIRECTION] * ahead, 2.0 * math.sin(half) / chord * ahead
        if trail[GEAR] * gear < 0.0:
            trail[G] += rules[CUSP]
        trail[G] += rules[BEND] * abs(curvature - trail[CURVATURE])
    trail[G] += length * (rules[REVERSE] if gear < 0.0 else 1.0)
    trail[GEAR], trail[CURVATURE] = gear, curvature


@driver
def clear(a, b, trail, world):
    """Whether the step from a to b is allowed; the room at b becomes that of the trail."""
    left = room(world, b)
    if left < 0.0 or not edge_allowed(world, a, trail[ROOM], b, left):
        return False
    trail[ROOM] = left
    return True


@driver
def reached(x, ends, region, rules, world):
    """Whether a state is a goal: in the region, or so near to a goal that this is allowed to count."""
    codes, _, _, metric, _, _, _, work = world
    if region.shape[0] > 0:
        return inside(region, x)
    for k in range(ends.shape[0]):
        if rules[TOLERANCE] > 0.0 and subtract(codes, metric, ends[k], x, work[DIFFERENCE]) <= rules[TOLERANCE]:
            return True
    return False


@driver
def begin(trail, marks, node):
    """A trail from a node."""
    for i in range(MARKS):
        trail[i] = marks[node, i]


@driver
def shoot(tree, node, trail, track, vehicle, rules, goals, best, world):
    """Try the curve from a node to the goal that is nearest along it, and keep it if it is the cheapest so far."""
    nodes, marks, _, _, _, _, _, state = tree
    codes, _, settings, metric, _, _, _, work = world
    word, d = work[WORD], work[DIFFERENCE]
    goal, shortest = 0, math.inf
    for k in range(goals.shape[0]):
        call(codes[STEER], nodes[node], goals[k], 0, settings[RADIUS:], word)
        if word[LENGTH] < shortest:
            goal, shortest = k, word[LENGTH]
    call(codes[STEER], nodes[node], goals[goal], 0, settings[RADIUS:], word)
    begin(trail, marks, node)
    copy(nodes[node], track[0])
    now, count = 0, int(word[SEGMENTS])
    for i in range(count):
        curvature, length = word[FIRST + 2 * i], word[FIRST + 2 * i + 1]
        parts = pieces(curvature, length)
        for _ in range(parts):
            d[0], d[1], d[2] = length / parts, 0.0, curvature * length / parts
            move(codes, metric, track[now], 1.0, d, work[SCALED], track[1 - now])
            pay(track[now], track[1 - now], trail, vehicle, rules, world)
            if trail[G] >= best[0] or not clear(track[now], track[1 - now], trail, world):
                return
            now = 1 - now
    best[0] = trail[G]
    state[NODE], state[GOAL] = node, goal


@driver
def drive(tree, node, motion, trail, track, rows, first, cells, best, vehicle, rules, world, p):
    """Take a motion from a node along `track`: the slot of the cell where it ends, or -1 if it is of no use."""
    nodes, marks, links, _, _, keys, table, _ = tree
    begin(trail, marks, node)
    copy(nodes[node], track[0])
    count = first[motion + 1] - first[motion]
    for k in range(count):
        call(vehicle[STEP], track[k], rows[first[motion] + k], p, p[1:], track[k + 1])
        pay(track[k], track[k + 1], trail, vehicle, rules, world)
    key = cell_of(cells, track[count], trail[GEAR])
    slot = slot_of(keys, table, key)
    other = table[slot]
    if other != EMPTY and (links[other, CLOSED] != 0 or marks[other, G] <= trail[G]):
        return -1
    if trail[G] >= best[0]:
        return -1
    for k in range(count):
        if not clear(track[k], track[k + 1], trail, world):
            return -1
    keys[slot] = key
    return slot


@driver(
    "i8(f8[:,::1], f8[:,::1], i8[:,::1], i8[::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[:,::1], i8[::1],"
    " i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1],"
    f" f8[:,::1], {WORLD}, i8)",
    nogil=True,
)
def search(
    nodes, marks, links, heap, ranks, keys, table, state, best, rows, first, groups, after, vehicle, parameters, rules,
    cells, field, goals, ends, region, trail, track, world, limit,
):  # fmt: skip
    """Expand nodes in order of f until the best way is final, none waits or `limit` is reached.

    Args:
        nodes, marks, links, heap, ranks, keys, table, state: of `Tree`; changed.
        best: cost of the best way to a goal; changed.
        rows, first: actions ``(R, m)``, and the first one of each motion.
        groups, after: the first motion of each group, and the group of the motions that may follow each motion.
        vehicle, parameters, rules: see the constants above; the duration of a step and its parameters.
        cells: ``(2, n)``, middle of cell 0 and cells per unit, for each component of a state.
        field: way [m] of a point around the obstacles to the goal, from each cell of a coarse grid.
        goals, ends: poses ``(K, 3)`` and states ``(K, n)`` of the goal.
        region: bounds ``(2, n)`` of the goal if it is a region.
        trail, track: memory, one row more than a motion has actions, and two at least.
        world: `Compiled.world`.
        limit: expansions of this call.

    Returns:
        FINISHED, PAUSED (`limit` reached; call again to go on) or FULL (call again with a larger tree).
    """
    tree = (nodes, marks, links, heap, ranks, keys, table, state)
    reserve = first.shape[0]
    while state[WAITING] > 0:
        # 1. Take the node with the lowest f, unless a cheaper way to its cell was found since.
        if limit <= 0:
            return PAUSED
        if state[COUNT] + reserve > nodes.shape[0]:
            return FULL
        node, rank = pop(heap, ranks, state)
        if rank >= best[0]:
            state[WAITING] = 0
            break
        if table[slot_of(keys, table, links[node, CELL])] != node:
            continue
        links[node, CLOSED] = 1
        state[EXPANSIONS] += 1
        limit -= 1

        # 2. See whether this is the goal, or its curve leads there.
        if reached(nodes[node], ends, region, rules, world):
            best[0], state[NODE], state[GOAL] = marks[node, G], node, -1
            continue
        state[PATIENCE] -= 1
        if vehicle[CURVES] != 0 and state[PATIENCE] < 0:
            shoot(tree, node, trail, track, vehicle, rules, goals, best, world)
            # Dolgov et al., section 3: the nearer the goal, the more often.
            left = (marks[node, F] - marks[node, G]) / rules[WEIGHT]
            state[PATIENCE] = int(left / rules[SPAN])

        # 3. Take all motions that may follow.
        motion = links[node, MOTION]
        group = after[motion] if motion >= 0 else 0
        for motion in range(groups[group], groups[group + 1]):
            slot = drive(tree, node, motion, trail, track, rows, first, cells, best, vehicle, rules, world, parameters)
            if slot >= 0:
                x = track[first[motion + 1] - first[motion]]
                f = trail[G] + rules[WEIGHT] * estimate(x, vehicle, rules, field, goals, world)
                if f < best[0]:
                    add(tree, x, trail, f, node, motion, slot)
    return FINISHED


@driver
def add(tree, x, trail, f, node, motion, slot):
    """Keep the end of a motion from a node as the node of its cell."""
    nodes, marks, links, heap, ranks, keys, table, state = tree
    new = state[COUNT]
    state[COUNT] = new + 1
    copy(x, nodes[new])
    copy(trail, marks[new])
    marks[new, F] = f
    links[new, PARENT], links[new, MOTION], links[new, CELL], links[new, CLOSED] = node, motion, keys[slot], 0
    table[slot] = new
    push(heap, ranks, state, new, f)


@driver("void(i8[:,::1], i8[::1], i8[::1], i8)")
def rehash(links, keys, table, count):
    """Fill an empty table with the nodes of all cells; the later ones are the cheaper ones."""
    for node in range(count):
        slot = slot_of(keys, table, links[node, CELL])
        keys[slot], table[slot] = links[node, CELL], node
