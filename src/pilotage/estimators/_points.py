"""Sigma points through a model, on any space: where they go, their weighted mean, and how far they lie from it.

The weighted mean on the space is found by Newton's method, which works with negative weights, too.

Deviations of an angle may exceed half a turn, where a difference of two points tells them only up to whole turns: a
heading of std 1.8 rad has points 4.4 rad away. They are then followed along the way to the point, ``f(x (+) t d_i)``
for t = 1/2^h, ..., 1/2, 1: each is taken next to twice the one before.
"""

from __future__ import annotations

import math

from ..models.trace import call, driver
from ._memory import address, everywhere, fill, row, space_at, table, vector

ROUNDS = 12  # of the mean's iteration, which ends earlier once the mean stands still
QUARTER = 0.25 * math.pi
FINEST = 24  # halvings of the way to a point, at most


@driver
def points_of(settings, d):
    """How far points lie from the middle, how many there are, and of each w_i, v_i and xi_i, the middle first."""
    given = table(settings, 1, 2)
    count = int(given[0, 1])
    return given[0, 0], count, table(settings + 16, count, 2 + d)


@driver
def halvings(L, s, space, d, lanes):
    """The number of halvings of the way to a point, until no wrapped component goes further than a quarter turn."""
    wraps, count = table(space.wraps, 1, d), 0
    for k in range(d):
        if wraps[0, k] > 0.0:
            square = fill(0.0, lanes)
            for j in range(k + 1):
                square += s * s * L[k, j] * L[k, j]
            if not everywhere(square <= 4.0 * QUARTER * QUARTER):
                far = QUARTER
                steps = 0
                while steps < FINEST and not everywhere(square <= far * far):
                    far *= 2.0
                    steps += 1
                count = max(count, steps)
    return count


@driver
def beyond(D, rows, space, m):
    """Whether some deviation of a wrapped component is more than a quarter turn, and may be one of more than a half."""
    wraps = table(space.wraps, 1, m)
    for k in range(m):
        if wraps[0, k] > 0.0:
            for i in range(rows):
                if not everywhere(D[i, k] * D[i, k] <= 4.0 * QUARTER * QUARTER):
                    return True
    return False


@driver
def propagate(model, second, third, b, state, L, points, n, d, Y, D, halved, w, lanes):
    """Y_i = f(x (+) L xi_i), and D_i = Y_i (-) Y_0 along the way there, for the state at b and a model's values."""
    space = space_at(model.space)
    k, m = space.size, space.dim
    v, w = vector(w, d, lanes)
    X, w = vector(w, n, lanes)
    near, w = vector(w, m, lanes)
    there, w = vector(w, k, lanes)
    off, w = vector(w, m, lanes)
    call(model.value, b, second, third, model.parameters, address(Y))
    for j in range(m):
        D[0, j] = fill(0.0, lanes)
    for i in range(1, points.shape[0]):
        y, e = row(Y, i), row(D, i)
        reach = 0.5**halved
        for step in range(halved + 1):
            for j in range(d):
                v[j] = fill(0.0, lanes)
            for k in range(d):
                a = reach * points[i, 2 + k]
                if a != 0.0:
                    for j in range(k, d):
                        v[j] = v[j] + a * L[j, k]
            call(state.plus, b, address(v), 0, 0, address(X))
            call(model.value, address(X), second, third, model.parameters, address(y))
            if step == 0:
                call(space.minus, address(y), address(Y), 0, 0, address(e))
            else:
                for j in range(m):
                    near[j] = 2.0 * e[j]
                close_to(space, address(Y), y, e, near, there, off, m)
            reach *= 2.0


@driver
def close_to(space, base, y, e, near, there, off, m):
    """e = y (-) base, of all the deviations that lead to y the one next to `near`."""
    call(space.plus, base, address(near), 0, 0, address(there))
    call(space.minus, address(y), address(there), 0, 0, address(off))
    for j in range(m):
        e[j] = near[j] + off[j]


@driver
def centred(space, Y, D, y, points, halved, w, lanes):
    """y = weighted mean of the points Y, D = their deviations from it; at first they are those from Y_0."""
    k, m = space.size, space.dim
    mean, w = vector(w, m, lanes)
    near, w = vector(w, m, lanes)
    there, w = vector(w, k, lanes)
    off, w = vector(w, m, lanes)
    moved, w = vector(w, k, lanes)
    for j in range(k):
        y[j] = Y[0, j]
    for _ in range(ROUNDS):
        still = True
        for j in range(m):
            a, spread = points[0, 0] * D[0, j], D[0, j] * D[0, j]
            for i in range(1, points.shape[0]):
                a += points[i, 0] * D[i, j]
                spread += D[i, j] * D[i, j]
            mean[j] = a
            still = still and everywhere(a * a <= 1e-26 * spread)  # rounding beside what it was made of
        if still:
            return
        call(space.plus, address(y), address(mean), 0, 0, address(moved))
        for j in range(k):
            y[j] = moved[j]
        for i in range(points.shape[0]):
            if halved == 0:
                call(space.minus, address(row(Y, i)), address(y), 0, 0, address(row(D, i)))
            else:
                for j in range(m):
                    near[j] = D[i, j] - mean[j]
                close_to(space, address(y), row(Y, i), row(D, i), near, there, off, m)


@driver
def transform(model, second, third, b, state, L, reach, points, n, d, Y, D, y, w, lanes):
    """Y_i = f(x (+) L xi_i), y = their weighted mean and D_i = Y_i (-) y, for the state at b and a model's values."""
    space, halved = space_at(model.space), halvings(L, reach, state, d, lanes)
    propagate(model, second, third, b, state, L, points, n, d, Y, D, halved, w, lanes)
    if halved == 0 and beyond(D, points.shape[0], space, space.dim):
        halved = 3
        propagate(model, second, third, b, state, L, points, n, d, Y, D, halved, w, lanes)
    centred(space, Y, D, y, points, halved, w, lanes)


@driver
def spread_of(D, points, N, S, m):
    """S = sum v_i D_i D_i' + N, symmetric to the last bit."""
    for i in range(m):
        for j in range(i + 1):
            a = 0.5 * (N[i, j] + N[j, i])
            for k in range(points.shape[0]):
                a += points[k, 1] * (D[k, i] * D[k, j])
            S[i, j] = a
            S[j, i] = a
