"""SLAM by landmarks on public data, against GPS and surveyed landmarks, and its consistency over many drives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks import landmark_slam
from pilotage.estimators.slam.landmarks import EKFSLAM, InvariantEKFSLAM

BOTH = pytest.mark.parametrize("algorithm", [EKFSLAM, InvariantEKFSLAM])


@pytest.fixture
def logs(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(data))


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("known", [True, False])
def test_victoria_park(algorithm: Any, known: bool, logs: None) -> None:
    """Half of the fixes of GPS, which are no better, within two metres; without ids, each tree is on the map once."""
    log = landmark_slam.park()
    robot, poses, _ = landmark_slam.park_driven(algorithm, log, known)
    assert np.median(landmark_slam.park_errors(log, poses)) < 2.0
    assert len(robot.map) == 151 if known else 95 <= len(robot.map) <= 110


@pytest.mark.slow
@BOTH
def test_plaza(algorithm: Any, logs: None) -> None:
    """Four beacons of which only ranges are known, each too long by the same factor, which is found too."""
    robot, ate, beacons = landmark_slam.plaza_driven(algorithm)
    assert ate < 0.5 and len(beacons) == 4 and beacons.max() < 0.5
    assert robot.belief.mean[3] == pytest.approx(1.07, abs=0.02)


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("number", [1, 2])
def test_mrclam(algorithm: Any, number: int, logs: None) -> None:
    robot, errors = landmark_slam.mrclam_driven(algorithm, number)
    assert len(robot.map) == 15 and errors.max() < 0.25


@pytest.mark.slow
def test_nees_of_a_loop() -> None:
    """Over 50 drives of two laps, the NEES of the invariant filter is inside its interval, that of EKF-SLAM is not."""
    low, high = chi2.ppf([0.001, 0.999], 3 * 50) / 50
    found = {
        algorithm: np.mean([landmark_slam.loop_nees(algorithm, seed)[0][[39, 79, 119, 159]] for seed in range(50)], 0)
        for algorithm in (EKFSLAM, InvariantEKFSLAM)
    }
    assert (low < found[InvariantEKFSLAM]).all() and (found[InvariantEKFSLAM] < high).all()
    assert (found[EKFSLAM][2:] > high).all()
