"""Gymnasium environments built from models, and simulators as models.

Importing this subpackage registers its environments: ``gymnasium.make("pilotage/Navigation-v0")``. If an import is not
possible, as in a configuration file, the name ``"pilotage.envs:pilotage/Navigation-v0"`` includes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import require
from ..core.names import absent

require("gymnasium", extra="envs")

from .boxes import box as box  # noqa: E402
from .branching import restore_state as restore_state  # noqa: E402
from .branching import save_state as save_state  # noqa: E402
from .canvas import Canvas as Canvas  # noqa: E402
from .drawing import Scene as Scene  # noqa: E402
from .model_env import ModelEnv as ModelEnv  # noqa: E402
from .registry import register_all  # noqa: E402
from .stable_baselines import sb3_vec_env as sb3_vec_env  # noqa: E402
from .vector_env import ModelVectorEnv as ModelVectorEnv  # noqa: E402

if TYPE_CHECKING:
    from .bullet import BulletDynamics as BulletDynamics
    from .bullet_world import BulletCollisionConstraint as BulletCollisionConstraint
    from .bullet_world import BulletLidar as BulletLidar
    from .bullet_world import boxes_urdf as boxes_urdf
    from .camera import Camera as Camera
    from .collisions import CollisionConstraint as CollisionConstraint
    from .env_dynamics import EnvDynamics as EnvDynamics
    from .maze import Maze as Maze
    from .mujoco import MujocoDynamics as MujocoDynamics
    from .mujoco_sensor import MujocoSensor as MujocoSensor
    from .navigation import Navigation as Navigation
    from .navigation import NavigationVector as NavigationVector
    from .navigation import Robot as Robot
    from .truck import TruckBackerUpper as TruckBackerUpper
    from .truck import TruckBackerUpperVector as TruckBackerUpperVector

__all__ = [
    "BulletCollisionConstraint",
    "BulletDynamics",
    "BulletLidar",
    "Camera",
    "Canvas",
    "CollisionConstraint",
    "EnvDynamics",
    "Maze",
    "ModelEnv",
    "ModelVectorEnv",
    "MujocoDynamics",
    "MujocoSensor",
    "Navigation",
    "NavigationVector",
    "Robot",
    "Scene",
    "TruckBackerUpper",
    "TruckBackerUpperVector",
    "box",
    "boxes_urdf",
    "restore_state",
    "save_state",
    "sb3_vec_env",
]

# Simulators and maps are loaded on first access.
_LAZY = {
    "Camera": "camera",
    "Maze": "maze",
    "BulletCollisionConstraint": "bullet_world",
    "BulletDynamics": "bullet",
    "BulletLidar": "bullet_world",
    "boxes_urdf": "bullet_world",
    "CollisionConstraint": "collisions",
    "EnvDynamics": "env_dynamics",
    "MujocoDynamics": "mujoco",
    "MujocoSensor": "mujoco_sensor",
    "Navigation": "navigation",
    "NavigationVector": "navigation",
    "Robot": "navigation",
    "TruckBackerUpper": "truck",
    "TruckBackerUpperVector": "truck",
}

register_all()


if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__, _LAZY)


def __dir__() -> list[str]:
    return sorted(__all__)
