"""Many worlds of the same models, moved together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..core import Dynamics, PilotageError, ShapeError, Task
from ..core.settings import Natural, setting, whole
from .boxes import box
from .drawing import Drawing, Scene, draw
from .model_env import (
    Inform,
    Sensors,
    checked_mode,
    frames,
    no_more,
    observation,
    observation_space,
    simulation,
    state_option,
)
from .simulation import Array, Start

Seeds = Natural | None | tuple[Natural | None, ...]


class ModelVectorEnv(VectorEnv[Any, NDArray[Any], NDArray[Any]]):
    """`num_envs` copies of `ModelEnv` whose states are one array, moved by one call of the models a tick.

    Seeded with s it behaves as `ModelEnv`s seeded with s, s + 1, ..., each with a random stream of its own. An
    episode that ended starts again in the next tick (`AutoresetMode.NEXT_STEP`), whose action is ignored.

    Args:
        dynamics, sensors, task, start, inform, drawing, dtype: as for `ModelEnv`.
        num_envs: how many.
        render_mode: "rgb_array" (`render` gives a tuple of pictures) or None.
        truncate: False lets episodes run on past `task.horizon`.
        max_episode_steps: ticks after which an episode is truncated without terminal cost, as by a `TimeLimit`.

    Example:
        >>> from pilotage.core import Gaussian, Space
        >>> from pilotage.models import dynamics, task
        >>> line, push = Space("x [m]", "v [m/s]"), Space("a [m/s^2] in [-1, 1]")
        >>> cart = dynamics(state=line, action=push)(lambda x, u, p, m: (x[1], u[0]))()
        >>> stop = task(state=line, action=push)(lambda x, u, p, m: x[0] ** 2 + 0.1 * u[0] ** 2)
        >>> envs = ModelVectorEnv(cart, None, stop(initial=Gaussian.of(line, [1, 0], std=0.1)), num_envs=3)
        >>> observations, infos = envs.reset(seed=1)
        >>> observations.shape, infos["state"].shape
        ((3, 2), (3, 2))
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        dynamics: Dynamics,
        sensors: Sensors,
        task: Task,
        *,
        num_envs: int,
        render_mode: str | None = None,
        truncate: bool = True,
        max_episode_steps: int | None = None,
        start: Start | None = None,
        inform: Inform | None = None,
        drawing: Drawing = draw,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.num_envs = whole(num_envs, "num_envs")
        if max_episode_steps is not None:
            max_episode_steps = whole(max_episode_steps, "max_episode_steps")
        self.world = simulation(dynamics, sensors, task, start)
        self.single = not isinstance(sensors, Mapping)
        self.metadata = {**self.metadata, "render_fps": frames(self.world)}
        self.render_mode = checked_mode(render_mode, self.metadata)
        self.single_observation_space = observation_space(self.world, self.single, dtype)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.single_action_space = box(dynamics.action, dtype=dtype)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._horizon = task.horizon if truncate else None
        self._limit = max_episode_steps
        self._inform = setting(inform, Inform | None, "inform") or no_more
        self._drawing, self._dtype = setting(drawing, Drawing, "drawing"), dtype
        self._streams: list[np.random.Generator] = []
        self._x: Array = np.empty((0, dynamics.state.size))
        self._r: Array = np.zeros((num_envs, 0))  # the task's references of this tick, and what they remember
        self._carries: list[Any] = [None] * num_envs
        self._ticks = np.zeros(num_envs, dtype=np.int64)
        self._ended = np.zeros(num_envs, dtype=bool)
        self.scenes = [Scene(dynamics.state, self.world.dt) for _ in range(num_envs)]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, in states drawn from `task.initial` or in ``options["state"]`` ``(N, n)`` or ``(n,)``."""
        self._seed(seed)
        given = state_option(options)
        if given is None:
            self._x = np.array([self.world.start(stream) for stream in self._streams])
        else:
            self._x = self._states(given)
        self._ticks[:] = 0
        self._r, self._carries = self.world.refer(self._x, self._times(), [None] * self.num_envs)
        self._ended[:] = False
        for scene, x in zip(self.scenes, self._x, strict=True):
            scene.states = [x]
        return self._observation(), self._info(np.zeros(self.num_envs, dtype=bool))

    def step(
        self, actions: ArrayLike
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One tick of every episode; those that ended start again."""
        if not len(self._x):
            raise PilotageError("step was called before the first reset; call reset() to start the episodes")
        us = self._actions(actions)
        rewards, violated = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=bool)
        terminated, truncated = violated.copy(), violated.copy()
        live = np.flatnonzero(~self._ended)
        self._restart(np.flatnonzero(self._ended))
        if len(live):
            rewards[live], terminated[live], truncated[live], violated[live] = self._tick(live, us[live])
        self._ended = terminated | truncated
        return self._observation(), rewards, terminated, truncated, self._info(violated)

    @property
    def states(self) -> Array:
        """The true states ``(num_envs, n)``."""
        return self._x.copy()

    def render(self) -> tuple[Any, ...] | None:
        """A picture of each world in mode "rgb_array"."""
        if self.render_mode != "rgb_array":
            return None
        if not len(self._x):
            raise PilotageError("there is nothing to draw before the first reset; call reset() to start the episodes")
        return tuple(self._drawing(scene) for scene in self.scenes)

    def _tick(self, live: NDArray[np.intp], us: Array) -> tuple[NDArray[Any], ...]:
        world, xs = self.world, self._x[live]
        costs = world.cost(xs, us, self._r[live])
        ys = world.advance(xs, us, [self._streams[i] for i in live])
        self._ticks[live] += 1
        xs = np.where(np.isfinite(ys).all(-1, keepdims=True), ys, xs)
        self._x[live] = xs
        self._refer(live)
        verdict = world.judge(ys, us, self._r[live])
        spent = np.zeros(len(live), dtype=bool) if self._horizon is None else self._ticks[live] == self._horizon
        ending = verdict.over | spent
        if ending.any():
            costs[ending] += world.terminal_cost(xs[ending], self._r[live][ending])
        limit = np.zeros(len(live), dtype=bool) if self._limit is None else self._ticks[live] >= self._limit
        # A step limit truncates beside a termination too, as Gymnasium's TimeLimit does.
        truncated = (spent & ~verdict.over) | limit
        if self.render_mode is not None:
            for i in live:
                self.scenes[i].states.append(self._x[i].copy())
        return -costs, verdict.over, truncated, verdict.violated

    def _restart(self, ended: NDArray[np.intp]) -> None:
        for i in ended:
            self._x[i] = self.world.start(self._streams[i])
            self.scenes[i].states = [self._x[i].copy()]
            self._carries[i] = None
        self._ticks[ended] = 0
        self._refer(ended)

    def _refer(self, which: NDArray[np.intp]) -> None:
        """Take the references of some worlds at their states and times, and what they remember for the next tick."""
        r, carries = self.world.refer(self._x[which], self._times()[which], [self._carries[i] for i in which])
        if r.shape[-1]:
            self._r[which] = r
            for i, carry in zip(which, carries, strict=True):
                self._carries[i] = carry

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        given: Any = setting(seed, Seeds, "seed")
        seeds = (
            given if isinstance(given, tuple) else [None if given is None else given + i for i in range(self.num_envs)]
        )
        if len(seeds) != self.num_envs:
            raise ShapeError(f"{len(seeds)} seeds were given for {self.num_envs} environments; give one each")
        fresh = not self._streams
        self._streams = [
            seeding.np_random(s)[0] if fresh or s is not None else self._streams[i] for i, s in enumerate(seeds)
        ]

    def _states(self, given: ArrayLike) -> Array:
        space = self.world.dynamics.state
        xs, shape = space.check(given), (self.num_envs, space.size)
        if xs.shape not in (shape, shape[1:]):
            raise ShapeError(f"state has shape {xs.shape}; expected {shape}, or {shape[1:]} for all environments")
        return np.broadcast_to(space.normalize(xs), shape).copy()

    def _actions(self, actions: ArrayLike) -> Array:
        space = self.world.dynamics.action
        us = space.check(actions, "actions")
        if us.shape != (self.num_envs, space.size):
            raise ShapeError(f"actions has shape {us.shape}; expected ({self.num_envs}, {space.size})")
        return space.clip(us)

    def _times(self) -> Array:
        return np.asarray(self._ticks * self.world.dt, dtype=np.float64)

    def _observation(self) -> Any:
        z = observation(self.world, self._x, self._streams, self.single, self._dtype)
        if self.render_mode is not None:
            for i, scene in enumerate(self.scenes):
                scene.observation = z[i] if self.single else {name: each[i] for name, each in z.items()}
        return z

    def _info(self, violated: NDArray[np.bool_]) -> dict[str, Any]:
        values = {"state": self.states, "time": self._times(), "violated": violated, **self._inform(self.states)}
        info: dict[str, Any] = {}
        for name, value in values.items():
            info[name], info[f"_{name}"] = value, np.ones(self.num_envs, dtype=bool)
        return info
