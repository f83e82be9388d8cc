"""Tracking: targets among the detections of a scan, of which nobody says what caused them."""

from __future__ import annotations

from .pda import PDA as PDA
from .scenario import Scenario as Scenario
from .scenarios import births_and_deaths as births_and_deaths
from .scenarios import crossing as crossing
from .scenarios import manoeuvring as manoeuvring
from .scenarios import occlusion as occlusion
from .scenarios import parallel as parallel

__all__ = ["PDA", "Scenario", "births_and_deaths", "crossing", "manoeuvring", "occlusion", "parallel"]
