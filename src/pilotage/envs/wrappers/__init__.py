"""Wrappers that make an environment as imperfect as a robot is, estimate its state, repeat and film its episodes."""

from __future__ import annotations

from .degraded import DegradedObservation as DegradedObservation
from .estimated import EstimatedObservation as EstimatedObservation
from .latency import ActionLatency as ActionLatency
from .link import Link as Link
from .randomised import RandomisedDynamics as RandomisedDynamics
from .replay import Recorder as Recorder
from .replay import Recording as Recording
from .video import VideoRecorder as VideoRecorder

__all__ = [
    "ActionLatency",
    "DegradedObservation",
    "EstimatedObservation",
    "Link",
    "RandomisedDynamics",
    "Recorder",
    "Recording",
    "VideoRecorder",
]
