"""Scans of a detector: at each time any number of detections, of which nobody says what caused them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, frozen, numbers
from .errors import ShapeError


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Scans:
    """Scans of one detector and their times; the counterpart of `Readings`, which holds one reading a time.

    An empty scan is information: the detector looked, and saw nothing.

    Args:
        sensor: what detects, or its name in a filter that knows it by one.
        scans: detections ``(K_i, size)`` of each time, also none; or ``(T, K, size)``, in which rows of NaN are none.
        ts: times ``(T,)`` in seconds, in order.
        contexts: the context of each scan, ``(T, c)``, or a list of objects.

    Attributes:
        z: all detections ``(N, size)``, those of one time beside each other.
        offsets: ``(T + 1,)``; scan i is ``z[offsets[i]:offsets[i + 1]]``, and so is ``scans[i]``.

    Raises:
        ShapeError: when there are not as many times as scans, or a detection is NaN in part.

    Example:
        >>> from pilotage.models import position
        >>> radar = Scans(position(std=0.5), [[[0.1, 0.2], [9.0, 4.0]], [], [[0.4, 0.3]]], ts=[0.5, 1.0, 1.5])
        >>> radar
        Scans(3 detections in 3 scans)
        >>> radar[0].shape, radar[1].shape
        ((2, 2), (0, 2))
    """

    sensor: Any
    z: Array
    offsets: NDArray[np.int64]
    ts: Array
    contexts: Any

    def __init__(self, sensor: Any, scans: Iterable[Any], ts: Any, contexts: Any = None) -> None:
        given = [detections(scan, f"scan {i}") for i, scan in enumerate(scans)]
        widths = {scan.shape[-1] for scan in given if scan.size}
        times = numbers(ts, "times of scans")
        if times.shape != (len(given),) or any(scan.ndim != 2 for scan in given) or len(widths) > 1:
            shapes, count = ", ".join(str(scan.shape) for scan in given[:5]), len(given)
            raise ShapeError(f"scans have shapes {shapes} and times {times.shape}; expected (K_i, n) and ({count},)")
        seen = [scan[~np.isnan(scan).any(-1)] for scan in given]
        offsets = np.cumsum([0, *map(len, seen)], dtype=np.int64)
        offsets.setflags(write=False)
        width = widths.pop() if widths else sensor.reading.size if hasattr(sensor, "reading") else 0
        z = frozen(np.concatenate([np.zeros((0, width)), *(scan for scan in seen if scan.size)]))
        self.__dict__.update(sensor=sensor, z=z, offsets=offsets, ts=frozen(times), contexts=contexts)

    def __len__(self) -> int:
        return len(self.ts)

    def __getitem__(self, i: int) -> Array:
        """Detections of scan i, ``(K_i, size)``."""
        return self.z[self.offsets[i] : self.offsets[i + 1]]

    def __repr__(self) -> str:
        return f"Scans({len(self.z)} detections in {len(self)} scans)"


def detections(scan: Any, name: str = "scan") -> Array:
    """Detections ``(..., K, n)`` as an array, in which rows of NaN are none.

    Raises:
        ShapeError: when a detection is NaN in part: densities of detections of different components do not compare.

    Example:
        >>> detections([[1.0, 2.0], [float("nan"), 3.0]])
        Traceback (most recent call last):
        pilotage.core.errors.ShapeError: scan holds a detection that is NaN in part; give detections whole, ...
    """
    z = numbers(scan, name, missing=True)
    if z.shape == (0,):
        return z.reshape(0, 0)
    lost = np.asarray(np.isnan(z))
    if (lost.any(-1) != lost.all(-1)).any():
        raise ShapeError(
            f"{name} holds a detection that is NaN in part; give detections whole, those of other components as scans "
            "of a sensor of their own"
        )
    return z
