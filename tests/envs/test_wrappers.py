"""Wrappers: late, rare and lost readings, a belief as the observation, other models, and episodes again."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scipy.stats import chi2

import pilotage.envs  # noqa: F401
from pilotage.core import Gaussian, PilotageError, SettingError, ShapeError
from pilotage.envs import restore_state, save_state
from pilotage.envs.wrappers import (
    ActionLatency,
    DegradedObservation,
    EstimatedObservation,
    Link,
    RandomisedDynamics,
    Recorder,
    VideoRecorder,
)
from pilotage.estimators import EKF
from pilotage.io import read_minari, write_minari
from pilotage.models import cart_pole, compass, pendulum

ROD, ANGLE = pendulum(damping=0.05, noise=0.0), compass(reads="theta", std=0.05)
START = Gaussian.of(ROD.state, [np.pi, 0.0], std=[0.2, 0.2])
GUESS = pendulum(damping=0.05, noise=(0.001, 0.01))


def make(**settings):
    return gymnasium.make("pilotage/Pendulum-v0", **settings)


def estimated(**settings):
    return EstimatedObservation(
        make(sensors=ANGLE), lambda seed: EKF(GUESS, dt=0.05).start(belief=START, history=1.0), **settings
    )


def run(env, seed=0, ticks=40):
    """Observations (ticks + 1, ...) under the same actions for all."""
    rng = np.random.default_rng(seed)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(ticks):
        seen.append(env.step(rng.uniform(-2.0, 2.0, 1).astype(np.float32))[0])
    return np.array(seen)


def test_readings_come_late_and_rarely():
    true = run(make())
    np.testing.assert_array_equal(run(DegradedObservation(make(), Link(delay=0.15)))[3:], true[:-3])
    rare = run(DegradedObservation(make(), Link(period=0.2)))
    np.testing.assert_array_equal(rare, true[np.arange(41) // 4 * 4])
    np.testing.assert_array_equal(run(DegradedObservation(make(), {"observation": Link()})), true)


def test_readings_are_lost_and_noisy_as_often_as_said():
    env = DegradedObservation(make(), Link(dropout=0.3))
    env.reset(seed=0)
    ages = [env.step([0.0])[4]["age"]["observation"] for _ in range(1500)]
    assert np.mean(np.array(ages) == 0.0) == pytest.approx(0.7, abs=0.05)
    noisy, true = run(DegradedObservation(make(), Link(std=0.1)), ticks=190), run(make(), ticks=190)
    assert np.std(noisy[:, 1] - true[:, 1]) == pytest.approx(0.1, rel=0.2)
    assert (run(DegradedObservation(make(), Link(std=0.1))) == noisy[:41]).all(), "a seed repeats the noise"


def test_a_picture_may_come_late():
    env = DegradedObservation(gymnasium.make("pilotage/PendulumPixels-v0"), Link(std=3.0, delay=0.05))
    seen = run(env, ticks=3)
    assert seen.dtype == np.uint8 and seen.shape[1:] == (64, 64, 3)


def test_beliefs_are_honest():
    """Readings that are late, rare and lost: NEES of the estimate at the end of episodes is within its bounds."""
    env, nees = estimated(links=Link(period=0.1, delay=0.1, dropout=0.2)), []
    for seed in range(25):
        seen, rng = env.reset(seed=seed)[0], np.random.default_rng(seed)
        for _ in range(30):
            seen, _, _, _, info = env.step(rng.uniform(-2.0, 2.0, 1).astype(np.float32))
        belief = env.belief
        e = ROD.state.minus(info["state"], belief.mean)
        nees.append(e @ np.linalg.solve(belief.cov, e))
        np.testing.assert_allclose(seen, np.concatenate([belief.mean, belief.std]), rtol=1e-5, atol=1e-6)
    low, high = chi2.ppf([1e-3, 1 - 1e-3], 50) / 25
    assert low < np.mean(nees) < high


def test_gymnasium_finds_nothing_to_say():
    for env in (estimated(), DegradedObservation(make(), Link(delay=0.1, dropout=0.1)), ActionLatency(make(), 2)):
        with pytest.warns(UserWarning, match="different from the unwrapped|symmetric and normalized|infinity"):
            check_env(env, skip_render_check=True)


def test_actions_act_later():
    """What acts is what was given two ticks before."""
    env, plain = ActionLatency(make(), ticks=2), make()
    env.reset(seed=0)
    plain.reset(seed=0)
    given = np.random.default_rng(0).uniform(-2.0, 2.0, (20, 1)).astype(np.float32)
    late = np.array([env.step(u)[0] for u in given])
    np.testing.assert_array_equal(late, [plain.step(u)[0] for u in [*np.zeros((2, 1), np.float32), *given[:-2]]])
    np.testing.assert_array_equal(env.unwrapped.action, given[-3])


def test_another_model_in_every_episode():
    env = RandomisedDynamics(make(), {"mass": (0.5, 2.0), "length": 1.2})
    masses = []
    for seed in range(3):
        x0, info = env.reset(seed=seed)[1]["state"], env.reset(seed=seed)[1]
        np.testing.assert_array_equal(x0, info["state"])
        factors = info["factors"]
        masses.append(factors["mass"])
        true = ROD.replace(mass=ROD.params["mass"] * factors["mass"], length=ROD.params["length"] * 1.2)
        after = env.step(np.array([1.0], np.float32))[4]["state"]
        np.testing.assert_allclose(after, true.step(x0, [1.0], 0.05), atol=1e-12)
    assert len(set(masses)) == 3 and all(0.5 <= mass <= 2.0 for mass in masses)


def test_an_episode_again():
    env = Recorder(DegradedObservation(make(), Link(std=0.1, dropout=0.2)))
    run(env, seed=3, ticks=20)
    twin = DegradedObservation(make(), Link(std=0.1, dropout=0.2))
    assert env.recording.replay(twin).rewards == env.recording.rewards
    with pytest.raises(PilotageError, match="tick 1"):
        env.recording.replay(DegradedObservation(make(), Link(std=0.2)))


@pytest.mark.parametrize("name", ["Pendulum", "Navigation"])
def test_a_recorded_episode_goes_into_a_data_set(tmp_path, name):
    """Observations, one or several by name, come back from Minari to the bit, with seed and ends."""
    pytest.importorskip("h5py")
    env, episodes = Recorder(gymnasium.make(f"pilotage/{name}-v0", max_episode_steps=6)), []
    for seed in (3, 8):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        while not (env.recording.terminated or env.recording.truncated):
            env.step(env.action_space.sample())
        episodes.append(env.recording.episode)
    write_minari(tmp_path / "runs", episodes, "runs-v0", env_spec=env.spec.to_json() if name == "Pendulum" else None)
    for given, read in zip(episodes, read_minari(tmp_path / "runs"), strict=True):
        assert read.seed == given.seed and read.truncations.tolist() == [False] * 5 + [True]
        for key, array in given.arrays().items():
            np.testing.assert_array_equal(read.arrays()[key], array)
    again = env.recording.replay(gymnasium.make(f"pilotage/{name}-v0", max_episode_steps=6))
    np.testing.assert_array_equal(again.episode.rewards, episodes[-1].rewards)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # imageio's reader leaves pipes open
def test_films_of_episodes(tmp_path):
    """A frame for each state of an episode, as it was rendered but for compression; what is in the folder stays."""
    pytest.importorskip("imageio_ffmpeg")
    from imageio import v3

    for attempt in range(2):
        env = VideoRecorder(gymnasium.make("pilotage/TwoRooms-v0", render_mode="rgb_array"), tmp_path, every=2)
        for seed in range(3):
            env.reset(seed=seed)
            pictures = [env.render()]
            for _ in range(6):
                env.step(env.action_space.sample())
                pictures.append(env.render())
        env.close()
        names = [f"episode-{i:04d}.mp4" for i in range(2 * attempt + 2)]
        assert sorted(file.name for file in tmp_path.iterdir()) == names
    film = v3.imread(tmp_path / names[-1], plugin="FFMPEG")
    assert len(film) == len(pictures) == 7
    height, width = film.shape[1:3]
    assert np.abs(film.astype(float) - np.array(pictures)[:, :height, :width]).mean() < 4.0
    with pytest.raises(SettingError, match="rgb_array"):
        VideoRecorder(make(), tmp_path)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: DegradedObservation(make(), Link(delay=0.1, std=0.1, dropout=0.3)),
        lambda: ActionLatency(make(), 3),
        lambda: estimated(links=Link(delay=0.1, dropout=0.2)),
        lambda: RandomisedDynamics(make(), {"mass": (0.5, 2.0)}),
    ],
)
def test_wrapped_environments_are_branchable(wrap):
    env, rng = wrap(), np.random.default_rng(0)
    run(env, ticks=7)
    saved, actions = save_state(env), rng.uniform(-2.0, 2.0, (10, 1)).astype(np.float32)
    once = [env.step(u)[0] for u in actions]
    for _ in range(2):
        restore_state(env, saved)
        np.testing.assert_array_equal(once, [env.step(u)[0] for u in actions])


def test_what_does_not_fit():
    with pytest.raises(SettingError, match="'camera'"):
        DegradedObservation(make(), {"camera": Link()})
    with pytest.raises(SettingError, match="has none"):
        DegradedObservation(gymnasium.make("Pendulum-v1"), Link())
    with pytest.raises(SettingError, match="observes its state"):
        EstimatedObservation(make(), lambda seed: EKF(GUESS).start(belief=START))
    with pytest.raises(ShapeError, match="needle"):
        EstimatedObservation(make(), lambda seed: EKF(GUESS).start(belief=START), {"needle": ANGLE})
    with pytest.raises(SettingError, match="'wings'"):
        RandomisedDynamics(make(), {"wings": 2.0})
    with pytest.raises(SettingError, match="mass"):
        RandomisedDynamics(make(), {"mass": (2.0, 1.0)})
    with pytest.raises(SettingError, match="same spaces"):
        make().unwrapped.replace_dynamics(cart_pole())
