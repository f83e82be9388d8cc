"""The hypotheses that follow from others in a scan, in compiled code."""

from __future__ import annotations

import numpy as np

from ...core.arrays import Array
from ...models.trace import driver
from ._assignment import murty
from ._clusters import Whole


def followed(
    leaves: Whole,
    logs: Array,
    shares: Whole,
    starts: Whole,
    columns: Whole,
    costs: Array,
    missed: Array,
    local: Whole,
    new: Whole,
    busy: int,
) -> tuple[Array, Whole]:
    """Log-weights and leaves of the likeliest hypotheses that follow from each of a cluster, ``(F,), (F, T + D)``.

    Args:
        leaves, logs: of the hypotheses before, ``(H, T)`` and ``(H,)``; see `Cluster`.
        shares: how many follow from each, at most.
        starts: where the pairs of each leaf begin.
        columns: detection of each pair.
        costs: of each pair.
        missed: log-weight of each leaf that is missed.
        local: place of each detection among the D of the cluster.
        new: the leaf that begins at each of these, -1 for none.
        busy: pairs of a hypothesis, at most.
    """
    width, detections, most = leaves.shape[1], len(new), int(shares.max())
    total, nodes = int(shares.sum()), 2 + most * width
    after, table = np.empty(total), np.empty((total, width + detections), np.int64)
    found = follow.compiled(
        np.ascontiguousarray(leaves), logs, shares, starts, np.ascontiguousarray(columns), costs, missed, local, new,
        np.empty((2, detections)), np.empty((4, detections), np.int64), np.empty(2 * (busy + width)), np.empty(nodes),
        np.empty(nodes * width, np.int64), np.empty(nodes * (busy + width), np.bool_), np.empty(nodes, np.int64),
        np.empty((4, busy + width + 1), np.int64), np.empty(busy), np.empty(most), np.empty(most * width, np.int64),
        after, table,
    )  # fmt: skip
    return after[:found], table[:found]


@driver("i8(i8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1])")
def survey(leaves, starts, columns, local, named, busy, ways):
    """The detections of a cluster, in order, and the place of each among them; how many there are.

    Args:
        leaves, starts, columns: as for `followed`.
        local, named: the places ``(K,)``, -1 where a detection has none, and the detections, the first of ``(K,)``.
        busy, ways: of each hypothesis, its pairs, and in how many ways its leaves may go on, conflicts included.
    """
    for h in range(leaves.shape[0]):
        busy[h], ways[h] = 0, 1.0
        for i in range(leaves.shape[1]):
            leaf = leaves[h, i]
            if leaf >= 0:
                for p in range(starts[leaf], starts[leaf + 1]):
                    local[columns[p]] = 0
                busy[h] += starts[leaf + 1] - starts[leaf]
                ways[h] *= 1 + starts[leaf + 1] - starts[leaf]
    count = 0
    for j in range(local.shape[0]):
        if local[j] == 0:
            named[count], local[j] = j, count
            count += 1
    return count


@driver(
    "i8(i8[:,::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i8[::1], i8[::1], f8[:,::1], i8[:,::1], "
    "f8[::1], f8[::1], i8[::1], b1[::1], i8[::1], i8[:,::1], f8[::1], f8[::1], i8[::1], f8[::1], i8[:,::1])"
)
def follow(
    leaves, logs, shares, starts, columns, costs, missed, local, new, room, whole, given, values, plans, barred, fixed,
    lists, own, totals, chosen, after, table,
):  # fmt: skip
    """`followed`; the arguments behind `new` are room, and the last two the results, of which it tells how many."""
    width, detections, first, count = leaves.shape[1], new.shape[0], missed.shape[0], 0
    here, bounds, places, mine = lists[0], lists[1], lists[2], lists[3]
    for h in range(leaves.shape[0]):
        n, pairs, base = 0, 0, logs[h]
        bounds[0] = 0
        for i in range(width):
            leaf = leaves[h, i]
            if leaf < 0:
                continue
            base += missed[leaf]
            for p in range(starts[leaf], starts[leaf + 1]):
                places[pairs], mine[pairs], own[pairs] = p, local[columns[p]], costs[p]
                pairs += 1
            here[n] = i
            n += 1
            bounds[n] = pairs
        found, nodes = 1, 2 + shares[h] * n
        plan = chosen[: shares[h] * n].reshape((shares[h], n))
        if pairs == 0:
            totals[0] = 0.0
            for i in range(n):
                plan[0, i] = -1
        else:
            both = pairs + n
            found = murty(
                bounds[: n + 1], mine[:pairs], own[:pairs], room, whole, given[: 2 * both].reshape((2, both)),
                values[:nodes], plans[: nodes * n].reshape((nodes, n)), barred[: nodes * both].reshape((nodes, both)),
                fixed[:nodes], totals[: shares[h]], plan,
            )  # fmt: skip
        for f in range(found):
            for i in range(width):
                table[count, i] = -1
            for j in range(detections):
                table[count, width + j] = new[j]
            for i in range(n):
                p = plan[f, i]
                table[count, here[i]] = leaves[h, here[i]] if p < 0 else first + places[p]
                if p >= 0:
                    table[count, width + mine[p]] = -1
            after[count] = base - totals[f]
            count += 1
    return count
