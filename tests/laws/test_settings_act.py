"""Settings of controllers act: each one that is given alone changes what is done, or is refused."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

import pilotage.control as control
from pilotage.control import (
    CEM,
    ICEM,
    ILQR,
    LQR,
    MPPI,
    PID,
    SQP,
    FeedbackLinearization,
    GradientMPC,
    KernelNoise,
    LinearMPC,
    PathTracker,
    PowerLawNoise,
    PredictiveSampling,
    PurePursuit,
    RegulatedPurePursuit,
    Stanley,
    StateFeedback,
    Steering,
    TrackingLQR,
    TubeMPC,
    reach,
)
from pilotage.core import Gaussian, Plan, PlanStatus, SettingError, ShapeError, Space, Task
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models import LinearDynamics, bicycle, task, unicycle

CART = LinearDynamics(
    [[0, 1], [0, -0.1]], [[0], [1]], Qc=[0, 0.01], state=Space("x [m]", "v [m/s]"),
    action=Space("a [m/s^2] in [-2, 2]"),
)  # fmt: skip
CAR, ROBOT = bicycle(), unicycle()


@task(state=CAR.state, action=CAR.action, weights=(2.0, 1.0, 0.3, 0.2, 0.1), terminal_weights=(5.0, 5.0),
      terminal=lambda x, p, m: (x[0] - 3.0, x[1] - 0.5),
      constraint=lambda x, u, p, m: 0.36 - (x[0] - 1.5) ** 2 - (x[1] - 0.1) ** 2)  # fmt: skip
def post(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[0] - 3.0, x[1] - 0.5, x[3], u[0], u[1]


ERRAND = post()
BEND = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.6], [2.5, 1.8]])
POSES = np.column_stack([BEND, np.arctan2(*np.gradient(BEND, axis=0).T[::-1])])
FREE_ROW, WALL_ROW = "." * 60, "." * 33 + "####" + "." * 23
WALLS = OccupancyGrid.from_ascii([FREE_ROW] * 27 + [WALL_ROW] * 4 + [FREE_ROW] * 29, 0.1, (-1.0, -2.5, 0.0))
CAR_STARTS = np.array(
    [[0.0, 0.2, 0.1, 1.0], [0.5, 0.2, 0.0, 1.5], [0.6, 0.4, 0.3, 1.2], [math.nan] * 4, [2.2, 0.5, 0, 1]]
)
STARTS = np.array(
    [[0.0, 0.3, 0.2], [1.7, 0.4, 0.4], [0.8, -0.2, 0.4], [1.9, 0.4, 2.8], [2.4, 1.6, 1.2], [2.5, 1.75, 1.8]]
)
LINE = np.array([[1.0, 0.5], [0.4, -1.5], [0.3, 1.0], [math.nan] * 2, [0.0, 0.1], [-0.2, 0.0]])
DRIVEN = Plan(
    PlanStatus.SOLVED, CART.state, np.stack([np.linspace(0, 1, 11), np.full(11, 1.0)], -1), np.full((10, 1), 0.1),
    np.linspace(0.0, 1.0, 11),
)  # fmt: skip
MANY = {"horizon": 9, "dt": 0.05, "fallback": "hold", "brake": [-1.0, 0.0], "max_violation": 9.0}
SAMPLED = {**MANY, "samples": 9, "std": 0.3, "penalty": 3.0, "rng": 1}


class Case(NamedTuple):
    """A controller with its required arguments, other values of its settings, and what these need beside them.

    Attributes:
        make: of settings.
        base: settings that all have.
        others: another value of each setting.
        beside: for a setting that needs another one, that other one.
        free: settings that change how something is computed, but not what.
        states: of the ticks.
    """

    make: Callable[..., Any]
    base: dict[str, Any]
    others: dict[str, Any]
    states: np.ndarray
    beside: Mapping[str, dict[str, Any]] = MappingProxyType({})
    free: tuple[str, ...] = ()


def on(kind: Callable[..., Any], *given: Any) -> Callable[..., Any]:
    return lambda **settings: kind(*given, **settings)


def law(sight: Any) -> Steering:
    e, psi = sight.error()
    return Steering(-2.0 * e - psi)


def ahead(x: Any, speed: float, curvature: float, behind: bool) -> list[float]:
    return [0.5 * speed, curvature]


def ramp(ts: np.ndarray) -> np.ndarray:
    return np.stack([ts, np.ones(len(ts))], -1)


SMALL, FEW = {"horizon": 8}, {"horizon": 8, "samples": 64, "rng": 0}
VEHICLE = "gain", "yaw_tolerance", "turn_radius"
"""Settings of trackers that act on some vehicles and paths: with an acceleration, or a turn on the spot at the end."""
TRACKED = {"speed": 0.7, "decel": 0.2, "tolerance": 0.4, "gain": 1.0}
CASES: dict[str, Case] = {
    "MPPI": Case(
        on(MPPI, CAR, ERRAND), FEW,
        {**SAMPLED, "temperature": 3.0, "effective": 0.4, "correlation": 0.1, "pull": 1.0, "iterations": 3,
         "noise": PowerLawNoise(2.0), "adapt": 0.5, "budget": 1e-9, "redraw": False, "threads": 2,
         "precision": "single", "feedback": True},
        CAR_STARTS, {"pull": {"temperature": 1.0}, "budget": {"iterations": 4}}, ("threads", "max_violation"),
    ),
    "CEM": Case(
        on(CEM, CAR, ERRAND), FEW,
        {**SAMPLED, "elites": 0.3, "iterations": 2, "smoothing": 0.6, "least": 0.5, "noise": PowerLawNoise(2.0),
         "budget": 1e-9, "threads": 2, "scales": (1.0, 0.2), "restarts": 1, "precision": "single", "feedback": True},
        CAR_STARTS, {}, ("threads", "max_violation"),
    ),
    "ICEM": Case(
        on(ICEM, CAR, ERRAND), FEW,
        {**SAMPLED, "elites": 0.3, "iterations": 2, "smoothing": 0.6, "least": 0.5, "beta": 0.5, "kept": 0.9,
         "decay": 2.0, "budget": 1e-9, "threads": 2, "scales": (1.0, 0.2), "restarts": 1, "precision": "single",
         "feedback": True},
        CAR_STARTS, {}, ("threads", "max_violation"),
    ),
    "PredictiveSampling": Case(
        on(PredictiveSampling, CAR, ERRAND), FEW,
        {**SAMPLED, "knots": 3, "order": "zero", "iterations": 3, "budget": 1e-9, "threads": 2,
         "scales": (1.0, 0.2), "precision": "single", "feedback": True}, CAR_STARTS, {"budget": {"iterations": 4}},
        ("threads", "max_violation"),
    ),
    "ILQR": Case(
        on(ILQR, CAR, ERRAND), SMALL,
        {**MANY, "restart": True, "iterations": 2, "tolerance": 0.1, "feasible": 0.2, "weight": 1e4,
         "second_order": True, "budget": 1e-9}, CAR_STARTS, {}, ("max_violation", "restart"),
    ),
    "SQP": Case(
        on(SQP, CAR, ERRAND), SMALL,
        {**MANY, "restart": True,
         "iterations": 2, "tolerance": 0.1, "feasible": 0.2, "price": 1.0, "soft": True, "real_time": True,
         "hessian": "exact", "budget": 1e-9}, CAR_STARTS, {"price": {"soft": True}, "soft": {"price": 1.0}},
        ("soft", "feasible", "max_violation", "restart"),
    ),
    "GradientMPC": Case(
        on(GradientMPC, CAR, ERRAND), SMALL,
        {**MANY, "restart": True,
         "iterations": 2, "tolerance": 0.1, "feasible": 0.2, "weight": 1e4, "optimiser": "adam", "rate": 0.3,
         "budget": 1e-9}, CAR_STARTS, {}, ("restart",),
    ),
    "LinearMPC": Case(
        on(LinearMPC, CART), {"goal": [0.0, 0.0], "horizon": 8, "Q": [1.0, 0.1]},
        {"goal": [0.5, 0.0], "Q": 3.0, "R": 2.0, "P": [50.0, 1.0], "horizon": 5, "dt": 0.2,
         "bounds": {"v": (-0.2, 0.2)}, "outputs": ([[1.0, 1.0]], -0.2, 0.2), "rates": {"a": (-1.0, 1.0)}, "soft": 1.0,
         "reference": ramp,
         "relinearize": True, "offset_free": 0.5, "action": [0.5], "solver": "interior_point", "tolerance": 1e-3,
         "budget": 1e-9, "fallback": "brake", "brake": [-1.0], "max_violation": 9.0},
        LINE, {"soft": {"bounds": {"v": (-0.2, 0.2)}}, "horizon": {"P": 9.0}, "brake": {"fallback": "brake"}},
        ("solver", "tolerance", "relinearize", "horizon", "brake", "max_violation"),
    ),
    "TubeMPC": Case(
        lambda **settings: TubeMPC(LinearMPC(CART, [0.3, 0.0], bounds={"x": (-1.0, 0.4)}, soft=10.0), **settings), {},
        {"risk": 0.4, "disturbance": 0.02}, LINE,
    ),
    "LQR": Case(
        on(LQR, CART, [0.0, 0.0]), {},
        {"Q": 3.0, "R": 4.0, "N": [[0.1], [0.0]], "action": [0.0], "dt": 0.3, "design": "sampled", "horizon": 3,
         "final": 9.0, "integral": {"x": 1.0}}, LINE, {"final": {"horizon": 9}}, ("action",),
    ),
    "TrackingLQR": Case(
        on(TrackingLQR, CART, DRIVEN), {},
        {"Q": 3.0, "R": 4.0, "N": [[0.1], [0.0]], "final": 99.0, "along": "nearest", "window": 0.1}, LINE,
        {"window": {"along": "nearest"}},
    ),
    "StateFeedback": Case(
        on(StateFeedback, CART, [0.0, 0.0], [[1.0, 1.0]]), {}, {"action": [0.0], "dt": 0.3}, LINE, {}, ("action", "dt")
    ),
    "PID": Case(
        on(PID, CART.state, CART.action, {"x": "a"}), {"kp": 1.0, "ki": 2.0, "kd": 0.3, "goal": {"x": 0.5}},
        {"goal": {"x": 0.7}, "kp": 2.0, "ki": 1.0, "kd": 0.1, "b": 0.2, "c": 1.0, "lag": 0.5, "windup": "clamping",
         "tracking": 0.01, "rate": 0.5, "feedforward": [0.5], "dt": 0.3}, np.concatenate([0.1 * LINE, 3.0 * LINE]),
    ),
    "PathTracker": Case(
        on(PathTracker, ROBOT, POSES, law), {},
        {**TRACKED, "yaw_tolerance": 0.5, "turn_radius": 0.6, "command": ahead}, STARTS, {}, VEHICLE,
    ),
    "PurePursuit": Case(
        on(PurePursuit, ROBOT, BEND), {},
        {**TRACKED, "lookahead": 1.0, "preview": 2.0, "yaw_tolerance": 0.5, "command": ahead}, STARTS, {}, VEHICLE,
    ),
    "RegulatedPurePursuit": Case(
        on(RegulatedPurePursuit, ROBOT, BEND), {},
        {**TRACKED, "grid": WALLS, "footprint": Footprint.disc(0.6), "lookahead": 1.0, "farthest": 0.4, "preview": 0.4,
         "min_radius": 3.0, "proximity": 2.0, "alpha": 0.2, "approach": 1.5, "min_speed": 0.6, "collision_time": 0.05,
         "rotate": 0.1, "yaw_tolerance": 0.5, "command": ahead}, STARTS,
        {name: {"grid": WALLS, "min_radius": 0.1} for name in ("footprint", "proximity", "alpha", "collision_time")},
        VEHICLE,
    ),
    "Stanley": Case(
        on(Stanley, ROBOT, BEND), {},
        {**TRACKED, "k": 1.0, "soft": 2.0, "steer": 0.3, "wheelbase": 1.0, "yaw_tolerance": 0.5, "command": ahead},
        STARTS, {}, VEHICLE,
    ),
    "FeedbackLinearization": Case(
        on(FeedbackLinearization, ROBOT, lambda t: ([t, 0.1 * t], [1.0, 0.1], [0.0, 0.0])), {},
        {"ahead": 0.4, "gain": 2.0, "crawl": 0.6, "dt": 0.3}, STARTS,
    ),
}  # fmt: skip
"""Other settings: `LQG` has only `dt`; `TrailerBacking` and `RecedingHorizon` have those of others; those among tracks
act where there are some, see `tests/control/test_track_avoidance.py`. A restart acts where the last plan lies in a poor
minimum, see `tests/control/test_restart.py`."""
LEFT = {"DelayCompensation", "LQG", "TrailerBacking", "RecedingHorizon", "SpaceTimePursuit", "TrackAvoidance"}


def answers(case: Case, settings: dict[str, Any]) -> list[Any]:
    """Actions and statuses of ticks in the states of the case, as the user of these settings gets them."""
    drive, found = case.make(**case.base, **settings), []
    for x in case.states:
        belief = isinstance(drive, TubeMPC) and np.isfinite(x).all()
        action = drive.act(Gaussian.of(CART.state, x, std=0.05) if belief else x)
        found += [np.round(action.u, 12).tolist(), action.status]
        if isinstance(drive, PID):
            drive.retarget({"x": float(drive.goal[0]) + 0.01})
        getattr(drive, "prepare", lambda: None)() if settings.get("real_time") else None
    return found


def answers_or_refusal(case: Case, settings: dict[str, Any]) -> list[Any] | SettingError:
    try:
        return answers(case, settings)
    except SettingError as error:
        return error


PAIRS = [(name, setting) for name, case in CASES.items() for setting in case.others]


@pytest.mark.parametrize(("name", "setting"), PAIRS, ids=[f"{name}-{setting}" for name, setting in PAIRS])
def test_a_setting_acts_or_is_refused(name: str, setting: str) -> None:
    case = CASES[name]
    base, given = {k: v for k, v in case.base.items() if k != setting}, {setting: case.others[setting]}
    alone = answers_or_refusal(case._replace(base=base), given)
    if isinstance(alone, SettingError):
        assert setting in str(alone)
        assert setting in case.beside, f"{setting} is refused alone: {alone}"
    elif setting not in case.free:
        assert alone != answers(case, {}), f"{setting} changes nothing, and is not refused"
    if setting in case.beside:
        both = {**base, **case.beside[setting]}
        assert answers(case._replace(base=both), given) != answers(case._replace(base=both), {})


INNER = re.compile(
    r"PathIntegral|CrossEntropy|BestSample|MultipleShooting|GradientDescent|DifferentialDynamic|CondensedQP|Noise of|"
    r"RegulatedLaw|PursuitLaw|StanleyLaw"
)
"""Classes that users of controllers do not write."""


@pytest.mark.parametrize(("name", "setting"), PAIRS, ids=[f"{name}-{setting}" for name, setting in PAIRS])
def test_what_is_wrong_is_named_as_it_was_written(name: str, setting: str) -> None:
    case = CASES[name]
    with pytest.raises((SettingError, ShapeError), match=rf"\b{setting}\b|needs") as caught:
        case.make(**{**case.base, **case.beside.get(setting, {}), setting: Wrong()})
    assert not INNER.search(str(caught.value))


CLASHES: dict[str, tuple[str, dict[str, Any], str]] = {
    "two widths of the weights": ("MPPI", {"temperature": 1.0, "effective": 0.1}, "temperature and effective"),
    "two kinds of noise": ("MPPI", {"noise": PowerLawNoise(), "correlation": 0.5}, "noise and correlation"),
    "more knots than steps": ("PredictiveSampling", {"knots": 9}, "knots is 9; expected no more than the 8 steps"),
    "more knots of noise than steps": (
        "CEM",
        {"noise": KernelNoise(9)},
        "knots is 9; expected no more than the 8 steps",
    ),
    "a reset time without its windup": ("PID", {"windup": "clamping", "tracking": 1.0}, "tracking"),
}


@pytest.mark.parametrize("clash", CLASHES)
def test_settings_that_exclude_each_other_are_refused(clash: str) -> None:
    name, settings, told = CLASHES[clash]
    with pytest.raises(SettingError, match=told):
        CASES[name].make(**{**CASES[name].base, **settings})


def test_what_a_task_or_a_model_does_not_have_is_not_set() -> None:
    free, plain = reach(CAR, [1.0, 0.0, 0.0, 0.0]), Hover()
    wrong: list[dict[str, Any]] = [{"price": 10.0}, {"soft": True}]
    for settings in wrong:
        with pytest.raises(SettingError, match=f"{next(iter(settings))} is about the constraint"):
            SQP(CAR, free, **settings)
    with pytest.raises(SettingError, match="threads is 2"):
        MPPI(CAR, plain, threads=2)
    with pytest.raises(SettingError, match="precision is single"):
        MPPI(CAR, plain, precision="single")
    with pytest.raises(SettingError, match="real_time=True"):
        SQP(CAR, free, horizon=5).prepare()
    assert PredictiveSampling(CAR, free, horizon=3, rng=0).act(np.zeros(4)).u.shape == (2,)


class Wrong:
    """What no setting is."""


class Hover(Task):
    """A task without machine code."""

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        return (x**2).sum(-1)


@pytest.mark.parametrize("name", CASES)
def test_every_setting_has_another_value(name: str) -> None:
    settings = inspect.signature(getattr(control, name)).parameters.values()
    assert {p.name for p in settings if p.default is not p.empty} == set(CASES[name].others)


def test_every_controller_is_here() -> None:
    kinds = {name for name in control.__all__ if inspect.isclass(getattr(control, name))}
    controllers = {name for name in kinds if hasattr(getattr(control, name), "act")}
    assert controllers == set(CASES) | LEFT
