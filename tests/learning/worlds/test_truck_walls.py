"""The truck between walls: the policy of the package docks as often as its metrics tell, and how it is taught."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax

from pilotage.core import FormatError, SettingError
from pilotage.envs.truck import TruckBackerUpper, starts
from pilotage.envs.truck.yard import kinematics
from pilotage.learning.networks import MLP
from pilotage.learning.worlds.truck import (
    TruckOracle,
    TruckWalls,
    TruckWorld,
    WallsOptions,
    WallsPolicy,
    WallsSettings,
    teach,
)
from pilotage.learning.worlds.truck.oracle import located
from pilotage.learning.worlds.truck.teaching import Student, docks
from pilotage.learning.worlds.truck.walls import FINE, features

ORACLE = TruckOracle(shape=(32, 16, 36, 13))


@pytest.fixture(scope="module")
def value() -> np.ndarray:
    return ORACLE.solve(80)


def small(**options: object) -> WallsSettings:
    given = {"hidden": (16,), "trucks": 64, "warm_up": 5, "steps": 20, "validate_every": 10, "held_out": 100}
    return WallsSettings(**{**given, **options})


def test_the_stored_success_rate_is_reproduced_on_fresh_starts():
    policy = WallsPolicy.load()
    told, count = policy.metrics["docked"], 1500
    docked = docks(policy, starts("E3", count, np.random.default_rng(20261129)), policy.metrics["budget"])
    assert abs(docked.mean() - told) < 3.5 * math.sqrt(told * (1.0 - told) / count)


def test_both_worlds_drive_the_policy_alike():
    """The batch of the world `truck` has kinematics of its own and the environment's verdict."""
    options = WallsOptions(starts=300, seed=6, oracle=False)
    told = TruckWalls().evaluate(None, options)["success"]
    assert TruckWorld().evaluate(None, options.conditions)["success"] == told
    assert told["protocol"]["starts"] == "E3" and told["share"] > 0.8


def test_the_environment_docks_what_the_batch_docks():
    policy, first = WallsPolicy.load(), starts("E3", 40, np.random.default_rng(4))
    told = docks(policy, first, 300)
    env = TruckBackerUpper("E3", hold=4, dtype=np.float64)
    for x, docked in zip(first, told, strict=True):
        env.reset(seed=0, options={"state": [*x, 0.0]})
        state, over, info, count = np.array([*x, 0.0]), False, {"docked": False}, 0
        while not over and count < 300:
            _, _, over, _, info = env.step(policy.act(state).u)
            state, count = info["state"], count + 1
        assert info["docked"] == docked
    assert 0.5 < told.mean() < 1.0


def test_steering_is_the_same_by_tensors_and_arrays_and_antisymmetric():
    policy, x = WallsPolicy.load(), starts("E3", 200, np.random.default_rng(1))
    steers = policy(torch.as_tensor(x)).numpy()
    assert np.array([policy.steer(each)[0] for each in x]) == pytest.approx(steers, abs=1e-12)
    assert policy(torch.as_tensor(x * [1.0, -1.0, -1.0, -1.0])).numpy() == pytest.approx(-steers, abs=1e-12)
    assert np.abs(steers).max() <= 0.25 * math.pi + 1e-12
    assert len(np.unique(steers)) > 10


def test_a_state_that_is_not_finite_holds_the_steering():
    policy = WallsPolicy.load()
    held = policy.act([20.0, 4.0, 0.3, 0.1, 0.0]).u
    lost = policy.act([20.0, math.nan, 0.3, 0.1, 0.0])
    assert lost.status.name == "FALLBACK" and lost.u == held


def test_another_dock_is_refused():
    with pytest.raises(SettingError, match="2"):
        WallsPolicy.load().act([20.0, 4.0, 0.3, 0.1, 2.0])


def test_a_saved_policy_is_the_same_and_a_damaged_one_is_refused(tmp_path: Path):
    policy = WallsPolicy.load()
    policy.save(tmp_path)
    again = WallsPolicy.load(tmp_path)
    x = np.array([20.0, 4.0, 0.3, 0.1])
    assert again.metrics == policy.metrics and again.steer(x) == policy.steer(x)
    weights = next(tmp_path.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(FormatError, match=weights.name):
        WallsPolicy.load(tmp_path)


def test_a_network_of_another_size_is_refused(tmp_path: Path):
    with pytest.raises(SettingError, match="9"):
        WallsPolicy(MLP(16, 9))
    policy = WallsPolicy.load()
    policy.network = MLP(16, 9)
    policy.save(tmp_path)
    with pytest.raises(FormatError, match="9"):
        WallsPolicy.load(tmp_path)


def test_trucks_drive_on_by_the_kinematics_of_the_yard(value):
    """Guided by the oracle alone, the next states are those of its greedy actions; ended episodes begin anew."""
    options = small(trucks=40, guided=1.0)
    student = Student(WallsPolicy.new((8,)), ORACLE, value, options)
    student.loss(0, np.random.default_rng(0))
    student._refill(np.random.default_rng(3))
    before, model = student.places.copy(), kinematics(hold=4)
    student.loss(9, np.random.default_rng(1))
    next_states = []
    for x, y, yaw, hitch in before:
        state = np.array([x + 4.0 * math.cos(yaw), y + 4.0 * math.sin(yaw), yaw + hitch, yaw])
        steer, _ = ORACLE.act(value, state)
        next_states.append(located(model.step([*state, 0.0], [steer], 0.4)[None, :4])[0])
    for place in student.places:
        assert np.abs(np.array(next_states) - place).max(1).min() < 1e-9
    assert 0 < len(student.places) <= 40 and student.ages.max() == 2


def test_the_loss_is_the_cross_entropy_with_the_values_of_the_oracle(value):
    """Recomputed by numpy; a state with y < 0 is judged by the oracle in its mirror image."""
    options, policy = small(trucks=50), WallsPolicy.new((8,))
    torch.nn.init.normal_(list(policy.network.parameters())[-2], generator=torch.Generator().manual_seed(0))
    student = Student(policy, ORACLE, value, options)
    student._refill(np.random.default_rng(0))
    x, y, yaw, hitch = student.places.T
    side = np.sign(y)
    upper = np.column_stack([x, side * y, side * yaw, side * hitch])
    with torch.no_grad():
        logits = policy.network(torch.as_tensor(features(list(upper.T), np)[0]).float()).double().numpy()
    judged = ORACLE.action_values(value, upper)
    want = [
        np.log(np.exp(g).sum()) - softmax(q / options.temperature) @ g
        for g, q in zip(logits, judged, strict=True)
        if q.max() > 0.02
    ]
    loss, metrics = student.loss(0, np.random.default_rng(0))
    assert 5 < len(want) < 50
    assert loss.item() == pytest.approx(np.mean(want), rel=1e-4)
    assert metrics["value_lost"] > 0.0


def test_teaching_lowers_the_value_that_decisions_cost(value):
    options = small(steps=300, trucks=256, rate=0.01, hidden=(32,), validate_every=300, temperature=0.02)
    policy, _ = teach(options, ORACLE, value)
    assert next(policy.network.parameters()).dtype == torch.float64
    places = located(starts("E3", 2000, np.random.default_rng(8)))
    judged = ORACLE.action_values(value, places)
    places, judged = (each[np.ptp(judged, axis=1) > 0.1] for each in (places, judged))

    def lost(steers):
        chosen = np.abs(steers[:, None] - FINE).argmin(1)
        return (judged.max(1) - judged[np.arange(len(judged)), chosen]).mean()

    straight, random = np.zeros(len(places)), np.random.default_rng(9).choice(FINE, len(places))
    assert len(places) > 50
    assert lost(policy.steers(places)) < 0.7 * min(lost(straight), lost(random))


def test_an_interrupted_run_ends_with_the_same_weights(value, tmp_path: Path):
    whole, _ = teach(small(), ORACLE, value, tmp_path / "a")

    def killed(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(small(save_every=5), ORACLE, value, tmp_path / "b", progress=killed)
    resumed, _ = teach(small(save_every=5), ORACLE, value, tmp_path / "b", resume=True)
    for mine, theirs in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
