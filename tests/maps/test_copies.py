"""Copies of maps that change: neither sees what happens to the other."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.maps import ElevationMap, OccupancyMap, OcTree


def seen_in_plane(each: OccupancyMap) -> None:
    each.insert([0.0, 0.0, 0.0], [1.0], [0.0], max_range=5.0)


def seen_in_space(each: OcTree) -> None:
    each.insert_point_cloud(np.random.default_rng(each.size).uniform(-3.0, 3.0, (50, 3)), [0.0, 0.0, 0.0])


def seen_from_above(each: ElevationMap) -> None:
    each.insert([[0.5, 0.5, 2.0], [1.5, 0.5, 3.0]], 0.1)


MAPS: dict[str, tuple[Callable[[], Any], Callable[[Any], None], Callable[[Any], Any]]] = {
    "OccupancyMap": (lambda: OccupancyMap(0.1), seen_in_plane, lambda each: each.log_odds),
    "OcTree": (lambda: OcTree(0.1), seen_in_space, lambda each: each.boxes().log_odds),
    "ElevationMap": (lambda: ElevationMap((2, 3), 1.0), seen_from_above, lambda each: each.variance),
}


@pytest.mark.parametrize("made", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize("name", MAPS)
def test_a_copy_changes_on_its_own(name: str, made: Callable[[Any], Any]) -> None:
    new, see, cells = MAPS[name]
    first = new()
    see(first)
    other, before = made(first), np.array(cells(first))
    see(other)
    np.testing.assert_array_equal(cells(first), before)
    assert not np.array_equal(cells(other), before)
    see(first)
    np.testing.assert_array_equal(cells(first), cells(other))
