"""Distance transforms against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pilotage.maps.distance import clear_boxes, distance_transform

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def brute_force(mask: np.ndarray, norm: float) -> np.ndarray:
    cells = np.stack(np.indices(mask.shape), axis=-1)
    apart = cells[:, :, None] - cells[mask]
    return np.linalg.norm(apart, ord=norm, axis=-1).min(axis=-1)


@given(mask=MASKS)
def test_euclidean_distance_is_exact(mask: np.ndarray) -> None:
    found = distance_transform(mask)
    if mask.any():
        np.testing.assert_allclose(found, brute_force(mask, 2), rtol=1e-15)
    else:
        np.testing.assert_array_equal(found, np.hypot(*mask.shape))


def test_euclidean_distance_on_a_large_sparse_grid() -> None:
    rng = np.random.default_rng(5)
    mask = np.zeros((211, 307), dtype=bool)
    mask[rng.integers(0, 211, 9), rng.integers(0, 307, 9)] = True
    np.testing.assert_allclose(distance_transform(mask), brute_force(mask, 2), rtol=1e-15)


@given(mask=MASKS)
def test_clear_boxes_are_the_chessboard_distance_to_obstacles_and_the_ring(mask: np.ndarray) -> None:
    ringed = np.pad(mask, 1, constant_values=True)
    np.testing.assert_array_equal(clear_boxes(mask), brute_force(ringed, np.inf))


def test_clear_boxes_stop_counting_at_255() -> None:
    assert clear_boxes(np.zeros((600, 600), dtype=bool)).max() == 255
