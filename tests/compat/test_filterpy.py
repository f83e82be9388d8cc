"""Conversions from and to filterpy: both sides of a conversion give the same numbers, on filterpy's own examples."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.compat.filterpy import from_filterpy, to_filterpy
from pilotage.core import ModelError, SettingError, Space
from pilotage.estimators import (
    CKF,
    EKF,
    IMM,
    KF,
    UKF,
    EnsembleKF,
    FadingEKF,
    JulierPoints,
    MultipleModel,
    SquareRootEKF,
    SquareRootKF,
)
from pilotage.models import bicycle, constant_velocity, gnss, position, range_bearing, unicycle

kalman = pytest.importorskip("filterpy.kalman")
common = pytest.importorskip("filterpy.common")

DT = 0.1
RNG = np.random.default_rng(3)
ZS = np.cumsum(RNG.normal(1.0, 0.3, 30)) + RNG.normal(0.0, 2.0, 30)


def same(ours: Any, theirs: Any, atol: float = 1e-9) -> None:
    belief = ours.belief.moments()
    np.testing.assert_allclose(belief.mean, np.ravel(theirs.x), atol=atol, rtol=1e-8)
    np.testing.assert_allclose(belief.cov, theirs.P, atol=atol, rtol=1e-8)


def linear(kind: Any, **kwargs: Any) -> Any:
    """The tracker of a cart in filterpy's documentation."""
    kf = kind(dim_x=2, dim_z=1, **kwargs)
    kf.x = np.array([[2.0], [0.0]])
    kf.F, kf.H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    kf.P = np.eye(2) * 1000.0
    kf.R = np.array([[5.0]])
    kf.Q = common.Q_discrete_white_noise(dim=2, dt=DT, var=0.13) + 1e-6 * np.eye(2)
    return kf


def with_alpha() -> Any:
    kf = linear(kalman.KalmanFilter)
    kf.alpha = 1.02
    return kf


LINEAR: dict[str, tuple[Callable[[], Any], type]] = {
    "KalmanFilter": (lambda: linear(kalman.KalmanFilter), KF),
    "KalmanFilter with alpha": (with_alpha, FadingEKF),
    "FadingKalmanFilter": (lambda: linear(kalman.FadingKalmanFilter, alpha=1.02), FadingEKF),
    "SquareRootKalmanFilter": (lambda: linear(kalman.SquareRootKalmanFilter), SquareRootKF),
}


@pytest.mark.filterwarnings("ignore:Use KalmanFilter class instead")
@pytest.mark.parametrize("name", LINEAR)
def test_linear_filters_run_on_alike(name: str) -> None:
    make, expected = LINEAR[name]
    theirs = make()
    for z in ZS[:5]:  # taken over in the middle of its work
        theirs.predict()
        theirs.update(z)
    ours = from_filterpy(theirs)
    assert type(ours.estimator) is expected
    same(ours, theirs)
    for z in ZS[5:]:
        theirs.predict()
        theirs.update(z)
        ours.predict()
        ours.update("z", z)
        same(ours, theirs)


def test_an_action_moves_both() -> None:
    theirs = linear(kalman.KalmanFilter, dim_u=1)
    theirs.B = np.array([[0.5], [1.0]])
    ours = from_filterpy(theirs, state=Space("x [m]", "vx [m/s]"))
    theirs.predict(u=np.array([[2.0]]))
    ours.predict(u=[2.0])
    same(ours, theirs)
    assert ours.belief.space.names == ("x", "vx")


def test_information_filter() -> None:
    theirs = kalman.InformationFilter(dim_x=2, dim_z=1)
    theirs.x = np.array([[2.0], [0.0]])
    theirs.F, theirs.H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    theirs.P_inv, theirs.R_inv = np.eye(2) / 100.0, np.array([[1.0 / 5.0]])
    theirs.Q = np.eye(2) * 0.01
    ours = from_filterpy(theirs)
    for z in ZS:
        theirs.predict()
        theirs.update(z)
        ours.predict()
        ours.update("z", z)
    back = to_filterpy(ours)
    np.testing.assert_allclose(back.x, theirs.x.ravel(), rtol=1e-8)
    np.testing.assert_allclose(back.P, np.linalg.inv(theirs.P_inv), rtol=1e-8)


def test_information_filter_that_knows_nothing() -> None:
    """It tends to a Kalman filter with a very wide start; theirs leaves Q out until everything is known."""
    wide = linear(kalman.KalmanFilter)
    wide.P = np.eye(2) * 1e9
    theirs = kalman.InformationFilter(dim_x=2, dim_z=1)
    theirs.x, theirs.F, theirs.H, theirs.Q = wide.x.reshape(2, 1), wide.F, wide.H, wide.Q
    theirs.P_inv, theirs.R_inv = np.zeros((2, 2)), np.linalg.inv(wide.R)
    ours = from_filterpy(theirs)
    for z in ZS:
        wide.predict()
        wide.update(z)
        ours.predict()
        ours.update("z", z)
    np.testing.assert_allclose(ours.belief.mean, wide.x.ravel(), rtol=1e-5)
    np.testing.assert_allclose(ours.belief.moments().cov, wide.P, rtol=1e-5)


# -- the radar that sees the slant range of an aeroplane: filterpy's example for EKF and UKF


def radar(x: Any) -> Any:
    return np.array([math.hypot(x[0], x[2])])


def radar_jacobian(x: Any) -> Any:
    r = math.hypot(x[0, 0], x[2, 0])
    return np.array([[x[0, 0] / r, 0.0, x[2, 0] / r]])


def straight(x: Any, dt: float) -> Any:
    return np.array([x[0] + dt * x[1], x[1], x[2]])


def slant_ranges() -> Any:
    t = np.arange(1, 60) * 0.05
    return np.hypot(100.0 * t + 5.0, 1000.0) + np.random.default_rng(1).normal(0.0, 3.0, t.size)


POINTS = {
    "Merwe": lambda: kalman.MerweScaledSigmaPoints(3, alpha=0.5, beta=2.0, kappa=0.0),
    "Julier": lambda: kalman.JulierSigmaPoints(3, kappa=0.5),
    "simplex": lambda: kalman.SimplexSigmaPoints(3),
}


@pytest.mark.parametrize("points", POINTS)
def test_unscented_filter(points: str) -> None:
    theirs = kalman.UnscentedKalmanFilter(3, 1, 0.05, radar, straight, POINTS[points]())
    theirs.x, theirs.P = np.array([0.0, 90.0, 1100.0]), np.diag([100.0, 100.0, 400.0])
    theirs.Q, theirs.R = np.diag([0.01, 0.1, 0.01]), np.array([[10.0]])
    ours = from_filterpy(theirs)
    for z in slant_ranges():
        theirs.predict()
        theirs.update(z)
        ours.predict()
        ours.update("z", z)
    if points == "simplex":  # that of filterpy is turned against ours, which a curved sensor notices
        np.testing.assert_allclose(ours.belief.mean, theirs.x, atol=0.5)
    else:
        same(ours, theirs, atol=1e-6)


def test_extended_filter() -> None:
    theirs = kalman.ExtendedKalmanFilter(dim_x=3, dim_z=1)
    theirs.F = np.eye(3) + np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]) * 0.05
    theirs.x, theirs.P = np.array([[0.0], [90.0], [1100.0]]), np.eye(3) * 50.0
    theirs.Q, theirs.R = np.eye(3) * 0.1, np.array([[25.0]])
    seen = lambda x: np.array([[math.hypot(x[0, 0], x[2, 0])]])
    ours = from_filterpy(theirs, observe=seen, jacobian=radar_jacobian)
    numeric = from_filterpy(theirs, observe=seen)
    for z in slant_ranges():
        theirs.predict()
        theirs.update(np.array([[z]]), radar_jacobian, seen)
        for each in (ours, numeric):
            each.predict()
            each.update("z", z)
    same(ours, theirs)
    same(numeric, theirs, atol=1e-5)


class Pendulum(kalman.ExtendedKalmanFilter):  # as somebody writes an EKF with filterpy
    def predict_x(self, u: Any = 0) -> None:
        angle, rate = self.x
        self.F = np.array([[1.0, DT], [-9.81 * DT * math.cos(angle), 1.0]])
        self.x = np.array([angle + DT * rate, rate - 9.81 * DT * math.sin(angle)])


def test_extended_filter_with_a_prediction_of_its_own() -> None:
    theirs = Pendulum(dim_x=2, dim_z=1)
    theirs.x, theirs.P, theirs.Q, theirs.R = np.array([1.0, 0.0]), np.eye(2), np.eye(2) * 1e-3, np.eye(1) * 0.01
    seen, jacobian = lambda x: np.sin(x[:1]), lambda x: np.array([[math.cos(x[0]), 0.0]])
    ours = from_filterpy(theirs, observe=seen, jacobian=jacobian)
    for k in range(40):
        theirs.predict()
        theirs.update(np.array([math.sin(0.5 * math.cos(3 * k * DT))]), jacobian, seen)
        ours.predict()
        ours.update("z", [math.sin(0.5 * math.cos(3 * k * DT))])
    same(ours, theirs)


def modes() -> list[Any]:
    """Two filters of a target in the plane: one follows every turn, the other none."""
    filters = []
    for var in (1.0, 0.001):
        kf = kalman.KalmanFilter(dim_x=4, dim_z=2)
        kf.F = np.kron(np.eye(2), [[1.0, 1.0], [0.0, 1.0]])
        kf.H = np.kron(np.eye(2), [[1.0, 0.0]])
        kf.Q = common.Q_discrete_white_noise(2, 1.0, var, block_size=2)
        filters.append(kf)
    return filters


def test_interacting_models() -> None:
    theirs = kalman.IMMEstimator(modes(), (0.5, 0.5), np.array([[0.97, 0.03], [0.05, 0.95]]))
    ours = from_filterpy(theirs)
    assert isinstance(ours.estimator, IMM)
    for k in range(20):
        z = np.array([k + math.sin(k), k + math.cos(k)])
        theirs.predict()
        theirs.update(z[:, None])
        ours.predict()
        ours.update("z", z)
    same(ours, theirs)
    np.testing.assert_allclose(ours.belief.weights, theirs.mu, rtol=1e-8)


def test_bank_that_never_switches() -> None:
    filters = modes()
    for each in filters:
        each.x = each.x.ravel()
    theirs = kalman.MMAEFilterBank(filters, np.array([0.5, 0.5]), dim_x=4, H=filters[0].H)
    ours = from_filterpy(theirs)
    assert isinstance(ours.estimator, MultipleModel)
    for k in range(15):
        z = np.array([k + 0.3 * math.sin(k), k - 0.2 * math.cos(k)])
        theirs.predict()
        theirs.update(z)
        ours.predict()
        ours.update("z", z)
    np.testing.assert_allclose(ours.belief.weights, theirs.p, rtol=1e-6)
    np.testing.assert_allclose(ours.belief.moments().mean, theirs.x, rtol=1e-8)


@pytest.mark.parametrize("kind", ["CubatureKalmanFilter", "EnsembleKalmanFilter"])
def test_sampled_filters_keep_their_model(kind: str) -> None:
    """These two differ from ours in how they draw; on linear models both tend to the Kalman filter."""
    F, H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    fx, hx = (lambda x, dt: F @ x), (lambda x: H @ x)
    if kind == "CubatureKalmanFilter":
        theirs = kalman.CubatureKalmanFilter(2, 1, 1.0, hx, fx)
        theirs.x, theirs.P = np.array([2.0, 0.0]), np.eye(2) * 10.0
    else:
        theirs = kalman.EnsembleKalmanFilter(np.array([2.0, 0.0]), np.eye(2) * 10.0, 1, 1.0, 4000, hx, fx)
    theirs.Q, theirs.R = np.eye(2) * 0.05, np.eye(1) * 4.0
    ours = from_filterpy(theirs)
    assert isinstance(ours.estimator, CKF if kind.startswith("Cub") else EnsembleKF)
    exact = linear(kalman.KalmanFilter)
    exact.x, exact.P, exact.Q, exact.R = np.array([2.0, 0.0]), np.eye(2) * 10.0, theirs.Q, theirs.R
    for z in ZS[:10]:
        exact.predict()
        exact.update(z)
        ours.predict()
        ours.update("z", z)
    belief, slack = ours.belief.moments(), 1e-8 if kind.startswith("Cub") else 0.15
    np.testing.assert_allclose(belief.mean, exact.x, atol=slack)
    np.testing.assert_allclose(belief.cov, exact.P, atol=4 * slack)


# -- what cannot be taken over says so


def test_hooks_need_a_space() -> None:
    points = kalman.MerweScaledSigmaPoints(3, 0.5, 2.0, 0.0)
    wrap = lambda a, b: a - b
    theirs = kalman.UnscentedKalmanFilter(3, 1, 0.1, radar, straight, points, residual_z=wrap)
    theirs.x = np.array([1.0, 2.0, 3.0])
    with pytest.raises(ModelError, match="residual_z"):
        from_filterpy(theirs)
    assert from_filterpy(theirs, reading=Space("bearing: angle")).sensors["z"].reading.names == ("bearing",)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda kf: setattr(kf, "M", np.ones((2, 1))), "M"),
        (lambda kf: setattr(kf, "H", np.ones((1, 3))), "H"),
        (lambda kf: setattr(kf, "F", np.ones((2, 3))), "F"),
        (lambda kf: setattr(kf, "Q", np.array([[1.0, 2.0], [0.0, 1.0]])), "Q"),
        (lambda kf: setattr(kf, "x", np.zeros(3)), "3"),
    ],
)
def test_what_is_wrong_in_theirs_is_named(spoil: Callable[[Any], None], named: str) -> None:
    theirs = linear(kalman.KalmanFilter)
    spoil(theirs)
    with pytest.raises(ModelError, match=named):
        from_filterpy(theirs)


def test_other_objects_are_refused() -> None:
    with pytest.raises(ModelError, match="list"):
        from_filterpy([1, 2])
    with pytest.raises(ModelError, match="observe"):
        from_filterpy(kalman.ExtendedKalmanFilter(dim_x=2, dim_z=1))
    with pytest.raises(ModelError, match="state"):
        from_filterpy(linear(kalman.KalmanFilter), state=Space("x y z"))
    with pytest.raises(SettingError):
        to_filterpy(3)  # pyright: ignore[reportArgumentType]


def test_modes_with_sensors_of_their_own_are_refused() -> None:
    first, second = modes()
    second.R = second.R * 2.0
    with pytest.raises(ModelError, match="R"):
        from_filterpy(kalman.IMMEstimator([first, second], (0.5, 0.5), np.eye(2)))


def test_later_changes_do_not_reach_the_filter() -> None:
    theirs = linear(kalman.KalmanFilter)
    ours, spared = from_filterpy(theirs), copy.deepcopy(theirs)
    theirs.Q *= 100.0
    theirs.x += 1.0
    spared.predict()
    ours.predict()
    same(ours, spared)


# -- and back


def test_there_and_back() -> None:
    theirs = linear(kalman.KalmanFilter)
    back = to_filterpy(from_filterpy(theirs), dt=1.0)
    for name in ("F", "H", "Q", "R", "P"):
        np.testing.assert_allclose(getattr(back, name), getattr(theirs, name))


def test_kalman_filter_becomes_theirs() -> None:
    ours = KF(constant_velocity(2), dt=DT).start([1, 2, 3, 4], std=2.0, sensors={"z": position(2, std=0.4)})
    theirs = to_filterpy(ours)
    for k in range(10):
        z = np.array([1.0 + k, 2.0 - k])
        theirs.predict()
        theirs.update(z)
        ours.predict()
        ours.update("z", z)
    same(ours, theirs)


def test_extended_filter_becomes_theirs() -> None:
    car = bicycle(wheelbase=2.7, integrator="euler", noise=(0.1, 0.1, 0.05, 0.3))
    ours = EKF(car, dt=DT).start([0, 0, 0, 1], std=[1, 1, 0.1, 0.5])
    fix = gnss(std=1.5)
    theirs = to_filterpy(ours, fix)
    theirs.Q = np.array(car.noise(ours.belief.mean, np.zeros(2), DT))
    for k in range(10):
        z = np.array([0.1 * k, 0.02 * k])
        theirs.predict(u=np.array([0.5, 0.02]))
        theirs.update(z, theirs.HJacobian, theirs.Hx, residual=theirs.residual)
        ours.predict(u=[0.5, 0.02])
        ours.update(fix, z)
    same(ours, theirs, atol=1e-6)


def test_unscented_filter_becomes_theirs_with_hooks() -> None:
    estimator = UKF(unicycle(noise=(0.1, 0.1, 0.05)), dt=DT, points=JulierPoints(0.5))
    mark = range_bearing(std=(0.3, 0.02))
    ours = estimator.start([0, 0, 3.1], std=[0.5, 0.5, 0.3])
    with pytest.raises(ModelError, match="context"):
        to_filterpy(ours, mark)
    theirs = to_filterpy(ours, position(2, std=0.5))
    for k in range(30):
        theirs.predict(u=np.array([1.0, 0.4]))
        theirs.update(np.array([-0.1 * k, 0.01 * k]))
        ours.predict(u=[1.0, 0.4])
        ours.update(position(2, std=0.5), [-0.1 * k, 0.01 * k])
    same(ours, theirs, atol=1e-2)  # their Q stays what it was
    assert -math.pi <= theirs.x[2] <= math.pi, "the hooks keep the yaw in its range"


def test_what_filterpy_lacks_is_refused() -> None:
    ours = SquareRootEKF(constant_velocity(2), dt=DT).start(std=1.0, sensors={"z": position(2)})
    with pytest.raises(ModelError, match="SquareRootEKF"):
        to_filterpy(ours)
    with pytest.raises(SettingError, match="nose"):
        to_filterpy(ours, "nose")
