"""Partitions of points, against their definitions and against the likelihood of all partitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from pilotage.core import Gaussian, SettingError, ShapeError
from pilotage.estimators.tracking.extended import (
    DistancePartitions,
    Ellipse,
    Nearby,
    PredictionPartitions,
    SampledPartitions,
    thinned,
)
from pilotage.estimators.tracking.extended._groups import grouped

from .oracle import CAR, Single

NONE = Nearby(np.zeros((0, 0)), 9.0, np.zeros((0, 19)), np.zeros(0), np.zeros(0))


def cells(labels: Any) -> frozenset[frozenset[int]]:
    """The cells of a partition, as sets of points."""
    return frozenset(frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels))


def all_partitions(n: int) -> Iterator[list[int]]:
    """The labels of all partitions of n points."""
    ways = [[0]]
    for _ in range(n - 1):
        ways = [[*way, k] for way in ways for k in range(max(way) + 2)]
    yield from ways


@pytest.mark.parametrize("seed", range(3))
def test_distance_partitions_are_those_of_single_linkage(seed: int) -> None:
    z = np.random.default_rng(seed).uniform(0.0, 6.0, (40, 2))
    distances = (0.3, 0.8, 1.2)
    for labels, d in zip(DistancePartitions(distances).divide(z, NONE), distances, strict=True):
        assert cells(labels) == cells(fcluster(linkage(z, "single"), d, "distance"))


@pytest.mark.parametrize("seed", range(3))
def test_with_least_it_is_dbscan(seed: int) -> None:
    """Cores are linked, others are of the nearest core within the distance, and what is left is alone."""
    z, d, least = np.random.default_rng(seed).uniform(0.0, 6.0, (60, 2)), 0.7, 4
    (labels,) = DistancePartitions((d,), least=least).divide(z, NONE)
    far = np.linalg.norm(z[:, None] - z, axis=-1)
    core = (far <= d).sum(0) >= least
    linked = fcluster(linkage(z[core], "single"), d, "distance")
    assert cells(labels[core]) == cells(linked)
    noise = 0
    for i in np.flatnonzero(~core):
        near = np.flatnonzero(core & (far[i] <= d))
        if len(near):
            assert labels[i] == labels[near[far[i, near].argmin()]]
        else:
            assert (labels == labels[i]).sum() == 1
            noise += 1
    assert 0 < noise < (~core).sum()


def test_predictions_tell_objects_apart_that_touch() -> None:
    z = np.stack([np.linspace(-2.0, 2.0, 9), np.zeros(9)], -1)
    distances = np.square(z[:, 0] - np.array([[-1.0], [1.1]]))
    labels = PredictionPartitions().divide(z, Nearby(distances, 4.0, np.zeros((2, 19)), np.zeros(2), np.zeros(9)))[0]
    np.testing.assert_array_equal(labels, (z[:, 0] > 0.05).astype(int))


def test_without_predictions_points_are_linked_by_distance() -> None:
    z = np.array([[0.0, 0.0], [0.9, 0.0], [2.5, 0.0]])
    assert [each.tolist() for each in PredictionPartitions(1.0).divide(z, NONE)] == [[0, 0, 2]]


def test_distances_are_not_empty() -> None:
    with pytest.raises(SettingError, match="distances"):
        DistancePartitions(())


class Likelihood:
    """The log-likelihood of partitions under new objects and false points, from that of each set of points."""

    def __init__(self, one: Single, z: Any, born: float, clutter: float) -> None:
        sets = [frozenset(c) for n in range(1, len(z) + 1) for c in itertools.combinations(range(len(z)), n)]
        logs = np.log(born) + one.logs([z[sorted(each)] for each in sets])
        self.of = dict(zip(sets, logs, strict=True))
        for each in sets[: len(z)]:
            self.of[each] = np.logaddexp(self.of[each], np.log(clutter))

    def __call__(self, labels: Any) -> float:
        return float(sum(self.of[each] for each in cells(np.asarray(labels))))


@pytest.mark.parametrize("seed", range(3))
def test_sampling_finds_the_likeliest_of_all_partitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    extent = Ellipse(2.0, 1.0, certainty=30.0, rate=3.0, rate_std=1.5)
    one = Single(extent, Gaussian.of(CAR.state, std=6.0), 0.1)
    z = np.concatenate([rng.normal(size=(3, 2)) * 0.4, rng.normal(size=(3, 2)) * 0.4 + [1.6, 0.0], [[6.0, 5.0]]])
    born, clutter = 0.5, 1e-2
    table = one.expected.table
    near = Nearby(np.zeros((0, 7)), 9.0, table, np.log([born]), np.full(7, np.log(clutter)))
    likelihood = Likelihood(one, z, born, clutter)
    best = max(all_partitions(7), key=likelihood)
    found = SampledPartitions(steps=40, keep=3).divide(z, near)
    assert cells(found[0]) == cells(np.array(best))
    logs = [likelihood(labels) for labels in found]
    assert logs == sorted(logs, reverse=True)
    assert len({cells(labels) for labels in found}) == 3


def test_sampling_gives_points_to_the_objects_that_are_expected() -> None:
    """Two objects side by side, whose points no distance divides."""
    rng = np.random.default_rng(1)
    extent = Ellipse(2.0, 2.0, certainty=50.0, rate=8.0, rate_std=3.0)
    places = [[0.0, 0.0], [0.0, 1.9]]
    rows = [Single(extent, Gaussian.of(CAR.state, [*at, 0.0, 0.0], std=0.2), 0.05) for at in places]
    born = Single(extent, Gaussian.of(CAR.state, std=20.0), 0.05)
    true = np.repeat([0, 1], 10)
    z = np.array(places)[true] + rng.uniform(-0.85, 0.85, (20, 2))
    table = np.concatenate([each.expected.table for each in (*rows, born)])
    d = np.concatenate([each.expected.distances(z) for each in rows])
    near = Nearby(d, 14.0, table, np.array([3.0, 3.0, -7.0]), np.full(20, -6.0))
    assert len(set(DistancePartitions((1.0,)).divide(z, near)[0].tolist())) == 1
    assert cells(SampledPartitions(steps=20).divide(z, near)[0]) == cells(true)


def test_groups_are_of_points_that_are_near_or_expected_together() -> None:
    z = np.array([[0.0, 0.0], [1.0, 0.0], [8.0, 0.0], [20.0, 0.0]])
    near = np.array([[False, True, True, False], [False, False, False, False]])
    group, points = grouped(z, 1.5, np.array([0, 1]), near, 2)
    assert points[0] == points[1] == points[2] == group[0]
    assert len({points[0], points[3], group[1]}) == 3


def test_thinned_points() -> None:
    z = np.random.default_rng(0).uniform(-3.0, 3.0, (500, 2))
    found = thinned(z, 1.0)
    assert len(found) == 36
    inside = (np.floor(z) == [-1.0, 2.0]).all(1)
    assert np.abs(found - z[inside].mean(0)).sum(1).min() < 1e-12
    assert thinned(np.zeros((0, 2)), 1.0).shape == (0, 2)
    with pytest.raises(ShapeError, match="3"):
        thinned(np.zeros((4, 3)), 1.0)
