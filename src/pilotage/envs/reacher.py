"""The reacher environment: a planar arm moves its tip to a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Gaussian
from ..models import planar_arm, task
from ._preset import Preset
from .canvas import GREEN
from .drawing import Scene, portrait
from .figures import FIGURES, Stroke
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

LINKS: dict[str, Any] = {"lengths": (0.5, 0.5), "gravity": 0.0, "damping": 0.1}
ARM = planar_arm(2, noise=0.0, **LINKS)
FREE = planar_arm(2, noise=0.0, limits={"rate1": (-40.0, 40.0), "rate2": (-40.0, 40.0)}, **LINKS)
"""The same arm, with the range of the rates that an observation shows."""
TARGET = (0.4, 0.5)


def tip(x: Any, m: Any) -> tuple[Any, Any]:
    """The place of the tip."""
    both = x[0] + x[1]
    return 0.5 * m.cos(x[0]) + 0.5 * m.cos(both), 0.5 * m.sin(x[0]) + 0.5 * m.sin(both)


def _short(x: Any, p: Any, m: Any) -> list[Any]:
    px, py = tip(x, m)
    return [px - TARGET[0], py - TARGET[1], x[2], x[3]]


@task(
    state=ARM.state, action=ARM.action, terminal=_short, terminal_weights=(100.0, 100.0, 1.0, 1.0),
    weights=(10.0, 10.0, 0.01, 0.01, 0.01, 0.01),
)  # fmt: skip
def touch(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The tip is at the target, at rest."""
    return [*_short(x, p, m), *u]


BEGIN = Gaussian.of(ARM.state, [-1.0, 0.5, 0.0, 0.0], std=[1.0, 0.5, 0.2, 0.2])
TOUCH = touch(initial=BEGIN, dt=0.05, horizon=60)


def draw_reacher(scene: Scene) -> NDArray[np.uint8]:
    """The arm, and its target in green."""
    return portrait(scene, FIGURES["planar_arm"], below=[Stroke(TARGET, GREEN, 20)])


class Reaching(Preset):
    """The arguments that the environments of the reacher share."""

    def __init__(self, **settings: Any) -> None:
        self._fill(FREE, None, TOUCH, settings, drawing=draw_reacher)


class Reacher(Reaching, ModelEnv):
    """A planar arm of two links that moves its tip to a point: ``gymnasium.make("pilotage/Reacher-v0")``.

    State and observation are the angles of both joints [rad] and their rates [rad/s], without gravity; the actions are
    the torques, at most 10 N m. The cost of a tick of 0.05 s is that of the task `reacher` of the benchmark, with a
    terminal cost. The target is at (0.4, 0.5) m. An episode is truncated after 60 ticks.

    Args:
        settings: settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> observation, info = gymnasium.make("pilotage/Reacher-v0").reset(seed=0)
        >>> observation.shape
        (4,)
    """


class ReacherVector(Reaching, ModelVectorEnv):
    """A vector environment of `Reacher`: ``gymnasium.make_vec("pilotage/Reacher-v0", num_envs=64)``."""
