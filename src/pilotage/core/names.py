"""Names that a room does not have: where what is meant is found."""

from __future__ import annotations

import dis
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
    "estimators.tracking.scores.gospa": "gospa GOSPAMetric",
    "estimators.tracking.scores.hota": "hota",
    "estimators.tracking.scores.ospa": "ospa OSPAMetric",
    "estimators.tracking.scores.score": "score TrackEval",
    "planners.AStar": "AStar AStarPlanner",
    "planners.RRTConnect": "RRTConnect BiRRT",
    "planners.RRTStar": "RRTStar",
    "maps.Costmap": "Costmap CostmapGrid Costmap2D InflationLayer",
    "maps.DynamicDistance": "DynamicDistance DynamicEDT ESDF",
    "maps.OccupancyGrid": "OccupancyGrid GridMap",
    "maps.Lidar": "Lidar LaserScanner",
    "models.gnss": "gnss GPS",
    "models.imu": "imu",
    "models.compass": "compass magnetometer",
    "models.bicycle": "bicycle KinematicBicycle Ackermann",
    "models.differential_drive": "differential_drive diff_drive",
    "models.dynamics": "dynamics",
    "models.sensor": "sensor",
    "models.unicycle": "unicycle",
    "control.DirectCollocation": "DirectCollocation Collocation HermiteSimpson",
    "control.ILQR": "ILQR DDP",
    "control.LQR": "LQR LinearQuadraticRegulator",
    "control.MPPI": "MPPI",
    "control.PID": "PID PIDController",
    "control.TrackingLQR": "TrackingLQR TVLQR",
    "control.RecedingHorizon": "RecedingHorizon MPC ModelPredictiveControl",
    "control.SQP": "SQP NMPC RTI MultipleShooting",
    "core.Gaussian": "Gaussian GaussianBelief MultivariateNormal",
    "core.Particles": "Particles",
    "core.Readings": "Readings",
    "core.Space": "Space StateSpace Manifold",
    "core.TrackTable": "TrackTable",
    "io.read_g2o": "read_g2o load_g2o",
    "io.read_mot_truth": "read_mot_truth load_motchallenge",
}
"""Where things are, and the names under which they are looked for, whichever the case."""


class NoSuchName(PilotageError, ImportError):
    """A name that a room does not have, but another one does, or that is spelled otherwise."""


def absent(room: str, later: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """The ``__getattr__`` of a room: loads names `later`, from the modules given, and says of others where they are.

    A name that is absent is an `AttributeError`, as `hasattr` expects. ``from room import name`` would hide its words,
    so there, what is found elsewhere is a `NoSuchName`.

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
            error = NoSuchName if _imports() else AttributeError
            raise error(f"{room} has no {name}; there is {near[folded(name)]}")
        raise AttributeError(f"{room} has no {name!r}; it has {', '.join(known)}")

    return __getattr__


def _imports() -> bool:
    """Whether a module's ``__getattr__`` was called by ``from module import name``, not by `getattr` or a dot."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_code.co_name == "__getattr__" and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == dis.opmap["IMPORT_FROM"]


def folded(name: str) -> str:
    """A name without case and underscores.

    Example:
        >>> folded("A_Star")
        'astar'
    """
    return name.lower().replace("_", "")
