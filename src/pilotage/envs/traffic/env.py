"""An environment of dense traffic."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ...core.arrays import Array
from ...core.settings import setting
from .._preset import Preset
from ..model_env import ModelEnv
from ..simulation import AT_TICKS
from ..vector_env import ModelVectorEnv
from .neighbours import Neighbours
from .raster import ContextRaster
from .reactive import ReactiveTraffic
from .replayed import ReplayedTraffic
from .task import TrafficTask
from .view import draw_traffic

Seen = Literal["raster", "half", "neighbours"]


class Ending(NamedTuple):
    """The entries of the info that say how an episode ends."""

    task: TrafficTask

    def __call__(self, x: Array) -> dict[str, Any]:
        depth = self.task.constraint(x, 0.0)
        return {"collided": depth[..., 0] > 0.0, "off_road": depth[..., 1] > 0.0, "arrived": self.task.done(x)}


class Driving(Preset):
    """The arguments that the environments of traffic share."""

    def __init__(
        self, *, traffic: ReactiveTraffic | ReplayedTraffic | None = None, observe: Seen = "raster", **settings: Any
    ) -> None:
        setting(traffic, ReactiveTraffic | ReplayedTraffic | None, "traffic")
        traffic = ReactiveTraffic() if traffic is None else traffic
        around, raster = Neighbours(traffic.cars, traffic.road), ContextRaster(traffic.cars, traffic.road)
        raster = raster.halved() if setting(observe, Seen, "observe") == "half" else raster
        sensors = around if observe == "neighbours" else {"neighbours": around, "raster": raster}
        task = TrafficTask(traffic.cars, traffic.road)

        own = {"start": traffic.start, "drawing": draw_traffic, "inform": Ending(task), "resolution": AT_TICKS}
        self._fill(traffic, sensors, task, settings, **own)


class Traffic(Driving, ModelEnv):
    """A car in dense traffic: ``gymnasium.make("pilotage/Traffic-v0")``.

    The observation is a dictionary of the context raster ``uint8 (3, 117, 24)`` (`ContextRaster`) and 35 numbers about
    the neighbours (`Neighbours`). The action is acceleration [m/s^2] and curvature [1/m]. The reward is the way along
    the road in a tick of 0.1 s [m]. An episode terminates at the goal, after 300 m by default, at a collision, and
    when the car leaves the road; ``info`` says which ("arrived", "collided", "off_road"). It is truncated after 1000
    ticks.

    Args:
        traffic: `ReactiveTraffic`, the default, or `ReplayedTraffic`.
        observe: "raster"; "half" for a raster of half the size; "neighbours" for the 35 numbers alone.
        settings: other settings of `ModelEnv`, such as `render_mode`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/Traffic-v0")
        >>> observation, info = env.reset(seed=0)
        >>> observation["raster"].shape, observation["neighbours"].shape, bool(info["collided"])
        ((3, 117, 24), (35,), False)
    """


class TrafficVector(Driving, ModelVectorEnv):
    """A vector environment of `Traffic`: ``gymnasium.make_vec("pilotage/Traffic-v0", num_envs=64)``.

    Example:
        >>> TrafficVector(num_envs=2, observe="neighbours").reset(seed=0)[0].shape
        (2, 35)
    """
