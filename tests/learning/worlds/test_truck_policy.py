"""The truck's emulator, policy, lessons and evaluation, against the environment and the model of the yard."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from pilotage.core import FormatError, SettingError, ShapeError
from pilotage.core.confidence import wilson
from pilotage.envs.truck import TruckBackerUpper
from pilotage.envs.truck.yard import kinematics
from pilotage.learning.networks import MLP
from pilotage.learning.worlds.truck import (
    EmulatorSettings,
    TruckEmulator,
    TruckOptions,
    TruckPolicy,
    TruckSettings,
    TruckWorld,
    learn_emulator,
)
from pilotage.learning.worlds.truck.evaluate import BUDGET, drive, evaluate
from pilotage.learning.worlds.truck.kinematics import backed, directions, docked, running, wrapped
from pilotage.learning.worlds.truck.lessons import Lessons, LessonSettings, episodes, region, terminal_loss
from pilotage.learning.worlds.truck.recovery import (
    CLOSE,
    LONGEST,
    TURNS,
    RecoverySettings,
    driven,
    recover,
    search,
    turn,
)
from pilotage.learning.worlds.truck.world import WEIGHTS, hybrid

SEEDS = (0, 1, 2)


def states(count: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(region(1.0, count, np.random.default_rng(seed)))


def steering(count: int, seed: int = 1) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).uniform(-0.78, 0.78, count))


@pytest.fixture(scope="module")
def emulator() -> TruckEmulator:
    return learn_emulator(EmulatorSettings(steps=500, drives=500, seed=3))[0]


def packaged(seed: int = 1) -> TruckPolicy:
    return TruckPolicy.load(WEIGHTS / f"seed-{seed}")


def steady() -> TruckPolicy:
    """A policy that steers by random weights, not too hard."""
    policy = TruckPolicy.new(hidden=(16,), seed=4)
    torch.nn.init.normal_([*policy.network.parameters()][-2], std=0.1, generator=torch.Generator().manual_seed(0))
    policy.refresh()
    return policy


def test_a_decision_is_that_of_the_model_of_the_yard():
    """Values and gradients: the model of the yard is written as a formula, and its Jacobians are derived."""
    model, x, u = kinematics(hold=4), states(50), steering(50)
    full = np.column_stack([x.numpy(), np.zeros(50)])
    want = model.step(full, u.numpy()[:, None], 0.4)[:, :4]
    got = backed(x, u)
    away = got.numpy() - want
    away[:, 2:] = (away[:, 2:] + math.pi) % (2 * math.pi) - math.pi
    np.testing.assert_allclose(away, 0.0, atol=1e-12)
    F, B = model.linearize(full, u.numpy()[:, None], 0.4)
    J = torch.func.vmap(torch.func.jacrev(backed, argnums=(0, 1)))(x, u)
    np.testing.assert_allclose(J[0].numpy(), F[:, :4, :4], atol=1e-12)
    np.testing.assert_allclose(J[1].numpy(), B[:, :4, 0], atol=1e-12)


def test_the_emulator_moves_alike_everywhere_and_learns_the_step(emulator):
    x, u = states(200), steering(200)
    moved = emulator(x, u)
    shift = torch.tensor([3.0, -7.0, 2 * math.pi, -4 * math.pi], dtype=torch.float64)
    torch.testing.assert_close(emulator(x + shift, u), moved + shift, atol=1e-5, rtol=0.0)
    error = (moved - backed(x, u)).detach().abs()
    assert float(error[:, :2].max()) < 0.08 and float(error[:, :2].square().mean().sqrt()) < 0.02


def test_a_frozen_emulator_is_the_same(emulator):
    x, u = states(50), steering(50)
    torch.testing.assert_close(
        emulator.frozen(torch.float64)(x, u, directions(x)), emulator(x, u), atol=1e-12, rtol=0.0
    )


def test_the_hybrid_has_the_value_of_the_truth_and_the_gradient_of_the_emulator(emulator):
    x, u = states(20), steering(20)
    for model, other in ((hybrid(emulator), emulator), (backed, backed)):
        a, b = u.clone().requires_grad_(), u.clone().requires_grad_()
        value = model(x, a)
        torch.testing.assert_close(value, backed(x, u), atol=1e-12, rtol=0.0)
        (mine,) = torch.autograd.grad(value.sum(), a)
        (theirs,) = torch.autograd.grad(other(x, b).sum(), b)
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(("start", "policy"), [("E1", "packaged"), ("E2", "steady"), ("E3", "packaged")])
def test_episodes_end_as_in_the_environment(start, policy):
    chosen = packaged() if policy == "packaged" else steady()
    options = TruckOptions(distribution=start, goal="wall", starts=12, seed=5)
    first = options.draw()
    ends = drive(chosen, first, 150, walls=start == "E3")
    env = TruckBackerUpper(start, goal="wall", hold=4, dtype=np.float64)
    for i, x in enumerate(first):
        env.reset(seed=0, options={"state": x})
        over, count, info = False, 0, {}
        while not over and count < 150:
            _, _, over, _, info = env.step(chosen.steer(x))
            x, count = info["state"], count + 1
        assert count == ends.decisions[i]
        assert (info["docked"], info["docked_strictly"]) == (ends.docked[i], ends.docked_strictly[i])
        assert info["jackknifed"] == ends.jackknifed[i]
        np.testing.assert_allclose(wrapped(torch.as_tensor(x - ends.last[i]))[:4], 0.0, atol=1e-6)


def test_a_steered_action_is_that_of_the_batch():
    policy, x = packaged(), np.column_stack([states(30).numpy(), np.linspace(-8.0, 8.0, 30)])
    relative = torch.as_tensor(x[:, :4] - x[:, 4:] * np.array([0.0, 1.0, 0.0, 0.0]))
    with torch.no_grad():
        batch = policy(relative).numpy()
    np.testing.assert_allclose([policy.act(row).u[0] for row in x], batch, atol=1e-12)
    assert np.abs(batch).max() <= math.pi / 4
    held = policy.act(np.full(5, np.nan))
    assert held.status.name == "FALLBACK" and held.u == policy.act(x[-1]).u
    with pytest.raises(ShapeError):
        policy.act(np.zeros(4))


@pytest.mark.parametrize("bounded", [True, False])
def test_the_inputs_of_1990_are_places_and_angles(tmp_path, bounded):
    """The batch, the single action and the saved policy are those of the formula; full turns change nothing."""
    policy = TruckPolicy.new(hidden=(25,), inputs="state", bounded=bounded, seed=2)
    torch.nn.init.normal_([*policy.network.parameters()][-2], generator=torch.Generator().manual_seed(1))
    policy.refresh()
    policy.save(tmp_path)
    x, dock = states(20).numpy(), 3.0
    axle = x[:, :2] - 4.0 * np.column_stack([np.cos(x[:, 3]), np.sin(x[:, 3])])
    angles = (x[:, 2:] + math.pi) % (2 * math.pi) - math.pi
    phi = np.column_stack([x[:, 0] / 20 - 1, x[:, 1] / 10, axle[:, 0] / 20 - 1, axle[:, 1] / 10, angles / math.pi])
    out = policy.network(torch.as_tensor(phi)).detach().numpy()[:, 0]
    want = math.pi / 4 * (np.tanh(out) if bounded else out)
    for given in (policy, TruckPolicy.load(tmp_path)):
        turned = torch.as_tensor(x + [0.0, 0.0, 2 * math.pi, -4 * math.pi])
        np.testing.assert_allclose(given(turned).detach().numpy(), want, atol=1e-9)
        for row, steer in zip(x, want, strict=True):
            got = given.act(np.append(row + [0.0, dock, 0.0, 0.0], dock)).u[0]
            assert abs(got - np.clip(steer, -math.pi / 4, math.pi / 4)) < 1e-9


def test_ended_episodes_leave_the_batch_without_a_trace():
    """The losses of a batch are those of a plain loop over single trucks."""
    policy, settings = packaged(), LessonSettings(barrier=2.0, bent=0.3)
    policy.network.requires_grad_(False)
    x = states(6, seed=2)
    losses, won = episodes(policy, backed, x, 120, settings)
    for i in range(len(x)):
        here, bends = x[i : i + 1], 0.0
        for _ in range(120):
            here = backed(here, policy(here))
            bends += 2.0 * float(torch.relu(wrapped(here[:, 2] - here[:, 3]).abs() - 0.3).square())
            if not running(here):
                break
        assert abs(float((losses[i] - terminal_loss(here)).detach()) - bends) < 1e-9
        assert bool(won[i]) == bool(docked(here, 0.5, math.radians(10.0)))


def test_the_gradient_through_time_is_that_of_finite_differences():
    policy, settings = packaged(), LessonSettings(adjoint=None)
    x, weight = states(3, seed=8), [*policy.network.parameters()][1]
    losses, _ = episodes(policy, backed, x, 30, settings)
    (gradient,) = torch.autograd.grad(losses.sum(), weight)
    for i in (0, 7):
        step, values = 1e-6, []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                weight[i] += sign * step
                values.append(float(episodes(policy, backed, x, 30, settings)[0].sum()))
                weight[i] -= sign * step
        assert abs((values[0] - values[1]) / (2 * step) - float(gradient[i])) < 1e-4 * (1.0 + abs(float(gradient[i])))


def test_the_adjoint_of_a_truck_is_limited():
    """Without a limit, the gradient of a policy that jackknifes is larger by orders of magnitude."""
    policy, x = steady(), states(64)
    norms = []
    for limit in (None, 1.0):
        losses, _ = episodes(policy, backed, x, 100, LessonSettings(adjoint=limit, barrier=10.0))
        gradients = torch.autograd.grad(losses.mean(), list(policy.network.parameters()))
        norms.append(float(torch.stack([g.norm() for g in gradients]).norm()))
    assert norms[1] < 100.0 < norms[0]


def test_lessons_grow_with_success_and_at_the_latest_by_schedule():
    settings = LessonSettings(batch=4, horizon=5, steps=100, lessons=5, last_lesson=0.5)
    lessons, rng = Lessons(TruckPolicy.new(hidden=(4,)), backed, settings), np.random.default_rng(0)
    lessons.docked = 0.95
    assert lessons.loss(0, rng)[1]["lesson"] == 2
    assert lessons.loss(49, rng)[1]["lesson"] == 5
    again = Lessons(TruckPolicy.new(hidden=(4,)), backed, settings)
    again.restore(lessons.state())
    assert again.lesson == 5


def test_the_last_lesson_has_more_starts_near_the_dock():
    """30 % more of the trucks are in the nearest 6 of 30 m; before the last lesson, the region is uniform."""
    shares = []
    for lesson, near in ((4, 0.3), (5, 0.3), (5, 0.0)):
        policy = TruckPolicy.new(hidden=(4,))
        seen: list[torch.Tensor] = []

        def model(x, steer, turned=None, seen=seen):
            seen.append(x)
            return backed(x, steer)

        lessons = Lessons(policy, model, LessonSettings(batch=4000, horizon=1, lessons=5, near=near))
        lessons.lesson = lesson
        lessons.loss(0, np.random.default_rng(0))
        low, high = (6.0 + 4.0 * lesson / 5, 10.0 + 30.0 * lesson / 5)
        shares.append(float(((seen[0][:, 0] - low) < 0.2 * (high - low)).double().mean()))
    assert shares == pytest.approx([0.2, 0.44, 0.2], abs=0.03)


def test_recovery_draws_most_starts_from_where_trucks_have_to_turn_away():
    """Half of them have x below 13 m and headings within 72 degrees; of the yard, 4 % have, so that it is 52 %."""
    x = region(1.0, 20000, np.random.default_rng(0), 0.5, *CLOSE)
    close = (x[:, 0] < 13.0) & (np.abs(x[:, 3]) < math.radians(72.0))
    assert close.mean() == pytest.approx(0.5 + 0.5 * 0.1 * 0.4, abs=0.015)
    assert x[:, 0].min() >= 10.0 and np.abs(x[:, 1]).max() > 17.9


def test_what_the_search_finds_docks_the_trucks_that_the_policy_fails():
    """From the first state of each turn that is found, its steering angles and then the policy dock the truck."""
    policy = packaged()
    with torch.no_grad():
        [*policy.network.parameters()][-1].add_(0.05)  # steers a little to one side, so that it fails some trucks
    x = torch.as_tensor(region(1.0, 300, np.random.default_rng(0), near=1.0))
    with torch.no_grad():
        failed = x[~driven(policy, backed, x, BUDGET).docked()]
        assert len(failed) > 3
        found = 0
        for truck in failed[:6, None]:
            xs, steers, ends = search(policy, backed, truck, BUDGET)
            here, found = truck, found + bool(len(xs))
            for state, steer in zip(xs, steers, strict=True):
                torch.testing.assert_close(here[0], state)
                here = backed(here, steer[None])
            if len(xs):
                torch.testing.assert_close(here, ends)
                assert driven(policy, backed, here, BUDGET).docked()
    assert found >= 3


def test_a_round_of_recovery_that_does_harm_is_undone(tmp_path):
    policy = packaged()
    policy.network.float()
    before = [p.detach().clone() for p in policy.network.parameters()]
    harmful = RecoverySettings(rounds=2, starts=100, steps=20, rate=3.0, validate_every=20)
    told = recover(policy, backed, harmful, tmp_path)
    assert all(each.best.score > 0.2 for each in told)
    assert [each.settings.rate for each in told] == [3.0, 1.5]  # halved after harm
    for was, now in zip(before, policy.network.parameters(), strict=True):
        torch.testing.assert_close(now, was, atol=0.0, rtol=0.0)


def test_a_turn_holds_the_hitch():
    x = torch.tensor([[20.0, 0.0, 0.3, 0.1]], dtype=torch.float64)
    for hitch in TURNS:
        xs, _, going = turn(backed, x, hitch, LONGEST)
        assert abs(float(wrapped(xs[30, 0, 2] - xs[30, 0, 3])) - hitch) < 0.1 and bool(going[20])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("distribution", "goal"), [("E1", "dock"), ("E2", "dock"), ("E1", "wall")])
def test_the_packaged_policies_reproduce_their_success_rate_on_fresh_starts(seed, distribution, goal):
    policy = packaged(seed)
    stored = policy.metrics["results"]["wall" if goal == "wall" else distribution]
    told = evaluate(policy, TruckOptions(distribution=distribution, goal=goal, starts=800, seed=1000 + seed))
    shares = stored["success"]["share"], stored["jackknifed"]
    for share, count in zip(shares, (told["success"]["successes"], round(800 * told["jackknifed"])), strict=True):
        low, _, high = wilson(count, 800, 0.999)
        assert low <= share <= high
    assert shares[0] >= 0.99 and shares[1] < 0.005


def test_a_world_is_trained_resumed_and_evaluated(tmp_path):
    settings = TruckSettings(steps=4, batch=8, horizon=10, hidden=(4,), emulator_steps=20, rounds=0, validate_every=2)
    told = TruckWorld().train(settings, tmp_path / "a")
    assert told["lessons"]["end"] == "completed"
    first = TruckPolicy.load(tmp_path / "a")
    TruckWorld().train(settings, tmp_path / "a", resume=True)
    again = TruckPolicy.load(tmp_path / "a")
    x = states(5)
    torch.testing.assert_close(first(x), again(x), atol=0.0, rtol=0.0)
    assert 0.0 <= TruckWorld().evaluate(tmp_path / "a", TruckOptions(starts=20))["success"]["share"] <= 1.0
    assert TruckEmulator.load(tmp_path / "a" / "emulator")(x, steering(5)).shape == (5, 4)


@pytest.mark.parametrize("through", ["truth", "hybrid"])
@pytest.mark.parametrize(
    "change",
    [{"freeze": False}, {"bounded": False, "inputs": "state"}, {"terminal": "squares", "adjoint": None}],
)
def test_every_part_can_be_switched_off(tmp_path, through, change):
    settings = TruckSettings(
        through=through,
        steps=2,
        batch=8,
        horizon=5,
        hidden=(2,),
        emulator_steps=5,
        rounds=0,
        barrier=0.0,
        **change,
    )
    TruckWorld().train(settings, tmp_path)
    policy = TruckPolicy.load(tmp_path)
    assert (policy.bounded, policy.inputs) == (settings.bounded, settings.inputs)
    assert np.isfinite(policy.act(np.array([20.0, 1.0, 0.0, 0.0, 0.0])).u).all()


def test_damaged_weights_and_other_architectures_are_refused(tmp_path):
    policy = steady()
    policy.save(tmp_path / "p")
    (weights,) = (tmp_path / "p").glob("*.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-7])
    with pytest.raises(FormatError):
        TruckPolicy.load(tmp_path / "p")
    with torch.no_grad():
        [*policy.network.parameters()][1][0] = math.nan
    policy.save(tmp_path / "n")
    with pytest.raises(FormatError, match="NaN"):
        TruckPolicy.load(tmp_path / "n")
    TruckPolicy.new(hidden=(8,), inputs="state").save(tmp_path / "s")
    config = tmp_path / "s" / "config.json"
    for other, named in (("directions", r"\(8, 1\)"), ("pixels", "pixels")):
        config.write_text(config.read_text().replace('"inputs": "state"', f'"inputs": "{other}"'))
        with pytest.raises(FormatError, match=named):
            TruckPolicy.load(tmp_path / "s")
        config.write_text(config.read_text().replace(f'"inputs": "{other}"', '"inputs": "state"'))
    learn_emulator(EmulatorSettings(steps=2, drives=4), tmp_path / "e")
    with pytest.raises(FormatError):
        TruckPolicy.load(tmp_path / "e")


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: TruckPolicy(MLP(3, 1)), "3"),
        (lambda: TruckPolicy(torch.nn.Linear(8, 1)), "MLP"),  # type: ignore[arg-type]
        (lambda: TruckPolicy.new(inputs="pixels"), "pixels"),  # type: ignore[arg-type]
        (lambda: TruckPolicy.new(bounded="no"), "no"),  # type: ignore[arg-type]
    ],
)
def test_networks_and_settings_that_do_not_fit_are_refused(make, named):
    with pytest.raises(SettingError, match=named):
        make()


@pytest.mark.parametrize(("name", "value"), [("bounded", "no"), ("inputs", ["state"]), ("metrics", [1, 2])])
def test_a_config_with_values_of_other_types_is_refused(tmp_path, name, value):
    steady().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["extra"][name] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FormatError, match=tmp_path.name):
        TruckPolicy.load(tmp_path)
