"""Readings of a sensor, one at each time, and scans of a detector, with any number of detections at each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, frozen, numbers
from .declared import called
from .errors import ShapeError
from .sensor import Sensor
from .settings import instance, number


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of one sensor, with their times.

    Args:
        sensor: the sensor, or its name in the filter.
        z: readings ``(..., K, size)``; NaN or None where not measured.
        ts: times ``(K,)`` in seconds, in ascending order; times may repeat.
        contexts: the context of each reading, ``(..., K, c)``, or a list of objects.
        latency: seconds by which the times are later than what the readings show: a delay of the sensor, or the offset
            of its clock. `seen` are the times without it.

    Raises:
        ShapeError: if the numbers of times and readings differ, times are not finite or not in order, or readings do
            not fit the sensor.
        SettingError: if `sensor` is neither a sensor nor a name.

    Example:
        >>> from pilotage.models import gnss
        >>> fixes = Readings(gnss(std=1.5), [[0.1, 0.2], [0.4, 0.3]], [0.5, 1.0])
        >>> len(fixes.ts)
        2
    """

    sensor: Any
    z: Any
    ts: Any
    contexts: Any = None
    latency: float = 0.0

    @property
    def seen(self) -> Array:
        """Times ``(K,)`` of what the readings show, in seconds."""
        return numbers(self.ts, "times of readings") - self.latency

    def __post_init__(self) -> None:
        number(self.latency, "latency of readings")
        z, ts = numbers(self.z, "readings", missing=True), numbers(self.ts, "times of readings")
        if z.ndim < 2 or ts.shape != (z.shape[-2],):
            raise ShapeError(f"readings have shape {z.shape} and times {ts.shape}; expected (..., K, n) and (K,)")
        _check(self.sensor, z, ts, "readings")


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Scans:
    """Scans of one detector, with their times: any number of detections of unknown origin at each time.

    An empty scan is informative too: the detector looked, and saw nothing.

    Args:
        sensor: the detector, or its name in the filter.
        scans: detections ``(K_i, size)`` at each time, K_i may be 0; or ``(T, K, size)``, padded with rows of NaN.
        ts: times ``(T,)`` in seconds, in ascending order; times may repeat.
        contexts: the context of each scan, ``(T, c)``, or a list of objects.
        scores: confidences of the detections of each scan, ``(K_i,)`` at each time, or None.
        kinds: kinds of the detections of each scan, such as "car", ``(K_i,)`` at each time, or None.

    Attributes:
        z: all detections ``(N, size)``, ordered by time.
        offsets: ``(T + 1,)``; scan i is ``z[offsets[i]:offsets[i + 1]]``, also available as ``scans[i]``.
        scores: the confidences of `z`, ``(N,)``, or None.
        kinds: the kinds of `z`, ``(N,)``, or None.

    Raises:
        ShapeError: if the numbers of times and scans differ, times are not finite or not in order, detections do not
            fit the sensor, only some components of a detection are NaN, or scores or kinds do not fit the detections.
        SettingError: if `sensor` is neither a sensor nor a name.

    Example:
        >>> from pilotage.models import position
        >>> radar = Scans(position(std=0.5), [[[0.1, 0.2], [9.0, 4.0]], [], [[0.4, 0.3]]], ts=[0.5, 1.0, 1.5])
        >>> radar
        Scans(3 detections in 3 scans)
        >>> radar[0].shape, radar[1].shape, radar[1:]
        ((2, 2), (0, 2), Scans(1 detections in 2 scans))
    """

    sensor: Any
    z: Array
    offsets: NDArray[np.int64]
    ts: Array
    contexts: Any
    scores: Array | None
    kinds: NDArray[np.str_] | None

    def __init__(
        self, sensor: Any, scans: Iterable[Any], ts: Any, contexts: Any = None, *, scores: Any = None, kinds: Any = None
    ) -> None:
        if not isinstance(scans, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"scans are {scans!r}; expected the detections (K_i, n) of each time, one after another")
        given = [detections(scan, f"scan {i}") for i, scan in enumerate(scans)]
        widths = {scan.shape[-1] for scan in given if scan.size}
        times = numbers(ts, "times of scans")
        if times.shape != (len(given),) or any(scan.ndim != 2 for scan in given) or len(widths) > 1:
            shapes, count = ", ".join(str(scan.shape) for scan in given[:5]), len(given)
            raise ShapeError(f"scans have shapes {shapes} and times {times.shape}; expected (K_i, n) and ({count},)")
        there = [np.asarray(~np.isnan(scan).any(-1)) for scan in given]
        seen = [scan[rows] for scan, rows in zip(given, there, strict=True)]
        offsets = np.cumsum([0, *map(len, seen)], dtype=np.int64)
        offsets.setflags(write=False)
        width = widths.pop() if widths else sensor.reading.size if isinstance(sensor, Sensor) else 0
        z = frozen(np.concatenate([np.zeros((0, width)), *(scan for scan in seen if scan.size)]))
        _check(sensor, z, times, "scans")
        self.__dict__.update(sensor=sensor, z=z, offsets=offsets, ts=frozen(times), contexts=contexts)
        self.__dict__.update(scores=_labels(scores, there, "scores"), kinds=_labels(kinds, there, "kinds"))

    @property
    def seen(self) -> Array:
        """Times ``(T,)`` of what the scans show, in seconds: `ts`."""
        return self.ts

    def __len__(self) -> int:
        return len(self.ts)

    @overload
    def __getitem__(self, i: SupportsIndex) -> Array: ...
    @overload
    def __getitem__(self, i: slice) -> Scans: ...
    def __getitem__(self, i: SupportsIndex | slice) -> Array | Scans:
        """Detections of scan i, ``(K_i, size)``; of a slice, its `Scans`."""
        if isinstance(i, slice):
            contexts = None if self.contexts is None else self.contexts[i]
            picked = range(len(self))[i]
            labels = [None if each is None else [each[self.rows(k)] for k in picked] for each in _both(self)]
            scans = [self[k] for k in picked]
            return Scans(self.sensor, scans, self.ts[i], contexts, scores=labels[0], kinds=labels[1])
        return self.z[self.rows(range(len(self))[i])]

    def rows(self, i: int) -> slice:
        """The rows of scan i in `z`, `scores` and `kinds`."""
        return slice(self.offsets[i], self.offsets[i + 1])

    def __repr__(self) -> str:
        return f"Scans({len(self.z)} detections in {len(self)} scans)"


def _both(scans: Scans) -> tuple[Array | None, NDArray[np.str_] | None]:
    return scans.scores, scans.kinds


def _labels(given: Any, there: list[NDArray[np.bool_]], name: str) -> Any:
    """One label for each detection, ``(N,)``, from those of each scan; without those of rows of NaN."""
    if given is None:
        return None
    read = _texts if name == "kinds" else _numbers
    each = [read(scan, f"{name} of scan {i}") for i, scan in enumerate(given)]
    if [scan.shape for scan in each] != [rows.shape for rows in there]:
        shapes, expected = ([a.shape for a in arrays][:5] for arrays in (each, there))
        raise ShapeError(f"{name} have shapes {shapes}; expected one for each detection of each scan, {expected}")
    flat: Any = np.concatenate([np.zeros(0), *each] if name == "scores" else [np.zeros(0, np.str_), *each])
    flat = flat[np.concatenate([np.zeros(0, bool), *there])]
    if name == "scores" and not np.isfinite(flat).all():
        raise ShapeError(f"scores hold {flat[~np.isfinite(flat)][0]}; give a finite number for each detection")
    flat.setflags(write=False)
    return flat


def _numbers(scan: Any, name: str) -> Array:
    return numbers(scan, name, missing=True)


def _texts(scan: Any, name: str) -> NDArray[np.str_]:
    texts = np.asarray(scan)
    if texts.dtype.kind != "U" and not all(isinstance(value, str) for value in texts.flat):
        raise ShapeError(f"{name} are {scan!r}; expected a string for each detection")
    return texts.astype(np.str_)


def _check(sensor: Any, z: Array, ts: Array, what: str) -> None:
    """Refuse times that are not finite or not in order, and readings that do not fit a sensor."""
    if not isinstance(sensor, str):
        instance(sensor, Sensor, what.capitalize())
    of = f"{what} of {sensor if isinstance(sensor, str) else called(sensor)}"
    if not np.isfinite(ts).all():
        k = int(np.argmin(np.isfinite(ts)))
        raise ShapeError(f"times of {of} are not finite: ts[{k}] = {ts[k]}; give seconds")
    if (ts[1:] < ts[:-1]).any():
        k = int(np.argmax(ts[1:] < ts[:-1])) + 1
        raise ShapeError(
            f"times of {of} are not in order: ts[{k}] = {ts[k]:.12g} s comes after {ts[k - 1]:.12g} s; sort them"
        )
    if isinstance(sensor, Sensor):
        sensor.reading.check(z, of, finite=False)


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
    if z.ndim == 0:
        raise ShapeError(f"{name} is {scan!r}; expected detections (K, n), one a row")
    lost = np.asarray(np.isnan(z))
    if (lost.any(-1) != lost.all(-1)).any():
        raise ShapeError(
            f"{name} holds a detection that is NaN in part; give detections whole, those of other components as scans "
            "of a sensor of their own"
        )
    return z
