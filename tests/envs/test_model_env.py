from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from pilotage.core import Dynamics, Gaussian, ModelError, PilotageError, Sensor, SettingError, ShapeError, Space, Task
from pilotage.envs import ModelEnv, ModelVectorEnv
from pilotage.models import range_to

from .worlds import LIDAR, SENSORS, START, STATE, Camera, compass, fix, going_home, rover

OBSERVED = {
    "state": None,
    "one": fix(),
    "several": SENSORS,
    "image": Camera(),
    "image and fix": {"camera": Camera(), "fix": fix()},
}


@pytest.fixture
def register():
    """Registers an environment for the length of a test."""
    known = []

    def register(entry, **settings):
        known.append(f"test/Rover{len(known)}-v0")
        gymnasium.register(known[-1], entry, **settings)
        return known[-1]

    yield register
    for name in known:
        del gymnasium.registry[name]


@pytest.mark.parametrize("sensors", OBSERVED.values(), ids=OBSERVED)
def test_gymnasium_finds_nothing_to_say(sensors, register):
    name = register(lambda **kw: ModelEnv(rover(), sensors, going_home(), **kw))
    check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("sensors", OBSERVED.values(), ids=OBSERVED)
def test_observations_stay_in_their_space(sensors):
    env = ModelEnv(rover(), sensors, going_home(fence=1e9, horizon=10_000, done=None))
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0, options={"state": [19.9, 19.9, 0.7, 3.9]})  # about to leave the bounds
    for _ in range(200):
        assert env.observation_space.contains(observation)
        observation, *_ = env.step(env.action_space.sample())
    assert not STATE.contains(env.state), "the state was meant to leave its bounds"


def test_an_image_is_observed_as_it_is_seen():
    """The shape and type of the block reach the agent, from one environment and from several side by side."""
    env, many = ModelEnv(rover(), Camera(), going_home()), ModelVectorEnv(rover(), Camera(), going_home(), num_envs=5)
    assert env.observation_space == gymnasium.spaces.Box(0, 255, (64, 64), np.uint8)
    env.reset(seed=0)
    many.reset(seed=0)
    for u in np.random.default_rng(0).uniform(-1, 1, (3, 5, 2)).astype(np.float32):
        image, _, _, _, info = env.step(u[0])
        images, _, _, _, infos = many.step(u)
        np.testing.assert_array_equal(image, Camera().observe(info["state"]).reshape(64, 64))
        np.testing.assert_array_equal(images, Camera().observe(infos["state"]).reshape(5, 64, 64))
        assert image.dtype == images.dtype == np.uint8 and image.max() > 200


def test_without_noise_an_episode_is_a_rollout():
    model = rover(noise=(0, 0, 0, 0))
    env = ModelEnv(model, None, going_home(horizon=30, done=None, fence=1e9))
    env.reset(seed=3)
    us = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    x0 = env.state
    states = [env.step(u)[4]["state"] for u in us]
    np.testing.assert_allclose(states, model.rollout(x0, us, 0.1)[1:], atol=1e-12)


def test_the_return_is_minus_the_objective():
    task = going_home(done=None, fence=1e9)
    env = ModelEnv(rover(), fix(), task)
    _, info = env.reset(seed=8)
    rng = np.random.default_rng(8)
    states, us, total, truncated = [info["state"]], [], 0.0, False
    while not truncated:
        us.append(rng.uniform(-1, 1, 2))
        _, reward, _, truncated, info = env.step(us[-1])
        states.append(info["state"])
        total += reward
    assert len(us) == task.horizon
    x, u = np.array(states), np.array(us)
    stages = 0.1 * (x[:-1, 0] ** 2 + x[:-1, 1] ** 2) + 0.1 * u[:, 0] ** 2
    assert total == pytest.approx(-stages.sum() - 5.0 * (x[-1, 0] ** 2 + x[-1, 1] ** 2), rel=1e-9)


def test_noise_has_the_covariance_of_the_models():
    model = rover(noise=(0.1, 0.2, 0.3, 0.4), action_noise=(0.5, 0.0))
    envs = ModelVectorEnv(model, {"fix": fix(), "compass": compass()}, going_home(), num_envs=4000)
    x = np.array([3.0, 1.0, 3.1, 1.0])
    envs.reset(seed=1, options={"state": x})
    u = np.array([0.3, -0.2])
    seen, *_ = envs.step(np.tile(u, (4000, 1)))
    drift = STATE.minus(envs.states, model.step(x, u, 0.1))
    np.testing.assert_allclose(np.cov(drift.T), model.noise(x, u, 0.1), atol=0.002)
    np.testing.assert_allclose(np.cov((seen["fix"] - envs.states[:, :2]).T), 0.25 * np.eye(2), atol=0.03)
    turned = Space("a: angle").minus(seen["compass"].astype(float), envs.states[:, 2:3])
    assert np.var(turned) == pytest.approx(0.04, rel=0.1)


@pytest.mark.parametrize("sensors", OBSERVED.values(), ids=OBSERVED)
def test_the_vector_form_is_many_single_ones(sensors):
    make = lambda: TimeLimit(ModelEnv(rover(), sensors, going_home()), 31)
    many = SyncVectorEnv([make] * 6)
    ours = ModelVectorEnv(rover(), sensors, going_home(), num_envs=6, max_episode_steps=31)
    assert ours.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert ours.observation_space == many.observation_space
    assert ours.action_space == many.action_space
    assert data_equivalence(ours.reset(seed=5), many.reset(seed=5))
    rng = np.random.default_rng(5)
    ends = np.zeros(3, dtype=int)
    for _ in range(120):
        us = rng.uniform(-1.2, 1.2, (6, 2))
        a, b = ours.step(us), many.step(us)
        assert data_equivalence(a[0], b[0])
        for mine, theirs in zip(a[1:4], b[1:4], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9)
        assert a[4].keys() == b[4].keys()
        np.testing.assert_allclose(a[4]["state"], b[4]["state"], atol=1e-10)
        np.testing.assert_array_equal(a[4]["violated"], b[4]["violated"])
        ends += [a[2].sum(), a[3].sum(), a[4]["violated"].sum()]
    assert (ends > 0).all(), "arrivals, time limits and violations were all meant to happen"


def test_sensors_may_draw_their_own_readings():
    """A lidar's errors are a mixture, and none of its readings lies beyond its range."""
    task = going_home(fence=1e9, done=None)
    ours = ModelVectorEnv(rover(), {"lidar": LIDAR}, task, num_envs=3)
    many = SyncVectorEnv([lambda: ModelEnv(rover(), {"lidar": LIDAR}, task)] * 3)
    a, b = ours.reset(seed=2)[0], many.reset(seed=2)[0]
    for _ in range(30):
        assert data_equivalence(a, b)
        assert (a["lidar"] <= 15.0).all()
        a, b = ours.step(np.zeros((3, 2)))[0], many.step(np.zeros((3, 2)))[0]
    ranges = LIDAR.observe(ours.states[:, :3])
    kinds = np.array([ours.world.observe(ours.states, ours._streams)["lidar"] for _ in range(300)])
    assert (kinds == 15.0).mean() > 0.03, "some beams see nothing"
    assert np.median(kinds, 0) == pytest.approx(ranges, abs=0.2)


def test_a_single_sensor_brings_its_context_along():
    start = Gaussian.of(STATE, np.zeros(4), std=1e-9)
    post = range_to(std=1e-9), [3.0, 4.0]
    one, named = (ModelEnv(rover(), given, going_home(initial=start)) for given in (post, {"post": post}))
    seen, _ = one.reset(seed=0)
    assert one.observation_space == named.observation_space["post"]
    np.testing.assert_allclose(seen, [5.0], atol=1e-6)
    np.testing.assert_allclose(named.reset(seed=0)[0]["post"], [5.0], atol=1e-6)
    seen, _ = ModelVectorEnv(rover(), post, going_home(initial=start), num_envs=3).reset(seed=0)
    np.testing.assert_allclose(seen, np.full((3, 1), 5.0), atol=1e-6)


def test_a_state_that_is_asked_for_is_put_on_its_space():
    env, envs = ModelEnv(rover(), None, going_home()), ModelVectorEnv(rover(), None, going_home(), num_envs=2)
    turned = {"state": [1.0, 1.0, 3.5, 0.0]}
    for observation in (env.reset(seed=0, options=turned)[0], *envs.reset(seed=0, options=turned)[0]):
        np.testing.assert_allclose(observation, [1.0, 1.0, 3.5 - 2.0 * np.pi, 0.0], rtol=1e-6)


def test_a_seed_replays_an_episode():
    def episode(seed):
        env = ModelEnv(rover(), SENSORS, going_home())
        return [env.reset(seed=seed)[0], *(env.step([0.1, 0.2])[0] for _ in range(20))]

    assert data_equivalence(episode(4), episode(4), exact=True)
    assert not data_equivalence(episode(4), episode(5))


def test_ends():
    calm = rover(noise=(0, 0, 0, 0))
    env = ModelEnv(calm, None, going_home())
    env.reset(options={"state": [1.52, 0.0, np.pi, 1.0]})
    assert env.step([0, 0])[2:4] == (True, False)  # inside 1.5 m: done
    env.reset(options={"state": [3.19, 3.0, 0.0, 1.0]})
    _, _, terminated, _, info = env.step([0, 0])
    assert terminated
    assert info["violated"]


class Exploding(Dynamics):
    state, action = Space("x [m] in [-9, 9]"), Space("u in [-1, 1]")

    def step(self, x, u, dt):
        return np.where(abs(x) > 1.0, np.nan, 3.0 * x + u)


@pytest.mark.parametrize("mode", ["single", "vector"])
def test_a_state_that_is_lost_truncates_the_episode(mode):
    from pilotage.models import task

    start = Gaussian.of(Exploding.state, [0.9], std=1e-6)
    goal = task(state=Exploding.state, action=Exploding.action)(lambda x, u, p, m: x[0] ** 2)(initial=start)
    env = ModelEnv(Exploding(), None, goal) if mode == "single" else ModelVectorEnv(Exploding(), None, goal, num_envs=1)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape)
    assert not np.any(env.step(action)[2])
    observation, reward, terminated, truncated, info = env.step(action)
    assert np.all(truncated) and not np.any(terminated)
    assert np.all(info["lost"]) and np.all(info["violated"])
    assert np.isfinite(observation).all()
    assert np.isfinite(reward).all()


def test_actions_are_clipped_to_their_bounds():
    a, b = (ModelEnv(rover(), None, going_home()) for _ in range(2))
    a.reset(seed=1)
    b.reset(seed=1)
    assert data_equivalence(a.step([7.0, -7.0])[0], b.step([1.0, -1.0])[0], exact=True)


def test_sentences():
    env = ModelEnv(rover(), None, going_home())
    with pytest.raises(PilotageError, match="before the first reset"):
        env.step([0, 0])
    env.reset(seed=0)
    with pytest.raises(ShapeError, match=r"action has shape \(3,\); expected \(..., 2\)"):
        env.step([0, 0, 0])
    with pytest.raises(ShapeError, match="action is NaN"):
        env.step([np.nan, 0])
    with pytest.raises(PilotageError, match="no initial belief"):
        ModelEnv(rover(), None, going_home(initial=None)).reset()
    with pytest.raises(PilotageError, match="starts in"):
        ModelEnv(rover(), None, going_home(initial=Gaussian.of(Space("x y [m]"), std=1))).reset()
    with pytest.raises(PilotageError, match="reset has no option 'sate'; it has state"):
        env.reset(options={"sate": [0.0, 0.0, 0.0, 0.0]})
    with pytest.raises(PilotageError, match=r"an environment needs Dynamics, not .*; is \(\) missing"):
        ModelEnv(rover, None, going_home())
    with pytest.raises(PilotageError, match=r"an environment, for 'fix', needs a Sensor, not .*; is \(\) missing"):
        ModelEnv(rover(), {"fix": fix}, going_home())
    for none in ([fix()], {}):
        with pytest.raises(PilotageError, match="expected one sensor, sensors by name in a mapping, or None"):
            ModelEnv(rover(), none, going_home())
    for counts in ({"num_envs": 0}, {"num_envs": 1.5}, {"num_envs": 2, "max_episode_steps": 0}):
        with pytest.raises(PilotageError, match="expected a whole number, 1 or more"):
            ModelVectorEnv(rover(), None, going_home(), **counts)
    with pytest.raises(PilotageError, match="render_mode is 'ansi'"):
        ModelEnv(rover(), None, going_home(), render_mode="ansi")
    envs = ModelVectorEnv(rover(), None, going_home(), num_envs=2)
    with pytest.raises(PilotageError, match="before the first reset"):
        envs.step(np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="3 seeds were given for 2"):
        envs.reset(seed=[1, 2, 3])
    envs.reset(seed=1)
    with pytest.raises(ShapeError, match=r"expected \(2, 2\)"):
        envs.step(np.zeros(2))


def test_pictures():
    env = ModelEnv(rover(), fix(), going_home(), render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    for _ in range(10):
        env.step([1, 1])
    after = env.render()
    assert before.shape == after.shape == (480, 480, 3)
    assert before.dtype == np.uint8
    assert (before != after).any()
    assert env.metadata["render_fps"] == 10
    envs = ModelVectorEnv(rover(), fix(), going_home(), num_envs=2, render_mode="rgb_array")
    envs.reset(seed=0)
    first, second = envs.render()
    assert (first != second).any()


def test_a_window_opens_and_closes():
    env = ModelEnv(rover(), None, going_home(), render_mode="human")
    env.metadata["render_fps"] = 1000
    env.reset(seed=0)
    env.step([0, 0])
    assert env.render() is None
    env.close()
    env.close()


def test_a_registered_environment_has_its_own_time_limit(register):
    name = register(lambda **kw: ModelEnv(rover(), fix(), going_home(), **kw), max_episode_steps=7)
    env = gymnasium.make(name)
    env.reset(seed=1, options={"state": START.mean})
    steps, truncated = 0, False
    while not truncated:
        *_, truncated, _ = env.step(np.zeros(2))
        steps += 1
    assert steps == 7


def test_what_does_not_fit_one_environment_is_refused():
    env = ModelEnv(rover(), None, going_home(), render_mode="rgb_array")
    with pytest.raises(PilotageError, match="before the first reset"):
        env.render()
    with pytest.raises(ShapeError, match=r"state has shape \(3, 4\); one environment takes \(4,\)"):
        env.reset(options={"state": np.zeros((3, 4))})
    env.reset(seed=0)
    with pytest.raises(ShapeError, match=r"action has shape \(2, 2\); one environment takes \(2,\)"):
        env.step(np.zeros((2, 2)))
    with pytest.raises(PilotageError, match=r"dt of the task is 0\.0"):
        ModelEnv(rover(), None, _Timeless())


@pytest.mark.parametrize("count", [None, 3])
def test_options_and_functions_that_are_none_are_refused(count):
    def make(**settings):
        if count is None:
            return ModelEnv(rover(), None, going_home(), **settings)
        return ModelVectorEnv(rover(), None, going_home(), num_envs=count, **settings)

    env = make()
    for options in (3, "state", [1.0], np.zeros(4)):
        with pytest.raises(SettingError, match="options are .*; expected a mapping"):
            env.reset(options=options)
    for options in ({"sate": np.zeros(4)}, {1: 2, "state": None}):
        with pytest.raises(SettingError, match="reset has no option"):
            env.reset(options=options)
    for state in ("home", {"x": 1.0}, [None] * 4):
        with pytest.raises(ShapeError, match="state is not an array of numbers"):
            env.reset(options={"state": state})
    for name in ("start", "inform", "drawing"):
        with pytest.raises(SettingError, match=f"{name} is 3; expected a function"):
            make(**{name: 3})


def test_seeds_of_several_environments_are_whole_numbers():
    envs = ModelVectorEnv(rover(), None, going_home(), num_envs=3)
    for seed in ("a", 2.5, -1, {"a": 1}, [1, 2, "b"]):
        with pytest.raises(SettingError, match="seed is "):
            envs.reset(seed=seed)
    with pytest.raises(ShapeError, match="2 seeds were given for 3"):
        envs.reset(seed=[1, 2])
    states = [envs.reset(seed=seed)[1]["state"] for seed in (4, np.int64(4), [4, 5, 6])]
    assert np.array_equal(states[0], states[1])
    assert np.array_equal(states[0], states[2])


class _Timeless(Task):
    initial, dt, horizon = START, 0.0, 10

    def cost(self, x, u, r=None):
        return 0.0 * x[..., 0]


def test_what_does_not_fit_several_environments_is_refused():
    envs = ModelVectorEnv(rover(), None, going_home(), num_envs=3, render_mode="rgb_array")
    with pytest.raises(PilotageError, match="before the first reset"):
        envs.render()
    with pytest.raises(ShapeError, match=r"state has shape \(2, 4\)"):
        envs.reset(options={"state": np.zeros((2, 4))})
    first, _ = envs.reset(seed=np.array([4, 5, 6]))
    np.testing.assert_array_equal(first, envs.reset(seed=4)[0])


class Judge(Task):
    """Answers as it is told; everything else is the default."""

    initial = START

    def __init__(self, **answers):
        for name, answer in {"cost": lambda x, u: 0.0 * x[..., 0], **answers}.items():
            setattr(self, name, answer)

    def cost(self, x, u, r=None):
        raise AssertionError("replaced")


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"cost": lambda x, u: None}, "cost of Judge returned None for states of shape"),
        ({"cost": lambda x, u: x}, "cost of Judge returned an array of shape"),
        ({"terminal_cost": lambda x: x}, "terminal_cost of Judge returned an array"),
        ({"done": lambda x: x > 3}, "done of Judge returned an array of shape"),
        ({"constraint": lambda x, u: x[..., 0] - 9.0}, "constraint of Judge returned .*k"),
    ],
)
def test_answers_of_the_wrong_shape_are_refused(answers, sentence):
    one = ModelEnv(rover(), None, Judge(**answers))
    many = ModelVectorEnv(rover(), None, Judge(**answers), num_envs=4)
    for env, action in ((one, np.zeros(2)), (many, np.zeros((4, 2)))):
        env.reset(seed=0)
        with pytest.raises(PilotageError, match=sentence):
            for _ in range(201):
                env.step(action)


def test_a_constraint_that_is_nan_is_violated():
    unknown = Judge(constraint=lambda x, u: np.full((*x.shape[:-1], 1), np.nan))
    one, many = ModelEnv(rover(), None, unknown), ModelVectorEnv(rover(), None, unknown, num_envs=2)
    one.reset(seed=0)
    many.reset(seed=0)
    *_, terminated, _, info = one.step(np.zeros(2))
    assert terminated
    assert info["violated"]
    assert many.step(np.zeros((2, 2)))[4]["violated"].all()


class Rounds(Task):
    """Costs the number of ticks since the episode began, which only the carry knows, and ends after five."""

    initial, stage = START, Space("count")

    def references(self, x, t, steps, carry=None):
        count = 0 if carry is None else carry
        return np.full((steps + 1, 1), float(count)), count + 1

    def cost(self, x, u, r):
        return r[..., 0] + 0.0 * x[..., 0]

    def terminal_cost(self, x, r):
        return 100.0 * r[..., 0]

    def constraint(self, x, u, r):
        return np.zeros((*x.shape[:-1], 0))

    def done(self, x, r):
        return r[..., 0] >= 5.0


def test_every_episode_carries_its_own_references():
    env, envs = ModelEnv(rover(), None, Rounds()), ModelVectorEnv(rover(), None, Rounds(), num_envs=2)
    wanted = [-0.0, -1.0, -2.0, -3.0, -4.0 - 500.0]
    for seed in range(2):
        env.reset(seed=seed)
        assert [env.step(np.zeros(2))[1] for _ in range(5)] == wanted
    envs.reset(seed=0)
    rewards = [envs.step(np.zeros((2, 2)))[1].tolist() for _ in range(11)]
    assert rewards == [[r, r] for r in [*wanted, 0.0, *wanted]]


class Plain(Dynamics):
    """A rover that answers as it is told."""

    state, action = rover().state, rover().action

    def __init__(self, **answers):
        for name, answer in answers.items():
            setattr(self, name, answer)

    def step(self, x, u, dt):
        return x


class Blind(Sensor):
    """Sees nothing, or does not know how well."""

    state, reading = Space("x [m]"), Space("tape [m]")

    def __init__(self, **answers):
        for name, answer in answers.items():
            setattr(self, name, answer)

    def observe(self, x, context=None):
        return x

    def noise(self, x, context=None):
        return np.eye(1)


def single(x, u, dt):
    px, py, yaw, speed = x
    return np.array([px + dt * speed, py, yaw, speed])


@pytest.mark.parametrize(
    ("dynamics", "sensors", "sentence"),
    [
        (Plain(step=lambda x, u, dt: None), None, "Plain.step returned None"),
        (Plain(noise=lambda x, u, dt: None), None, "Plain.noise returned None"),
        (Plain(), {"tape": Blind(observe=lambda x, c: None)}, "Blind.observe returned None"),
        (Plain(), {"tape": Blind(noise=lambda x, c: None)}, "Blind.noise returned None"),
    ],
)
def test_models_that_return_nothing_are_named(dynamics, sensors, sentence):
    for env, action in (
        (ModelEnv(dynamics, sensors, going_home()), np.zeros(2)),
        (ModelVectorEnv(dynamics, sensors, going_home(), num_envs=3), np.zeros((3, 2))),
    ):
        with pytest.raises(ModelError, match=sentence):
            env.reset(seed=0)
            env.step(action)


def test_many_worlds_need_models_for_batches():
    envs = ModelVectorEnv(Plain(step=single), None, going_home(), num_envs=3)
    envs.reset(seed=0)
    with pytest.raises(ModelError, match=r"Plain.step takes one state only: for states of shape \(3, 4\)"):
        envs.step(np.zeros((3, 2)))


def test_a_task_may_say_no_more_than_its_cost():
    env = ModelEnv(rover(), None, Judge())
    env.reset(seed=0)
    over = [env.step(np.zeros(2))[3] for _ in range(200)]
    assert over.index(True) == 199
    assert env.time == pytest.approx(20.0)


def test_environments_have_names_to_show():
    env = ModelEnv(rover(), None, going_home())
    assert repr(env) == f"ModelEnv({rover()!r}, {going_home()!r})"
    assert "0x" not in repr(env)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"horizon": 0}, "horizon of the task is 0"),
        ({"horizon": None}, "horizon of the task is None"),
        ({"dt": 0.0}, "dt of the task is 0"),
        ({"dt": np.nan}, "dt of the task is nan"),
    ],
)
def test_a_task_takes_time(setting, sentence):
    for make in (ModelEnv, lambda *models: ModelVectorEnv(*models, num_envs=2)):
        with pytest.raises(SettingError, match=sentence):
            make(rover(), None, Judge(**setting))
