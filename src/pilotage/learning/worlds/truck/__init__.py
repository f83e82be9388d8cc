"""The truck backer-upper: its emulator, policy and lessons, and an oracle of which starts can be docked."""

from __future__ import annotations

from .emulator import EmulatorSettings as EmulatorSettings
from .emulator import TruckEmulator as TruckEmulator
from .emulator import learn_emulator as learn_emulator
from .lessons import LessonSettings as LessonSettings
from .oracle import Outcome as Outcome
from .oracle import TruckOracle as TruckOracle
from .policy import TruckPolicy as TruckPolicy
from .recovery import RecoverySettings as RecoverySettings
from .world import TruckOptions as TruckOptions
from .world import TruckSettings as TruckSettings
from .world import TruckWorld as TruckWorld

__all__ = [
    "EmulatorSettings",
    "LessonSettings",
    "Outcome",
    "RecoverySettings",
    "TruckEmulator",
    "TruckOptions",
    "TruckOracle",
    "TruckPolicy",
    "TruckSettings",
    "TruckWorld",
    "learn_emulator",
]
