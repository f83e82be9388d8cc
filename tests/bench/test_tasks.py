"""The tasks that come along, and an environment as a task."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

from pilotage.bench import Run, benchmark_task, controllers, env_task, simulate, tasks
from pilotage.bench.contestants import fits
from pilotage.core import Action, SettingError
from pilotage.testing import check_controller

from .worlds import Gain


@pytest.mark.parametrize("name", tasks.names())
def test_a_planner_beats_rest_on_every_task(name: str) -> None:
    benchmark = benchmark_task(name)
    assert benchmark.plant.state.contains(benchmark.first(0)) and benchmark.plant.action.contains(benchmark.action)
    rest, planned = (Run(name, controller).execute() for controller in ("rest", "ilqr"))
    assert planned.success, planned.reason
    assert planned.cost < 0.5 * rest.cost and not rest.status.failed and rest.fallbacks == 0


@pytest.mark.parametrize("name", [name for name in tasks.names() if benchmark_task(name).filter])
def test_filters_know_their_errors(name: str) -> None:
    """The belief at the end is near the truth, in units of its own covariance."""
    benchmark = benchmark_task(name)

    class Watcher(Gain):
        def act(self, belief_or_state: Any, t: float | None = None) -> Any:
            self.belief = belief_or_state
            return Action(benchmark.action)

    nees = []
    for seed in range(5):
        watcher = Watcher()
        episode = simulate(benchmark, watcher, seed=seed, estimator="estimate")
        d = benchmark.plant.state.minus(episode.xs[-2], watcher.belief.mean)
        nees.append(float(d @ np.linalg.solve(watcher.belief.cov, d)))
    assert np.mean(nees) < 4.0 * benchmark.plant.state.dim


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
        row = Run("double_integrator", name, seed=0).execute()
        exact = name not in ("mppi", "cem", "icem", "predictive_sampling")
        best = row.cost - row.regret
        assert row.fallbacks == 0 and row.cost < (1.01 if exact else 1.5) * best, (name, row.cost, best)


def test_controllers_fit_the_tasks_that_they_can_do() -> None:
    assert not fits("lqr", benchmark_task("unicycle_goal")), "no gain stabilises a unicycle that stands"
    assert not fits("linear_mpc", benchmark_task("cart_pole_balance")), "its goal is not known"
    assert not fits("ddp", benchmark_task("quadrotor_hover")), "its state has rotations"
    assert fits("lqr", benchmark_task("quadrotor_hover"))


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
        env_task("rod", lambda: gymnasium.make("Pendulum-v1"), dt=0.05, horizon=50)
