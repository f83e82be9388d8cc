"""Localization: on a map by particles or a histogram, on landmarks by Kalman filters, and by inertial sensors."""

from __future__ import annotations

from ..kld import kld_bound as kld_bound
from .beam_skip import BeamSkip as BeamSkip
from .cells import Histogram as Histogram
from .histogram import HistogramFilter as HistogramFilter
from .hypotheses import Localization as Localization
from .ins import InertialNavigation as InertialNavigation
from .landmarks import LandmarkLocalization as LandmarkLocalization
from .mcl import MonteCarloLocalization as MonteCarloLocalization
from .odometry import odometry_motion as odometry_motion
from .odometry import odometry_move as odometry_move
from .odometry import omni_motion as omni_motion
from .odometry import omni_move as omni_move
from .pose import free_poses as free_poses

__all__ = [
    "BeamSkip",
    "Histogram",
    "HistogramFilter",
    "InertialNavigation",
    "LandmarkLocalization",
    "Localization",
    "MonteCarloLocalization",
    "free_poses",
    "kld_bound",
    "odometry_motion",
    "odometry_move",
    "omni_motion",
    "omni_move",
]
