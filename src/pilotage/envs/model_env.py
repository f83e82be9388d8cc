"""Any dynamics, sensors and task as a Gymnasium environment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..core import Dynamics, PilotageError, Sensor, SettingError, ShapeError, Space, Task
from ..core.settings import setting, shown
from .boxes import box, boxed, boxes
from .canvas import Window
from .drawing import Drawing, Scene, draw
from .simulation import Array, Simulation, Start, Streams

Sensors: TypeAlias = Sensor | Mapping[str, Sensor | tuple[Sensor, Any]] | None
Inform: TypeAlias = Callable[[Array], dict[str, Any]]


class ModelEnv(gymnasium.Env[Any, NDArray[Any]]):
    """A world made of models: ``x' = step(x, u) (+) w``, observation ``observe(x') (+) v``, reward ``-cost(x, u)``.

    Actions are in the units of the dynamics, and clipped to the bounds of their space. Observations are float32,
    clipped to the bounds of the reading's space, with NaN never among them; ``info["state"]`` is the true state in
    float64. An episode terminates when the task is done, a constraint is violated or the state is no longer finite
    (``info["violated"]``); it is truncated after `task.horizon` ticks. The terminal cost is charged when it ends, so
    that the sum of rewards is minus the objective of the task.

    Args:
        dynamics: how the true state moves.
        sensors: one sensor (the observation is a `Box`), sensors by name (a `Dict`), or None: the state itself. A
            sensor that needs a context comes as a pair ``(sensor, context)``.
        task: where an episode starts, what a tick costs, when it is over, and how long a tick takes.
        render_mode: "human", "rgb_array" or None.
        truncate: False leaves the length of an episode to a `TimeLimit`.
        start: draws the state in which an episode starts from a random stream; the default draws from `task.initial`.
        inform: from the true states ``(..., n)`` to more entries of `info`, each an array ``(...)`` or ``(..., k)``.
        drawing: from a `Scene` to a picture; the default draws states from above or as curves.
        dtype: of observations and actions.

    Example:
        >>> from pilotage.core import Gaussian, Space
        >>> from pilotage.models import dynamics, task
        >>> line, push = Space("x [m]", "v [m/s]"), Space("a [m/s^2] in [-1, 1]")
        >>> cart = dynamics(state=line, action=push)(lambda x, u, p, m: (x[1], u[0]))()
        >>> stop = task(state=line, action=push)(lambda x, u, p, m: x[0] ** 2 + 0.1 * u[0] ** 2)
        >>> env = ModelEnv(cart, None, stop(initial=Gaussian.of(line, [1, 0], std=0.1), dt=0.1))
        >>> observation, info = env.reset(seed=1)
        >>> observation, reward, terminated, truncated, info = env.step([-1.0])
        >>> observation.dtype, bool(reward < 0), terminated
        (dtype('float32'), True, False)
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        dynamics: Dynamics,
        sensors: Sensors,
        task: Task,
        *,
        render_mode: str | None = None,
        truncate: bool = True,
        start: Start | None = None,
        inform: Inform | None = None,
        drawing: Drawing = draw,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.world = simulation(dynamics, sensors, task, start)
        self.single = not isinstance(sensors, Mapping)
        self.metadata = {**self.metadata, "render_fps": frames(self.world)}
        self.render_mode = checked_mode(render_mode, self.metadata)
        self.observation_space = observation_space(self.world, self.single, dtype)
        self.action_space = box(dynamics.action, dtype=dtype)
        self.scene = Scene(dynamics.state, self.world.dt)
        self._horizon = task.horizon if truncate else None
        self._inform = setting(inform, Inform | None, "inform") or no_more
        self._drawing, self._dtype = setting(drawing, Drawing, "drawing"), dtype
        self._window: Window | None = None
        self._x: Array | None = None
        self._r: Array = np.zeros(0)  # the task's reference of this tick
        self._carry: Any = None
        self._ticks = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, in a state drawn from `task.initial` or in ``options["state"]``, its only option."""
        super().reset(seed=seed)
        given, space = state_option(options), self.world.dynamics.state
        x = self.world.start(self.np_random) if given is None else space.normalize(vector(space, given, "state"))
        self._x, self._ticks = x, 0
        self._r, self._carry = self.world.refer(x, 0.0, None)
        self.scene.states = [x]
        return self._seen(), self._info(False)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One tick of `task.dt` seconds under `action`."""
        if self._x is None:
            raise PilotageError("step was called before the first reset; call reset() to start an episode")
        world, x = self.world, self._x
        u = world.dynamics.action.clip(vector(world.dynamics.action, action, "action"))
        cost = float(world.cost(x, u, self._r))
        y = world.advance(x, u, self.np_random)
        self._ticks += 1
        if np.isfinite(y).all():  # what cannot be observed is shown as it last was
            self._x = y
            self._r, self._carry = world.refer(y, self.time, self._carry)
        verdict = world.judge(y, u, self._r)
        terminated = bool(verdict.over)
        truncated = not terminated and self._ticks == self._horizon
        if terminated or truncated:
            cost += float(world.terminal_cost(self._x, self._r))
        if self.render_mode is not None:
            self.scene.states.append(self._x)
        return self._seen(), -cost, terminated, truncated, self._info(bool(verdict.violated))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.world.dynamics!r}, {self.world.task!r})"

    @property
    def state(self) -> Array:
        """The true state ``(n,)``."""
        if self._x is None:
            raise PilotageError("there is no state before the first reset; call reset() to start an episode")
        return self._x.copy()

    @property
    def time(self) -> float:
        """Seconds since the episode began."""
        return self._ticks * self.world.dt

    def render(self) -> Any:
        """The picture ``(height, width, 3)`` in mode "rgb_array"; in mode "human" the window draws itself."""
        if self.render_mode != "rgb_array":
            return None
        if self._x is None:
            raise PilotageError("there is nothing to draw before the first reset; call reset() to start an episode")
        return self._drawing(self.scene)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _seen(self) -> Any:
        """The observation of the present state, shown on the screen where there is one."""
        z = observation(self.world, self.state, self.np_random, self.single, self._dtype)
        self.scene.observation = z
        if self.render_mode == "human":
            self._window = self._window or Window("Pilotage")
            self._window.show(self._drawing(self.scene), self.metadata["render_fps"])
        return copy.deepcopy(z)

    def _info(self, violated: bool) -> dict[str, Any]:
        more = {name: plain(value) for name, value in self._inform(self.state).items()}
        return {"state": self.state, "time": self.time, "violated": violated, **more}


def no_more(x: Array) -> dict[str, Any]:
    """No more entries of `info`."""
    return {}


def plain(value: Any) -> Any:
    """An array, or the Python number that an array without axes holds."""
    array = np.array(value)
    return array.item() if array.ndim == 0 else array


def simulation(dynamics: Dynamics, sensors: Sensors, task: Task, start: Start | None) -> Simulation:
    """The world of these models; a single sensor goes by the name "reading"."""
    named = {"reading": sensors} if isinstance(sensors, (Sensor, tuple)) else sensors
    if named is not None and not (isinstance(named, Mapping) and named):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PilotageError(
            f"sensors are {sensors!r}; expected one sensor, sensors by name in a mapping, or None to see the state; "
            "a sensor with its context is a pair (sensor, context)"
        )
    return Simulation(dynamics, named, task, start)


def state_option(options: Mapping[str, Any] | None) -> Any:
    """The first state that the options of `reset` ask for, or None."""
    if options is not None and not isinstance(options, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"options are {shown(options)}; expected a mapping, as in {{'state': [0.0, 0.0]}}")
    for name in options or {}:
        if name != "state":
            raise SettingError(f"reset has no option {name!r}; it has state, the state to start in")
    return (options or {}).get("state")


def vector(space: Space, value: Any, name: str) -> Array:
    """One state or action ``(size,)`` as a copy, or a sentence that says why it is none."""
    given = space.check(value, name)
    if given.ndim != 1:
        raise ShapeError(f"{name} has shape {given.shape}; one environment takes ({space.size},)")
    return given.copy()


def frames(world: Simulation) -> int:
    """Frames per second that show a world at its own pace."""
    return max(1, round(1.0 / world.dt))


def checked_mode(mode: str | None, about: Mapping[str, Any]) -> str | None:
    """A render mode that exists."""
    if mode is not None and mode not in about["render_modes"]:
        raise SettingError(f"render_mode is {mode!r}; it can be None, {', '.join(map(repr, about['render_modes']))}")
    return mode


def observation_space(world: Simulation, single: bool, dtype: DTypeLike) -> gymnasium.Space[Any]:
    """A box for a single reading, a dictionary of boxes for several."""
    readings = world.readings
    return box(next(iter(readings.values())), dtype=dtype) if single else boxes(readings, dtype=dtype)


def observation(world: Simulation, x: Array, streams: Streams, single: bool, dtype: DTypeLike) -> Any:
    """Observations in states `x`, inside `observation_space`."""
    readings = world.observe(x, streams)
    inside = {name: boxed(world.readings[name], z, dtype=dtype) for name, z in readings.items()}
    return next(iter(inside.values())) if single else inside
