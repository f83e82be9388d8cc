"""The drivers of filters with several modes: beliefs mixed, predicted and updated in all modes, and their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Dynamics, Space
from ..models.trace import call, code_of, driver
from ._algebra import product, product_transposed
from ._drivers import ACCEPTED, NO_READING, WRONG_LENGTH
from ._memory import ONE, address, integers, job_at, matrix, model_at, space_at, table, vector
from ._steps import gaussian_at

ROUNDS = 200  # of the mean, at most: as many as `Space.mean` takes
ROUNDING = 1e-14  # step at which it stands still, for coordinates of about 1


@driver(
    "i8(i8[::1], f8[::1], f8[::1], f8[:,::1], i8, f8[:,::1], i8[::1], i8[:,:,::1], i8[:,:,::1], i8[::1], i8[::1], "
    "i8[:,::1], f8[:,::1], f8[:,::1])"
)
def imm_predict(
    jobs, u, weights, T, pooled, shares, beliefs, places, tangents, transports, linear, layouts, moments, mixed
):
    """Mix the beliefs of the filters of `jobs` by switching probabilities T, and predict each; the first bad status.

    Args:
        u: the action.
        weights: of the modes, ``(M,)``; their predicted ones afterwards.
        T, pooled: as for `note_shares`; the others are those of `Mixing`.
    """
    count = jobs.shape[0]
    for j in range(count):
        beliefs[j] = job_at(jobs[j]).belief
    imm_mix(jobs, weights, T, pooled, shares, beliefs, places, tangents, transports, linear, layouts, moments, mixed)
    for j in range(count):
        job = job_at(jobs[j])
        if u.shape[0] != model_at(job.dynamics).inputs:
            return WRONG_LENGTH
        status = integers(job.status, 1)
        status[0] = ACCEPTED
        call(job.predict, jobs[j], job.belief, u, job.dt, job.scratch)
        if status[0] != ACCEPTED:
            return status[0]
    return ACCEPTED


@driver(
    "void(i8[::1], i8[::1], i8[::1], f8[:,::1], f8[:,::1], i8, f8[:,::1], i8[::1], i8[:,:,::1], i8[:,:,::1], i8[::1], "
    "i8[::1], i8[:,::1], f8[:,::1], f8[:,::1])",
    nogil=True,
)
def imm_mix_rows(
    jobs, tables, sizes, weights, T, pooled, shares, beliefs, places, tangents, transports, linear, layouts, moments,
    mixed,
):  # fmt: skip
    """`imm_mix` for each row of weights ``(B, M)`` and of the tables of beliefs, at addresses, with rows of `sizes`."""
    for row in range(weights.shape[0]):
        for j in range(jobs.shape[0]):
            beliefs[j] = tables[j] + 8 * sizes[j] * row
        imm_mix(
            jobs, weights[row], T, pooled, shares, beliefs, places, tangents, transports, linear, layouts, moments,
            mixed,
        )  # fmt: skip


@driver
def imm_mix(jobs, weights, T, pooled, shares, beliefs, places, tangents, transports, linear, layouts, moments, mixed):
    """Mix the beliefs at these addresses; weights become the predicted ones."""
    count = jobs.shape[0]
    note_shares(T, pooled, weights, shares)
    for j in range(count):
        job = job_at(jobs[j])
        call(layouts[j, 0], jobs[j], beliefs[j], moments[j], job.dt, job.scratch)
    for j in range(count):
        if shares[j, j] == 1.0:  # it keeps its own belief
            continue
        job = job_at(jobs[j])
        mix(jobs, j, shares, places, tangents, transports[j], linear[j], moments, mixed[j])
        call(layouts[j, 1], jobs[j], beliefs[j], mixed[j], job.dt, job.scratch)


@driver
def note_shares(T, pooled, weights, shares):
    """shares[i, j] = the probability that what leads to mode j was mode i; weights become the predicted ones.

    A mode to which none leads was itself. `pooled` is 1 where all modes go on from the mixture of all.
    """
    count = T.shape[0]
    for j in range(count):
        total = 0.0
        for i in range(count):
            total += T[i, j] * weights[i]
        shares[count, j] = total
    for j in range(count):
        total = shares[count, j]
        for i in range(count):
            own = 1.0 if i == j else 0.0
            shares[i, j] = weights[i] if pooled else T[i, j] * weights[i] / total if total > 0.0 else own
    for j in range(count):
        weights[j] = shares[count, j]


@driver
def mix(jobs, j, shares, places, tangents, transport, linear, moments, mixed):
    """`mixed` = moments of the beliefs of all filters, carried to the space of filter j; see `Mixture.moments`."""
    count, job = jobs.shape[0], job_at(jobs[j])
    space = space_at(job.state)
    n, d = space.size, space.dim
    _, P, _ = gaussian_at(moments[j].ctypes.data, n, d, ONE)
    y, N, _ = gaussian_at(mixed.ctypes.data, n, d, ONE)
    x, w = vector(job.scratch, n, ONE)
    e, w = vector(w, d, ONE)
    C, w = matrix(w, d, d, ONE)
    G, w = matrix(w, d, d, ONE)
    A, w = matrix(w, d, d, ONE)
    if linear:
        add_up(shares, j, moments, places, y, n)
    else:
        descend(space, shares, j, moments, places, y, x, e, w)
    for a in range(d):
        for b in range(d):
            N[a, b] = 0.0
    for i in range(count):
        m = shares[i, j]
        if m == 0.0:
            continue
        carried_mean(moments, j, i, places, x, n)
        if linear:
            for a in range(d):
                e[a] = x[a] - y[a]
        else:
            call(space.minus, address(x), address(y), 0, 0, address(e))
        source = space_at(job_at(jobs[i]).state)
        _, S, _ = gaussian_at(moments[i].ctypes.data, source.size, source.dim, ONE)
        for a in range(d):
            for b in range(d):
                p, q = tangents[j, i, a], tangents[j, i, b]
                C[a, b] = S[p, q] if p >= 0 and q >= 0 else P[a, b] if p < 0 and q < 0 else 0.0
        if transport != 0:
            call(transport, address(x), address(y), 0, 0, address(G))
            product(G, C, A, d, d, d, ONE)
            product_transposed(A, G, C, d, d, d, ONE)
        for a in range(d):
            for b in range(a + 1):
                N[a, b] = N[a, b] + m * (C[a, b] + e[a] * e[b])
                N[b, a] = N[a, b]


@driver
def add_up(shares, j, moments, places, y, n):
    """y = the mean on a linear space."""
    for k in range(n):
        total = 0.0
        for i in range(shares.shape[1]):
            total += shares[i, j] * (moments[i, places[j, i, k]] if places[j, i, k] >= 0 else moments[j, k])
        y[k] = total


@driver
def descend(space, shares, j, moments, places, y, x, e, w):
    """y = the mean on any space, from the heaviest on: ``y (+) sum_i m_i (x_i (-) y)`` until it stands still."""
    n, d, count = space.size, space.dim, shares.shape[1]
    new, w = vector(w, n, ONE)
    step, w = vector(w, d, ONE)
    heaviest = j
    for i in range(count):
        if shares[i, j] > shares[heaviest, j]:
            heaviest = i
    carried_mean(moments, j, heaviest, places, y, n)
    for _ in range(ROUNDS):
        largest, reach = 0.0, 1.0
        for a in range(d):
            step[a] = 0.0
        for i in range(count):
            m = shares[i, j]
            if m == 0.0:
                continue
            carried_mean(moments, j, i, places, x, n)
            call(space.minus, address(x), address(y), 0, 0, address(e))
            for a in range(d):
                step[a] = step[a] + m * e[a]
            for k in range(n):
                reach = max(reach, abs(x[k]))
        for a in range(d):
            largest = max(largest, abs(step[a]))
        if largest <= ROUNDING * reach:
            break
        call(space.plus, address(y), address(step), 0, 0, address(new))
        for k in range(n):
            y[k] = new[k]


@driver
def carried_mean(moments, j, i, places, x, n):
    """x = the mean of filter i in the space of filter j, which fills in what it lacks."""
    for k in range(n):
        x[k] = moments[i, places[j, i, k]] if places[j, i, k] >= 0 else moments[j, k]


@driver("i8(i8[::1], f8[::1], f8[::1], f8, i8[::1], f8[::1], f8[::1])")
def imm_update(jobs, weights, logs, floor, places, z, context):
    """Update each filter with a reading, and the weights by its likelihood under each; the first bad status.

    `places` is where the log-likelihood of each lies in its memory. Where a filter fails, all refuse the reading or
    nothing was measured, the weights stay.
    """
    count, refused, last = jobs.shape[0], 0, 0
    for j in range(count):
        job = job_at(jobs[j])
        h, status = model_at(job.sensor), integers(job.status, 1)
        if z.shape[0] != space_at(h.space).size or context.shape[0] != h.inputs:
            return WRONG_LENGTH
        status[0] = ACCEPTED
        call(job.update, jobs[j], job.belief, z, context, job.scratch)
        if status[0] > NO_READING:
            return status[0]
        if status[0] != ACCEPTED:
            refused, last = refused + 1, status[0]
        logs[j] = table(job.belief, 1, places[j] + 1)[0, places[j]]
    if refused == count:
        return last
    weigh(weights, logs, floor)
    return ACCEPTED


@driver("void(f8[:,::1], f8[:,::1], f8, i8[::1])")
def imm_weigh_rows(weights, logs, floor, status):
    """`weigh` for each row ``(M,)`` whose reading was accepted."""
    for row in range(weights.shape[0]):
        if status[row] == ACCEPTED:
            weigh(weights[row], logs[row], floor)


@driver
def weigh(weights, logs, floor):
    """Weights times likelihoods, none below the floor, of sum 1."""
    top, total, count = -math.inf, 0.0, weights.shape[0]
    for j in range(count):
        if weights[j] > 0.0:
            top = max(top, logs[j] + math.log(weights[j]))
    for j in range(count):
        weights[j] = math.exp(logs[j] + math.log(weights[j]) - top) if weights[j] > 0.0 else 0.0
        total += weights[j]
    raised = 0.0
    for j in range(count):
        weights[j] = max(weights[j] / total, floor)
        raised += weights[j]
    for j in range(count):
        weights[j] = weights[j] / raised


class Mixing:
    """The memory that mixing needs, for modes of these models and filters.

    Attributes:
        memory: the last arguments of `imm_predict` and `imm_mix_rows`: scratch for shares and addresses of beliefs;
            for target j and source i the places where each component of j lies in i, -1 where it does not,
            ``(M, M, size)`` and ``(M, M, dim)``; code of the transport on the space of each, 0 where it is flat, and
            whether it is linear; code that takes mean and covariance from a belief, and that makes a belief of them,
            ``(M, 2)``; rows for mean and covariance of each belief, and of each mixed one.
    """

    def __init__(self, modes: Sequence[tuple[Any, Dynamics]]) -> None:
        spaces, count = [model.state for _, model in modes], len(modes)
        self._codes = [None if space.flat else code_of(space, "transport") for space in spaces]
        self.memory = (
            np.zeros((count + 1, count)),
            np.zeros(count, dtype=np.int64),
            *shared_places(spaces),
            np.array([0 if code is None else code.address for code in self._codes], dtype=np.int64),
            np.array([space.linear for space in spaces], dtype=np.int64),
            np.array([[driver.address for driver in filter.layout] for filter, _ in modes], dtype=np.int64),
            *np.zeros((2, count, max(s.size + s.dim**2 for s in spaces))),
        )


def shared_places(spaces: list[Space]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the components of space j in space i, ``(M, M, size)``, and those of its tangent; -1 for none."""
    count = len(spaces)
    places = np.full((count, count, max(s.size for s in spaces)), -1, dtype=np.int64)
    tangents = np.full((count, count, max(s.dim for s in spaces)), -1, dtype=np.int64)
    for j, target in enumerate(spaces):
        for i, source in enumerate(spaces):
            names = target.common(source)
            (here, there), (own, other) = target.indices(names), source.indices(names)
            places[j, i, here], tangents[j, i, there] = own, other
    return places, tangents
