"""The drivers of MPPI: noisy rollouts, weighed by their cost. Written once, for compiled models and for any other.

Samples are rolled out in blocks of `LANES` side by side, in arrays of a block's own, which is what becomes SIMD.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..models.binding.lane_math import lane_exp
from ..models.binding.slots import LANES, NU, NX, stage_cost_lanes, step_lanes, terminal_cost_lanes
from .noise import coloured, normals


def sample_blocks(
    start: int, stop: int, x0: Any, plan: Any, stages: Any, limits: Any, price: Any, dt: float, correlation: float,
    key: Any, p: Any, c: Any, costs: Any, deviations: Any,
) -> None:  # fmt: skip
    """Roll out the samples of the blocks from `start` up to `stop`.

    Args:
        start, stop: blocks, numbered from 0.
        x0: state, (NX,).
        plan: actions to vary, (T, NU).
        stages: references of the stages, (T+1, NR).
        limits: standard deviation of the noise, lowest and highest action, (3, NU).
        price: cost of a deviation, per unit of it, (T, NU).
        dt: seconds a step.
        correlation: of the noise from one step to the next.
        key: see `normals`.
        p, c: parameters of dynamics and task.
        costs: cost of each sample, infinite where it is not finite, (blocks, LANES).
        deviations: from the plan, as the limits left them, (blocks, T NU rounded up to a multiple of four, LANES).
    """
    for b in range(start, stop):
        sample_block(b, x0, plan, stages, limits, price, dt, correlation, key, p, c, costs, deviations)


def sample_block(
    b: int, x0: Any, plan: Any, stages: Any, limits: Any, price: Any, dt: float, correlation: float,
    key: Any, p: Any, c: Any, costs: Any, deviations: Any,
) -> None:  # fmt: skip
    """Block `b`: draw deviations from the plan, roll them out from x0, add up what they cost."""
    x = np.empty((NX, LANES))
    u = np.empty((NU, LANES))
    stage = np.empty((1, LANES))
    total = np.zeros((1, LANES))
    e = np.empty((deviations.shape[1], LANES))
    normals(key, b * LANES, e)
    if correlation > 0.0:
        coloured(correlation, NU, e)
    spare_first(b, e)
    start_lanes(x0, x)
    for t in range(plan.shape[0]):
        act_lanes(t, plan, limits, price, e, u, total)
        stage_cost_lanes(x, u, stages[t], c, stage)
        add_lanes(stage, total)
        step_lanes(x, u, dt, p, x)
    terminal_cost_lanes(x, stages[plan.shape[0]], c, stage)
    add_lanes(stage, total)
    hand_over(b, total, e, costs, deviations)


def spare_first(b: int, e: Any) -> None:
    """The very first sample is the plan as it is."""
    if b == 0:
        for row in range(e.shape[0]):
            e[row, 0] = 0.0


def start_lanes(x0: Any, x: Any) -> None:
    """All lanes start in x0."""
    for i in range(NX):
        for lane in range(LANES):
            x[i, lane] = x0[i]


def act_lanes(t: int, plan: Any, limits: Any, price: Any, e: Any, u: Any, total: Any) -> None:
    """u = plan + std e within the limits; e becomes what the limits left of the deviation, and is charged for."""
    for j in range(NU):
        mean = plan[t, j]
        std = limits[0, j]
        low = limits[1, j]
        high = limits[2, j]
        charge = price[t, j]
        row = t * NU + j
        for lane in range(LANES):
            v = mean + std * e[row, lane]
            v = low if v < low else v
            v = high if v > high else v
            u[j, lane] = v
            e[row, lane] = v - mean
            total[0, lane] += charge * (v - mean)


def add_lanes(stage: Any, total: Any) -> None:
    """total += stage."""
    for lane in range(LANES):
        total[0, lane] += stage[0, lane]


def hand_over(b: int, total: Any, e: Any, costs: Any, deviations: Any) -> None:
    """Put the results of a block where those of all blocks are."""
    for lane in range(LANES):
        s = total[0, lane]
        costs[b, lane] = s if math.fabs(s) < math.inf else math.inf
    for row in range(e.shape[0]):
        for lane in range(LANES):
            deviations[b, row, lane] = e[row, lane]


def improve(
    plan: Any, limits: Any, temperature: float, share: float, samples: int, costs: Any, deviations: Any, weights: Any
) -> float:
    """Move `plan` by the mean deviation, weighted with ``exp(-cost / temperature)``; returns the temperature.

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
        return lowest
    if temperature == 0.0:
        temperature = chosen_temperature(lowest, share * samples, costs, weights)
    total, _ = weigh(lowest, temperature, costs, weights)
    mean = np.zeros(deviations.shape[1])
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            weights[b, lane] /= total
        for row in range(deviations.shape[1]):
            moved = 0.0
            for lane in range(LANES):
                moved += weights[b, lane] * deviations[b, row, lane]
            mean[row] += moved
    for t in range(plan.shape[0]):
        for j in range(NU):
            plan[t, j] = min(max(plan[t, j] + mean[t * NU + j], limits[1, j]), limits[2, j])
    return temperature


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
