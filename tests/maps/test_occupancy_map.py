"""Maps that scans change in place: laws, and a Bayes filter in plain Python that visits every cell."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core.errors import PilotageError, ShapeError
from pilotage.maps import (
    InverseBeamModel,
    InverseConeModel,
    InverseLikelihoodModel,
    OccupancyGrid,
    OccupancyMap,
)

BEAM, CONE, LIKELIHOOD = InverseBeamModel(), InverseConeModel(width=0.5), InverseLikelihoodModel(sigma=0.08)
MODELS: tuple[Any, ...] = (BEAM, CONE, LIKELIHOOD)
CELL, REACH, LEAST = 0.1, 1.7, 0.15
ANGLES = np.array([-2.9, -1.3, -1.2, 0.05, 0.3, 1.57, 2.2])


def odds(p: float) -> float:
    return math.log(p / (1.0 - p))


def passage(i: int, j: int, x: float, y: float, heading: float) -> tuple[float, float]:
    """The distances at which a line enters and leaves the cell (i, j), in cells; an empty interval if it misses it."""
    enter, leave = -math.inf, math.inf
    for low, start, d in ((i, x, math.cos(heading)), (j, y, math.sin(heading))):
        a, b = (low - start) / d, (low + 1 - start) / d
        enter, leave = max(enter, min(a, b)), min(leave, max(a, b))
    return enter, leave


def told_by_beam(model: InverseBeamModel, span: tuple[float, float], r: float, echo: bool) -> float | None:
    enter, leave = max(span[0], 0.0), span[1]
    if enter >= leave or enter > r:
        return None
    if r < leave:
        return model.hit if echo else None
    return model.miss


def told_by_likelihood(model: InverseLikelihoodModel, span: tuple[float, float], r: float, echo: bool) -> float | None:
    if not echo:
        return told_by_beam(BEAM, span, r, echo)
    enter, leave = max(span[0], 0.0), span[1]
    sigma = model.sigma / CELL
    if enter >= leave or enter > r + 3.0 * sigma:
        return None
    q = model.miss if leave < r else 0.5
    d = max(enter - r, r - leave, 0.0)
    if leave < r - 3.0 * sigma:
        return model.miss
    return q + (model.hit - q) * math.exp(-0.5 * (d / sigma) ** 2)


def told_by_cone(model: InverseConeModel, dx: float, dy: float, bearing: float, r: float, echo: bool) -> float | None:
    d, half = math.hypot(dx, dy), max(model.thickness / CELL, math.sqrt(2.0)) / 2.0
    off = math.remainder(math.atan2(dy, dx) - bearing, math.tau)
    if abs(off) > model.width / 2.0 or d > (r + half if echo else r):
        return None
    return model.hit if echo and d >= r - half else model.miss


def told(model: Any, i: int, j: int, x: float, y: float, bearing: float, z: float) -> float | None:
    """The probability that a beam gives to a cell; None if it says nothing about it."""
    if not (z > 0.0 and z >= LEAST):
        return None
    r, echo = min(z, REACH) / CELL, z < REACH
    if isinstance(model, InverseConeModel):
        dx, dy = i + 0.5 - x, j + 0.5 - y
        return None if math.hypot(dx, dy) > REACH / CELL else told_by_cone(model, dx, dy, bearing, r, echo)
    rule: Callable[..., float | None] = told_by_beam if model is BEAM else told_by_likelihood
    span = passage(i, j, x, y, bearing)
    return None if span[1] > REACH / CELL else rule(model, span, r, echo)  # no beam passes it as a whole


def by_hand(
    model: Any, shape: tuple[int, int], scans: Iterator[tuple[Any, Any]], clamp: tuple[float, float], prior: float
) -> np.ndarray:
    """The log-odds of a grid with its corner at the origin, cell by cell and scan by scan."""
    cells = np.full(shape, np.nan)
    low, high = odds(clamp[0]), odds(clamp[1])
    for (x, y, yaw), ranges in scans:
        for j, i in np.ndindex(shape):
            given = (told(model, i, j, x / CELL, y / CELL, yaw + a, z) for a, z in zip(ANGLES, ranges, strict=True))
            seen = [p for p in given if p is not None]
            if seen:
                l = odds(prior) if np.isnan(cells[j, i]) else cells[j, i]
                cells[j, i] = min(max(l + odds(max(seen)) - odds(prior), low), high)
    return cells


def blank(shape: tuple[int, int], origin: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> OccupancyGrid:
    return OccupancyGrid.from_probability(np.full(shape, np.nan), CELL, origin)


def only(grid: OccupancyGrid, part: tuple[slice, ...]) -> OccupancyGrid:
    """The grid, with all cells unknown that are not in a part of it."""
    kept = np.full(grid.shape, np.nan, dtype=np.float32)
    kept[part] = grid.log_odds[part]
    return OccupancyGrid(kept, grid.resolution, grid.origin)


def random_scans(seed: int, count: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    poses = np.column_stack((rng.uniform(-0.3, 1.3 * spread, (count, 2)), rng.uniform(-3.0, 3.0, count)))
    ranges = rng.uniform(0.0, 2.0, (count, len(ANGLES)))
    odd = rng.random(ranges.shape) < 0.2
    return poses, np.where(odd, rng.choice([np.nan, 0.0, -1.0, np.inf, 0.1, REACH], ranges.shape), ranges)


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), prior=st.sampled_from([0.5, 0.3]), turned=st.booleans())
def test_a_map_is_a_bayes_filter_of_every_cell(model: Any, seed: int, prior: float, turned: bool) -> None:
    """With ranges of every kind, sensors on the map and off it, and a map with any origin."""
    poses, ranges = random_scans(seed, 4)
    clamp = (0.2, 0.8)
    expected = by_hand(model, (7, 9), zip(poses, ranges, strict=True), clamp, prior)
    origin = (3.0, -2.0, 0.7) if turned else (0.0, 0.0, 0.0)
    frame = blank((7, 9), origin)
    built = OccupancyMap.from_grid(frame, model=model, clamp=clamp, prior=prior)
    built.insert(frame.grid_to_world(poses / [CELL, CELL, 1.0]), ranges, ANGLES, REACH, min_range=LEAST)
    # The profile of the likelihood model is rounded to 254 steps.
    np.testing.assert_allclose(built.log_odds, expected, atol=0.012 if model is LIKELIHOOD else 1e-4)


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
def test_the_order_of_scans_does_not_matter_without_a_clamp(model: Any) -> None:
    poses, ranges = random_scans(3, 30)
    maps = [OccupancyMap.from_grid(blank((20, 20)), model=model, clamp=(0.001, 0.999)) for _ in range(3)]
    order = np.random.default_rng(0).permutation(30)
    maps[0].insert(poses, ranges, ANGLES, REACH)
    maps[1].insert(poses[order], ranges[order], ANGLES, REACH)
    for pose, scan in zip(poses, ranges, strict=True):
        assert maps[2].insert(pose, scan, ANGLES, REACH) is maps[2]
    assert np.nanmax(np.abs(maps[0].log_odds)) < odds(0.999)
    np.testing.assert_allclose(maps[1].log_odds, maps[0].log_odds, atol=1e-4)
    np.testing.assert_array_equal(maps[2].log_odds, maps[0].log_odds)


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
def test_cells_behind_the_end_of_a_beam_stay_unknown(model: Any) -> None:
    seen = OccupancyMap.from_grid(blank((1, 40)), model=model).insert([0.05, 0.05, 0.0], [1.5], [0.0], 9.0).log_odds[0]
    behind = 1.5 + 0.05 + 3.0 * 0.08 + 0.1
    assert np.isnan(seen[int(behind / CELL) + 1 :]).all()
    assert np.isfinite(seen[1:15]).all()


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
def test_nothing_is_marked_that_no_beam_can_take_back(model: Any) -> None:
    """octomap_mapping #28, navigation2 #5476: obstacles in the last cell of the range stayed when they had gone."""
    far = np.linspace(0.5, 1.2, 60) * REACH
    for pose in ([0.31, 0.27, 0.4], [0.02, 0.4, -2.9]):
        built, seen = OccupancyMap(CELL, model=model), list[bool]()
        for z in far:  # something walks off, through the end of the range
            built.insert(np.tile(pose, (5, 1)), np.full((5, len(ANGLES)), z), ANGLES, REACH)
            seen.append(bool(built.grid().occupied.any()))
        assert seen[0]
        built.insert(np.tile(pose, (100, 1)), np.full((100, len(ANGLES)), np.inf), ANGLES, REACH)
        assert not built.grid().occupied.any()
        kept = OccupancyMap(CELL, model=model)  # and what a robot has seen from near by stays when it reverses
        wall = np.array(pose) + [0.5 * REACH * math.cos(pose[2]), 0.5 * REACH * math.sin(pose[2]), 0.0]
        kept.insert(np.tile(pose, (5, 1)), np.full((5, 1), 0.5 * REACH), [0.0], REACH)
        for back in np.linspace(0.0, REACH, 60):
            behind = np.array(pose) - [back * math.cos(pose[2]), back * math.sin(pose[2]), 0.0]
            kept.insert(behind, [0.5 * REACH + back], [0.0], REACH)
        assert kept.grid().is_occupied(wall[:2] + 1e-6)


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
def test_evidence_stops_at_the_clamp_and_can_be_turned(model: Any) -> None:
    built = OccupancyMap(CELL, model=model, clamp=(0.1, 0.9))
    wall = lambda: float(built.grid().probability[built.grid().world_to_cell([1.55, 0.05])[0], 15])
    pose = [0.05, 0.05, 0.0]
    for _ in range(200):
        built.insert(pose, [1.5], [0.0], 9.0)
    assert wall() == pytest.approx(0.9)
    for _ in range(100):
        built.insert(pose, [3.0], [0.0], 9.0)
    assert wall() == pytest.approx(0.1)


def test_without_noise_the_likelihood_model_is_that_of_a_beam() -> None:
    poses, ranges = random_scans(5, 40)
    exact, noisy = (
        OccupancyMap.from_grid(blank((15, 15)), model=model).insert(poses, ranges, ANGLES, REACH).log_odds
        for model in (BEAM, InverseLikelihoodModel(sigma=1e-13))
    )
    np.testing.assert_allclose(noisy, exact, atol=1e-4)


def test_a_prior_changes_where_cells_begin_and_what_evidence_adds() -> None:
    built = OccupancyMap(1.0, prior=0.2, model=InverseBeamModel(hit=0.6, miss=0.1)).insert(
        [0.5, 0.5, 0.0], [2.0], [0.0], 9.0
    )
    np.testing.assert_allclose(built.grid().probability, [[0.12, 0.12, 0.6]], atol=1e-6)  # 0.1 is below the clamp


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), width=st.sampled_from([1.0, (2.3, 0.9), 0.1]))
def test_a_window_is_a_map_that_forgets_what_it_leaves(seed: int, width: Any) -> None:
    """Against a map of the whole world, whose cells outside the window are made unknown before every scan and after."""
    poses, ranges = random_scans(seed, 12, spread=3.0)
    rolling = OccupancyMap(CELL, window=width)
    whole = blank((140, 140), (-5.0, -5.0, 0.0))
    for pose, scan in zip(poses, ranges, strict=True):
        rolling.insert(pose, scan, ANGLES, REACH)
        corner = whole.world_to_cell(np.array(rolling.origin[:2]) + 0.5 * CELL)
        middle = whole.world_to_cell(pose[:2])
        np.testing.assert_array_equal(corner, middle - np.array(rolling.shape) // 2)
        part = tuple(slice(c, c + n) for c, n in zip(corner.tolist(), rolling.shape, strict=True))
        whole = only(only(whole, part).update(pose, scan, ANGLES, REACH), part)
        np.testing.assert_allclose(rolling.log_odds, whole.log_odds[part], atol=1e-5)
    shape = rolling.shape
    assert rolling.insert([1e6, -1e6, 0.0], ranges[0], ANGLES, REACH).shape == shape, "far away at once"
    assert rolling.grid().contains_cell(rolling.grid().world_to_cell([1e6, -1e6]))


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
def test_a_map_grows_to_hold_what_it_is_told(model: Any) -> None:
    poses, ranges = random_scans(8, 25, spread=6.0)
    growing = OccupancyMap(CELL, model=model)
    whole = OccupancyMap.from_grid(blank((140, 140), (-3.0, -3.0, 0.0)), model=model)
    for pose, scan in zip(poses, ranges, strict=True):
        growing.insert(pose, scan, ANGLES, REACH)
        whole.insert(pose, scan, ANGLES, REACH)
    small, large = growing.grid(), whole.grid()
    known = np.argwhere(np.isfinite(large.log_odds))
    assert small.shape == tuple(np.ptp(known, axis=0) + 1), "no more than what is known"
    row, column = large.world_to_cell(small.cell_to_world([0, 0]))
    part = large.log_odds[row : row + small.shape[0], column : column + small.shape[1]]
    np.testing.assert_array_equal(small.log_odds, part)
    assert np.isfinite(small.log_odds).sum() == len(known)
    np.testing.assert_allclose(np.array(small.origin[:2]) / CELL, np.rint(np.array(small.origin[:2]) / CELL), atol=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=("beam", "cone", "likelihood"))
def test_a_map_of_one_scan_holds_all_of_it(model: Any) -> None:
    for pose, scan in zip(*random_scans(9, 10), strict=True):
        seen = OccupancyMap(CELL, model=model).insert(pose, scan, ANGLES, REACH).log_odds
        whole = OccupancyMap.from_grid(blank((80, 80), (-4.0, -4.0, 0.0)), model=model)
        whole.insert(pose, scan, ANGLES, REACH)
        assert np.isfinite(seen).sum() == np.isfinite(whole.log_odds).sum() > 0


def test_a_pose_far_off_is_refused_and_leaves_the_map_as_it_was() -> None:
    built = OccupancyMap(0.05).insert([0.0, 0.0, 0.0], [1.0, 2.0], [0.0, 1.0], 5.0)
    before = built.log_odds
    with pytest.raises(ShapeError, match="give a window, a larger resolution"):
        built.insert([[0.0, 0.0, 0.0], [1e5, 1e5, 0.0]], np.ones((2, 2)), [0.0, 1.0], 5.0)
    np.testing.assert_array_equal(built.log_odds, before)
    built.insert([[np.nan, 0.0, 0.0], [0.0, np.inf, 0.0], [0.0, 0.0, np.nan]], np.ones((3, 2)), [0.0, 1.0], 5.0)
    np.testing.assert_array_equal(built.log_odds, before)


def test_a_map_may_grow_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    built = OccupancyMap(1.0).insert([0.5, 0.5, 0.0], [20.0], [0.0], 50.0)
    ny, nx = built.shape
    monkeypatch.setattr("pilotage.maps._storage.LARGEST", ny * (nx + 5))
    built.insert([5.5, 0.5, 0.0], [20.0], [0.0], 50.0)
    assert built.shape == (ny, nx + 5) and built.grid().is_occupied([25.5, 0.5])
    with pytest.raises(ShapeError, match=f"{ny * (nx + 6):,} cells"):
        built.insert([6.5, 0.5, 0.0], [20.0], [0.0], 50.0)


def test_a_grid_does_not_change_with_its_map() -> None:
    built = OccupancyMap(CELL).insert([0.0, 0.0, 0.0], [1.0], [0.0], 5.0)
    grid, twin, stored = built.grid(), copy.deepcopy(built), pickle.loads(pickle.dumps(built))
    before = grid.log_odds.copy()
    built.insert([0.0, 0.0, 0.0], [1.0], [0.0], 5.0)
    np.testing.assert_array_equal(grid.log_odds, before)
    np.testing.assert_array_equal(twin.log_odds, stored.log_odds)
    assert np.nanmax(built.log_odds) > np.nanmax(twin.log_odds)
    assert grid.free.any()
    assert grid.occupied.any()


def test_a_map_of_nothing() -> None:
    assert OccupancyMap().grid().unknown.all()
    assert OccupancyMap(window=0.1).grid().shape == (2, 2)
    nothing = OccupancyMap(CELL).insert(np.zeros((0, 3)), np.zeros((0, 2)), [0.0, 1.0], 5.0)
    assert nothing.grid().unknown.all()
    assert OccupancyMap(CELL).insert([0.0, 0.0, 0.0], [np.nan, 0.0], [0.0, 1.0], 5.0).grid().unknown.all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: OccupancyMap(0.0), "resolution"),
        (lambda: OccupancyMap(clamp=(0.6, 0.9)), "clamp"),
        (lambda: OccupancyMap(prior=0.99), "prior"),
        (lambda: OccupancyMap(prior="half"), "prior"),  # type: ignore[arg-type]
        (lambda: OccupancyMap(window=-1.0), "window"),
        (lambda: OccupancyMap(window=(1.0, 2.0, 3.0)), "window"),  # type: ignore[arg-type]
        (lambda: OccupancyMap(window=math.inf), "window"),
        (lambda: OccupancyMap(model="beam"), "InverseModel"),  # type: ignore[arg-type]
        (lambda: OccupancyMap(size=3.0), "size"),  # type: ignore[call-arg]
        (lambda: InverseBeamModel(hit=0.3), "evidence asks for"),
        (lambda: InverseConeModel(width=4.0), "width"),
        (lambda: InverseConeModel(thickness=-1.0), "thickness"),
        (lambda: InverseLikelihoodModel(sigma=0.0), "sigma"),
        (lambda: OccupancyMap().insert([0.0, 0.0], [1.0], [0.0], 5.0), "poses"),
        (lambda: OccupancyMap().insert([0.0, 0.0, 0.0], [1.0, 2.0], [0.0], 5.0), "ranges"),
        (lambda: OccupancyMap().insert([0.0, 0.0, 0.0], [1.0], [np.nan], 5.0), "angles"),
        (lambda: OccupancyMap().insert([0.0, 0.0, 0.0], [1.0], [0.0], np.inf), "max_range"),
    ],
)
def test_wrong_settings_are_a_sentence(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(PilotageError, match=said):
        make()
