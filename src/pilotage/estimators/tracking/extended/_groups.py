"""Groups of points and tracks that have nothing to do with others, and the cells of their partitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.arrays import Array
from ....core.errors import ModelError
from .._clusters import Whole, clusters
from ._evidence import CELL
from .partitions import Nearby, Partitions


@dataclass(frozen=True)
class Cells:
    """The cells of all partitions of a scan, each once.

    Attributes:
        table: count, mean and scatter of each, ``(M, 6)``.
        members: the points of each.
        first: the first of its points, ``(M,)``.
        group: ``(M,)``.
        partitions: of each group, the cells of each partition.
    """

    table: Array
    members: list[Whole]
    first: Whole
    group: Whole
    partitions: list[list[Whole]]

    @property
    def counts(self) -> Array:
        """Number of points of each, ``(M,)``."""
        return self.table[:, 0]

    @property
    def means(self) -> Array:
        """Means of each, ``(M, 2)``."""
        return self.table[:, 1:3]

    def summed(self, values: Array) -> Array:
        """The sum of values of points over each cell, ``(M,)``."""
        if not len(self.first):
            return np.zeros(0)
        starts = np.cumsum([0, *(len(each) for each in self.members[:-1])])
        return np.add.reduceat(values[np.concatenate(self.members)], starts)


def grouped(z: Array, reach: float, owners: Whole, near: Any, count: int) -> tuple[Whole, Whole]:
    """The group of each cluster of tracks ``(count,)``, and of each point ``(K,)``.

    Points within `reach` are of one group, and so are a point and a cluster of which a track is near it.

    Args:
        z: points ``(K, 2)``.
        reach: [m].
        owners: the cluster of each track, ``(L,)``.
        near: whether each point is near each track, ``(L, K)``.
        count: number of clusters.
    """
    points = len(z)
    dx, dy = z[:, :1] - z[:, 0], z[:, 1:] - z[:, 1]
    i, j = np.nonzero(dx * dx + dy * dy <= reach**2)
    leaf, point = np.nonzero(near)
    rows = np.concatenate([count + i, owners[leaf], count + np.arange(points)]).astype(np.int64)
    columns = np.concatenate([j, point, np.arange(points)]).astype(np.int64)
    order, starts = clusters(rows, columns, count + points, points)
    label = np.empty(count + points, np.int64)
    label[order] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return label[:count], label[count:]


def divided(z: Array, group: Whole, count: int, ways: Sequence[Partitions], nearby: Any) -> Cells:
    """The cells of all partitions of each group.

    Args:
        z: points ``(K, 2)``.
        group: of each point.
        count: number of groups.
        ways: how points are divided.
        nearby: gives the `Nearby` of the points of a group.
    """
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(count + 1))
    members, owner, partitions = list[Whole](), list[int](), list[list[Whole]]()
    for g in range(count):
        points = order[bounds[g] : bounds[g + 1]]
        cells, found = dict[bytes, int](), dict[bytes, Whole]()
        if len(points) == 1:
            found[b""] = np.array([len(members)])
            members.append(points)
            owner.append(g)
        elif len(points):
            around = nearby(g, points)
            given = (labels for way in ways for labels in labelled(way, z[points], around))
            for labels in {each.tobytes(): each for each in given}.values():
                one = cells_of(labels, points, cells, members)
                found[one.tobytes()] = one
            if not found:
                raise ModelError(
                    f"partitions gave none for {len(points)} points; expected one at least, such as DistancePartitions"
                )
            owner += [g] * (len(members) - len(owner))
        partitions.append(list(found.values()))
    table = tabled(z, members)
    first = np.array([each[0] for each in members], np.int64)
    return Cells(table, members, first, np.array(owner, np.int64), partitions)


def labelled(way: Partitions, z: Array, nearby: Nearby) -> Iterator[Whole]:
    """The labels of each partition of points, if there is one for every point."""
    for given in way.divide(z, nearby):
        labels = np.asarray(given, np.int64)
        if labels.shape != (len(z),):
            raise ModelError(
                f"divide of {type(way).__name__} gave labels of shape {labels.shape} for {len(z)} points; expected a "
                "list of partitions, each with one label for each point"
            )
        yield labels


def tabled(z: Array, members: list[Whole]) -> Array:
    """Count, mean and scatter of cells of points, ``(M, 6)``."""
    if not members:
        return np.zeros((0, CELL))
    counts = np.array([len(each) for each in members])
    points, starts = z[np.concatenate(members)], np.cumsum(counts) - counts
    mean = np.add.reduceat(points, starts) / counts[:, None]
    d = points - np.repeat(mean, counts, axis=0)
    scatter = np.stack([d[:, 0] * d[:, 0], d[:, 0] * d[:, 1], d[:, 1] * d[:, 1]], -1)
    return np.concatenate([counts[:, None], mean, np.add.reduceat(scatter, starts)], -1)


def cells_of(labels: Whole, points: Whole, cells: dict[bytes, int], members: list[Whole]) -> Whole:
    """The cells of a partition in order, by their numbers; new ones are added to the members."""
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    numbers = []
    for each in np.split(points[order], cuts):
        key = each.tobytes()
        if key not in cells:
            cells[key] = len(members)
            members.append(each)
        numbers.append(cells[key])
    return np.sort(np.array(numbers, np.int64))
