"""Pilotage: estimate where things are, plan where to go, drive there, and learn the models that do it.

You write a model once, and all subpackages use it. Each subpackage loads when you first use it, so `import pilotage` is
fast:

- `pilotage.core`: the shared types: spaces, beliefs, protocols, results, errors, random streams
- `pilotage.models`: models of robots and sensors, and the decorators that turn a function into a model
- `pilotage.maps`: occupancy grids, distance fields, lidar on a map
- `pilotage.estimators`: Kalman filters, particle filters, localization, tracking, pose graphs
- `pilotage.planners`: a path from a start to a goal, or the reason why there is none
- `pilotage.control`: from a belief to an action, at every tick
- `pilotage.learning`: learned models (needs torch)
- `pilotage.envs`: Gymnasium environments built from models
- `pilotage.bench`: the controller benchmark (needs the extra `bench`)
- `pilotage.io`: file formats
- `pilotage.viz`: drawings (needs matplotlib)
- `pilotage.compat`: filters of other libraries as ours, and ours as theirs
- `pilotage.testing`: contract checks for your own models, sensors, estimators, planners and controllers

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

    from . import bench as bench
    from . import compat as compat
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
    "bench",
    "compat",
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
