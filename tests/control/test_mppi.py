"""MPPI: one driver, compiled and plain, that finds the optimum, keeps the limits and says when it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.control import MPPI, reach
from pilotage.core import (
    ActionStatus,
    Gaussian,
    ModelError,
    Particles,
    PlanStatus,
    SettingError,
    ShapeError,
    Space,
    SpaceError,
    Task,
)
from pilotage.models import bicycle, task, unicycle
from pilotage.models.trace import code_of
from pilotage.testing import check_controller

from .worlds import LINE, PUSH, PlainDynamics, PlainTask, cart, driven, forward, riccati_cost, rod, stop, swing_up

CAR = bicycle(wheelbase=2.0)
GOAL = reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1)
X = np.array([0.0, 0.0, 3.0, 1.0])


def settings(**more: Any) -> dict[str, Any]:
    return {"horizon": 12, "samples": 200, "rng": 5, **more}


KINDS: dict[str, tuple[Any, Any]] = {
    "plain dynamics": (PlainDynamics(CAR), GOAL),
    "plain task": (CAR, PlainTask(GOAL, CAR.state)),
    "both plain": (PlainDynamics(CAR), PlainTask(GOAL, CAR.state)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [{}, {"temperature": 3.0, "pull": 0.5, "correlation": 0.0}], ids=["chosen", "given"])
def test_compiled_and_plain_lives_agree(kind: str, more: dict[str, Any]) -> None:
    compiled, plain = MPPI(CAR, GOAL, **settings(**more)), MPPI(*KINDS[kind], **settings(**more))
    x = X
    for _ in range(4):
        ours, theirs = compiled.act(x), plain.act(x)
        assert ours.plan is not None
        assert theirs.plan is not None
        assert np.allclose(ours.plan, theirs.plan, rtol=0.0, atol=1e-9)
        assert np.allclose(compiled.costs, plain.costs, rtol=1e-9)
        x = CAR.step(x, ours.u, 0.1)


def oracle(noise: np.ndarray, x: np.ndarray, plan: np.ndarray, std: float, temperature: float, dt: float) -> np.ndarray:
    """Williams' update on the cart, written again with nothing but numpy."""
    u = np.clip(plan + std * noise, -4.0, 4.0)
    e = u - plan
    xs = np.broadcast_to(x, (len(u), 2)).copy()
    S = np.zeros(len(u))
    for t in range(plan.shape[0]):
        S += xs[:, 0] ** 2 + 0.1 * xs[:, 1] ** 2 + 0.1 * u[:, t, 0] ** 2
        S += temperature * plan[t, 0] * e[:, t, 0] / std**2
        xs = np.stack([xs[:, 0] + dt * xs[:, 1] + 0.5 * dt * dt * u[:, t, 0], xs[:, 1] + dt * u[:, t, 0]], -1)
    w = np.exp(-(S - S.min()) / temperature)
    return plan + np.einsum("k,ktj->tj", w / w.sum(), e)


def test_update_is_that_of_the_paper() -> None:
    from .test_noise import drawn

    T, K, std, heat = 8, 64, 1.5, 2.0
    drive = MPPI(
        cart(), stop(dt=0.1), horizon=T, samples=K, std=std, temperature=heat, pull=1.0, correlation=0.0, rng=11
    )
    words = np.random.SeedSequence(11).generate_state(2, np.uint32)
    plan = np.zeros((T, 1))
    for tick in (1, 2, 3):
        blocks = [drawn((int(words[0]), int(words[1]), tick), first, T) for first in (0, 32)]
        noise = np.concatenate(blocks, axis=1).T[:, :, None].copy()
        noise[0] = 0.0
        if tick > 1:
            plan = np.concatenate([plan[1:], plan[-1:]])
        plan = oracle(noise, np.array([1.0, -0.5]), plan, std, heat, 0.1)
        action = drive.act([1.0, -0.5])
        assert action.plan is not None
        assert np.allclose(action.plan, plan, rtol=0.0, atol=1e-9)


def test_tends_to_the_linear_quadratic_optimum() -> None:
    x, dt = np.array([2.0, 0.0]), 0.1
    best = riccati_cost(x, dt)
    excess = []
    for samples in (100, 1000, 10_000):
        drive = MPPI(
            cart(), stop(dt=dt), samples=samples, effective=10.0 / samples, correlation=0.0, iterations=8, rng=2
        )
        cost, _ = driven(drive, cart(), drive.task.cost, x, 80, dt)
        excess.append(cost / best - 1.0)
    assert excess[0] > excess[1] > excess[2] > -1e-3
    assert excess[2] < 0.025


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_limits_hold(correlation: float) -> None:
    drive = MPPI(cart(), stop(weight=100.0), horizon=10, samples=100, std=20.0, correlation=correlation, rng=1)
    for position in (50.0, -50.0, 3.0):
        action = drive.act([position, 0.0])
        assert action.plan is not None
        assert bool(PUSH.contains(action.plan).all())
        assert action.u[0] * position < 0.0


def test_seeds_replay() -> None:
    drive = MPPI(CAR, GOAL, **settings(rng=None))
    first = [drive.act(X).u for _ in range(3)]
    assert not np.array_equal(first[0], MPPI(CAR, GOAL, **settings(rng=None)).act(X).u)
    for again in (MPPI(CAR, GOAL, **settings(rng=drive.seed)), drive):
        again.reset(seed=drive.seed)
        assert np.array_equal(first, [again.act(X).u for _ in range(3)])


def test_a_seed_is_a_whole_number() -> None:
    drive = MPPI(CAR, GOAL, **settings())
    with pytest.raises(SettingError, match="rng is -1"):
        drive.reset(seed=-1)
    with pytest.raises(SettingError, match="rng is 'x'"):
        drive.reset(seed="x")  # pyright: ignore[reportArgumentType]


def test_threads_change_nothing() -> None:
    one, two = (MPPI(CAR, GOAL, **settings(samples=1000, threads=n)) for n in (1, 2))
    for _ in range(3):
        assert np.array_equal(one.act(X).u, two.act(X).u)


def test_contract() -> None:
    check_controller(MPPI(CAR, GOAL, **settings()), CAR)
    check_controller(MPPI(PlainDynamics(CAR), PlainTask(GOAL, CAR.state), **settings()), CAR)


@pytest.mark.parametrize("belief", [
    Gaussian.of(CAR.state, X, std=0.1),
    Gaussian.of(Space("bias").join(CAR.state), [7.0, *X], std=0.1),
    Particles(CAR.state, np.stack([X, X])),
])  # fmt: skip
def test_a_belief_acts_by_its_mean(belief: Any) -> None:
    assert np.allclose(MPPI(CAR, GOAL, **settings()).act(belief).u, MPPI(CAR, GOAL, **settings()).act(X).u)


class Blind(PlainTask):
    """A task whose cost is not finite on one side."""

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        return np.where(x[..., 0] > 0.0, super().cost(x, u, r), np.nan)


@pytest.mark.parametrize("weight", [1e-200, 1e-20, 1.0, 1e20, 1e154, 1e200, 1e300])
@pytest.mark.parametrize("kind", [lambda task: task, lambda task: Blind(task, LINE)], ids=["finite", "some infinite"])
def test_costs_of_any_size_are_weighed(weight: float, kind: Any) -> None:
    drive = MPPI(cart(), kind(stop(weight=weight)), horizon=10, samples=200, rng=1)
    with np.errstate(over="ignore"):
        action = drive.act([0.3, -0.5])
    assert action.status is ActionStatus.SOLVED
    assert np.isfinite(action.u).all()
    assert np.isclose(drive.weights.sum(), 1.0)
    assert drive.weights[np.isinf(drive.costs)].sum() == 0.0
    assert 1.0 / (drive.weights**2).sum() > 5.0


def test_equal_costs_weigh_alike() -> None:
    drive = MPPI(cart(), stop(weight=0.0), horizon=5, samples=100, std=1e-200, rng=1)
    assert drive.act([1.0, 0.0]).status is ActionStatus.SOLVED
    assert np.allclose(drive.weights, 0.01)


@pytest.mark.parametrize(("policy", "expected"), [("hold", "last"), ("shift", "next"), ("brake", "brake")])
def test_fallbacks(policy: Any, expected: str) -> None:
    drive = MPPI(cart(), Blind(stop(), LINE), horizon=5, samples=50, rng=1, fallback=policy, brake=[-1.5])
    sound = drive.act([1.0, 3.0])
    assert sound.status is ActionStatus.SOLVED
    assert sound.plan is not None
    wanted = {"last": sound.u, "next": sound.plan[1], "brake": np.array([-1.5])}[expected]
    for lost, why in (([np.nan, 0.0], "NaN or infinite in x"), ([-1.0, -1.0], "none of 50 samples has a finite cost")):
        fresh = MPPI(cart(), Blind(stop(), LINE), horizon=5, samples=50, rng=1, fallback=policy, brake=[-1.5])
        fresh.act([1.0, 3.0])
        action = fresh.act(lost)
        assert action.status is ActionStatus.FALLBACK
        assert why in action.reason
        assert action.reason.endswith(f"fell back to {policy}")
        assert np.array_equal(action.u, wanted)
        assert (action.plan is not None) == (policy == "shift"), "a plan is what is going to be done"


def test_acts_on_states_of_any_make() -> None:
    drive, belief = MPPI(CAR, GOAL, **settings()), Gaussian.of(CAR.state, X, std=0.1)
    first = [drive.act(X).u for _ in range(2)]
    for state in (list(X), belief, X.astype(np.float32), np.repeat(X, 2)[::2]):
        drive.reset()
        assert np.array_equal(first, [drive.act(state).u for _ in range(2)])


def test_a_shifted_plan_runs_out() -> None:
    drive = MPPI(cart(), stop(), horizon=4, samples=50, rng=1, brake=[-1.5])
    plan = drive.act([1.0, 3.0]).plan
    assert plan is not None
    actions = [drive.act([np.nan, 0.0]) for _ in range(5)]
    assert np.array_equal([a.u for a in actions[:3]], plan[1:])
    assert all(a.u[0] == -1.5 and "used up" in a.reason for a in actions[3:])
    assert drive.act([1.0, 3.0]).status is ActionStatus.SOLVED


def test_a_shifted_plan_lasts_as_long_as_it_is() -> None:
    """Steps are counted, not calls: a clock that jumps uses the plan up, one that stands still does not."""
    drive = MPPI(cart(), stop(dt=0.1), horizon=4, samples=50, rng=1, brake=[-1.5])
    plan = drive.act([1.0, 3.0], t=0.0).plan
    assert plan is not None
    for t, wanted in ((0.3, plan[3]), (0.3, plan[3]), (0.4, [-1.5]), (0.5, [-1.5])):
        assert np.allclose(drive.act([np.nan, 0.0], t=t).u, wanted), t
    assert drive.act([np.nan, 0.0], t=0.5).reason.endswith("the last plan is used up; fell back to brake")


def test_some_infinite_costs_weigh_nothing() -> None:
    drive = MPPI(cart(), Blind(stop(), LINE), horizon=10, samples=200, rng=1)
    action = drive.act([0.3, -0.5])
    assert action.status is ActionStatus.SOLVED
    assert np.isinf(drive.costs).any()
    assert drive.weights[np.isinf(drive.costs)].sum() == 0.0
    assert np.isclose(drive.weights.sum(), 1.0)


def test_the_temperature_is_chosen_by_effective_samples() -> None:
    for scale in (1e-6, 1.0, 1e6):
        drive = MPPI(cart(), stop(weight=scale), samples=1000, effective=0.1, rng=1)
        drive.act([1.0, 0.0])
        assert 80.0 < 1.0 / (drive.weights**2).sum() < 125.0


def test_plan_shifts_with_the_clock() -> None:
    drive = MPPI(cart(), stop(dt=0.1), horizon=6, samples=50, rng=1)
    plan = drive.act([1.0, 0.0], t=2.0).plan
    assert plan is not None
    late = MPPI(cart(), stop(dt=0.1), horizon=6, samples=50, rng=1, brake=[0.5])
    late.act([1.0, 0.0], t=2.0)
    assert late.act([np.nan, 0.0], t=9.0).u[0] == 0.5
    assert (late.plan == 0.5).all()
    for t, shift in ((2.0, 0.0), (2.1, 1.0), (2.25, 2.5)):
        fresh = MPPI(cart(), stop(dt=0.1), horizon=6, samples=50, rng=1)
        fresh.act([1.0, 0.0], t=2.0)
        moved = fresh.act([np.nan, 0.0], t=t).plan
        assert np.allclose(moved[:, 0], np.interp(np.arange(6) + shift, np.arange(6), plan[:, 0]))


def test_retarget_to_other_parameters_compiles_nothing() -> None:
    drive = MPPI(cart(), stop(), samples=64, rng=1)
    before, code = drive.act([1.0, 0.0]).u, code_of(drive.task, "l", lanes=True)
    drive.retarget(stop(weight=0.0))
    assert code_of(drive.task, "l", lanes=True).address == code.address
    drive.reset(seed=1)
    assert abs(drive.act([1.0, 0.0]).u[0]) < 0.5 * abs(before[0])


def test_done() -> None:
    drive = MPPI(cart(), stop(done=lambda x: abs(x[..., 0]) < 0.1), samples=64, rng=1, brake=[0.5])
    action = drive.act([0.05, 0.0])
    assert action.status is ActionStatus.DONE
    assert action.u[0] == 0.5


class Unbounded(PlainDynamics):
    def __init__(self) -> None:
        super().__init__(cart())
        self.action = Space("a [m/s^2]")


@pytest.mark.parametrize(("change", "message"), [
    ({"samples": 0}, "samples of MPPI is 0"),
    ({"horizon": 2.5}, "horizon is 2.5"),
    ({"samples": "many"}, "samples of MPPI is 'many'"),
    ({"threads": True}, "threads of MPPI is True"),
    ({"temperature": -1.0}, "temperature of MPPI is -1.0"),
    ({"correlation": 1.0}, "correlation of MPPI is 1.0"),
    ({"effective": 0.0}, "effective of MPPI is 0.0"),
    ({"pull": 1.0}, "pull is relative to the temperature"),
    ({"fallback": "pray"}, "fallback is 'pray'; expected hold, shift or brake"),
    ({"std": [1.0, 2.0]}, "expected a positive number, or one for each of a"),
    ({"dt": 0.0}, "dt is 0.0"),
    ({"brake": [5.0]}, r"brake has a 5, outside its bounds \[-4, 4\]"),
    ({"brake": [[0.0]]}, r"brake is one action \(1,\)"),
])  # fmt: skip
def test_settings_are_refused_with_a_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        MPPI(cart(), stop(), **change)


def test_models_are_refused_with_a_sentence() -> None:
    with pytest.raises(SettingError, match="the action a has no bounds to take the noise from; give std"):
        MPPI(Unbounded(), PlainTask(stop(), LINE))
    with pytest.raises(ShapeError, match=r"state has shape \(3,\); expected \(..., 2\)"):
        MPPI(cart(), stop(), samples=8).act([1.0, 2.0, 3.0])

    @task(state=LINE, action=PUSH, stage=Space("r v"))
    def track(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        return (x[0] - r[0]) ** 2

    def still(rows: int) -> Any:
        return lambda x, t, steps, carry: (np.zeros((rows, 2)), carry)

    with pytest.raises(ModelError, match=r"returned an array of shape \(3, 2\); expected \(9, 2\)"):
        MPPI(cart(), track(references=still(3)), horizon=8, samples=8).act([0.0, 0.0])
    with pytest.raises(ModelError, match=r"a pair \(rows, carry\) was expected"):
        MPPI(cart(), track(references=lambda *_: np.zeros((9, 2))), horizon=8, samples=8).act([0.0, 0.0])
    with pytest.raises(ModelError, match=r"references of the task are 0.1 s apart"):
        MPPI(cart(), track(references=still(9), dt=0.1), dt=0.05)
    drive = MPPI(cart(), track(references=still(9), dt=0.1), horizon=8, samples=8)
    before = drive.task
    with pytest.raises(ModelError, match=r"references of the task are 0.2 s apart"):
        drive.retarget(track(references=still(9), dt=0.2))
    assert drive.task is before


def test_what_references_remember_is_handed_on() -> None:
    seen: list[Any] = []

    class Counting(PlainTask):
        stage = Space("r")

        def references(self, x: Any, t: float, steps: int, carry: Any = None) -> Any:
            seen.append(carry)
            return np.zeros((steps + 1, 1)), 0 if carry is None else carry + 1

        def cost(self, x: Any, u: Any, r: Any = None) -> Any:
            return x[..., 0] ** 2 + 0.0 * r[..., 0]

        def terminal_cost(self, x: Any, r: Any = None) -> Any:
            return x[..., 0] ** 2

        def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
            return np.zeros((*x.shape[:-1], 0))

    task = Counting(stop(), LINE)
    task.stage = Space("r")
    drive = MPPI(cart(), task, horizon=5, samples=8, rng=0)
    for t in (0.0, 0.1, 0.2, 0.1):
        drive.act([1.0, 0.0], t)
    assert seen == [None, 0, 1, None], "a clock that goes back begins again"
    drive.retarget(task)
    drive.act([1.0, 0.0], 0.2)
    drive.reset()
    drive.act([1.0, 0.0], 0.2)
    drive.solve([1.0, 0.0])
    assert seen[4:] == [0, None, None]
    assert drive.carry == 0


def test_a_violated_constraint_is_charged_for() -> None:
    charged = 0
    for x0 in (-0.5, 0.9, 2.0, 6.0):
        ours, plain = (MPPI(cart(), one, horizon=9, samples=64, rng=1, penalty=100.0)
                       for one in (forward(), PlainTask(forward(), LINE)))  # fmt: skip
        with np.errstate(invalid="ignore"):
            ours.act([x0, 1.0])
            plain.act([x0, 1.0])
        assert np.allclose(ours.costs, plain.costs, rtol=1e-9)
        assert ours.solution.stats["violation"] == pytest.approx(plain.solution.stats["violation"], rel=1e-9)
        charged += int((ours.costs > 50.0).sum())
    assert charged > 64
    drive, x = MPPI(cart(), forward(), horizon=20, samples=500, rng=1), np.zeros(2)
    for tick in range(60):
        x = cart().step(x, drive.act(x, 0.1 * tick).u, 0.1)
        assert x[0] < 1.0
    assert x[0] > 0.7, "it goes as far as it may"


@pytest.mark.parametrize("kind", [lambda task: task, lambda task: PlainTask(task, LINE)], ids=["traced", "plain"])
@pytest.mark.parametrize("policy", ["hold", "shift", "brake"])
def test_a_constraint_that_every_sample_violates_is_said(kind: Any, policy: Any) -> None:
    """At 3 m/s half a metre before the wall nothing helps: braking with all its might the cart stops beyond it."""
    drive = MPPI(cart(), kind(forward(dt=0.1)), horizon=9, samples=64, rng=1, fallback=policy, brake=[-4.0])
    sound = drive.act([-5.0, 3.0])
    assert sound.status is ActionStatus.SOLVED
    assert sound.plan is not None
    action = drive.act([0.5, 3.0])
    assert action.status is ActionStatus.FALLBACK
    assert "all 64 samples violate the constraint" in action.reason
    assert action.reason.endswith("fell back to brake"), "neither the last action nor the next keeps clear"
    least = cart().rollout([0.5, 3.0], np.full((9, 1), -4.0), 0.1)[1:, 0].max() - 1.0
    assert drive.solution is not None
    assert least <= drive.solution.stats["violation"] < least + 1.0
    assert np.array_equal(action.u, [-4.0])
    with np.errstate(invalid="ignore"):
        lost = drive.solve([6.0, 0.0])
    assert lost.status is PlanStatus.NO_PATH
    assert lost.reason.endswith("at inf in the best"), "a constraint that is NaN is violated"
    assert drive.solve([0.5, 3.0]).status is PlanStatus.NO_PATH
    assert drive.solve([-5.0, 3.0]).status is PlanStatus.SOLVED


@pytest.mark.parametrize("kind", [lambda task: task, lambda task: PlainTask(task, LINE)], ids=["traced", "plain"])
def test_a_state_that_violates_the_constraint_is_left(kind: Any) -> None:
    """Nothing that is done for a second helps 3 m beyond the wall; the plan leads back all the same."""
    homing = task(state=LINE, action=PUSH, constraint=lambda x, u, p, m: x[0] - 1.0)(lambda x, u, p, m: x[0] * x[0])
    drive, x = MPPI(cart(), kind(homing(dt=0.1)), horizon=9, samples=64, rng=1), np.array([4.0, 0.0])
    first = drive.act(x)
    assert first.status is ActionStatus.IMPROVED
    assert "the state itself" in first.reason
    for tick in range(60):
        x = cart().step(x, drive.act(x, 0.1 * tick).u, 0.1)
    assert x[0] < 1.0


def optimum(seeds: int) -> float:
    """Mean return of the best policy on the pendulum, by dynamic programming on a grid."""
    from numba import njit

    @njit
    def values(ticks, na, nw, nu):
        V = np.zeros((ticks + 1, na, nw))
        for t in range(ticks - 1, -1, -1):
            for i in range(na):
                for j in range(nw):
                    best = 1e9
                    for k in range(nu):
                        a, w, c = move(-np.pi + 2 * np.pi * i / na, -8 + 16 * j / (nw - 1), -2 + 4 * k / (nu - 1))
                        best = min(best, c + read(V[t + 1], a, w, na, nw))
                    V[t, i, j] = best
        return V

    @njit
    def move(a, w, u):
        c = a * a + 0.1 * w * w + 0.001 * u * u
        w = min(max(w + (15.0 * np.sin(a) + 3.0 * u) * 0.05, -8.0), 8.0)
        a = a + w * 0.05
        return a - 2 * np.pi * np.floor((a + np.pi) / (2 * np.pi)), w, c

    @njit
    def read(V, a, w, na, nw):
        s, r = (a + np.pi) / (2 * np.pi) * na, (w + 8.0) / 16.0 * (nw - 1)
        i, j = int(np.floor(s)), min(int(np.floor(r)), nw - 2)
        s, r = s - i, r - j
        i0, i1 = i % na, (i + 1) % na
        return (1 - s) * ((1 - r) * V[i0, j] + r * V[i0, j + 1]) + s * ((1 - r) * V[i1, j] + r * V[i1, j + 1])

    @njit
    def play(V, a, w, ticks, na, nw, nu):
        total = 0.0
        for t in range(ticks):
            best, chosen = 1e9, 0.0
            for k in range(nu):
                u = -2 + 4 * k / (nu - 1)
                b, v, c = move(a, w, u)
                value = c + read(V[t + 1], b, v, na, nw)
                if value < best:
                    best, chosen = value, u
            a, w, c = move(a, w, chosen)
            total += c
        return total

    V = values(200, 401, 201, 21)
    return float(np.mean([-play(V, *start(seed), 200, 401, 201, 101) for seed in range(seeds)]))


def start(seed: int) -> np.ndarray:
    """The start of Gymnasium's Pendulum-v1."""
    return np.random.default_rng(seed).uniform([-np.pi, -1.0], [np.pi, 1.0])


@pytest.mark.slow
def test_swings_the_pendulum_up_nearly_as_well_as_can_be() -> None:
    seeds, model = 30, rod()
    drive = MPPI(model, swing_up(dt=0.05), horizon=30, samples=1000, temperature=1.0, correlation=0.5)
    returns = []
    for seed in range(seeds):
        drive.reset(seed=seed)
        returns.append(-driven(drive, model, drive.task.cost, start(seed), 200, 0.05)[0])
    best = optimum(seeds)
    assert abs(best + 127.9) < 2.0  # the published figure for these seeds, on a finer grid
    assert best - 15.0 < np.mean(returns) < best + 1.0
    assert np.min(returns) > -400.0


def test_a_time_that_is_none_leaves_the_clock_as_it_was():
    robot = unicycle()
    drives = [MPPI(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=5, samples=32, rng=0) for _ in range(2)]
    for drive in drives:
        drive.act([0.0, 0.0, 0.0], 0.0)
    with pytest.raises(SettingError, match="t is nan"):
        drives[0].act([0.0, 0.0, 0.0], np.nan)
    one, other = (drive.act([0.0, 0.0, 0.0], 0.1).u for drive in drives)
    np.testing.assert_array_equal(one, other)


def test_bounds_of_the_task_hold_beside_those_of_the_dynamics() -> None:
    @task(state=LINE, action=Space("a [m/s^2] in [-9, 1.5]"))
    def gently(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[0] ** 2

    drive = MPPI(cart(), gently(), horizon=8, samples=100, rng=1, std=3.0)
    actions = np.array([drive.act([s, 0.0]).u[0] for s in (-9.0, 9.0) for _ in range(20)])
    assert actions.max() == 1.5, "the task's bound, where it is the tighter one"
    assert actions.min() == -4.0, "the dynamics' bound, where that is"
    assert drive.plan.shape == (8, 1)
    drive.retarget(drive.task.replace())
    assert drive.act([-99.0, 0.0]).u[0] <= 1.5

    @task(state=LINE, action=Space("a [m/s^2] in [5, 9]"))
    def madly(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[0] ** 2

    with pytest.raises(ModelError, match=r"the task wants a in \[5, 9\], but the dynamics have it in \[-4, 4\]"):
        MPPI(cart(), madly())


def test_what_is_no_model_is_named() -> None:
    with pytest.raises(SettingError, match="MPPI needs Dynamics, not .*; is \\(\\) missing"):
        MPPI(cart, stop())  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="MPPI needs a Task, not .*; is \\(\\) missing"):
        MPPI(cart(), stop)
    with pytest.raises(SettingError, match="MPPI needs a Task"):
        MPPI(cart(), lambda x, u: 0.0)
    with pytest.raises(SettingError, match="temperature of MPPI is 'hot'"):
        MPPI(cart(), stop(), temperature="hot")  # type: ignore[arg-type]
    assert "cart" in repr(MPPI(cart(), stop(), samples=9))
    assert "30 steps of 0.1 s" in repr(MPPI(cart(), stop(), samples=9))


def test_models_that_are_no_formula_are_called_once_a_tick() -> None:
    calls: list[tuple[str, Any]] = []

    class Counting(PlainDynamics):
        def rollout(self, x0: Any, us: Any, dt: float) -> Any:
            calls.append(("rollout", np.shape(us)))
            return self.model.rollout(x0, us, dt)

    class Charging(PlainTask):
        def cost(self, x: Any, u: Any, r: Any = None) -> Any:
            calls.append(("cost", np.shape(x)))
            return super().cost(x, u, r)

    drive = MPPI(Counting(cart()), Charging(stop(), LINE), horizon=6, samples=50, rng=1)
    assert calls == []
    drive.act([1.0, 0.0])
    assert calls == [("rollout", (50, 6, 1)), ("cost", (50, 6, 2))]


def test_a_belief_about_too_little_is_refused() -> None:
    pose = Gaussian.of(Space("x y [m]", "yaw: angle"), [0.0, 0.0, 0.0], std=0.1)
    drive = MPPI(CAR, GOAL, **settings())
    with pytest.raises(SpaceError, match="the belief is about x, y, yaw; .* hand it a state with speed, too"):
        drive.act(pose)
    assert drive.act([*pose.mean, 0.5]).status is ActionStatus.SOLVED


def test_models_for_one_state_are_refused() -> None:
    class Single(PlainDynamics):
        def step(self, x: Any, u: Any, dt: float) -> Any:
            px, vx = x
            return np.array([px + dt * vx, vx + dt * u[0]])

    class First(Task):
        def cost(self, x: Any, u: Any, r: Any = None) -> Any:
            return x[0] ** 2

    class Silent(Task):
        def cost(self, x: Any, u: Any, r: Any = None) -> Any: ...

    for dynamics_, task_, sentence in (
        (Single(cart()), stop(), "Single.step takes one state only"),
        (cart(), First(), r"cost\(\) of First returned an array of shape \(6, 2\); expected \(50, 6\)"),
        (cart(), Silent(), r"cost\(\) of Silent returned None"),
    ):
        with pytest.raises(ModelError, match=sentence):
            MPPI(dynamics_, task_, horizon=6, samples=50, rng=1).act([1.0, 0.0])
