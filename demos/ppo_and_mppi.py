"""PPO and MPPI balance a pole with the truth, with raw readings, and with a belief.

A cart balances a pole for ten seconds, while gusts push both. Two encoders read the place of the cart and the angle of
the pole: with noise, 60 ms late, and three readings of ten are lost. Both controllers see one of

    truth     the state
    readings  the last eight readings, as they arrive; MPPI takes rates from the last and that of two ticks before
    belief    mean and standard deviations of an EKF, which moves each reading from when it was taken to now

MPPI plans with the model and the cost of the environment. PPO (Schulman et al., 2017, in Stable-Baselines3) learned
from rewards alone, once for each; its policies are stored beside the demos, and `--train` learns them again.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.bench import bootstrap
from pilotage.control import MPPI
from pilotage.core import Gaussian, Space
from pilotage.core.confidence import Interval, wilson
from pilotage.envs import ModelVectorEnv, sb3_vec_env
from pilotage.envs.wrappers import Link
from pilotage.envs.wrappers.vector import DegradedObservation, EstimatedObservation
from pilotage.estimators import EKF
from pilotage.io import write_atomic
from pilotage.models import cart_pole, sensor, task
from pilotage.viz.palette import ESTIMATE, INK, MUTED, TRUTH

TRACK, TILT = 2.4, 0.21
"""Where an episode ends [m, rad]."""
DT, TICKS, FRAMES = 0.02, 500, 8
STEPS, TRAINED, TESTED = 1_000_000, 32, range(10_000, 10_200)
"""Ticks of training, environments at once, and the seeds of the stored metrics."""
FOLLOWED = 200
"""Episodes of a policy, which cost less than those of a planner."""
CART = cart_pole(noise=(0.0, 0.15, 0.0, 0.3))
LINK = Link(delay=0.06, dropout=0.3)
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
    """The distance from rest in the middle, where a horizon or an episode ends."""
    return 2.5 * (x[0] + x[1]) ** 2 + 5.0 * (x[2] / TILT) ** 2 + 5.0 * x[3] ** 2


@task(state=CART.state, action=CART.action, constraint=fallen, terminal=leaning)
def balance(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Less than zero in every tick, so that an episode that goes on is better than one that ends."""
    return 0.5 * (x[0] / TRACK) ** 2 + 0.5 * (x[2] / TILT) ** 2 - 1.0


START = Gaussian.of(CART.state, np.zeros(4), std=0.03)
GOAL = balance(initial=START, dt=DT, horizon=TICKS)
SIZES = {
    "truth": np.array([1.0, 1.0, 0.1, 0.5]),
    "readings": np.tile([1.0, 0.1], FRAMES),
    "belief": np.array([1.0, 1.0, 0.1, 0.5, 0.02, 0.2, 0.02, 0.2]),
}
"""Usual sizes of the observations, by which the networks divide them."""


def estimator(seed: int | None) -> Any:
    """The filter of an episode."""
    return EKF(CART, dt=DT).start(belief=START)


def environments(kind: str, count: int, mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> Any:
    """`count` environments that show the truth, readings or a belief."""
    seen = None if kind == "truth" else encoders()
    many = ModelVectorEnv(CART, seen, GOAL, num_envs=count, normalized=True, autoreset_mode=mode)
    if kind == "truth":
        return many
    return DegradedObservation(many, LINK) if kind == "readings" else EstimatedObservation(many, estimator, links=LINK)


class Frames:
    """The last readings side by side, the oldest first; zeros before the first one, as Stable-Baselines3 has them."""

    def __init__(self, kind: str) -> None:
        self.many = FRAMES if kind == "readings" else 1
        self.kept: list[np.ndarray] = []

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        """Observations ``(N, k)`` to ``(N, frames * k)``."""
        self.kept = [*(self.kept or [np.zeros_like(seen)] * (self.many - 1)), seen][-self.many :]
        return np.concatenate(self.kept, axis=-1).astype(np.float64)


Act = Callable[[np.ndarray], np.ndarray]
"""Forces in [-1, 1] ``(N, 1)`` for what a controller sees ``(N, k)``."""


def planner(kind: str, count: int) -> Act:
    """MPPI in each of `count` environments, on the state as far as it is known."""
    each = [MPPI(CART, GOAL, horizon=30, samples=128, std=4.0, feedback=True, rng=i) for i in range(count)]
    return lambda seen: np.array([one.act(x).u for one, x in zip(each, states(kind, seen), strict=True)]) / 10.0


def states(kind: str, seen: np.ndarray) -> np.ndarray:
    """The states ``(N, 4)`` in observations."""
    if kind != "readings":
        return seen[:, :4]
    last, before = seen[:, -2:], seen[:, -6:-4]
    rates = (last - before) / (2.0 * DT)
    return np.stack([last[:, 0], rates[:, 0], last[:, 1], rates[:, 1]], axis=-1)


def follower(policy: Any) -> Act:
    """The actions of a policy."""
    return lambda seen: policy.evaluate(seen).plan[:, 0]


@dataclass(frozen=True)
class Result:
    """Episodes of a controller: how long each was [s], and its return ``(seeds,)``."""

    seconds: np.ndarray
    returns: np.ndarray

    @property
    def stood(self) -> Interval:
        """The share of the episodes in which the pole stood to the end."""
        return wilson(int((self.seconds > DT * (TICKS - 0.5)).sum()), len(self.seconds))

    @property
    def mean(self) -> Interval:
        """The mean return."""
        return bootstrap(self.returns)


def measure(kind: str, act: Act, seeds: range) -> Result:
    """One episode of each seed."""
    envs, frames, count = environments(kind, len(seeds)), Frames(kind), len(seeds)
    seen, alive = envs.reset(seed=[*seeds])[0], np.ones(count, dtype=bool)
    ticks, returns = np.zeros(count), np.zeros(count)
    while alive.any():
        seen, rewards, terminated, truncated, _ = envs.step(act(frames(seen)))
        ticks += alive
        returns += np.where(alive, rewards, 0.0)
        alive &= ~(terminated | truncated)
    return Result(DT * ticks, returns)


# --- PPO ---


def learned(kind: str, seed: int, steps: int = STEPS) -> Any:
    """The policy that PPO learns from `steps` ticks of environments of this kind, with its metrics."""
    begun = time.process_time()
    policy = exported(learner(kind, seed).learn(steps), kind)
    result = measure(kind, follower(policy), TESTED)
    policy.metrics = {
        "seed": seed, "steps": steps, "cpu_seconds": round(time.process_time() - begun), "stood": result.stood.value,
        "mean": result.mean.value, "std": float(result.returns.std()),
        "tested": f"seeds {TESTED.start} to {TESTED.stop - 1}",
    }  # fmt: skip
    return policy


def learner(kind: str, seed: int) -> Any:
    """PPO of Stable-Baselines3 on environments of this kind."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.vec_env import VecFrameStack

    sizes = torch.as_tensor(SIZES[kind], dtype=torch.float32)

    class Divided(BaseFeaturesExtractor):
        """Observations divided by their sizes."""

        def forward(self, observations: torch.Tensor) -> torch.Tensor:
            return observations / sizes

    envs = sb3_vec_env(environments(kind, TRAINED, AutoresetMode.SAME_STEP))
    envs = VecFrameStack(envs, FRAMES) if kind == "readings" else envs
    torch.set_num_threads(1)
    features = {"features_extractor_class": Divided, "features_extractor_kwargs": {"features_dim": len(sizes)}}
    ppo = PPO(
        "MlpPolicy", envs, n_steps=128, batch_size=512, n_epochs=8, learning_rate=lambda left: 1e-3 * left, gamma=0.99,
        policy_kwargs={**features, "log_std_init": -0.7}, seed=seed, device="cpu",
    )  # fmt: skip
    ppo.policy.action_net = torch.nn.Sequential(ppo.policy.action_net, torch.nn.Tanh())  # means in [-1, 1]
    return ppo


def exported(ppo: Any, kind: str) -> Any:
    """The mean of a policy of Stable-Baselines3 as a policy that needs no Stable-Baselines3."""
    import torch

    from pilotage.learning import NetworkPolicy
    from pilotage.learning.networks import Ensemble
    from pilotage.learning.scaling import Scaling

    sizes = torch.as_tensor(SIZES[kind])
    network = Ensemble(1, inputs=len(sizes), outputs=1, hidden=(64, 64), bounded=True)
    modules = [*ppo.policy.mlp_extractor.policy_net, *ppo.policy.action_net]
    layers = [layer for layer in modules if isinstance(layer, torch.nn.Linear)]
    with torch.no_grad():
        for (W, b), layer in zip(network.stacked(), layers, strict=True):
            W[0].copy_(layer.weight.mT)
            b[0, 0].copy_(layer.bias)
    scaling = Scaling(torch.zeros_like(sizes), sizes, torch.ones(1, dtype=torch.float64))
    seen = Space(*(f"seen{i}" for i in range(len(sizes))))
    return NetworkPolicy(seen, Space("push in [-1, 1]"), network, scaling=scaling)


def stored(kind: str) -> Any:
    """The policy that is stored beside the demos."""
    from pilotage.learning import NetworkPolicy

    return NetworkPolicy.load(STORED / kind)


# --- the picture ---


def seen_angles(seed: int) -> dict[str, np.ndarray]:
    """The angle of the pole in one episode of PPO on the belief: true, as read, and estimated with its deviation."""
    act, belief, readings = follower(stored("belief")), environments("belief", 1), environments("readings", 1)
    seen, info = belief.reset(seed=seed)
    read, _ = readings.reset(seed=seed)
    rows = []
    for _ in range(TICKS // 4):
        rows.append([info["state"][0, 2], read[0, 1], seen[0, 2], seen[0, 6]])
        action = act(seen.astype(np.float64))
        seen, _, _, _, info = belief.step(action)
        read = readings.step(action)[0]
    return dict(zip(("truth", "readings", "belief", "std"), np.array(rows).T, strict=True))


def picture(results: dict[tuple[str, str], Result], angles: dict[str, np.ndarray]) -> Figure:
    """What is seen, the share of poles that stood, and the mean return, with 95 % intervals."""
    figure = Figure(figsize=(12.0, 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.4, 1.0, 1.0))
    t, band = DT * np.arange(len(angles["truth"])), 2.0 * angles["std"]
    degrees = {name: np.rad2deg(each) for name, each in angles.items()}
    left.fill_between(
        t, *np.rad2deg([angles["belief"] - band, angles["belief"] + band]), color=ESTIMATE, alpha=0.25, lw=0
    )
    left.step(t, degrees["readings"], where="post", color=MUTED, lw=0.9, label="readings, as they arrive")
    left.plot(t, degrees["belief"], color=ESTIMATE, label="belief, two deviations")
    left.plot(t, degrees["truth"], color=TRUTH, label="truth")
    left.set(xlabel="time [s]", ylabel="angle of the pole [degrees]", title="what a controller sees")
    left.legend(loc="lower left", fontsize=8)
    left.set_ylim(bottom=-9.5)
    for ax, title in ((middle, "the pole stood for 10 s [%]"), (right, "mean return")):
        for k, name in enumerate(("PPO", "MPPI")):
            spans = [results[name, kind].stood if ax is middle else results[name, kind].mean for kind in KINDS]
            low, value, high = np.array(spans).T * (100.0 if ax is middle else 1.0)
            x, color = np.arange(len(KINDS)) + 0.36 * (k - 0.5), (TRUTH, ESTIMATE)[k]
            ax.bar(x, value, 0.34, color=color, label=name)
            ax.errorbar(x, value, np.maximum([value - low, high - value], 0.0), color=INK, capsize=4, ls="none")
        ax.set_xticks(range(len(KINDS)), KINDS)
        ax.set_title(title)
    figure.legend(*middle.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure


def main(*, seeds: int = 30, seed: int = 0, train: bool = False, out: Path = Path("pilotage-demo")) -> int:
    """PPO and MPPI on the truth, on readings and on a belief; ends with a table and a picture.

    Args:
        seeds: Number of episodes of MPPI; PPO has 200.
        seed: Seed of the training.
        train: Train the policies again, which takes some minutes and Stable-Baselines3; they go to the folder.
        out: Folder for the picture.
    """
    results: dict[tuple[str, str], Result] = {}
    print("                    pole stood for 10 s      mean return")
    for kind in KINDS:
        policy = learned(kind, seed) if train else stored(kind)
        if train:
            policy.save(out / "cart_pole" / kind)
            print(json.dumps(policy.metrics))
        for name, act, count in (("PPO", follower(policy), FOLLOWED), ("MPPI", planner(kind, seeds), seeds)):
            results[name, kind] = result = measure(kind, act, range(count))
            low, share, high = 100.0 * np.array(result.stood)
            print(f"{name:5} {kind:9} {share:7.0f} % [{low:.0f}, {high:.0f}] {'':8} {result.mean}")
    drawn = io.BytesIO()
    picture(results, seen_angles(3)).savefig(drawn, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "ppo-and-mppi.png", drawn.getvalue())
    print(f"see {out / 'ppo-and-mppi.png'}")
    if all(results[name, "belief"].mean.low > results[name, "readings"].mean.high for name in ("PPO", "MPPI")):
        return 0
    print("not as it should be: a belief should be worth more than the readings that it is made of")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
