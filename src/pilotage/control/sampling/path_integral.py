"""The drivers of MPPI: noisy rollouts, weighed by their cost.

Samples are rolled out in blocks of `LANES` side by side, in arrays of a block's own, which is what becomes SIMD.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import LANES, call, driver
from ._lane_math import lane_exp
from ._noise import coloured, normals

ROLL = (
    "void(i8, i8, i8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[::1], f8[::1], i8[::1], f8[::1], f8[::1], "
    "f8[:,::1], f8[:,::1], f8[:,:,::1])"
)


@driver(ROLL, heap=True, nogil=True, fast=True)
def roll(
    start: int, stop: int, code: Any, x0: Any, plan: Any, rows: Any, limits: Any, dt: Any, settings: Any, key: Any,
    p: Any, c: Any, costs: Any, violations: Any, deviations: Any,
) -> None:  # fmt: skip
    """Draw the samples of the blocks from `start` up to `stop`, roll them out from x0, add up what they cost.

    Args:
        start, stop: blocks, numbered from 0.
        code: addresses of the machine code, over lanes, of y, l, g and T, and the number of constraints.
        x0: state (n,).
        plan: actions to vary (T, m).
        rows: references of the stages (T+1, nr).
        limits: standard deviation of the noise, lowest and highest action (3, m).
        dt: seconds a step (1,).
        settings: correlation of the noise from one step to the next, penalty of a violated constraint, `pull` times
            the temperature.
        key: see `normals`.
        p, c: parameters of dynamics and task.
        costs: cost of each sample, infinite where it is not finite (blocks, LANES).
        violations: largest value of the constraint along each sample, infinite where that or the cost is not finite
            (blocks, LANES).
        deviations: from the plan, as the limits left them (blocks, T m rounded up to a multiple of four, LANES).
    """
    T, m, n, k = plan.shape[0], plan.shape[1], x0.shape[0], code[4]
    x = np.empty((n, LANES))
    u = np.empty((m, LANES))
    out = np.empty((max(1, k), LANES))
    total = np.empty((1, LANES))
    worst = np.empty((1, LANES))
    e = np.empty((deviations.shape[1], LANES))
    price = np.empty((T, m))
    charge(plan, limits, settings, price)
    for b in range(start, stop):
        draw_block(b, m, settings[0], key, e)
        for lane in range(LANES):
            total[0, lane] = 0.0
            worst[0, lane] = -math.inf
            for i in range(n):
                x[i, lane] = x0[i]
        for t in range(T):
            act(t, plan, limits, price, e, u, total)
            call(code[1], x, u, rows[t], c, out)
            for lane in range(LANES):
                total[0, lane] += out[0, lane]
            call(code[0], x, u, dt, p, x)
            if k > 0:
                call(code[2], x, u, rows[t + 1], c, out)
                fine(k, settings[1], out, total, worst)
        call(code[3], x, u, rows[T], c, out)
        for lane in range(LANES):
            s = total[0, lane] + out[0, lane]
            costs[b, lane] = s if math.fabs(s) < math.inf else math.inf
            violations[b, lane] = worst[0, lane] if math.fabs(s) < math.inf else math.inf
        for row in range(e.shape[0]):
            for lane in range(LANES):
                deviations[b, row, lane] = e[row, lane]


DRAW = "void(f8[:,::1], f8[:,::1], f8[::1], i8[::1], f8[:,::1], f8[:,:,::1])"


@driver(DRAW, heap=True, nogil=True, fast=True)
def draw(plan: Any, limits: Any, settings: Any, key: Any, costs: Any, deviations: Any) -> None:
    """Draw the samples of all blocks; costs become what the deviations are charged. For models that roll out alone."""
    u, total = np.empty((plan.shape[1], LANES)), np.empty((1, LANES))
    e, price = np.empty((deviations.shape[1], LANES)), np.empty(plan.shape)
    charge(plan, limits, settings, price)
    for b in range(costs.shape[0]):
        draw_block(b, plan.shape[1], settings[0], key, e)
        for lane in range(LANES):
            total[0, lane] = 0.0
        for t in range(plan.shape[0]):
            act(t, plan, limits, price, e, u, total)
        for lane in range(LANES):
            costs[b, lane] = total[0, lane]
        for row in range(e.shape[0]):
            for lane in range(LANES):
                deviations[b, row, lane] = e[row, lane]


@driver
def charge(plan: Any, limits: Any, settings: Any, price: Any) -> None:
    """Cost of a deviation: ``pull temperature P^-1 plan``, P the covariance of the noise over the plan."""
    a, last = settings[0], plan.shape[0] - 1
    scale = 1.0 / (1.0 - a * a)
    for j in range(plan.shape[1]):
        weight = settings[2] / (limits[0, j] * limits[0, j])
        for t in range(last + 1):
            fresh = plan[0, j] if t == 0 else (plan[t, j] - a * plan[t - 1, j]) * scale
            after = (plan[t + 1, j] - a * plan[t, j]) * scale if t < last else 0.0
            price[t, j] = weight * (fresh - a * after) if settings[2] != 0.0 else 0.0


@driver
def draw_block(b: int, m: int, correlation: float, key: Any, e: Any) -> None:
    """The noise of a block; the very first sample is the plan as it is."""
    normals(key, b * LANES, e)
    if correlation > 0.0:
        coloured(correlation, m, e)
    if b == 0:
        for row in range(e.shape[0]):
            e[row, 0] = 0.0


@driver(fast=True)
def act(t: int, plan: Any, limits: Any, price: Any, e: Any, u: Any, total: Any) -> None:
    """u = plan + std e within the limits; e becomes what the limits left of the deviation, and is charged for."""
    m = plan.shape[1]
    for j in range(m):
        mean = plan[t, j]
        std = limits[0, j]
        low = limits[1, j]
        high = limits[2, j]
        charge = price[t, j]
        row = t * m + j
        for lane in range(LANES):
            v = mean + std * e[row, lane]
            v = low if v < low else v
            v = high if v > high else v
            u[j, lane] = v
            e[row, lane] = v - mean
            total[0, lane] += charge * (v - mean)


@driver
def fine(k: int, penalty: float, g: Any, total: Any, worst: Any) -> None:
    """total += penalty (1 + g) for each constraint that is violated; NaN is, and counts as 0. worst becomes max g."""
    for i in range(k):
        for lane in range(LANES):
            v = g[i, lane]
            charged = penalty * (1.0 + v)
            charged = 0.0 if v <= 0.0 else charged
            total[0, lane] += charged if charged == charged else penalty
            v = v if v == v else math.inf
            worst[0, lane] = v if v > worst[0, lane] else worst[0, lane]


IMPROVE = "UniTuple(f8, 2)(f8[:,::1], f8[:,::1], f8, f8, i8, f8[:,::1], f8[:,:,::1], f8[:,::1])"


@driver(IMPROVE, heap=True, nogil=True, fast=True)
def improve(
    plan: Any, limits: Any, temperature: float, share: float, samples: int, costs: Any, deviations: Any, weights: Any
) -> Any:
    """Move `plan` by the mean deviation, weighted with ``exp(-cost / temperature)``; temperature and mean cost.

    A temperature of 0 is chosen so that the effective number of samples is `share` of all. Infinite when no sample had
    a finite cost; the plan is left as it was then. `weights` (blocks, LANES) become those of the samples, of sum 1;
    samples from `samples` on are only there to fill the last block.
    """
    lowest = math.inf
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            if b * LANES + lane >= samples:
                costs[b, lane] = math.inf
            lowest = costs[b, lane] if costs[b, lane] < lowest else lowest
    if lowest == math.inf:
        return lowest, lowest
    if temperature == 0.0:
        temperature = chosen_temperature(lowest, share * samples, costs, weights)
    total, _ = weigh(lowest, temperature, costs, weights)
    mean, cost = np.zeros(deviations.shape[1]), 0.0
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            w = weights[b, lane] / total
            weights[b, lane] = w
            cost += w * costs[b, lane] if w > 0.0 else 0.0
        for row in range(deviations.shape[1]):
            moved = 0.0
            for lane in range(LANES):
                moved += weights[b, lane] * deviations[b, row, lane]
            mean[row] += moved
    m = plan.shape[1]
    for t in range(plan.shape[0]):
        for j in range(m):
            plan[t, j] = min(max(plan[t, j] + mean[t * m + j], limits[1, j]), limits[2, j])
    return temperature, cost


@driver(fast=True)
def weigh(lowest: float, temperature: float, costs: Any, weights: Any) -> Any:
    """Weights relative to that of the best sample; their sum and the sum of their squares."""
    total = 0.0
    squares = 0.0
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            w = lane_exp((lowest - costs[b, lane]) / temperature)
            weights[b, lane] = w
            total += w
            squares += w * w
    return total, squares


@driver
def chosen_temperature(lowest: float, wanted: float, costs: Any, weights: Any) -> float:
    """The temperature at which ``(sum w)^2 / sum w^2`` is as wanted to a few percent, by bisection.

    It is sought in units of the mean excess over the lowest cost, so that costs of any size are weighed alike.
    """
    scale = mean_excess(lowest, costs)
    if scale == 0.0:
        return 1.0
    low = 1e-4
    high = 1e2
    for _ in range(9):
        middle = math.sqrt(low * high)
        total, squares = weigh(lowest, middle * scale, costs, weights)
        if total * total < wanted * squares:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high) * scale


@driver
def mean_excess(lowest: float, costs: Any) -> float:
    """Mean of what finite costs exceed the lowest by; 0 below 1e-300, and at most 1e300, for it is divided by."""
    above = 0.0
    count = 0.0
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            excess = costs[b, lane] - lowest
            finite = excess < 1e300
            above += excess * 1e-6 if finite else 0.0
            count += 1.0 if finite else 0.0
    mean = above / count * 1e6
    return 0.0 if mean < 1e-300 else mean
