"""Drivers around the inner steps of every filter: one call, and rows of beliefs through sequences.

The inner steps of an estimator are machine code at addresses that a job knows, as those of models are, so these drivers
serve every estimator. An inner step is ``predict(job, b, u, dt, w)`` or ``update(job, b, z, context, w)``, all of them
addresses: of the `JOB`, the belief, what is given, and scratch. A belief is a row of numbers whose layout the estimator
knows, followed by what an update finds.
"""

from __future__ import annotations

import numpy as np

from ..core.status import FilterStatus
from ..models.trace import LANES, call, driver
from ._memory import SIDE, integers, job_at, model_at, space_at, table, turn_tile

ACCEPTED, NO_READING = int(FilterStatus.ACCEPTED), int(FilterStatus.NO_READING)
WRONG_LENGTH = int(FilterStatus.WRONG_LENGTH)
FEW = 12
"""Rows up to which one at a time is faster than a block of lanes."""

INNER = "void(i8, i8, i8, i8, i8)"


@driver("i8(i8, f8[::1])")
def predict_one(at, u):
    """Predict the belief of a job; its status."""
    job = job_at(at)
    if u.shape[0] != model_at(job.dynamics).inputs:
        return WRONG_LENGTH
    status = integers(job.status, 1)
    status[0] = ACCEPTED
    call(job.predict, at, job.belief, u, job.dt, job.scratch)
    return status[0]


@driver("i8(i8, f8[::1], f8[::1])")
def update_one(at, z, context):
    """Update the belief of a job with a reading; its status."""
    job = job_at(at)
    h = model_at(job.sensor)
    if z.shape[0] != space_at(h.space).size or context.shape[0] != h.inputs:
        return WRONG_LENGTH
    status = integers(job.status, 1)
    status[0] = ACCEPTED
    call(job.update, at, job.belief, z, context, job.scratch)
    return status[0]


@driver("i8(i8, f8[::1], f8[::1], f8[::1])")
def step_one(at, u, z, context):
    """Predict and update, or neither; the status of the update, or that of a prediction that failed."""
    return step(at, u, z, context)


@driver("i8(i8, f8[::1])")
def step_alone(at, z):
    """`step_one` without context, and without an action: under that which is all zeros."""
    f = model_at(job_at(at).dynamics)
    return step(at, table(job_at(at).idle, 1, f.inputs)[0], z, table(0, 1, 0)[0])


@driver
def step(at, u, z, context):
    job = job_at(at)
    h = model_at(job.sensor)
    wrong = u.shape[0] != model_at(job.dynamics).inputs or z.shape[0] != space_at(h.space).size
    if wrong or context.shape[0] != h.inputs:
        return WRONG_LENGTH
    status = integers(job.status, 1)
    status[0] = ACCEPTED
    size = job.numbers
    b, before = table(job.belief, 1, size), table(job.scratch, 1, size)
    for i in range(size):
        before[0, i] = b[0, i]
    call(job.predict, at, job.belief, u, job.dt, job.scratch + 8 * size)
    if status[0] == ACCEPTED:
        call(job.update, at, job.belief, z, context, job.scratch + 8 * size)
    if status[0] > NO_READING:
        for i in range(size):
            b[0, i] = before[0, i]
    return status[0]


@driver(
    "void(i8, i8, i8[:,::1], f8[:,::1], f8[:,::1], f8[::1], i8[::1], f8[:,:,::1], i8[::1], f8[:,:,::1], f8[:,:,::1], "
    "f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], i8[:,::1])",
    nogil=True,
)
def run_rows(one, block, sensors, rows, ps, dts, moves, us, which, zs, contexts, before, after, found, status):
    """Each row of beliefs through its sequence of predictions and updates; rows are the beliefs at the end.

    Args:
        one, block: addresses of the jobs for one lane and for a block of lanes.
        sensors: addresses of the models of each sensor, for one lane and for a block.
        rows: beliefs ``(B, numbers)``.
        ps: parameters of the dynamics, ``(T, p)``, or ``(1, p)`` for all steps.
        dts, moves: seconds of each step, and whether it predicts at all, ``(T,)``.
        us: actions ``(B, T, m)``, or ``(1, T, m)`` for all.
        which: the sensor of each step, ``(T,)``; one that is not there for no reading.
        zs, contexts: readings and contexts, ``(B, T, k)`` and ``(B, T, c)``, or ``(1, T, c)`` for all.
        before, after, found, status: the belief before and after each update, what it found, and how it went,
            ``(B, T, ...)``; ``before``, ``after`` and ``found`` may be empty.
    """
    i = 0
    while i < rows.shape[0]:
        many = rows.shape[0] - i > FEW
        lanes, stop = (LANES, min(i + LANES, rows.shape[0])) if many else (1, i + 1)
        run_block(block if many else one, sensors, lanes, i, stop, rows, ps, dts, moves, us, which, zs, contexts,
                  before, after, found, status)  # fmt: skip
        i = stop


@driver
def run_block(at, sensors, lanes, start, stop, rows, ps, dts, moves, us, which, zs, contexts, before, after, found,
              status):  # fmt: skip
    """Rows start to stop in the lanes of a job."""
    job = job_at(at)
    f = model_at(job.dynamics)
    numbers, codes, u = rows.shape[1], integers(job.status, lanes), job.scratch
    z = u + 8 * us.shape[2] * lanes
    c = z + 8 * zs.shape[2] * lanes
    w = c + 8 * contexts.shape[2] * lanes
    load(job.belief, lanes, rows, start, stop)
    for t in range(dts.shape[0]):
        for l in range(lanes):
            codes[l] = ACCEPTED
        if moves[t]:
            f.parameters = ps[t if ps.shape[0] > 1 else 0].ctypes.data
            call(job.predict, at, job.belief, lanes_of(u, lanes, us, start, stop, t), dts[t:], w)
        if before.shape[0] > 0:
            store(job.belief, lanes, before[:, t], start, stop)
        if 0 <= which[t] < sensors.shape[0]:
            job.sensor = sensors[which[t], 0 if lanes == 1 else 1]
            z_at, c_at = lanes_of(z, lanes, zs, start, stop, t), lanes_of(c, lanes, contexts, start, stop, t)
            call(job.update, at, job.belief, z_at, c_at, w)
            if found.shape[0] > 0:
                store(job.belief + 8 * numbers * lanes, lanes, found[:, t], start, stop)
        if after.shape[0] > 0:
            store(job.belief, lanes, after[:, t], start, stop)
        for l in range(stop - start):
            idle = codes[l] == ACCEPTED and not 0 <= which[t] < sensors.shape[0]
            status[start + l, t] = NO_READING if idle else codes[l]
    store(job.belief, lanes, rows, start, stop)


@driver
def lanes_of(at, lanes, given, start, stop, t):
    """Address of what is given to rows start to stop at step t: turned into lanes, or where it is for one lane."""
    if lanes == 1:
        return beginning(given[min(start, given.shape[0] - 1), t])
    load(at, lanes, given[:, t], start, stop)
    return at


@driver
def beginning(a):
    """The address where an array begins, as a number that can be added to others."""
    return np.int64(a.ctypes.data)


@driver
def load(at, lanes, rows, start, stop):
    """The memory at an address = rows start to stop, turned into lanes; a single row serves all."""
    if rows.shape[1] > 0:
        step = rows.strides[0] if rows.shape[0] > 1 else 0
        spread(beginning(rows) + start * step, step, at, lanes, stop - start, rows.shape[1])


@driver
def spread(source, step, at, lanes, count, numbers):
    """The memory at an address = rows, `step` bytes apart, turned into lanes; lanes beyond repeat the last row."""
    if lanes == 1:
        copy(source, at, numbers)
        return
    turn(source, step, at, 8 * lanes, count, numbers)
    v = table(at, numbers, lanes)
    for l in range(count, lanes):
        for i in range(numbers):
            v[i, l] = v[i, count - 1]


@driver
def store(at, lanes, rows, start, stop):
    """Rows start to stop = the lanes at an address."""
    numbers = rows.shape[1]
    if numbers > 0 and lanes == 1:
        copy(at, beginning(rows[start]), numbers)
    elif numbers > 0:
        turn(at, 8 * lanes, beginning(rows[start]), rows.strides[0], numbers, stop - start)


@driver
def copy(source, target, n):
    """n numbers at an address, copied to another."""
    given, made = table(source, 1, n), table(target, 1, n)
    for i in range(n):
        made[0, i] = given[0, i]


@driver
def turn(source, down, target, along, n, m):
    """n rows of m numbers, `down` bytes apart at the address source, become columns, `along` bytes apart at target."""
    i = 0
    while i + SIDE <= n:
        j = 0
        while j + SIDE <= m:
            turn_tile(source + i * down + 8 * j, down, target + 8 * i + j * along, along)
            j += SIDE
        turn_rest(source + i * down, down, target + 8 * i, along, SIDE, j, m)
        i += SIDE
    turn_rest(source + i * down, down, target + 8 * i, along, n - i, 0, m)


@driver
def turn_rest(source, down, target, along, n, first, m):
    """`turn` number by number, for columns from the first on."""
    for i in range(n):
        for j in range(first, m):
            copy(source + i * down + 8 * j, target + 8 * i + j * along, 1)
