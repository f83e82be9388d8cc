"""The base of environments with models of their own."""

from __future__ import annotations

from typing import Any


class Preset:
    """The base of environments with models of their own; it stands before `ModelEnv` or `ModelVectorEnv`.

    Example:
        >>> from pilotage.envs.model_env import ModelEnv
        >>> from pilotage.envs.pendulum import ROD, SWING
        >>> class Swing(Preset, ModelEnv):
        ...     def __init__(self, **settings):
        ...         self._fill(ROD, None, SWING, settings, normalized=True)
        >>> Swing().action_space.high.tolist(), Swing(normalized=False).action_space.high.tolist()
        ([1.0], [2.0])
    """

    def _fill(self, dynamics: Any, sensors: Any, task: Any, given: dict[str, Any], **own: Any) -> None:
        """Make the environment from its models and its own settings, of which the given ones replace any."""
        made = {"sensors": sensors, **own, **given}
        env: Any = super()
        env.__init__(dynamics, made.pop("sensors"), task, **made)
