"""The public checks pass what is right, of any kind, and find what they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, Sensor, Space
from pilotage.models import bicycle, pendulum, sensor
from pilotage.testing import check_dynamics, check_sensor

CAR = bicycle()


class Plain(Dynamics):
    """A bicycle that nobody can trace: plain numpy."""

    state, action = CAR.state, CAR.action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        x, u = np.broadcast_arrays(np.asarray(x)[..., :4], np.concatenate([u, u], -1))
        yaw, speed = x[..., 2], x[..., 3]
        rates = [speed * np.cos(yaw), speed * np.sin(yaw), speed * np.tan(u[..., 1]) / 2.7, u[..., 0]]
        return self.state.plus(x, dt * np.stack(rates, -1))

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return dt * 0.01 * np.ones((*np.broadcast_shapes(x.shape[:-1], u.shape[:-1]), 1, 1)) * np.eye(4)


class Anchor(Sensor):
    """Range to the origin, in plain numpy."""

    state, reading = Space("x y [m]"), Space("range [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.linalg.norm(x, axis=-1, keepdims=True)

    def noise(self, x: Any, context: Any = None) -> Any:
        return 0.01 * np.eye(1)


def test_plain_python_passes() -> None:
    check_dynamics(Plain())
    check_sensor(Anchor())
    check_dynamics(Plain(), x=[0.0, 0.0, 0.1, 3.0], u=[[0.1, 0.2]], dt=0.02, rng=5)


def test_tensors_are_asked_for() -> None:
    pytest.importorskip("torch")
    with pytest.raises(AssertionError, match=r"Plain.step returned ndarray for tensors; return a tensor"):
        check_dynamics(Untensored(), tensors=True)


class Untensored(Plain):
    def step(self, x: Any, u: Any, dt: float) -> Any:
        return super().step(np.asarray(x), np.asarray(u), dt)

    name = "Plain"


def broken(method: str, replacement: Any) -> Dynamics:
    return type("Broken", (Plain,), {method: replacement})()


RIGHT = Plain()


def inplace(self: Any, x: Any, u: Any, dt: float) -> Any:
    y = RIGHT.step(x, u, dt)
    x[..., 0] += 1.0
    return y


def grows(self: Any, x: Any, u: Any, dt: float) -> Any:
    return RIGHT.step(x, u, dt) + x.mean() * 1e-3 * (x.ndim > 1)


@pytest.mark.parametrize(
    ("method", "replacement", "sentence"),
    [
        ("step", lambda s, x, u, dt: RIGHT.step(x, u, dt)[..., :3], r"shape \(3, 3\); \(3, 4\) was expected"),
        ("step", lambda s, x, u, dt: RIGHT.step(x, u, dt).tolist(), "returned list for numpy arrays"),
        ("step", lambda s, x, u, dt: RIGHT.step(x, u, dt).astype(np.float32), "returned float32; float64 was expected"),
        ("step", lambda s, x, u, dt: RIGHT.step(x, u, dt) * np.nan, "returned NaN or infinity for finite inputs"),
        ("step", lambda s, x, u, dt: RIGHT.step(x, u, dt) + [0, 0, 7.0, 0], r"leaves its space .* angles belong in"),
        ("step", inplace, "Broken.step changes its inputs; work on a copy"),
        ("step", grows, "a batch differs from the same one by one"),
        (
            "linearize",
            lambda s, x, u, dt: (np.zeros((*x.shape, 4)), np.zeros((*x.shape, 2))),
            "F of .* central differences",
        ),
        (
            "linearize",
            lambda s, x, u, dt: (RIGHT.linearize(x, u, dt)[0], 2.0 * RIGHT.linearize(x, u, dt)[1]),
            "B of Broken.linearize differs from central differences",
        ),
        ("noise", lambda s, x, u, dt: RIGHT.noise(x, u, dt) + np.eye(4, k=1), "is not symmetric"),
        ("noise", lambda s, x, u, dt: -RIGHT.noise(x, u, dt), "has the negative eigenvalue -1.00e-03"),
        ("noise", lambda s, x, u, dt: np.eye(4), r"noise has shape \(4, 4\); \(3, 4, 4\) was expected"),
        (
            "rollout",
            lambda s, x0, us, dt: np.flip(RIGHT.rollout(x0, us, dt), -2),
            "rollout does not begin with the initial states",
        ),
        (
            "rollout",
            lambda s, x0, us, dt: RIGHT.rollout(x0, us, 1.1 * dt),
            "rollout differs from step in step 0",
        ),
    ],
)
def test_broken_dynamics(method: str, replacement: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_dynamics(broken(method, replacement))


@pytest.mark.parametrize(
    ("method", "replacement", "sentence"),
    [
        ("observe", lambda s, x, context=None: np.linalg.norm(x, axis=-1), r"has shape \(3,\); \(3, 1\) was expected"),
        ("linearize", lambda s, x, context=None: np.ones((*x.shape[:-1], 1, 2)), "H of .* central differences"),
        ("noise", lambda s, x, context=None: np.eye(2), r"noise has shape \(2, 2\); \(3, 1, 1\) was expected"),
        ("noise", lambda s, x, context=None: -np.eye(1), "has the negative eigenvalue"),
        ("log_prob", lambda s, z, x, context=None: np.ones(len(x)), "not largest at the expected reading"),
        ("log_prob", lambda s, z, x, context=None: 1.0, r"log_prob has shape \(\); \(3,\) was expected"),
    ],
)
def test_broken_sensors(method: str, replacement: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_sensor(type("Broken", (Anchor,), {method: replacement})())


class Beacon(Sensor):
    """Offset of a place that is known, in plain numpy."""

    state = reading = context = Space("x y [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return context - x

    def noise(self, x: Any, context: Any = None) -> Any:
        return 0.01 * np.eye(2)


def test_derivatives_by_the_context_are_looked_at() -> None:
    check_sensor(Beacon())
    with pytest.raises(AssertionError, match="C of .*linearize_context differs from central differences"):
        check_sensor(type("Broken", (Beacon,), {"linearize_context": lambda s, x, c: -np.tile(np.eye(2), (3, 1, 1))})())


def test_missing_spaces() -> None:
    model: Any = type("Bare", (Plain,), {"action": None})()
    with pytest.raises(AssertionError, match=r"Bare\.action must be a Space; it is None"):
        check_dynamics(model)


def test_compiled_code_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code that says something else than the function does not get through."""
    model, other = pendulum(length=1.07), pendulum(length=1.1)
    monkeypatch.setattr(model, "vector", other.vector)
    with pytest.raises(AssertionError, match=r"pendulum\.\w+ .*differs"):
        check_dynamics(model)


def test_undefined_places_are_found() -> None:
    """A sensor that has no reading where its context is: NaN, not a number that misleads."""

    @sensor(state=Space("x y [m]"), reading=Space("slope"), context=Space("x y [m]"))
    def steep(x: Any, c: Any, p: Any, m: Any) -> Any:
        return (m.log((x[0] - c[0]) ** 2),)

    with (
        np.errstate(all="ignore"),
        pytest.raises(AssertionError, match="steep.observe returned NaN or infinity for finite inputs"),
    ):
        check_sensor(steep(), x=[[1.0, 2.0]], context=np.array([1.0, 0.0]), compiled=False)


def test_a_forgotten_wrap_is_found_on_either_side() -> None:
    class Spinner(Dynamics):
        state, action = Space("yaw: angle"), Space("rate [rad/s] in [1, 2]")

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return x + dt * u

    class Compass(Sensor):
        state, reading = Space("yaw: angle"), Space("heading: angle")

        def observe(self, x: Any, context: Any = None) -> Any:
            return x - 0.1

        def noise(self, x: Any, context: Any = None) -> Any:
            return np.eye(1)

    with pytest.raises(AssertionError, match="leaves its space"):
        check_dynamics(Spinner())
    with pytest.raises(AssertionError, match="leaves its space"):
        check_sensor(Compass())
