"""The lidar: its two likelihoods against plain numpy, and probabilities that are probabilities."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from pilotage.core.errors import ModelError, PilotageError, ShapeError
from pilotage.core.space import Space
from pilotage.maps import Lidar, OccupancyGrid
from pilotage.maps.disc_ranges import disc_ranges
from pilotage.maps.scan_kernels import beam_density

SHARES = {"hit": 0.7, "short": 0.1, "missed": 0.08, "random": 0.12}


@pytest.fixture(scope="module")
def room() -> OccupancyGrid:
    """A walled room with blocks in it, turned and shifted, part of it unknown."""
    rng = np.random.default_rng(4)
    p = np.zeros((60, 80))
    p[[0, -1]] = p[:, [0, -1]] = 1.0
    for row, column in rng.integers(5, 50, (8, 2)):
        p[row : row + 4, column : column + 6] = 1.0
    p[20:30, 60:75] = np.nan
    return OccupancyGrid.from_probability(p, 0.1, origin=(-2.0, 3.0, 0.6))


def poses_in(grid: OccupancyGrid, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = np.argwhere(grid.free)
    return np.column_stack((grid.cell_to_world(cells[rng.integers(0, len(cells), count)]), rng.uniform(-9, 9, count)))


def open_pose(grid: OccupancyGrid) -> np.ndarray:
    return max(poses_in(grid, 300), key=lambda pose: float(grid.distance_field().at(pose[:2])))


def field_reference(lidar: Lidar, z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The likelihood field in plain numpy, one (pose, beam) at a time in arrays, straight from the docstring."""
    grid, angles = lidar.grid, np.asarray(lidar.angles)
    mx, my, myaw = lidar.mount
    sx = x[:, 0] + np.cos(x[:, 2]) * mx - np.sin(x[:, 2]) * my
    sy = x[:, 1] + np.sin(x[:, 2]) * mx + np.cos(x[:, 2]) * my
    total = np.zeros(len(x))
    for reading, angle in zip(z, angles, strict=True):
        if not (reading > 0 and reading >= lidar.min_range):
            continue
        if reading >= lidar.max_range:
            total += math.log(lidar.missed)
            continue
        heading = x[:, 2] + myaw + angle
        reach = reading + lidar.inset
        ends = np.column_stack((sx + reach * np.cos(heading), sy + reach * np.sin(heading)))
        cells = grid.world_to_cell(ends)
        on_map = grid.contains_cell(cells)
        rows, columns = np.where(on_map[:, None], cells, 0).T
        d = grid.distance_field().values[rows, columns]
        floor = (lidar.random + lidar.short) / lidar.max_range
        p = lidar.hit * stats.norm.pdf(d, 0.0, lidar.sigma) + floor
        p = np.where(grid.unknown[rows, columns], np.maximum(p, 1 / lidar.max_range), p)
        total += np.log(np.where(on_map, p, floor))
    return total


@pytest.mark.parametrize("inset", [0.0, 0.07])
@pytest.mark.parametrize("mount", [(0.0, 0.0, 0.0), (0.3, -0.1, 0.5)])
def test_likelihood_field_is_plain_numpy(room: OccupancyGrid, mount: tuple[float, float, float], inset: float) -> None:
    lidar = Lidar(room, 37, 5.0, mount=mount, sigma=0.15, inset=inset, **SHARES)
    x = poses_in(room, 200)
    z = lidar.sample(x[0], rng=1)
    z[[3, 9]], z[5], z[7] = np.nan, np.inf, -1.0
    np.testing.assert_allclose(lidar.log_prob(z, x), field_reference(lidar, z, x), rtol=2e-6)


@pytest.mark.parametrize("model", ["likelihood_field", "beam"])
def test_a_scan_for_each_pose_is_a_loop_over_poses(room: OccupancyGrid, model: str) -> None:
    lidar = Lidar(room, 21, 4.0, model=model)
    x = poses_in(room, 12).reshape(3, 4, 3)
    z = lidar.sample(x, rng=2)
    z[0, 1, 3], z[2, 2, 5] = np.nan, np.inf
    together = lidar.log_prob(z, x)
    one_by_one = [[lidar.log_prob(z[i, j], x[i, j]) for j in range(4)] for i in range(3)]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-5)
    across = lidar.log_prob(z[:, :1], x)
    np.testing.assert_allclose(across[1, 2], lidar.log_prob(z[1, 0], x[1, 2]), rtol=1e-5)
    assert lidar.log_prob(z[0, 0], x[0, 0]).shape == ()


def beam_reference(lidar: Lidar, r: float, e: float) -> float:
    """The beam mixture with scipy's distributions."""
    reach = lidar.max_range
    hit, missed = (lidar.hit, lidar.missed) if e < reach else (0.0, lidar.missed + lidar.hit)
    if r >= reach:
        return missed
    p = lidar.random / reach
    if hit:
        p += hit * stats.truncnorm.pdf(r, -e / lidar.sigma, (reach - e) / lidar.sigma, loc=e, scale=lidar.sigma)
    return p + lidar.short * stats.truncexpon.pdf(r, lidar.decay * e, scale=1 / lidar.decay)


def test_beam_model_is_plain_scipy(room: OccupancyGrid) -> None:
    lidar = Lidar(room, 19, 4.0, model="beam", sigma=0.2, decay=0.7, **SHARES)
    x = poses_in(room, 30)
    z = lidar.sample(x[0], rng=3)
    z[2] = np.nan
    expected = lidar.observe(x)
    reference = [sum(math.log(beam_reference(lidar, r, e)) for r, e in zip(z, row) if r == r) for row in expected]
    np.testing.assert_allclose(lidar.log_prob(z, x), reference, rtol=1e-9)


@pytest.mark.parametrize("model", ["likelihood_field", "beam"])
@pytest.mark.parametrize("least", [0.0, 0.4])
def test_what_no_surface_returned_says_nothing(room: OccupancyGrid, model: str, least: float) -> None:
    """Ranges of 0, which many drivers write, and those below `min_range` count as NaN does, for one scan and many."""
    lidar = Lidar(room, 24, 4.0, model=model, min_range=least)
    x = poses_in(room, 60)
    z = np.maximum(lidar.observe(x), 0.5)
    lost = np.arange(24) % 3 == 0
    nothing = np.where(lost, np.nan, z)
    for given in (0.0, 0.3999, 1e-9) if least else (0.0, -0.0, -2.0):
        scans = np.where(lost, given, z)
        np.testing.assert_array_equal(lidar.log_prob(scans, x), lidar.log_prob(nothing, x))
        np.testing.assert_array_equal(lidar.log_prob(scans[0], x), lidar.log_prob(nothing[0], x))
    near = np.where(lost, 0.45, z)
    assert (lidar.log_prob(near, x) != lidar.log_prob(nothing, x)).all(), "those above count"
    assert (lidar.log_prob(np.zeros(24), x) == 0.0).all()


def test_samples_below_the_least_range_are_not_measured() -> None:
    grid = OccupancyGrid.from_ascii(["." * 20 + "#"], resolution=0.1)
    all_of_them, lidar = (Lidar(grid, [0.0], 3.0, min_range=least, **SHARES) for least in (0.0, 0.5))
    x = np.tile([1.4, 0.05, 0.0], (50_000, 1))
    whole, z = all_of_them.sample(x, rng=0)[:, 0], lidar.sample(x, rng=0)[:, 0]
    np.testing.assert_array_equal(z, np.where(whole < 0.5, np.nan, whole))
    share = integrate.quad(lambda r: beam_density(r, 0.6, 3.0, 0.1, *SHARES.values(), 0.5), 0.0, 0.5)[0]
    assert np.isnan(z).mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("e", [0.0, 0.05, 1.7, 3.95, 4.0])
def test_the_beam_mixture_integrates_to_one(e: float) -> None:
    shape = (4.0, 0.1, *SHARES.values(), 0.5)
    density = lambda r: beam_density(r, e, *shape)
    edges = sorted({0.0, max(e - 0.5, 0.0), e, min(e + 0.5, 4.0), 4.0})
    mass = sum(integrate.quad(density, a, b, limit=200)[0] for a, b in pairwise(edges))
    assert mass + beam_density(4.0, e, *shape) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("reach", [1.2, 2.05, 5.0])
@pytest.mark.parametrize("x", [0.05, 1.0, 1.95, 2.0])
def test_samples_follow_the_mixture(x: float, reach: float) -> None:
    """Also where the obstacle is at the sensor or at the end of its range, and hits are cut off."""
    grid = OccupancyGrid.from_ascii(["." * 20 + "#"], resolution=0.1)
    lidar = Lidar(grid, [0.0], reach, model="beam", **SHARES)
    z = lidar.sample(np.tile([x, 0.05, 0.0], (200_000, 1)), rng=0)[:, 0]
    e = float(lidar.observe([x, 0.05, 0.0])[0])
    shape = (reach, 0.1, *SHARES.values(), 0.5)
    assert np.mean(z == reach) == pytest.approx(beam_density(reach, e, *shape), abs=0.006)
    for a, b in pairwise(np.linspace(0.0, reach, 12)):
        share = integrate.quad(lambda r: beam_density(r, e, *shape), a, b, points=[e] if a < e < b else None)[0]
        assert np.mean((z >= a) & (z < b)) == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("model", ["likelihood_field", "beam"])
def test_the_true_pose_is_the_most_likely(room: OccupancyGrid, model: str) -> None:
    lidar = Lidar(room, 60, 6.0, model=model, mount=(0.2, 0.0, 0.1))
    x = poses_in(room, 400, seed=5)
    for n in range(0, 50, 10):
        assert np.argmax(lidar.log_prob(lidar.sample(x[n], rng=n), x)) == n


def test_observe_is_raycasting_from_the_mount(room: OccupancyGrid) -> None:
    lidar = Lidar(room, 8, 6.0, mount=(0.25, 0.1, 0.4))
    x, y, yaw = pose = poses_in(room, 1)[0]
    c, s = math.cos(yaw), math.sin(yaw)
    sensor = [x + c * 0.25 - s * 0.1, y + s * 0.25 + c * 0.1, yaw + 0.4]
    np.testing.assert_allclose(lidar.observe(pose), room.raycast(sensor, lidar.angles, 6.0), atol=1e-9)


def test_it_is_a_sensor_for_any_state_with_a_pose(room: OccupancyGrid) -> None:
    lidar = Lidar(room, 12, 6.0)
    wide = lidar.on(Space("speed [m/s]", "pose: SE2"))
    pose = poses_in(room, 5)
    states = np.column_stack((np.zeros(5), pose))
    z = lidar.observe(pose[0])
    np.testing.assert_array_equal(wide.observe(states), lidar.observe(pose))
    np.testing.assert_array_equal(wide.log_prob(z, states), lidar.log_prob(z, pose))
    assert lidar.reading.size == 12
    np.testing.assert_allclose(lidar.noise(pose[0]), 0.01 * np.eye(12))
    assert lidar.linearize(pose[0]).shape == (12, 3)


def test_subsampling_uses_evenly_spread_beams(room: OccupancyGrid) -> None:
    x = poses_in(room, 20)
    full, thin = Lidar(room, 360, 6.0), Lidar(room, 360, 6.0, beams=60)
    few = Lidar(room, np.asarray(full.angles)[::6], 6.0)
    z = full.sample(x[0], rng=0)
    np.testing.assert_allclose(thin.log_prob(z, x), few.log_prob(z[::6], x), rtol=1e-6)
    np.testing.assert_allclose(
        Lidar(room, 360, 6.0, beams=60, power=0.3).log_prob(z, x), 0.3 * thin.log_prob(z, x), rtol=1e-12
    )


@pytest.mark.parametrize("model", ["likelihood_field", "beam"])
def test_poses_that_are_not_finite_have_no_likelihood(room: OccupancyGrid, model: str) -> None:
    lidar = Lidar(room, 5, 6.0, model=model)
    found = lidar.log_prob(np.ones(5), [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, np.nan], [1e200, 0, 0], [0, 4, 1e9]])
    assert np.isnan(found[:3]).all()
    assert np.isfinite(found[3:]).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": "sonar"}, "model must be one of"),
        ({"hit": 0.9}, "must add up to 1"),
        ({"hit": 1.2, "short": -0.35}, "must add up to 1"),
        ({"sigma": 0.0}, "sigma is .*"),
        ({"max_range": math.inf}, "max_range is .*"),
        ({"beams": 99}, "beams must be a whole number from 1"),
        ({"angles": [0.0, math.nan]}, "angles must be finite"),
        ({"angles": 0}, "positive integer"),
        ({"angles": 2.5}, "positive integer"),
        ({"mount": (0.0, 0.0)}, "mount must be three"),
        ({"inset": -0.1}, "inset is .* 0 or more"),
        ({"min_range": -0.1}, "min_range is .* 0 or more"),
        ({"min_range": math.inf}, "min_range is .*"),
        ({"short": "few"}, "short is 'few'"),
    ],
)
def test_bad_settings_are_sentences(room: OccupancyGrid, settings: dict, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        Lidar(**{"grid": room, "angles": 9, "max_range": 5.0, **settings})
    with pytest.raises(PilotageError, match="a scan has 9 ranges"):
        Lidar(room, 9, 5.0).log_prob(np.ones(8), np.zeros(3))
    with pytest.raises(PilotageError, match=r"shape \(\.\.\., 3\)"):
        Lidar(room, 9, 5.0).log_prob(np.ones(9), np.zeros(2))


def test_a_lidar_leaves_the_caller_his_angles():
    angles = np.array([0.0, 1.0])
    lidar = Lidar(OccupancyGrid.from_ascii(["..#"]), angles, 5.0)
    angles[0] = 2.0
    assert np.asarray(lidar.angles).tolist() == [0.0, 1.0]


def test_unknown_meanings_and_batches_that_clash_are_sentences():
    grid = OccupancyGrid.from_ascii(["..#"])
    with pytest.raises(ModelError, match="unknown must be"):
        Lidar(grid, 2, 5.0, unknown="maybe")
    with pytest.raises(ModelError, match="whole number"):
        Lidar(grid, 4, 5.0, beams=1.5)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="do not broadcast"):
        Lidar(grid, 2, 5.0).log_prob(np.ones((4, 2)), np.ones((3, 3)))


def test_rays_to_discs():
    """Against marching along the rays."""
    rng = np.random.default_rng(5)
    discs = np.concatenate([rng.uniform(-3, 3, (5, 2)), rng.uniform(0.2, 0.6, (5, 1))], -1)
    pose, angles = np.array([0.1, -0.2, 0.4]), np.linspace(-3, 3, 50)
    found = disc_ranges(pose, angles, discs)
    steps = np.arange(0, 6, 0.001)
    heading = pose[2] + angles
    marched = pose[:2] + steps[:, None, None] * np.stack([np.cos(heading), np.sin(heading)], -1)
    inside = (np.linalg.norm(marched[:, :, None] - discs[:, :2], axis=-1) <= discs[:, 2]).any(-1)
    first = np.where(inside.any(0), steps[inside.argmax(0)], np.inf)
    np.testing.assert_allclose(found, first, atol=0.002)
    batch = disc_ranges(np.tile(pose, (3, 1)), angles, np.tile(discs, (3, 1, 1)))
    np.testing.assert_allclose(batch, np.tile(found, (3, 1)))


def test_a_person_shortens_exactly_the_beams_that_geometry_says(room: OccupancyGrid) -> None:
    """A beam meets a disc where the line comes nearer to the centre than the radius, in front of the sensor."""
    lidar = Lidar(room, 90, 8.0, sigma=1e-9, hit=1.0, short=0.0, missed=0.0, random=0.0, mount=(0.1, 0.0, 0.2))
    pose = open_pose(room)
    sensor = pose + [0.1 * np.cos(pose[2]), 0.1 * np.sin(pose[2]), 0.2]
    people = np.column_stack([sensor[:2] + [[1.0, 0.4], [-0.7, 0.9], [0.5, -6.0]], [0.3, 0.2, 0.3]])
    walls, seen = lidar.observe(pose), lidar.observe(pose, people)
    for z, wall, angle in zip(seen, walls, lidar.angles):  # type: ignore[arg-type]
        expected = wall
        for centre, radius in zip(people[:, :2], people[:, 2]):
            bearing = math.atan2(*(centre - sensor[:2])[::-1]) - sensor[2] - angle
            away = math.hypot(*(centre - sensor[:2]))
            aside = away * abs(math.sin(bearing))
            if aside < radius and math.cos(bearing) > 0.0:
                expected = min(expected, away * math.cos(bearing) - math.sqrt(radius**2 - aside**2))
        assert z == pytest.approx(expected, abs=1e-9)
    assert 3 < (seen < walls).sum() < 45
    assert np.allclose(lidar.sample(pose, people, rng=0), seen, atol=1e-7)
    assert (lidar.observe(pose, np.zeros((0, 3))) == walls).all()


def test_the_beam_model_expects_the_people_it_is_told_of(room: OccupancyGrid) -> None:
    """The most likely scan is that of a map with them."""
    lidar, pose = Lidar(room, 40, 8.0, model="beam", **SHARES), open_pose(room)  # type: ignore[arg-type]
    people = [[*(pose[:2] + [0.9, 0.3]), 0.3]]
    z = lidar.observe(pose, people)
    assert lidar.log_prob(z, pose, people) > lidar.log_prob(z, pose) + 1.0
    with pytest.raises(ModelError, match="likelihood field"):
        Lidar(room, 40, 8.0).log_prob(z, pose, people)
    for bad in ([0.0, 0.0, 0.3], [[0.0, np.nan, 0.3]]):
        with pytest.raises(ShapeError, match="discs"):
            lidar.observe(pose, bad)
