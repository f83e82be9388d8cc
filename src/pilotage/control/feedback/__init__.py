"""Feedback laws: an action for the state of the robot, by gains that are computed beforehand."""

from __future__ import annotations

from .feedback_linearization import FeedbackLinearization as FeedbackLinearization
from .lqg import LQG as LQG
from .lqr import dlqr as dlqr
from .lqr import finite_horizon_lqr as finite_horizon_lqr
from .lqr import lqr as lqr
from .pid import PID as PID
from .pole_placement import StateFeedback as StateFeedback
from .pole_placement import place_poles as place_poles
from .regulator import LQR as LQR
from .structure import Modes as Modes
from .structure import controllability as controllability
from .structure import observability as observability
from .structure import stability as stability
from .tracking_lqr import TrackingLQR as TrackingLQR
from .trailer import TrailerBacking as TrailerBacking

__all__ = [
    "LQG",
    "LQR",
    "PID",
    "FeedbackLinearization",
    "Modes",
    "StateFeedback",
    "TrackingLQR",
    "TrailerBacking",
    "controllability",
    "dlqr",
    "finite_horizon_lqr",
    "lqr",
    "observability",
    "place_poles",
    "stability",
]
