"""Noise by gradients: the filter in torch is the compiled one, and known noise is found within its stated errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pilotage.core import Gaussian, ModelError, Readings, SettingError, Space  # noqa: E402
from pilotage.estimators import (  # noqa: E402
    CKF,
    EKF,
    GHKF,
    IEKF,
    IMM,
    KF,
    UKF,
    JulierPoints,
    SimplexPoints,
)
from pilotage.estimators._clock import Clock  # noqa: E402
from pilotage.estimators._timeline import timeline  # noqa: E402
from pilotage.learning import fit_noise  # noqa: E402
from pilotage.learning.likelihood import log_likelihood  # noqa: E402
from pilotage.models import (  # noqa: E402
    bicycle,
    constant_acceleration,
    constant_turn,
    constant_velocity,
    dynamics,
    gnss,
    position,
    range_bearing,
    sensor,
    unicycle,
)

DT = 0.1
CURVED = Space("q: quaternion", "pose: SE2", "s [m/s]")
POINTS = [None, JulierPoints(0.0), SimplexPoints()]


@dynamics(state=CURVED, action=Space("a", "b"), params={"gain": 1.0}, noise=(0.3, 0.3, 0.3, 0.2, 0.2, 0.3, 0.2))
def flyer(x: Any, u: Any, p: Any, m: Any) -> Any:
    return 0.5 * p.gain * u[0], 0.2 * u[1], 0.3, p.gain * x[7], 0.0, u[1], u[0]


@sensor(state=CURVED, reading=Space("yaw: angle", "x", "y"), std=(0.2, 0.1, 0.1))
def camera(x: Any, c: Any, p: Any, m: Any) -> Any:
    w, i, j, k = x[:4]
    return m.atan2(2.0 * (w * k + i * j), 1.0 - 2.0 * (j * j + k * k)), x[4] + 0.1 * x[6], x[5]


def drive(rng: Any, robot: Any, sonar: Any, steps: int) -> Any:
    us, marks = np.tile([1.0, 0.8], (steps, 1)), np.tile([[6.0, 5.0], [-6.0, 3.0]], (steps // 2, 1))
    x, xs = np.array([0.0, 0.0, 2.5]), []
    for u in us:
        x = robot.state.plus(robot.step(x, u, DT), rng.multivariate_normal(np.zeros(3), robot.noise(x, u, DT)))
        xs.append(x)
    return us, marks, sonar.on(robot.state).sample(np.array(xs), marks, rng=rng)


@pytest.mark.parametrize("yaw_std", [0.2, 2.5])
@pytest.mark.parametrize("filter", [EKF(), CKF(), GHKF(), UKF(alpha=0.5), *(UKF(points=each) for each in POINTS)])
def test_the_filter_in_torch_is_the_compiled_one(filter: Any, yaw_std: float) -> None:
    """To 1e-10, with headings and bearings beyond half a turn, missing components, contexts and several sensors."""
    rng, robot, sonar = np.random.default_rng(1), unicycle(noise=0.05), range_bearing(std=(0.1, 0.02))
    us, marks, zs = drive(rng, robot, sonar, 60)
    zs[5], zs[9, 0], zs[20, 1] = np.nan, np.nan, np.nan
    ts = DT * np.arange(1, 61)
    readings = [
        Readings(sonar, zs, ts, contexts=marks),
        Readings(gnss(std=0.5), rng.normal(size=(12, 2)), ts[::5] + 0.04),
    ]
    start = Gaussian.of(robot.state, [0.0, 0.0, 2.5], std=[0.2, 0.2, yaw_std])
    run = filter.run(start, robot, us, readings, DT, ts=ts)
    steps = timeline(Clock(0.0, DT, robot), robot, us, readings, ts)
    found = log_likelihood(filter, start, steps)
    assert found.shape == (1,)
    assert float(found) == pytest.approx(float(run.log_likelihood.sum()), abs=1e-10)


def test_the_gradient_is_that_of_the_compiled_filter() -> None:
    """Against central differences over the compiled filter, for a parameter of the model."""
    rng = np.random.default_rng(2)
    us, zs = np.tile([0.5, 0.1], (30, 1)), rng.normal(size=(30, 2)).cumsum(0) * 0.1
    start = Gaussian.of(bicycle().state, [0, 0, 0, 1.0], std=0.3)

    def compiled(wheelbase: float) -> float:
        run = EKF().run(start, bicycle(wheelbase=wheelbase), us, zs, DT, sensor=gnss(std=0.5))
        return float(run.log_likelihood.sum())

    car = bicycle(wheelbase=2.0)
    steps = timeline(Clock(0.0, DT, car), car, us, zs, sensor=gnss(std=0.5))
    value = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    log_likelihood(EKF(), start, steps, [car.replace(wheelbase=value)]).sum().backward()
    assert value.grad is not None
    assert float(value.grad) == pytest.approx((compiled(2.0 + 1e-4) - compiled(2.0 - 1e-4)) / 2e-4, rel=1e-5)


def flight(estimator: Any, gain: Any) -> tuple[Any, Any, Any]:
    """What to run for a flyer or two, on rotations and poses: the first belief, the dynamics, and readings."""
    rng = np.random.default_rng(4)
    us, zs = rng.normal(size=(12, 2)), 0.4 * rng.normal(size=(12, 3))
    zs[3, 0] = np.nan
    models = (flyer(gain=gain), flyer(gain=2.0))[: 2 if isinstance(estimator, IMM) else 1]
    start = estimator.first(std=0.3) if isinstance(estimator, IMM) else Gaussian.of(CURVED, std=0.3)
    return start, models, (us, zs)


@pytest.mark.parametrize(
    "estimator",
    [EKF(), *(UKF(points=each) for each in POINTS), IMM((flyer(), flyer(gain=2.0)), 0.9, dt=DT, filter=(EKF(), UKF()))],
)
def test_value_and_gradient_on_curved_spaces_are_those_of_the_compiled_filter(estimator: Any) -> None:
    def compiled(gain: float) -> float:
        start, models, (us, zs) = flight(estimator, gain)
        moving = models if isinstance(estimator, IMM) else models[0]
        return float(estimator.run(start, moving, us, zs, DT, sensor=camera()).log_likelihood.sum())

    value = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    start, models, (us, zs) = flight(estimator, value)
    steps = timeline(Clock(0.0, DT, flyer()), flyer(), us, zs, sensor=camera())
    found = log_likelihood(estimator, start, steps, models).sum()
    found.backward()
    assert value.grad is not None
    assert float(found.detach()) == pytest.approx(compiled(1.0), abs=1e-10)
    assert float(value.grad) == pytest.approx((compiled(1.0 + 1e-5) - compiled(1.0 - 1e-5)) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("filter", [EKF(), UKF(), (KF(), UKF(points=SimplexPoints()), EKF())])
def test_modes_of_different_states_are_mixed_as_the_compiled_ones(filter: Any) -> None:
    """A batch of targets, of which some readings are missing, in three modes, one of which none leads to."""
    rng = np.random.default_rng(5)
    models = (constant_velocity(2, density=0.2), constant_turn(density=0.1), constant_acceleration(2, density=0.5))
    zs = 0.3 * rng.normal(size=(3, 20, 2)).cumsum(1)
    zs[0, 4], zs[1, 7, 1] = np.nan, np.nan
    imm = IMM(models, ((0.9, 0.1, 0.0), (0.2, 0.8, 0.0), (0.5, 0.5, 0.0)), dt=DT, filter=filter)
    start = imm.first(mean={"x": 0.0, "y": 0.0, "vx": 1.0}, std=1.0)
    run = imm.run(start, None, None, zs, sensor=position(std=0.3))
    steps = timeline(Clock(0.0, DT, *models), models[0], None, zs, sensor=position(std=0.3))
    found = log_likelihood(imm, start, steps)
    np.testing.assert_allclose(found.numpy(), run.log_likelihood.sum(-1), rtol=0.0, atol=1e-10)


def test_covariances_need_no_full_rank() -> None:
    """A component that is certain spreads no points, as in the compiled filter."""
    line, zs = constant_velocity(1, density=0.0), np.arange(5.0)[:, None]
    start = Gaussian.trusted(line.state, np.array([0.0, 1.0]), np.diag([1.0, 0.0]))
    run = UKF().run(start, line, None, zs, DT, sensor=position(1))
    steps = timeline(Clock(0.0, DT, line), line, None, zs, sensor=position(1))
    assert float(log_likelihood(UKF(), start, steps)) == pytest.approx(float(run.log_likelihood.sum()), abs=1e-10)


@pytest.mark.parametrize("several", [False, True])
def test_what_was_fitted_is_in_the_models(several: bool) -> None:
    """The compiled filter with the fitted models finds the readings as likely as the fit says."""
    rng = np.random.default_rng(6)
    zs = 0.4 * rng.normal(size=(6, 2)).cumsum(0)
    models = (constant_velocity(density=0.2), constant_turn(density=0.1))
    imm, ukf = IMM(models, 0.9, dt=DT, filter=(EKF(), UKF())), UKF(models[1], dt=DT)
    estimator: Any = imm if several else ukf
    start: Any = imm.first(mean={"x": 0.0}, std=1.0) if several else Gaussian.of(models[1].state, std=1.0)
    found = fit_noise(estimator, start, zs, sensor=position(std=0.3), process=["vx"], params=["density"], iterations=2)
    run = estimator.run(start, found.dynamics, None, zs, DT, sensor=found.sensors[0])
    assert float(run.log_likelihood.sum()) == pytest.approx(found.log_likelihoods[1], abs=1e-9)
    assert found.log_likelihoods[1] > found.log_likelihoods[0]
    assert len(found.fitted) == (5 if several else 3)
    assert found["density of constant_turn" if several else "density"].value != 0.1


def test_known_noise_is_found_within_its_errors() -> None:
    """Forty sequences of which each is fitted with the others; noise that the model has wrong by 3 and by 2."""
    rng, line = np.random.default_rng(3), constant_velocity(1, density=0.9)
    F, Q = line.linearize(np.zeros(2), [], DT)[0], line.noise(np.zeros(2), [], DT)
    x, xs = np.zeros((40, 2)), []
    for _ in range(25):
        x = x @ F.T + rng.multivariate_normal(np.zeros(2), Q, size=40)
        xs.append(x[:, :1])
    zs = np.stack(xs, axis=1) + 0.25 * rng.normal(size=(40, 25, 1))
    zs[0, 10:20] = np.nan
    start = Gaussian.of(line.state, np.zeros((40, 2)), std=0.1)
    calls: list[int] = []
    found = fit_noise(
        KF(constant_velocity(1, density=0.3), dt=DT), start, zs, sensor=position(1, std=0.5), iterations=6,
        progress=lambda n, _: calls.append(n),
    )  # fmt: skip
    q, r = found["process noise"], found["measurement noise of position"]
    assert abs(q.value - 3.0) < 3.0 * q.std and q.std < 0.5
    assert abs(r.value - 0.5) < 3.0 * r.std and r.std < 0.05
    assert found.log_likelihoods[1] > found.log_likelihoods[0] and calls == list(range(1, len(calls) + 1))
    named = fit_noise(
        KF(constant_velocity(1, density=0.3), dt=DT), start, zs, sensor=position(1, std=0.25), process=False,
        measurement=False, params=["density"], iterations=6,
    )  # fmt: skip
    assert named["density"].value == pytest.approx(0.3 * q.value, rel=0.05)
    assert named.dynamics.params["density"] == named["density"].value


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"estimator": IEKF(constant_velocity(1), dt=DT)}, ModelError, "IEKF"),
        ({"estimator": IMM((constant_velocity(1),), 1.0, dt=DT, filter=IEKF())}, ModelError, "IEKF"),
        ({"estimator": KF(dt=DT)}, ModelError, "dynamics"),
        ({"process": ["speed"]}, SettingError, "speed"),
        ({"params": ["wheelbase"]}, SettingError, "wheelbase"),
        ({"process": False, "measurement": False}, SettingError, "nothing"),
        ({"iterations": 0}, SettingError, "iterations"),
    ],
)
def test_what_cannot_be_is_refused(change: Any, error: type[Exception], said: str) -> None:
    given: dict[str, Any] = {"estimator": KF(constant_velocity(1), dt=DT), "sensor": position(1), **change}
    with pytest.raises(error, match=said):
        fit_noise(belief=Gaussian.of(constant_velocity(1).state, std=1.0), readings=np.zeros((4, 1)), **given)
