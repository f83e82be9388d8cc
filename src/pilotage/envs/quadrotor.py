"""The quadrotor environment: flight to a point, and hovering there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..control import reach
from ..core import Gaussian
from ..models import quadrotor
from ._preset import Preset
from .canvas import GREEN
from .drawing import Scene, portrait
from .figures import FIGURES, Stroke
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

DRONE = quadrotor(noise=0.0)
RANGES = dict.fromkeys("xyz", (-60.0, 60.0)) | dict.fromkeys(("vx", "vy", "vz"), (-60.0, 60.0))
FREE = quadrotor(noise=0.0, limits=RANGES | dict.fromkeys(("wx", "wy", "wz"), (-150.0, 150.0)))
"""The same drone, with the range of positions and rates that an observation shows."""
_BEGIN = Gaussian.of(DRONE.state, DRONE.state.identity(), std=[0.5] * 3 + [0.1] * 3 + [0.2] * 6)
HOVER = reach(
    DRONE, DRONE.state.identity(), weights=[1.0] * 3 + [0.1] * 9, effort=[1e-4, 10.0, 10.0, 10.0], final=10.0,
    initial=_BEGIN, dt=0.05, horizon=80,
)  # fmt: skip


def around(x: Any, p: Any) -> tuple[tuple[float, float], float]:
    """A picture around the goal, or around the drone where it has left that."""
    followed = FIGURES["quadrotor"].window
    middle = followed(x, p)[0] if followed is not None else (0.0, 0.0)
    return ((0.0, 0.0) if max(map(abs, middle)) < 2.0 else middle), 2.2


SIGHT = FIGURES["quadrotor"]._replace(window=around)


def draw_hover(scene: Scene) -> NDArray[np.uint8]:
    """The drone at an angle from above, and the point to hover at in green."""
    return portrait(scene, SIGHT, below=[Stroke((0.0, 0.0), GREEN, 24)])


class Hovering(Preset):
    """The arguments that the environments of the quadrotor share."""

    def __init__(self, **settings: Any) -> None:
        self._fill(FREE, None, HOVER, settings, drawing=draw_hover)


class Quadrotor(Hovering, ModelEnv):
    """A quadrotor that flies to a point and hovers there: ``gymnasium.make("pilotage/Quadrotor-v0")``.

    State and observation are position [m], attitude (quaternion wxyz), velocity [m/s] and turn rates [rad/s]; the
    actions are the thrust [N] and three torques [N m]. The cost of a tick of 0.05 s is that of the task
    `quadrotor_hover` of the benchmark. An episode is truncated after 80 ticks.

    Args:
        settings: settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/Quadrotor-v0")
        >>> env.observation_space.shape, env.action_space.shape
        ((13,), (4,))
    """


class QuadrotorVector(Hovering, ModelVectorEnv):
    """A vector environment of `Quadrotor`: ``gymnasium.make_vec("pilotage/Quadrotor-v0", num_envs=64)``."""
