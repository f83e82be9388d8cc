"""The class behind `sb3_vec_env`, which needs Stable-Baselines3 to exist."""

# pyright: basic

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from ..core import SettingError, require

require("stable_baselines3", extra="train")

from stable_baselines3.common.vec_env import VecEnv  # noqa: E402  # pyright: ignore[reportMissingImports]

Indices = int | Iterable[int] | None


class SB3VecEnv(VecEnv):
    """A vector environment as a `VecEnv`; see `sb3_vec_env`."""

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise SettingError(
                "Stable-Baselines3 expects episodes to start again in the step that ends them; make the environment "
                "with autoreset_mode=AutoresetMode.SAME_STEP"
            )
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._actions = np.zeros(())

    def reset(self) -> Any:
        """Start all episodes, with the seeds and the state that `seed` and `set_options` have laid down."""
        named = {name for option in self._options for name in option}
        options = {name: [option.get(name) for option in self._options] for name in named} or None
        seeds: Any = [*self._seeds]
        z, info = self.envs.reset(seed=seeds, options=options)
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [self._row(info, i) for i in range(self.num_envs)]
        return z

    def step_async(self, actions: Any) -> None:
        """Take the actions of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Observations, rewards, ends and infos of a step; the last observation is in the info of an end."""
        z, rewards, terminated, truncated, info = self.envs.step(self._actions)
        done, infos = terminated | truncated, [self._row(info, i) for i in range(self.num_envs)]
        for i in np.flatnonzero(done).tolist():
            self.reset_infos[i] = infos[i]
            infos[i] = self._row(info["final_info"], i) | {"terminal_observation": info["final_obs"][i]}
        for i, one in enumerate(infos):
            one["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        return z, rewards.astype(np.float32), done, infos

    def close(self) -> None:
        """Close the environments."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute of each environment, as `ModelVectorEnv.get_attr` has it; or one that all share."""
        if attr_name in ("action_space", "observation_space"):  # which wrappers may change
            return [getattr(self, attr_name) for _ in self._get_indices(indices)]
        core: Any = self.envs.unwrapped
        each: Any = getattr(core, "get_attr", None)
        values = each(attr_name) if each else (getattr(core, attr_name),) * self.num_envs
        return [values[i] for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of all environments."""
        self._for_all(indices, "set_attr")
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **settings: Any) -> list[Any]:
        """The answer of a method of the vector environment, once for each index."""
        count = self._for_all(indices, "env_method")
        return [getattr(self.envs, method_name)(*args, **settings)] * count

    def env_is_wrapped(self, wrapper_class: Any, indices: Indices = None) -> list[bool]:
        """No environment is wrapped on its own."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> list[Any]:
        """Pictures of all environments."""
        return [*(self.envs.render() or ())]

    def _for_all(self, indices: Indices, asked: str) -> int:
        """The number of environments, which are one object: what is done to some would be done to all."""
        chosen = [*self._get_indices(indices)]
        if {i % self.num_envs for i in chosen} != {*range(self.num_envs)}:
            raise SettingError(
                f"{asked} is for environments {chosen}, but all {self.num_envs} are one object; leave out the indices, "
                "or use DummyVecEnv"
            )
        return len(chosen)

    @staticmethod
    def _row(info: dict[str, Any], i: int) -> dict[str, Any]:
        """The info of one environment."""
        plain = {name: value for name, value in info.items() if not name.startswith(("_", "final_"))}
        row = SB3VecEnv._row
        return {name: row(value, i) if isinstance(value, dict) else value[i] for name, value in plain.items()}
