"""Planning with beliefs: `ChanceConstraint`, `chance_constrained`, `predicted_covariances` and `collision_risk`."""

from __future__ import annotations

from .chance_constraint import ChanceConstraint as ChanceConstraint
from .chance_constraint import chance_constrained as chance_constrained
from .risk import collision_risk as collision_risk
from .risk import predicted_covariances as predicted_covariances
from .track import PredictedTrack as PredictedTrack

__all__ = ["ChanceConstraint", "PredictedTrack", "chance_constrained", "collision_risk", "predicted_covariances"]
