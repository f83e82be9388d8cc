"""Simulated traffic over time, in which an IDM driver drives the own car."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ....core.arrays import Array
from ....envs.traffic import IDMDriver, ReactiveTraffic


def simulated(traffic: ReactiveTraffic, seeds: Iterable[int], ticks: int) -> Iterator[tuple[int, Array]]:
    """The seeds, each with the states ``(ticks + 1, n)`` of its simulation."""
    driver = IDMDriver(traffic.road)
    for seed in seeds:
        x, target = traffic.start(seed), None
        xs = [x]
        for _ in range(ticks):
            u, target = driver(x, target)
            x = traffic.step(x, u, 0.1)
            xs.append(x)
        yield seed, np.stack(xs)
