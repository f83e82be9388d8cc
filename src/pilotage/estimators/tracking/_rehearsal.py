"""Scans of a tracker's own, when it is made: machine code is loaded then, and no scan of its user waits for it."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ...core import Sensor
from ...core.arrays import Array
from ._state import Method, Scan
from .detector import Detector
from .gate import Pairs

KNOWN = set[int | None]()
"""Hashes of what was rehearsed in this process."""
BLOCK = 16
"""Beliefs that go through a filter in blocks."""


def rehearse(method: Method, association: Any, filter: Any, sensors: Iterable[Sensor]) -> None:
    """Let a method take in scans of each sensor, unless it has done so before with this association and filter.

    An error is left to the scans of the user, where it can be understood. A test over all methods makes sure that ours
    raise none: no machine code is loaded later. A sensor whose context may be any object is left out.
    """
    for sensor in sensors:
        try:
            key = hash((type(association), association, type(filter), filter, sensor))
        except TypeError:  # parts of the user
            key = None
        if (key is not None and key in KNOWN) or sensor.context is None:
            continue
        KNOWN.add(key)
        # A function of the user may raise anything on readings that we made up; whether it is right, real scans tell.
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            take_in(method, association, Detector(sensor))


def take_in(method: Any, association: Any, detector: Detector) -> None:
    """Two tracks with a detection for each, with several, and with none; and beliefs in blocks."""
    sensor, targets, numbers = detector.sensor, method.targets, itertools.count(1)
    context = np.zeros(0 if sensor.context is None else sensor.context.size)
    dt, z, state = targets.modes.dt, readings(sensor, 2), method.none(0.0)
    for k, given in enumerate((z, z, np.concatenate([z, z[:1]]), z[:0])):
        scan = Scan(k * dt, detector, given, np.arange(len(given)), context, {})
        state = method.step(state, scan, numbers.__next__)
    rule = getattr(association, "joint", association)
    if hasattr(rule, "width"):  # beyond which it goes another way
        rows, columns = np.divmod(np.arange(9), 3)
        replace(rule, width=1).share(Pairs(rows, columns, np.zeros(9), 3, 3), np.zeros(9))
    belief = method.tracks(state).belief
    rows = targets.pack(belief)[np.zeros(BLOCK, np.int64)]
    targets.predict(rows, dt)
    targets.update(rows, sensor, readings(sensor, BLOCK), context)
    targets.merge(rows, np.array([0, BLOCK]), np.full(BLOCK, 1.0 / BLOCK))


def readings(sensor: Sensor, count: int) -> Array:
    """Different readings ``(count, k)``, each component from 1 on."""
    steps = 1.0 + 10.0 * np.arange(count)[:, None] * np.ones(sensor.reading.dim)
    return np.ascontiguousarray(sensor.reading.plus(sensor.reading.identity(), steps), np.float64)
