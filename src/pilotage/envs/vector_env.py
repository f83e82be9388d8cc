"""A vector environment: many worlds of the same models, simulated together."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..core import Dynamics, PilotageError, SettingError, ShapeError, Task
from ..core.settings import by_name, setting, shown, whole
from ..core.task import MAX_VIOLATION
from ._batches import checked_autoreset, chosen, merged, seeds_of
from .boxes import Controls, float_type
from .branching import Snapshot
from .drawing import Drawing, Scene, draw
from .model_env import (
    Inform,
    Look,
    Sensors,
    checked_mode,
    frames,
    observation_space,
    same_spaces,
    simulation,
    state_option,
    vector,
)
from .simulation import Array, Start

EACH = {name: name for name in ("np_random", "np_random_seed")} | {
    "action": "actions",
    "scene": "scenes",
    "state": "states",
    "time": "times",
}
"""Attributes that each environment has for itself: the name in `ModelEnv`, and that of all together here."""
SHARED = {name: f"single_{name}" for name in ("action_space", "observation_space")}


class ModelVectorEnv(VectorEnv[Any, NDArray[Any], NDArray[Any]]):
    """`num_envs` copies of `ModelEnv` with their states in one array, simulated by one call of the models per tick.

    With seed s it behaves like `ModelEnv`s with seeds s, s + 1, ..., each with its own random stream. An episode that
    has ended restarts in the next tick, whose action is ignored (`AutoresetMode.NEXT_STEP`), or in the tick that ends
    it (`AutoresetMode.SAME_STEP`); then the last observation is in ``infos["final_obs"]``, with
    ``infos["final_info"]``.

    Args:
        dynamics, sensors, task, start, inform, drawing, dtype, normalized, resolution, max_violation: as for
            `ModelEnv`.
        num_envs: number of environments.
        render_mode: "rgb_array" (`render` gives a tuple of pictures) or None.
        truncate: False if episodes continue beyond `task.horizon`.
        max_episode_steps: ticks after which an episode is truncated without terminal cost, like a `TimeLimit`.
        autoreset_mode: `AutoresetMode.NEXT_STEP` or `AutoresetMode.SAME_STEP`.

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
    _KEPT = ("_x", "_r", "_carries", "_ticks", "_ended")

    @by_name
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
        normalized: bool = False,
        resolution: float = 0.05,
        max_violation: float = MAX_VIOLATION,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        dtype = float_type(dtype)
        self.num_envs = whole(num_envs, "num_envs")
        if max_episode_steps is not None:
            max_episode_steps = whole(max_episode_steps, "max_episode_steps")
        self.world = simulation(dynamics, sensors, task, start, resolution, max_violation)
        self.single = not isinstance(sensors, Mapping)
        self._same_step = checked_autoreset(autoreset_mode) is AutoresetMode.SAME_STEP
        self.metadata = {**self.metadata, "render_fps": frames(self.world), "autoreset_mode": autoreset_mode}
        self.render_mode = checked_mode(render_mode, self.metadata)
        self.single_observation_space = observation_space(self.world, self.single, dtype)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._controls = Controls(dynamics.action, dtype=dtype, normalized=normalized, batch=(num_envs,))
        self.single_action_space = self._controls.box
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._horizon = task.horizon if truncate else None
        self._limit = max_episode_steps
        self._inform = setting(inform, Inform | None, "inform")
        self._drawing = setting(drawing, Drawing, "drawing")
        self._look = Look(self.world, self.single, dtype, (num_envs,))
        self._streams: list[np.random.Generator] = []
        self._seeds: list[int] = []
        self._x: Array = np.empty((0, dynamics.state.size))
        self._us: Array = np.zeros((num_envs, dynamics.action.size))
        self._r: Array = np.zeros(
            (num_envs, self.world.task.stage.size)
        )  # the references of the task at this tick, and their carries
        self._carries: list[Any] = [None] * num_envs
        self._ticks = np.zeros(num_envs, dtype=np.int64)
        self._ended, self._all = np.zeros(num_envs, dtype=bool), np.ones(num_envs, dtype=bool)
        self.scenes = [Scene(dynamics.state, self.world.dt, model=dynamics) for _ in range(num_envs)]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start all episodes, in states drawn from `task.initial` or in ``options["state"]``, the only option.

        It is a state ``(n,)`` for all, or one for each: ``(N, n)``, or a list of N in which None is to be drawn.
        """
        self._seed(seed)
        self._x = self._first_states(state_option(options))
        self._ticks[:] = 0
        self._carries = [None] * self.num_envs
        self._refer(slice(None))
        self._ended[:] = False
        for scene, x in zip(self.scenes, self._x, strict=True):
            scene.states = [x]
        return self._observation(), self._info(*np.zeros((2, self.num_envs), dtype=bool))

    def step(
        self, actions: ArrayLike
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """The result of a tick of all episodes; those that ended restart."""
        if not len(self._x):
            raise PilotageError("step was called before the first reset; call reset() to start the episodes")
        self._us = us = self._controls(actions)
        self._restart(self._ended.nonzero()[0])
        rewards, terminated, truncated, *faults = self._tick(us, ~self._ended)
        self._ended = terminated | truncated
        observations, info = self._observation(), self._info(*faults)
        if self._same_step and self._ended.any():
            observations, info = self._begun_again(observations, info)
        return observations, rewards, terminated, truncated, info

    def get_state(self) -> Snapshot:
        """All that the rest of the episodes depends on: true states, times, random streams, carries of the task."""
        if not len(self._x):
            raise PilotageError("there are no states before the first reset; call reset() to start the episodes")
        kept = {name: copy.copy(getattr(self, name)) for name in self._KEPT}
        streams = tuple(stream.bit_generator.state for stream in self._streams)
        return Snapshot(kept, streams, tuple(tuple(scene.states) for scene in self.scenes))

    def set_state(self, saved: Snapshot) -> None:
        """Go on from the states that `get_state` returned: the same actions then have the same results, to the bit."""
        if not isinstance(saved, Snapshot):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"the state is {shown(saved)}; expected one that get_state returned")
        saved.check(self, self._KEPT, self.num_envs)
        vars(self).update({name: copy.copy(value) for name, value in saved.values.items()})
        self._streams = self._streams or [np.random.default_rng() for _ in range(self.num_envs)]
        self._seeds = self._seeds or [-1] * self.num_envs
        for stream, state in zip(self._streams, saved.streams, strict=True):
            stream.bit_generator.state = state
        for scene, states in zip(self.scenes, saved.pictured, strict=True):
            scene.states = [*states]

    def replace_dynamics(self, dynamics: Dynamics, which: ArrayLike | None = None) -> None:
        """Let other dynamics of the same spaces move all environments, or those with these indices.

        Args:
            dynamics: such as ``envs.world.dynamics.replace(mass=2.0)``.
            which: indices of environments.
        """
        same_spaces(dynamics, self.world.dynamics)
        if which is None:
            self.world = self.world.moved_by(dynamics)
        elif not self.world.each:
            self.world = self.world.moved_by(self.world.dynamics, [self.world.dynamics] * self.num_envs)
        for i in range(self.num_envs) if which is None else np.atleast_1d(which).tolist():
            self.scenes[i].model = dynamics
            if which is not None:
                self.world.vary(i, dynamics)

    @property
    def states(self) -> Array:
        """The true states ``(num_envs, n)``."""
        return self._x.copy()

    @property
    def actions(self) -> Array:
        """The last actions ``(num_envs, m)``, in the units of the dynamics; zeros before the first."""
        return self._us.copy()

    @property
    def times(self) -> Array:
        """Seconds since each episode began ``(num_envs,)``."""
        return np.asarray(self._ticks * self.world.dt, dtype=np.float64)

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The random stream of each environment. Set it to one for each, or to a single one that is split into them."""
        if not self._streams:
            self._seed(None)
        return tuple(self._streams)

    @np_random.setter
    def np_random(self, value: np.random.Generator | Sequence[np.random.Generator]) -> None:
        streams = value.spawn(self.num_envs) if isinstance(value, np.random.Generator) else [*value]
        if len(streams) != self.num_envs:
            raise ShapeError(
                f"{len(streams)} random streams were given for {self.num_envs} environments; give one each"
            )
        self._streams, self._seeds = streams, [-1] * self.num_envs

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The seed of each random stream; -1 for a stream that was set."""
        return tuple(self._seeds) if self.np_random else ()

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The values of the attribute `name` of `ModelEnv` for each environment; one that all share, once for each.

        Example:
            >>> import gymnasium, pilotage.envs
            >>> envs = gymnasium.make_vec("pilotage/CartPole-v0", num_envs=3)
            >>> envs.get_attr("time"), envs.get_attr("render_mode")
            ((0.0, 0.0, 0.0), (None, None, None))
        """
        if name == "state" and not len(self._x):
            raise PilotageError("there are no states before the first reset; call reset() to start the episodes")
        if name in EACH:
            values = getattr(self, EACH[name])
            return (*(values.tolist() if name == "time" else values),)
        return (getattr(self, SHARED.get(name, name)),) * self.num_envs

    def render(self) -> tuple[Any, ...] | None:
        """The pictures of all worlds in mode "rgb_array"."""
        if self.render_mode != "rgb_array":
            return None
        if not len(self._x):
            raise PilotageError("there is nothing to draw before the first reset; call reset() to start the episodes")
        return tuple(self._drawing(scene) for scene in self.scenes)

    def _tick(self, us: Array, live: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
        """Rewards, terminations, truncations, violations and losses ``(N,)`` of the `live` episodes; 0 of others."""
        which = live.nonzero()[0]
        if len(which) == self.num_envs:
            return self._moved(slice(None), us)
        found = np.zeros(self.num_envs), *np.zeros((4, self.num_envs), dtype=bool)
        if len(which):
            for one, some in zip(found, self._moved(which, chosen(us, which)), strict=True):
                one[which] = some
        return found

    def _moved(self, which: Any, us: Array) -> tuple[NDArray[Any], ...]:
        """The result of a tick of some worlds, given by an array of indices or a slice."""
        world, xs, rs = self.world, chosen(self._x, which), chosen(self._r, which)
        moved = world.move(xs, us, rs, self._some_streams(which) if world.noisy else [], which)
        self._ticks[which] = ticks = chosen(self._ticks, which) + 1
        shown = np.where(moved.lost[:, None], xs, moved.states) if moved.lost.any() else moved.states
        self._x[which] = shown
        self._refer(which)
        verdict, costs = world.judge(xs, moved, us, chosen(self._r, which)), moved.cost
        if moved.violated is None and verdict.states is not moved.states:
            self._x[which] = shown = np.where(moved.lost[:, None], xs, verdict.states)
        over, spent = verdict.over & ~moved.lost, moved.lost | (ticks == (self._horizon or -1))
        if world.charges and (ending := over | spent).any():
            costs = np.array(costs)
            costs[ending] += world.terminal_cost(shown[ending], self._r[which][ending])
        # A step limit also truncates an episode that terminates, as in Gymnasium's TimeLimit.
        truncated = spent & ~over if self._limit is None else (spent & ~over) | (ticks >= self._limit)
        if self.render_mode is not None:
            for scene, x in zip(np.array(self.scenes)[which], shown, strict=True):
                scene.states.append(x.copy())
        return -costs, over, truncated, verdict.violated, moved.lost

    def _some_streams(self, which: Any) -> list[np.random.Generator]:
        return self._streams if isinstance(which, slice) else [self._streams[i] for i in which]

    def _begun_again(self, observations: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The observations with the first ones of restarted episodes, whose last observations are in the info."""
        ended = self._ended
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final[i] = {k: v[i] for k, v in observations.items()} if isinstance(observations, dict) else observations[i]
        self._restart(ended.nonzero()[0])
        began = self._observation(ended)
        last = {name: value for name, value in info.items() if not name.startswith("_")}
        final_info: dict[str, Any] = {}
        for name, value in last.items():
            kept = np.zeros_like(value)
            kept[ended] = value[ended]
            final_info[name], final_info[f"_{name}"] = kept, ended.copy()
        info = self._info(info["violated"] & ~ended, info["lost"] & ~ended)
        info.update(final_obs=final, _final_obs=ended.copy(), final_info=final_info, _final_info=ended.copy())
        self._ended = np.zeros(self.num_envs, dtype=bool)
        return merged(observations, began, ended), info

    def _restart(self, ended: NDArray[np.intp]) -> None:
        if not len(ended):
            return
        self._x[ended] = self.world.starts(self._some_streams(ended.tolist()))
        for i in ended.tolist():
            self._carries[i] = None
        self._ticks[ended] = 0
        self._refer(ended)
        if self.render_mode is not None:
            for i in ended:
                self.scenes[i].states = [self._x[i].copy()]

    def _refer(self, which: Any) -> None:
        """Update the references of some worlds at their states and times, and their carries."""
        if self._r.shape[-1]:
            which = np.arange(self.num_envs)[which]
            carries = [self._carries[i] for i in which]
            self._r[which], carries = self.world.refer(self._x[which], self.times[which], carries)
            for i, carry in zip(which, carries, strict=True):
                self._carries[i] = carry

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        seeds = seeds_of(seed, self.num_envs)
        kept = zip(self._streams, self._seeds, strict=True) if self._streams else [None] * self.num_envs
        pairs = [old if old and s is None else seeding.np_random(s) for s, old in zip(seeds, kept, strict=True)]
        self._streams, self._seeds = [stream for stream, _ in pairs], [s for _, s in pairs]

    def _first_states(self, given: Any) -> Array:
        """States ``(N, n)`` to begin with, drawn where none is given."""
        if given is None:
            return self.world.starts(self._streams)
        each = isinstance(given, (list, tuple)) and len(given) == self.num_envs
        if not each or all(one is not None for one in given):
            return self._states(given)
        space = self.world.dynamics.state
        return np.array(
            [
                self.world.start(stream) if one is None else space.normalize(vector(space, one, "state"))
                for one, stream in zip(given, self._streams, strict=True)
            ]
        )

    def _states(self, given: ArrayLike) -> Array:
        space = self.world.dynamics.state
        xs, shape = space.check(given), (self.num_envs, space.size)
        if xs.shape not in (shape, shape[1:]):
            raise ShapeError(f"state has shape {xs.shape}; expected {shape}, or {shape[1:]} for all environments")
        return np.broadcast_to(space.normalize(xs), shape).copy()

    def _observation(self, which: NDArray[np.bool_] | None = None) -> Any:
        """The observations of all worlds, or of some, in the order of the worlds."""
        xs, streams, scenes = self._x, self._streams, self.scenes
        if which is not None:
            some = np.flatnonzero(which)
            xs, streams, scenes = xs[some], [streams[i] for i in some], [scenes[i] for i in some]
        z = self._look(xs, streams)
        if self.render_mode is not None:
            for i, scene in enumerate(scenes):
                scene.observation = z[i] if self.single else {name: each[i] for name, each in z.items()}
        return z

    def _info(self, violated: NDArray[np.bool_], lost: NDArray[np.bool_]) -> dict[str, Any]:
        values = {"state": self.states, "time": self.times, "violated": violated, "lost": lost}
        if self._inform is not None:
            values |= self._inform(self.states)
        info: dict[str, Any] = {}
        for name, value in values.items():
            info[name], info[f"_{name}"] = value, self._all.copy()
        return info
