"""The pendulum environment: one link with a weak motor swings up, seen by its state or in pictures."""

from __future__ import annotations

import math
from typing import Any

from ..control import reach
from ..core import Gaussian
from ..core.settings import setting
from ..models import TracedTask, pendulum
from ._preset import Preset
from .camera import Camera
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

ROD = pendulum(damping=0.05, noise=0.0)
HANGING = Gaussian.of(ROD.state, [math.pi, 0.0], std=[0.2, 0.2])


def swing(final: float) -> TracedTask:
    """The task to stand upright, at rest, with a weight of the deviation at the end."""
    weights = [1.0, 0.1]
    return reach(ROD, [0.0, 0.0], weights=weights, effort=0.001, final=final, initial=HANGING, dt=0.05, horizon=200)


SWING = swing(0.0)


class SwingUp(Preset):
    """The arguments that the environments of the pendulum share."""

    def __init__(self, *, pixels: bool = False, **settings: Any) -> None:
        seen = Camera(ROD) if setting(pixels, bool, "pixels") else None
        self._fill(ROD, seen, SWING, settings)


class Pendulum(SwingUp, ModelEnv):
    """A pendulum that swings up with little torque: ``gymnasium.make("pilotage/Pendulum-v0")``.

    State and observation are the angle theta to the vertical [rad] and its rate [rad/s]; the action is the torque, at
    most 2 N m. The reward of a tick of 0.05 s is that of the task `pendulum` of the benchmark, minus a weighted square
    of angle, rate and torque. An episode begins hanging, and is truncated after 200 ticks.

    ``"pilotage/PendulumPixels-v0"`` shows a picture ``uint8 (64, 64, 3)`` instead of the state.

    Args:
        pixels: whether the observation is a picture.
        settings: other settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/PendulumPixels-v0")
        >>> observation, info = env.reset(seed=0)
        >>> observation.shape, info["state"].shape
        ((64, 64, 3), (2,))
    """


class PendulumVector(SwingUp, ModelVectorEnv):
    """A vector environment of `Pendulum`: ``gymnasium.make_vec("pilotage/Pendulum-v0", num_envs=64)``."""
