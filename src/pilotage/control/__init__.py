"""Controllers, which turn a belief into an action at every tick.

- `paths`: following a path (`PurePursuit`, `RegulatedPurePursuit`, `Stanley`; `PathTracker`, their shell, for a law of
  your own; `SpaceTimePursuit` among predicted tracks; the task `follow`; `Path`, parametrised by arc length, with the
  `Progress` of a robot along it)
- `feedback`: feedback laws (`PID`, `LQR`, `TrackingLQR`, `LQG` ...), and whether they can work (`controllability`)
- `trajectory`: trajectory optimisation by derivatives of the model (`ILQR`, `SQP`, `DirectCollocation`, `GradientMPC`)
- `mpc`: linear predictive control (`LinearMPC`, `TubeMPC`), and quadratic programs (`QuadraticProgram`)
- `sampling`: predictive control by random rollouts (`MPPI`, `CEM`, `ICEM`, `PredictiveSampling`; their noise over time:
  `PowerLawNoise`, `IntegratedNoise`, `SplineNoise`, `KernelNoise`)
- `RecedingHorizon`: the common base of predictive controllers: clock, plan and fallback; it uses a solver, which
  returns a `Solution`
- `DelayCompensation`: any controller, on the state predicted for the time at which its action will act
- `TrackAvoidance`: a predictive controller that keeps clear of predicted tracks at a declared risk
- `reach`: the task of reaching a goal
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .delay_compensation import DelayCompensation as DelayCompensation
from .feedback import LQG as LQG
from .feedback import LQR as LQR
from .feedback import PID as PID
from .feedback import FeedbackLinearization as FeedbackLinearization
from .feedback import Modes as Modes
from .feedback import StateFeedback as StateFeedback
from .feedback import TrackingLQR as TrackingLQR
from .feedback import TrailerBacking as TrailerBacking
from .feedback import controllability as controllability
from .feedback import dlqr as dlqr
from .feedback import finite_horizon_lqr as finite_horizon_lqr
from .feedback import observability as observability
from .feedback import place_poles as place_poles
from .feedback import stability as stability
from .feedback.lqr import lqr as lqr
from .mpc import LinearMPC as LinearMPC
from .mpc import QPSolution as QPSolution
from .mpc import QPStatus as QPStatus
from .mpc import QuadraticProgram as QuadraticProgram
from .mpc import TubeMPC as TubeMPC
from .paths import Path as Path
from .paths import PathTracker as PathTracker
from .paths import Progress as Progress
from .paths import PurePursuit as PurePursuit
from .paths import RegulatedPurePursuit as RegulatedPurePursuit
from .paths import Sight as Sight
from .paths import SpaceTimePursuit as SpaceTimePursuit
from .paths import Stanley as Stanley
from .paths import Steering as Steering
from .paths.follow import follow as follow
from .reach import reach as reach
from .receding import RecedingHorizon as RecedingHorizon
from .receding import Solution as Solution
from .sampling import CEM as CEM
from .sampling import ICEM as ICEM
from .sampling import MPPI as MPPI
from .sampling import IntegratedNoise as IntegratedNoise
from .sampling import KernelNoise as KernelNoise
from .sampling import PowerLawNoise as PowerLawNoise
from .sampling import PredictiveSampling as PredictiveSampling
from .sampling import SplineNoise as SplineNoise
from .track_avoidance import TrackAvoidance as TrackAvoidance
from .trajectory import ILQR as ILQR
from .trajectory import SQP as SQP
from .trajectory import DirectCollocation as DirectCollocation
from .trajectory import GradientMPC as GradientMPC

__all__ = [
    "CEM",
    "ICEM",
    "ILQR",
    "LQG",
    "LQR",
    "MPPI",
    "PID",
    "SQP",
    "DelayCompensation",
    "DirectCollocation",
    "FeedbackLinearization",
    "GradientMPC",
    "IntegratedNoise",
    "KernelNoise",
    "LinearMPC",
    "Modes",
    "Path",
    "PathTracker",
    "PowerLawNoise",
    "PredictiveSampling",
    "Progress",
    "PurePursuit",
    "QPSolution",
    "QPStatus",
    "QuadraticProgram",
    "RecedingHorizon",
    "RegulatedPurePursuit",
    "Sight",
    "Solution",
    "SpaceTimePursuit",
    "SplineNoise",
    "Stanley",
    "StateFeedback",
    "Steering",
    "TrackAvoidance",
    "TrackingLQR",
    "TrailerBacking",
    "TubeMPC",
    "controllability",
    "dlqr",
    "finite_horizon_lqr",
    "follow",
    "lqr",
    "observability",
    "place_poles",
    "reach",
    "stability",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
