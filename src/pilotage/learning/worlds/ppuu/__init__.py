"""Prediction and planning under uncertainty in dense traffic (PPUU): data, kinematics and costs.

- `simulated_drives`, `recorded_drives`: each car of traffic as seen from its own seat
- `driven`, `unrolled`, `actions_of`: the exact motion of the own car, and the actions that explain a recorded one
- `RasterCosts`, `PoseCosts`: how near other cars are, lane marks, and the edges of the road
"""

from __future__ import annotations

from .costs import Costs as Costs
from .costs import Masks as Masks
from .costs import PoseCosts as PoseCosts
from .costs import RasterCosts as RasterCosts
from .driver import DriverSettings as DriverSettings
from .driver import TrafficDriver as TrafficDriver
from .driver import scene_of as scene_of
from .ego import actions_of as actions_of
from .ego import driven as driven
from .ego import unrolled as unrolled
from .evaluate import DriveOptions as DriveOptions
from .evaluate import Drives as Drives
from .evaluate import evaluate_driver as evaluate_driver
from .evaluate import hold as hold
from .forecasting import Forecasts as Forecasts
from .forecasting import ForecastSettings as ForecastSettings
from .object_costs import ObjectCosts as ObjectCosts
from .object_predictor import ObjectPredictor as ObjectPredictor
from .object_predictor import PredictorSettings as PredictorSettings
from .recordings import Drive as Drive
from .recordings import recorded_drives as recorded_drives
from .recordings import simulated_drives as simulated_drives
from .recordings import swapped as swapped
from .scenes import Scene as Scene
from .scenes import Scenes as Scenes
from .scenes import TrafficLog as TrafficLog
from .scenes import Window as Window
from .scenes import recorded_log as recorded_log
from .scenes import simulated_logs as simulated_logs
from .unrolling import Unrolled as Unrolled
from .unrolling import UnrollSettings as UnrollSettings

__all__ = [
    "Costs",
    "Drive",
    "DriveOptions",
    "DriverSettings",
    "Drives",
    "ForecastSettings",
    "Forecasts",
    "Masks",
    "ObjectCosts",
    "ObjectPredictor",
    "PoseCosts",
    "PredictorSettings",
    "RasterCosts",
    "Scene",
    "Scenes",
    "TrafficDriver",
    "TrafficLog",
    "UnrollSettings",
    "Unrolled",
    "Window",
    "actions_of",
    "driven",
    "evaluate_driver",
    "hold",
    "recorded_drives",
    "recorded_log",
    "scene_of",
    "simulated_drives",
    "simulated_logs",
    "swapped",
    "unrolled",
]
