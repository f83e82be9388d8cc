"""Laws of models whose noise is multiplied: D Q D and r^2 R on all backends, and all else as it was."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Space
from pilotage.estimators import EKF
from pilotage.models import LinearDynamics, LinearSensor, bicycle, constant_velocity, dynamics, gnss, sensor, unicycle

DT = 0.1


@dynamics(state=Space("x [m]", "v [m/s]"), action=Space("a [m/s^2]"), noise=(0.1, 0.2), action_noise=(0.5,))
def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[1], u[0]


@sensor(state=Space("x [m]"), reading=Space("r [m]"), noise=lambda x, c, p, m: [0.1 + x[0] * x[0]])
def ranger(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (x[0],)


MOVING = [
    unicycle(noise=0.1), bicycle(), cart(), constant_velocity(1), LinearDynamics([[0.0, 1.0], [0.0, 0.0]], Qc=0.3),
    LinearDynamics.discrete([[0.5]], Q=2.0),
]  # fmt: skip


@pytest.mark.parametrize("model", MOVING, ids=repr)
def test_process_noise_is_multiplied_from_both_sides(model: Any) -> None:
    rng = np.random.default_rng(0)
    x, u = 0.3 * rng.normal(size=model.state.size), rng.normal(size=model.action.size)
    D = np.diag(1.0 + np.arange(model.state.dim))
    scaled = model.scale_noise(np.diag(D))
    np.testing.assert_allclose(scaled.noise(x, u, DT), D @ model.noise(x, u, DT) @ D, rtol=1e-12, atol=1e-15)
    again = pickle.loads(pickle.dumps(scaled.scale_noise(2.0)))
    np.testing.assert_allclose(again.noise(x, u, DT), 4.0 * D @ model.noise(x, u, DT) @ D, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(scaled.step(x, u, DT), model.step(x, u, DT))
    assert scaled != model or model.state.dim == 1
    assert model.scale_noise(2.0) == model.scale_noise(2.0) != model


@pytest.mark.parametrize("model", MOVING, ids=repr)
def test_compiled_filters_see_it(model: Any) -> None:
    scaled = model.scale_noise(3.0)
    before, after = (EKF(each, dt=DT).start(std=1.0) for each in (model, scaled))
    before.predict()
    after.predict()
    x, u = before.belief.space.identity(), np.zeros(model.action.size)
    np.testing.assert_allclose(after.belief.cov - before.belief.cov, 8.0 * model.noise(x, u, DT), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("meter", [gnss(std=0.5), ranger(), LinearSensor([[2.0]], R=0.3)], ids=repr)
def test_measurement_noise_is_multiplied(meter: Any) -> None:
    x = np.full(meter.state.size, 0.7)
    scaled = pickle.loads(pickle.dumps(meter.scale_noise(2.0).scale_noise(1.5)))
    np.testing.assert_allclose(scaled.noise(x), 9.0 * meter.noise(x), rtol=1e-12)
    np.testing.assert_array_equal(scaled.observe(x), meter.observe(x))
    wide = Space("more", *meter.state.parts)
    np.testing.assert_allclose(meter.on(wide).scale_noise(3.0).noise(np.full(wide.size, 0.7)), 9.0 * meter.noise(x))


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(ModelError, match="factors"):
        unicycle().scale_noise([1.0, 2.0])
    with pytest.raises(ModelError, match="perturbed"):
        unicycle().scale_noise([1.0, 2.0, 3.0]).perturbed("left")
