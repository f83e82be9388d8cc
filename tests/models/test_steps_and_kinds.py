"""Arguments of a step: positive seconds, and arrays or tensors, also mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, ModelError, PilotageError, Space
from pilotage.models import LinearDynamics, bicycle, dynamics, range_to, sensor, task
from pilotage.testing import check_dynamics, check_sensor

PLACE = Space("x y [m]")


class Drift(Dynamics):
    """A plain model."""

    state, action = PLACE, PLACE

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return x + dt * u


MODELS: dict[str, Dynamics] = {"traced": bicycle(), "linear": LinearDynamics([[0, 1], [0, 0]], [[0], [1]])}


@pytest.mark.parametrize("dt", [None, "soon", np.nan, np.inf, -np.inf, [0.1, 0.2], np.full(1, 0.1), 1j])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_step_takes_a_number_of_seconds(model: Dynamics, dt: Any) -> None:
    x, u = np.zeros(model.state.size), np.zeros(model.action.size)
    for call in (model.step, model.linearize, model.noise):
        with pytest.raises(PilotageError, match="a step takes a finite number of seconds"):
            call(x, u, dt)
    with pytest.raises(PilotageError, match="a step takes a finite number of seconds"):
        model.rollout(x, u[None], dt)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_step_back_undoes_a_step(model: Dynamics) -> None:
    rng = np.random.default_rng(1)
    x, u = rng.normal(size=model.state.size), rng.normal(size=model.action.size)
    there = model.step(x, u, 0.01)
    np.testing.assert_allclose(model.step(there, u, -0.01), x, atol=1e-8)
    np.testing.assert_allclose(model.rollout(there, u[None], -0.01)[-1], x, atol=1e-8)
    with pytest.raises(PilotageError, match="not negative; dt is -0.01"):
        model.noise(x, u, -0.01)


def test_a_plain_rollout_takes_a_number_of_seconds() -> None:
    with pytest.raises(PilotageError, match="a step takes a finite number of seconds"):
        Drift().rollout(np.zeros(2), np.zeros((3, 2)), np.nan)


@task(
    state=PLACE, action=PLACE, stage=Space("rx ry [m]"), terminal=lambda x, r, p, m: m.hypot(x[0] - r[0], x[1] - r[1])
)
def stay_near(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
    return (x[0] - r[0]) ** 2 + (x[1] - r[1]) ** 2 + u[0] * u[0] + u[1] * u[1]


def test_where_one_is_a_tensor_all_are() -> None:
    """Tensor state and numpy action, and the reverse, give the tensor that arrays give as an array."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    car, beacon, cost = bicycle(), range_to(), stay_near()
    x, u, r = rng.normal(size=(5, 4)), rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    us, place = rng.normal(size=(5, 3, 2)), x[:, :2]
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (lambda a, b: car.step(a, b, 0.1), (x, u)),
        (lambda a, b: car.linearize(a, b, 0.1)[0], (x, u)),
        (lambda a, b: car.linearize(a, b, 0.1)[1], (x, u)),
        (lambda a, b: car.noise(a, b, 0.1), (x, u)),
        (lambda a, b: car.rollout(a, b, 0.1), (x, us)),
        (beacon.observe, (place, r)),
        (beacon.linearize, (place, r)),
        (beacon.noise, (place, r)),
        (cost.cost, (place, u, r)),
        (cost.terminal_cost, (place, r)),
    ]
    for call, given in calls:
        expected = call(*given)
        assert isinstance(expected, np.ndarray)
        for i in range(len(given)):
            mixed = [torch.tensor(a) if k == i else a for k, a in enumerate(given)]
            found = call(*mixed)
            assert isinstance(found, torch.Tensor)
            assert found.dtype == torch.float64
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    leaf = torch.tensor(u, dtype=torch.float32, requires_grad=True)
    following = car.step(x, leaf, 0.1)
    assert following.dtype == torch.float32, "the tensor's precision counts"
    following.sum().backward()
    assert leaf.grad is not None


def test_a_task_without_reference_takes_none() -> None:
    @task(state=PLACE, action=PLACE)
    def be_still(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u[0] * u[0] + u[1] * u[1]

    still = be_still()
    for call in (lambda: still.cost([0, 0], [1, 1], [3.0]), lambda: still.terminal_cost([0, 0], [3.0])):
        with pytest.raises(ModelError, match="be_still is a task without reference.*stage=Space"):
            call()
    with pytest.raises(ModelError, match="be_still is a task without reference"):
        be_still(references=lambda x, t, steps: np.zeros((steps + 1, 2)))
    with pytest.raises(ModelError, match="stay_near needs 2 reference numbers per stage"):
        stay_near().cost([0, 0], [1, 1])


def test_a_single_component_needs_no_tuple() -> None:
    @dynamics(state=Space("x"), action=Space("u"))
    def integrator(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u[0]

    @sensor(state=Space("x"), reading=Space("z"))
    def doubled(x: Any, c: Any, p: Any, m: Any) -> Any:
        return 2.0 * x[0]

    xs = np.arange(6.0).reshape(2, 3, 1)
    np.testing.assert_array_equal(integrator().step(xs, np.ones(1), 0.5), xs + 0.5)
    np.testing.assert_array_equal(doubled().observe(xs), 2.0 * xs)
    check_dynamics(integrator(), compiled=False)
    check_sensor(doubled(), compiled=False)
    with pytest.raises(ModelError, match="takes a model value for a list or an array"):
        sensor(state=Space("x"), reading=Space("z"))(lambda x, c, p, m: np.array([x[0]]))()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "returned None .is its `return` missing.*4 rates"),
        (np.zeros(4), r"returned an array of shape \(4,\)"),
        ("rates", "returned a str"),
    ],
    ids=["nothing", "an array", "text"],
)
def test_a_model_returns_a_tuple(answer: Any, sentence: str) -> None:
    @dynamics(state=Space("x y vx vy"), action=Space("ax ay"))
    def forgetful(x: Any, u: Any, p: Any, m: Any) -> Any:
        return answer

    with pytest.raises(ModelError, match=f"forgetful {sentence}"):
        forgetful()
