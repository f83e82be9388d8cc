"""Contract checks for what people write themselves: each tells in a sentence what is still wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .controllers import check_controller as check_controller
from .estimators import check_estimator as check_estimator
from .models import check_dynamics as check_dynamics
from .models import check_sensor as check_sensor
from .planners import check_planner as check_planner
from .spaces import check_space as check_space

__all__ = [
    "check_controller",
    "check_dynamics",
    "check_estimator",
    "check_planner",
    "check_sensor",
    "check_space",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
