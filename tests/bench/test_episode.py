"""Episodes in virtual time: when actions arrive, what is seen, and how runs fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilotage.bench import (
    BenchmarkTask,
    Channel,
    Fixed,
    Impulse,
    Lognormal,
    Measured,
    Mismatch,
    RunStatus,
    Wind,
    benchmark_task,
    simulate,
)
from pilotage.bench.contestants import Baseline
from pilotage.core import ActionStatus, SettingError
from pilotage.core.results import Action
from pilotage.models import pendulum

from .worlds import DT, Bad, Empty, Gain, Tank, gauge, tank_task

FINE = 1000
"""Pieces of a tick in the oracle."""


def events(x: float, delay: float, ticks: int) -> tuple[list[float], float, int]:
    """Levels, cost and missed ticks of `Gain(1)`, by small steps of an event simulation."""
    levels, cost, missed, held, due, coming = [x], 0.0, 0, 0.0, math.inf, 0.0
    for k in range(ticks):
        begin = x
        for i in range(FINE):
            now = k * FINE + i
            if now >= due:
                held, due = coming, math.inf
            if i == 0 and due == math.inf:
                coming, due = -x, now + round(delay / DT * FINE)
                if now >= due:
                    held, due = coming, math.inf
            cost += (begin**2 + 0.1 * held**2) / FINE
            x += held * DT / FINE
        missed += due >= (k + 1) * FINE and due != math.inf
        levels.append(x)
    return levels, cost + 5.0 * x**2, missed


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1, 0.25, 0.3, 1.7, 9.0])
def test_actions_arrive_after_their_delay(delay: float) -> None:
    episode = simulate(tank_task(), Gain(), seed=4, delays=Fixed(delay))
    levels, cost, missed = events(float(episode.xs[0][0]), delay, 20)
    assert np.allclose(np.ravel(episode.xs), levels, atol=1e-9)
    assert episode.cost == pytest.approx(cost) and episode.missed == missed
    assert len(episode.delays) == math.ceil(20 / max(math.ceil(delay / DT - 1e-9), 1))


@pytest.mark.parametrize(
    ("delay", "wait", "every"), [(0.03, 0, 1), (0.1, 1, 1), (0.13, 1, 2), (0.2, 2, 2), (0.27, 2, 3)]
)
def test_a_plant_of_whole_ticks_takes_actions_at_ticks(delay: float, wait: int, every: int) -> None:
    """An action computed at tick k acts from tick k + wait, and the next one is computed at tick k + every."""
    episode = simulate(tank_task(continuous=False), Gain(), delays=Fixed(delay))
    levels, u = [float(episode.xs[0][0])], {k + wait: k for k in range(0, 20, every)}
    held = 0.0
    for k in range(20):
        held = -levels[u[k]] if k in u else held
        levels.append(levels[-1] + DT * held)
    assert np.allclose(np.ravel(episode.xs), levels)
    assert episode.missed == sum(1 for k in range(20) if k % every < wait or wait == every)


def test_modelled_delays_depend_on_the_seed_alone() -> None:
    slow, fast = (simulate(tank_task(), made, seed=7, delays=Lognormal(0.08, 0.8)) for made in (Bad("dawdles"), Gain()))
    assert slow.digests == fast.digests and slow.delays == fast.delays and slow.missed > 0
    drawn = Lognormal(0.02, 0.5).start(0)
    logs = np.log([drawn(0.0) for _ in range(4000)])
    assert np.mean(logs) == pytest.approx(math.log(0.02), abs=0.03) and np.std(logs) == pytest.approx(0.5, abs=0.02)


def test_measured_delays_are_those_of_the_computation() -> None:
    episode = simulate(tank_task(horizon=8), Bad("dawdles"), delays=Measured())
    assert episode.delays == episode.spent and min(episode.spent[4:]) >= 0.05


@pytest.mark.parametrize(
    ("way", "status", "said"),
    [
        ("raises", RunStatus.RAISED, "act raised KeyError: 'no map'"),
        ("gives_nan", RunStatus.INVALID, "nan"),
        ("gives_two", RunStatus.INVALID, "expected 1 finite number"),
    ],
)
def test_a_controller_that_fails_is_a_result(way: str, status: RunStatus, said: str) -> None:
    episode = simulate(tank_task(), Bad(way))
    assert episode.status is status and said in episode.reason and episode.cost == math.inf and len(episode.us) == 4


def test_verdicts() -> None:
    assert simulate(tank_task(), Gain()).status is RunStatus.SUCCESS
    assert simulate(tank_task(), Gain(0.0), seed=2).status is RunStatus.MISSED
    over = simulate(tank_task(limit=0.5), Gain())
    above = np.ravel(over.xs[1:]) - 0.5
    assert over.status is RunStatus.VIOLATED and over.violations == (above > 1e-3).sum() > 0
    assert over.worst == pytest.approx(above.max()) and math.isfinite(over.cost)
    lost = simulate(tank_task(), Gain(), disturbances=[Impulse("level", 1e9, at=0.5)])
    assert lost.status is RunStatus.DIVERGED and "0.6 s" in lost.reason


def test_fallbacks_are_counted_and_actions_clipped() -> None:
    class Falls(Gain):
        def act(self, belief_or_state: Any, t: float | None = None) -> Action:
            return Action(np.array([50.0]), ActionStatus.FALLBACK, reason="held")

    episode = simulate(tank_task(limit=1e6), Falls())
    assert episode.fallbacks == 20 and np.ravel(episode.us).tolist() == [2.0] * 20


def test_an_episode_ends_when_the_task_is_done() -> None:
    class Drained(Empty):
        def done(self, x: Any, r: Any = None) -> Any:
            return np.asarray(x)[..., 0] < 0.5

    episode = simulate(BenchmarkTask("tank", Tank(), Drained()), Gain(2.0))
    assert np.flatnonzero(np.ravel(episode.xs) < 0.5).tolist() == [len(episode.us)]


def test_the_same_seed_gives_both_controllers_the_same_world() -> None:
    gusts = [Wind("level", std=0.5, correlation=0.3), Wind("level", std=0.1)]
    channel = Channel(gauge(), dropout=0.3)
    idle, busy = (
        simulate(tank_task(channel), Gain(gain), seed=3, estimator="estimate", disturbances=gusts)
        for gain in (0.0, 1.0)
    )
    pushes = [
        [float(b[0] - a[0] - DT * u[0]) for a, b, u in zip(e.xs, e.xs[1:], e.us)] for e in (idle, busy)
    ]  # not explained by the action
    assert np.allclose(*pushes) and np.ptp(pushes[0]) > 0.0
    other = simulate(tank_task(channel), Gain(0.0), seed=4, disturbances=gusts)
    assert other.xs[0] != idle.xs[0]


def test_a_perfect_gauge_costs_nothing() -> None:
    truth = simulate(tank_task(), Gain(), seed=5)
    seen = simulate(tank_task(Channel(gauge(1e-7))), Gain(), seed=5, estimator="estimate")
    assert seen.cost == pytest.approx(truth.cost, rel=1e-4)


@pytest.mark.parametrize("delay", [0.0, 0.04])
def test_readings_are_slow_late_and_lost(delay: float) -> None:
    """The beliefs are those of a Kalman filter by hand that is told late."""
    channel, controller = Channel(gauge(0.2), period=0.3, delay=0.2, dropout=0.4), Gain()
    episode = simulate(tank_task(channel), controller, seed=8, estimator="estimate", delays=Fixed(delay))
    rng = tank_streams(8)
    levels, means = np.ravel(episode.xs), []
    readings = {}
    for k in range(0, 20, 3):
        z, kept = levels[k] + 0.2 * rng.standard_normal(), rng.random() >= 0.4
        readings |= {k: z} if kept else {}
    assert 1 < len(readings) < 7
    for now in range(20):
        mean, P = 1.0, 0.09
        for k in range(now + 1):
            if k in readings and k + 2 <= now:
                gain = P / (P + 0.04)
                mean, P = mean + gain * (readings[k] - mean), (1.0 - gain) * P
            if k < now:
                before = episode.us[k - 1][0] if k else 0.0
                mean += delay * before + (DT - delay) * episode.us[k][0]
                P += 1e-6 * DT
        means.append(mean)
    assert np.allclose(controller.seen, means, atol=1e-9)


def tank_streams(seed: int) -> np.random.Generator:
    from pilotage.core.streams import generator

    return generator(seed, "reading gauge")


def test_a_task_without_a_filter_has_no_estimate() -> None:
    with pytest.raises(SettingError, match="tank has no filter"):
        simulate(tank_task(), Gain(), estimator="estimate")
    with pytest.raises(SettingError, match="estimator is 'guess'"):
        simulate(tank_task(), Gain(), estimator="guess")
    with pytest.raises(SettingError, match="either sensors or a filter"):
        BenchmarkTask("tank", Tank(), Empty(), sensors={"gauge": Channel(gauge())})


def test_the_noise_of_the_plant_has_its_covariance_however_late_actions_are() -> None:
    class Leaky(Tank):
        def noise(self, x: Any, u: Any, dt: float) -> Any:
            return np.full((1, 1), 0.04 * dt)

    leaky = BenchmarkTask("leaky", Leaky(), Empty(horizon=1200))
    for delay in (0.0, 0.04):
        x = np.ravel(simulate(leaky, Gain(0.0), delays=Fixed(delay)).xs)
        assert np.diff(x).std() == pytest.approx(0.2 * math.sqrt(DT), rel=0.06)


def test_mismatch_is_of_the_plant_and_not_of_the_model() -> None:
    benchmark = tank_task()
    episode = simulate(benchmark, Gain(), disturbances=[Mismatch({"gain": 1.5})])
    assert (episode.xs[1] - episode.xs[0])[0] == pytest.approx(1.5 * DT * episode.us[0][0])
    assert benchmark.known[0].params == {"gain": 1.0}
    with pytest.raises(SettingError, match="'mass'"):
        simulate(benchmark, Gain(), disturbances=[Mismatch({"mass": 1.5})])
    with pytest.raises(SettingError, match="'wheel'"):
        simulate(benchmark, Gain(), disturbances=[Wind("wheel", std=1.0)])


def test_coloured_wind_has_its_variance_and_correlation() -> None:
    space, tau = Tank().state, 0.5
    w = Wind("level", std=2.0, correlation=tau, mean=1.0).pushes(space, 40000, DT, np.random.default_rng(0))[:, 0] / DT
    assert w.mean() == pytest.approx(1.0, abs=0.1) and w.std() == pytest.approx(2.0, rel=0.05)
    assert np.corrcoef(w[:-5], w[5:])[0, 1] == pytest.approx(math.exp(-5 * DT / tau), abs=0.05)


def test_the_regret_of_the_optimal_controller_is_zero() -> None:
    """The Riccati gains of the double integrator reach its optimum; other gains do not."""
    benchmark = benchmark_task("double_integrator")
    A, B = benchmark.plant.linearize(np.zeros(2), np.zeros(1), 0.1)
    P, gains = np.diag([10.0, 1.0]), []
    for _ in range(50):
        K = np.linalg.solve(0.1 + B.T @ P @ B, B.T @ P @ A)
        P = np.diag([1.0, 0.1]) + A.T @ P @ A - K.T @ (0.1 + B.T @ P @ B) @ K
        gains.insert(0, K)

    class Lqr(Gain):
        def act(self, belief_or_state: Any, t: float | None = None) -> Action:
            return Action(-self.gain * gains[round((t or 0.0) / 0.1)] @ belief_or_state)

    for seed in range(3):
        best = benchmark.best(seed)
        assert best is not None and simulate(benchmark, Lqr(1.0), seed=seed).cost == pytest.approx(best)
        assert simulate(benchmark, Lqr(0.9), seed=seed).cost > best
    assert benchmark.best(0, (Impulse("x", 1.0),)) is None


def test_the_action_of_a_baseline_stays_its_own() -> None:
    rod = pendulum()
    law = Baseline(rod.state, rod.action, [1.0])
    for x in ([0.0, 0.0], [np.nan, 0.0]):
        law.act(x).u[:] = 9.0
        assert law.act(x).u == 1.0
