"""The errors of wheels, found from data that has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core.errors import SettingError, ShapeError
from pilotage.estimators.slam import OdometryModel, calibrate_odometry

from .rooms import PLANE


def steps(model: OdometryModel, n: int, seed: int) -> tuple[Any, Any]:
    """Steps of the odometry and the motions of a robot with these errors."""
    rng = np.random.default_rng(seed)
    u = np.column_stack(
        [rng.uniform(0.0, 1.0, n), np.zeros(n), rng.uniform(-0.6, 0.6, n) * (rng.uniform(size=n) < 0.7)]
    )
    beliefs = [model.step(np.zeros(3), each) for each in u]
    return u, np.array([rng.multivariate_normal(b.mean, b.cov) for b in beliefs])


def test_calibration_finds_the_errors() -> None:
    true = OdometryModel(
        advance_gain=0.96, turn_gain=1.05, curl=0.03,
        advance_noise=0.05, advance_turn_noise=0.02, turn_noise=0.06, turn_advance_noise=0.03,
    )  # fmt: skip
    found = calibrate_odometry(*steps(true, 3000, 0))
    for name in ("advance_gain", "turn_gain", "curl"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), abs=0.005)
    for name in ("advance_noise", "turn_noise", "turn_advance_noise"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=0.15)


def test_calibrated_model_is_consistent() -> None:
    true = OdometryModel(turn_gain=0.9, curl=-0.05)
    found = calibrate_odometry(*steps(true, 2000, 1))
    u, d = steps(true, 500, 2)
    nees = []
    for a, b in zip(u, d, strict=True):
        belief = found.step(np.zeros(3), a)
        e = np.asarray(PLANE.minus(b, belief.mean))
        nees.append(e @ np.linalg.solve(belief.cov, e))
    assert 2.6 < np.mean(nees) < 3.4


def test_noise_of_the_motions_is_not_taken_for_that_of_the_wheels() -> None:
    true = OdometryModel(advance_noise=0.0, advance_turn_noise=0.0, turn_noise=0.0, turn_advance_noise=0.0)
    rng, (u, d) = np.random.default_rng(3), steps(true, 2000, 3)
    P = np.diag([0.05, 0.05, 0.02]) ** 2
    measured = d + rng.multivariate_normal(np.zeros(3), P, len(d))
    assert calibrate_odometry(u, measured).advance_noise > 0.04
    assert calibrate_odometry(u, measured, np.tile(P, (len(u), 1, 1))).advance_noise < 0.02


def test_noise_of_wheels_that_drive_straight_does_not_hide_their_turns() -> None:
    rng, true = np.random.default_rng(6), np.zeros((160, 3))
    true[:, 0], true[::7] = 0.25, [0.0, 0.0, 0.26]
    wheels = true * [1.03, 1.03, 1.04] + rng.normal(0.0, [0.005, 0.005, 0.01], (160, 3))
    found = calibrate_odometry(wheels, true, np.tile(np.diag([0.004, 0.004, 0.002]) ** 2, (160, 1, 1)))
    assert found.turn_gain == pytest.approx(1.0 / 1.04, abs=0.03)
    assert found.advance_gain == pytest.approx(1.0 / 1.03, abs=0.01)


def test_variances_do_not_depend_on_how_often_wheels_are_read() -> None:
    model = OdometryModel()
    once = model.step([0.0, 0.0, 0.0], [4.0, 0.0, 0.0]).cov
    parts = sum(model.step([x, 0.0, 0.0], [x + 1.0, 0.0, 0.0]).cov for x in range(4))
    assert np.allclose(once[0, 0], parts[0, 0], rtol=0.01) and np.allclose(once[2, 2], parts[2, 2], rtol=0.01)


@pytest.mark.parametrize(
    ("odometry", "motion"),
    [
        (np.ones((5, 3)), np.ones((5, 3))),
        (np.ones((20, 3)), np.ones((20, 2))),
        (np.zeros((20, 3)), np.zeros((20, 3))),
        (np.full((20, 3), np.nan), np.ones((20, 3))),
    ],
)
def test_steps_that_are_refused(odometry: Any, motion: Any) -> None:
    with pytest.raises(ShapeError):
        calibrate_odometry(odometry, motion)


def test_settings_that_are_refused() -> None:
    for wrong in ({"advance_gain": 0.0}, {"turn_noise": -0.1}, {"curl": float("nan")}):
        with pytest.raises(SettingError):
            OdometryModel(**wrong)
    with pytest.raises(ShapeError):
        OdometryModel().step([0.0, 0.0], [0.0, 0.0, 0.0])
