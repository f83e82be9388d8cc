"""Dynamic programming, local optimisation from many starts, and the stored optima."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pilotage.bench import benchmark_task
from pilotage.bench.optimum import Multistart, known, proof, record, trajectory_cost
from pilotage.bench.optimum.multistart import episode_cost
from pilotage.bench.optimum.postures import elbows
from pilotage.bench.optimum.recipes import GRIDS, STARTS, Starts, compute, improve
from pilotage.control import ICEM, ILQR, ValueTable
from pilotage.core import PilotageError

STORED = sorted({*GRIDS, *STARTS})


def test_the_bounds_of_the_double_integrator_are_never_active() -> None:
    """iLQR with bounds finds the cost of the Riccati equation on every seed, so that it is the optimum."""
    cart = benchmark_task("double_integrator")
    solver = ILQR(cart.plant, cart.task, horizon=50)
    for seed in range(100):
        assert solver.solve(cart.first(seed)).cost == pytest.approx(cart.best(seed), rel=1e-6)


@pytest.mark.parametrize("name", STORED)
def test_stored_plans_prove_the_stored_costs(name: str) -> None:
    """They begin at the start, obey the plant and the bounds, and cost as much: file and task belong together."""
    benchmark, kept = benchmark_task(name), record(name)
    plant, task = benchmark.plant, benchmark.task
    assert kept["task"] == name and len(kept["costs"]) == 100 and len(proof(name)) == 2
    for seed, (xs, us) in proof(name).items():
        assert np.allclose(xs[0], benchmark.first(seed), atol=1e-8) and plant.action.contains(us).all()
        defects = plant.state.minus(xs[1:], plant.step(xs[:-1], us, task.dt))
        assert np.abs(defects).max() < 1e-6
        assert trajectory_cost(task, xs, us) == pytest.approx(kept["costs"][seed], rel=1e-5)
        assert benchmark.best(seed) == kept["costs"][seed]
    assert known(name)(100) is None and known(name)(-1) is None


@pytest.mark.parametrize("name", STORED)
def test_no_simple_plan_is_better_than_a_stored_optimum(name: str) -> None:
    """One start of a local optimisation does not go below it, on seeds that have no proof."""
    benchmark = benchmark_task(name)
    solver = Multistart(benchmark, starts=1, episodes=0, hops=0)
    for seed in (7, 42):
        best = benchmark.best(seed)
        assert best is not None and solver.best(seed).cost > best * (1.0 - 1e-4)


def polished(name: str, seed: int) -> float:
    """The cost of an episode of ICEM, with random numbers that `Multistart` does not use, polished by iLQR."""
    benchmark = benchmark_task(name)
    plant, T, dt = benchmark.plant, benchmark.task.horizon, benchmark.task.dt
    driver = ICEM(*benchmark.known, horizon=min(30, T), samples=125, brake=benchmark.action, rng=1000 + seed)
    x, us = benchmark.first(seed), np.empty((T, plant.action.size))
    for k in range(T):
        us[k] = driver.act(x, k * dt).u
        x = plant.step(x, us[k], dt)
    plan = ILQR(plant, benchmark.task, horizon=T, iterations=400).solve(benchmark.first(seed), us=us)
    return min(episode_cost(benchmark, seed, each) for each in (us, plan.us) if each is not None)


@pytest.mark.slow
@pytest.mark.parametrize("name", STORED)
def test_no_polished_episode_is_better_than_a_stored_optimum(name: str) -> None:
    """The optima are ground truth: what a sampling controller does, improved over the whole horizon, is not below."""
    for seed in range(10):
        best = benchmark_task(name).best(seed)
        assert best is not None and polished(name, seed) > best * (1.0 - 1e-3)


@pytest.mark.parametrize(("name", "seed"), [("reacher", 5), ("cart_pole_swingup", 2)])
def test_episodes_and_hops_find_what_starts_of_ilqr_miss(name: str, seed: int) -> None:
    """On seeds whose best plan lies in another valley than all simple ones."""
    benchmark = benchmark_task(name)
    simple = Multistart(benchmark, starts=4, episodes=0, hops=0).best(seed).cost
    assert Multistart(benchmark, starts=2, episodes=2, hops=4).best(seed).cost < 0.97 * simple
    best = benchmark.best(seed)
    assert best is not None and best < 0.97 * simple


def test_moves_to_postures_find_what_hops_miss() -> None:
    """On a seed whose best plan turns the other way than that of twelve starts, four episodes and many hops (87.2)."""
    arm = benchmark_task("reacher")
    found, best = Starts(2, durations=6).best(arm, 1).cost, arm.best(1)
    assert best is not None and best <= found * (1.0 + 1e-6) < 76.0


def test_both_elbows_touch_the_target() -> None:
    links, rng = (0.5, 0.3), np.random.default_rng(0)
    for r, angle in zip(rng.uniform(0.21, 0.79, 10), rng.uniform(-np.pi, np.pi, 10)):
        target = (r * np.cos(angle), r * np.sin(angle))
        for a, b in elbows(links, target):
            tip = [links[0] * f(a) + links[1] * f(a + b) for f in (np.cos, np.sin)]
            assert tip == pytest.approx(target)


def test_a_coarse_grid_bounds_the_optimum_of_pendulum_v1() -> None:
    """The policy of a coarse grid costs more on every seed, and not much more in the mean."""
    benchmark, grid = benchmark_task("pendulum_v1"), GRIDS["pendulum_v1"]
    table = ValueTable(benchmark.plant, benchmark.task, grid.low, grid.high, (101, 51), 11)
    found = np.array([table.rollout(benchmark.first(seed), 41)[0] for seed in range(100)])
    stored = np.array([benchmark.best(seed) for seed in range(100)], dtype=float)
    assert (found > stored * (1.0 - 1e-6) - 1e-6).all() and found.mean() < 1.1 * stored.mean()
    assert record("pendulum_v1")["convergence"]["grid_mean"] == pytest.approx(132.8, abs=0.1)
    assert 132.0 < stored.mean() < 132.85


def test_compute_writes_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("pilotage.bench.optimum.store.DATA", tmp_path)
    monkeypatch.setitem(STARTS, "unicycle_goal", Starts(2, episodes=1, hops=1))
    said: list[str] = []
    compute("unicycle_goal", 2, said.append)
    kept = json.loads((tmp_path / "unicycle_goal.json").read_text())
    assert len(kept["costs"]) == 2 and kept["convergence"]["starts"] == 2 and "unicycle_goal" in said[0]
    good = list(kept["costs"])
    kept["costs"][1], kept["actions"]["1"] = 1e3, []
    (tmp_path / "unicycle_goal.json").write_text(json.dumps(kept))
    record.cache_clear()
    improve("unicycle_goal", [0, 1], 1, said.append)
    kept = json.loads((tmp_path / "unicycle_goal.json").read_text())
    assert kept["costs"] == pytest.approx(good, rel=1e-6) and kept["mean"] == pytest.approx(np.mean(good), abs=1e-3)
    assert len(kept["actions"]["1"]) == 80
    record.cache_clear()


def test_a_seed_without_a_plan_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from pilotage.bench.optimum.store import keep

    monkeypatch.setattr("pilotage.bench.optimum.store.DATA", tmp_path)
    with pytest.raises(PilotageError, match="1"):
        keep("lost", "none", [1.0, float("inf")], [], {})
    assert not list(tmp_path.iterdir())
