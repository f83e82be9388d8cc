"""Access of the wrappers to the environment within: its models, parts of its observation, links and streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from ...core import Sensor, SettingError, ShapeError, Space
from ...core.settings import shown
from ..boxes import box
from ..model_env import ModelEnv
from ..simulation import Simulation
from .link import Line, Link

ONLY = "observation"
"""Name of an observation that is not a dictionary."""


def core_of(env: gymnasium.Env[Any, Any], owner: str) -> ModelEnv:
    """The environment of models within the wrappers."""
    core = env.unwrapped
    if not isinstance(core, ModelEnv):
        raise SettingError(f"{owner} wraps environments of Pilotage, which have a model; {env} has none")
    return core


def named(observation: Any) -> dict[str, Any]:
    """The parts of an observation by name."""
    return observation if isinstance(observation, dict) else {ONLY: observation}


def links_of(links: Link | Mapping[str, Link], names: list[str]) -> dict[str, Link]:
    """A link for each part of an observation; parts that are not named have a perfect one."""
    if isinstance(links, Link):
        return dict.fromkeys(names, links)
    for name in links:
        if name not in names:
            raise SettingError(f"there is no observation {name!r} to link; there are {', '.join(names)}")
    return {name: links.get(name, Link()) for name in names}


def lines_of(links: Mapping[str, Link], dt: float) -> dict[str, Line]:
    """A line for each link, with nothing on its way."""
    return {name: Line(link, dt) for name, link in links.items()}


def stream_of(seed: int | None) -> np.random.Generator:
    """The random stream of a wrapper, apart from that of the environment."""
    return np.random.default_rng(None if seed is None else [seed, 1])


def sensors_of(
    sensors: Sensor | Mapping[str, Sensor] | None, world: Simulation, single: bool, space: gymnasium.Space[Any]
) -> dict[str, Sensor]:
    """The sensor of each part of the observation, whose space is `space`; default: those of the world."""
    if sensors is None and not world.sensors:
        raise SettingError("the environment observes its state; make it with sensors, or give sensors here")
    if sensors is None:
        sensors = {name: each.sensor for name, each in world.sensors.items()}
        sensors = next(iter(sensors.values())) if single else sensors
    given = {ONLY: sensors} if isinstance(sensors, Sensor) else dict(sensors)
    parts = [*space.spaces] if isinstance(space, gymnasium.spaces.Dict) else [ONLY]
    if {*given} != {*parts}:
        raise ShapeError(f"sensors are {shown([*given])}; the observation has {', '.join(parts)}")
    return given


def belief_box(space: Space) -> gymnasium.spaces.Box:
    """The space of a belief over `space`: mean and standard deviations, ``(size + dim,)`` float32."""
    inner, dim = box(space), space.dim
    low, high = np.concatenate([inner.low, np.zeros(dim)]), np.concatenate([inner.high, np.full(dim, np.inf)])
    return gymnasium.spaces.Box(low.astype(np.float32), high.astype(np.float32))
