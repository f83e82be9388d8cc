"""Scans of a tracker's own, when it is made: machine code is loaded then, and no scan of its user waits for it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...core import Sensor
from ...core.arrays import Array
from ._state import Method, Scan
from .detector import Detector
from .gate import Pairs

KNOWN = set[int]()
"""Hashes of what was rehearsed in this process."""
FEW, MANY = 3, 14
"""Detections that are processed one by one, and so many that they go in blocks, too."""


def rehearse(method: Method, parts: Any, sensors: Iterable[Sensor]) -> None:
    """Let a method take in scans of each sensor, unless it has done so before with these parts.

    What goes wrong is left to the scans of the user. A sensor whose context may be any object is left out.
    """
    for sensor in sensors:
        try:
            key = hash((parts, sensor))
        except TypeError:  # parts of the user
            key = None
        if key in KNOWN or sensor.context is None:
            continue
        KNOWN.add(hash(key))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                take_in(method, Detector(sensor))
        except Exception:
            pass


def take_in(method: Any, detector: Detector) -> None:
    """Few tracks and many, with a detection for each, several for one, and none."""
    if hasattr(method, "association"):
        for count in (2, MANY):  # detections that all tracks share
            rows, columns = np.divmod(np.arange(count * count), count)
            method.association.share(Pairs(rows, columns, np.zeros(count * count), count, count), np.zeros(count**2))
    sensor, dt, numbers = detector.sensor, method.targets.modes.dt, itertools.count(1)
    context = np.zeros(sensor.context.size)
    for count in (FEW, MANY):
        z, state = readings(sensor, count), method.none(0.0)
        for k, given in enumerate((z, z, np.concatenate([z, z]), z[:0])):
            scan = Scan(k * dt, detector, given, np.arange(len(given)), context, {})
            state = method.step(state, scan, numbers.__next__)
        method.tracks(state).belief.moments()


def readings(sensor: Sensor, count: int) -> Array:
    """Different readings ``(count, k)``, each component from 1 on."""
    steps = 1.0 + 10.0 * np.arange(count)[:, None] * np.ones(sensor.reading.dim)
    return np.ascontiguousarray(sensor.reading.plus(sensor.reading.identity(), steps), np.float64)
