"""`pilotage warm`: compile what is compiled once per machine."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Iterator, Sequence

from tqdm import tqdm

import pilotage
from pilotage.models.trace.driver import ENTRIES, Driver

ROOMS = ("models", "maps", "estimators", "planners", "control")


def warm(*, quiet: bool = False) -> None:
    """Compile the drivers of all algorithms, so that nothing waits for a compiler afterwards.

    Models need no warming: their code is made in milliseconds when they are used. Compiled drivers stay on disk until
    Pilotage, numba or Python change; `pilotage info` shows how many there are.

    Args:
        quiet: Show no progress bar.
    """
    from pilotage.models.trace._compiler import warm as warm_driver  # loads numba

    drivers, began = entries(), time.perf_counter()
    for each in _shown(drivers, quiet):
        warm_driver(each)
    print(f"{len(drivers)} drivers are ready after {time.perf_counter() - began:.0f} s")


def entries() -> Sequence[Driver]:
    """The entry points of all rooms."""
    for room in ROOMS:
        package = importlib.import_module(f"{pilotage.__name__}.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return [each for each in ENTRIES if each.__module__.startswith(f"{pilotage.__name__}.")]


def _shown(drivers: Sequence[Driver], quiet: bool) -> Iterator[Driver]:
    with tqdm(drivers, unit="driver", disable=quiet) as bar:
        for each in bar:
            bar.set_description(each.__name__)
            yield each
