"""Scenarios: what the settings promise, by counting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, SettingError, ShapeError, TrackTable
from pilotage.estimators.tracking import (
    Scenario,
    births_and_deaths,
    crossing,
    manoeuvring,
    occlusion,
    parallel,
)
from pilotage.models import bicycle, constant_velocity, position, range_to

STOCK = [crossing, parallel, manoeuvring, births_and_deaths, occlusion]
MOTION = constant_velocity()
STARTS = np.array([[0.0, 0.0, 1.0, 0.0], [5.0, 5.0, 0.0, -1.0]])


def scene(**settings: Any) -> Scenario:
    return Scenario.of(MOTION, position(std=0.5), STARTS, **{"dt": 0.5, "steps": 2000, "rng": 7, **settings})


def of_targets(scenario: Scenario) -> Any:
    """The detections that targets caused, ordered by time and target."""
    order = np.lexsort((scenario.causes, np.repeat(scenario.scans.ts, np.diff(scenario.scans.offsets))))
    return scenario.scans.z[order[scenario.causes[order] >= 0]]


@pytest.mark.parametrize("stock", STOCK)
def test_one_seed_is_one_scenario(stock: Callable[..., Scenario]) -> None:
    a, b, other = stock(rng=3), stock(rng=3), stock(rng=4)
    np.testing.assert_array_equal(a.scans.z, b.scans.z)
    np.testing.assert_array_equal(a.truth.x, b.truth.x)
    np.testing.assert_array_equal(stock(rng=a.seed).causes, a.causes)
    assert len(a.scans.z) != len(other.scans.z) or (a.scans.z != other.scans.z).any()
    drawn = stock()
    np.testing.assert_array_equal(stock(rng=drawn.seed).scans.z, drawn.scans.z)
    assert stock(rng=np.random.default_rng(0)).seed is None


@pytest.mark.parametrize("stock", STOCK)
def test_causes_are_the_targets_of_the_instant(stock: Callable[..., Scenario]) -> None:
    scenario = stock(rng=1)
    parts = [scenario.causes[scenario.scans.rows(k)] for k in range(len(scenario.scans))]
    for t, causes in zip(scenario.scans.ts, parts, strict=True):
        caused = causes[causes >= 0]
        assert {*caused} <= {*scenario.truth.at(t).id} and len({*caused}) == len(caused)


def test_errors_are_those_of_the_sensor() -> None:
    scenario = scene()
    errors = of_targets(scenario) - scenario.truth.x[:, :2]
    np.testing.assert_allclose(np.cov(errors.T), 0.25 * np.eye(2), atol=0.02)
    assert np.abs(errors.mean(0)).max() < 0.04


def test_detection_and_clutter_are_as_often_as_said() -> None:
    """Binomial and Poisson counts within 4.5 standard deviations; false detections fill the field evenly."""
    field = [[-100.0, -50.0], [1100.0, 50.0]]
    scenario = scene(detection=0.8, clutter=3.0, field=field, steps=1000)
    within = np.all((scenario.truth.x[:, :2] > field[0]) & (scenario.truth.x[:, :2] < field[1]), axis=1).sum()
    assert abs((scenario.causes >= 0).sum() - 0.8 * within) < 4.5 * np.sqrt(0.16 * within)
    false = scenario.scans.z[scenario.causes < 0]
    assert abs(len(false) - 3000) < 4.5 * np.sqrt(3000)
    assert scenario.clutter == pytest.approx(3.0 / (1200.0 * 100.0))
    counts, _, _ = np.histogram2d(false[:, 0], false[:, 1], bins=4, range=np.transpose(field))
    assert ((counts - len(false) / 16) ** 2 / (len(false) / 16)).sum() < 45.0


def test_more_clutter_leaves_the_targets_alone() -> None:
    few, many = scene(detection=0.9, clutter=0.5, steps=50), scene(detection=0.9, clutter=20.0, steps=50)
    np.testing.assert_array_equal(of_targets(few), of_targets(many))


def test_without_noise_targets_follow_their_model() -> None:
    truth = scene(steps=5, births=[0, 2], deaths=[3, 5]).truth
    assert truth.t.tolist() == [0.0, 0.5, 1.0, 1.0, 1.5, 2.0] and truth.id.tolist() == [1, 1, 1, 2, 2, 2]
    np.testing.assert_allclose(truth.of(1).x[:, 0], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(truth.of(2).x[:, 1], [5.0, 4.5, 4.0])


def test_process_noise_is_that_of_the_model() -> None:
    starts = np.zeros((4000, 4))
    truth = Scenario.of(MOTION, position(), starts, dt=0.5, steps=2, noisy=True, rng=1).truth
    moved = truth.at(0.5).x
    np.testing.assert_allclose(np.cov(moved.T), MOTION.noise(starts[0], np.zeros(0), 0.5), atol=0.03)


def test_actions_drive_other_models() -> None:
    car, us = bicycle(wheelbase=2.7), np.zeros((1, 3, 2))
    us[..., 0] = 1.0
    truth = Scenario.of(car, position(), [[0.0, 0.0, 0.0, 1.0]], dt=0.1, steps=4, us=us, rng=1).truth
    np.testing.assert_allclose(truth.x[:, 3], [1.0, 1.1, 1.2, 1.3])


def test_a_detector_that_moves() -> None:
    truth, places = scene(steps=20).truth, np.column_stack([np.arange(20.0), np.zeros(20)])
    seen = Scenario.observed(truth, range_to(2, std=1e-6), contexts=places, rng=1)
    expected = np.linalg.norm(truth.x[:, :2] - np.repeat(places, 2, axis=0), axis=1)
    np.testing.assert_allclose(of_targets(seen)[:, 0], expected, atol=1e-5)


def test_what_is_hidden_is_not_detected() -> None:
    wall = scene(steps=100, hidden=[[[10.0, -9.0], [20.0, 9.0]]])
    z = of_targets(wall)
    assert not ((z[:, 0] > 10.0) & (z[:, 0] < 20.0) & (np.abs(z[:, 1]) < 9.0)).any()
    slow = scene(steps=100, hidden=lambda x: x[:, 2] == 0.0)
    assert {*slow.causes.tolist()} == {1}


def test_no_targets_and_no_scans() -> None:
    nothing = Scenario.of(MOTION, position(), np.zeros((0, 4)), dt=1.0, steps=5, clutter=2.0, rng=1)
    assert len(nothing.scans) == 5 and len(nothing.truth) == 0 and (nothing.causes == -1).all()
    truth = TrackTable([], [], [], space=MOTION.state)
    assert len(Scenario.observed(truth, position(), rng=1).scans) == 0


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"detection": 1.2}, SettingError, "detection"),
        ({"clutter": -1.0}, SettingError, "clutter"),
        ({"dt": 0.0}, SettingError, "dt"),
        ({"steps": 0}, SettingError, "steps"),
        ({"births": [0]}, ShapeError, "births"),
        ({"births": [0, 3], "deaths": [5, 2]}, ShapeError, "target 2"),
        ({"us": np.zeros((2, 3, 1))}, ShapeError, "us"),
        ({"field": [[0, 0], [0, 5]]}, ShapeError, "field"),
        ({"hidden": [[0, 0], [0, 5]]}, ShapeError, "hidden"),
        ({"hidden": lambda x: np.ones(7, dtype=bool)}, ModelError, "7"),
        ({"hidden": lambda x: "yes"}, ModelError, "hidden"),
        ({"contexts": [None]}, ShapeError, "1 contexts"),
        ({"rng": "a"}, SettingError, "rng"),
    ],
)
def test_other_settings_are_refused(settings: dict[str, Any], error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        scene(**{"steps": 10, **settings})


@pytest.mark.parametrize("stock", STOCK)
@pytest.mark.parametrize("settings", [{"n": "a"}, {"steps": "a"}, {"dt": "a"}, {"dt": 0.0}])
def test_stock_scenarios_refuse_other_settings(stock: Callable[..., Scenario], settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(settings))):
        stock(**settings)


def test_an_angle_is_a_number() -> None:
    with pytest.raises(SettingError, match="angle"):
        crossing(angle=np.nan)
    with pytest.raises(SettingError, match="turn"):
        manoeuvring(turn=np.inf)


def test_times_have_one_axis() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 2\)"):
        Scenario.observed(scene(steps=2).truth, position(), ts=[[0.0, 0.5]])
