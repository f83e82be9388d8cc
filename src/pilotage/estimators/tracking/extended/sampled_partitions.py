"""Sampled partitions: associations of single points, found by likelihood and without clustering."""

from __future__ import annotations

import math

import numpy as np

from ....core.arrays import Array
from ....core.settings import Count, Natural, Positive, settings
from ....models.trace import driver
from .._clusters import Whole
from ._evidence import log_evidence
from .distance_partitions import linked
from .partitions import Nearby, Partitions
from .prediction_partitions import predicted

MOST = 2000
"""Steps for a group of points, at most."""

ACTION_POINT, ACTION_HALF, ACTION_CELL = 0, 1, 2
"""A point goes to another cell; or the half of its cell on its side; or the whole cell."""


@settings
class SampledPartitions(Partitions):
    """Stochastic optimisation: points and cells change place at random, in proportion to the likelihood.

    ::

        P(action)  ~  prod of L(W) over the cells after it        a point goes to another cell, or to one of its own
                                                                  a cell joins another one, or splits in two

    At each step a point is chosen, and one of the actions for it or for its cell is drawn. The likelihood is that of
    the filter: of expected objects, of new ones, and of false points. The likeliest partitions that were visited are
    kept. It needs no distances, and finds what no clustering does, such as objects that touch.

    Source: Granstrom, Svensson, Reuter, Xia and Fatemi, "Likelihood-based data association for extended object
    tracking using sampling methods", IEEE Trans. Intelligent Vehicles 3, 2018, section V.

    Args:
        steps: number of steps for each point; 2000 in all, at most.
        keep: number of partitions that are kept.
        distance: of the partition to begin with [m].
        seed: of the random numbers; each group of points has the same ones.

    Example:
        >>> SampledPartitions(steps=20).keep
        5
    """

    steps: Count = 20
    keep: Count = 5
    distance: Positive = 1.0
    seed: Natural = 0

    @property
    def reach(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.distance

    def divide(self, z: Array, nearby: Nearby) -> list[Whole]:
        points, objects = len(z), len(nearby.distances)
        start = linked(z, (self.distance,))[0] + objects
        if objects:
            first = predicted(z, nearby, self.distance)
            start = np.where(first < objects, first, start)
            for slot in np.unique(start[start >= objects]):  # a cell is called by its first point
                start[start == slot] = objects + int(np.argmax(start == slot))
        steps = min(self.steps * points, MOST)
        visited, scores = np.empty((steps + 1, points), np.int64), np.empty(steps + 1)
        uniform = np.random.default_rng(self.seed).random((steps, 3))
        slots = objects + points
        origin, table = z[0].copy(), nearby.table.copy()  # sums of squares of map coordinates lose what is small
        table[:, 6:8] -= origin
        wander.compiled(
            z - origin, table, nearby.odds, nearby.clutter, objects, start.astype(np.int64),
            uniform, np.zeros((slots, 6)), np.zeros(slots), np.empty((4, 6)), np.empty(3), np.empty(2 * slots + 2),
            visited, scores,
        )  # fmt: skip
        order = np.argsort(-scores, kind="stable")
        _, once = np.unique(visited[order], axis=0, return_index=True)
        return list(visited[order[np.sort(once)[: self.keep]]])


@driver(
    "void(f8[:,::1], f8[:,::1], f8[::1], f8[::1], i8, i8[::1], f8[:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[::1], "
    "f8[::1], i8[:,::1], f8[::1])"
)
def wander(z, table, odds, clutter, objects, labels, uniform, sums, score, cells, V, weights, visited, scores):
    """`SampledPartitions.divide`: the partitions of all steps, and their log-likelihoods.

    Slots are the expected objects, and behind them a new cell for each point, called by one of them.

    Args:
        sums, score: count, sums and sums of squares of each slot, and its log-likelihood; 0 at first.
        cells, V, weights: room.
    """
    points, slots = z.shape[0], score.shape[0]
    for j in range(points):
        moved(sums[labels[j]], z, j, 1.0)
    total = 0.0
    for s in range(slots):
        score[s] = likelihood(s, sums[s], table, odds, clutter, objects, cells[3], V)
        total += score[s]
    for step in range(uniform.shape[0] + 1):
        named(labels, weights[:slots], visited[step])
        scores[step] = total
        if step == uniform.shape[0]:
            break
        j = min(int(uniform[step, 0] * points), points - 1)
        own, action = labels[j], ACTION_CELL if uniform[step, 1] < 0.15 else ACTION_POINT
        if 0.15 <= uniform[step, 1] < 0.3:
            action = ACTION_HALF
        piece, rest = cells[0], cells[1]
        for a in range(6):
            piece[a] = 0.0
        for i in range(points):
            if labels[i] == own and goes(z, i, j, sums[own], action):
                moved(piece, z, i, 1.0)
        for a in range(6):
            rest[a] = sums[own, a] - piece[a]
        left, before = likelihood(own, rest, table, odds, clutter, objects, cells[3], V), score[own]
        empty = objects
        while empty < slots and sums[empty, 0] > 0.5:
            empty += 1
        for s in range(slots):
            weights[s] = before if s == own else -math.inf
            if s != own and (s < objects or sums[s, 0] > 0.5 or s == empty):
                for a in range(6):
                    cells[2, a] = sums[s, a] + piece[a]
                weights[slots + s] = likelihood(s, cells[2], table, odds, clutter, objects, cells[3], V)
                weights[s] = left + weights[slots + s] - score[s]
        chosen = drawn(weights[:slots], uniform[step, 2])
        if chosen == own:
            continue
        total += weights[chosen] - before
        score[own], score[chosen] = left, weights[slots + chosen]
        for i in range(points):
            if labels[i] == own and goes(z, i, j, sums[own], action):
                labels[i] = chosen
        for a in range(6):
            sums[own, a], sums[chosen, a] = rest[a], sums[chosen, a] + piece[a]


@driver
def named(labels, firsts, names):
    """The cells, each named by its first point, so that the same ones have the same names; `firsts` is room."""
    for s in range(firsts.shape[0]):
        firsts[s] = -1.0
    for j in range(labels.shape[0]):
        if firsts[labels[j]] < 0.0:
            firsts[labels[j]] = j
        names[j] = int(firsts[labels[j]])


@driver
def goes(z, i, j, sums, action):
    """Whether point i of a cell goes with point j: all, those of the same half along the longer axis, or j alone."""
    if i == j or action == ACTION_CELL:
        return True
    return action == ACTION_HALF and (along(z, i, sums) > 0.0) == (along(z, j, sums) > 0.0)


@driver
def drawn(weights, uniform):
    """One of several, in proportion to the exponentials of their weights."""
    best, mass, last = -math.inf, 0.0, 0
    for s in range(weights.shape[0]):
        best = max(best, weights[s])
    for s in range(weights.shape[0]):
        mass += math.exp(weights[s] - best)
    level = uniform * mass
    for s in range(weights.shape[0]):
        if weights[s] > -math.inf:
            last = s
            level -= math.exp(weights[s] - best)
            if level <= 0.0:
                break
    return last


@driver
def moved(sums, z, j, sign):
    """Sums with a point more."""
    x, y = z[j, 0], z[j, 1]
    sums[0] += sign
    sums[1] += sign * x
    sums[2] += sign * y
    sums[3] += sign * x * x
    sums[4] += sign * x * y
    sums[5] += sign * y * y


@driver
def along(z, i, sums):
    """The place of a point along the longer axis of its cell, from the middle."""
    n = sums[0]
    mx, my = sums[1] / n, sums[2] / n
    xx, xy, yy = sums[3] / n - mx * mx, sums[4] / n - mx * my, sums[5] / n - my * my
    angle = 0.5 * math.atan2(2.0 * xy, xx - yy)
    return math.cos(angle) * (z[i, 0] - mx) + math.sin(angle) * (z[i, 1] - my)


@driver
def likelihood(slot, sums, table, odds, clutter, objects, cell, V):
    """Log-likelihood of the cell of a slot; that of no points is 0."""
    n = sums[0]
    if n < 0.5:
        return 0.0
    cell[0], cell[1], cell[2] = n, sums[1] / n, sums[2] / n
    cell[3] = max(sums[3] - n * cell[1] * cell[1], 0.0)
    cell[4] = sums[4] - n * cell[1] * cell[2]
    cell[5] = max(sums[5] - n * cell[2] * cell[2], 0.0)
    if slot < objects:
        return odds[slot] + log_evidence(table[slot], cell, V)
    top = clutter[0] if n < 1.5 else -math.inf
    mass = 1.0 if n < 1.5 else 0.0
    for b in range(objects, table.shape[0]):
        log = odds[b] + log_evidence(table[b], cell, V)
        if log > top:
            mass = mass * math.exp(top - log) + 1.0 if mass > 0.0 else 1.0
            top = log
        else:
            mass += math.exp(log - top)
    return top + math.log(mass) if mass > 0.0 else -1e300
