"""Wrappers of vector environments: what they show is what those of single environments show, in one call for all."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

import pilotage.envs  # noqa: F401
from pilotage.core import Dynamics, Gaussian, SettingError, ShapeError
from pilotage.envs import ModelEnv, ModelVectorEnv, restore_state, save_state
from pilotage.envs.wrappers import (
    ActionLatency,
    DegradedObservation,
    EstimatedObservation,
    Link,
    RandomisedDynamics,
    vector,
)
from pilotage.estimators import EKF, UKF, ParticleFilter
from pilotage.models import dynamics

from .worlds import ACTION, START, STATE, compass, fix, going_home, home, rover

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
SENSORS = {"fix": fix(), "heading": compass()}
LINKS = {"fix": Link(period=0.2, delay=0.3, dropout=0.2), "heading": Link(std=0.05, dropout=0.3, delay=0.1)}
COUNT = 5


@dynamics(state=STATE, action=ACTION, noise=(0.02, 0.02, 0.05, 0.1), params={"drag": 0.5, "gain": 1.0})
def dragged(x, u, p, m):
    """A rover that is slowed down."""
    _, _, yaw, speed = x
    return speed * m.cos(yaw), speed * m.sin(yaw), u[1], p.gain * u[0] - p.drag * speed


class Called(Dynamics):
    """The same without machine code."""

    state, action = STATE, ACTION

    def __init__(self, inner: Any) -> None:
        self.inner, self.params = inner, inner.params

    def replace(self, **params: Any) -> Called:
        return Called(self.inner.replace(**params))

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.step(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return self.inner.noise(x, u, dt)


def estimator(seed: int | None, kind: Any = EKF) -> Any:
    """A filter whose start depends on the seed, as it may."""
    belief = Gaussian(START.space, START.mean + 0.01 * (seed or 0), START.cov)
    return kind(rover(), dt=0.1).start(belief=belief, history=2.0)


def task():
    """One that ends early, late, and by itself."""
    return going_home(horizon=15, done=near)


def near(x: Any) -> Any:
    return np.hypot(x[..., 0], x[..., 1]) < 1.5


PLAIN, CALLED = dragged(), Called(dragged())
WRAPPERS: dict[str, tuple[Any, Any, Any, Any]] = {
    "degraded": (DegradedObservation, vector.DegradedObservation, {"links": LINKS}, rover()),
    "one link": (DegradedObservation, vector.DegradedObservation, {"links": Link(std=0.1, delay=0.2)}, rover()),
    "estimated": (EstimatedObservation, vector.EstimatedObservation, {"filter": estimator}, rover()),
    "late": (EstimatedObservation, vector.EstimatedObservation, {"filter": estimator, "links": LINKS}, rover()),
    "unscented": (
        EstimatedObservation,
        vector.EstimatedObservation,
        {"filter": partial(estimator, kind=UKF), "links": LINKS},
        rover(),
    ),
    "latency": (ActionLatency, vector.ActionLatency, {"ticks": 2, "rest": [0.3, -0.2]}, rover()),
    "randomised": (RandomisedDynamics, vector.RandomisedDynamics, {"factors": {"drag": (0.2, 9.0), "gain": 2}}, PLAIN),
    "called": (RandomisedDynamics, vector.RandomisedDynamics, {"factors": {"drag": (0.2, 9.0), "gain": 2}}, CALLED),
}


def pair(name: str, mode: AutoresetMode) -> tuple[Any, Any]:
    """Environments wrapped together, and one by one."""
    alone, together, settings, model = WRAPPERS[name]
    one = lambda: alone(ModelEnv(model, SENSORS, task()), **settings)
    many = ModelVectorEnv(model, SENSORS, task(), num_envs=COUNT, autoreset_mode=mode)
    return together(many, **settings), SyncVectorEnv([one] * COUNT, autoreset_mode=mode)


def same(ours: Any, theirs: Any, rtol: float = 1e-5, atol: float = 2e-5) -> None:
    """Equal, but for what a bank and a filter round differently."""
    if isinstance(theirs, dict):
        assert {*theirs} <= {*ours}
        for name, each in theirs.items():
            same(ours[name], each, rtol, atol)
    elif isinstance(theirs, np.ndarray) and theirs.dtype.kind == "O":
        for one, other in zip(ours, theirs, strict=True):
            assert (one is None) == (other is None)
            if other is not None:
                same(one, other, rtol, atol)
    else:
        np.testing.assert_allclose(ours, theirs, rtol, atol)


@pytest.mark.parametrize("mode", MODES, ids=["next", "same"])
@pytest.mark.parametrize("name", WRAPPERS)
def test_all_together_are_as_each_alone(name: str, mode: AutoresetMode) -> None:
    """Observations, rewards, ends, last observations and ages, over several episodes of different length."""
    ours, theirs = pair(name, mode)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space
    (mine, info), (other, their_info) = ours.reset(seed=3), theirs.reset(seed=3)
    rng, ends = np.random.default_rng(0), np.zeros(COUNT, dtype=int)
    for _ in range(60):
        same(mine, other)
        for key in ("age", "final_obs"):
            if key in their_info:
                same(info[key], their_info[key])
        for key, told in their_info.get("factors", {}).items():  # alone, an environment tells them at its resets
            if not key.startswith("_"):
                where = their_info["factors"][f"_{key}"]
                np.testing.assert_array_equal(info["factors"][key][where], told[where])
        us = rng.uniform(-1.0, 1.0, (COUNT, 2)).astype(np.float32)
        (mine, *judged, info), (other, *expected, their_info) = ours.step(us), theirs.step(us)
        for a, b in zip(judged, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
        assert mine in ours.observation_space
        ends += judged[1] | judged[2]
    assert ends.min() >= 2 and len(set(ends)) > 1


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_seed_repeats_everything(name: str) -> None:
    """To the bit, also in a copy from another process, whose machine code is compiled again."""

    def run(envs: Any) -> list[Any]:
        seen, rng = [envs.reset(seed=[4, 9, 2, 7, 1])[0]], np.random.default_rng(1)
        for _ in range(20):
            observations, rewards, *_ = envs.step(rng.uniform(-1.0, 1.0, (COUNT, 2)))
            seen += [observations, rewards]
        return seen

    envs = pair(name, MODES[1])[0]
    first = run(envs)
    for twin in (envs, copy.deepcopy(envs), pickle.loads(pickle.dumps(envs))):
        for a, b in zip(first, run(twin), strict=True):
            for one, other in zip(a.values(), b.values()) if isinstance(a, dict) else [(a, b)]:
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mode", MODES, ids=["next", "same"])
@pytest.mark.parametrize("name", WRAPPERS)
def test_episodes_go_on_from_a_saved_state(name: str, mode: AutoresetMode) -> None:
    """To the bit, from the middle of episodes, again and again, whatever was done in between."""
    envs, rng = pair(name, mode)[0], np.random.default_rng(2)
    envs.reset(seed=1)
    us = rng.uniform(-1.0, 1.0, (30, COUNT, 2))
    for u in us[:7]:
        envs.step(u)
    saved = envs.get_state()
    once = [envs.step(u) for u in us]
    for between in (0, 5):
        for u in us[:between]:
            envs.step(-u)
        envs.set_state(saved)
        for first, u in zip(once, us, strict=True):
            again = envs.step(u)
            same(again[0], first[0], 0.0, 0.0)
            for a, b in zip(again[1:4], first[1:4], strict=True):
                np.testing.assert_array_equal(a, b)
    with pytest.raises(SettingError, match="get_state"):
        envs.set_state(saved.inner)


def alone(name: str) -> Any:
    """A wrapped environment, made in another process."""
    wrapper, _, settings, model = WRAPPERS[name]
    return wrapper(ModelEnv(model, SENSORS, task()), **settings)


def test_wrapped_environments_run_in_other_processes() -> None:
    names = ["late", "estimated"]
    given = {"autoreset_mode": AutoresetMode.SAME_STEP, "observation_mode": "same"}
    here, there = (kind([partial(alone, n) for n in names], **given) for kind in (SyncVectorEnv, AsyncVectorEnv))
    try:
        same(there.reset(seed=5)[0], here.reset(seed=5)[0])
        for us in np.random.default_rng(0).uniform(-1.0, 1.0, (12, 2, 2)).astype(np.float32):
            same(there.step(us)[0], here.step(us)[0])
    finally:
        there.close()


def test_the_model_of_an_episode_is_restored() -> None:
    """A state that is restored in a later episode comes with the factors of its own."""
    env = alone("randomised")
    env.reset(seed=0)
    saved = save_state(env)
    once = [env.step([1.0, 0.0])[4]["state"] for _ in range(3)]
    env.reset(seed=1)
    env.step([1.0, 0.0])
    restore_state(env, saved)
    np.testing.assert_array_equal(once, [env.step([1.0, 0.0])[4]["state"] for _ in range(3)])


def test_what_does_not_fit() -> None:
    many = ModelVectorEnv(rover(), SENSORS, task(), num_envs=2)
    with pytest.raises(SettingError, match="'camera'"):
        vector.DegradedObservation(many, {"camera": Link()})
    with pytest.raises(SettingError, match="has none"):
        vector.DegradedObservation(gymnasium.make_vec("Pendulum-v1", num_envs=2), Link())
    with pytest.raises(SettingError, match="observes its state"):
        vector.EstimatedObservation(ModelVectorEnv(rover(), None, task(), num_envs=2), estimator)
    with pytest.raises(ShapeError, match="needle"):
        vector.EstimatedObservation(many, estimator, {"needle": fix()})
    with pytest.raises(SettingError, match="ParticleFilter"):
        vector.EstimatedObservation(many, partial(estimator, kind=ParticleFilter)).reset(seed=0)
    with pytest.raises(SettingError, match="'wings'"):
        vector.RandomisedDynamics(many, {"wings": 2.0})
    with pytest.raises(ShapeError, match="3 seeds"):
        vector.ActionLatency(many, 1).reset(seed=[1, 2, 3])


def test_other_dynamics_of_the_same_spaces_move_some_worlds() -> None:
    """Another function, with code of its own, and another noise; then the first one again."""
    plain, x0, u = dragged(noise=0.0), START.mean, np.tile([0.5, 0.2], (3, 1))
    envs = ModelVectorEnv(plain, None, home(initial=START, dt=0.1, horizon=40, fence=50.0), num_envs=3)
    for other in (rover(noise=0.0), dragged(noise=0.0, drag=2.0), Called(plain)):
        envs.reset(seed=0, options={"state": x0})
        envs.replace_dynamics(other, [1])
        envs.step(u)
        assert (envs.world.machine is None) == (not isinstance(other, type(plain)) or other.name != plain.name)
        for world, model in zip(envs.states, (plain, other, plain), strict=True):
            np.testing.assert_allclose(world, model.step(x0, u[0], 0.1), atol=1e-12)
    envs.replace_dynamics(rover(), 2)
    envs.reset(seed=0, options={"state": x0})
    envs.step(u)
    assert np.abs(envs.states[2] - rover().step(x0, u[0], 0.1)).min() > 1e-9, "this one has noise"
    np.testing.assert_allclose(envs.states[0], plain.step(x0, u[0], 0.1), atol=1e-12)
