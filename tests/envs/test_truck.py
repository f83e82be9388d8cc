"""The truck backer-upper: exact kinematics, true signals, starts, and Gymnasium's contract."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import pilotage.envs  # registers the environment
from pilotage.core import SettingError
from pilotage.envs.truck import TruckBackerUpper, TruckBackerUpperVector, starts
from pilotage.envs.truck.starts import STARTS
from pilotage.envs.truck.yard import kinematics, verdict
from pilotage.models import truck

NAME = "pilotage/TruckBackerUpper-v0"
VARIANTS = [
    {},
    {"start": "E3", "hold": 4},
    {"start": "E2", "goal": "wall", "forward": True},
    {"trailers": 2, "walls": True},
]


def notebook(x, y, th0, th1, phi, s=-0.1, L=1.0, d=4.0):
    """The step of the course's code, written again from the reference."""
    return (
        x + s * math.cos(th0),
        y + s * math.sin(th0),
        th0 + s / L * math.tan(phi),
        th1 + s / d * math.sin(th0 - th1),
    )


@pytest.mark.parametrize("hold", [1, 4])
def test_steps_are_those_of_the_course(hold):
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, steer = rng.uniform(-1.5, 1.5, 4), rng.uniform(-0.78, 0.78)
        want = x
        for _ in range(hold):
            want = notebook(want[0], want[1], want[2], want[3], steer)
        np.testing.assert_allclose(kinematics(hold=hold).step([*x, 3.0], [steer], 0.1 * hold), [*want, 3.0], atol=1e-12)


def test_the_library_model_is_the_same_truck():
    x, u = np.random.default_rng(1).uniform(-1.0, 1.0, (20, 4)), np.linspace(-0.7, 0.7, 20)[:, None]
    ours = kinematics().step(np.column_stack([x, np.zeros(20)]), u, 0.1)[:, :4]
    theirs = truck(integrator="euler").step(x, np.column_stack([np.full(20, -0.1), u]), 1.0)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_signs():
    """Backing with the wheels to the left turns the cab clockwise; a cab to the left pulls the trailer's nose right."""
    assert kinematics().step([9.0, 0, 0, 0, 0], [0.3], 0.1)[2] < 0.0
    assert kinematics().step([9.0, 0, 0.3, 0, 0], [0.0], 0.1)[3] < 0.0


def test_a_second_trailer_follows_the_axle_of_the_first():
    """Each trailer's axle moves along its own heading, without sliding sideways; small steps, for the Euler error."""
    model, x = kinematics(trailers=2), np.array([20.0, 0.0, 0.3, 0.1, -0.2, 0.0])

    def axles(x):
        first = x[:2] - 4.0 * np.array([math.cos(x[3]), math.sin(x[3])])
        return first, first - 4.0 * np.array([math.cos(x[4]), math.sin(x[4])])

    y = model.step(x, [0.2], 1e-6)
    for before, after, yaw in zip(axles(x), axles(y), (x[3], x[4]), strict=True):
        across = (after - before) @ np.array([-math.sin(yaw), math.cos(yaw)])
        assert abs(across) < 1e-9


@pytest.mark.parametrize("name", STARTS)
def test_starts(name):
    x = starts(name, 2000, np.random.default_rng(0))
    assert x.shape == (2000, 4)
    hitch = np.angle(np.exp(1j * (x[:, 2] - x[:, 3])))
    assert np.abs(hitch).max() <= math.pi / 4 and x[:, 0].min() >= 10.0 and x[:, 0].max() <= 40.0
    assert (np.abs(x[:, 3]).max() <= math.pi / 2) == (name == "E1")
    if name != "E1":
        assert not verdict(np.column_stack([x, np.zeros(2000)]))["outside"].any()


def test_signals():
    def signals(*x):
        return {name for name, value in verdict(np.array(x, dtype=float)).items() if value}

    assert signals(4.0, 0.1, 0.0, 0.0, 0.0) == {"docked", "docked_strictly", "outside"}
    assert signals(4.0, 3.4, 0.0, 0.0, 3.0) == {"docked", "outside"}
    assert signals(4.0, 0.6, 0.0, 0.0, 0.0) == {"outside"}
    assert signals(20.0, 0.0, 3.0, -3.0, 0.0) == set()
    assert signals(20.0, 0.0, 1.0, -1.0, 0.0) == {"jackknifed"}
    assert signals(4.0, 0.0, 1.6, 0.0, 0.0) == {"jackknifed", "outside"}


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_gymnasium_finds_nothing_to_say(settings):
    check_env(gymnasium.make(NAME, render_mode="rgb_array", **settings).unwrapped)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_vector_version_is_the_same_world(settings):
    many = gymnasium.make_vec(NAME, num_envs=3, vectorization_mode="vector_entry_point", **settings)
    observations, _ = many.reset(seed=4)
    singles = [gymnasium.make(NAME, **settings) for _ in range(3)]
    for i, env in enumerate(singles):
        np.testing.assert_array_equal(observations[i], env.reset(seed=4 + i)[0])
    many.action_space.seed(0)
    u = many.action_space.sample()
    after = many.step(u)
    for i, env in enumerate(singles):
        alone = env.step(u[i])
        np.testing.assert_array_equal(after[0][i], alone[0])
        assert (after[1][i], after[2][i]) == (alone[1], alone[2])


@pytest.mark.parametrize("hold", [1, 4])
def test_observations_do_not_saturate_within_an_episode(hold):
    env = gymnasium.make(NAME, start="E2", hold=hold, dtype=np.float64)
    x, _ = env.reset(options={"state": [40.0, 0.0, math.pi, math.pi, 0.0]})
    late = False
    while not late:
        x, _, _, late, info = env.step([0.0])
    assert x[0] == pytest.approx(40.0 + 200.0 * hold)
    np.testing.assert_allclose(x, info["state"])


def test_an_episode_ends_where_it_should():
    env = gymnasium.make(NAME, start="E3", hold=4)

    def last(state, steer):
        env.reset(seed=0, options={"state": state})
        for _ in range(500):
            _, reward, terminated, _, info = env.step([steer])
            if terminated:
                return reward, info
        raise AssertionError("the episode did not end")

    reward, info = last([20.0, 0.0, 0.0, 0.0, 0.0], 0.0)
    assert info["docked_strictly"] and reward == pytest.approx(0.996)
    reward, info = last([20.0, 0.0, 0.0, 0.0, 0.0], 0.7)
    assert info["jackknifed"] and info["violated"] and float(reward) < 0.0
    reward, info = last([20.0, 0.0, math.pi / 2, math.pi / 2, 0.0], 0.0)
    assert info["outside"] and info["violated"] and not info["docked"] and float(reward) < 0.0


@pytest.mark.parametrize("settings", [{"start": "E4"}, {"hold": 0}, {"trailers": 3}, {"goal": "moon"}, {"wall": True}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises((SettingError, TypeError)):
        pilotage.envs.TruckBackerUpper(**settings)


@pytest.mark.parametrize("make", [TruckBackerUpper, lambda **settings: TruckBackerUpperVector(2, **settings)])
def test_unknown_settings_are_told_from_those_of_the_yard(make: Any) -> None:
    with pytest.raises(SettingError, match="trailer.*did you mean trailers.*walls"):
        make(trailer=2)
