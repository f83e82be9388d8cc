"""`pilotage warm`: compiles everything that is compiled once per machine."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm

import pilotage
from pilotage.core.errors import counted
from pilotage.models.trace.driver import ENTRIES, Driver

SUBPACKAGES = ("models", "io", "maps", "estimators", "planners", "control")


def warm(*, quiet: bool = False) -> None:
    """Compile all algorithms now, so that no first call is slow.

    This takes minutes, once per machine. The result stays on disk until Pilotage, numba or Python change, and
    `pilotage info` shows how much there is. Models need none of it: they are compiled in milliseconds when used.

    Args:
        quiet: Show no progress bar.
    """
    from pilotage.models.trace._compiler import warm as warm_driver  # loads numba

    drivers, began = entries(), time.perf_counter()
    for each in _shown(drivers, quiet):
        warm_driver(each)
    print(f"{counted(len(drivers), 'driver')} ready after {time.perf_counter() - began:.0f} s")


def entries() -> Sequence[Driver]:
    """The entry points of all subpackages."""
    for name in SUBPACKAGES:
        package = importlib.import_module(f"{pilotage.__name__}.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return [each for each in ENTRIES if each.__module__.startswith(f"{pilotage.__name__}.")]


def _shown(drivers: Sequence[Driver], quiet: bool) -> Iterator[Driver]:
    with tqdm(drivers, unit="driver", disable=quiet) as bar:
        for each in bar:
            bar.set_description(each.__name__)
            yield each
