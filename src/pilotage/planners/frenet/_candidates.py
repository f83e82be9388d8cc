"""Candidates of the Frenet planner: their states, and the first limit or obstacle in the way of each, compiled."""

from __future__ import annotations

import math

from ...models.trace import driver
from ..sampling._space import WORLD, bow, edge_allowed, room
from ..search._intervals import meets
from ._frame import to_cartesian

REASONS = ("line", "speed", "acceleration", "curvature", "bounds", "goal", "moving", "obstacles")
VERDICTS = ("allowed", *REASONS, "")
"""Names of the verdicts on a candidate; the last one: not checked."""
ALLOWED, LINE, SPEED, ACCELERATION, CURVATURE, BOUNDS, GOAL, MOVING, OBSTACLES, UNCHECKED = range(10)
# The array `limits`; the end of the line, and whether d is a function of s, not of time.
TOP, FORWARDS, BACKWARDS, ACROSS, BEND, JERK, END, BY_LENGTH = range(8)
X, Y, YAW, V, A, K = range(6)
CREEP = 0.1
"""A speed [m/s] below which d as a function of time has no direction of its own."""
FOLD = 1e-3
"""Least value of ``1 - k d``: nearer to the centre of the curve, the coordinates fold."""
SLACK = 1e-9
"""A share of a limit that is rounding."""


@driver
def derivatives(c, t):
    """A polynomial of degree 5, its first and its second derivative."""
    p = c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5]))))
    v = c[1] + t * (2.0 * c[2] + t * (3.0 * c[3] + t * (4.0 * c[4] + t * 5.0 * c[5])))
    a = 2.0 * c[2] + t * (6.0 * c[3] + t * (12.0 * c[4] + t * 20.0 * c[5]))
    return p, v, a


@driver
def drawn(line, h, limits, slopes, along, across, duration, whole, rows):
    """Fill rows ``(K + 1, 6)`` with the states of a candidate, at equal steps of time; the first limit it exceeds.

    Args:
        line, h: see `_frame.frame`.
        limits: see above.
        slopes: d' and d'' at the start.
        along, across: coefficients ``(6,)`` of s and d.
        duration: [s].
        whole: whether to fill the rows after one that exceeds a limit.
    """
    count, verdict = rows.shape[0] - 1, ALLOWED
    dt = duration / count
    for k in range(count + 1):
        s, ds, dds = derivatives(along, k * dt)
        by_length = limits[BY_LENGTH] > 0.0
        d, d1, d2 = derivatives(across, s - along[0] if by_length else k * dt)
        creeps = ds < CREEP and not by_length and k > 0
        if k == 0:
            d1, d2 = slopes[0], slopes[1]
        elif not by_length:
            pace = max(ds, CREEP)
            d1, d2 = d1 / pace, (d2 - d1 / pace * dds) / (pace * pace)
        x = rows[k]
        scale = to_cartesian(line, h, s, ds, dds, d, d1, d2, x)
        if verdict != ALLOWED:
            if whole:
                continue
            return verdict
        jerk = abs(x[A] - rows[k - 1, A]) / dt if k > 0 else 0.0
        if not (scale >= FOLD and -SLACK <= s <= limits[END] + SLACK):
            verdict = LINE
        elif not (ds >= -SLACK and x[V] <= limits[TOP] * (1.0 + SLACK)) or creeps:
            verdict = SPEED
        elif not (
            -limits[BACKWARDS] * (1.0 + SLACK) <= x[A] <= limits[FORWARDS] * (1.0 + SLACK)
            and x[V] * x[V] * abs(x[K]) <= limits[ACROSS] * (1.0 + SLACK)
            and jerk <= limits[JERK] * (1.0 + SLACK)
        ):
            verdict = ACCELERATION
        elif not abs(x[K]) <= limits[BEND] * (1.0 + SLACK):
            verdict = CURVATURE
    return verdict


@driver
def touched(world, xs, rows, dt, places, discs, body, segments):
    """Whether a disc of the robot touches a moving one on the way through states ``(K + 1, n)``: rows ``(K + 1, 6)``.

    A disc leaves its chord as far as the pose does, see `bow`, and ``arm (1 - cos(turn / 2))``. All discs lie in one of
    the radius `body`, which is tried first.
    """
    for k in range(rows.shape[0] - 1):
        a, b, begin = rows[k], rows[k + 1], k * dt
        turn = abs(b[YAW] - a[YAW])
        swing = 1.0 - math.cos(0.5 * min(turn, 2.0 * math.pi - turn))
        beside = bow(world, xs[k], xs[k + 1], places[X], places[Y])
        ux, uy = (b[X] - a[X]) / dt, (b[Y] - a[Y]) / dt
        for i in range(segments.shape[0]):
            if meets(segments[i], beside + body * (1.0 + swing), begin, a[X], a[Y], ux, uy, dt):
                ca, sa, cb, sb = math.cos(a[YAW]), math.sin(a[YAW]), math.cos(b[YAW]), math.sin(b[YAW])
                for j in range(discs.shape[0]):
                    x, y = discs[j, 0], discs[j, 1]
                    ax, ay, dx, dy = ca * x - sa * y, sa * x + ca * y, cb * x - sb * y, sb * x + cb * y
                    more = discs[j, 2] + beside + math.hypot(x, y) * swing
                    vx, vy = ux + (dx - ax) / dt, uy + (dy - ay) / dt
                    if meets(segments[i], more, begin, a[X] + ax, a[Y] + ay, vx, vy, dt):
                        return True
    return False


@driver
def blocked(world, xs, rooms):
    """Whether the constraint forbids a state of ``(K + 1, n)`` or the way to the next."""
    hit = False
    for k in range(xs.shape[0]):
        if not hit:
            rooms[k] = room(world, xs[k])
            hit = rooms[k] < 0.0
    for k in range(1, xs.shape[0]):
        hit = hit or not edge_allowed(world, xs[k - 1], rooms[k - 1], xs[k], rooms[k])
    return hit


@driver
def held(bounds, x):
    """Move x onto the bounds ``(2, n)`` that it leaves by rounding; whether it lies between them then."""
    fine = True
    for i in range(bounds.shape[1]):
        low, high = bounds[0, i], bounds[1, i]
        near = low - SLACK * max(abs(low), 1.0) <= x[i] and x[i] <= high + SLACK * max(abs(high), 1.0)
        x[i], fine = min(max(x[i], low), high), fine and near
    return fine


@driver
def judged(world, goal, places, discs, segments, rows, duration, xs, rooms):
    """The first of bounds, goal, moving obstacles and constraint that a candidate violates.

    Args:
        world: of the problem, see `_space`.
        goal: bounds ``(2, n)`` of the goal region; no rows where candidates end in a goal as they are made.
        places: index in a state of x, y, yaw, speed, acceleration and curvature; -1 for those that it lacks.
        discs: x, y, radius ``(J, 3)`` of the robot.
        segments: of moving obstacles ``(S, 7)``, see `_intervals`, in metres.
        rows: states ``(K + 1, 6)``.
        xs, rooms: memory; xs becomes the states of the problem ``(K + 1, n)``, of which the first is its start.
    """
    for k in range(1, rows.shape[0]):
        for i in range(6):
            if places[i] >= 0:
                xs[k, places[i]] = rows[k, i]
        if not held(world[4], xs[k]):
            return BOUNDS
    last = rows.shape[0] - 1
    if goal.shape[0] > 0 and not held(goal, xs[last]):
        return GOAL
    body = 0.0
    for j in range(discs.shape[0]):
        body = max(body, math.hypot(discs[j, 0], discs[j, 1]) + discs[j, 2])
    if segments.shape[0] > 0 and touched(world, xs, rows, duration / last, places, discs, body, segments):
        return MOVING
    return OBSTACLES if blocked(world, xs, rooms) else ALLOWED


ROAD = "Tuple((f8[:,:,::1], f8, f8[::1], f8[::1]))"
"""The line, the length of its pieces, the limits and the slopes at the start; see `drawn`."""


@driver(
    f"i8({WORLD}, {ROAD}, f8[:,::1], i8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], i8[::1], b1[::1],"
    " i8[::1], i8, i8, b1, f8[:,:,::1], f8[:,::1], f8[::1], i8[::1])"
)
def search(
    world, road, goal, places, discs, segments, along, across, durations, counts, reached, order, begin, end,
    all_of_them, states, xs, rooms, verdicts,
):  # fmt: skip
    """Check candidates in an order, from place `begin` to `end`, until one is allowed: its place, or -1.

    Args:
        world, goal, places, discs, segments: see `judged`.
        road: see above.
        along, across: coefficients ``(N, 6)``.
        durations: ``(N,)`` [s].
        counts: steps of each candidate ``(N,)``.
        reached: whether each ends where it is to end ``(N,)``; see `Ends`.
        order: candidates, the first to be checked first ``(N,)``.
        all_of_them: whether to go on when one is allowed.
        states: ``(N, K + 1, 6)``, or ``(1, K + 1, 6)`` for those of the last candidate alone; overwritten.
        xs, rooms: memory ``(K + 1, n)``, ``(K + 1,)``; the first row of xs is the start.
        verdicts: ``(N,)``, overwritten where candidates are checked.
    """
    line, h, limits, slopes = road
    found = -1
    for place in range(begin, end):
        n = order[place]
        rows = states[n if states.shape[0] > 1 else 0, : counts[n] + 1]
        verdict = drawn(line, h, limits, slopes, along[n], across[n], durations[n], all_of_them, rows)
        if verdict == ALLOWED and not reached[n]:
            verdict = GOAL
        if verdict == ALLOWED:
            verdict = judged(world, goal, places, discs, segments, rows, durations[n], xs[: counts[n] + 1], rooms)
        verdicts[n] = verdict
        if verdict == ALLOWED and found < 0:
            found = place
            if not all_of_them:
                return found
    return found
