"""The drivers of controllers that sample: noisy rollouts around a plan, and their weighted mean.

Samples are rolled out in blocks of `LANES` side by side, in arrays of a block's own, which is what becomes SIMD.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...models.trace import LANES, call, driver
from ._noise import coloured, mixed, normals, normals_single

REAL, WORDS = np.float64, np.int64
"""The types of the numbers in lanes, and of the words that they are drawn from."""
NOISE = "R[:,::1], R[:,::1], R[:,::1], R[:,::1], R[::1], R[:,::1], R[:,::1], i8[::1], R[:,:,::1]"
LAW = "R[:,::1], R[:,::1], R[:,:,::1]"
ROLL = (
    f"void(i8, i8, i8[::1], R[::1], R[:,::1], {NOISE}, {LAW}, R[::1], R[::1], R[::1], f8[:,::1], f8[:,::1], R[:,:,::1])"
)
FILL = "void(i8, R, R[:,::1], i8[::1], R[:,:,::1])"
MOMENTS = "void(f8[:,::1], R[:,:,::1], f8[::1], f8[::1])"


def of(signature: str, real: str) -> str:
    """A signature with its numbers in lanes of a type: "f8" or "f4"."""
    return signature.replace("R[", f"{real}[").replace("R,", f"{real},")


@driver(of(ROLL, "f8"), heap=True, nogil=True, fast=True)
def roll(
    start: int, stop: int, code: Any, x0: Any, rows: Any, plan: Any, std: Any, limits: Any, price: Any, settings: Any,
    basis: Any, kept: Any, key: Any, pool: Any, nominal: Any, steady: Any, gains: Any, dt: Any, p: Any, c: Any,
    costs: Any, violations: Any, deviations: Any,
) -> None:  # fmt: skip
    """Draw the samples of the blocks from `start` up to `stop`, roll them out from x0, add up what they cost.

    Numbers in lanes are of the type `REAL`, and so is all that machine code reads; costs are summed as float64.

    Args:
        start, stop: blocks, numbered from 0.
        code: addresses of the machine code, over lanes, of y, l, g and T, the number of constraints, and minus.
        x0: state (n,).
        rows: references of the stages (T+1, nr).
        plan: actions to vary (T, m).
        std: standard deviation of the noise (T, m).
        limits: lowest and highest action (2, m).
        price: cost of each unit of a deviation (T, m).
        settings: correlation of the noise from one step to the next, penalty of a violated constraint, and factors of
            the noise that the samples take in turn.
        basis: the noise over time as a mixture of white noise (T, k); with k = 0, it is a first-order process.
        kept: deviations of the first samples, in units of std (q, T m).
        key: see `normals`.
        pool: noise that was drawn before, see `fill`; empty to draw it now.
        nominal, steady, gains: states (T+1, n), actions (T, m) and gains (T, m, d) of the feedback of every second
            sample, see `follow`; no gains for none.
        dt: seconds a step (1,).
        p, c: parameters of dynamics and task.
        costs: cost of each sample, infinite where it is not finite (blocks, LANES).
        violations: largest value of the constraint along each sample, infinite where that or the cost is not finite
            (blocks, LANES).
        deviations: from the plan, as the limits left them (blocks, T m, LANES).
    """
    T, m, n, k = plan.shape[0], plan.shape[1], x0.shape[0], code[4]
    x = np.empty((n, LANES), REAL)
    out = np.empty((max(1, k), LANES), REAL)
    paid = np.empty((T, LANES), REAL)
    total = np.empty((1, LANES))
    worst = np.empty((1, LANES))
    e = np.empty((-(-T * m // 4) * 4, LANES), REAL)
    white = np.empty((-(-basis.shape[1] * m // 4) * 4, LANES), REAL)
    words = np.empty((4, LANES), WORDS)
    around = np.empty((n, LANES), REAL)
    dx = np.empty((gains.shape[2], LANES), REAL)
    follows = np.empty((1, LANES), REAL)
    for b in range(start, stop):
        draw_block(b, m, settings, basis, kept, key, pool, words, white, e)
        act(plan, std, limits, price, e, deviations[b], paid)
        for lane in range(LANES):
            total[0, lane] = 0.0
            worst[0, lane] = -math.inf
            for i in range(n):
                x[i, lane] = x0[i]
        choose(b, kept.shape[0] - 1, len(settings) - 2, follows)
        for t in range(T):
            if gains.shape[0] > 0:
                for i in range(n):
                    for lane in range(LANES):
                        around[i, lane] = nominal[t, i]
                call(code[5], x, around, dt, p, dx)
                follow(t, plan, steady, gains[t], limits, price, follows, dx, e, deviations[b], paid)
            u = e[t * m : (t + 1) * m]
            call(code[1], x, u, rows[t], c, out)
            for lane in range(LANES):
                total[0, lane] += out[0, lane] + paid[t, lane]
            call(code[0], x, u, dt, p, x)
            if k > 0:
                call(code[2], x, u, rows[t + 1], c, out)
                fine(k, settings[1], out, total, worst)
        call(code[3], x, e, rows[T], c, out)
        for lane in range(LANES):
            s = total[0, lane] + out[0, lane]
            costs[b, lane] = s if math.fabs(s) < math.inf else math.inf
            violations[b, lane] = worst[0, lane] if math.fabs(s) < math.inf else math.inf


@driver(of(f"void({NOISE}, f8[:,::1], R[:,:,::1])", "f8"), heap=True, nogil=True, fast=True)
def draw(
    plan: Any, std: Any, limits: Any, price: Any, settings: Any, basis: Any, kept: Any, key: Any, pool: Any, costs: Any,
    deviations: Any,
) -> None:  # fmt: skip
    """Draw the samples of all blocks; costs become the price of the deviations. For models that roll out alone."""
    T, m = plan.shape
    paid = np.empty((T, LANES))
    e = np.empty((-(-T * m // 4) * 4, LANES))
    white = np.empty((-(-basis.shape[1] * m // 4) * 4, LANES))
    words = np.empty((4, LANES), WORDS)
    for b in range(costs.shape[0]):
        draw_block(b, m, settings, basis, kept, key, pool, words, white, e)
        act(plan, std, limits, price, e, deviations[b], paid)
        for lane in range(LANES):
            costs[b, lane] = 0.0
        for t in range(T):
            for lane in range(LANES):
                costs[b, lane] += paid[t, lane]


@driver
def draw_block(
    b: int, m: int, settings: Any, basis: Any, kept: Any, key: Any, pool: Any, words: Any, white: Any, e: Any
) -> None:  # fmt: skip
    """The noise of a block, in units of its standard deviation; the first samples deviate as they are told."""
    scales = settings[2:]
    if pool.shape[0] > 0:
        for row in range(e.shape[0]):
            for lane in range(LANES):
                e[row, lane] = pool[b, row, lane]
    else:
        noise(b, m, settings[0], basis, key, words, white, e)
    if len(scales) > 1:
        for row in range(e.shape[0]):
            for lane in range(LANES):
                e[row, lane] *= scales[(b * LANES + lane) % len(scales)]
    for lane in range(min(kept.shape[0] - b * LANES, LANES)):
        for row in range(kept.shape[1]):
            e[row, lane] = kept[b * LANES + lane, row]


@driver
def noise(b: int, m: int, correlation: float, basis: Any, key: Any, words: Any, white: Any, e: Any) -> None:
    """The noise of a block."""
    if basis.shape[1] > 0:
        normals(key, b * LANES, words, white)
        mixed(basis, m, white, e)
    else:
        normals(key, b * LANES, words, e)
        if correlation > 0.0:
            coloured(correlation, m, e)


@driver(of(FILL, "f8"), heap=True, nogil=True)
def fill(m: int, correlation: float, basis: Any, key: Any, pool: Any) -> None:
    """The noise of all blocks (blocks, T m rounded up to a multiple of four, LANES)."""
    white = np.empty((-(-basis.shape[1] * m // 4) * 4, LANES), REAL)
    words = np.empty((4, LANES), WORDS)
    for b in range(pool.shape[0]):
        noise(b, m, correlation, basis, key, words, white, pool[b])


@driver(fast=True)
def act(plan: Any, std: Any, limits: Any, price: Any, e: Any, deviations: Any, paid: Any) -> None:
    """Turn the noise of a block into actions: plan + std e within the limits.

    `deviations` is what the limits left of it, and `paid` what that costs in each step.
    """
    m = plan.shape[1]
    for t in range(plan.shape[0]):
        for lane in range(LANES):
            paid[t, lane] = 0.0
        for j in range(m):
            mean = plan[t, j]
            scale = std[t, j]
            low = limits[0, j]
            high = limits[1, j]
            charge = price[t, j]
            row = t * m + j
            for lane in range(LANES):
                v = mean + scale * e[row, lane]
                v = low if v < low else v
                v = high if v > high else v
                e[row, lane] = v
                deviations[row, lane] = v - mean
                paid[t, lane] += charge * (v - mean)


@driver
def choose(b: int, first: int, scales: int, follows: Any) -> None:
    """Which samples of a block use feedback, as 0 or 1: sample `first`, the plan itself, and then every second round.

    A round is as many samples as there are scales, so that each scale has samples with and without feedback.
    """
    for lane in range(LANES):
        ahead = b * LANES + lane - first
        follows[0, lane] = 1.0 if ahead >= 0 and (ahead // scales) % 2 == 0 else 0.0


@driver(fast=True)
def follow(
    t: int, plan: Any, steady: Any, gains: Any, limits: Any, price: Any, follows: Any, dx: Any, e: Any,
    deviations: Any, paid: Any,
) -> None:  # fmt: skip
    """Move the actions of step t to a feedback law: ``clip(u + (steady - plan) + K dx)``, dx from the nominal state.

    What is not finite counts as zero: the mean of the samples contains all deviations, with a weight of zero or more.
    """
    m = plan.shape[1]
    for lane in range(LANES):
        paid[t, lane] = 0.0
    for j in range(m):
        mean = plan[t, j]
        low = limits[0, j]
        high = limits[1, j]
        charge = price[t, j]
        row = t * m + j
        moved = steady[t, j] - mean
        for lane in range(LANES):
            e[row, lane] += follows[0, lane] * moved
        for i in range(dx.shape[0]):
            gain = gains[j, i]
            for lane in range(LANES):
                push = gain * dx[i, lane]
                push = push if math.fabs(push) < math.inf else 0.0
                e[row, lane] += follows[0, lane] * push
        for lane in range(LANES):
            v = e[row, lane]
            v = low if v < low else v
            v = high if v > high else v
            e[row, lane] = v
            deviations[row, lane] = v - mean
            paid[t, lane] += charge * (v - mean)


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


@driver(of(MOMENTS, "f8"), nogil=True, fast=True)
def moments(weights: Any, deviations: Any, mean: Any, square: Any) -> None:
    """Weighted means of the deviations (T m,) and, where `square` has as many numbers, of their squares."""
    lanes = weights.shape[1]  # a sum over a constant number of lanes would be unrolled, and stay scalar
    for row in range(mean.shape[0]):
        mean[row] = 0.0
    for row in range(square.shape[0]):
        square[row] = 0.0
    for b in range(weights.shape[0]):
        for row in range(mean.shape[0]):
            moved = 0.0
            for lane in range(lanes):
                moved += weights[b, lane] * deviations[b, row, lane]
            mean[row] += moved
        for row in range(square.shape[0]):
            spread = 0.0
            for lane in range(lanes):
                spread += weights[b, lane] * deviations[b, row, lane] ** 2
            square[row] += spread


SINGLE = np.float32
noise_single = noise.entry("noise_single", normals=normals_single)
draw_block_single = draw_block.entry("draw_block_single", noise=noise_single)
roll_single = roll.entry("roll_single", of(ROLL, "f4"), REAL=SINGLE, WORDS=np.int32, draw_block=draw_block_single)
fill_single = fill.entry("fill_single", of(FILL, "f4"), REAL=SINGLE, WORDS=np.int32, noise=noise_single)
moments_single = moments.entry("moments_single", of(MOMENTS, "f4"), REAL=SINGLE)
