"""A law of every predictive controller that has a budget: a decision ends soon, with a valid action, and says so."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage import control
from pilotage.control import (
    CEM,
    ILQR,
    MPPI,
    SQP,
    GradientMPC,
    LinearMPC,
    PredictiveSampling,
    RecedingHorizon,
    TubeMPC,
    reach,
)
from pilotage.core import ActionStatus, Dynamics, SettingError, Space
from pilotage.models import LinearDynamics, bicycle

CAR = bicycle(wheelbase=2.0, noise=0.0)
ERRAND = reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 1.0}, dt=0.1)
CART = LinearDynamics(
    np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0], [1.0]]),
    state=Space("x [m]", "v [m/s]"), action=Space("a [m/s^2] in [-1, 1]"),
)  # fmt: skip


class Plain(Dynamics):
    """The car as a model without formulas, such as a simulator."""

    state, action = CAR.state, CAR.action

    def __init__(self) -> None:
        self.rolled: list[int] = []

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return CAR.step(x, u, dt)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        self.rolled.append(int(np.prod(np.shape(us)[:-2])))
        return CAR.rollout(x0, us, dt)


def bounded(**settings: Any) -> LinearMPC:
    return LinearMPC(CART, [0.0, 0.0], bounds={"v": (-0.5, 0.5)}, horizon=40, **settings)


def tube(**settings: Any) -> TubeMPC:
    return TubeMPC(bounded(**settings), disturbance=0.001)


SAMPLERS = ("MPPI", "CEM", "ICEM", "PredictiveSampling")


def on_a_car(kind: Any, **more: Any) -> Callable[..., Any]:
    seeded = {"rng": 0} if kind.__name__ in SAMPLERS else {}
    return lambda **settings: kind(CAR, ERRAND, horizon=15, **seeded, **more, **settings)


STARTS = {"car": np.array([0.0, 0.0, 0.5, 1.0]), "cart": np.array([2.0, 0.3])}
KINDS: dict[str, Callable[..., Any]] = {
    **{name: on_a_car(getattr(control, name)) for name in (*SAMPLERS, "ILQR", "SQP", "GradientMPC")},
    **{f"{kind.__name__}, restart": on_a_car(kind, restart=True) for kind in (ILQR, SQP, GradientMPC)},
    "CEM, restarts": on_a_car(CEM, restarts=2),
    **{f"{kind.__name__}, feedback": on_a_car(kind, feedback=True) for kind in (MPPI, PredictiveSampling)},
    "LinearMPC": bounded,
    "LinearMPC, interior point": lambda **settings: bounded(solver="interior_point", **settings),
    "TubeMPC": tube,
}


def start_of(drive: Any) -> np.ndarray:
    return STARTS["cart" if isinstance(drive, LinearMPC | TubeMPC) else "car"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that moves on by a second at each look; its one number counts them."""
    now = [0.0]

    def look() -> float:
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr("time.perf_counter", look)
    return now


def test_every_predictive_controller_has_a_budget() -> None:
    kinds = [getattr(control, name) for name in control.__all__]
    predictive = {
        k.__name__ for k in kinds if inspect.isclass(k) and issubclass(k, RecedingHorizon) and k is not RecedingHorizon
    }
    assert predictive <= set(KINDS)
    for name in predictive:
        assert "budget" in inspect.signature(getattr(control, name)).parameters


@pytest.mark.parametrize("name", KINDS)
def test_a_budget_of_next_to_nothing_ends_soon_and_says_so(name: str, clock: list[float]) -> None:
    drive, free = KINDS[name](budget=1e-9), KINDS[name]()
    x, begun = start_of(drive), clock[0]
    for tick in range(3):
        action = drive.act(x, 0.1 * tick)
        assert action.status in (ActionStatus.IMPROVED, ActionStatus.FALLBACK)
        assert "budget of 1e-09 s ended" in action.reason
        p = drive.mpc.problem if isinstance(drive, TubeMPC) else drive.problem
        assert (action.u >= p.action.low).all() and (action.u <= p.action.high).all()
    assert clock[0] - begun < 60, "it looks at the clock, and stops"
    assert free.act(x, 0.0).status is ActionStatus.SOLVED or isinstance(free, GradientMPC)


@pytest.mark.parametrize("name", KINDS)
def test_without_a_budget_the_clock_has_no_part_in_a_decision(name: str, clock: list[float]) -> None:
    first, second = KINDS[name](), KINDS[name]()
    x = start_of(first)
    one = first.act(x, 0.0)
    clock[0] += 1e6
    assert np.array_equal(one.u, second.act(x, 0.0).u)


@pytest.mark.parametrize("name", KINDS)
def test_a_budget_that_suffices_changes_nothing(name: str) -> None:
    drive, free = KINDS[name](budget=1e6), KINDS[name]()
    one, two = drive.act(start_of(drive), 0.0), free.act(start_of(drive), 0.0)
    assert np.allclose(one.u, two.u, atol=1e-9) and one.status is two.status


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("plain", [False, True])
def test_one_iteration_draws_as_many_samples_as_there_is_time_for(name: str, plain: bool, clock: list[float]) -> None:
    """More with more time; those that were drawn are the first ones of all."""
    model = Plain() if plain else CAR
    drawn = []
    for budget in (1e-9, 6.0, 1e6, None):
        drive = getattr(control, name)(
            model, ERRAND, horizon=8, samples=640, iterations=1, rng=0, **({} if budget is None else {"budget": budget})
        )
        action = drive.act(STARTS["car"], 0.0)
        drawn.append(np.isfinite(drive.solution.stats["costs"]))
        assert drawn[-1][: drawn[-1].sum()].all()
        assert (action.status is ActionStatus.SOLVED) == (budget in (1e6, None))
    counts = [int(each.sum()) for each in drawn]
    assert counts[0] == (8 if plain else 32) and counts[0] < counts[1] < counts[2] == counts[3] == 640


def test_an_interrupted_program_is_continued_in_the_next_tick(clock: list[float]) -> None:
    """The working set and the multipliers are where they were left."""
    drive, whole = bounded(budget=3.5), bounded()
    best = whole.act(STARTS["cart"], 0.0)
    assert whole.solution is not None and whole.solution.stats["iterations"] > 4
    statuses = [drive.act(STARTS["cart"], 0.0).status for _ in range(60)]
    assert statuses[0] is ActionStatus.FALLBACK and statuses[-1] is ActionStatus.SOLVED
    assert np.allclose(drive.act(STARTS["cart"], 0.0).u, best.u)


def test_libraries_that_cannot_be_stopped_are_refused() -> None:
    with pytest.raises(SettingError, match="budget"):
        bounded(solver="daqp", budget=0.01)
    for kind in (ILQR, SQP):
        with pytest.raises(SettingError, match="budget"):
            kind(CAR, ERRAND, budget=0.0)


@pytest.mark.parametrize(("kind", "again"), [(GradientMPC, {"restart": True}), (CEM, {"restarts": 1})])
def test_two_solves_of_a_decision_share_its_budget(kind: Any, again: Any, clock: list[float]) -> None:
    """Neither of them would end by itself; each look at the clock takes a second."""
    endless = {"tolerance": 1e-300, "optimiser": "adam"} if kind is GradientMPC else {}
    drive = on_a_car(kind)(budget=100.0, iterations=10_000, **endless, **again)
    drive.plan = np.full((15, 2), 0.1)
    begun = clock[0]
    action = drive.act(STARTS["car"], 0.0)
    assert 80 < clock[0] - begun < 110
    assert "the budget of 100 s ended" in action.reason
