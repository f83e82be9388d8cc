"""The compiled tick of traffic: who is ahead of whom, accelerations, changes of lanes, and motion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import driver
from .idm import BRAKE, idm
from .mobil import SAFE, mobil

EX, EY, EYAW, ESPEED, ELENGTH, EWIDTH = 0, 1, 2, 3, 4, 5
GOAL, RING, TICK, KEY, WAVE, PHASE, EGO = 6, 7, 8, 9, 10, 11, 12
"""Where the components of the own car stand in a state, and the number of all before the block of the others."""
X, Y, YAW, SPEED, LENGTH, WIDTH, TARGET, DRIVER, POLITE, COLUMNS = 0, 1, 2, 3, 4, 5, 6, 7, 12, 13
"""The columns of a car: pose, speed, sizes, y that it steers to, five numbers of `idm`, politeness."""
REACH = 120.0
"""How far a driver looks for other cars [m]."""
SIDE = 0.3
"""How far a car may stand in a lane without being in it [m]."""
SLANT, DRIFT, SETTLE = 0.25, 1.2, 1.0
"""Largest lateral speed as a share of the speed, and at all [m/s], and the time constant of changes of lanes [s]."""
TURN = 0.4
"""Largest rate of turn of a car that changes lanes [rad/s]."""
EACH, STEADY = 10, 0.3
"""Ticks between a driver's decisions, and the distance to the middle of the lane below which there are any [m]."""
LASTING, SHAKE = 5, 0.25
"""How long an error of a driver lasts [ticks], and the largest one [m/s^2]."""
UPSTREAM, APART, FREE = 4.5, 250.0, 25.0
"""Waves of stop and go: their speed against the traffic [m/s], about how far they are apart [m], and the speed between
them [m/s]."""
ROUTE, SHARE, PULL = 150, 0.08, 6.0
"""Ticks after which drivers think of their routes, the share of those pulled to each side, and how much [m/s^2]."""
MERGE = 0.5
"""The share of their time gaps that drivers are content with while one moves in front of another."""
GOLDEN, MIX = np.uint64(0x9E3779B97F4A7C15), (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@driver
def uniform(key: float, tick: int, car: int) -> float:
    """A number in [0, 1) that depends on nothing but its place: the mixer of SplitMix64 (Steele, Lea, Flood 2014)."""
    z = np.uint64(key) * GOLDEN + np.uint64(tick) * MIX[0] + np.uint64(car + 1) * MIX[1]
    z = (z ^ (z >> SHIFTS[0])) * MIX[0]
    z = (z ^ (z >> SHIFTS[1])) * MIX[1]
    z = z ^ (z >> SHIFTS[2])
    return float(z >> SHIFTS[3]) * (1.0 / 9007199254740992.0)


@driver
def within(car: Any, lane: int, road: Any) -> bool:
    """Whether a car is in a lane, or steers to it."""
    center = (lane + 0.5 - 0.5 * road[0]) * road[1]
    reach = 0.5 * (road[1] + car[WIDTH]) - SIDE
    return abs(car[Y] - center) < reach or abs(car[TARGET] - center) < 0.5 * road[1]


@driver
def lane_at(y: float, road: Any) -> int:
    """The lane of a place across the road; the nearest, beside it."""
    return min(max(int(math.floor(y / road[1] + 0.5 * road[0])), 0), int(road[0]) - 1)


@driver
def seek(cars: Any, order: Any, place: int, lane: int, way: int, ring: float, road: Any) -> int:
    """The next car in a lane, ahead (`way` 1) or behind (-1) of the one at a place in the order; -1 for none."""
    count, i = order.shape[0], order[place]
    q, turns = place, 0
    for _ in range(count - 1):
        q += way
        if q == count or q == -1:
            if ring <= 0.0:
                return -1
            q, turns = q - way * count, turns + way
        j = order[q]
        if abs(cars[j, X] + turns * ring - cars[i, X]) > REACH:
            return -1
        if cars[j, LENGTH] > 0.0 and within(cars[j], lane, road):
            return j
    return -1


@driver
def gap(cars: Any, i: int, j: int, ring: float) -> float:
    """The distance from the front of car i to the rear of car j [m]."""
    d = cars[j, X] - cars[i, X]
    if ring > 0.0 and d < 0.0:
        d += ring
    return d - 0.5 * (cars[i, LENGTH] + cars[j, LENGTH])


@driver
def follow(cars: Any, i: int, j: int, ring: float, patience: float) -> float:
    """The acceleration of driver i behind car j, or on a free road if j is -1; 0 if there is no driver i.

    The driver is content with `patience` times the usual time gap.
    """
    if i < 0:
        return 0.0
    p = cars[i, DRIVER:POLITE]
    if j < 0:
        return idm(cars[i, SPEED], math.inf, 0.0, 1.0, p)
    return idm(cars[i, SPEED], gap(cars, i, j, ring), cars[j, SPEED] * math.cos(cars[j, YAW]), patience, p)


@driver
def turns(x: float, tick: float, ring: float) -> float:
    """The phase of the waves of stop and go at a place and a tick, relative to that at 0 [rad]."""
    count = max(math.floor(ring / APART + 0.5), 1.0)
    return 2.0 * math.pi * count * (x + UPSTREAM * 0.1 * tick) / ring


@driver
def wave(x: float, state: Any) -> float:
    """The speed that waves of stop and go allow at a place [m/s]; infinite without waves.

    It falls from `FREE` to the speed in the state and back, over and over along the road, and the pattern moves
    upstream, as jams do at 15 to 20 km/h (Treiber and Kesting, "Traffic flow dynamics", 2013, section 18.3).
    """
    if state[WAVE] <= 0.0 or state[RING] <= 0.0:
        return math.inf
    share = 0.5 - 0.5 * math.cos(state[PHASE] + turns(x, state[TICK], state[RING]))
    return state[WAVE] + (FREE - state[WAVE]) * share * share


@driver
def wish(cars: Any, order: Any, place: int, ring: float, road: Any) -> float:
    """The acceleration of a driver: the least of those for the lane where the car is and the one it steers to."""
    i = order[place]
    here, there = lane_at(cars[i, Y], road), lane_at(cars[i, TARGET], road)
    j = seek(cars, order, place, here, 1, ring, road)
    a = follow(cars, i, j, ring, MERGE if moves(cars[i]) or (j >= 0 and moves(cars[j])) else 1.0)
    if there != here:
        a = min(a, follow(cars, i, seek(cars, order, place, there, 1, ring, road), ring, MERGE))
    return a


@driver
def allowed(cars: Any, order: Any, place: int, state: Any, road: Any) -> float:
    """The acceleration of a driver who heeds the waves of stop and go."""
    i = order[place]
    own = cars[i, DRIVER]
    cars[i, DRIVER] = max(min(own, wave(cars[i, X], state)), 0.5)
    a = wish(cars, order, place, state[RING], road)
    cars[i, DRIVER] = own
    return a


@driver
def moves(car: Any) -> bool:
    """Whether a car changes lanes."""
    return abs(car[Y] - car[TARGET]) > STEADY


@driver
def pull(key: float, tick: int, car: int) -> float:
    """The advantage of the lane on the left for the route of a driver, minus that of the lane on the right [m/s^2]."""
    chance = uniform(key, -1 - tick // ROUTE, car)
    return PULL if chance < SHARE else (-PULL if chance > 1.0 - SHARE else 0.0)


@driver
def choose(cars: Any, order: Any, place: int, ring: float, road: Any, left: float) -> None:
    """Let a driver steer to the lane of the greatest advantage, if there is one.

    `left` is what draws the driver to the left [m/s^2].
    """
    i = order[place]
    lane = lane_at(cars[i, TARGET], road)
    leader = seek(cars, order, place, lane, 1, ring, road)
    o = seek(cars, order, place, lane, -1, ring, road)
    before = follow(cars, i, leader, ring, 1.0)
    best, chosen = 0.0, lane
    for k in (lane - 1, lane + 1):
        if k < 0 or k >= int(road[0]):
            continue
        ahead, n = seek(cars, order, place, k, 1, ring, road), seek(cars, order, place, k, -1, ring, road)
        if (ahead >= 0 and gap(cars, i, ahead, ring) < 1.0) or (n >= 0 and gap(cars, n, i, ring) < 1.0):
            continue
        if min(follow(cars, i, ahead, ring, MERGE), follow(cars, n, i, ring, MERGE)) < -SAFE:
            continue
        own = before, follow(cars, i, ahead, ring, 1.0)
        new = follow(cars, n, ahead, ring, 1.0), follow(cars, n, i, ring, 1.0)
        old = follow(cars, o, i, ring, 1.0), follow(cars, o, leader, ring, 1.0)
        value = mobil(own, new, old, cars[i, POLITE]) + left * (k - lane)
        if value > best:
            best, chosen = value, k
    cars[i, TARGET] = (chosen + 0.5 - 0.5 * road[0]) * road[1]


@driver
def slant(car: Any) -> float:
    """The yaw at which a car steers to its lane [rad]."""
    v = car[SPEED]
    most = min(DRIFT, SLANT * v)
    across = min(max((car[TARGET] - car[Y]) / SETTLE, -most), most)
    return math.asin(across / v) if v > 1e-3 else 0.0


@driver
def sort(cars: Any, order: Any) -> None:
    """Put the cars in the order of x, from an order that is nearly right."""
    for a in range(1, order.shape[0]):
        i, b = order[a], a - 1
        while b >= 0 and cars[order[b], X] > cars[i, X]:
            order[b + 1] = order[b]
            b -= 1
        order[b + 1] = i


@driver
def gather(state: Any, ego: Any, cars: Any, order: Any) -> None:
    """The rows of all cars, that of the own one last, and their order along the road."""
    count = cars.shape[0] - 1
    for i in range(count):
        for c in range(COLUMNS):
            cars[i, c] = state[EGO + i * COLUMNS + c]
    for c in range(TARGET):
        cars[count, c] = state[c]
    for c in range(TARGET, COLUMNS):
        cars[count, c] = ego[c]
    cars[count, TARGET] = state[EY]
    for i in range(count + 1):
        order[i] = i
    sort(cars, order)


@driver
def steered(car: Any, a: float, dt: float) -> None:
    """Move a car with acceleration a [m/s^2] for dt seconds, without driving backwards."""
    turn = slant(car) - car[YAW]
    yaw = car[YAW] + min(max(turn, -TURN * dt), TURN * dt)
    v = max(car[SPEED] + a * dt, 0.0)
    way = 0.5 * (car[SPEED] + v) * dt
    car[X] += way * math.cos(yaw)
    car[Y] += way * math.sin(yaw)
    car[YAW], car[SPEED] = yaw, v


@driver
def driven(state: Any, u: Any, dt: float, y: Any) -> None:
    """Move the own car by the old values: ``p += v dt [cos yaw, sin yaw]``, ``yaw += atan(b v dt)``, ``v += a dt``."""
    yaw, v = state[EYAW], state[ESPEED]
    y[EX] = state[EX] + v * dt * math.cos(yaw)
    y[EY] = state[EY] + v * dt * math.sin(yaw)
    turned = yaw + math.atan(u[1] * v * dt)
    y[EYAW] = math.atan2(math.sin(turned), math.cos(turned))
    y[ESPEED] = max(v + u[0] * dt, 0.0)
    for c in range(ELENGTH, EGO):
        y[c] = state[c]
    y[TICK] = state[TICK] + 1.0


@driver("void(f8[:,::1], f8[:,::1], f8[::1], f8[::1], f8, f8[:,::1], i8[::1], f8[:,::1])", nogil=True)
def react(states, us, ego, road, dt, cars, order, out):
    """Traffic after a tick of `dt` seconds, in which all drivers react to each other and to the own car.

    Args:
        states: ``(N, n)``.
        us: acceleration [m/s^2] and curvature [1/m] of the own cars ``(N, 2)``.
        ego: the row of a car, for what other drivers expect of the own one.
        road: number and width of the lanes.
        cars, order: memory for one world ``(M + 1, COLUMNS)`` and ``(M + 1,)``.
        out: the states afterwards ``(N, n)``.
    """
    count = cars.shape[0] - 1
    for w in range(states.shape[0]):
        state, y = states[w], out[w]
        gather(state, ego, cars, order)
        tick, key, ring = state[TICK], state[KEY], state[RING]
        for place in range(count + 1):
            i = order[place]
            late = (i + int(tick)) % EACH != 0
            if i == count or cars[i, LENGTH] <= 0.0 or late or moves(cars[i]):
                continue
            choose(cars, order, place, ring, road, pull(key, int(tick), i))
        driven(state, us[w], dt, y)
        for place in range(count + 1):
            i = order[place]
            if i < count:
                y[EGO + i * COLUMNS] = allowed(cars, order, place, state, road) if cars[i, LENGTH] > 0.0 else 0.0
        for i in range(count):
            k = EGO + i * COLUMNS
            a = y[k] + SHAKE * (2.0 * uniform(key, int(tick) // LASTING, i) - 1.0)
            if cars[i, LENGTH] > 0.0:
                steered(cars[i], max(a, -BRAKE), dt)
                if ring > 0.0:
                    cars[i, X] -= ring * math.floor((cars[i, X] - y[EX]) / ring + 0.5)
            for c in range(COLUMNS):
                y[k + c] = cars[i, c]


@driver("void(f8[:,::1], f8[::1], f8[::1], f8[::1], b1[::1], f8[:,::1], i8[::1], f8[:,::1])", nogil=True)
def intend(states, ego, road, targets, free, cars, order, out):
    """The intentions of drivers in the own cars ``(N, 3)``: acceleration, yaw, and y to steer to.

    `targets` ``(N,)`` are y that they steer to so far, NaN for the middle of the lane; those that are `free` may choose
    another lane.
    """
    count = cars.shape[0] - 1
    for w in range(states.shape[0]):
        gather(states[w], ego, cars, order)
        y, ring, aim = states[w, EY], states[w, RING], targets[w]
        cars[count, TARGET] = aim if aim == aim else (lane_at(y, road) + 0.5 - 0.5 * road[0]) * road[1]
        for place in range(count + 1):
            if order[place] == count:
                if free[w]:
                    choose(cars, order, place, ring, road, 0.0)
                out[w, 0] = wish(cars, order, place, ring, road)
                out[w, 1], out[w, 2] = slant(cars[count]), cars[count, TARGET]


@driver("void(f8[:,::1], f8[:,::1], f8[:,:,::1], i8[:,::1], f8, f8[:,::1])", nogil=True)
def replay(states, us, table, ids, dt, out):
    """Traffic after a tick in which all but the own car, whose id is the key, move as in a recording.

    `table` ``(K, M, COLUMNS)`` and `ids` ``(K, M)`` hold the cars at each tick; an id below 0 stands for none.
    """
    count = (out.shape[1] - EGO) // COLUMNS
    for w in range(states.shape[0]):
        state, y = states[w], out[w]
        driven(state, us[w], dt, y)
        show(y, table, ids, count)


@driver("void(f8[:,::1], f8[:,:,::1], i8[:,::1])")
def reveal(states, table, ids):
    """Write the recorded cars into states, each of its own tick."""
    for w in range(states.shape[0]):
        show(states[w], table, ids, (states.shape[1] - EGO) // COLUMNS)


@driver
def show(y: Any, table: Any, ids: Any, count: int) -> None:
    """Write the recorded cars of a tick into a state, without the one that has become the own car."""
    for c in range(EGO, y.shape[0]):
        y[c] = 0.0
    tick = int(y[TICK])
    if tick < 0 or tick >= table.shape[0]:
        return
    for i in range(count):
        if ids[tick, i] >= 0 and ids[tick, i] != int(y[KEY]):
            for c in range(COLUMNS):
                y[EGO + i * COLUMNS + c] = table[tick, i, c]


@driver("void(f8[:,::1], f8[::1], f8[:,::1])", nogil=True)
def judge(states, road, out):
    """How far [m] the own car overlaps another, and its middle is beside the road ``(N, 2)``; negative if not."""
    for w in range(states.shape[0]):
        state, deepest = states[w], -math.inf
        for k in range(EGO, state.shape[0], COLUMNS):
            if state[k + LENGTH] > 0.0:
                deepest = max(deepest, overlap(state[:TARGET], state[k : k + TARGET]))
        out[w, 0] = max(deepest, -REACH)
        out[w, 1] = abs(state[EY]) - 0.5 * road[0] * road[1]


@driver
def overlap(a: Any, b: Any) -> float:
    """The depth by which two rectangles overlap [m], by their separating axes; minus their distance along one else."""
    dx, dy = b[X] - a[X], b[Y] - a[Y]
    turn = b[YAW] - a[YAW]
    c, s = abs(math.cos(turn)), abs(math.sin(turn))
    depth = math.inf
    for k in range(2):
        p, q = (a, b) if k == 0 else (b, a)
        cos, sin = math.cos(p[YAW]), math.sin(p[YAW])
        along, across = abs(cos * dx + sin * dy), abs(-sin * dx + cos * dy)
        depth = min(depth, 0.5 * (p[LENGTH] + c * q[LENGTH] + s * q[WIDTH]) - along)
        depth = min(depth, 0.5 * (p[WIDTH] + s * q[LENGTH] + c * q[WIDTH]) - across)
    return depth
