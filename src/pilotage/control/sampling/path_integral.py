"""The weights of path integral control: ``exp(-cost / temperature)``."""

from __future__ import annotations

import math
from typing import Any

from ...models.trace import LANES, driver
from ._lane_math import lane_exp


@driver("UniTuple(f8, 2)(f8, f8, f8[:,::1], f8[:,::1])", nogil=True, fast=True)
def weigh(temperature: float, wanted: float, costs: Any, weights: Any) -> Any:
    """Weights (blocks, LANES) of samples by their costs, of sum 1; returns temperature and mean cost.

    A temperature of 0 is chosen so that the effective number of samples is `wanted`. Both are infinite when no sample
    has a finite cost.
    """
    lowest = math.inf
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            lowest = costs[b, lane] if costs[b, lane] < lowest else lowest
    if lowest == math.inf:
        return lowest, lowest
    if temperature == 0.0:
        temperature = chosen_temperature(lowest, wanted, costs, weights)
    total, _ = relative(lowest, temperature, costs, weights)
    cost = 0.0
    for b in range(costs.shape[0]):
        for lane in range(LANES):
            w = weights[b, lane] / total
            weights[b, lane] = w
            cost += w * costs[b, lane] if w > 0.0 else 0.0
    return temperature, cost


@driver(fast=True)
def relative(lowest: float, temperature: float, costs: Any, weights: Any) -> Any:
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
        total, squares = relative(lowest, middle * scale, costs, weights)
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
