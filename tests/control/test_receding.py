"""The shell of predictive controllers: what it hands its solver, and what a tick does not have to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, PurePursuit, follow
from pilotage.control.receding import RecedingHorizon, Solution
from pilotage.core import ActionStatus, SettingError, Space
from pilotage.core.compiled import Compiled
from pilotage.models import bicycle, differential_drive, dynamics, task, trace
from pilotage.models.trace import Driver

from .worlds import LINE, PUSH, PlainDynamics, PlainTask, cart, stop

CONTROLLERS: dict[str, Any] = {
    "MPPI": lambda model, errand: MPPI(model, errand, horizon=8, samples=64, rng=1),
    "MPPI, dynamics called back": lambda model, errand: MPPI(
        PlainDynamics(model), errand, horizon=8, samples=64, rng=1
    ),
    "ILQR": lambda model, errand: ILQR(model, errand, horizon=8),
    "ILQR, dynamics called back": lambda model, errand: ILQR(PlainDynamics(model), errand, horizon=8),
}


@pytest.mark.parametrize("make", CONTROLLERS.values(), ids=CONTROLLERS)
def test_tensors_that_change_in_place_reach_a_running_controller(make: Any) -> None:
    torch = pytest.importorskip("torch")
    gain, weight = (torch.tensor(1.0, dtype=torch.float64) for _ in range(2))

    @dynamics(state=LINE, action=PUSH, params={"gain": gain})
    def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], p.gain * u[0]

    @task(state=LINE, action=PUSH, params={"weight": weight}, terminal=lambda x, p, m: p.weight * x[0] ** 2)
    def stop(x: Any, u: Any, p: Any, m: Any) -> Any:
        return p.weight * x[0] ** 2 + 0.1 * u[0] ** 2

    running, x = make(cart(), stop()), [1.0, 0.5]
    before = running.act(x).cost
    for tensor, value in ((gain, 0.3), (weight, 50.0)):
        tensor.fill_(value)
        running.reset()
        now, fresh = running.act(x), make(cart(), stop()).act(x)
        assert now.cost == fresh.cost
        assert np.array_equal(now.u, fresh.u)
        assert now.cost != pytest.approx(before, rel=1e-3)
        before = now.cost


TICKING: dict[str, Any] = {
    **CONTROLLERS,
    "MPPI, task called back": lambda model, errand: MPPI(model, PlainTask(errand, LINE), samples=64, rng=1),
    "MPPI with feedback": lambda model, errand: MPPI(model, errand, samples=64, rng=1, feedback=True),
    "ILQR with restarts": lambda model, errand: ILQR(model, errand, horizon=8, restart=True),
    "MPPI, two threads": lambda model, errand: MPPI(model, errand, samples=64, rng=1, threads=2),
    "MPPI along a path": lambda model, errand: MPPI(car(), follow([[0, 0], [3, 1]]), samples=64, rng=1),
    "ILQR along a path": lambda model, errand: ILQR(car(), follow([[0, 0], [3, 1]]), horizon=8),
    "pure pursuit": lambda model, errand: PurePursuit(car(), [[0, 0], [3, 1]]),
}


def car() -> Any:
    @dynamics(
        state=Space("x y [m]", "yaw: angle"), action=Space("speed [m/s] in [0, 1]", "yaw_rate [rad/s] in [-1, 1]")
    )
    def car(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u[0] * m.cos(x[2]), u[0] * m.sin(x[2]), u[1]

    return car()


@pytest.mark.parametrize("make", TICKING.values(), ids=TICKING)
def test_the_first_act_compiles_as_little_as_the_tenth(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code of the models is made, and every driver is used, when the controller is."""
    made: list[str] = []
    used: set[str] = set()
    assemble, compiled = trace.function.assemble, vars(Driver)["compiled"]

    def assembled(*args: Any) -> Any:
        made.append(args[1])
        return assemble(*args)

    def compiled_driver(driver: Driver) -> Any:
        used.add(driver.__name__)
        return compiled.__get__(driver, Driver)

    monkeypatch.setattr(trace.function, "assemble", assembled)
    monkeypatch.setattr(Driver, "compiled", property(compiled_driver))

    @dynamics(state=LINE, action=PUSH)
    def cart(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[1], 1.1 * u[0]

    @task(state=LINE, action=PUSH, terminal=lambda x, p, m: x[0] ** 2, constraint=lambda x, u, p, m: x[1] - 9.0)
    def stop(x: Any, u: Any, p: Any, m: Any) -> Any:
        return 1.1 * x[0] ** 2 + 0.1 * u[0] ** 2

    drive = make(cart(), stop())
    begun = len(made), set(used)
    assert used, "a driver is compiled, or loaded, when it is first used"
    state = np.full(3 if isinstance(drive, PurePursuit) else drive.problem.dynamics.state.size, 0.1)
    statuses = [drive.act(state, 0.1 * tick).status for tick in range(10)]
    assert ActionStatus.FALLBACK not in statuses
    assert (len(made), used) == begun
    if isinstance(drive, PurePursuit) or isinstance(
        drive.problem.dynamics, Compiled
    ):  # others have a rollout of theirs
        drive.act(100.0 * state)  # the cart is too fast there
    assert drive.act(np.nan * state).status is ActionStatus.FALLBACK
    assert (len(made), used) == begun


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.2])
@pytest.mark.parametrize("kept", [-np.inf, 0.1])
def test_a_constraint_that_is_not_known_is_violated(bad: float, kept: float) -> None:
    class Guarded(PlainTask):
        def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
            return np.array([x[0], x[1]])

    problem = RecedingHorizon(cart(), Guarded(stop(), LINE), Noting(), horizon=5).problem
    for x, expected in (([kept, bad], True), ([bad, kept], True), ([kept, 0.1], False)):
        assert problem.violated(np.array(x), np.zeros(1), np.zeros((6, 0)), feasible=0.1) is expected


class Noting:
    """A solver that keeps the plan and notes what it is told; it fails where x is negative."""

    def workspace(self, problem: Any) -> list[float]:
        return []

    def init(self, seed: int) -> tuple[float, ...]:
        return ()

    def step(self, workspace: Any, state: Any, x: Any, us: Any, rows: Any, passed: float) -> Any:
        status = ActionStatus.FALLBACK if x[0] < 0.0 else ActionStatus.SOLVED
        return (*state, passed), Solution(us, 0.0, status)


@pytest.mark.parametrize("make", [MPPI, ILQR])
def test_a_first_guess_goes_by_name(make: Any) -> None:
    drive = make(cart(), stop(), horizon=5)
    us = np.zeros((5, 1))
    for given in (us, us.tolist(), us[:1]):
        with pytest.raises(SettingError, match="us="):
            drive.solve([1.0, 0.5], given)
    with pytest.raises(SettingError, match="t is 'noon'"):
        drive.solve([1.0, 0.5], "noon")
    assert drive.solve([1.0, 0.5], 2.0, us=us).ts[0] == 2.0


def test_solvers_are_told_how_many_steps_have_passed_since_their_last() -> None:
    """Their own last step, whether it failed or not; ticks that did not ask them count, too."""
    drive = RecedingHorizon(cart(), stop(dt=0.1, done=lambda x: x[..., 0] > 9.0), Noting(), horizon=5)
    good, failing, done, lost = [1.0, 0.0], [-1.0, 0.0], [10.0, 0.0], [np.nan, 0.0]
    for x, t in ((good, 3.0), (good, 3.1), (failing, 3.25), (good, 3.45), (lost, 3.5), (done, 3.6), (good, 3.8),
                 (good, 3.8), (good, 9.8), (good, 2.0), (good, None)):  # fmt: skip
        drive.act(x, t)
    np.testing.assert_allclose(drive._state, [0.0, 1.0, 1.5, 2.0, 3.5, 0.0, 60.0, 0.0, 1.0], atol=1e-9)
    assert drive.solve(good).ok
    assert len(drive._state) == 9, "an episode of its own"
    drive.reset()
    drive.act(good, 7.0)
    assert drive._state == (0.0,)


@pytest.mark.parametrize(("vehicle", "name"), [
    (bicycle, "wheelbase"), (differential_drive, "track"), (differential_drive, "wheel_radius"),
])  # fmt: skip
def test_lengths_that_change_in_place_reach_a_running_pursuit(vehicle: Any, name: str) -> None:
    torch = pytest.importorskip("torch")
    length = torch.tensor(1.0, dtype=torch.float64)
    model = vehicle(**{name: length})
    running, x = PurePursuit(model, [[0.0, 0.0], [5.0, 0.0]]), np.r_[0.0, 0.1, np.zeros(model.state.size - 2)]
    before = running.act(x).u
    length.fill_(0.5)
    assert not np.allclose(running.act(x).u, before)
    assert np.array_equal(running.act(x).u, PurePursuit(vehicle(**{name: 0.5}), [[0.0, 0.0], [5.0, 0.0]]).act(x).u)
