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
        wander.compiled(
            np.ascontiguousarray(z), nearby.table, nearby.odds, nearby.clutter, objects, start.astype(np.int64),
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
        for s in range(slots):
            weights[s] = -1.0
        for j in range(points):  # cells are named by their first point, so that the same ones have the same names
            if weights[labels[j]] < 0.0:
                weights[labels[j]] = j
            visited[step, j] = int(weights[labels[j]])
        scores[step] = total
        if step == uniform.shape[0]:
            break
        j = min(int(uniform[step, 0] * points), points - 1)
        whole = uniform[step, 1] < 0.3
        own = labels[j]
        piece, rest = cells[0], cells[1]
        for a in range(6):
            piece[a] = 0.0
        if whole and uniform[step, 1] < 0.15:  # the whole cell
            for a in range(6):
                piece[a] = sums[own, a]
        elif whole:  # the half of it that is on the side of the point
            half(z, labels, own, j, sums[own], piece)
        else:
            moved(piece, z, j, 1.0)
        for a in range(6):
            rest[a] = sums[own, a] - piece[a]
        left, before = likelihood(own, rest, table, odds, clutter, objects, cells[3], V), score[own]
        empty = objects
        while empty < slots and sums[empty, 0] > 0.5:
            empty += 1
        best = -math.inf
        for s in range(slots):
            weights[s] = -math.inf
            if s == own:
                weights[s] = before
            elif s < objects or sums[s, 0] > 0.5 or s == empty:
                for a in range(6):
                    cells[2, a] = sums[s, a] + piece[a]
                weights[slots + s] = likelihood(s, cells[2], table, odds, clutter, objects, cells[3], V)
                weights[s] = left + weights[slots + s] - score[s]
            best = max(best, weights[s])
        mass = 0.0
        for s in range(slots):
            mass += math.exp(weights[s] - best)
        level, chosen = uniform[step, 2] * mass, own
        for s in range(slots):
            level -= math.exp(weights[s] - best)
            if level <= 0.0:
                chosen = s
                break
        if chosen == own:
            continue
        total += weights[chosen] - before
        score[own], score[chosen] = left, weights[slots + chosen]
        side, every = side_of(z, j, sums[own]), uniform[step, 1] < 0.15
        for i in range(points):
            if labels[i] == own and (i == j or every or (whole and side * along(z, i, sums[own]) > 0.0)):
                labels[i] = -1 - chosen  # below 0, so that the loop does not meet it again
        for i in range(points):
            if labels[i] < 0:
                labels[i] = -1 - labels[i]
        for a in range(6):
            sums[own, a], sums[chosen, a] = rest[a], sums[chosen, a] + piece[a]


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
def side_of(z, j, sums):
    """The side of a point in its cell, 1 or -1."""
    return 1.0 if along(z, j, sums) > 0.0 else -1.0


@driver
def half(z, labels, own, j, sums, piece):
    """Sums of the half of a cell on the side of a point, the point included."""
    side = side_of(z, j, sums)
    for i in range(z.shape[0]):
        if labels[i] == own and (i == j or side * along(z, i, sums) > 0.0):
            moved(piece, z, i, 1.0)


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
