"""The points of a scan, divided into cells group by group, near the objects that are expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.arrays import Array
from .._clusters import Whole
from .._state import Scan
from ._expected import Expected
from ._groups import Cells, divided, grouped
from ._poisson import Poisson
from .partitions import Nearby, Partitions


@dataclass(frozen=True)
class Survey:
    """The cells of a scan, and the objects that are expected near them.

    Attributes:
        expected: of the objects.
        seen: P_D of each, 0 where it cannot be seen, ``(N,)``.
        group: of each object.
        cells: of all partitions.
        clutter: log-density of false points in each cell, ``(M,)``.
        limit: of the gate.
    """

    expected: Expected
    seen: Array
    group: Whole
    cells: Cells
    clutter: Array
    limit: float

    @property
    def pairs(self) -> tuple[Whole, Whole]:
        """Objects and the cells of their group in their gates."""
        near = (self.group[:, None] == self.cells.group) & (self.seen[:, None] > 0.0)
        rows, columns = np.nonzero(near & (self.expected.distances(self.cells.means) <= self.limit))
        return rows, columns


def surveyed(
    scan: Scan, expected: Expected, unseen: Expected, seen: Array, existence: Array, shown: Any, owner: Whole,
    births: Poisson, ways: Sequence[Partitions], limit: float,
) -> Survey:  # fmt: skip
    """The cells of a scan near objects.

    Args:
        scan: the scan.
        expected, unseen: what is expected of the objects, and of those never detected.
        seen, existence: P_D and existence of the objects.
        shown: places of those that partitions are told of.
        owner: cluster of each object; those of one cluster are of one group.
        births: those never detected.
        ways: partitions.
        limit: of the gate.
    """
    wide, distances = births.births, expected.distances(scan.z)
    near = (distances <= limit) & (seen[:, None] > 0.0)
    count = int(owner.max(initial=-1)) + 1
    reach = max(each.reach for each in ways)
    cluster, of_point = grouped(scan.z, reach, owner, near, count)
    group, clutter = cluster[owner], np.log(scan.detector.density(scan.z))
    r = np.clip(existence[shown] * seen[shown], 1e-9, 1.0)
    odds = np.concatenate([
        np.log(r / (1.0 - r + r * expected.empty[shown])), np.log(np.maximum(births.weights[:wide], 1e-300)),
    ])  # fmt: skip
    table = np.concatenate([expected.table[shown], unseen.table[:wide]])

    def nearby(g: int, points: Whole) -> Nearby:
        some = np.flatnonzero(group[shown] == g)
        rows = np.concatenate([some, len(shown) + np.arange(wide)])
        return Nearby(distances[shown[some]][:, points], limit, table[rows], odds[rows], clutter[points])

    total = int(max(group.max(initial=-1), of_point.max(initial=-1))) + 1
    cells = divided(scan.z, of_point, total, ways, nearby)
    return Survey(expected, seen, group, cells, cells.summed(clutter), limit)
