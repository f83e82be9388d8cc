"""The state of a Gymnasium environment, saved and restored, so that an episode can be continued in several ways."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from ..core import SettingError
from ..core.settings import shown
from .late import Late

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")
PLAIN = (bool, int, float, str, tuple, list, deque, np.ndarray, np.generic, type(None))
"""Types of the attributes that are copied; an environment keeps what changes in an episode in such values."""
STATES = ("state", "s")
"""Names under which the environments of Gymnasium keep their whole state."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of an environment of models on which the rest of an episode depends.

    Attributes:
        values: attributes of the environment by name.
        streams: states of its random streams.
        pictured: the states that a picture shows, of each world.
    """

    values: Mapping[str, Any]
    streams: tuple[Any, ...]
    pictured: tuple[tuple[Any, ...], ...] = ()

    def check(self, env: Any, names: Collection[str], worlds: int = 1) -> None:
        """Raise an error if this is not the state of such an environment."""
        now = np.shape(getattr(env, "_x", ()) if getattr(env, "_x", None) is not None else ())
        if {*self.values} != {*names} or len(self.streams) != worlds or (now and np.shape(self.values["_x"]) != now):
            raise SettingError(f"the state is one of another environment; give {type(env).__name__} one of its own")


@dataclass(frozen=True, eq=False)
class Saved:
    """The state of an environment with its wrappers, from `save_state`.

    Attributes:
        layers: attributes of each wrapper, and of the environment itself, from the outside inwards.
        base: what `get_state` of the environment returned; else None.
        physics: a copy of MuJoCo's data, which hold what rewards compare with besides the state; else None.
        stream: the state of the random stream.
    """

    layers: tuple[Mapping[str, Any], ...]
    base: Any
    physics: Any
    stream: Any


def save_state(env: gymnasium.Env[Any, Any]) -> Saved:
    """The state of an environment in the middle of an episode, with the counters of its wrappers.

    It takes every environment of Pilotage, every one with the methods `get_state` and `set_state`, and those of
    Gymnasium that keep their state in an attribute (classic control, toy text) or in MuJoCo's data.

    Raises:
        SettingError: if the state of the environment cannot be reached.

    Example:
        >>> env = gymnasium.make("Pendulum-v1")
        >>> observation, info = env.reset(seed=0)
        >>> saved = save_state(env)
        >>> first = env.step([1.0])
        >>> restore_state(env, saved)
        >>> bool(first[1] == env.step([1.0])[1])
        True
    """
    core, own = env.unwrapped, has_own_state(env)
    physics = None if own or not has_physics(core) else copy(core.data)  # pyright: ignore[reportAttributeAccessIssue]
    if not own and physics is None and not any(hasattr(core, name) for name in STATES):
        raise SettingError(f"the state of {env} cannot be reached; give it the methods get_state and set_state")
    inner = [] if own else [core]
    layers = tuple(plain_attributes(layer) for layer in [*wrappers(env), *inner])
    base = deepcopy(core.get_state()) if own else None  # pyright: ignore[reportAttributeAccessIssue]
    return Saved(layers, base, physics, core.np_random.bit_generator.state)


def restore_state(env: gymnasium.Env[Any, Any], saved: Saved) -> None:
    """Put an environment into a state from `save_state`: the same actions then have the same results, to the bit.

    The state may also come from another environment that was made in the same way, and has been reset once.

    Example:
        >>> one, twin = (gymnasium.make("MountainCarContinuous-v0") for _ in range(2))
        >>> first, other = one.reset(seed=0), twin.reset(seed=1)
        >>> restore_state(twin, save_state(one))
        >>> bool((one.step([1.0])[0] == twin.step([1.0])[0]).all())
        True
    """
    core, own = env.unwrapped, has_own_state(env)
    layers = [*wrappers(env), *([] if own else [core])]
    if not isinstance(saved, Saved) or len(saved.layers) != len(layers):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(
            f"the state is {shown(saved)}; expected one that save_state returned for such an environment"
        )
    for layer, values in zip(layers, saved.layers, strict=True):
        vars(layer).update(deepcopy(values) if hasattr(layer, "_KEPT") else {k: copy(v) for k, v in values.items()})
    if own:
        core.set_state(deepcopy(saved.base))  # pyright: ignore[reportAttributeAccessIssue]
    elif saved.physics is not None:
        mj.mj_copyData(core.data, core.model, saved.physics)  # pyright: ignore[reportAttributeAccessIssue]
    core.np_random.bit_generator.state = saved.stream


def has_own_state(env: gymnasium.Env[Any, Any]) -> bool:
    """Whether the environment has `get_state`, and a `set_state` that takes what that returns."""
    return all(callable(getattr(env.unwrapped, name, None)) for name in ("get_state", "set_state"))


def has_physics(core: Any) -> bool:
    """Whether an environment is a MuJoCo simulation."""
    return hasattr(core, "model") and hasattr(getattr(core, "data", None), "qpos")


def wrappers(env: gymnasium.Env[Any, Any]) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
    """The wrappers around an environment, from the outside inwards."""
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env


def plain_attributes(layer: Any) -> dict[str, Any]:
    """Copies of the attributes of an object that are plain values, or of those that a wrapper names in ``_KEPT``."""
    if names := getattr(type(layer), "_KEPT", ()):
        return deepcopy({name: vars(layer)[name] for name in names if name in vars(layer)})
    return {name: copy(value) for name, value in vars(layer).items() if isinstance(value, PLAIN)}
