"""The crowd of the benchmark: recorded or simulated people, seen by a lidar, predicted, and avoided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.bench import BenchmarkTask, Channel, Run, benchmark_task, controllers, replay, simulate
from pilotage.bench._world import World, probed
from pilotage.bench.stock.crowd import DT, PERIOD, PERSON, Crowd, recorded, simulated
from pilotage.bench.stock.people import APART, BEGIN, GOAL, PILLARS, START, crossing, people, walk
from pilotage.core import MissingFile
from pilotage.estimators import EKF

NAME = "people_simulated"
NOBODY = np.full((541, 0, 2), np.nan)


@pytest.fixture(params=["simulated", "recorded"])
def places(request: pytest.FixtureRequest) -> np.ndarray:
    if request.param == "simulated":
        return simulated()
    try:
        return recorded()
    except MissingFile as missing:
        pytest.skip(str(missing))


def test_a_recording_that_is_absent_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path))
    with pytest.raises(MissingFile, match="PILOTAGE_DATA"):
        people.__wrapped__()  # type: ignore[attr-defined]
    monkeypatch.delenv("PILOTAGE_DATA")
    with pytest.raises(MissingFile, match="PILOTAGE_DATA"):
        recorded()


def test_the_same_seed_gives_the_same_people_and_other_seeds_other_windows(places: np.ndarray) -> None:
    one, other = crossing("one", places), crossing("other", places)

    def seen(benchmark: BenchmarkTask, seed: int) -> np.ndarray:
        tracks = benchmark.scene(seed).tracks
        assert tracks is not None
        return np.concatenate([track.means for track in tracks(2.0)])

    windows = [seen(one, seed) for seed in range(12)]
    assert all(np.array_equal(window, seen(other, seed)) for seed, window in enumerate(windows))
    for i, first in enumerate(windows):
        assert all(first.shape != then.shape or abs(first - then).max() > 0.1 for then in windows[:i])
    assert one.scene(3).scene(3) is one.scene(3), "the scene of a scene is itself"


def test_windows_leave_time_for_an_episode(places: np.ndarray) -> None:
    """The people move until its end."""
    for seed in range(20):
        scene = crossing("some", places).scene(seed)
        end = DT * scene.task.horizon
        crowd = scene.task._references.__self__  # type: ignore[attr-defined]
        assert crowd.start >= PERIOD and crowd.start + end <= PERIOD * (len(places) - 1)


def test_seeds_share_start_and_noise_among_controllers() -> None:
    """Common random numbers: nothing of the world depends on what is done in it."""
    benchmark = benchmark_task(NAME)
    a, b = (World(benchmark, 5, "truth", ()) for _ in range(2))
    a.tick(0, [(1.0, np.array([1.0, 0.5]))])
    b.tick(0, [(1.0, np.array([0.0, -0.5]))])
    assert np.array_equal(a.noise, b.noise) and a.benchmark is b.benchmark is benchmark.scene(5)
    assert not np.array_equal(a.x, World(benchmark, 6, "truth", ()).x)
    assert probed(benchmark) == probed(crossing(NAME, simulated())) != probed(crossing(NAME, simulated(20)))


def empty_hall() -> BenchmarkTask:
    """The task without people: their constraint is not there, and the lidar is one of the map alone."""
    with_them = crossing("empty", NOBODY)
    known: Any = with_them.known[1]
    assert with_them.sensors is not None
    sensors = {
        name: Channel(each.sensor, period=each.period, dropout=each.dropout) for name, each in with_them.sensors.items()
    }
    task = walk(
        done=lambda x: np.hypot(x[..., 0] - GOAL[0], x[..., 1] - GOAL[1]) < 0.3,
        initial=known.initial, dt=known.dt, horizon=known.horizon, clearance=known.params["clearance"],
    )  # fmt: skip
    return BenchmarkTask(
        "empty", with_them.plant, task, planning=known, model=with_them.model, sensors=sensors, filter=with_them.filter
    )


@pytest.mark.parametrize("estimator", ["truth", "estimate"])
def test_an_empty_window_is_the_task_without_people(estimator: str) -> None:
    made = controllers.get("mppi")
    seen = [
        simulate(each, made(each, each.known[0], 2, samples=64), seed=2, estimator=estimator)
        for each in (crossing("empty", NOBODY), empty_hall())
    ]
    assert seen[0].digests == seen[1].digests and seen[0].cost == seen[1].cost
    assert seen[0].status.value == "success"


def test_who_avoids_nobody_drives_as_before() -> None:
    benchmark = crossing("empty", NOBODY)
    settings = {"samples": 64, "feedback": False}
    made = [controllers.get(name)(benchmark, benchmark.plant, 0, **settings) for name in ("mppi", "mppi_tracks")]
    x = np.array([3.0, 5.0, 1.0])
    for t in (0.0, 0.1, 0.2):
        first, second = (controller.act(x, t).u for controller in made)
        assert np.array_equal(first, second)


def test_a_row_replays_bit_for_bit() -> None:
    row = Run(NAME, "mppi", seed=7, estimator="estimate", settings={"samples": 64}).execute()
    assert not row.status.failed and replay(row) == ""


def test_nobody_comes_near_the_start_the_goal_and_the_pillars() -> None:
    try:
        places = recorded()
    except MissingFile as missing:
        pytest.skip(str(missing))
    between = [places[:-1] + share * np.diff(places, axis=0) for share in (0.0, 0.25, 0.5, 0.75)]
    found = np.concatenate(between).reshape(-1, 2)
    found = found[np.isfinite(found[:, 0])]
    for (x, y, *_), room in ((START, 1.5), (GOAL, 1.2)):
        assert np.hypot(*(found - (x, y)).T).min() > room
    for x, y, radius in PILLARS:
        assert np.hypot(*(found - (x, y)).T).min() > radius + PERSON


def test_the_verdict_is_the_distance_to_the_nearest_person(places: np.ndarray) -> None:
    """By the samples themselves, at the times of samples."""
    k = 40
    crowd = Crowd(places, start=PERIOD * k)
    for x in ([4.0, 6.0, 0.0], [9.0, 7.0, 0.0]):
        row, _ = crowd.nearest(np.array(x), 2.0 * PERIOD, 0)
        there = places[k + 2][np.isfinite(places[k + 2, :, 0])]
        nearest = np.hypot(*(there - x[:2]).T).min()
        assert np.hypot(*(row[0] - x[:2])) == pytest.approx(nearest, abs=1e-9)
    task, x = benchmark_task(NAME).scene(4).task, np.array([8.0, 6.5, 0.0])
    row = task.references(x, 4.0, 0)[0][0]
    assert np.max(task.constraint([*row, 0.0], np.zeros(2), row)) == pytest.approx(APART, abs=1e-6)


def test_people_are_predicted_from_what_was_seen(places: np.ndarray) -> None:
    """The mean goes on at the last velocity, and nothing later counts; newcomers have any velocity."""
    k = 60
    later = places.copy()
    later[k + 1 :] += 7.0
    crowd, other = Crowd(places, PERIOD * k), Crowd(later, PERIOD * k)
    now, before = places[k], places[k - 1]
    there = np.flatnonzero(np.isfinite(now[:, 0]) & np.isfinite(places[k + 1, :, 0]))
    tracks = crowd.tracks(0.0)
    assert len(tracks) == len(there)
    for i, track, same in zip(there, tracks, other.tracks(0.0)):
        v = np.nan_to_num((now[i] - before[i]) / PERIOD)
        np.testing.assert_allclose(track.means, now[i] + v * track.ts[:, None], atol=1e-6)
        np.testing.assert_allclose(same.means, track.means, atol=1e-6)
        spread = track.covariances[:, 0, 0]
        assert spread[0] == 0.0 and (np.diff(spread) > 0.0).all()
        assert np.isnan(before[i, 0]) == (spread[-1] > 4.0)


def test_the_covariance_is_that_of_the_errors_of_predictions() -> None:
    """Over the whole recording, the mean of the normalised squared errors is that of two dimensions."""
    try:
        places = recorded()
    except MissingFile as missing:
        pytest.skip(str(missing))
    crowd, v = Crowd(places, PERIOD), np.diff(places, axis=0)
    variance = {round(float(t), 1): P for t, P in _variances(crowd)}
    for steps in (3, 6):
        error = places[1 + steps :] - (places[1:-steps] + steps * v[:-steps])
        nees = np.nanmean((error**2).sum(-1)) / variance[round(steps * PERIOD, 1)]
        assert 1.4 < nees < 2.6


def _variances(crowd: Crowd) -> list[tuple[float, float]]:
    track = min(crowd.tracks(PERIOD), key=lambda each: each.covariances[-1, 0, 0])
    return [(t - PERIOD, P[0, 0]) for t, P in zip(track.ts, track.covariances)]


def test_scans_end_on_people() -> None:
    """They are shortened where somebody stands at that time, and nowhere else; the filter is not told of them."""
    scene = benchmark_task(NAME).scene(1)
    assert scene.sensors is not None and scene.filter is not None
    channel, x = scene.sensors["lidar"], np.array([8.0, 6.5, 0.3])
    assert channel.context is None and channel.surroundings is not None
    lidar: Any = channel.sensor
    for t in (1.0, 9.3):
        z = channel.reading(lidar, x, t, np.random.default_rng(0))
        walls, expected = lidar.observe(x), lidar.observe(x, channel.surroundings(t))
        assert (expected < walls - 0.5).sum() > 5
        np.testing.assert_allclose(z, expected, atol=0.15)


def test_the_filter_copes_with_people() -> None:
    """In a dense crowd it knows where it is to 10 cm, and how well; an EKF that believes every beam gets lost."""
    scene = crossing("dense", simulated(60)).scene(0)
    assert scene.sensors is not None and scene.filter is not None
    channel, x, rng = scene.sensors["lidar"], np.array([1.1, 0.9, 0.9]), np.random.default_rng(3)
    trusting = EKF(scene.known[0], dt=DT).start(belief=BEGIN, sensors={"lidar": channel.sensor})
    filters, errors = (scene.filter(0), trusting), []
    for k in range(60):
        u, now = np.array([0.9, 0.1]), DT * (k + 1)
        x = scene.plant.step(x, u, DT)
        z = channel.reading(channel.sensor, x, now, rng)
        for each in filters:
            each.predict(u=u, to=now)
            if k % 2:
                each.update("lidar", z)
        errors.append([_errors(x, each.belief, scene.plant.state) for each in filters])
    (worst, _), (lost, _) = np.max(errors[10:], axis=0)
    (_, nees), (_, wrong) = np.mean(errors[10:], axis=0)
    assert worst < 0.1 and nees < 3.0 * 2.0
    assert lost > 0.3 and wrong > 100.0


def _errors(x: np.ndarray, belief: Any, space: Any) -> tuple[float, float]:
    """Error of the position [m], and normalised squared error of the pose."""
    moments = belief.moments()
    d = space.minus(x, moments.mean)
    return float(np.hypot(*d[:2])), float(d @ np.linalg.solve(moments.cov, d))


@pytest.mark.slow
@pytest.mark.parametrize("controller", ["mppi_tracks", "space_time_pursuit"])
def test_who_is_told_of_tracks_crosses_and_who_is_not_collides(controller: str) -> None:
    for estimator in ("truth", "estimate"):
        told = [Run(NAME, controller, seed, estimator).execute() for seed in range(3)]
        assert sum(row.success for row in told) >= 2, [row.reason for row in told]
    blind = [Run(NAME, "mppi", seed).execute() for seed in range(3)]
    assert sum(row.violations > 0 for row in blind) >= 2
