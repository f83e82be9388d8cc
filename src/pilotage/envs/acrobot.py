"""The acrobot environment: two links swing up, with a motor at the elbow."""

from __future__ import annotations

from typing import Any

from ..core import Gaussian
from ..models import acrobot, task
from ._preset import Preset
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

TORQUE = {"torque": (-5.0, 5.0)}
ELBOW = acrobot(noise=0.0, limits=TORQUE)
FREE = acrobot(noise=0.0, limits={**TORQUE, "theta1_rate": (-30.0, 30.0), "theta2_rate": (-60.0, 60.0)})
"""The same links, with the range of the rates that an observation shows."""


def _bent(x: Any, p: Any, m: Any) -> list[Any]:
    """Deviation of both links from upright, without kinks, and their rates."""
    t1, t2, r1, r2 = x
    both = t1 + t2
    return [m.sin(t1), 1.0 + m.cos(t1), m.sin(both), 1.0 + m.cos(both), r1, r2]


@task(
    state=ELBOW.state, action=ELBOW.action, params={"final": (0.0,) * 6}, terminal=_bent, terminal_weights="final",
    weights=(1.0, 1.0, 1.0, 1.0, 0.05, 0.05, 0.01),
)  # fmt: skip
def straighten(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Both links stand upright, at rest."""
    return [*_bent(x, p, m), u[0]]


HANGING = Gaussian.of(ELBOW.state, [0.0] * 4, std=[0.1, 0.1, 0.1, 0.1])
STRAIGHTEN = straighten(initial=HANGING, dt=0.05, horizon=120)


class SwingUp(Preset):
    """The arguments that the environments of the acrobot share."""

    def __init__(self, **settings: Any) -> None:
        self._fill(FREE, None, STRAIGHTEN, settings)


class Acrobot(SwingUp, ModelEnv):
    """Two links that swing up with a motor at the elbow: ``gymnasium.make("pilotage/Acrobot-v0")``.

    State and observation are the angle of the first link to hanging, the angle of the second to the first [rad], and
    their rates [rad/s]; the action is the torque at the elbow, at most 5 N m. The cost of a tick of 0.05 s is that of
    the task `acrobot` of the benchmark. An episode begins hanging, and is truncated after 120 ticks.

    Args:
        settings: settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> observation, info = gymnasium.make("pilotage/Acrobot-v0").reset(seed=0)
        >>> observation.shape
        (4,)
    """


class AcrobotVector(SwingUp, ModelVectorEnv):
    """A vector environment of `Acrobot`: ``gymnasium.make_vec("pilotage/Acrobot-v0", num_envs=64)``."""
