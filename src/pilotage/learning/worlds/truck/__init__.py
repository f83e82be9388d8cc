"""The truck backer-upper: emulator, policy and lessons; an oracle of what is feasible, and a policy between walls."""

from __future__ import annotations

from .emulator import EmulatorSettings as EmulatorSettings
from .emulator import TruckEmulator as TruckEmulator
from .emulator import learn_emulator as learn_emulator
from .lessons import LessonSettings as LessonSettings
from .open_loop import OpenLoopOracle as OpenLoopOracle
from .oracle import Outcome as Outcome
from .oracle import TruckOracle as TruckOracle
from .policy import TruckPolicy as TruckPolicy
from .recovery import RecoverySettings as RecoverySettings
from .teaching import WallsSettings as WallsSettings
from .teaching import teach as teach
from .walls import WallsPolicy as WallsPolicy
from .walls_world import TruckWalls as TruckWalls
from .walls_world import WallsOptions as WallsOptions
from .world import TruckOptions as TruckOptions
from .world import TruckSettings as TruckSettings
from .world import TruckWorld as TruckWorld

__all__ = [
    "EmulatorSettings",
    "LessonSettings",
    "OpenLoopOracle",
    "Outcome",
    "RecoverySettings",
    "TruckEmulator",
    "TruckOptions",
    "TruckOracle",
    "TruckPolicy",
    "TruckSettings",
    "TruckWalls",
    "TruckWorld",
    "WallsOptions",
    "WallsPolicy",
    "WallsSettings",
    "learn_emulator",
    "teach",
]
