"""What surrounds the inner step of every Gaussian filter: checks, batches and sequences, as drivers.

`predict_belief` and `update_belief` are the two inner steps that a filter's own file gives. b is a packed belief and q
the numbers of a sensor (see `packing`), w scratch of as many columns as b. Codes: 1 done, 0 refused by the gate; -1 the
innovation covariance, -5 the covariance is not positive definite, -8 the process noise is no covariance; -2 an action,
-3 a prediction, -4 a reading or an updated state is not finite; -6 an action, -7 a reading of wrong length. A negative
code leaves the belief as it was.
"""

from __future__ import annotations

from ..models.binding.slots import ND, NE, NU, NX, NZ, predict_belief, update_belief


def predict_one(b, u, dt, p, w):
    """`predict_belief` that takes no harm."""
    if u.shape[0] != NU:
        return -6
    if not finite(u, NU):
        return -2
    remember(b, w)
    code = predict_belief(b, u, dt, p, w[ND + 1 :])
    return settled(b, w, code, -3)


def update_one(b, z, context, q, w):
    """`update_belief` that takes no harm."""
    if z.shape[0] != NZ:
        return -7
    remember(b, w)
    code = update_belief(b, z, context, q[NE + 2 :], q, w[ND + 1 :])
    return settled(b, w, code, -4)


def finite(v, n):
    """Whether the first n numbers of v are neither NaN nor infinite."""
    total = 0.0
    for i in range(n):
        total += v[i] - v[i]
    return total == 0.0


def remember(b, w):
    """Keep covariance and mean in the first rows of w."""
    for i in range(ND):
        for j in range(ND):
            w[i, j] = b[i, j]
    for j in range(NX):
        w[ND, j] = b[ND, j]


def settled(b, w, code, bad):
    """The code of a step; where it went wrong the belief kept in w is put back."""
    good = finite(b[ND], NX)
    for i in range(ND):
        good = finite(b[i], ND) and good
    if code >= 0 and not good:
        code = bad
    if code < 0:
        for i in range(ND):
            for j in range(ND):
                b[i, j] = w[i, j]
        for j in range(NX):
            b[ND, j] = w[ND, j]
    return code


def step_one(b, u, dt, z, context, q, w):
    """Prediction and update in one call; q ends with the parameters of the dynamics, and knows where they begin."""
    if u.shape[0] != NU:
        return -6
    if z.shape[0] != NZ:
        return -7
    if not finite(u, NU):
        return -2
    remember(b, w)
    code = predict_belief(b, u, dt, q[int(q[NE + 1]) :], w[ND + 1 :])
    if code > 0:
        code = update_belief(b, z, context, q[NE + 2 :], q, w[ND + 1 :])
    code = settled(b, w, code, -4)
    return code if code >= 0 else blamed(b, u, dt, q, w, code)


def blamed(b, u, dt, q, w, code):
    """The code of a prediction where that alone goes wrong, else the code given; b stays as it is."""
    remember(b, w)
    alone = settled(b, w, predict_belief(b, u, dt, q[int(q[NE + 1]) :], w[ND + 1 :]), -3)
    settled(b, w, -1, -1)
    return alone if alone < 0 else code


def run_sequence(b, us, dts, zs, contexts, q, w, bs, codes):
    """A sequence of steps; bs (T, rows, columns) receives b after each. Returns how many were done."""
    for t in range(zs.shape[0]):
        codes[t] = step_one(b, us[t], dts[t], zs[t], contexts[t], q, w)
        if codes[t] < 0:
            return t
        for i in range(b.shape[0]):
            for j in range(b.shape[1]):
                bs[t, i, j] = b[i, j]
    return zs.shape[0]


def predict_all(bs, us, dt, p, w):
    """`predict_one` for each row; the first bad code, or 1."""
    for i in range(bs.shape[0]):
        code = predict_one(bs[i], us[i], dt, p, w)
        if code < 0:
            return code
    return 1


def update_all(bs, zs, contexts, q, w, codes):
    """`update_one` for each row; the first bad code, or 1."""
    for i in range(bs.shape[0]):
        codes[i] = update_one(bs[i], zs[i], contexts[i], q, w)
        if codes[i] < 0:
            return codes[i]
    return 1
