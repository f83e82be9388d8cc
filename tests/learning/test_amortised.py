"""Policies that imitate a controller: the forward pass, DAgger, warm starts and the switch."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.control import ILQR, reach
from pilotage.control.receding import Horizon
from pilotage.core import Action, ActionStatus, FormatError, PilotageError, SettingError, ShapeError, Space
from pilotage.learning import (
    MLP,
    Demonstrations,
    ImitationSettings,
    LearnedDynamics,
    NetworkPolicy,
    Switch,
    distill,
    imitate,
)
from pilotage.learning.demonstrations import demonstrate, drive
from pilotage.learning.networks import Ensemble
from pilotage.learning.policy import Evaluation
from pilotage.models import double_integrator, task, unicycle
from pilotage.testing import check_controller

CART = double_integrator(1)
HOME = reach(CART, [0.0, 0.0], horizon=25)
STARTS = np.random.default_rng(0).uniform(-2.0, 2.0, (40, 2))
QUICK = ImitationSettings(members=2, hidden=(16,), epochs=40, batch=64, rate=1e-2)


class Law:
    """Linear feedback, the plan of which is what the model does under it; it falls back where x is above `lost`."""

    def __init__(self, lost: float = np.inf) -> None:
        self.lost, self.seen = lost, 0

    def reset(self, *, seed: int | None = None) -> None: ...

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        x, plan = np.asarray(belief_or_state), []
        self.seen += 1
        status = ActionStatus.FALLBACK if x[0] > self.lost else ActionStatus.SOLVED
        for _ in range(4):
            plan.append(law(x))
            x = CART.step(x, plan[-1], 0.1)
        return Action(plan[0], status, np.array(plan), reason="lost" if x[0] > self.lost else "")


def law(x: Any) -> Any:
    return CART.action.clip([-1.5 * x[0] - 2.0 * x[1]])


def random_policy(state: Space, action: Space, seed: int = 0, scale: float = 1.0, **settings: Any) -> NetworkPolicy:
    """A policy of random weights."""
    steps, stage = settings.get("steps", 1), settings.get("stage", Space())
    network = Ensemble(
        3, inputs=state.width + stage.width, outputs=steps * action.size, hidden=(8, 5), bounded=True, seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return NetworkPolicy(state, action, network, **settings)


@pytest.fixture(scope="module")
def found() -> Any:
    return distill(Law(), CART, HOME, starts=STARTS, rounds=3, episodes=6, steps=4, imitation=QUICK, rng=3)


@pytest.mark.parametrize("activation", ["tanh", "silu", "relu", "mish"])
def test_arrays_and_tensors_agree(activation: str) -> None:
    robot = unicycle()
    network = Ensemble(3, inputs=4, outputs=4, hidden=(8, 5), activation=activation, bounded=True)
    with torch.no_grad():
        torch.nn.init.normal_(network.weights[-1])
    policy = NetworkPolicy(robot.state, robot.action, network, steps=2)
    xs = robot.state.sample((6, 2), rng=1)
    plans, doubts, distances = policy.evaluate(xs)
    with torch.no_grad():
        out = network(torch.as_tensor(robot.state.features(xs))).numpy().reshape(3, 6, 2, 2, 2)
    low, high = robot.action.low, robot.action.high
    np.testing.assert_allclose(plans, (low + high) / 2 + (high - low) / 2 * out.mean(0), atol=1e-12)
    np.testing.assert_allclose(doubts, out[..., 0, :].std(0).max(-1), atol=1e-12)
    np.testing.assert_allclose(distances, np.abs(robot.state.features(xs)).max(-1))
    one, doubt, _ = policy.evaluate(xs[3, 1])
    np.testing.assert_allclose(one, plans[3, 1], atol=1e-12)
    assert doubt == pytest.approx(doubts[3, 1])


def test_actions_are_continuous_across_half_a_turn_and_within_bounds() -> None:
    robot = unicycle()
    policy = random_policy(robot.state, robot.action, scale=30.0)
    for x in robot.state.sample(50, rng=0):
        assert bool(robot.action.contains(policy.act(x).u))
    a, b = (policy.evaluate(np.array([1.0, 2.0, yaw])).plan for yaw in (np.pi, -np.pi))
    np.testing.assert_allclose(a, b, atol=1e-9)


def test_distillation_learns_the_law(found: Any) -> None:
    """On states that the policy visits from new starts, its actions are close to the law's, in a range of 10."""
    policy, xs = found.policy, []
    for x in np.random.default_rng(9).uniform(-1.8, 1.8, (5, 2)):
        for _ in range(25):
            xs.append(x)
            x = CART.step(x, policy.act(x).u, 0.1)
    error = policy.evaluate(np.array(xs)).plan[:, 0] - np.array([law(x) for x in xs])
    assert np.sqrt((error**2).mean()) < 0.3
    costs = [[drive(each, CART, HOME, x, 25) for x in STARTS[:8]] for each in (policy, Law())]
    assert np.mean(costs[0]) < 1.1 * np.mean(costs[1])


def test_the_teacher_labels_what_the_policy_visits(found: Any) -> None:
    policy = found.policy
    demonstrations = demonstrate(Law(), policy, CART, HOME, STARTS[0], 20, 4, 0.0, np.random.default_rng(0))
    for k in range(len(demonstrations) - 1):
        np.testing.assert_allclose(demonstrations.plans[k, 0], law(demonstrations.xs[k]), atol=1e-12)
        own = CART.step(demonstrations.xs[k], policy.evaluate(demonstrations.xs[k]).plan[0], 0.1)
        np.testing.assert_allclose(demonstrations.xs[k + 1], own, atol=1e-12)
    alone = demonstrate(Law(), policy, CART, HOME, STARTS[0], 20, 4, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(alone.xs[5], CART.step(alone.xs[4], law(alone.xs[4]), 0.1), atol=1e-12)


def test_the_seed_replays(found: Any) -> None:
    again = distill(Law(), CART, HOME, starts=STARTS, rounds=3, episodes=6, steps=4, imitation=QUICK, rng=found.seed)
    assert again.rounds == found.rounds
    np.testing.assert_array_equal(again.policy.evaluate(STARTS).plan, found.policy.evaluate(STARTS).plan)
    assert found.policy.metrics["cost"] == min(each.cost for each in found.rounds)


def test_failures_are_not_learned_from_and_distillation_ends_early() -> None:
    shown: list[Any] = []
    brief = ImitationSettings(members=1, hidden=(4,), epochs=1, rate=1e-40)  # the policy stays as it begins
    found = distill(
        Law(lost=0.5), CART, HOME, starts=STARTS, rounds=9, episodes=3, patience=2, imitation=brief, rng=0,
        progress=shown.append,
    )  # fmt: skip
    assert len(found.demonstrations) > 0
    assert found.demonstrations.xs[:, 0].max() <= 0.5
    assert len(found.rounds) < 9
    assert shown == list(found.rounds)
    with pytest.raises(PilotageError, match="0 usable"):
        distill(Law(lost=-99.0), CART, HOME, starts=STARTS, rounds=1, episodes=1, rng=0)


def test_bad_settings_are_refused() -> None:
    for wrong in ({"rounds": 0}, {"beta": 1.5}, {"steps": 5}, {"starts": None}):
        with pytest.raises(SettingError):
            distill(Law(), CART, HOME, **{"starts": STARTS, "episodes": 1, **wrong})
    with pytest.raises(SettingError, match="distill needs a Controller, not .*; is \\(\\) missing"):
        distill(Law, CART, HOME, starts=STARTS)  # pyright: ignore[reportArgumentType]
    policy = random_policy(CART.state, CART.action)
    with pytest.raises(SettingError, match="low"):
        Switch(policy, Law(), CART, HOME, low=0.5, high=0.1)
    with pytest.raises(SettingError, match="expected"):
        NetworkPolicy(unicycle().state, CART.action, policy.network)
    with pytest.raises(SettingError, match="bounded=True"):
        NetworkPolicy(CART.state, CART.action, Ensemble(2, inputs=2, outputs=1))
    with pytest.raises(SettingError, match="NetworkPolicy needs an Ensemble, not .* of type MLP"):
        NetworkPolicy(CART.state, CART.action, MLP(2, 1))  # pyright: ignore[reportArgumentType]
    for share in (0.0, 1.0):
        with pytest.raises(SettingError, match="held_out"):
            ImitationSettings(held_out=share)
    for wrong in ({"epochs": 3}, 3):
        with pytest.raises(SettingError, match="needs ImitationSettings"):
            distill(Law(), CART, HOME, starts=STARTS, imitation=wrong)  # pyright: ignore[reportArgumentType]
        with pytest.raises(SettingError, match="needs ImitationSettings"):
            Switch(policy, Law(), CART, HOME, imitation=wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("xs", "rows", "plans"),
    [((9, 3), (9, 0), (9, 1, 1)), ((9, 2), (9, 1), (9, 1, 1)), ((9, 2), (9, 0), (9, 1, 2)), ((9, 2), (9, 0), (8, 1, 1)),
     ((9, 2), (9, 0), (9, 1)), ((2,), (9, 0), (9, 1, 1)), ((9, 2), (9, 0), (9, 2, 1))],
)  # fmt: skip
def test_demonstrations_of_other_spaces_are_refused(xs: Any, rows: Any, plans: Any) -> None:
    wrong = Demonstrations(np.zeros(xs), np.zeros(rows), np.zeros(plans))
    with pytest.raises(ShapeError, match=r"demonstrations have states|plans have 2 actions"):
        imitate(wrong, CART, HOME, QUICK, like=random_policy(CART.state, CART.action))


def test_imitation_goes_on_from_a_policy_that_it_does_not_change() -> None:
    xs = np.random.default_rng(0).uniform(-2.0, 2.0, (300, 2))
    known = Demonstrations(xs, np.zeros((300, 0)), np.array([law(x) for x in xs])[:, None])
    first = imitate(known, CART, HOME, QUICK, rng=0)
    before = first.evaluate(xs).plan
    brief = ImitationSettings(epochs=1, batch=64, rate=1e-9)
    again = imitate(known, CART, HOME, brief, like=first, rng=1)
    np.testing.assert_allclose(again.evaluate(xs).plan, before, atol=1e-5)
    np.testing.assert_array_equal(first.evaluate(xs).plan, before)
    assert np.abs(before - known.plans).mean() < 0.15 * np.abs(known.plans).mean()


def test_the_policy_travels_without_its_teacher(found: Any, tmp_path: Path) -> None:
    found.policy.save(tmp_path)
    loaded = NetworkPolicy.load(tmp_path)
    for policy in (loaded, pickle.loads(pickle.dumps(found.policy))):
        np.testing.assert_array_equal(policy.evaluate(STARTS).plan, found.policy.evaluate(STARTS).plan)
        assert policy.metrics == found.policy.metrics
    check_controller(loaded, CART, [1.0, 0.0])
    LearnedDynamics(CART.state, CART.action).save(tmp_path)
    with pytest.raises(FormatError, match="kind"):
        NetworkPolicy.load(tmp_path)


def clock(x: Any, t: float, steps: int, carry: Any) -> Any:
    count = 0 if carry is None else carry + 1
    return (t + 0.1 * np.arange(steps + 1))[:, None], count


def test_references_are_features(tmp_path: Path) -> None:
    @task(state=CART.state, action=CART.action, stage=Space("goal [m]"))
    def track(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        return (x[0] - r[0]) ** 2

    policy = random_policy(CART.state, CART.action, stage=Space("goal [m]"), task=track(references=clock))
    x = np.array([0.3, 0.1])
    for t in (0.0, 0.7):
        np.testing.assert_array_equal(policy.act(x, t).u, policy.evaluate(x, np.array([t])).plan[0])
    np.testing.assert_array_equal(policy.act(x).u, policy.evaluate(x, np.array([0.7 + 0.1])).plan[0])
    policy.save(tmp_path)
    with pytest.raises(SettingError, match="goal"):
        NetworkPolicy.load(tmp_path)
    np.testing.assert_array_equal(
        NetworkPolicy.load(tmp_path, track(references=clock)).act(x, 0.7).u, policy.act(x, 0.7).u
    )
    errand = track(references=clock)
    found = distill(ILQR(CART, errand, horizon=5), CART, errand, starts=STARTS, rounds=1, episodes=1, length=6, rng=0)
    np.testing.assert_allclose(found.demonstrations.rows[:, 0], 0.1 * np.arange(6))


def test_the_plan_of_a_warm_start() -> None:
    rows, x = np.zeros((6, 0)), np.array([1.0, -0.5])
    problem = Horizon(CART, HOME, 5, 0.1, CART.action)
    long = random_policy(CART.state, CART.action, steps=7)
    np.testing.assert_array_equal(long(problem, x, rows), long.evaluate(x).plan[:5])
    short, y, expected = random_policy(CART.state, CART.action, steps=2), x, []
    for _ in range(5):
        expected.append(short.evaluate(y).plan[0])
        y = CART.step(y, expected[-1], 0.1)
    np.testing.assert_allclose(short(problem, x, rows), expected, atol=1e-12)


def test_a_warm_start_begins_nearer_to_the_optimum(found: Any) -> None:
    """The plan of the policy, with which the solver begins, costs less than rest."""
    costs = []
    for proposal in (None, found.policy):
        controller = ILQR(CART, HOME, horizon=15)
        controller.warm_start = proposal
        begun = [controller._begin(proposal, x, controller.plan, np.zeros((16, 0))) for x in STARTS]
        costs.append([float(cost_of(x, us)) for x, us in zip(STARTS, begun, strict=True)])
    assert np.mean(costs[1]) < 0.5 * np.mean(costs[0])
    assert (np.array(costs[1]) <= np.array(costs[0]) + 1e-9).all()


def cost_of(x: Any, us: Any) -> Any:
    xs = CART.rollout(x, us, 0.1)
    return HOME.cost(xs[:-1], us).sum() + HOME.terminal_cost(xs[-1])


class Doubting(NetworkPolicy):
    """A policy whose doubts are given, one after the other, and whose action is that of the law plus an offset."""

    doubts: list[float]
    offset: float

    def evaluate(self, x: Any, row: Any = None) -> Evaluation:
        return Evaluation((law(x) + self.offset)[None], np.array(self.doubts.pop(0)), np.abs(x).max())


def doubting(doubts: Any, offset: float = 0.0) -> Doubting:
    policy: Any = random_policy(CART.state, CART.action)
    policy.__class__ = Doubting
    policy.doubts, policy.offset = list(doubts), offset
    return policy


def acting(switch: Switch, ticks: int) -> str:
    """The first letter of what acts at each tick."""
    shown, planner = "", switch.slow
    assert isinstance(planner, Law)
    for k in range(ticks):
        before = planner.seen
        switch.act([0.2, 0.1], 0.1 * k)
        shown += "s" if planner.seen > before else "f"
    return shown


def test_the_switch_has_a_hysteresis() -> None:
    doubts = [0.0, 0.15, 0.25, 0.15, 0.15, 0.05, 0.15, 0.25]
    switch = Switch(doubting(doubts), Law(), CART, HOME, high=0.2, low=0.1)
    assert acting(switch, 8) == "ffssssfs"
    assert len(switch.demonstrations) == 5
    np.testing.assert_allclose(switch.demonstrations.plans[:, 0], np.tile(law([0.2, 0.1]), (5, 1)))


def test_the_planner_goes_on_where_it_disagrees() -> None:
    """The policy is sure of an action that the planner does not share: 2 of a half range of 5."""
    for agree, expected in ((0.3, "ssss"), (0.5, "ssff")):
        switch = Switch(doubting([0.3, 0.0, 0.0, 0.0], offset=2.0), Law(), CART, HOME, agree=agree)
        assert acting(switch, 4) == expected


def test_the_policy_does_not_break_the_constraint() -> None:
    @task(state=CART.state, action=CART.action, constraint=lambda x, u, p, m: x[0] - 1.0)
    def behind(x: Any, u: Any, p: Any, m: Any) -> Any:
        return x[0] ** 2

    for x, acting in (([0.0, 1.0], "fast"), ([0.95, 3.0], "slow")):
        switch = Switch(doubting([0.0]), Law(), CART, behind())
        switch.act(x, 0.0)
        assert switch.acting == acting


def test_the_planner_is_asked_far_from_the_data_and_now_and_then() -> None:
    switch = Switch(doubting([0.0] * 12), Law(), CART, HOME, audit=4)
    assert acting(switch, 10) == "ffffsffffs"
    for x, expected in ((3.0, "fast"), (5.0, "slow")):
        switch = Switch(doubting([0.0]), Law(), CART, HOME, far=4.0)
        switch.act([x, 0.0], 0.0)
        assert switch.acting == expected


def test_the_planner_teaches_the_policy() -> None:
    """Trained near the origin, the policy doubts and errs far away; after demonstrations from there, less."""
    law, near = Law(), 0.3 * STARTS
    found = distill(law, CART, HOME, starts=near, rounds=1, episodes=8, imitation=QUICK, rng=0)
    given: Any = {"demonstrations": found.demonstrations, "imitation": QUICK}
    switch = Switch(found.policy, law, CART, HOME, high=0.0, low=0.0, **given)
    far = np.array([3.0, 1.0])
    for x in far + np.random.default_rng(1).uniform(-0.5, 0.5, (150, 2)):
        switch.act(x, 0.0)
    errors = [abs(float(switch.fast.evaluate(far).plan[0, 0] - law.act(far).u[0]))]
    switch.learn(rng=0)
    errors.append(abs(float(switch.fast.evaluate(far).plan[0, 0] - law.act(far).u[0])))
    assert errors[1] < 0.5 * errors[0]
    assert len(switch.demonstrations) == len(found.demonstrations) + 150
    assert isinstance(switch.demonstrations, Demonstrations)


def test_a_clock_of_the_switch_that_goes_back_begins_the_references_again() -> None:
    @task(state=CART.state, action=CART.action, stage=Space("goal [m]"))
    def track(x: Any, u: Any, r: Any, p: Any, m: Any) -> Any:
        return (x[0] - r[0]) ** 2

    def counted(x: Any, t: float, steps: int, carry: Any) -> Any:
        count = 0 if carry is None else carry + 1
        return np.full((steps + 1, 1), float(count)), count

    seen: list[float] = []
    errand = track(references=counted)
    policy = random_policy(CART.state, CART.action, stage=Space("goal [m]"), task=errand)
    evaluate = policy.evaluate
    policy.evaluate = lambda x, row: seen.append(row[0]) or evaluate(x, row)  # type: ignore[method-assign]
    switch = Switch(policy, Law(), CART, errand)
    for t in (0.0, 0.1, 0.2, 0.0, 0.1):
        switch.act([0.1, 0.0], t)
    assert seen == [0.0, 1.0, 2.0, 0.0, 1.0]
    with pytest.raises(SettingError, match="t"):
        switch.act([0.1, 0.0], np.inf)
