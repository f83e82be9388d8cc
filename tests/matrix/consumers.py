"""Everything that takes dynamics. Each consumer does its work with a model, checks that the work is good, and returns
numbers that must be the same for every model of the same physics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pilotage.control import MPPI, reach
from pilotage.core import Agent, Dynamics, Filtered, Gaussian, Space
from pilotage.envs import ModelEnv, ModelVectorEnv
from pilotage.estimators import EKF, UKF
from pilotage.estimators.particle import ParticleFilter
from pilotage.models import sensor

from .models import ACTION, DT, NOISE, STATE, swing

Array = NDArray[np.float64]
START = Gaussian.of(STATE, [0.0, 0.0], std=[0.3, 0.5])
GOAL = {"theta": 0.6, "rate": 0.0}


@sensor(state=Space("theta: angle"), reading=Space("angle: angle"), std=0.1)
def encoder(x, c, p, m):
    return (x[0],)


@cache
def record() -> tuple[Array, Array, Array]:
    """A pendulum under random torque and process noise, and what the encoder read: states, actions, readings."""
    rng = np.random.default_rng(7)
    us = np.repeat(rng.uniform(-2, 2, (40, 1)), 10, axis=0)
    xs = [START.sample(1, rng=rng)[0]]
    for u in us:
        xs.append(STATE.plus(swing().step(xs[-1], u, DT), np.sqrt(DT) * np.array(NOISE) * rng.standard_normal(2)))
    states = np.array(xs[1:])
    readings = Space("angle: angle").plus(states[:, :1], 0.1 * rng.standard_normal((len(us), 1)))
    return states, us, readings


def filtered(make: Callable[[Dynamics], object]) -> Callable[[Dynamics], Array]:
    """A consumer that estimates the record."""

    def consume(model: Dynamics) -> Array:
        states, us, readings = record()
        shell = make(model)
        means, nees, errors = [], [], []
        for x, u, z in zip(states, us, readings, strict=True):
            shell.predict(u=u)
            shell.update(encoder(), z)
            belief = shell.belief.moments()
            d = STATE.minus(x, belief.mean)
            means.append(belief.mean)
            errors.append(d)
            nees.append(d @ np.linalg.solve(belief.cov, d))
        rmse = np.sqrt(np.mean(np.square(errors[50:]), axis=0))
        assert rmse[0] < 0.05, f"the encoder alone has 0.1 rad, the estimate {rmse[0]:.3f}"
        assert rmse[1] < 0.3, f"the rate was never measured, and is known to {rmse[1]:.2f} rad/s"
        # 400 samples that are correlated over some ten ticks: about 40 that are independent, chi-square of 80.
        assert 1.2 < np.mean(nees[50:]) < 3.0
        at_once = make(model).run(us, readings, sensor=encoder()).beliefs.moments()
        np.testing.assert_allclose(at_once.mean, means, atol=1e-9)
        return np.array(means)

    return consume


def controlled(model: Dynamics) -> Array:
    """MPPI brings the pendulum to a goal against gravity; the model is the plant."""
    task = reach(model, GOAL, weights=[1.0, 0.01], effort=0.001, dt=DT)
    drive = MPPI(model, task, horizon=25, samples=256, std=0.8, rng=3)
    x, states, us = np.zeros(2), [], []
    for _ in range(80):
        us.append(drive.act(x).u)
        x = model.step(x, us[-1], DT)
        states.append(x)
    idle = model.rollout(np.zeros(2), np.zeros((80, 1)), DT)[1:]
    spent, unmoved = (float(np.sum(task.cost(np.array(s), np.zeros((80, 1))))) for s in (states, idle))
    assert spent < 0.4 * unmoved
    assert np.abs(np.array(states)[-20:, 0] - GOAL["theta"]).max() < 0.08
    assert (ACTION.low <= us).all()
    assert (us <= ACTION.high).all()
    return np.array(us)


def lived_in(model: Dynamics) -> Array:
    """An environment of the model: states, rewards and observations of a noisy episode, alone and among others."""
    task = reach(model, GOAL, dt=DT, horizon=60, initial=START)
    env = ModelEnv(model, {"encoder": encoder()}, task)
    us = np.random.default_rng(1).uniform(-2, 2, (60, 1))
    rows = []
    observation, info = env.reset(seed=11)
    assert env.observation_space.contains(observation)
    first = info["state"]
    for u in us:
        observation, reward, terminated, truncated, info = env.step(u)
        assert env.observation_space.contains(observation)
        assert not terminated
        rows.append([*info["state"], reward, *observation["encoder"]])
    assert truncated
    spread = STATE.minus(np.array(rows)[:, :2], model.rollout(first, us, DT)[1:])
    assert 0.01 < np.abs(spread).max() < 3.0, "process noise moves the state, and no more"
    envs = ModelVectorEnv(model, {"encoder": encoder()}, task, num_envs=3)
    envs.reset(seed=10)
    for u in us:
        *_, infos = envs.step(np.tile(u, (3, 1)))
    np.testing.assert_allclose(infos["state"][1], info["state"], atol=1e-9)
    return np.array(rows)


def inhabited(model: Dynamics) -> Array:
    """An agent that sees only the encoder, and estimates, and acts, in an environment: all three hold the model."""
    start = Gaussian.of(STATE, [0.0, 0.0], std=[0.1, 0.1])
    task = reach(model, GOAL, weights=[1.0, 0.01], effort=0.001, dt=DT, horizon=120, initial=start)
    env = ModelEnv(model, encoder(), task)
    agent = Agent(
        Filtered(lambda seed: EKF(model, dt=DT).start(belief=start), encoder()),
        act=MPPI(model, task, horizon=25, samples=256, std=0.8),
    )
    agent.reset(seed=5)
    observation, info = env.reset(seed=5)
    truncated, states = False, []
    while not truncated:
        action = agent.step(observation, info["time"])
        observation, _, _, truncated, info = env.step(action.u)
        states.append(info["state"])
    assert np.abs(np.array(states)[-40:, 0].mean() - GOAL["theta"]) < 0.15
    return np.array(states)


@dataclass(frozen=True)
class Consumer:
    """A consumer, and how closely its results on two models of the same physics agree."""

    use: Callable[[Dynamics], Array]
    tolerance: float


CONSUMERS = {
    "EKF": Consumer(filtered(lambda model: EKF(model, dt=DT).start(belief=START)), 1e-6),
    "UKF": Consumer(filtered(lambda model: UKF(model, dt=DT).start(belief=START)), 1e-9),
    "particle filter": Consumer(
        filtered(lambda model: ParticleFilter(model, dt=DT, n=800).start(belief=START, rng=2)), 1e-9
    ),
    "MPPI": Consumer(controlled, 1e-6),
    "ModelEnv": Consumer(lived_in, 1e-6),
    "agent": Consumer(inhabited, 1e-4),
}
