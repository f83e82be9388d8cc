"""Common parts of the inner steps of Gaussian filters.

The belief of these filters at an address: mean (n), covariance (d, d), and behind it room for what an update finds:
expected reading (k), innovation (m), its covariance S (m, m), NIS and log-likelihood (2). `status` is an address, too:
an integer for each lane, 0 while all is well.
"""

from __future__ import annotations

from typing import Any

from ..core.status import FilterStatus
from ..models.trace import Driver, call, driver
from ._algebra import finite, finite_matrix, plausible, symmetrize
from ._drivers import INNER
from ._memory import (
    BLOCK,
    ONE,
    accepted,
    address,
    fill,
    job_at,
    mark,
    matrix,
    opposite,
    select,
    space_at,
    table,
    vector,
)

ACCEPTED = int(FilterStatus.ACCEPTED)
GATED, NO_READING = int(FilterStatus.GATED), int(FilterStatus.NO_READING)
PREDICTION_FAILED = int(FilterStatus.PREDICTION_FAILED)
UPDATE_FAILED = int(FilterStatus.UPDATE_FAILED)


@driver
def gaussian_at(b, n, d, lanes):
    """Mean (n), covariance (d, d), and the address behind them."""
    x, at = vector(b, n, lanes)
    P, at = matrix(at, d, d, lanes)
    return x, P, at


@driver
def found_at(at, k, m, lanes):
    """The memory of an update's results: expected reading, innovation, S, and NIS with log-likelihood."""
    expected, at = vector(at, k, lanes)
    y, at = vector(at, m, lanes)
    S, at = matrix(at, m, m, lanes)
    found, at = vector(at, 2, lanes)
    return expected, y, S, found


@driver
def note_innovation(e, predicted, y, expected, z, k, m, lanes):
    """Write down the innovation as it is; in e, what was not measured counts as zero.

    Returns how many components were measured, and false where an expected reading is NaN though the reading is not.
    """
    measured = fill(0.0, lanes)
    defined = measured == 0.0
    for i in range(k):
        expected[i] = predicted[i]
        defined = defined & ((predicted[i] == predicted[i]) | (z[i] != z[i]))
    for i in range(m):
        y[i] = e[i]
        seen = e[i] == e[i]
        measured += select(seen, fill(1.0, lanes), 0.0)
        e[i] = select(seen, e[i], 0.0)
    return measured, defined


@driver
def drop_unmeasured(y, H, R, n, m, lanes):
    """Take components of y that are NaN out of the equations.

    A component without sensitivity or correlation, and with unit noise, adds nothing to gain, NIS or likelihood, so the
    sizes of all loops stay what they are.
    """
    for i in range(m):
        seen = y[i] == y[i]
        for j in range(n):
            H[i, j] = select(seen, H[i, j], 0.0)
        drop_noise(seen, R, i, m)


@driver
def drop_noise(seen, R, i, m):
    """Unit noise, without correlation, for component i where it was not seen."""
    for j in range(m):
        R[i, j] = select(seen, R[i, j], 1.0 if i == j else 0.0)
        R[j, i] = select(seen, R[j, i], 1.0 if i == j else 0.0)


@driver
def linearize(h, b, context, z, predicted, e, H, R, expected, y, d, k, m, lanes):
    """h, e, H and R, which lie side by side, of a sensor at the belief, without what the reading z did not measure.

    Returns how many components were measured, and whether what the sensor says of them makes sense.
    """
    given, _ = vector(z, k, lanes)
    call(h.all, b, context, z, h.parameters, address(predicted))
    measured, good = note_innovation(e, predicted, y, expected, given, k, m, lanes)
    drop_unmeasured(y, H, R, d, m, lanes)
    good = good & plausible(R, m, lanes)
    symmetrize(R, m)
    return measured, good


@driver
def judge(job, h, good, found, measured, m, lanes):
    """UPDATE_FAILED where something was wrong, or the likelihood is not finite; else what the gate says."""
    mark(job.status, opposite(good & (found[1] - found[1] == 0.0)), UPDATE_FAILED)
    gate(h.gates, found[0], measured, job.status, m, lanes)


@driver
def settle(job, x, P, new_x, new_P, good, failure, n, d, lanes):
    """Belief = the new one; where that is not finite, or something was wrong, the status is this failure."""
    good = good & finite(new_x, n, lanes) & finite_matrix(new_P, d, d, lanes)
    mark(job.status, opposite(good), failure)
    commit(x, P, new_x, new_P, job.status, n, d, lanes)


@driver
def gate(gates, nis, measured, status, m, lanes):
    """GATED where the NIS is above the gate for so many measured components, NO_READING where none was measured.

    Gates are m + 1 numbers at an address.
    """
    known, limit = table(gates, 1, m + 1), fill(0.0, lanes)
    for i in range(m + 1):
        limit = select(measured == float(i), fill(known[0, i], lanes), limit)
    mark(status, nis > limit, GATED)
    mark(status, measured == 0.0, NO_READING)


@driver
def commit(x, P, new_x, new_P, status, n, d, lanes):
    """Belief = the new one, where all is well."""
    good = accepted(status, lanes)
    for i in range(n):
        x[i] = select(good, new_x[i], x[i])
    for i in range(d):
        for j in range(d):
            P[i, j] = select(good, new_P[i, j], P[i, j])


Inner = tuple[Driver, Driver, Driver, Driver]
"""Entry points that predict and update one belief, and a block of lanes."""


step: Any = None
lanes: Any = None


@driver
def inner_step(at, b, first, second, w):
    """A prediction (first and second are u and dt) or an update (z and context) of the job at `at`."""
    step(at, b, first, second, w, lanes)  # two names that `inner_steps` fills


def inner_steps(predict: Driver, update: Driver) -> Inner:
    """The entry points of an estimator, from the text of its two steps over lanes."""
    return (
        inner_step.entry(f"{predict.__name__}_one", INNER, step=predict, lanes=ONE),
        inner_step.entry(f"{update.__name__}_one", INNER, step=update, lanes=ONE),
        inner_step.entry(f"{predict.__name__}_block", INNER, step=predict, lanes=BLOCK),
        inner_step.entry(f"{update.__name__}_block", INNER, step=update, lanes=BLOCK),
    )


@driver(INNER)
def read_moments(at, b, moments, nothing, w):
    """Write mean and covariance of the belief at address b to the address `moments`; `nothing` keeps the signature."""
    space = space_at(job_at(at).state)
    count = space.size + space.dim * space.dim
    given, found = table(b, 1, count), table(moments, 1, count)
    for i in range(count):
        found[0, i] = given[0, i]


@driver(INNER)
def write_moments(at, b, moments, nothing, w):
    """The belief at address b = that of the mean and covariance at the address `moments`."""
    read_moments(at, moments, b, nothing, w)
