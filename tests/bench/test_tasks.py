"""The tasks that come along, and an environment as a task."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from pilotage.bench import Run, RunStatus, benchmark_task, controllers, env_task, simulate, tasks
from pilotage.bench.contestants import fits
from pilotage.bench.stock.tracks import TRACKS, centerline, track_folder
from pilotage.core import Action, MissingFile, SettingError
from pilotage.testing import check_controller

from .worlds import Gain

LAPS = {track.lower() for track in TRACKS}
SIMULATORS = ["half_cheetah", "half_cheetah_dash", "inverted_pendulum", "mujoco_reacher"]
"""Tasks without derivatives."""
CROWDS = ["people", "people_simulated"]
"""Tasks in which a controller that is told of nobody collides."""
SMALL = [name for name in tasks.names() if name not in (*SIMULATORS, *CROWDS) and name.rpartition("_")[2] not in LAPS]
"""Tasks that iLQR does in a second."""


@pytest.mark.parametrize("name", SMALL)
def test_a_planner_beats_rest_on_every_task(name: str) -> None:
    benchmark = benchmark_task(name)
    assert benchmark.plant.state.contains(benchmark.first(0)) and benchmark.plant.action.contains(benchmark.action)
    settings, share = ({"horizon": 120}, 0.55) if name == "acrobot" else ({}, 0.5)  # it has to swing back and forth
    rest, planned = Run(name, "rest").execute(), Run(name, "ilqr", settings=settings).execute()
    assert planned.success, planned.reason
    assert planned.cost < share * rest.cost and not rest.status.failed and rest.fallbacks == 0
    assert planned.regret is not None and planned.regret > -1e-6 * planned.cost


SEEING = [name for name in [*SMALL, "people_simulated"] if benchmark_task(name).filter]
CUT = 60
"""Ticks after which the episodes of simulators are cut in tests."""


@pytest.mark.parametrize("name", [*SEEING, *SIMULATORS])
def test_filters_know_their_errors(name: str) -> None:
    """The belief at the end is near the truth, in units of its own covariance."""
    benchmark = benchmark_task(name)
    if name in SIMULATORS:
        pytest.importorskip("mujoco")
        task: Any = copy.copy(benchmark.task)
        task.horizon = min(task.horizon, CUT)
        benchmark = replace(benchmark, task=task)

    class Watcher(Gain):
        def act(self, belief_or_state: Any, t: float | None = None) -> Any:
            self.belief = belief_or_state
            return Action(benchmark.action)

    nees = []
    for seed in range(1 if name in CROWDS else 5):  # its filter is one of particles
        watcher = Watcher()
        episode = simulate(benchmark, watcher, seed=seed, estimator="estimate")
        known = watcher.belief.moments()
        d = benchmark.plant.state.minus(episode.xs[-2], known.mean)
        nees.append(float(d @ np.linalg.solve(known.cov, d)))
    assert np.mean(nees) < 4.0 * benchmark.plant.state.dim


@pytest.mark.parametrize("name", [*SEEING, *SIMULATORS])
def test_readings_are_late_rare_and_lost(name: str) -> None:
    """Estimates are hard enough: each task has a sensor that is late or slow, and one that loses readings."""
    if name in SIMULATORS:
        pytest.importorskip("mujoco")
    channels = (benchmark_task(name).sensors or {}).values()
    assert any(each.delay > 0.0 or each.period for each in channels)
    assert name in ("people", "parking") or any(each.dropout > 0.0 for each in channels)


def test_other_controllers_of_a_robot() -> None:
    for controller in ("mppi", "pure_pursuit", "regulated_pure_pursuit", "stanley"):
        row = Run("unicycle_goal", controller, seed=1).execute()
        assert row.success, row.reason


def test_controllers_with_derivatives_reach_the_optimum_and_others_come_near() -> None:
    """Of the double integrator, whose optimum is that of the linear-quadratic regulator."""
    task = benchmark_task("double_integrator")
    names = [name for name in controllers.names() if fits(name, task) and name not in ("rest", "random")]
    assert {"lqr", "linear_mpc", "ddp", "sqp", "sqp_real_time", "gradient_mpc", "cem", "icem"} <= set(names)
    for name in names:
        exact = name not in ("mppi", "cem", "icem", "predictive_sampling")
        row = Run("double_integrator", name, seed=0, settings={} if exact else {"std": 1.0}).execute()
        best = row.cost - row.regret
        assert row.fallbacks == 0 and row.cost < (1.01 if exact else 1.5) * best, (name, row.cost, best)


@pytest.mark.parametrize(("name", "share"), [("quadrotor_hover", 0.1), ("quadrotor_eight", 0.25), ("reacher", 0.1)])
@pytest.mark.parametrize("controller", ["mppi", "icem"])
def test_samplers_have_settings_that_suit_the_task(name: str, share: float, controller: str) -> None:
    """They reach the goal at a small share of the cost of resting; with their own spread alone they lose the robot."""
    alone = {"restarts": 0} if controller == "icem" else {}
    rest, row = Run(name, "rest").execute(), Run(name, controller).execute()
    assert row.success and row.cost < share * rest.cost, (row.cost, rest.cost)
    coarse = Run(name, controller, settings={"std": None, "horizon": 30, "feedback": False, **alone}).execute()
    assert row.cost < 0.5 * coarse.cost


def test_controllers_fit_the_tasks_that_they_can_do() -> None:
    assert not fits("lqr", benchmark_task("unicycle_goal")), "no gain stabilises a unicycle that stands"
    assert not fits("linear_mpc", benchmark_task("cart_pole_balance")), "its goal is not known"
    assert not fits("ddp", benchmark_task("quadrotor_hover")), "its state has rotations"
    assert fits("lqr", benchmark_task("quadrotor_hover"))
    rod = env_task("rod", lambda: Rod(gymnasium.make("Pendulum-v1")), dt=0.05, horizon=50)
    for name in ("ilqr", "ddp", "sqp", "gradient_mpc"):
        assert not fits(name, rod), "its rewards have no derivatives"
        assert fits(name, benchmark_task("pendulum"))
    assert fits("mppi", rod)


def test_pendulum_v1_is_that_of_gymnasium() -> None:
    benchmark, env = benchmark_task("pendulum_v1"), gymnasium.make("Pendulum-v1")
    us = np.random.default_rng(0).uniform(-2.0, 2.0, (100, 1)).astype(np.float32)
    for seed in range(3):
        env.reset(seed=seed)
        x = benchmark.first(seed)
        for u in us:
            theta, rate = env.unwrapped.state  # type: ignore[attr-defined]
            assert np.allclose(benchmark.plant.state.minus(x, [theta, rate]), 0.0, atol=1e-4)
            reward = env.step(u)[1]
            assert float(benchmark.task.cost(x, u.astype(float))) == pytest.approx(-float(reward), abs=1e-3)
            x = benchmark.plant.step(x, u, 0.05)


@pytest.mark.parametrize("name", ["rest", "random"])
def test_baselines_keep_the_contract_of_controllers(name: str) -> None:
    benchmark = benchmark_task("quadrotor_hover")
    made = controllers.get(name)(benchmark, benchmark.plant, 0)
    check_controller(made, benchmark.plant, benchmark.first(0), 0.05)
    check_controller(pickle.loads(pickle.dumps(made)), benchmark.plant, benchmark.first(0), 0.05)


class Rod(gymnasium.Wrapper):  # type: ignore[type-arg]
    def get_state(self) -> Any:
        return self.unwrapped.state  # type: ignore[attr-defined]

    def set_state(self, x: Any) -> None:
        self.unwrapped.state = x  # type: ignore[attr-defined]


def test_an_environment_with_a_state_is_a_task() -> None:
    rod = env_task("rod", lambda: Rod(gymnasium.make("Pendulum-v1")), dt=0.05, horizon=50)
    ours = benchmark_task("pendulum_v1")
    assert np.allclose(rod.first(3), ours.first(3)) and rod.plant.action.high.tolist() == [2.0]

    class Damper(Gain):
        def act(self, belief_or_state: Any, t: float | None = None) -> Any:
            return Action(np.clip(-belief_or_state[1:], -2.0, 2.0))

    episode, x, cost = simulate(rod, Damper(), seed=3), ours.first(3), 0.0
    for _ in range(50):
        u = np.clip(-x[1:], -2.0, 2.0)
        cost += float(ours.task.cost(x, u))
        x = ours.plant.step(x, u, 0.05)
    assert episode.cost == pytest.approx(cost, rel=1e-5)
    xs = rod.plant.step(np.zeros((3, 2)), np.array([[0.0], [1.0], [2.0]]), 0.05)
    assert xs.shape == (3, 2) and np.ptp(xs[:, 1]) > 0.1
    with pytest.raises(SettingError, match="get_state"):
        env_task("lake", lambda: gymnasium.make("FrozenLake-v1"), dt=1.0, horizon=50)


class Posed(gymnasium.Wrapper):  # type: ignore[type-arg]
    steps = 0

    def get_state(self) -> Any:
        return np.concatenate([self.unwrapped.data.qpos, self.unwrapped.data.qvel])  # type: ignore[attr-defined]

    def set_state(self, x: Any) -> None:
        n = self.unwrapped.model.nq  # type: ignore[attr-defined]
        self.unwrapped.set_state(x[:n], x[n:])  # type: ignore[attr-defined]

    def step(self, action: Any) -> Any:
        self.steps += 1
        return super().step(action)


def test_an_environment_ends_its_episodes_itself() -> None:
    """Its return is Gymnasium's, up to the end that it sets; each step is taken once."""
    pytest.importorskip("mujoco")
    push = np.array([0.3])
    hinge = env_task("hinge", lambda: Posed(gymnasium.make("InvertedPendulum-v5")), dt=0.04, horizon=200)
    plant: Any = hinge.plant
    before = plant.env.steps

    class Push(Gain):
        def act(self, belief_or_state: Any, t: float | None = None) -> Any:
            return Action(push)

    episode = simulate(hinge, Push(), seed=1)
    env, total, ticks, ended = gymnasium.make("InvertedPendulum-v5"), 0.0, 0, False
    env.reset(seed=1)
    while not ended:
        _, reward, ended, _, _ = env.step(push)
        total, ticks = total + float(reward), ticks + 1
    assert (len(episode.us), -episode.cost) == (ticks, pytest.approx(total)) and ticks < 100
    assert plant.env.steps - before == ticks
    last = episode.xs[-1]
    assert np.array_equal(plant.step(last, push, 0.04), last) and float(hinge.task.cost(last, push)) == 0.0
    assert hinge.task.done(np.stack([last, episode.xs[0]])).tolist() == [True, False]


def test_an_environment_without_a_box_of_actions_is_refused() -> None:
    def make() -> Any:
        env = Rod(gymnasium.make("CartPole-v1"))
        env.action_space = gymnasium.spaces.MultiDiscrete([2])
        return env

    with pytest.raises(SettingError, match="MultiDiscrete"):
        env_task("cart", make, dt=0.02, horizon=50)


@pytest.mark.parametrize("name", [*SMALL, "mujoco_reacher"])
def test_disturbances_of_a_task_change_its_episodes(name: str) -> None:
    """Each one fits the plant, changes the cost of resting, and leaves it finite."""
    if name in SIMULATORS:
        pytest.importorskip("mujoco")
    calm = Run(name, "rest", seed=1).execute()
    assert benchmark_task(name).disturbances
    for listed in (benchmark_task(name).disturbances or {}).values():
        row = Run(name, "rest", seed=1, disturbances=listed).execute()
        assert not row.status.failed and row.optimum is None
        moved = not np.array_equal(row.states, calm.states)
        assert moved or "mismatch" in listed[0]  # a car at rest does not notice its wheelbase


def test_a_disturbance_that_does_not_fit_is_refused() -> None:
    rod = benchmark_task("pendulum")
    with pytest.raises(SettingError, match="wheelbase"):
        type(rod)("rod", rod.plant, rod.task, disturbances={"long": [{"mismatch": {"wheelbase": 1.1}}]})


@pytest.mark.parametrize(
    ("name", "env_name", "shift"),
    [
        ("inverted_pendulum", "InvertedPendulum-v5", 0),
        ("mujoco_reacher", "Reacher-v5", 0),
        ("half_cheetah", "HalfCheetah-v5", 1),
        ("half_cheetah_dash", "HalfCheetah-v5", 1),
    ],
)
def test_simulators_are_those_of_gymnasium(name: str, env_name: str, shift: int) -> None:
    """The same starts, the same states under the same actions, and minus the same rewards."""
    pytest.importorskip("mujoco")
    benchmark, env = benchmark_task(name), gymnasium.make(env_name)
    env.reset(seed=3)
    data: Any = env.unwrapped.data  # type: ignore[attr-defined]
    x, reward = benchmark.first(3), 0.0
    us = 0.3 * np.random.default_rng(0).uniform(-1.0, 1.0, (10, benchmark.plant.action.size))
    xs = benchmark.plant.rollout(x, us, benchmark.task.dt)
    assert np.allclose(x[shift:], np.concatenate([data.qpos, data.qvel])[shift:])
    for u in us:
        reward += float(env.step(u)[1])
    assert np.allclose(xs[-1][shift:], np.concatenate([data.qpos, data.qvel])[shift:], atol=1e-3)
    judged = benchmark.task.on(benchmark.plant.state, benchmark.plant.action)
    cost = float(np.sum(judged.cost(xs[:-1], us)) + judged.terminal_cost(xs[-1]))
    at_start = float(judged.terminal_cost(x)) if name == "mujoco_reacher" else 0.0
    assert cost - at_start == pytest.approx(-reward, abs=0.02)


@pytest.mark.parametrize("controller", ["ilqr", "mppi", "cem", "icem", "predictive_sampling"])
def test_the_pole_stands_with_the_settings_of_the_task(controller: str) -> None:
    """Plans of 0.3 s keep the cart in the middle too, since they end with the cost-to-go of LQR."""
    pytest.importorskip("mujoco")
    benchmark = benchmark_task("inverted_pendulum")
    task: Any = copy.copy(benchmark.task)
    task.horizon = 2 * CUT
    pushed = replace(benchmark, task=task, start=lambda seed: [0.1, 0.02, 0.0, 0.0])
    drive = controllers.get(controller)(pushed, pushed.plant, 3)
    episode = simulate(pushed, drive, seed=3)
    assert episode.status is RunStatus.SUCCESS and np.abs(episode.xs[-1][:2]).max() < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("controller", ["ilqr", "mppi", "cem", "icem"])
def test_the_arm_touches_its_target_with_the_settings_of_the_task(controller: str) -> None:
    pytest.importorskip("mujoco")
    assert Run("mujoco_reacher", controller, seed=0).execute().success


def test_settings_of_a_suite_come_before_those_of_the_task_and_these_before_stock_ones() -> None:
    rod = benchmark_task("pendulum")
    task = replace(rod, sampling={"samples": 7, "horizon": 9}, tuned={"icem": {"horizon": 5}, "ilqr": {"horizon": 4}})

    def made(name: str, benchmark: Any, **settings: Any) -> tuple[int, int]:
        drive: Any = controllers.get(name)(benchmark, rod.plant, 0, **settings)
        return drive.problem.steps, getattr(drive.solver, "samples", 0)

    assert made("mppi", task) == (9, 7) and made("icem", task) == (5, 7)
    assert made("icem", task, horizon=3) == (3, 7) and made("mppi", rod)[1] == 500
    assert made("ilqr", task) == (4, 0) and made("ilqr", rod) == (30, 0)


def test_a_pole_that_falls_in_the_simulator_ends_the_episode() -> None:
    pytest.importorskip("mujoco")
    row = Run("inverted_pendulum", "random", seed=1).execute()
    assert row.ticks < 1000 and row.cost == -(row.ticks - 1) and row.optimum == -1000.0


def test_a_track_that_is_absent_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PILOTAGE_DATA", str(tmp_path))
    with pytest.raises(MissingFile, match="PILOTAGE_DATA"):
        centerline("Monza")
    monkeypatch.delenv("PILOTAGE_DATA")
    with pytest.raises(MissingFile, match="PILOTAGE_DATA"):
        track_folder("Monza")


def test_a_lap_begins_clear_of_the_walls() -> None:
    """The start is on the line, which is closed, and far from the walls."""
    try:
        benchmark = benchmark_task("bicycle_spielberg")
    except MissingFile as missing:
        pytest.skip(str(missing))
    x, line = benchmark.first(0), benchmark.path(0) if benchmark.path else None
    assert line is not None and np.allclose(line[0], line[-1]) and np.hypot(*(x[:2] - line[0])) < 0.5
    ride = benchmark.task.on(benchmark.plant.state, benchmark.plant.action)
    assert np.max(ride.constraint(x, benchmark.action, ride.references(x, 0.0, 0)[0][0])) < 0.0


@pytest.mark.parametrize("robot", ["bicycle", "unicycle"])
def test_a_tracker_drives_a_lap_at_the_speed_of_the_task(robot: str) -> None:
    """It keeps clear of the walls, and takes a little longer than the published line at the same speed."""
    try:
        row = Run(f"{robot}_spielberg", "stanley").execute()
    except MissingFile as missing:
        pytest.skip(str(missing))
    if row.reason.startswith("MissingFile"):
        pytest.skip(row.reason)
    assert row.success, row.reason
    assert row.cost < 30.0, "a car at the speed of its task is on its reference"
    assert row.best_seconds is not None and row.best_seconds < row.seconds < 1.1 * row.best_seconds


def test_a_lap_that_is_not_driven_is_no_success() -> None:
    """It ends where it begins."""
    row = Run("unicycle_spielberg", "rest").execute()
    if row.reason.startswith("MissingFile"):
        pytest.skip(row.reason)
    assert row.status is RunStatus.MISSED and "not done" in row.reason
