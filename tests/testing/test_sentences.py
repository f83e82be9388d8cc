"""Checks of what cannot even be called end in a sentence, too."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

from pilotage.control import MPPI, PurePursuit
from pilotage.core import (
    Action,
    CovarianceError,
    Dynamics,
    Gaussian,
    Mixture,
    ModelError,
    Particles,
    PilotageError,
    Plan,
    PlanStatus,
    Problem,
    Readings,
    Scans,
    Sensor,
    SettingError,
    ShapeError,
    Space,
    augment,
    carry,
    condition,
    jacobian,
)
from pilotage.envs import ModelVectorEnv
from pilotage.estimators import EKF, IMM, UKF
from pilotage.estimators.localization import free_poses, kld_bound
from pilotage.estimators.slam import Factors, GaussNewton, pose_graph
from pilotage.estimators.tracking import PDA
from pilotage.io import PoseGraph
from pilotage.maps import OccupancyGrid
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    bicycle,
    constant_velocity,
    gnss,
    position,
    relative_pose,
    unicycle,
)
from pilotage.planners import AStar, RRTConnect
from pilotage.testing import (
    check_controller,
    check_dynamics,
    check_estimator,
    check_planner,
    check_sensor,
    check_space,
)


class Cart(Dynamics):
    state, action = Space("x [m]"), Space("speed [m/s]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return [x[0] + dt * u[0]] if np.ndim(x) == 1 else x[:, 7]


class Trailer(Cart):
    def __init__(self, length: float = 1.0) -> None:
        self.length = length


class Tape(Sensor):
    state, reading = Space("x [m]"), Space("tape [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.array(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        raise ZeroDivisionError("one by nothing")


class Broken:
    """Everything it is asked for fails."""

    own_contexts = False

    def fail(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of order")

    predict = expect = update = plan = act = fail

    def reset(self, *, seed: int | None = None) -> None: ...


class Touchy(Broken):
    """A controller that trips over NaN."""

    def act(self, belief_or_state: Any, t: float = 0.0) -> Action:
        x = belief_or_state.mean if hasattr(belief_or_state, "moments") else belief_or_state
        return Action(np.array([round(x[0]) * 0.0, 0.0]))


def driving(controller: Any) -> None:
    check_controller(controller, unicycle())


@pytest.mark.parametrize(("check", "given", "sentence"), [
    (check_dynamics, Cart, r"Cart is a class; make one to check it: Cart\(\.\.\.\)"),
    (check_dynamics, bicycle, r"bicycle has no method `step`, .*; call it to make one: bicycle\(\.\.\.\)"),
    (check_dynamics, Cart(), r"Cart\.step raised IndexError for arrays of shape \(3, 1\), \(3, 1\): index 7 is out"),
    (check_dynamics, 3, r"int has no method `step`"),
    (check_sensor, Tape, r"Tape is a class"),
    (check_sensor, gnss, r"gnss has no method `observe`, .*; call it to make one"),
    (check_sensor, Tape(), r"Tape\.noise raised ZeroDivisionError for arrays of shape \(3, 1\): one by nothing"),
    (check_estimator, EKF, "EKF is a class"),
    (check_estimator, Broken(), "`predict` raised RuntimeError: out of order"),
    (check_planner, AStar, "AStar is a class"),
    (check_planner, Broken(), r"`plan` from \[2.25 2.25\] to .* raised RuntimeError: out of order"),
    (driving, PurePursuit, "PurePursuit is a class"),
    (driving, Broken(), r"`act` in the state \[0.* raised RuntimeError: out of"),
    (driving, Touchy(), "`act` in a state of NaN raised ValueError: .*fall back"),
    (check_space, Space, "Space is a class"),
])  # fmt: skip
def test_a_sentence_says_what_cannot_be_called(check: Any, given: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check(given)


CAR, START, P = bicycle(), [0.0, 0.0, 0.0, 1.0], np.eye(4) + 0.1
GRAPH: Any = PoseGraph
TIE: Any = Factors
EDGES = GRAPH(range(2), None, [[0, 1]], [[1.0, 0.0, 0.0]], [np.eye(3)])
ONE = ("pose", [0])


def start(**given: Any) -> Any:
    return EKF(CAR, dt=0.1).start(**{"mean": START, "std": 1.0, **given})


@pytest.mark.parametrize(("mistake", "error", "sentence"), [
    (lambda: IMM(constant_velocity(), 0.9, dt=0.1), SettingError, r"models of IMM is constant_velocity.*a list of"),  # pyright: ignore[reportArgumentType]
    (lambda: EKF(Gaussian.of(CAR.state, std=1.0)), SettingError, r"dynamics of EKF is Gaussian.*start\(belief=\.\.\."),  # pyright: ignore[reportArgumentType]
    (lambda: EKF(bicycle, dt=0.1), SettingError, r"dynamics of EKF is .*bicycle.*; is \(\) missing\?"),  # pyright: ignore[reportArgumentType]
    (lambda: GaussNewton.solve(EDGES), SettingError, r"GaussNewton\.solve is called on the class; .*GaussNewton\("),  # pyright: ignore[reportArgumentType, reportCallIssue]
    (lambda: AStar.plan(np.zeros(2), START, START), SettingError, r"AStar\.plan is called on the class"),  # pyright: ignore[reportArgumentType]
    (lambda: EKF.start(mean=START, std=1.0), SettingError, r"EKF\.start is called on the class; .*EKF\("),  # pyright: ignore[reportCallIssue]
    (lambda: UKF.predict(Gaussian.of(CAR.state, std=1.0), CAR), SettingError, r"UKF\.predict is called on the class"),  # pyright: ignore[reportArgumentType, reportCallIssue]
    (lambda: AStar().plan(HALL, start=(0, 0), gaol=(1, 0)), SettingError, r"AStar\.plan .* gaol; did you mean goal\?"),  # pyright: ignore[reportCallIssue]
    (lambda: start(men=START), SettingError, r"EKF\.start .* men; did you mean mean\?"),
    (lambda: EKF(CAR, dt=0.1).start(x=START, P=P), TypeError, r"EKF\.start .* x; did you mean mean\?"),  # pyright: ignore[reportCallIssue]
    (lambda: UKF(CAR).update(measurement=[0.0]), SettingError, r"UKF\.update .* measurement; did you mean z\?"),  # pyright: ignore[reportCallIssue]
    (lambda: start().run(None, zs=[[0.0]]), SettingError, r"Filter\.run .* zs; did you mean readings\?"),
    (lambda: EKF(CAR, dt=0.1).predict(u=[0.0, 0.0]), SettingError, r"EKF\.predict needs belief and .* \.start\("),  # pyright: ignore[reportCallIssue]
    (lambda: IMM([CAR, CAR], 0.9), SettingError, "IMM needs dt; it has models"),  # pyright: ignore[reportArgumentType, reportCallIssue]
    (lambda: Gaussian.of(CAR.state, sigma=1.0), SettingError, r"Gaussian\.of .* sigma; did you mean std\?"),  # pyright: ignore[reportCallIssue]
    (lambda: Gaussian(CAR.state, START, std=1.0), SettingError, r"; Gaussian\.of takes std"),  # pyright: ignore[reportCallIssue]
    (lambda: LinearDynamics(F=P, Q=P), SettingError, r"; LinearDynamics\.discrete takes F, Q"),  # pyright: ignore[reportCallIssue]
    (lambda: Trailer(lenght=2.0), SettingError, r"Trailer has no setting lenght; did you mean length\?"),  # pyright: ignore[reportCallIssue]
    (lambda: start().x, AttributeError, r"no attribute 'x'; see belief\.mean, belief\.cov"),
    (lambda: start().P, AttributeError, r"no attribute 'P'; see belief\.mean, belief\.cov"),
    (lambda: start().nothing, AttributeError, r"no attribute 'nothing'$"),
    (lambda: RRTConnect().plan(HALL, START, START), SettingError, r"takes 1 .*, not 3.*grid\.problem\("),  # pyright: ignore[reportArgumentType, reportCallIssue]
    (lambda: MPPI(CAR, Plan(PlanStatus.BUDGET)), SettingError, r"MPPI needs a Task, not Plan.*follow\(path, grid\)"),  # pyright: ignore[reportArgumentType, reportCallIssue]
    (lambda: Problem(CAR.state, start(), START), ShapeError, r"start is <EKF .*, which has a belief; .*\.belief"),
    (lambda: MPPI(CAR, HALL, seed=0), SettingError, r"MPPI .* seed; did you mean rng\?"),  # pyright: ignore[reportArgumentType, reportCallIssue]
    (lambda: start(mean={"z": 1.0}), ShapeError, "mean gives 'z'; the names are x, y, yaw, speed"),
    (lambda: start(std={"x": 1.0}), ShapeError, "std gives nothing for y; give all of x, y, yaw, speed"),
    (lambda: start(mean={"x": "far"}), SettingError, "mean of x is 'far'; expected a number"),
    (lambda: start(std=P), CovarianceError, "std is a symmetric matrix; .* cov="),
    (lambda: start(std=np.eye(4)), CovarianceError, "std is a symmetric matrix; .* cov="),
    (lambda: gnss(std=np.eye(2)), ModelError, r"std of gnss must be 2 .*; of correlated ones, noise="),  # pyright: ignore[reportArgumentType]
    (lambda: Readings(gnss, [[0.0, 0.0]], [0.0]), SettingError, r"Readings needs a Sensor, .*gnss.*is \(\) missing\?"),
    (lambda: Readings(LinearSensor, [[0.0]], [0.0]), SettingError, "Readings needs a Sensor, .*LinearSensor"),
    (lambda: Scans(gnss, [[[0.0, 0.0]]], [0.0]), SettingError, r"Scans needs a Sensor, .*gnss.*is \(\) missing\?"),
    (lambda: TIE(relative_pose(), [[0.0, 0.0, 0.0]], ONE, ONE, ONE), ShapeError, r"information is \('pose'"),
    (lambda: GaussNewton().solve(EDGES), SettingError, r"a FactorGraph, not PoseGraph.*; pose_graph\("),  # pyright: ignore[reportArgumentType]
    (lambda: pose_graph("a.g2o"), SettingError, r"a PoseGraph, not 'a\.g2o'.*; read_g2o\("),  # pyright: ignore[reportArgumentType]
])  # fmt: skip
def test_first_mistakes_end_in_a_sentence(mistake: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        mistake()


WRONG: list[Any] = [
    None, "text", -1, 2.5, True, [], [[1.0], [2.0, 3.0]], np.zeros((2, 3, 4)), object(), [float("nan")] * 2, {"x": 1.0},
    EKF, round, [None, None], np.array(["a", "b"]), float("nan"), 1j, {1, 2},
]  # fmt: skip
LINE, TAPE = constant_velocity(1), position(1)
TRACK = Gaussian.of(LINE.state, [0.0, 0.0], std=1.0)
HALL = OccupancyGrid.from_ascii("....")
FAMILIES: dict[str, tuple[Any, list[Any]]] = {
    "Gaussian": (Gaussian, [LINE.state, [0.0, 0.0], np.eye(2)]),
    "marginal": (TRACK.marginal, ["x"]),
    "Mixture": (Mixture, [[TRACK, TRACK], [0.0, 0.0]]),
    "Particles": (Particles, [LINE.state, np.zeros((5, 2)), np.zeros(5)]),
    "carry": (carry, [TRACK, LINE.state, None]),
    "augment": (augment, [TRACK, Space("w"), [0.0], [[1.0, 0.0]], [[1.0]]]),
    "condition": (lambda *given: condition(*given[:4], of=given[4]), [TRACK, [0.0], [[1.0]], [[1.0]], "x"]),
    "select": (LINE.state.select, ["x"]),
    "jacobian": (lambda x, source, target: jacobian(abs, x, source, target), [np.zeros(2), LINE.state, LINE.state]),
    "Readings": (Readings, [TAPE, [[0.0]], [0.0]]),
    "Scans": (Scans, [TAPE, [[[0.0]]], [0.0]]),
    "Problem": (Problem, [Space("x y in [0, 3]"), [0.0, 0.0], [1.0, 1.0]]),
    "start": (lambda mean, std, t: EKF(LINE, dt=0.1).start(mean, std, t=t), [[0.0, 0.0], 1.0, 0.0]),
    "predict": (EKF(dt=0.1).predict, [TRACK, LINE, None, 0.1]),
    "update": (EKF().update, [TRACK, TAPE, [0.0], None]),
    "PDA.update": (PDA(clutter=0.1).update, [TRACK, TAPE, [[0.0]], None]),
    "run": (
        lambda *given: EKF(LINE, dt=0.1).start(std=1.0).run(None, *given[:2], sensor=given[2]),
        [[[0.0]], [0.1], TAPE],
    ),
    "run of several": (lambda ts: EKF(LINE).start(std=1.0).run(None, [Readings(TAPE, [[0.0]], [0.0])], ts), [[0.1]]),
    "free_poses": (lambda grid, n, clearance: free_poses(grid, n, clearance=clearance), [HALL, 2, 0.0]),
    "kld_bound": (kld_bound, [3, 0.05, 0.99]),
    "observe": (gnss().observe, [[0.0, 0.0], None]),
    "log_prob": (gnss().log_prob, [[0.0, 0.0], [0.0, 0.0], None]),
    "bicycle": (lambda rule, length: bicycle(integrator=rule, wheelbase=length), ["rk4", 2.7]),
    "step": (CAR.step, [START, [0.0, 0.0], 0.1]),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_whatever_is_given_nothing_breaks_inside(name: str) -> None:
    """Anything in the place of anything is taken, or refused by an error of Pilotage."""
    call, given = FAMILIES[name]
    call(*given)
    for i in range(len(given)):
        for wrong in WRONG:
            with contextlib.suppress(PilotageError):
                call(*given[:i], wrong, *given[i + 1 :])


def test_numbers_by_name_are_those_in_order() -> None:
    std = {"speed": 0.5, "x": 1.0, "yaw": 0.1, "y": 2.0}
    for make in (EKF, UKF):
        named = make(CAR, dt=0.1).start(mean={"speed": 1.0}, std=std).belief
        listed = make(CAR, dt=0.1).start(mean=START, std=[1.0, 2.0, 0.1, 0.5]).belief
        np.testing.assert_array_equal(named.mean, listed.mean)
        np.testing.assert_array_equal(named.cov, listed.cov)
    assert Gaussian.of(CAR.state, std=np.ones((4, 4))).mean.shape == (4, 4)  # a batch, of equal deviations


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: OccupancyGrid.from_occupied([[0]]), "from_occupied needs resolution"),
        (lambda: OccupancyGrid.from_occupied([[0]], resolutoin=0.1), "did you mean resolution"),
        (lambda: HALL.problem((0.5, 0.5), (2.5, 0.5), radius=0.3), "did you mean footprint"),
        (lambda: HALL.problem((0.5, 0.5), (2.5, 0.5), 0.3), r"Footprint\.disc"),
        (lambda: ModelVectorEnv(unicycle(), None, None, n_envs=3), "did you mean num_envs"),
        (lambda: OccupancyGrid.load("dpot.yaml"), r"did you mean the stock map depot\.yaml"),
    ],
)
def test_calls_of_maps_and_environments_say_what_they_take(call: Any, said: str) -> None:
    with pytest.raises(PilotageError, match=said):
        call()
