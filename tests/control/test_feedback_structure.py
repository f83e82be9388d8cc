"""Modes in words: the tests of Popov, Belevitch and Hautus against the rank of Kalman's matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.control import Modes, controllability, observability, stability
from pilotage.core import ModelError, SettingError
from pilotage.models import LinearDynamics, bicycle, cart_pole, pendulum, position, quadrotor, unicycle


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 3), st.floats(-3.0, 3.0))
@settings(max_examples=30, deadline=None)
def test_hidden_modes_are_found_in_any_coordinates_and_units(seed: int, d: int, hidden: int, units: float) -> None:
    rng = np.random.default_rng(seed)
    A, B = np.zeros((d + hidden, d + hidden)), np.zeros((d + hidden, 1))
    poles = rng.permutation(np.linspace(-2.0, 1.5, d + hidden))
    A[np.arange(d + hidden), np.arange(d + hidden)] = poles
    A[:d, d:] = rng.normal(size=(d, hidden))  # the hidden ones act on the others, not the other way round
    B[:d] = 1.0 + rng.random((d, 1))
    T = np.linalg.qr(rng.normal(size=A.shape))[0] * 10.0 ** rng.uniform(-abs(units), abs(units), (len(A), 1))
    modes = controllability(T @ A @ np.linalg.inv(T), T @ B)
    by_value = {round(v.real, 4): bool(r) for v, r in zip(modes.values, modes.reached)}  # type: ignore[arg-type]
    assert by_value == {round(p, 4): i < d for i, p in enumerate(poles)}
    assert modes.controllable == (hidden == 0)
    assert modes.stabilizable == (poles[d:] < -1e-6).all()
    seen = observability(np.linalg.inv(T).T @ A.T @ T.T, (T @ B).T)
    assert (seen.observable, seen.detectable) == (modes.controllable, modes.stabilizable)


def test_kalman_rank_agrees_on_models() -> None:
    for model, x, u in ((cart_pole(), None, None), (bicycle(), [0, 0, 0.3, 4.0], None), (bicycle(), None, None)):
        modes = controllability(model, x=x, u=u, dt=0.5)
        at = model.state.identity() if x is None else np.asarray(x, dtype=float)
        F, B = model.linearize(at, np.zeros(model.action.size), 0.5)
        rank = np.linalg.matrix_rank(np.hstack([np.linalg.matrix_power(F, k) @ B for k in range(len(F))]), tol=1e-9)
        assert modes.controllable == (rank == len(F))
        assert modes.controllable == controllability(model, x=x, u=u).controllable


def test_a_quadrotor_in_its_tangent() -> None:
    drone = quadrotor()
    hover = controllability(drone, u=[0.5 * 9.81, 0, 0, 0])
    assert hover.controllable and not hover.stable and hover.shares.shape[1] == 12
    falling = controllability(drone)  # without thrust, tilting moves nothing
    assert not falling.stabilizable
    assert "no action reaches it" in str(falling) and "x" in falling.names


def test_words() -> None:
    A = [[0.0, 1.0, 0.0], [-4.0, 0.2, 0.0], [0.0, 0.0, -1.0]]
    modes = controllability(A, [[0.0], [0.0], [1.0]], names=["theta", "rate", "z"])
    assert str(modes) == (
        "the mode at 0.1 +- 2i 1/s (theta, rate) is unstable and no action reaches it; the mode at -1 1/s (z) is stable"
    )
    assert str(stability(np.eye(2) * 0.5, discrete=True)) == ("the mode at 0.5 a step (x1, x2) is stable")
    assert stability(pendulum(damping=1.0), [np.pi, 0.0]).stable and not stability(pendulum()).stable
    parked = controllability(bicycle())
    assert parked.words(~parked.reached) == "the mode at 0 1/s (y, yaw) is not damped and no action reaches it"  # type: ignore[operator]
    assert repr(stability([[-1.0]])) == "Modes(the mode at -1 1/s (x1) is stable)"


def test_readings() -> None:
    cart = LinearDynamics([[0, 1], [0, 0]], [[0], [1]])
    assert observability(cart, [[1.0, 0.0]]).observable
    speed = observability(cart, [[0.0, 1.0]])
    assert not speed.detectable and "no reading shows it" in str(speed)
    assert not observability(unicycle(), position(2)).observable
    assert observability(unicycle(), position(2), u=[1.0, 0.0], dt=0.1).observable, "driving shows the heading"


def test_wrong_inputs() -> None:
    with pytest.raises(SettingError, match="without B"):
        _ = stability([[1.0]]).controllable
    with pytest.raises(ModelError, match="square"):
        stability([[1.0, 2.0]])
    with pytest.raises(ModelError, match="B has shape"):
        controllability(np.eye(2), [[1.0]])
    with pytest.raises(SettingError, match="x="):
        controllability(bicycle(), [0.0, 0.0, 0.0, 1.0])
    with pytest.raises(ModelError, match="names"):
        Modes.of(np.eye(2), names=["x"])
    with pytest.raises(SettingError, match="give C"):
        observability(np.eye(2), position(2))
    with pytest.raises(ModelError, match="give dt"):
        stability(LinearDynamics.discrete([[0.5]], Q=0.0))
