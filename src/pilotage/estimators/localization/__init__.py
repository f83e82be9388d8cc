"""Localization: on a map by Monte Carlo localization, in the world by inertial navigation."""

from __future__ import annotations

from ..kld import kld_bound as kld_bound
from .hypotheses import Localization as Localization
from .ins import InertialNavigation as InertialNavigation
from .mcl import MonteCarloLocalization as MonteCarloLocalization
from .odometry import odometry_motion as odometry_motion
from .odometry import odometry_move as odometry_move
from .pose import free_poses as free_poses

__all__ = [
    "InertialNavigation",
    "Localization",
    "MonteCarloLocalization",
    "free_poses",
    "kld_bound",
    "odometry_motion",
    "odometry_move",
]
