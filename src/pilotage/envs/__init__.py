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
    from .acrobot import Acrobot as Acrobot
    from .bullet import BulletDynamics as BulletDynamics
    from .bullet_world import BulletCollisionConstraint as BulletCollisionConstraint
    from .bullet_world import BulletLidar as BulletLidar
    from .bullet_world import boxes_urdf as boxes_urdf
    from .camera import Camera as Camera
    from .cart_pole import CartPole as CartPole
    from .collisions import CollisionConstraint as CollisionConstraint
    from .env_dynamics import EnvDynamics as EnvDynamics
    from .maze import FourRooms as FourRooms
    from .maze import Maze as Maze
    from .maze import PointMaze as PointMaze
    from .maze import TwoRooms as TwoRooms
    from .mujoco import MujocoDynamics as MujocoDynamics
    from .mujoco_sensor import MujocoSensor as MujocoSensor
    from .navigation import Navigation as Navigation
    from .navigation import NavigationVector as NavigationVector
    from .navigation import Robot as Robot
    from .navigation.explorer import Exploration as Exploration
    from .navigation.explorer import Explorer as Explorer
    from .navigation.patrol import Patrol as Patrol
    from .navigation.patrol import free_places as free_places
    from .occluded_ball import OccludedBall as OccludedBall
    from .parking import Parking as Parking
    from .pendulum import Pendulum as Pendulum
    from .quadrotor import Quadrotor as Quadrotor
    from .reacher import Reacher as Reacher
    from .tracking import Tracking as Tracking
    from .tracking import detections as detections
    from .traffic import Traffic as Traffic
    from .truck import TruckBackerUpper as TruckBackerUpper
    from .truck import TruckBackerUpperVector as TruckBackerUpperVector

__all__ = [
    "Acrobot",
    "BulletCollisionConstraint",
    "BulletDynamics",
    "BulletLidar",
    "Camera",
    "Canvas",
    "CartPole",
    "CollisionConstraint",
    "EnvDynamics",
    "Exploration",
    "Explorer",
    "FourRooms",
    "Maze",
    "ModelEnv",
    "ModelVectorEnv",
    "MujocoDynamics",
    "MujocoSensor",
    "Navigation",
    "NavigationVector",
    "OccludedBall",
    "Parking",
    "Patrol",
    "Pendulum",
    "PointMaze",
    "Quadrotor",
    "Reacher",
    "Robot",
    "Scene",
    "Tracking",
    "Traffic",
    "TruckBackerUpper",
    "TruckBackerUpperVector",
    "TwoRooms",
    "box",
    "boxes_urdf",
    "detections",
    "free_places",
    "restore_state",
    "save_state",
    "sb3_vec_env",
]

# Environments, simulators and maps are loaded on first access.
_LAZY = {
    "Acrobot": "acrobot",
    "BulletCollisionConstraint": "bullet_world",
    "BulletDynamics": "bullet",
    "BulletLidar": "bullet_world",
    "Camera": "camera",
    "CartPole": "cart_pole",
    "CollisionConstraint": "collisions",
    "EnvDynamics": "env_dynamics",
    "Exploration": "navigation.explorer",
    "Explorer": "navigation.explorer",
    "FourRooms": "maze",
    "Maze": "maze",
    "MujocoDynamics": "mujoco",
    "MujocoSensor": "mujoco_sensor",
    "Navigation": "navigation",
    "NavigationVector": "navigation",
    "OccludedBall": "occluded_ball",
    "Parking": "parking",
    "Patrol": "navigation.patrol",
    "Pendulum": "pendulum",
    "PointMaze": "maze",
    "Quadrotor": "quadrotor",
    "Reacher": "reacher",
    "Robot": "navigation",
    "Tracking": "tracking",
    "Traffic": "traffic",
    "TruckBackerUpper": "truck",
    "TruckBackerUpperVector": "truck",
    "TwoRooms": "maze",
    "boxes_urdf": "bullet_world",
    "detections": "tracking",
    "free_places": "navigation.patrol",
}

register_all()


if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__, _LAZY)


def __dir__() -> list[str]:
    return sorted(__all__)
