"""Localization on a map: Monte Carlo localization, with lidar or any other sensor that depends on the pose."""

from __future__ import annotations

from ..kld import kld_bound as kld_bound
from .hypotheses import Localization as Localization
from .mcl import MonteCarloLocalization as MonteCarloLocalization
from .odometry import odometry_motion as odometry_motion
from .odometry import odometry_move as odometry_move
from .pose import free_poses as free_poses

__all__ = [
    "Localization",
    "MonteCarloLocalization",
    "free_poses",
    "kld_bound",
    "odometry_motion",
    "odometry_move",
]
