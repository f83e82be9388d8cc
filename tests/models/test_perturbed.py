"""Dynamics on states that are perturbed on the left; Jacobians that do not depend on the state."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import SettingError, Space
from pilotage.core.mathematics import Mathematics
from pilotage.core.rotations import product, rotate, rotation_exp
from pilotage.models import discrete_dynamics, dynamics
from pilotage.testing import check_dynamics


@dynamics(state=Space("pose: SE2", "s"), action=Space("v turn"), noise=(0.1, 0.2, 0.3, 0.4), action_noise=(0.05, 0.06))
def rover(x: Any, u: Any, p: Any, m: Mathematics) -> Any:
    return u[0], 0.0, u[1], 0.1


@dynamics(state=Space("x y [m]", "yaw: angle"), action=Space("v turn"))
def flat_rover(x: Any, u: Any, p: Any, m: Mathematics) -> Any:
    return u[0] * m.cos(x[2]), u[0] * m.sin(x[2]), u[1]


def strapdown(text: str) -> Any:
    """Inertial navigation: turn rates and specific force in the body."""

    @discrete_dynamics(state=Space(text), action=Space("wx wy wz fx fy fz"), action_noise=(0.01,) * 6)
    def imu(x: Any, u: Any, dt: Any, p: Any, m: Mathematics) -> Any:
        a = rotate(x[6:], u[3:])
        a[2] = a[2] - 9.81
        moved = [x[i] + x[3 + i] * dt + 0.5 * a[i] * dt * dt for i in range(3)]
        return (
            *moved,
            *(x[3 + i] + a[i] * dt for i in range(3)),
            *product(x[6:], rotation_exp([w * dt for w in u[:3]], m)),
        )

    return imu()


def test_the_side_changes_errors_and_not_the_motion() -> None:
    right = rover()
    left = right.perturbed("left")
    x, us, dt = right.state.sample(5, rng=1), np.random.default_rng(2).standard_normal((5, 2)), 0.3
    y = right.step(x, us, dt)
    np.testing.assert_allclose(left.step(x, us, dt), y, atol=1e-14)
    before, after = right.state.swapped(left.state, x), right.state.swapped(left.state, y)
    for a, b in zip(left.linearize(x, us, dt), right.linearize(x, us, dt), strict=True):
        moved = after @ b if b.shape[-1] == 2 else after @ b @ np.linalg.inv(before)
        np.testing.assert_allclose(a, moved, atol=1e-12)
    np.testing.assert_allclose(left.noise(x, us, dt), after @ right.noise(x, us, dt) @ after.swapaxes(1, 2), atol=1e-12)
    assert left.perturbed("right") == right == right.perturbed("right")
    assert pickle.loads(pickle.dumps(left)) == left
    assert left.replace() == left
    with pytest.raises(SettingError):
        right.perturbed("above")


@pytest.mark.parametrize("model", [rover().perturbed("left"), strapdown("nav: SE3[v] left")], ids=["SE2", "SE3[v]"])
def test_the_contract_holds_on_the_left(model: Any) -> None:
    check_dynamics(model)


@pytest.mark.parametrize(
    "model",
    [rover(), rover().perturbed("left"), strapdown("nav: SE3[v]"), strapdown("nav: SE3[v] left")],
    ids=["SE2", "SE2 left", "SE3[v]", "SE3[v] left"],
)
def test_group_affine_dynamics_have_a_jacobian_that_does_not_depend_on_the_state(model: Any) -> None:
    """Barrau and Bonnabel 2017, theorem 1; a product of the same numbers has none such."""
    draw = np.random.default_rng(3)
    x, u = model.state.sample(6, rng=draw), draw.standard_normal(model.action.size)
    F = model.linearize(x, u, 0.2)[0]
    np.testing.assert_allclose(F, np.broadcast_to(F[0], F.shape), atol=1e-12)


def test_other_dynamics_have_not() -> None:
    model = flat_rover()
    F = model.linearize(model.state.sample(6, rng=4), [1.0, 0.2], 0.2)[0]
    assert np.abs(F - F[0]).max() > 0.1
