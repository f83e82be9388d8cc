"""Gymnasium environments built from models, and simulators as models.

Importing this room registers its environments: ``gymnasium.make("pilotage/Navigation-v0")``.
"""

from __future__ import annotations

from ..core import require

require("gymnasium", extra="envs")

from .boxes import box as box  # noqa: E402
from .canvas import Canvas as Canvas  # noqa: E402
from .drawing import Scene as Scene  # noqa: E402
from .model_env import ModelEnv as ModelEnv  # noqa: E402
from .vector_env import ModelVectorEnv as ModelVectorEnv  # noqa: E402

__all__ = ["Canvas", "ModelEnv", "ModelVectorEnv", "Scene", "box"]
