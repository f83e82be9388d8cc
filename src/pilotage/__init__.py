"""Pilotage: estimate where things are, plan where to go, drive there, and learn the models that do it.

A model is written once; every room works with that one model. Rooms load when they are first touched, so
`import pilotage` costs nothing:

- `pilotage.core`: the shared language: spaces, beliefs, protocols, results, errors, random streams
- `pilotage.models`: models of robots and sensors, and what turns a function into one
- `pilotage.maps`: where things are: occupancy grids, distance fields, lidar on a map
- `pilotage.estimators`: belief in, belief out: Kalman filters, particle filters, localization
- `pilotage.planners`: from a start to a goal: a path, or the reason why there is none
- `pilotage.control`: from a belief to an action, every tick
- `pilotage.learning`: learned models (needs torch)
- `pilotage.envs`: Gymnasium environments built from models
- `pilotage.io`: file formats
- `pilotage.viz`: drawing (needs matplotlib)
- `pilotage.testing`: checks for your own models, sensors, estimators, planners and controllers

Example:
    >>> import pilotage
    >>> "core" in dir(pilotage)
    True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from types import ModuleType

    from . import control as control
    from . import core as core
    from . import envs as envs
    from . import estimators as estimators
    from . import io as io
    from . import learning as learning
    from . import maps as maps
    from . import models as models
    from . import planners as planners
    from . import testing as testing
    from . import viz as viz

__all__ = [
    "__version__",
    "control",
    "core",
    "envs",
    "estimators",
    "io",
    "learning",
    "maps",
    "models",
    "planners",
    "testing",
    "viz",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    from .core.names import absent

    return absent(__name__)(name)


def __dir__() -> list[str]:
    return sorted(__all__)
