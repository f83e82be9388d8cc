"""The compiled loops of the truck's dynamic programming.

The motion in a step does not depend on the place. For one heading, hitch angle and steering angle, the weights of the
interpolation are therefore equal along a row of the grid in x, and the compiler treats many points at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PI = math.pi
X0, X1, Y1, BENT = 0.05, 40.0, 10.0, 0.5 * PI  # the first points are so near the dock that a step reaches it
STEERS = np.linspace(-0.25 * PI, 0.25 * PI, 9)
FINE = np.linspace(-0.25 * PI, 0.25 * PI, 33)
NEAR, STRAIGHT = 0.5, math.radians(10.0)
WAYS = (-0.1, 0.1)
NOTHING = 1e-5  # smaller values are zero: float32 is slow near its smallest number


def orders(count, hitches, number):
    """The orders of a sweep: headings from that of the dock outward and back, hitch angles up and down, in turns."""
    headings = np.argsort(np.abs(np.arange(count) - count // 2), kind="stable")
    headings = headings[::-1] if number % 2 else headings
    hitch = np.arange(hitches)
    return headings.copy(), (hitch[::-1] if number // 2 % 2 else hitch).copy()


@njit(cache=True, fastmath=True)
def moved(th, g, tangent, s):
    """Four Euler steps of length s: displacement of the axle, heading, hitch, and the cab's front from the old axle."""
    ca, sa = math.cos(th + g), math.sin(th + g)
    c, d = math.cos(th), math.sin(th)
    px, py = 4.0 * c, 4.0 * d
    ct, st = math.cos(s * tangent), math.sin(s * tangent)
    heading = th
    for _ in range(4):
        px += s * ca
        py += s * sa
        turn = 0.25 * s * (sa * c - ca * d)
        ca, sa = ca * ct - sa * st, sa * ct + ca * st
        square = turn * turn  # of at most 0.025, so that these series are exact to 1e-12
        cosine, sine = 1.0 - square * (0.5 - square / 24.0), turn * (1.0 - square * (1.0 - square / 20.0) / 6.0)
        c, d = c * cosine - d * sine, d * cosine + c * sine
        heading += turn
    dx, dy = px - 4.0 * c, py - 4.0 * d
    hitch = g + 4.0 * s * tangent - (heading - th)
    return dx, dy, wrapped(heading), wrapped(hitch), px + 1.5 * ca, py + 1.5 * sa


@njit(cache=True, fastmath=True)
def wrapped(angle):
    return angle - 2.0 * PI * round(angle / (2.0 * PI))


@njit(cache=True, fastmath=True)
def advance(x, y, th, g, tangent, s, walls):
    """The state after a step, and 1 for docked, -1 for failed, 0 for neither."""
    dx, dy, th, g, fx, fy = moved(th, g, tangent, s)
    fx, fy, x, y = x + fx, y + fy, x + dx, y + dy
    flag = 0
    if abs(g) > BENT or (walls and (fx < 0.0 or max(fx, x) > X1 or max(abs(fy), abs(y)) > Y1)):
        flag = -1
    elif x <= 0.0:
        flag = 1 if at_dock(y, th) else -1
    return x, y, th, g, flag


@njit(cache=True, fastmath=True)
def at_dock(y, th):
    return abs(y) < NEAR and abs(th) < STRAIGHT


@njit(cache=True, fastmath=True)
def place(V, y, th, g):
    """Lower indices and weights of the heading, the hitch angle and y; beyond the grid, those of its border."""
    if y < 0.0:
        y, th, g = -y, -th, -g
    nt, ng, ny, _ = V.shape
    ft = (th + PI) / (2.0 * PI) * nt
    fg = min(max((g + BENT) / (2.0 * BENT) * (ng - 1), 0.0), ng - 1.0001)
    fy = min(y / Y1 * (ny - 1), ny - 1.0001)
    low = math.floor(ft)
    return int(low) % nt, int(fg), int(fy), ft - low, fg - int(fg), fy - int(fy)


@njit(cache=True, fastmath=True)
def blend(row, V, y, th, g):
    """The value at all points of the grid in x."""
    k, n, j, at, ag, ay = place(V, y, th, g)
    l = (k + 1) % len(V)
    a, b, c, d = V[k, n, j], V[k, n + 1, j], V[l, n, j], V[l, n + 1, j]
    e, f, p, q = V[k, n, j + 1], V[k, n + 1, j + 1], V[l, n, j + 1], V[l, n + 1, j + 1]
    at, ag, ay, one = np.float32(at), np.float32(ag), np.float32(ay), np.float32(1.0)
    w0, w1, w2, w3 = (one - at) * (one - ag), (one - at) * ag, at * (one - ag), at * ag
    u0, u1, u2, u3 = ay * w0, ay * w1, ay * w2, ay * w3
    w0, w1, w2, w3 = w0 - u0, w1 - u1, w2 - u2, w3 - u3
    for i in range(len(row)):
        row[i] = w0 * a[i] + w1 * b[i] + w2 * c[i] + w3 * d[i] + u0 * e[i] + u1 * f[i] + u2 * p[i] + u3 * q[i]


@njit(cache=True, fastmath=True)
def raise_to(best, row, low, high, shift, kept):
    """Raise ``best[low:high]`` to the row, interpolated `shift` points further."""
    whole, last = int(math.floor(shift)), len(row) - 1
    b = np.float32(kept * (shift - math.floor(shift)))
    a = np.float32(kept) - b
    first = min(max(low, -whole), high)
    end = max(min(high, last - whole), first)
    for i in range(low, first):
        best[i] = max(best[i], kept * row[0])
    goal, near, far = best[first:end], row[first + whole : end + whole], row[first + whole + 1 : end + whole + 1]
    for i in range(len(goal)):
        goal[i] = max(goal[i], a * near[i] + b * far[i])
    for i in range(end, high):
        best[i] = max(best[i], kept * row[last])


@njit(cache=True, fastmath=True)
def improve(best, row, V, th, g, tangent, s, walls, kept):
    """Raise the values `best` (y, x) of a heading and a hitch angle to those of one control."""
    ny, nx = best.shape
    step = (X1 - X0) / (nx - 1)
    dx, dy, th, g, fx, fy = moved(th, g, tangent, s)
    if abs(g) > BENT:
        return
    low, high = 0, nx
    if walls:
        low = max(0, int(math.ceil((-fx - X0) / step)))
        high = min(nx, int(math.floor((X1 - X0 - max(fx, dx)) / step + 1e-6)) + 1)
    beyond = max(low, int(math.floor((-dx - X0) / step)) + 1)  # the first point that does not reach the dock's wall
    for j in range(ny):
        y = Y1 * j / (ny - 1)
        if walls and max(abs(y + dy), abs(y + fy)) > Y1:
            continue
        if at_dock(y + dy, th):
            best[j, low : min(beyond, high)] = 1.0
        if beyond < high:
            blend(row, V, y + dy, th, g)
            raise_to(best[j], row, beyond, high, dx / step, kept)


@njit(cache=True, fastmath=True)
def sweep(V, tangents, walls, price, change, headings, hitches):
    """One sweep over the grid in place; the largest change of a value."""
    ways, nt, ng, ny, nx = V.shape
    best, row = np.empty((ways, ny, nx), np.float32), np.empty(nx, np.float32)
    kept, most = np.float32(1.0 - price), 0.0
    same = np.float32(1.0 - change)
    for k in headings:
        for n in hitches:
            th, g = -PI + 2.0 * PI * k / nt, -BENT + 2.0 * BENT * n / (ng - 1)
            best[:] = 0.0
            for d in range(ways):
                for tangent in tangents:
                    improve(best[d], row, V[d], th, g, tangent, WAYS[d], walls, kept)
            for d in range(ways):
                for j in range(ny):
                    for i in range(nx):
                        v = max(best[d, j, i], same * best[ways - 1 - d, j, i])
                        v = v if v > NOTHING else np.float32(0.0)
                        most = max(most, abs(v - V[d, k, n, j, i]))
                        V[d, k, n, j, i] = v
    return most


@njit(cache=True, fastmath=True)
def look(V, x, y, th, g):
    """The value between grid points; beyond the grid, that of its border."""
    k, n, j, at, ag, ay = place(V, y, th, g)
    nx = V.shape[3]
    fx = min(max((x - X0) / (X1 - X0) * (nx - 1), 0.0), nx - 1.0001)
    i = int(fx)
    ax, total = fx - i, 0.0
    for dk in range(2):
        slab = V[(k + dk) % len(V)]
        for dn in range(2):
            weight = (at if dk else 1.0 - at) * (ag if dn else 1.0 - ag)
            a, b = slab[n + dn, j], slab[n + dn, j + 1]
            low, high = (1.0 - ax) * a[i] + ax * a[i + 1], (1.0 - ax) * b[i] + ax * b[i + 1]
            total += weight * ((1.0 - ay) * low + ay * high)
    return total


@njit(cache=True, fastmath=True)
def look_all(V, states, values):
    """Fill the values (N,) of states."""
    for m in range(len(states)):
        values[m] = look(V, states[m, 0], states[m, 1], states[m, 2], states[m, 3])


@njit(cache=True, fastmath=True)
def after(V, x, y, th, g, tangent, s, walls, price):
    """The value of a control; of docks, the most accurate one is the best."""
    a, b, c, e, flag = advance(x, y, th, g, tangent, s, walls)
    if flag == 1:
        return 1.1 - 0.1 * (abs(b) + abs(c))
    return 0.0 if flag < 0 else (1.0 - price) * look(V, a, b, c, e)


@njit(cache=True, fastmath=True)
def best_of(V, x, y, th, g, way, tangents, walls, price, change):
    """The best value over the controls, the index of its steering and its direction, after the direction `way`."""
    best, steer, found = -1.0, 0, way
    for d in range(len(V)):
        factor = 1.0 if d == way else 1.0 - change
        for u in range(len(tangents)):
            v = factor * after(V[d], x, y, th, g, tangents[u], WAYS[d], walls, price)
            if v > best:
                best, steer, found = v, u, d
    return best, steer, found


@njit(cache=True, fastmath=True)
def rate(V, states, tangents, walls, price, values):
    """Fill the values (N, U) of the steering angles, backing up."""
    for m in range(len(states)):
        x, y, th, g = states[m]
        for u in range(len(tangents)):
            values[m, u] = after(V, x, y, th, g, tangents[u], WAYS[0], walls, price)


@njit(cache=True, fastmath=True)
def advance_all(states, tangents, walls, flags):
    """Advance trucks in place, backing up, and fill their flags."""
    for m in range(len(states)):
        x, y, th, g = states[m]
        a, b, c, e, flags[m] = advance(x, y, th, g, tangents[m], WAYS[0], walls)
        states[m, 0], states[m, 1], states[m, 2], states[m, 3] = a, b, c, e


@njit(cache=True, fastmath=True)
def roll(states, V, tangents, walls, price, change, limit, flags, steps, changes):
    """Greedy episodes from states in the grid's coordinates; fills flags, steps and changes of direction."""
    for m in range(len(states)):
        x, y, th, g = states[m]
        way = 0
        for t in range(limit):
            _, u, d = best_of(V, x, y, th, g, way, tangents, walls, price, change)
            changes[m] += d != way
            way = d
            x, y, th, g, flag = advance(x, y, th, g, tangents[u], WAYS[way], walls)
            steps[m], flags[m] = t + 1, flag
            if flag != 0:
                break
