"""Access of the wrappers to the environment within: its models, parts of its observation, links and streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from ...core import SettingError
from ..model_env import ModelEnv
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


def stream_of(env: gymnasium.Env[Any, Any], seed: int | None) -> np.random.Generator:
    """The random stream of a wrapper, apart from that of the environment."""
    return np.random.default_rng(None if seed is None else [seed, 1])
