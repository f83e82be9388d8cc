"""The compiled loops of the truck's dynamic programming."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

X0, X1, Y1, BENT = 0.05, 40.0, 10.0, 0.5 * math.pi  # the first points are so near the dock that a step reaches it
STEERS = np.linspace(-0.25 * math.pi, 0.25 * math.pi, 9)
FINE = np.linspace(-0.25 * math.pi, 0.25 * math.pi, 33)
NEAR, STRAIGHT = 0.5, math.radians(10.0)


def fresh(shape):
    """A value of zeros."""
    return np.zeros(shape, dtype=np.float32)


@njit(cache=True, fastmath=True)
def advance(x, y, th, g, tangent, s, walls):
    """Four Euler steps of length s, and 1 for docked, -1 for failed, 0 for neither."""
    a = th + g
    px, py = x + 4.0 * math.cos(th), y + 4.0 * math.sin(th)
    for _ in range(4):
        px += s * math.cos(a)
        py += s * math.sin(a)
        turn = 0.25 * s * math.sin(a - th)
        a += s * tangent
        th += turn
    g = a - th - 2.0 * math.pi * round((a - th) / (2.0 * math.pi))
    th -= 2.0 * math.pi * round(th / (2.0 * math.pi))
    x, y = px - 4.0 * math.cos(th), py - 4.0 * math.sin(th)
    if abs(g) > BENT:
        return x, y, th, g, -1
    if walls:
        fx, fy = px + 1.5 * math.cos(a), py + 1.5 * math.sin(a)
        if fx < 0.0 or max(fx, x) > X1 or abs(fy) > Y1 or abs(y) > Y1:
            return x, y, th, g, -1
    if x <= 0.0:
        return x, y, th, g, (1 if abs(y) < NEAR and abs(th) < STRAIGHT else -1)
    return x, y, th, g, 0


@njit(cache=True, fastmath=True)
def look(V, x, y, th, g):
    """The value between grid points; beyond the grid, that of its border."""
    if y < 0.0:
        y, th, g = -y, -th, -g
    nx, ny, nt, ng = V.shape
    fx = min(max((x - X0) / (X1 - X0) * (nx - 1), 0.0), nx - 1.0001)
    fy = min(y / Y1 * (ny - 1), ny - 1.0001)
    ft = (th + math.pi) / (2.0 * math.pi) * nt
    fg = min(max((g + BENT) / (2.0 * BENT) * (ng - 1), 0.0), ng - 1.0001)
    i, j, k, n = int(fx), int(fy), int(math.floor(ft)), int(fg)
    ax, ay, at, ag = fx - i, fy - j, ft - k, fg - n
    total = 0.0
    for di in range(2):
        wx = ax if di else 1.0 - ax
        for dj in range(2):
            wy = wx * (ay if dj else 1.0 - ay)
            for dk in range(2):
                w = wy * (at if dk else 1.0 - at)
                row = V[i + di, j + dj, (k + dk) % nt]
                total += w * ((1.0 - ag) * row[n] + ag * row[n + 1])
    return total


@njit(cache=True, fastmath=True)
def best_of(V, x, y, th, g, steers, walls, forward, price, gear):
    """The best value over the controls, its steering and its direction; of docks, the most accurate one."""
    best, steer, way = -1.0, 0.0, -0.1
    for d in range(2 if forward else 1):
        s = -0.1 if d == 0 else 0.1
        kept = 1.0 - (price if d == 0 else gear * price)
        for u in steers:
            a, b, c, e, flag = advance(x, y, th, g, math.tan(u), s, walls)
            if flag == 1:
                v = 2.0 - abs(b) - abs(c)
            else:
                v = 0.0 if flag < 0 else kept * look(V, a, b, c, e)
            if v > best:
                best, steer, way = v, u, s
    return best, steer, way


@njit(cache=True, fastmath=True, parallel=True)
def sweep(V, walls, forward, price, gear, inward):
    """One sweep over the grid in place; slices of x are shared among the cores."""
    nx, ny, nt, ng = V.shape
    for at in prange(nx):
        i = np.int64(nx - 1 - at if inward else at)  # the index of prange is unsigned
        x = X0 + (X1 - X0) * i / (nx - 1)
        for j in range(ny):
            for k in range(nt):
                for n in range(ng):
                    y, th = Y1 * j / (ny - 1), -math.pi + 2.0 * math.pi * k / nt
                    g = -BENT + 2.0 * BENT * n / (ng - 1)
                    v = best_of(V, x, y, th, g, STEERS, walls, forward, price, gear)[0]
                    V[i, j, k, n] = min(v, 1.0)


@njit(cache=True, parallel=True)
def roll(starts, V, walls, forward, price, gear, limit, flags, steps):
    """Greedy episodes from starts in the grid's coordinates; fills flags and steps."""
    for m in prange(starts.shape[0]):
        x, y, th, g = starts[m, 0], starts[m, 1], starts[m, 2], starts[m, 3]
        for t in range(limit):
            _, steer, way = best_of(V, x, y, th, g, FINE, walls, forward, price, gear)
            x, y, th, g, flag = advance(x, y, th, g, math.tan(steer), way, walls)
            steps[m] = t + 1
            flags[m] = flag
            if flag != 0:
                break
