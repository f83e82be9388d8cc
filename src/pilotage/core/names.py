"""Names that a room does not have: where what is meant is found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .errors import PilotageError

ELSEWHERE = {
    "estimators.KF": "KF KalmanFilter LinearKalmanFilter",
    "estimators.EKF": "EKF ExtendedKalmanFilter",
    "estimators.UKF": "UKF UnscentedKalmanFilter",
    "estimators.ParticleFilter": "ParticleFilter PF BootstrapFilter",
    "estimators.smooth": "smooth RTS RTSSmoother",
    "estimators.localization.MonteCarloLocalization": "MonteCarloLocalization MCL AMCL",
    "estimators.slam.FactorGraph": "FactorGraph",
    "estimators.slam.GaussNewton": "GaussNewton LevenbergMarquardt",
    "estimators.slam.pose_graph": "pose_graph",
    "estimators.tracking.PDA": "PDA PDAF",
    "planners.AStar": "AStar AStarPlanner",
    "planners.RRTConnect": "RRTConnect RRT RRTStar BiRRT",
    "maps.OccupancyGrid": "OccupancyGrid OccupancyMap GridMap Costmap CostmapGrid",
    "maps.Lidar": "Lidar LaserScanner",
    "models.gnss": "gnss GPS",
    "models.imu": "imu",
    "models.compass": "compass magnetometer",
    "models.bicycle": "bicycle KinematicBicycle Ackermann",
    "models.differential_drive": "differential_drive diff_drive",
    "models.dynamics": "dynamics",
    "models.sensor": "sensor",
    "models.unicycle": "unicycle",
    "control.ILQR": "ILQR LQR DDP",
    "control.MPPI": "MPPI",
    "control.RecedingHorizon": "RecedingHorizon MPC ModelPredictiveControl",
    "core.Gaussian": "Gaussian GaussianBelief MultivariateNormal",
    "core.Particles": "Particles",
    "core.Readings": "Readings",
    "core.Space": "Space StateSpace Manifold",
    "io.read_g2o": "read_g2o load_g2o",
}
"""Where things are, and the names under which they are looked for, whichever the case."""


class NoSuchName(PilotageError, ImportError):
    """A name that a room does not have, but another one does, or that is spelled otherwise."""


def absent(room: str, later: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """The ``__getattr__`` of a room: loads names `later`, from the modules given, and says of others where they are.

    What is found elsewhere is an `ImportError`, for ``from room import name`` hides the words of an `AttributeError`.

    Example:
        >>> from pilotage.estimators import KalmanFilter
        Traceback (most recent call last):
        pilotage.core.names.NoSuchName: pilotage.estimators has no KalmanFilter; there is pilotage.estimators.KF
    """

    def __getattr__(name: str) -> Any:
        if later and name in later:
            return getattr(import_module(f"{room}.{later[name]}"), name)
        known: list[str] = sys.modules[room].__all__
        near = {folded(own): f"{room}.{own}" for own in known}
        near.update(
            (folded(other), f"pilotage.{ours}") for ours, others in ELSEWHERE.items() for other in others.split()
        )
        if name[0] != "_" and folded(name) in near and find_spec(f"{room}.{name}") is None:
            raise NoSuchName(f"{room} has no {name}; there is {near[folded(name)]}")
        raise AttributeError(f"{room} has no {name!r}; it has {', '.join(known)}")

    return __getattr__


def folded(name: str) -> str:
    """A name without case and underscores.

    Example:
        >>> folded("A_Star")
        'astar'
    """
    return name.lower().replace("_", "")
