"""Two-point initiation against the diffuse estimate of two detections, computed in other ways."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, Space
from pilotage.core.errors import SettingError
from pilotage.estimators import EKF, KF, UKF, SquareRootKF
from pilotage.estimators.tracking import GNN, MHT, PMBM, Detector, MofN, Tracker, TwoPoint
from pilotage.models import LinearDynamics, LinearSensor, constant_acceleration, constant_velocity, position

from .test_tracker import BIRTH, CAR, FIX, RADAR, TURN, birth, polar_from

SITE = np.array([-20.0, 10.0])
ROUND = Detector(polar_from(SITE, std=(0.3, 0.01)), detection=0.95, clutter=1e-2)


def begun(filter: Any, first: tuple[str, Any], second: tuple[str, Any], dt: float, association: Any = None) -> Any:
    """The only track after two detections of those detectors."""
    detectors = {"fix": RADAR} if isinstance(filter, KF | SquareRootKF) else {"fix": RADAR, "polar": ROUND}
    tracker = Tracker(filter, detectors, TwoPoint(birth(filter), speed=40.0), association)
    assert not len(tracker.update([first[1]], 5.0, detector=first[0]).ids)
    tracks = tracker.update([second[1]], 5.0 + dt, detector=second[0])
    assert tracks.ids.tolist() == [1]
    return tracks.track(0).belief


@pytest.mark.parametrize("association", [GNN(), MHT()], ids=["GNN", "MHT"])
@pytest.mark.parametrize("kind", [KF, EKF, UKF, SquareRootKF])
@pytest.mark.parametrize("dt", [0.04, 0.5, 7.0])
def test_two_positions_are_the_generalized_least_squares_estimate(dt: float, kind: Any, association: Any) -> None:
    """The Kalman filter with a diffuse prior after both: least squares with the joint covariance of all errors."""
    z = np.array([[3.0, -2.0], [3.0 + 4.0 * dt, -2.0 + dt]])
    belief = begun(kind(CAR, dt=1.0), ("fix", z[0]), ("fix", z[1]), dt, association)
    F, Q, H, R = CAR.linearize(np.zeros(4), [], dt)[0], CAR.noise(np.zeros(4), [], dt), np.eye(2, 4), 0.25 * np.eye(2)
    back = H @ np.linalg.inv(F)  # z_1 = H F^-1 (x_2 - w) + e_1
    C = np.block([[R + back @ Q @ back.T, np.zeros((2, 2))], [np.zeros((2, 2)), R]])
    A = np.concatenate([back, H])
    P = np.linalg.inv(A.T @ np.linalg.inv(C) @ A)
    np.testing.assert_allclose(belief.mean, P @ A.T @ np.linalg.inv(C) @ z.ravel(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(belief.cov, P, rtol=1e-9, atol=1e-9)


def test_it_is_the_limit_of_ever_wider_births() -> None:
    """A Kalman filter from a birth of standard deviation s comes as near as 1 / s^2."""
    belief, errors = begun(KF(CAR, dt=1.0), ("fix", [0.0, 1.0]), ("fix", [2.0, 0.0]), 0.5), list[float]()
    for std in (1e2, 1e3, 1e4):
        alone = KF(CAR, dt=0.5).start(std=std)
        alone.update(FIX, [0.0, 1.0])
        alone.predict()
        alone.update(FIX, [2.0, 0.0])
        errors.append(float(np.abs(alone.belief.cov - belief.cov).max()))
    assert errors[1] < 0.02 * errors[0] and errors[2] < 0.02 * errors[1]


@pytest.mark.parametrize("kind", [EKF, UKF])
@pytest.mark.parametrize("names", [("polar", "polar"), ("polar", "fix"), ("fix", "polar")])
def test_detections_of_a_radar_have_the_positions_and_errors_of_its_inverse(names: Any, kind: Any) -> None:
    """Without process noise: ``p = g(z_2), v = (g(z_2) - g(z_1)) / dt``, and errors by the Jacobian of g."""
    still, dt = constant_velocity(density=0.0), 0.4
    points = np.array([[30.0, 5.0], [31.0, 5.5]])
    inverse, given = list[Any](), list[Any]()
    for name, p in zip(names, points, strict=True):
        d = p - SITE
        r, a = np.hypot(*d), np.arctan2(d[1], d[0])
        G = np.array([[np.cos(a), -r * np.sin(a)], [np.sin(a), r * np.cos(a)]])
        inverse.append(0.25 * np.eye(2) if name == "fix" else G @ np.diag([0.3**2, 0.01**2]) @ G.T)
        given.append((name, p if name == "fix" else [r, a]))
    belief = begun(kind(still, dt=1.0), given[0], given[1], dt)
    A, B = inverse
    wanted = np.block([[B, B / dt], [B / dt, (A + B) / dt**2]])
    np.testing.assert_allclose(belief.mean, [*points[1], *(points[1] - points[0]) / dt], atol=1e-7)
    np.testing.assert_allclose(belief.cov, wanted, rtol=1e-6, atol=1e-9)


def test_every_model_of_several_gets_the_difference() -> None:
    belief = begun(TURN, ("polar", [51.0, 0.1]), ("fix", [31.0, 15.5]), 0.5)
    for part in belief.components:
        assert part.mean[:2] == pytest.approx([31.0, 15.5])
    assert belief.components[1].mean[4] == pytest.approx(0.0, abs=1e-6)  # what positions do not tell


def test_what_two_positions_do_not_tell_is_that_of_the_birth() -> None:
    car = constant_acceleration(density=0.0)
    start = Gaussian.of(car.state, std={"x": 50.0, "y": 50.0, "vx": 1.0, "vy": 1.0, "ax": 0.3, "ay": 0.3})
    tracker = Tracker(KF(car, dt=1.0), RADAR, TwoPoint(start, speed=40.0))
    tracker.update([[0.0, 0.0]], 0.0)
    belief = tracker.update([[20.0, 0.0]], 2.0).track(0).belief
    assert belief.mean[:4] == pytest.approx([20.0, 0.0, 10.0, 0.0], abs=1e-8)
    a = np.diag(belief.cov)
    assert a[4:] == pytest.approx(0.09)
    assert a[2] == pytest.approx(0.5 / 4.0 + 0.09)  # v_2 = (p_2 - p_1) / dt + a dt / 2


def test_a_sensor_without_position_leaves_all_to_the_birth() -> None:
    """Two readings of x + y: the Kalman filter from the birth."""
    across = LinearSensor([[1.0, 1.0, 0.0, 0.0]], [[0.25]], state=CAR.state, reading=Space("both [m]"))
    tracker = Tracker(KF(CAR, dt=1.0), Detector(across), TwoPoint(BIRTH, speed=40.0))
    tracker.update([[3.0]], 0.0)
    belief = tracker.update([[5.0]], 1.0).track(0).belief
    alone = KF(CAR, dt=1.0).start(belief=BIRTH)
    alone.update(across, [3.0])
    alone.predict()
    alone.update(across, [5.0])
    np.testing.assert_allclose(belief.mean, alone.belief.mean, atol=1e-8)
    np.testing.assert_allclose(belief.cov, alone.belief.cov, rtol=1e-8, atol=1e-8)


def test_a_sensor_of_one_coordinate_leaves_the_other_to_the_birth() -> None:
    across = LinearSensor(np.eye(1, 4), [[0.25]], state=CAR.state, reading=Space("east [m]"))
    tracker = Tracker(KF(constant_velocity(density=0.0), dt=1.0), Detector(across), TwoPoint(BIRTH, speed=40.0))
    tracker.update([[3.0]], 0.0)
    belief = tracker.update([[5.0]], 2.0).track(0).belief
    assert belief.mean == pytest.approx([5.0, 0.0, 1.0, 0.0], abs=1e-8)
    assert np.diag(belief.cov) == pytest.approx([0.25, 100.0**2 + (2.0 * 4.0) ** 2, 0.125, 16.0])


def test_rates_that_two_positions_do_not_tell_apart_are_those_of_the_birth() -> None:
    """A boat in a current: both move it, so the Kalman filter from the birth, wide in position."""
    state = Space("x [m]", "v current [m/s]")
    boat = LinearDynamics([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], Qc=[0.0, 0.1, 0.01], state=state)
    start = Gaussian.of(state, [0.0, 2.0, -0.5], std=[1e6, 1.0, 0.5])
    fix = LinearSensor([[1.0, 0.0, 0.0]], [[0.25]], state=state, reading=Space("x [m]"))
    tracker = Tracker(KF(boat, dt=1.0), Detector(fix), TwoPoint(start, speed=10.0))
    tracker.update([[3.0]], 0.0)
    belief = tracker.update([[5.0]], 1.0).track(0).belief
    alone = KF(boat, dt=1.0).start(belief=start)
    alone.update(fix, [3.0])
    alone.predict()
    alone.update(fix, [5.0])
    np.testing.assert_allclose(belief.mean, alone.belief.mean, atol=1e-6)
    np.testing.assert_allclose(belief.cov, alone.belief.cov, atol=1e-6)


def test_pairs_that_are_too_fast_are_none_and_each_detection_is_used_once() -> None:
    begins = lambda: Tracker(KF(CAR, dt=1.0), RADAR, TwoPoint(BIRTH, speed=10.0), merge=0.0)
    tracker = begins()
    tracker.update([[0.0, 0.0]], 0.0)
    assert not len(tracker.update([[30.0, 0.0]], 1.0).ids)
    assert len(begun(KF(CAR, dt=1.0), ("fix", [0.0, 0.0]), ("fix", [30.0, 0.0]), 1.0).mean)
    tracker = begins()
    tracker.update([[0.0, 0.0], [9.0, 0.0]], 0.0)
    tracks = tracker.update([[4.0, 0.0], [60.0, 0.0]], 1.0)
    assert tracks.ids.tolist() == [1] and tracks.source.tolist() == [0]
    assert tracks.track(0).belief.mean[2] == pytest.approx(4.0)  # the slower of two
    tracks = tracker.update([[14.0, 0.0]], 2.0)  # the other one still waits for a second
    assert any(track.belief.mean[2] == pytest.approx(2.5) for track in map(tracks.track, range(len(tracks.ids))))


def test_a_first_detection_waits_for_so_many_scans() -> None:
    for scans, count in ((1, 0), (2, 1)):
        tracker = Tracker(KF(CAR, dt=1.0), RADAR, TwoPoint(BIRTH, speed=10.0, scans=scans))
        for t, z in enumerate([[[0.0, 0.0]], [], [[2.0, 0.0]]]):
            tracker.update(z, float(t))
        assert len(tracker.tracks.ids) == count


def test_two_detectors_at_one_time_begin_no_track_together() -> None:
    tracker = Tracker(KF(CAR, dt=1.0), {"a": RADAR, "b": RADAR}, TwoPoint(BIRTH, speed=10.0))
    tracker.update([[0.0, 0.0]], 0.0, detector="a")
    assert not len(tracker.update([[0.1, 0.0]], 0.0, detector="b").ids)


def test_both_detections_count_for_the_management() -> None:
    tracker = Tracker(KF(CAR, dt=1.0), RADAR, TwoPoint(BIRTH, speed=10.0), management=MofN(enough=(2, 2)))
    tracker.update([[0.0, 0.0]], 0.0)
    assert len(tracker.update([[1.0, 0.0]], 1.0)) == 1


@pytest.mark.parametrize("association", [GNN(), MHT()], ids=["GNN", "MHT"])
def test_its_memory_is_bounded_saved_and_replayed(association: Any) -> None:
    """Clutter for two hundred scans; a copy goes on alike; scans that come late are put in their place."""
    rng = np.random.default_rng(0)
    scans = [rng.uniform(-50.0, 50.0, (rng.poisson(5), 2)) for _ in range(60)]
    make = lambda lag: Tracker(
        KF(CAR, dt=1.0), Detector(FIX, clutter=5e-4), TwoPoint(BIRTH, speed=5.0, scans=3), association, lag=lag
    )
    one, other = make(0.0), make(2.0)
    for k in range(0, 60, 2):
        one.update(scans[k], float(k))
        one.update(scans[k + 1], float(k + 1))
        if k == 30:
            one = pickle.loads(pickle.dumps(one))
        other.update(scans[k + 1], float(k + 1))
        other.update(scans[k], float(k))
    a, b = (tracker.tracks.belief.mean for tracker in (one, other))
    assert len(a) >= 3
    np.testing.assert_array_equal(a[np.lexsort(a.T)], b[np.lexsort(b.T)])  # numbers are those of the first showing
    state = getattr(one._state, "leaves", one._state)
    assert len(state.memory) <= 3
    assert sum(len(first.z) for first in state.memory) <= sum(len(z) for z in scans[-3:])


def test_targets_are_found_with_less_clutter_than_from_single_points() -> None:
    """Fewer tentative tracks, and the same targets."""
    rng = np.random.default_rng(3)
    first = {name: Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=2e-3), start)
             for name, start in (("one", BIRTH), ("two", TwoPoint(BIRTH, speed=6.0)))}  # fmt: skip
    count = dict.fromkeys(first, 0)
    for k in range(25):
        truth = np.array([[-40.0 + k, 10.0], [40.0 - k, -20.0]])
        z = np.concatenate([truth + 0.5 * rng.normal(size=(2, 2)), rng.uniform(-50.0, 50.0, (rng.poisson(20), 2))])
        for name, tracker in first.items():
            count[name] += len(tracker.update(z, float(k)).ids)
    for tracker in first.values():
        mean = tracker.tracks.mean
        assert len(mean) == 2
        assert sorted(mean[:, 0].round().tolist()) == pytest.approx([-16.0, 16.0], abs=1.5)
    assert count["two"] < 0.7 * count["one"]


def test_bad_settings() -> None:
    with pytest.raises(SettingError, match="speed"):
        TwoPoint(BIRTH, speed=0.0)
    with pytest.raises(SettingError, match="TwoPoint"):
        Tracker(KF(CAR, dt=1.0), RADAR, TwoPoint(BIRTH, speed=5.0), PMBM(rate=0.1))
    assert position(std=0.5).reading == FIX.reading
