"""The cart-pole environment: the world of Gymnasium's CartPole-v1 from a model and a task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Gaussian
from ..core.arrays import Array
from ..models import cart_pole, task
from ._preset import Preset
from .model_env import ModelEnv
from .simulation import AT_TICKS
from .vector_env import ModelVectorEnv

CART = cart_pole(
    integrator="euler",
    noise=0.0,
    limits={"x": (-4.8, 4.8), "speed": (-10.0, 10.0), "theta_rate": (-20.0, 20.0)},
)
"""The model of Gymnasium: Euler steps without noise."""
TRACK, TILT = 2.4, math.radians(12.0)
"""Limits of position and angle at which an episode ends [m, rad]."""


def _limits(x: Any, u: Any, p: Any, m: Any) -> Any:
    return m.abs(x[0]) - TRACK, m.abs(x[2]) - TILT


@task(state=CART.state, action=CART.action, constraint=_limits)
def stay_up(x: Any, u: Any, p: Any, m: Any) -> Any:
    """A reward of 1 for every tick."""
    return -1.0


STAY_UP = stay_up(initial=Gaussian.of(CART.state, [0.0] * 4, std=0.03), dt=0.02, horizon=500)


class Around:
    """Draws states of `size` components, each evenly between -reach and reach.

    Example:
        >>> draw = Around(0.05, 4)
        >>> draw(np.random.default_rng(0)).round(3).tolist()
        [0.014, -0.023, -0.046, -0.048]
    """

    def __init__(self, reach: float, size: int) -> None:
        self.reach, self.size = reach, size

    def __call__(self, stream: np.random.Generator) -> Array:
        """A state ``(size,)``."""
        return stream.uniform(-self.reach, self.reach, self.size)

    def many(self, streams: Sequence[np.random.Generator]) -> Array:
        """States ``(N, size)``, one of each stream."""
        z = np.empty((len(streams), self.size))
        for stream, row in zip(streams, z, strict=True):
            stream.random(out=row)
        return 2.0 * self.reach * z - self.reach


start = Around(0.05, 4)


class Balancing(Preset):
    """The arguments that the environments of the cart-pole share."""

    def __init__(self, *, normalized: bool = True, **settings: Any) -> None:
        self._fill(
            CART, None, STAY_UP, settings, truncate=False, start=start, normalized=normalized, resolution=AT_TICKS,
            max_violation=0.0,
        )  # fmt: skip


class CartPole(Balancing, ModelEnv):
    """The cart-pole, balancing a pole by pushing its cart: ``gymnasium.make("pilotage/CartPole-v0")``.

    Equations, constants, initial states, reward and termination are those of Gymnasium's CartPole-v1: +1 per tick until
    the pole leans by 12 degrees or the cart is 2.4 m from the middle, for at most 500 ticks of 0.02 s. The action in
    [-1, 1] is the force on the cart in units of 10 N; Gymnasium's actions correspond to -1 and 1.

    Args:
        normalized: False for actions in newtons, in [-10, 10].
        settings: other settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/CartPole-v0")
        >>> observation, info = env.reset(seed=1)
        >>> observation, reward, terminated, truncated, info = env.step([1.0])
        >>> reward, terminated
        (1.0, False)
    """


class CartPoleVector(Balancing, ModelVectorEnv):
    """A vector environment of `CartPole`: ``gymnasium.make_vec("pilotage/CartPole-v0", num_envs=256)``."""

    def __init__(self, num_envs: int, *, normalized: bool = True, **settings: Any) -> None:
        super().__init__(normalized=normalized, num_envs=num_envs, **settings)
