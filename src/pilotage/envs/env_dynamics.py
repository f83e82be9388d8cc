"""A Gymnasium environment whose state can be set, as dynamics."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import gymnasium
import numpy as np

from ..core import Dynamics, ModelError, SettingError, Space
from ..core.arrays import Array
from ..core.seconds import seconds
from .branching import has_physics, wrappers
from .late import Late
from .model_env import ModelEnv
from .mujoco import state_space

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")

REMEMBERED = 2**17
"""Number of the last steps of an environment that are remembered."""


class EnvDynamics(Dynamics):
    """The steps of a Gymnasium environment as dynamics: ``set_state(x), step(u)``, k times for ``dt = k h``.

    The state is that of the methods `get_state` and `set_state` if the environment has them, the true state of an
    environment of Pilotage, ``(qpos, qvel, act)`` of one in MuJoCo, and the attribute `state` of classic control.
    Discrete actions become a number in [0, n - 1] that is rounded. A state in which the environment has ended
    (`terminated`) is kept. If MuJoCo loses the simulation, which it then starts again from the beginning, the state is
    NaN. The last steps are remembered, so that a cost does not make the environment step again.

    Args:
        env: the environment, with its wrappers; it is stepped and reset here.
        state: the space of the state; default: that of the environment or of MuJoCo, else n real numbers.
        dt: seconds h of a step; default: as the environment says (`dt` or `tau`). If it is not known, a step of any
            `dt` is one step of the environment.

    Raises:
        SettingError: if the state of the environment cannot be reached, or its actions are neither box nor discrete.

    Example:
        >>> rod = EnvDynamics(gymnasium.make("Pendulum-v1"), Space("theta: angle", "rate [rad/s]"))
        >>> rod.dt, rod.step([0.0, 0.0], [1.0], 0.05).round(4).tolist()
        (0.05, [0.0075, 0.15])
    """

    def __init__(self, env: Any, state: Space | None = None, *, dt: float | None = None) -> None:
        self.env = env
        self._wrappers = list(wrappers(env)) if isinstance(env, gymnasium.Env) else []
        env.reset(seed=0)
        layers = [*self._wrappers, getattr(env, "unwrapped", env)]
        self._core: Any = next(filter(has_methods, layers), layers[-1])
        self._way = way_of(self._core)
        size = len(self._way.get(self._core))
        self.state = self._way.space(self._core, size) if state is None else state
        if self.state.size != size:
            raise SettingError(f"the state of the environment has {size} numbers, {self.state} {self.state.size}")
        self.action, self._discrete = actions_of(env.action_space)
        found = getattr(layers[-1], "dt", getattr(layers[-1], "tau", None))
        self.dt: float | None = found if dt is None else seconds(dt)
        self._steps: OrderedDict[bytes, tuple[Array, float]] = OrderedDict()
        self._ends: OrderedDict[bytes, bool] = OrderedDict()

    def __repr__(self) -> str:
        return f"EnvDynamics({self.env})"

    def start(self, seed: int | None = None) -> Array:
        """The state ``(n,)`` after a reset."""
        self.env.reset(seed=seed)
        return self._way.get(self._core)

    def step(self, x: Any, u: Any, dt: float) -> Array:
        """The states after `dt` seconds, a whole number of steps of the environment."""
        ratio = 1.0 if self.dt is None else seconds(dt) / self.dt
        count = max(round(ratio), 1)
        if not math.isclose(ratio, count, rel_tol=1e-6):
            raise ModelError(f"dt is {dt}; the environment makes steps of {self.dt} s; give a multiple of that")
        for _ in range(count):
            x = self.both(x, u)[0]
        return x

    def both(self, x: Any, u: Any) -> tuple[Array, Array]:
        """The states after one step ``(..., n)``, and the cost ``(...)``, which is minus the reward."""
        x, u = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        xs = np.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
        us = np.broadcast_to(u, (*batch, u.shape[-1])).reshape(-1, u.shape[-1])
        found = [self._one(y, v) for y, v in zip(xs, us, strict=True)]
        return np.reshape([y for y, _ in found], (*batch, x.shape[-1])), np.reshape([c for _, c in found], batch)

    def ended(self, x: Any) -> Any:
        """Whether a step that ended the environment led to the states ``(..., n)``, bools ``(...)``."""
        xs = np.ascontiguousarray(x, dtype=np.float64)
        found = [row.tobytes() in self._ends for row in xs.reshape(-1, xs.shape[-1])]
        return np.reshape(found, xs.shape[:-1])

    def _one(self, x: Array, u: Array) -> tuple[Array, float]:
        """A step and its cost; NaN from a state or an action that is not finite."""
        if x.tobytes() in self._ends:
            return x, 0.0
        if not (np.isfinite(x).all() and np.isfinite(u).all()):
            return np.full_like(x, np.nan), math.nan
        key = x.tobytes() + u.tobytes()
        if key not in self._steps:
            for wrapper in self._wrappers:  # no time limit
                if hasattr(wrapper, "_elapsed_steps"):
                    wrapper._elapsed_steps = 0  # pyright: ignore[reportAttributeAccessIssue]
            self._way.put(self._core, x.copy())
            _, reward, terminated, *_ = self.env.step(round(float(u[0])) if self._discrete else u.copy())
            y = self._way.get(self._core)
            if self._way.lost(self._core):
                y, reward, terminated = np.full_like(y, np.nan), math.nan, False
            if terminated:
                _remember(self._ends, y.tobytes(), True)
            _remember(self._steps, key, (y, -float(reward)))
        return self._steps[key]


class Own:
    """The state of an environment with `get_state` and `set_state`."""

    def get(self, core: Any) -> Array:
        """The state ``(n,)``."""
        return np.array(core.get_state(), dtype=np.float64).ravel()

    def put(self, core: Any, x: Array) -> None:
        """Set the state."""
        core.set_state(x)

    def space(self, core: Any, size: int) -> Space:
        """The space of the state."""
        return Space(" ".join(f"s{i}" for i in range(size)))

    def lost(self, core: Any) -> bool:
        """Whether the simulation was lost, and started again, since the state was set."""
        return False


class Ours(Own):
    """The true state of an environment of Pilotage."""

    def get(self, core: Any) -> Array:
        """The state ``(n,)``."""
        return core.state

    def space(self, core: Any, size: int) -> Space:
        """The space of the state."""
        return core.world.dynamics.state


class Physics(Own):
    """Positions, velocities and activations of a MuJoCo simulation; all else is as after a reset."""

    def get(self, core: Any) -> Array:
        """The state ``(n,)``."""
        return np.concatenate([core.data.qpos, core.data.qvel, core.data.act])

    def put(self, core: Any, x: Array) -> None:
        """Set the state."""
        m, d = core.model, core.data
        mj.mj_resetData(m, d)
        d.qpos[:], d.qvel[:], d.act[:] = np.split(x, [m.nq, m.nq + m.nv])
        mj.mj_forward(m, d)

    def space(self, core: Any, size: int) -> Space:
        """The space of the state."""
        return state_space(core.model)

    def lost(self, core: Any) -> bool:
        """Whether the simulation was lost, and started again, since the state was set."""
        return any(core.data.warning[int(kind)].number for kind in map(_warning, ("POS", "VEL", "ACC")))


class Attribute(Own):
    """The attribute `state` of classic control."""

    def get(self, core: Any) -> Array:
        """The state ``(n,)``."""
        return np.array(core.state, dtype=np.float64).ravel()

    def put(self, core: Any, x: Array) -> None:
        """Set the state, in an episode that has not ended."""
        core.state = x
        if hasattr(core, "steps_beyond_terminated"):
            core.steps_beyond_terminated = None


def has_methods(layer: Any) -> bool:
    """Whether an environment or a wrapper has `get_state` and `set_state`."""
    return all(callable(getattr(layer, name, None)) for name in ("get_state", "set_state"))


def way_of(core: Any) -> Own:
    """The access to the state of an environment, for reading and setting it."""
    if isinstance(core, ModelEnv):
        return Ours()
    if has_methods(core):
        return Own()
    if has_physics(core):
        return Physics()
    if hasattr(core, "state"):
        return Attribute()
    raise SettingError(f"the state of {core} cannot be reached; give it the methods get_state and set_state")


def actions_of(given: Any) -> tuple[Space, bool]:
    """The space of the actions, and whether they are discrete."""
    if isinstance(given, gymnasium.spaces.Discrete) and given.start == 0:
        return Space(f"choice in [0, {int(given.n) - 1}]"), True
    if not (hasattr(given, "low") and hasattr(given, "high")):
        raise SettingError(f"the action space is {given}; expected a Box or a Discrete; wrap the environment")
    sides: Any = given
    low, high = (np.asarray(bound, dtype=np.float64).ravel() for bound in (sides.low, sides.high))
    names = [f"u{i}" for i in range(len(low))]
    return Space(" ".join(names)).bounded({n: (float(a), float(b)) for n, a, b in zip(names, low, high)}), False


def _warning(kind: str) -> Any:
    """The warning of MuJoCo that a position, velocity or acceleration is not finite, or huge."""
    return getattr(mj.mjtWarning, f"mjWARN_BADQ{kind}")


def _remember(memory: OrderedDict[bytes, Any], key: bytes, value: Any) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
