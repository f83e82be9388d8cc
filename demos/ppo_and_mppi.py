"""PPO and MPPI on the same task with the truth, with raw readings, and with a belief.

A cart balances a pole for ten seconds, while gusts push both. Two encoders read the place of the cart and the angle of
the pole: with noise, late, and with gaps. Both controllers get one of

    truth     the state
    readings  the last four readings that have arrived; MPPI takes rates from the first and the last of them
    belief    the belief of an EKF, which moves every reading from the time at which it was taken to now

PPO (Schulman et al., 2017, in Stable-Baselines3) was trained once for each: its policies are stored beside the demos, and
``pilotage demo ppo-and-mppi --train 1`` trains them again. MPPI plans with the model and the cost of the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from pilotage.bench import bootstrap
from pilotage.control import MPPI
from pilotage.core import Gaussian, Space
from pilotage.core.confidence import Interval, wilson
from pilotage.envs import ModelVectorEnv, sb3_vec_env
from pilotage.envs.wrappers import Link
from pilotage.envs.wrappers.vector import DegradedObservation, EstimatedObservation
from pilotage.estimators import EKF
from pilotage.learning import NetworkPolicy
from pilotage.learning.networks import Ensemble
from pilotage.learning.scaling import Scaling
from pilotage.models import cart_pole, sensor, task

TRACK, TILT = 2.4, 0.21
"""Where an episode ends [m, rad]."""
DT, TICKS, FRAMES, STEPS = 0.02, 500, 4, 400_000
CART = cart_pole(noise=(0.0, 0.15, 0.0, 0.3))
LINK = Link(std=0.0, delay=0.06, dropout=0.3)
KINDS = ("truth", "readings", "belief")
STORED = Path(__file__).parent / "policies" / "cart_pole"
"""The policies of seed 0, with their metrics."""


@sensor(state=CART.state, reading=Space("x [m] in [-3, 3]", "theta [rad] in [-1, 1]"), std=(0.02, 0.02))
def encoders(x: Any, c: Any, p: Any, m: Any) -> Any:
    """The place of the cart and the angle of the pole."""
    return x[0], x[2]


def fallen(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Positive where the cart leaves the track or the pole leans too far."""
    return m.abs(x[0]) - TRACK, m.abs(x[2]) - TILT


def leaning(x: Any, p: Any, m: Any) -> Any:
    """Where a horizon, or an episode, ends: how far from rest in the middle."""
    return 2.5 * (x[0] + x[1]) ** 2 + 5.0 * (x[2] / TILT) ** 2 + 5.0 * x[3] ** 2


@task(state=CART.state, action=CART.action, constraint=fallen, terminal=leaning)
def balance(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Less than zero in every tick, so that an episode that goes on is better than one that ends."""
    return 0.5 * (x[0] / TRACK) ** 2 + 0.5 * (x[2] / TILT) ** 2 - 1.0


START = Gaussian.of(CART.state, np.zeros(4), std=0.03)
GOAL = balance(initial=START, dt=DT, horizon=TICKS)
SCALES = {
    "truth": np.array([1.0, 1.0, 0.1, 0.5]),
    "readings": np.tile([1.0, 0.1], FRAMES),
    "belief": np.array([1.0, 1.0, 0.1, 0.5, 0.02, 0.2, 0.02, 0.2]),
}
"""Sizes of the observations, by which the networks divide."""


def filter(seed: int | None) -> Any:
    """The filter of an episode; of a reading that comes late it knows when it was taken."""
    return EKF(CART, dt=DT).start(belief=START, history=1.0)


def environments(kind: str, count: int, **settings: Any) -> Any:
    """`count` environments that show the truth, readings or a belief."""
    many = partial(ModelVectorEnv, CART, task=GOAL, num_envs=count, normalized=True, **settings)
    if kind == "truth":
        return many(None)
    blind = many(encoders())
    return DegradedObservation(blind, LINK) if kind == "readings" else EstimatedObservation(blind, filter, links=LINK)


class Frames:
    """The last readings of every environment side by side, the oldest first; zeros before the first, as in training."""

    def __init__(self, kind: str) -> None:
        self.many = FRAMES if kind == "readings" else 1
        self.kept: list[np.ndarray] = []

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        """Observations ``(N, k)`` to ``(N, frames * k)``."""
        self.kept = [*(self.kept or [np.zeros_like(seen)] * (self.many - 1)), seen][-self.many :]
        return np.concatenate(self.kept, axis=-1)


Act = Callable[[np.ndarray], np.ndarray]
"""Forces in [-1, 1] ``(N, 1)`` for what a controller sees ``(N, k)``."""


def planner(kind: str, count: int) -> Act:
    """MPPI for `count` environments, on the state as far as it is known."""
    each = [MPPI(CART, GOAL, horizon=30, samples=128, std=4.0, feedback=True, rng=i) for i in range(count)]
    for controller in each:
        controller.reset(seed=0)

    def act(seen: np.ndarray) -> np.ndarray:
        xs = seen[:, :4]
        if kind == "readings":
            rates = (seen[:, -2:] - seen[:, :2]) / ((FRAMES - 1) * DT)
            xs = np.stack([seen[:, -2], rates[:, 0], seen[:, -1], rates[:, 1]], axis=-1)
        return np.array([one.act(x).u for one, x in zip(each, xs.astype(np.float64), strict=True)]) / 10.0

    return act


@dataclass(frozen=True)
class Result:
    """Episodes of a controller: how long they were [s], and their returns, each ``(seeds,)``."""

    seconds: np.ndarray
    returns: np.ndarray

    @property
    def kept_up(self) -> Interval:
        """The share of the episodes in which the pole stood to the end."""
        return wilson(int((self.seconds > DT * (TICKS - 0.5)).sum()), len(self.seconds))

    @property
    def mean(self) -> Interval:
        """The mean return."""
        return bootstrap(self.returns)


def measure(kind: str, act: Act, seeds: int, first: int = 0) -> Result:
    """One episode of each of the seeds first, first + 1, ..."""
    envs, frames = environments(kind, seeds), Frames(kind)
    seen, alone = envs.reset(seed=first)[0], np.ones(seeds, dtype=bool)
    ticks, returns = np.zeros(seeds), np.zeros(seeds)
    for _ in range(TICKS):
        seen, rewards, terminated, truncated, _ = envs.step(act(frames(seen)))
        ticks += alone
        returns += np.where(alone, rewards, 0.0)
        alone &= ~(terminated | truncated)
        if not alone.any():
            break
    return Result(DT * ticks, returns)


def train(kind: str, seed: int, steps: int = STEPS) -> NetworkPolicy:
    """The policy that PPO learns from `steps` ticks of what environments of this kind show."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.vec_env import VecFrameStack

    scale = torch.as_tensor(SCALES[kind])

    class Scaled(BaseFeaturesExtractor):
        """Observations divided by their sizes."""

        def forward(self, observations: torch.Tensor) -> torch.Tensor:
            return observations / scale.to(observations)

    envs = sb3_vec_env(environments(kind, 32, autoreset_mode=AutoresetMode.SAME_STEP))
    envs = VecFrameStack(envs, FRAMES) if kind == "readings" else envs
    torch.set_num_threads(1)
    policy = {"features_extractor_class": Scaled, "features_extractor_kwargs": {"features_dim": len(scale)}}
    learner = PPO(
        "MlpPolicy", envs, n_steps=128, batch_size=512, n_epochs=8, learning_rate=lambda left: 1e-3 * left, gamma=0.99,
        policy_kwargs={**policy, "log_std_init": -0.7}, seed=seed, device="cpu",
    )  # fmt: skip
    bounded = torch.nn.Sequential(learner.policy.action_net, torch.nn.Tanh())  # means in (-1, 1), as actions are
    learner.policy.action_net = bounded
    return exported(learner.learn(steps), kind)


def exported(learner: Any, kind: str) -> NetworkPolicy:
    """The policy of Stable-Baselines3 as one that needs no Stable-Baselines3."""
    import torch

    scale = torch.as_tensor(SCALES[kind])
    network = Ensemble(1, inputs=len(scale), outputs=1, hidden=(64, 64), bounded=True)
    learned = [*learner.policy.mlp_extractor.policy_net, learner.policy.action_net[0]]
    layers = [layer for layer in learned if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for (W, b), layer in zip(network.stacked(), layers, strict=True):
            W[0].copy_(layer.weight.mT)
            b[0, 0].copy_(layer.bias)
    scaling = Scaling(torch.zeros(len(scale), dtype=torch.float64), scale, torch.ones(1, dtype=torch.float64))
    seen = Space(*(f"seen{i}" for i in range(len(scale))))
    return NetworkPolicy(seen, Space("push in [-1, 1]"), network, scaling=scaling)


def followed(policy: NetworkPolicy) -> Act:
    """What a policy does for many environments at once."""
    return lambda seen: policy.evaluate(seen.astype(np.float64)).plan[:, 0]
