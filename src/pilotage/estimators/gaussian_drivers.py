"""What surrounds the inner step of every Gaussian filter: checks, batches and sequences, as drivers.

`predict_belief` and `update_belief` are the two inner steps that a filter's own file gives. b is a packed belief (see
`packing`), w scratch of as many columns. Codes: 1 done, 0 refused by the gate; -1 the innovation covariance, -5 the
covariance is not positive definite; -2 an action, -3 a prediction, -4 a reading or an updated state is not finite.
A negative code leaves the belief as it was.
"""

from __future__ import annotations

from ..models.slots import ND, NX, predict_belief, update_belief


def predict_one(b, u, dt, p, w):
    """`predict_belief` that takes no harm."""
    for i in range(u.shape[0]):
        if u[i] - u[i] != 0.0:
            return -2
    remember(b, w)
    code = predict_belief(b, u, dt, p, w[ND + 1 :])
    return settled(b, w, code, -3)


def update_one(b, z, context, s, gates, w):
    """`update_belief` that takes no harm."""
    remember(b, w)
    code = update_belief(b, z, context, s, gates, w[ND + 1 :])
    return settled(b, w, code, -4)


def remember(b, w):
    """Keep covariance and mean in the first rows of w."""
    for i in range(ND):
        for j in range(ND):
            w[i, j] = b[i, j]
    for j in range(NX):
        w[ND, j] = b[ND, j]


def settled(b, w, code, bad):
    """The code of a step; where it went wrong the belief kept in w is put back."""
    total = 0.0
    for i in range(ND):
        for j in range(ND):
            total += b[i, j] - b[i, j]  # NaN once any entry is not finite
    for j in range(NX):
        total += b[ND, j] - b[ND, j]
    if total != 0.0 and code >= 0:
        code = bad
    if code < 0:
        for i in range(ND):
            for j in range(ND):
                b[i, j] = w[i, j]
        for j in range(NX):
            b[ND, j] = w[ND, j]
    return code


def step_one(b, u, dt, p, z, context, s, gates, w):
    """Prediction and update in one call."""
    code = predict_one(b, u, dt, p, w)
    return update_one(b, z, context, s, gates, w) if code > 0 else code


def run_sequence(b, us, dts, p, zs, contexts, s, gates, w, bs, codes):
    """A sequence of steps; bs (T, rows, columns) receives b after each. Returns how many were done."""
    for t in range(zs.shape[0]):
        codes[t] = step_one(b, us[t], dts[t], p, zs[t], contexts[t], s, gates, w)
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


def update_all(bs, zs, contexts, s, gates, w, codes):
    """`update_one` for each row; the first bad code, or 1."""
    for i in range(bs.shape[0]):
        codes[i] = update_one(bs[i], zs[i], contexts[i], s, gates, w)
        if codes[i] < 0:
            return codes[i]
    return 1
