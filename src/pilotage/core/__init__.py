"""The language all of Pilotage speaks: spaces, beliefs, protocols, results, errors and random streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .agent import Agent as Agent
from .agent import Filtered as Filtered
from .belief import Belief as Belief
from .boxes import BOX as BOX
from .boxes import boxes_from_corners as boxes_from_corners
from .boxes import giou as giou
from .boxes import iou as iou
from .carry import carry as carry
from .compiled import Compiled as Compiled
from .compiled import MachineCode as MachineCode
from .diagonal import Diagonal as Diagonal
from .dynamics import Dynamics as Dynamics
from .errors import CovarianceError as CovarianceError
from .errors import FormatError as FormatError
from .errors import FormatWarning as FormatWarning
from .errors import MissingExtra as MissingExtra
from .errors import MissingFile as MissingFile
from .errors import ModelError as ModelError
from .errors import PilotageError as PilotageError
from .errors import SettingError as SettingError
from .errors import ShapeError as ShapeError
from .errors import SpaceError as SpaceError
from .errors import require as require
from .gaussian import Gaussian as Gaussian
from .joint import augment as augment
from .joint import condition as condition
from .linearize import jacobian as jacobian
from .mathematics import Mathematics as Mathematics
from .mathematics import math_for as math_for
from .mathematics import numpy_math as numpy_math
from .mathematics import torch_math as torch_math
from .mixture import Mixture as Mixture
from .moving import MovingObstacle as MovingObstacle
from .names import absent
from .particles import Particles as Particles
from .parts import SE2 as SE2
from .parts import SE3 as SE3
from .parts import Angle as Angle
from .parts import Block as Block
from .parts import ExtendedPose as ExtendedPose
from .parts import LeftPerturbed as LeftPerturbed
from .parts import Part as Part
from .parts import Quaternion as Quaternion
from .parts import Real as Real
from .parts import Sphere as Sphere
from .plan import Plan as Plan
from .plan import PlanStatus as PlanStatus
from .point import Point as Point
from .problem import EdgeConstraint as EdgeConstraint
from .problem import Problem as Problem
from .protocols import Controller as Controller
from .protocols import Estimator as Estimator
from .protocols import Filter as Filter
from .protocols import Perception as Perception
from .protocols import Planner as Planner
from .protocols import WorldModel as WorldModel
from .raster import Raster as Raster
from .results import Action as Action
from .results import ActionStatus as ActionStatus
from .results import FilterRun as FilterRun
from .results import Update as Update
from .scans import Readings as Readings
from .scans import Scans as Scans
from .sensor import Sensor as Sensor
from .space import Space as Space
from .status import FilterStatus as FilterStatus
from .streams import Rng as Rng
from .streams import generator as generator
from .streams import seeded as seeded
from .task import Task as Task
from .track_table import TrackTable as TrackTable
from .transform_tree import TransformTree as TransformTree

__all__ = [
    "BOX",
    "SE2",
    "SE3",
    "Action",
    "ActionStatus",
    "Agent",
    "Angle",
    "Belief",
    "Block",
    "Compiled",
    "Controller",
    "CovarianceError",
    "Diagonal",
    "Dynamics",
    "EdgeConstraint",
    "Estimator",
    "ExtendedPose",
    "Filter",
    "FilterRun",
    "FilterStatus",
    "Filtered",
    "FormatError",
    "FormatWarning",
    "Gaussian",
    "LeftPerturbed",
    "MachineCode",
    "Mathematics",
    "MissingExtra",
    "MissingFile",
    "Mixture",
    "ModelError",
    "MovingObstacle",
    "Part",
    "Particles",
    "Perception",
    "PilotageError",
    "Plan",
    "PlanStatus",
    "Planner",
    "Point",
    "Problem",
    "Quaternion",
    "Raster",
    "Readings",
    "Real",
    "Rng",
    "Scans",
    "Sensor",
    "SettingError",
    "ShapeError",
    "Space",
    "SpaceError",
    "Sphere",
    "Task",
    "TrackTable",
    "TransformTree",
    "Update",
    "WorldModel",
    "augment",
    "boxes_from_corners",
    "carry",
    "condition",
    "generator",
    "giou",
    "iou",
    "jacobian",
    "math_for",
    "numpy_math",
    "require",
    "seeded",
    "torch_math",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
