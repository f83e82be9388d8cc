"""Laws of all controllers that sample: the optimum, replay, threads, limits; and of each update by its paper."""

# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false
from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.control import (
    CEM,
    ICEM,
    ILQR,
    MPPI,
    IntegratedNoise,
    KernelNoise,
    PowerLawNoise,
    PredictiveSampling,
    SplineNoise,
    reach,
)
from pilotage.control.receding import Stopwatch
from pilotage.core import ActionStatus, SettingError
from pilotage.models import bicycle
from pilotage.models import task as task_of
from pilotage.testing import check_controller

from .test_noise import drawn
from .worlds import PUSH, PlainDynamics, PlainTask, cart, driven, forward, riccati_cost, rod, stop, swing_up

CAR = bicycle(wheelbase=2.0)
GOAL = reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1)
X = np.array([0.0, 0.0, 3.0, 1.0])
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "CEM": (CEM, {}),
    "CEM, pink": (CEM, {"noise": PowerLawNoise(1.0)}),
    "CEM, restarts": (CEM, {"restarts": 1, "scales": (1.0, 0.3)}),
    "ICEM": (ICEM, {}),
    "ICEM, scales": (ICEM, {"restarts": 2, "scales": (1.0, 0.3, 0.1)}),
    "PredictiveSampling": (PredictiveSampling, {}),
    "PredictiveSampling, zero": (PredictiveSampling, {"order": "zero"}),
    "MPPI, pink": (MPPI, {"noise": PowerLawNoise(1.0)}),
    "MPPI, smooth": (MPPI, {"noise": IntegratedNoise()}),
    "MPPI, kernel": (MPPI, {"noise": KernelNoise(5)}),
    "MPPI, noise used again": (MPPI, {"redraw": False}),
    "MPPI, adaptive": (MPPI, {"adapt": 0.3}),
}


def made(kind: str, model: Any = CAR, task: Any = GOAL, **more: Any) -> Any:
    cls, own = KINDS[kind]
    return cls(model, task, **{"horizon": 12, "samples": 100, "rng": 5, **own, **more})


def plans(drive: Any, model: Any = CAR, x: Any = X, ticks: int = 3) -> np.ndarray:
    found = []
    for _ in range(ticks):
        action = drive.act(x)
        found.append(action.plan)
        x = model.step(x, action.u, 0.1)
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_is_one_course_in_any_thread_process_and_backend(kind: str) -> None:
    first = plans(made(kind))
    again = made(kind, threads=3)
    assert np.array_equal(first, plans(again))
    again.reset()
    assert np.array_equal(first, plans(pickle.loads(pickle.dumps(again))))
    plain = made(kind, PlainDynamics(CAR), PlainTask(GOAL, CAR.state))
    assert np.allclose(first, plans(plain), rtol=0.0, atol=1e-8)
    assert not np.array_equal(first, plans(made(kind, rng=6)))


@pytest.mark.parametrize("kind", [kind for kind, (_, own) in KINDS.items() if "restarts" not in own])
def test_one_sample_is_the_plan(kind: str) -> None:
    drive = made(kind, cart(), stop(dt=0.1), samples=1, iterations=1, brake=[0.5])
    assert np.allclose(drive.act([1.0, 0.0]).plan, 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_with_many_samples(kind: str) -> None:
    """Of a convex problem, with iLQR as the oracle."""
    x, task = np.array([2.0, 0.0]), stop(dt=0.1)
    best = ILQR(cart(), task, horizon=10).solve(x).cost
    costs = []
    for samples in (30, 3000):
        more = {"effective": 20.0 / samples} if KINDS[kind][0] is MPPI else {}
        drive = made(kind, cart(), task, horizon=10, samples=samples, iterations=12, std=2.0, **more)
        us = drive.solve(x).us
        xs = cart().rollout(x, us, 0.1)
        costs.append(float(task.cost(xs[:-1], us).sum() + task.terminal_cost(xs[-1])) / best - 1.0)
    bound = 0.03 if kind.endswith(("zero", "kernel", "PredictiveSampling")) else 0.01
    assert -1e-9 < costs[1] < min(costs[0], bound)


@pytest.mark.parametrize("kind", ["CEM", "ICEM", "PredictiveSampling", "MPPI, adaptive"])
def test_closed_loop_and_limits(kind: str) -> None:
    x, dt = np.array([2.0, 0.0]), 0.1
    drive = made(kind, cart(), stop(dt=dt), horizon=30, samples=300, std=2.0)
    cost, _ = driven(drive, cart(), drive.task.cost, x, 60, dt)
    assert -1e-3 < cost / riccati_cost(x, dt) - 1.0 < 0.1
    hard = made(kind, cart(), stop(weight=100.0), std=20.0).act([50.0, 0.0])
    assert bool(PUSH.contains(hard.plan).all())


@pytest.mark.parametrize("kind", KINDS)
def test_a_wall_is_kept_and_failure_has_a_sentence(kind: str) -> None:
    drive, x = made(kind, cart(), forward(dt=0.1), horizon=20, samples=200), np.zeros(2)
    for tick in range(50):
        x = cart().step(x, drive.act(x, 0.1 * tick).u, 0.1)
        assert x[0] < 1.0
    assert x[0] > 0.6
    action = made(kind, cart(), forward(dt=0.1), horizon=9).act([0.5, 3.0])
    assert action.status is ActionStatus.FALLBACK
    assert "samples violate the constraint" in action.reason


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind: str) -> None:
    check_controller(made(kind), CAR)


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5, 0.25)])
def test_cem_is_that_of_the_paper(scales: tuple[float, ...]) -> None:
    """Elites, smoothing, least variance, and the scales of the samples, again with nothing but numpy."""
    T, K, a, least, std, x = 8, 64, 0.2, 0.3, 1.5, np.array([1.0, -0.5])
    drive = CEM(
        cart(), stop(dt=0.1), horizon=T, samples=K, elites=0.125, smoothing=a, least=least, std=std, iterations=3,
        scales=scales, rng=11,
    )  # fmt: skip
    words = np.random.SeedSequence(11).generate_state(2, np.uint32)
    mean, spread = np.zeros(T), np.full(T, std)
    for tick in (1, 2, 3):
        seed = int(words[0]), int(words[1]), tick
        noise = np.concatenate([drawn(seed, first, T) for first in (0, 32)], axis=1).T.copy()
        noise *= np.resize(scales, K)[:, None]
        noise[0] = 0.0
        us = np.clip(mean + spread * noise, -4.0, 4.0)
        xs = cart().rollout(np.tile(x, (K, 1)), us[..., None], 0.1)
        elites = us[np.argsort(stop().cost(xs[:, :-1], us[..., None]).sum(-1))[:8]]
        mean = a * mean + (1.0 - a) * elites.mean(0)
        spread = np.maximum(np.sqrt(a * spread**2 + (1.0 - a) * elites.var(0)), least * std)
    assert np.allclose(drive.act(x).plan[:, 0], mean, rtol=0.0, atol=1e-9)
    assert np.allclose(drive.solution.stats["std"][:, 0], spread, rtol=0.0, atol=1e-9)


def ripples() -> Any:
    """A cost of the push alone, with its minimum at 0 and others near every 2 N."""

    @task_of(state=cart().state, action=cart().action, weights=(1.0, 0.1))
    def rippled(x: Any, u: Any, p: Any, m: Any) -> Any:
        return m.sin(1.5 * u[0]), u[0]

    return rippled()


@pytest.mark.parametrize("kind", ["CEM", "ICEM"])
def test_restarts_leave_a_local_minimum(kind: str) -> None:
    """The plan of a single search stays at the minimum near 2, where sin(1.5 u)^2 + 0.1 u^2 is above 0.4."""
    for restarts, low, high in ((0, 0.4, 0.5), (1, 0.0, 0.1)):
        drive = made(kind, cart(), ripples(), horizon=4, samples=200, std=0.3, restarts=restarts)
        plan = drive.solve([0.0, 0.0], us=np.full((4, 1), 2.05))
        assert low < plan.cost / 4 + 1e-12
        assert plan.cost / 4 < high


@pytest.mark.parametrize("kind", ["CEM", "ICEM"])
def test_the_verdict_is_on_the_search_that_is_used(kind: str) -> None:
    """Braking keeps the wall, but no plan near rest does."""
    drive = made(kind, cart(), forward(dt=0.1), horizon=9, std=0.2, restarts=1)
    plan = drive.solve([0.0, 2.4], us=np.full((9, 1), -4.0))
    assert plan.ok
    assert plan.xs[:, 0].max() < 1.0


def test_scales_are_positive_numbers() -> None:
    for wrong in (0.0, [], [[1.0]], [1.0, -1.0], [np.nan]):
        with pytest.raises(SettingError, match="scales"):
            PredictiveSampling(cart(), stop(), scales=wrong)


def test_icem_keeps_elites_and_executes_the_best_plan() -> None:
    x, task = np.array([2.0, 0.0]), stop(dt=0.1)
    drive = ICEM(cart(), task, horizon=10, samples=64, decay=2.0, iterations=4, rng=0)
    action = drive.act(x)
    xs = cart().rollout(x, action.plan, 0.1)
    assert np.isclose(action.cost, task.cost(xs[:-1], action.plan).sum())
    assert int(np.isfinite(drive.solution.stats["costs"]).sum()) == 12, "64, 32, 16, and not below twice the elites"
    shifted = np.concatenate([action.plan[1:], action.plan[-1:]])
    x = cart().step(x, action.u, 0.1)
    xs = cart().rollout(x, shifted, 0.1)
    assert drive.act(x).cost <= task.cost(xs[:-1], shifted).sum() + 1e-9, "the last best plan is tried again"


def test_noise_that_is_used_again_is_that_of_the_first_tick() -> None:
    fresh, pooled = (MPPI(CAR, GOAL, horizon=12, samples=100, redraw=redraw, rng=3) for redraw in (True, False))
    assert np.array_equal(fresh.act(X).u, pooled.act(X).u)
    first = pooled.costs
    for drive in (fresh, pooled):
        drive.act(X, t=0.0)
        drive.plan[:] = 0.0
        drive.act(X, t=0.0)
    assert np.array_equal(first, pooled.costs)
    assert not np.array_equal(first, fresh.costs)
    pooled.reset(seed=4)
    pooled.act(X)
    assert not np.array_equal(first, pooled.costs), "another seed has other noise"


def test_the_noise_adapts_to_the_weighted_samples() -> None:
    """``(1 - a) std^2 + a sum w e^2``, again with nothing but numpy; and it is carried on, and bounded."""
    T, K, a = 8, 32, 0.5
    drive = MPPI(cart(), stop(dt=0.1), horizon=T, samples=K, adapt=a, std=0.5, correlation=0.0, rng=11)
    drive.act([1.0, 0.0])
    words = np.random.SeedSequence(11).generate_state(2, np.uint32)
    e = 0.5 * drawn((int(words[0]), int(words[1]), 1), 0, T)
    e[:, 0] = 0.0
    wanted = np.clip(np.sqrt((1.0 - a) * 0.25 + a * (e**2 @ drive.weights)), 0.05, 1.0)
    assert np.allclose(drive._state[1][:, 0], wanted, rtol=0.0, atol=1e-9)
    for _ in range(50):
        drive.act([0.0, 0.0])
    assert 0.05 <= drive._state[1].min() < 0.2


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("T", [16, 21])
def test_power_law_noise_has_its_spectrum(beta: float, T: int) -> None:
    """Each frequency's power over the law's is chi-square, with two degrees of freedom, or one without a sine."""
    W = PowerLawNoise(beta).basis(T)
    w = np.concatenate([drawn((3, 4, tick), rows=-(-T // 4) * 4)[:T] for tick in range(30)], axis=1)
    power = np.abs(np.fft.rfft(W @ w, axis=0)) ** 2
    assert np.allclose((W**2).sum(1), 1.0)
    k = np.arange(len(power))
    law = np.maximum(k, 1.0) ** -beta
    both = np.where((k == 0) | (2 * k == T), 1.0, 2.0)
    law *= T**2 / (law * both).sum()  # Parseval: the variance of each step is 1
    for one, wanted, degrees in zip(power, law, both, strict=True):
        ratio = one / wanted * degrees
        assert stats.kstest(ratio, "chi2", (degrees,)).pvalue > 1e-4
        n = degrees * len(ratio)
        assert stats.chi2.ppf(1e-5, n) < ratio.sum() < stats.chi2.ppf(1.0 - 1e-5, n)


def test_splines_pass_through_their_knots() -> None:
    w = np.array([1.0, -2.0, 0.5, 3.0])
    for order in ("linear", "cubic"):
        assert np.allclose(SplineNoise(4, order).basis(10)[::3] @ w, w)
    assert (SplineNoise(4, "zero").basis(10) @ w).tolist() == [1, 1, 1, -2, -2, -2, 0.5, 0.5, 0.5, 3]
    line = np.linspace(0.0, 1.0, 4)
    assert np.allclose(SplineNoise(4, "cubic").basis(10) @ line, np.linspace(0.0, 1.0, 10))
    assert np.allclose(KernelNoise(4).basis(10)[::3] @ w, w)


def test_noise_of_a_user_and_noise_that_is_none() -> None:
    class Constant:
        def basis(self, steps: int) -> np.ndarray:
            return np.ones((steps, 1))

    drive = PredictiveSampling(cart(), stop(), rng=0)
    flat = CEM(cart(), stop(), noise=Constant(), rng=0).act([1.0, 0.0]).plan
    assert flat is not None
    assert np.ptp(flat) < 1e-9 < abs(flat[0, 0])
    for wrong in (1.0, PowerLawNoise, type("Odd", (), {"basis": lambda self, steps: np.ones((steps, 0))})()):
        with pytest.raises(SettingError, match=r"noise is|PowerLawNoise\(...\)"):
            CEM(cart(), stop(), noise=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="order of PredictiveSampling is"):
        PredictiveSampling(cart(), stop(), order="quintic")  # pyright: ignore[reportArgumentType]
    assert drive.act([1.0, 0.0]).status is ActionStatus.SOLVED


def test_a_budget_ends_the_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    for budget, wanted in ((None, 9), (10.0, 5), (1.0, 1)):
        done = 0
        for _ in Stopwatch(budget).iterations(9):
            now[0] += 2.0
            done += 1
        assert done == wanted


SINGLE = [kind for kind in KINDS if "restarts" not in KINDS[kind][1]]


@pytest.mark.parametrize("kind", SINGLE)
def test_single_precision_draws_the_same_samples(kind: str) -> None:
    """The plans of the first ticks differ by no more than what rounding does to costs, in any thread and process."""
    double, single = made(kind), made(kind, precision="single")
    first = plans(single, ticks=2)
    assert np.allclose(first, plans(double, ticks=2), rtol=0.0, atol=2e-3)
    finite = np.isfinite(double.solution.stats["costs"])
    assert np.allclose(single.solution.stats["costs"][finite], double.solution.stats["costs"][finite], rtol=1e-3)
    again = made(kind, precision="single", threads=3)
    assert np.array_equal(first, plans(pickle.loads(pickle.dumps(again)), ticks=2))


@pytest.mark.parametrize("kind", ["CEM", "ICEM", "PredictiveSampling", "MPPI, adaptive"])
def test_single_precision_reaches_the_optimum_and_keeps_the_wall(kind: str) -> None:
    x, task = np.array([2.0, 0.0]), stop(dt=0.1)
    best = ILQR(cart(), task, horizon=10).solve(x).cost
    more = {"effective": 20.0 / 3000} if KINDS[kind][0] is MPPI else {}
    drive = made(kind, cart(), task, horizon=10, samples=3000, iterations=12, std=2.0, precision="single", **more)
    us = drive.solve(x).us
    xs = cart().rollout(x, us, 0.1)
    cost = float(task.cost(xs[:-1], us).sum() + task.terminal_cost(xs[-1]))
    assert -1e-9 < cost / best - 1.0 < (0.03 if kind == "PredictiveSampling" else 0.01)
    drive, x = made(kind, cart(), forward(dt=0.1), horizon=20, samples=200, precision="single"), np.zeros(2)
    for tick in range(50):
        x = cart().step(x, drive.act(x, 0.1 * tick).u, 0.1)
        assert x[0] < 1.0
    assert x[0] > 0.6


def test_single_precision_swings_up_as_well() -> None:
    """The mean cost of Pendulum-v1 from hanging over four seeds, beside that of double precision."""
    costs = {
        precision: [
            driven(
                MPPI(rod(), swing_up(dt=0.05), horizon=30, samples=500, rng=seed, precision=precision),
                rod(), swing_up().cost, np.array([np.pi, 0.0]), 120, 0.05,
            )[0]
            for seed in range(4)
        ]
        for precision in ("double", "single")
    }  # fmt: skip
    assert np.mean(costs["single"]) < 1.03 * np.mean(costs["double"])


def test_weights_of_single_precision_are_those_of_its_deviations() -> None:
    drive = MPPI(CAR, GOAL, horizon=12, samples=100, rng=5, precision="single")
    plan: Any = drive.act(X).plan
    us = drive._workspace.taken(np.arange(100), np.zeros((12, 2)))
    assert np.allclose(plan, np.tensordot(drive.weights, us, 1), atol=1e-6)
