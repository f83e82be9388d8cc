"""Linear models: exact discretisation, and the same compiled code for every matrix and time step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from pilotage.core import ModelError, PilotageError, Space
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, parameters
from pilotage.testing import check_dynamics

A = np.array([[0.0, 1.0, 0.0], [-4.0, -0.4, 1.0], [0.0, 0.3, -2.0]])
B = np.array([[0.0], [1.0], [0.5]])
G = np.array([[0.0, 0.1], [1.0, 0.0], [0.0, 2.0]])
Qc = np.array([[0.5, 0.1], [0.1, 0.3]])


@pytest.mark.parametrize("dt", [1e-4, 0.1, 1.0, 20.0])
def test_van_loan_against_quadrature(dt: float) -> None:
    model = LinearDynamics(A, B, G=G, Qc=Qc)

    def noise(s: float) -> np.ndarray:
        J = scipy.linalg.expm(A * s) @ G
        return J @ Qc @ J.T

    def held(s: float) -> np.ndarray:
        return scipy.linalg.expm(A * s) @ B

    F, Bd, Q = model.discretized(dt)
    np.testing.assert_allclose(F, scipy.linalg.expm(A * dt), rtol=1e-10, atol=1e-13)
    exact = scipy.integrate.quad_vec(held, 0.0, dt, epsabs=1e-14, epsrel=1e-12)[0]
    np.testing.assert_allclose(Bd, exact, rtol=1e-9, atol=1e-12)
    exact = scipy.integrate.quad_vec(noise, 0.0, dt, epsabs=1e-14, epsrel=1e-12)[0]
    np.testing.assert_allclose(Q, exact, rtol=1e-9, atol=1e-12)


def test_long_steps_of_stiff_systems_reach_the_stationary_covariance() -> None:
    stiff = LinearDynamics(np.diag([-1e4, -1.0]), Qc=np.diag([2.0, 3.0]))
    F, _, Q = stiff.discretized(100.0)
    np.testing.assert_allclose(F, 0.0, atol=1e-15)
    np.testing.assert_allclose(Q, np.diag([1e-4, 1.5]), rtol=1e-12)


def test_a_step_is_made_of_smaller_steps() -> None:
    model = LinearDynamics(A, B, G=G, Qc=Qc)
    x, u = np.array([1.0, -2.0, 0.5]), np.array([0.7])
    half = model.step(model.step(x, u, 0.2), u, 0.2)
    np.testing.assert_allclose(model.step(x, u, 0.4), half, atol=1e-13)
    F, _, Q = model.discretized(0.2)
    np.testing.assert_allclose(model.discretized(0.4)[2], Q + F @ Q @ F.T, atol=1e-14)


def test_equals_the_traced_model_of_the_same_motion() -> None:
    traced = constant_velocity(2, density=0.7)
    chain = LinearDynamics(
        np.kron([[0, 1], [0, 0]], np.eye(2)), G=np.kron([[0], [1]], np.eye(2)), Qc=0.49 * np.eye(2), state=traced.state
    )
    x = traced.state.sample(5, rng=0)
    none = np.zeros((5, 0))
    np.testing.assert_allclose(chain.step(x, none, 0.3), traced.step(x, none, 0.3), atol=1e-14)
    np.testing.assert_allclose(chain.noise(x, none, 0.3), traced.noise(x, none, 0.3), atol=1e-14)


def test_angles_wrap() -> None:
    turn = LinearDynamics([[0.0, 1.0], [0.0, 0.0]], state=Space("yaw: angle", "rate [rad/s]"))
    assert turn.step([3.0, 1.0], [], 0.5)[0] == pytest.approx(3.5 - 2 * np.pi)


def test_new_matrices_and_steps_share_one_kernel() -> None:
    first, second = LinearDynamics(A, B, G=G, Qc=Qc), LinearDynamics(2.0 * A, B, G=G)
    code = first.code("y F Q")
    vectors = [parameters(first, dt) for dt in (0.1, 0.2, 0.1)]
    assert vectors[0] is vectors[2]
    assert not np.array_equal(vectors[0], vectors[1])
    assert first.code("y F Q") is code is second.code("y F Q")
    with pytest.raises(ModelError, match="depend on the time step"):
        parameters(first)


def test_unstable_models_are_bound_at_any_rate() -> None:
    """Code does not depend on a step that the model could not take."""
    fast = LinearDynamics([[800.0]])
    assert fast.code("y") is LinearDynamics([[-1.0]]).code("y")
    assert fast.step([1.0], [], 1e-3).tolist() == pytest.approx([np.exp(0.8)])


def test_irregular_clocks_do_not_grow_memory() -> None:
    model = LinearDynamics(A, B)
    for k in range(300):
        model.step(np.zeros(3), np.zeros(1), 0.1 + 1e-3 * k)
    assert len(model._steps) <= 64


def test_discrete_models_hold_for_their_step_only() -> None:
    model = LinearDynamics.discrete([[0.5]], [[2.0]], Q=[[0.1]], dt=0.1)
    assert model.step([4.0], [1.0], 0.1).tolist() == [4.0]
    with pytest.raises(ModelError, match=r"holds for steps of 0.1 s; a step of 0.2 s was asked for"):
        model.step([4.0], [1.0], 0.2)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: LinearDynamics([[1.0, 2.0]]), r"A has shape \(1, 2\); \(1, 1\) was expected"),
        (lambda: LinearDynamics(A, [[1.0]]), r"B has shape \(1, 1\); a matrix with 3 rows was expected"),
        (lambda: LinearDynamics(A, G=[[1.0]]), r"G has shape \(1, 1\); a matrix with 3 rows"),
        (lambda: LinearDynamics(A, Qc=[[1.0]]), r"Qc has shape \(1, 1\); \(3, 3\) was expected"),
        (lambda: LinearDynamics(A, Qc=-np.eye(3)), "Qc has the negative eigenvalue -1"),
        (lambda: LinearDynamics(A, Qc=np.triu(np.ones((3, 3)))), "Qc is not symmetric"),
        (lambda: LinearDynamics(A, state=Space("x y [m]")), "needs 3 reals or angles"),
        (lambda: LinearDynamics(np.zeros((4, 4)), state=Space("q: quaternion")), "needs 4 reals or angles"),
        (lambda: LinearDynamics(A, B, action=Space("a b")), "B has 1 columns, but the action has 2 components"),
        (lambda: LinearDynamics(np.zeros((0, 0))), r"A has shape \(0, 0\); a matrix with one or more rows"),
        (lambda: LinearDynamics([[800.0]]).step([1.0], [], 1.0), r"exp\(A dt\) overflows: .* a step of 1.0 s"),
        (lambda: LinearDynamics(A, B).step("now", [0.0], 0.1), "state of linear_dynamics is not an array of numbers"),
        (lambda: LinearDynamics([["a"]]), "A must be a matrix of numbers"),
        (lambda: LinearDynamics.discrete([[1.0]], Q=0.0, dt="now"), "a step takes a finite number of seconds"),
        (lambda: LinearSensor([[1.0]], R="small"), "R is not an array of numbers"),
        (lambda: LinearDynamics.discrete(np.eye(2)), "Q is not given; .* Q=0 for no noise"),
        (lambda: LinearDynamics.discrete(np.eye(2), np.eye(2)), "Q is not given; .* the matrix after F is B"),
        (lambda: LinearDynamics.discrete(np.eye(2), Q=[1.0, 2.0, 3.0]), r"Q has shape \(3,\); a matrix"),
        (lambda: LinearDynamics.discrete(np.eye(2), Q=-1.0), "Q has the negative eigenvalue -1"),
        (lambda: LinearSensor(np.eye(3), R=[1.0, 2.0]), r"R has shape \(2,\); a matrix"),
        (lambda: LinearDynamics([[np.nan]]), "A has entries that are NaN or infinite"),
        (lambda: LinearSensor([[1.0, 0.0]], [[1.0, 0.0]]), r"R has shape \(1, 2\); \(1, 1\) was expected"),
        (lambda: LinearSensor([[1.0, 0.0]], -1.0), "R has the negative eigenvalue"),
        (lambda: LinearSensor([[1.0, 0.0]], 1.0, state=Space("x")), "H is 1 x 2: the state needs 2"),
    ],
)
def test_wrong_matrices_are_sentences(make: object, sentence: str) -> None:
    with pytest.raises(PilotageError, match=sentence):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(("Q", "matrix"), [(0.0, np.zeros((2, 2))), (0.1, 0.1 * np.eye(2)), ([1, 2], np.diag([1, 2]))])
def test_variances_are_the_diagonal_of_a_covariance(Q: Any, matrix: Any) -> None:
    model = LinearDynamics.discrete(np.eye(2), Q=Q)
    assert np.array_equal(model.noise(np.zeros(2), [], 1.0), matrix)
    assert np.array_equal(LinearSensor(np.eye(2), Q).noise(np.zeros(2)), matrix)


def test_linear_sensor_on_a_bigger_state() -> None:
    sensor = LinearSensor([[1.0, 2.0]], 0.25, state=Space("x [m]", "vx [m/s]"))
    state = constant_velocity(2).state
    assert sensor.on(state).linearize(np.zeros(4)).tolist() == [[1.0, 0.0, 2.0, 0.0]]
    assert sensor.noise(np.zeros(2)).tolist() == [[0.25]]


def test_large_models() -> None:
    n = 24
    rng = np.random.default_rng(0)
    state = Space(*(f"a{i}" for i in range(n - 1)), "yaw: angle")
    A = 0.3 * rng.standard_normal((n, n))
    A[:, -1] = 0.0  # what depends linearly on an angle would jump at half a turn
    check_dynamics(LinearDynamics(A, rng.standard_normal((n, 2)), Qc=np.eye(n), state=state))


def test_linearity_is_read_from_the_trace() -> None:
    """F and Q of linear dynamics depend on their matrices, never on the state, whatever the step they hold for."""
    for model in (LinearDynamics(A, B, G=G, Qc=Qc), LinearDynamics.discrete([[0.5]], Q=[[0.1]], dt=0.3)):
        assert model.dependencies("F") | model.dependencies("Q") <= {"p", "dt"}
        assert "x" in model.dependencies("y")
