"""Environments: a tick of the cart-pole, beside Gymnasium's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Contest, row

STEPS = 200
MANY = 256
BEAMS = 24


def pushes(shape: tuple[int, ...]) -> np.ndarray:
    """Pushes to the left (0) and to the right (1), at random."""
    return np.random.default_rng(0).integers(0, 2, shape)


@row(
    "env_step", peer="gymnasium", bar=0.5, needs=["gymnasium"],
    note="a step of the cart-pole made by gymnasium.make, resets included, against CartPole-v1",
)  # fmt: skip
def env_step(quick: bool) -> Contest:
    import gymnasium

    import pilotage.envs  # noqa: F401

    ours, peer = gymnasium.make("pilotage/CartPole-v0"), gymnasium.make("CartPole-v1")
    choices = pushes((STEPS,))
    forces: Any = [np.array([force], dtype=np.float32) for force in 2.0 * choices - 1.0]

    def episode(env: Any, actions: Any) -> None:
        env.reset(seed=0)
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    def check() -> str:
        peer.reset(seed=3)
        ours.reset(seed=3, options={"state": peer.unwrapped.state})  # pyright: ignore[reportAttributeAccessIssue]
        for force, choice in zip(forces, choices.tolist(), strict=True):
            mine, theirs = ours.step(force), peer.step(choice)
            assert np.abs(mine[0] - theirs[0]).max() < 1e-5, "states differ"
            assert mine[1:4] == theirs[1:4], "rewards or ends differ"
            if mine[2]:
                return "the same states, rewards and ends"
        raise AssertionError("the pole did not fall")

    plain = [*map(int, choices)]
    return Contest(lambda: episode(ours, forces), lambda: episode(peer, plain), check, work=STEPS)


@row(
    "env_vector", peer="gymnasium", bar=0.5, needs=["gymnasium"],
    note=f"a step of {MANY} cart-poles made by gymnasium.make_vec with a vector entry point, against CartPole-v1",
)  # fmt: skip
def env_vector(quick: bool) -> Contest:
    import gymnasium

    import pilotage.envs  # noqa: F401

    names, mode = ("pilotage/CartPole-v0", "CartPole-v1"), "vector_entry_point"
    ours, peer = (gymnasium.make_vec(name, num_envs=MANY, vectorization_mode=mode) for name in names)
    choices = pushes((STEPS, MANY))
    forces = (2.0 * choices[..., None] - 1.0).astype(np.float32)
    for envs in (ours, peer):
        envs.reset(seed=0)

    def steps(envs: Any, actions: Any) -> None:
        for action in actions:
            envs.step(action)

    return Contest(lambda: steps(ours, forces), lambda: steps(peer, choices), None, work=STEPS)


@row(
    "env_vector_navigation", peer="gymnasium", bar=20.0, needs=["gymnasium"],
    note=f"a step of {MANY} robots with {BEAMS} beams in one vector environment, against SyncVectorEnv of the same",
)  # fmt: skip
def env_vector_navigation(quick: bool) -> Contest:
    import gymnasium

    import pilotage.envs  # noqa: F401

    name, steps = "pilotage/Navigation-v0", 3 if quick else 10
    ours = gymnasium.make_vec(name, num_envs=MANY, vectorization_mode="vector_entry_point", beams=BEAMS)
    peer = gymnasium.make_vec(name, num_envs=MANY, vectorization_mode="sync", beams=BEAMS)
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (steps, MANY, 2)).astype(np.float32)

    def episode(envs: Any) -> Any:
        envs.reset(seed=0)
        return [envs.step(action) for action in actions]

    def run(envs: Any) -> None:
        for action in actions:
            envs.step(action)

    def check() -> str:
        for mine, theirs in zip(episode(ours), episode(peer), strict=True):
            for name in mine[0]:
                assert np.abs(mine[0][name] - theirs[0][name]).max() < 1e-5, f"{name} differs"
            assert np.abs(mine[1] - theirs[1]).max() < 1e-9 and (mine[2] == theirs[2]).all(), "rewards or ends differ"
        return "the same observations, rewards and ends"

    return Contest(lambda: run(ours), lambda: run(peer), check, work=steps)


@row(
    "env_vector_estimated", peer="gymnasium", bar=10.0, needs=["gymnasium"],
    note=f"a step of {MANY} pendulums that show the belief of an EKF, with readings 0.1 s late and gaps, in one vector "
    "environment, against SyncVectorEnv of wrapped ones",
)  # fmt: skip
def env_vector_estimated(quick: bool) -> Contest:
    import gymnasium

    import pilotage.envs  # noqa: F401
    from pilotage.core import Gaussian
    from pilotage.envs.wrappers import EstimatedObservation, Link, vector
    from pilotage.estimators import EKF
    from pilotage.models import compass, pendulum

    name, steps, link = "pilotage/Pendulum-v0", 3 if quick else 20, Link(delay=0.1, dropout=0.2)
    angle, model = compass(reads="theta", std=0.05), pendulum(damping=0.05, noise=(0.001, 0.01))
    start = Gaussian.of(model.state, [np.pi, 0.0], std=0.2)

    def estimator(seed: int | None) -> Any:
        return EKF(model, dt=0.05).start(belief=start, history=1.0)

    def alone() -> Any:
        return EstimatedObservation(gymnasium.make(name, sensors=angle), estimator, links=link)

    many = gymnasium.make_vec(name, num_envs=MANY, vectorization_mode="vector_entry_point", sensors=angle)
    ours: Any = vector.EstimatedObservation(many, estimator, links=link)
    peer = gymnasium.vector.SyncVectorEnv([alone] * MANY)
    actions = np.random.default_rng(0).uniform(-2.0, 2.0, (steps, MANY, 1)).astype(np.float32)

    def episode(envs: Any) -> Any:
        envs.reset(seed=0)
        return [envs.step(action)[0] for action in actions]

    def run(envs: Any) -> None:
        for action in actions:
            envs.step(action)

    def check() -> str:
        assert np.abs(np.array(episode(ours)) - np.array(episode(peer))).max() < 1e-4, "beliefs differ"
        return "the same beliefs"

    return Contest(lambda: run(ours), lambda: run(peer), check, work=steps)
