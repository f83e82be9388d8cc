"""The wrappers for vector environments: the same links and filters, for all environments in one call."""

from __future__ import annotations

from .degraded import DegradedObservation as DegradedObservation
from .estimated import EstimatedObservation as EstimatedObservation
from .latency import ActionLatency as ActionLatency
from .randomised import RandomisedDynamics as RandomisedDynamics

__all__ = ["ActionLatency", "DegradedObservation", "EstimatedObservation", "RandomisedDynamics"]
