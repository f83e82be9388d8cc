"""How vector environments start again, and how agents' actions are scaled."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

import pilotage.envs
from pilotage.core import Gaussian, SettingError, ShapeError, Space
from pilotage.envs import ModelEnv, ModelVectorEnv
from pilotage.models import dynamics, task

from .worlds import SENSORS, fix, going_home, rover

SAME = AutoresetMode.SAME_STEP


@pytest.mark.parametrize("sensors", [None, fix(), SENSORS], ids=["state", "one", "several"])
def test_episodes_start_again_in_the_same_step(sensors):
    """As those of Gymnasium's own vector environment in that mode."""
    many = SyncVectorEnv([lambda: TimeLimit(ModelEnv(rover(), sensors, going_home()), 31)] * 6, autoreset_mode=SAME)
    ours = ModelVectorEnv(rover(), sensors, going_home(), num_envs=6, max_episode_steps=31, autoreset_mode=SAME)
    assert ours.metadata["autoreset_mode"] is SAME
    assert data_equivalence(ours.reset(seed=5), many.reset(seed=5))
    rng, ends = np.random.default_rng(5), 0
    for _ in range(80):
        us = rng.uniform(-1.2, 1.2, (6, 2))
        a, b = ours.step(us), many.step(us)
        assert data_equivalence(a[0], b[0])
        for mine, theirs in zip(a[1:4], b[1:4], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9)
        ended = a[2] | a[3]
        ends += ended.sum()
        if not ended.any():
            assert "final_obs" not in a[4]
            continue
        np.testing.assert_array_equal(a[4]["_final_obs"], b[4]["_final_obs"])
        for i in np.flatnonzero(ended):
            assert data_equivalence(a[4]["final_obs"][i], b[4]["final_obs"][i])
        for name in ("state", "time", "violated"):
            np.testing.assert_allclose(a[4]["final_info"][name], b[4]["final_info"][name], atol=1e-9)
            np.testing.assert_allclose(a[4][name], b[4][name], atol=1e-9)
    assert ends > 5


def test_modes_that_are_none_are_refused():
    for mode in (AutoresetMode.DISABLED, "later"):
        with pytest.raises(SettingError, match="autoreset_mode is"):
            ModelVectorEnv(rover(), None, going_home(), num_envs=2, autoreset_mode=mode)


def test_normalized_actions_stand_for_the_bounds():
    space = Space("force [N] in [-2, 10]", "turn [rad/s] in [0, 3]")
    push = dynamics(state=Space("x y [m]"), action=space)(lambda x, u, p, m: (u[0], u[1]))()
    calm = task(state=Space("x y [m]"), action=space)(lambda x, u, p, m: u[0] + 100.0 * u[1])
    goal = calm(initial=Gaussian.of(push.state, [0, 0], std=1.0))
    one, many = (
        ModelEnv(push, None, goal, normalized=True),
        ModelVectorEnv(push, None, goal, num_envs=3, normalized=True),
    )
    assert one.action_space == gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    assert many.single_action_space == one.action_space
    one.reset(seed=0)
    many.reset(seed=0)
    for given, taken in (([-1, -1], (-2, 0)), ([1, 1], (10, 3)), ([0, 0], (4, 1.5)), ([9, -9], (10, 0))):
        assert one.step(np.array(given))[1] == pytest.approx(-taken[0] - 100 * taken[1])
        np.testing.assert_allclose(many.step(np.tile(given, (3, 1)))[1], -taken[0] - 100 * taken[1])


def test_actions_without_bounds_have_no_normal_form():
    space = Space("force [N]")
    push = dynamics(state=Space("x [m]"), action=space)(lambda x, u, p, m: u[0])()
    goal = task(state=Space("x [m]"), action=space)(lambda x, u, p, m: 0.0)()
    with pytest.raises(SettingError, match="normalized actions need bounds"):
        ModelEnv(push, None, goal, normalized=True)


@pytest.mark.parametrize("make", [ModelEnv, lambda *models, **kw: ModelVectorEnv(*models, num_envs=2, **kw)])
def test_settings_are_refused_when_an_environment_is_made(make):
    for dtype in ("x", int, object, 3):
        with pytest.raises(SettingError, match="dtype is"):
            make(rover(), None, going_home(), dtype=dtype)
    with pytest.raises(SettingError, match=r"initial of the task is .*; expected a belief"):
        make(rover(), None, going_home(initial=[0.0, 0.0, 0.0, 0.0]))
    with pytest.raises(SettingError, match="resolution"):
        make(rover(), None, going_home(), resolution=0.0)
    env = make(rover(), None, going_home())
    env.reset(seed=0)
    for bad in (np.nan, np.inf):
        with pytest.raises(ShapeError, match="NaN or infinite"):
            env.step(np.full(env.action_space.shape, bad))


def test_the_cart_pole_is_that_of_gymnasium():
    """State by state, reward by reward, and it falls in the same tick."""
    ours, peer = gymnasium.make("pilotage/CartPole-v0"), gymnasium.make("CartPole-v1")
    check_env(gymnasium.make("pilotage/CartPole-v0", render_mode="rgb_array").unwrapped)
    for seed in range(30):
        peer.reset(seed=seed)
        ours.reset(seed=seed, options={"state": peer.unwrapped.state})
        rng, ended = np.random.default_rng(seed), False
        while not ended:
            push = int(rng.integers(2))
            theirs = peer.step(push)
            mine = ours.step(np.array([2.0 * push - 1.0]))
            np.testing.assert_allclose(mine[4]["state"], peer.unwrapped.state, atol=1e-12)
            assert mine[1:4] == theirs[1:4]
            ended = mine[2]
    # Drawn alike, too, and cut off after as many ticks.
    np.testing.assert_array_equal(ours.reset(seed=3)[0], peer.reset(seed=3)[0])
    assert ours.spec.max_episode_steps == peer.spec.max_episode_steps


def test_many_cart_poles_are_those_of_one():
    assert pilotage.envs is not None
    many = gymnasium.make_vec("pilotage/CartPole-v0", num_envs=3, vectorization_mode="vector_entry_point")
    first, _ = many.reset(seed=4)
    for i in range(3):
        np.testing.assert_array_equal(first[i], gymnasium.make("pilotage/CartPole-v0").reset(seed=4 + i)[0])
    rewards = [many.step(np.zeros((3, 1)))[1] for _ in range(600)]
    assert set(np.ravel(rewards)) == {0.0, 1.0}


def several(count=3):
    """Our vector environment beside Gymnasium's, of the same single ones."""
    ours = ModelVectorEnv(rover(), SENSORS, going_home(), num_envs=count)
    return ours, SyncVectorEnv([lambda: ModelEnv(rover(), SENSORS, going_home())] * count)


def test_seeds_and_streams_are_those_of_single_environments():
    ours, many = several()
    for seed in (3, 4, [7, 8, 9], [None, 5, None], None):
        ours.reset(seed=seed)
        many.reset(seed=seed)
        assert ours.np_random_seed == many.np_random_seed
        states = [[stream.bit_generator.state for stream in envs.np_random] for envs in (ours, many)]
        assert states[0] == states[1]
    fresh, _ = several()
    assert len({*fresh.np_random_seed}) == 3
    assert fresh.np_random_seed == fresh.np_random_seed


def test_streams_that_are_set_are_drawn_from():
    ours, many = several()
    ours.np_random = [np.random.default_rng(i) for i in (3, 1, 4)]
    for env, i in zip(many.envs, (3, 1, 4), strict=True):
        env.unwrapped.np_random = np.random.default_rng(i)
    assert data_equivalence(ours.reset()[0], many.reset()[0])
    assert ours.np_random_seed == many.np_random_seed == (-1, -1, -1)
    seen = []
    for seed in (7, 7, 8):
        ours.np_random = np.random.default_rng(seed)
        seen.append(ours.reset()[1]["state"])
    np.testing.assert_array_equal(seen[0], seen[1])
    assert len(np.unique(np.concatenate([seen[0], seen[2]]), axis=0)) == 6
    with pytest.raises(ShapeError, match="2 random streams were given for 3"):
        ours.np_random = [np.random.default_rng(0)] * 2


@pytest.mark.parametrize("form", [list, tuple])
def test_a_state_may_be_given_to_some(form):
    ours, many = several()
    x = np.array([1.0, 2.0, 0.3, 0.4])
    drawn = many.reset(seed=3)[1]["state"]
    _, info = ours.reset(seed=3, options={"state": form([None, x, None])})
    np.testing.assert_allclose(info["state"], [drawn[0], x, drawn[2]], atol=1e-12)
    np.testing.assert_array_equal(ours.reset(seed=3, options={"state": form([None] * 3)})[1]["state"], drawn)
    for bad, sentence in (
        ([None, x], "not an array of numbers"),
        ([None, x[:2], None], r"state has 2|has shape \(2,\)"),
    ):
        with pytest.raises(ShapeError, match=sentence):
            ours.reset(options={"state": bad})


@pytest.mark.parametrize("x", [[1, 2, 0, 3], np.array([1, 2, 0, 3]), (1.0, 2.0, 0.0, 3.0)])
def test_a_start_may_be_any_numbers(x):
    one = ModelEnv(rover(), None, going_home(), start=lambda stream: x)
    many = ModelVectorEnv(rover(), None, going_home(), num_envs=2, start=lambda stream: x)
    assert one.reset(seed=0)[0].tolist() == [1.0, 2.0, 0.0, 3.0]
    assert many.reset(seed=0)[0].tolist() == [[1.0, 2.0, 0.0, 3.0]] * 2
    one.step(np.zeros(2))
    many.step(np.zeros((2, 2)))
    np.testing.assert_allclose(one.state, many.states[0], atol=1e-12)


def test_many_cart_poles_are_single_ones():
    """To the last digit, where they start again too."""
    ours = gymnasium.make_vec("pilotage/CartPole-v0", num_envs=5, vectorization_mode="vector_entry_point")
    many = gymnasium.make_vec("pilotage/CartPole-v0", num_envs=5, vectorization_mode="sync")
    assert data_equivalence(ours.reset(seed=2), many.reset(seed=2))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        us = rng.uniform(-1.5, 1.5, (5, 1)).astype(np.float32)
        a, b = ours.step(us), many.step(us)
        assert data_equivalence(a[0], b[0])
        for mine, theirs in zip(a[1:4], b[1:4], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        ends += a[2].sum()
    assert ends > 5
