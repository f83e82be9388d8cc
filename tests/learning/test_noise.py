"""Noise by gradients: the filter in torch is the compiled one, and known noise is found within its stated errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pilotage.core import Gaussian, ModelError, Readings, SettingError  # noqa: E402
from pilotage.estimators import EKF, KF, UKF  # noqa: E402
from pilotage.estimators._clock import Clock  # noqa: E402
from pilotage.estimators._timeline import timeline  # noqa: E402
from pilotage.learning import fit_noise  # noqa: E402
from pilotage.learning.noise import log_likelihood  # noqa: E402
from pilotage.models import bicycle, constant_velocity, gnss, position, range_bearing, unicycle  # noqa: E402

DT = 0.1


def drive(rng: Any, robot: Any, sonar: Any, steps: int) -> Any:
    us, marks = np.tile([1.0, 0.8], (steps, 1)), np.tile([[6.0, 5.0], [-6.0, 3.0]], (steps // 2, 1))
    x, xs = np.array([0.0, 0.0, 2.5]), []
    for u in us:
        x = robot.state.plus(robot.step(x, u, DT), rng.multivariate_normal(np.zeros(3), robot.noise(x, u, DT)))
        xs.append(x)
    return us, marks, sonar.on(robot.state).sample(np.array(xs), marks, rng=rng)


def test_the_filter_in_torch_is_the_compiled_one() -> None:
    """To 1e-10, with headings and bearings beyond half a turn, missing components, contexts and several sensors."""
    rng, robot, sonar = np.random.default_rng(1), unicycle(noise=0.05), range_bearing(std=(0.1, 0.02))
    us, marks, zs = drive(rng, robot, sonar, 60)
    zs[5], zs[9, 0], zs[20, 1] = np.nan, np.nan, np.nan
    ts = DT * np.arange(1, 61)
    readings = [
        Readings(sonar, zs, ts, contexts=marks),
        Readings(gnss(std=0.5), rng.normal(size=(12, 2)), ts[::5] + 0.04),
    ]
    start = Gaussian.of(robot.state, [0.0, 0.0, 2.5], std=0.2)
    run = EKF(robot, dt=DT).start(belief=start).run(us, readings, ts)
    steps = timeline(Clock(0.0, DT, robot), robot, us, readings, ts)
    found = log_likelihood(start, steps)
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
    log_likelihood(start, steps, parameters={"wheelbase": value}).sum().backward()
    assert value.grad is not None
    assert float(value.grad) == pytest.approx((compiled(2.0 + 1e-4) - compiled(2.0 - 1e-4)) / 2e-4, rel=1e-5)


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
        ({"estimator": UKF(constant_velocity(1), dt=DT)}, ModelError, "UKF"),
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
