"""A Gymnasium environment from dynamics, sensors and a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..core import Dynamics, PilotageError, Sensor, SettingError, ShapeError, Space, Task
from ..core.settings import by_name, setting, shown
from ..core.task import MAX_VIOLATION
from .boxes import Controls, Shown, box, boxes, float_type
from .branching import Snapshot
from .canvas import Window
from .drawing import Drawing, Scene, draw
from .simulation import Array, Simulation, Start, Streams

Sensors: TypeAlias = Sensor | Mapping[str, Sensor | tuple[Sensor, Any]] | None
Inform: TypeAlias = Callable[[Array], dict[str, Any]]


class ModelEnv(gymnasium.Env[Any, NDArray[Any]]):
    """An environment of models: ``x' = step(x, u) (+) w``, observation ``observe(x') (+) v``, reward ``-cost(x, u)``.

    Actions are in the units of the dynamics, and are clipped to the bounds of their space. Observations are float32 and
    never NaN. They are clipped to the bounds of the reading's space, like a saturating instrument; so is the state if
    it is observed without a sensor. The true state, float64 in ``info["state"]``, is not bounded; to limit it, add a
    constraint to the task. An episode terminates if the task is done or a constraint is violated
    (``info["violated"]``); it is truncated after `task.horizon` ticks, or if the simulation diverges and the
    state is not finite (``info["lost"]``); the last finite one stays. The terminal cost is charged at its end,
    so that the sum of rewards is minus the objective of the task. Further steps after the end return that the episode
    is over.

    Constraints are also checked between ticks, at states at most `resolution` apart on the shortest way
    (`Space.interpolate`) from one state to the next, measured in the components that the constraint reads. The episode
    ends at the first state that violates a constraint.

    Args:
        dynamics: model of the true state.
        sensors: one sensor (the observation is a `Box`), sensors by name (a `Dict`), or None for the state itself. Give
            a sensor that needs a context as a pair ``(sensor, context)``.
        task: initial belief, costs and end of an episode, and the duration of a tick.
        render_mode: "human", "rgb_array" or None.
        truncate: False if a `TimeLimit` determines the length of an episode.
        start: a function that draws the initial state from a random stream; the default draws from `task.initial`.
        inform: a function from true states ``(..., n)`` to additional entries of `info`, each ``(...)`` or
            ``(..., k)``.
        drawing: a function from a `Scene` to a picture; the default draws states from above or as curves.
        dtype: type of observations and actions.
        normalized: True if actions are in [-1, 1], scaled to the bounds of the action space, as learners prefer.
        resolution: distance of constraint checks between ticks, in the units of the state; thinner obstacles may be
            missed. The default is for metres; give more if the units are millimetres, say. A tick has at most 10 000
            checks.
        max_violation: largest value of the constraint that is no violation; the default is that of controllers, 1e-3.

    Raises:
        SettingError: if settings do not match, or the initial belief of the task is not a belief.

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
    _KEPT = ("_x", "_u", "_r", "_carry", "_ticks", "_terminated", "_truncated")

    @by_name
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
        normalized: bool = False,
        resolution: float = 0.05,
        max_violation: float = MAX_VIOLATION,
    ) -> None:
        dtype = float_type(dtype)
        self.world = simulation(dynamics, sensors, task, start, resolution, max_violation)
        self.single = not isinstance(sensors, Mapping)
        self.metadata = {**self.metadata, "render_fps": frames(self.world)}
        self.render_mode = checked_mode(render_mode, self.metadata)
        self.observation_space = observation_space(self.world, self.single, dtype)
        self._controls = Controls(dynamics.action, dtype=dtype, normalized=normalized)
        self.action_space = self._controls.box
        self.scene = Scene(dynamics.state, self.world.dt, model=dynamics)
        self._horizon = task.horizon if truncate else None
        self._inform = setting(inform, Inform | None, "inform")
        self._drawing, self._look = setting(drawing, Drawing, "drawing"), Look(self.world, self.single, dtype)
        self._window: Window | None = None
        self._x: Array | None = None
        self._u: Array = np.zeros(dynamics.action.size)
        self._r: Array = np.zeros(0)  # the reference of the task at this tick
        self._carry: Any = None
        self._ticks = 0
        self._terminated = self._truncated = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, in a state drawn from `task.initial` or in ``options["state"]``, its only option."""
        super().reset(seed=seed)
        given, space = state_option(options), self.world.dynamics.state
        x = self.world.start(self.np_random) if given is None else space.normalize(vector(space, given, "state"))
        self._x, self._ticks = x, 0
        self._terminated = self._truncated = False
        self._r, self._carry = self.world.refer(x, 0.0, None)
        self.scene.states = [x]
        return self._seen(), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """The result of a tick of `task.dt` seconds under `action`."""
        if self._x is None:
            raise PilotageError("step was called before the first reset; call reset() to start an episode")
        world, x = self.world, self._x
        self._u = u = self._controls(action)
        moved = world.move(x, u, self._r, self.np_random)
        cost, y = float(moved.cost), moved.states
        self._ticks += 1
        if self._r.size and not moved.lost:  # a lost state cannot be observed; the last one is shown
            self._r, self._carry = world.refer(y, self.time, self._carry)
        verdict = world.judge(x, moved, u, self._r)
        if not moved.lost:  # what cannot be observed is shown as it last was
            self._x = verdict.states
        ended, lost = self._terminated or self._truncated, bool(moved.lost)
        self._terminated = self._terminated or (bool(verdict.over) and not lost)
        self._truncated = self._truncated or (not self._terminated and (lost or self._ticks == self._horizon))
        if world.charges and not ended and (self._terminated or self._truncated):
            cost += float(world.terminal_cost(self._x, self._r))
        if self.render_mode is not None:
            self.scene.states.append(self._x)
        return self._seen(), -cost, self._terminated, self._truncated, self._info(bool(verdict.violated), lost)

    def replace_dynamics(self, dynamics: Dynamics) -> None:
        """Let other dynamics of the same spaces move the world, such as ``env.world.dynamics.replace(mass=2.0)``."""
        same_spaces(dynamics, self.world.dynamics)
        self.world = self.world.moved_by(dynamics)
        self.scene.model = dynamics

    @property
    def action(self) -> Array:
        """The last action that acted ``(m,)``, in the units of the dynamics; zeros before the first."""
        return self._u.copy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.world.dynamics!r}, {self.world.task!r})"

    @property
    def state(self) -> Array:
        """The true state ``(n,)``."""
        if self._x is None:
            raise PilotageError("there is no state before the first reset; call reset() to start an episode")
        return self._x.copy()

    def get_state(self) -> Snapshot:
        """All that the rest of the episode depends on: true state, time, random stream, and what the task carries."""
        if self._x is None:
            raise PilotageError("there is no state before the first reset; call reset() to start an episode")
        kept = {name: getattr(self, name) for name in self._KEPT}
        return Snapshot(kept, (self.np_random.bit_generator.state,), (tuple(self.scene.states),))

    def set_state(self, saved: Snapshot | ArrayLike) -> None:
        """Go on from a state that `get_state` returned: the same actions then have the same results, to the bit.

        Of a state ``(n,)`` alone, time and random stream stay as they are, and the episode has not ended.
        """
        if isinstance(saved, Snapshot):
            saved.check(self, self._KEPT)
            vars(self).update(saved.values)
            self.np_random.bit_generator.state = saved.streams[0]
            self.scene.states = [*saved.pictured[0]]
            return
        space = self.world.dynamics.state
        self._x = x = np.asarray(space.normalize(vector(space, saved, "state")))
        self._terminated = self._truncated = False
        self._r, self._carry = self.world.refer(x, self.time, self._carry)
        self.scene.states = [*self.scene.states[:-1], x]

    @property
    def time(self) -> float:
        """Seconds since the episode began."""
        return self._ticks * self.world.dt

    def render(self) -> Any:
        """The picture ``(height, width, 3)`` in mode "rgb_array"; in mode "human" the window updates by itself."""
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
        """The observation of the current state, which is also shown in the window, if there is one."""
        assert self._x is not None
        z = self._look(self._x, self.np_random)
        self.scene.observation = z
        if self.render_mode == "human":
            self._window = self._window or Window("Pilotage")
            self._window.show(self._drawing(self.scene), self.metadata["render_fps"])
        return {name: each.copy() for name, each in z.items()} if isinstance(z, dict) else z.copy()

    def _info(self, violated: bool = False, lost: bool = False) -> dict[str, Any]:
        info: dict[str, Any] = {"state": self.state, "time": self.time, "violated": violated, "lost": lost}
        if self._inform is not None:
            info.update((name, plain(value)) for name, value in self._inform(self.state).items())
        return info


def same_spaces(dynamics: Dynamics, mine: Dynamics) -> None:
    """Refuse dynamics that have other states or actions."""
    if dynamics.state != mine.state or dynamics.action != mine.action:
        raise SettingError(f"{dynamics!r} has other states or actions than {mine!r}; give a model of the same spaces")


def plain(value: Any) -> Any:
    """An array, or the Python number of an array without axes."""
    array = np.array(value)
    return array.item() if array.ndim == 0 else array


def simulation(
    dynamics: Dynamics, sensors: Sensors, task: Task, start: Start | None, resolution: float, max_violation: float
) -> Simulation:
    """The simulation of these models; a single sensor has the name "reading"."""
    named = {"reading": sensors} if isinstance(sensors, (Sensor, tuple)) else sensors
    if named is not None and not (isinstance(named, Mapping) and named):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PilotageError(
            f"sensors are {sensors!r}; expected one sensor, sensors by name in a mapping, or None to see the state; "
            "a sensor with its context is a pair (sensor, context)"
        )
    return Simulation(dynamics, named, task, start, resolution, max_violation)


def state_option(options: Mapping[str, Any] | None) -> Any:
    """The initial state in the options of `reset`, or None."""
    if options is not None and not isinstance(options, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"options are {shown(options)}; expected a mapping, as in {{'state': [0.0, 0.0]}}")
    for name in options or {}:
        if name != "state":
            raise SettingError(f"reset has no option {name!r}; it has state, the state to start in")
    return (options or {}).get("state")


def vector(space: Space, value: Any, name: str) -> Array:
    """A copy of one state or action ``(size,)``; raises an error if it is not valid."""
    given = space.check(value, name)
    if given.ndim != 1:
        raise ShapeError(f"{name} has shape {given.shape}; one environment takes ({space.size},)")
    return given.copy()


def frames(world: Simulation) -> int:
    """The frames per second that show a world in real time."""
    return max(1, round(1.0 / world.dt))


def checked_mode(mode: str | None, about: Mapping[str, Any]) -> str | None:
    """`mode`, if it is a valid render mode."""
    if mode is not None and mode not in about["render_modes"]:
        raise SettingError(f"render_mode is {mode!r}; it can be None, {', '.join(map(repr, about['render_modes']))}")
    return mode


def observation_space(world: Simulation, single: bool, dtype: DTypeLike) -> gymnasium.Space[Any]:
    """A box for a single reading, a dictionary of boxes for several."""
    readings = world.readings
    return box(next(iter(readings.values())), dtype=dtype) if single else boxes(readings, dtype=dtype)


class Look:
    """Observations inside `observation_space`, for one world or several.

    Args:
        world: the world to observe.
        single: whether there is a single reading, which is returned without its name.
        dtype: type of floats.
        batch: ``(N,)`` for up to N worlds at once.
    """

    def __init__(self, world: Simulation, single: bool, dtype: DTypeLike, batch: tuple[int, ...] = ()) -> None:
        self._world = world
        self._shown = {name: Shown(space, dtype=dtype, batch=batch) for name, space in world.readings.items()}
        self._only = next(iter(self._shown)) if single else None

    def __call__(self, x: Array, streams: Streams) -> Any:
        """The observation of states `x`."""
        readings = self._world.observe(x, streams)
        if self._only is not None:
            return self._shown[self._only](readings[self._only])
        return {name: self._shown[name](z) for name, z in readings.items()}
