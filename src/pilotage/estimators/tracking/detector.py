"""A detector: a sensor whose scans hold detections of unknown origin, misses and false ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import numpy as np

from ...core import Sensor
from ...core.arrays import Array, numbers
from ...core.errors import ModelError, ShapeError
from ...core.settings import Fraction, Positive, settings
from .._inputs import context_of


@settings
class Detector:
    """A sensor that detects targets: what it sees of each, how surely, where, and how much that is no target.

    Args:
        sensor: one detection ``z = h(x) (+) e``.
        detection: P_D, the probability that a target in the field of view is detected: a number, or a function of
            states ``(..., n)`` and the context that gives ``(...)``.
        clutter: lambda, the density of false detections per unit of the reading, such as 1/m^2 or 1/(m rad): a number,
            or a function of readings ``(..., k)`` that gives ``(...)``. False detections are Poisson.
        field: the field of view: a function of states ``(..., n)`` and the context that says which can be detected at
            all; None for all. A track outside of it is not missed when it is not detected.

    Example:
        >>> from pilotage.models import position
        >>> radar = Detector(position(std=0.5), detection=0.9, clutter=1e-3)
        >>> near = Detector(position(std=0.5), clutter=1e-3, field=lambda x, context: x[..., 0] < 50.0)
        >>> near.seen(np.array([[10.0, 0.0, 0.0, 0.0], [90.0, 0.0, 0.0, 0.0]])).tolist()
        [0.9, 0.0]
    """

    instead: ClassVar[str] = "; Detector(sensor, detection=0.9, clutter=1e-4) makes one of a sensor"

    sensor: Sensor
    detection: Fraction | Callable[..., Any] = 0.9
    clutter: Positive | Callable[..., Any] = 1e-3
    field: Callable[..., Any] | None = None

    def seen(self, x: Array, context: Any = None) -> Array:
        """P_D of states ``(..., n)``, 0 outside the field of view."""
        given, batch = self.detection, x.shape[:-1]
        P = (
            np.full(batch, given)
            if isinstance(given, float | int)
            else self._answer(given(x, context), batch, "detection")
        )
        if not ((P >= 0.0) & (P <= 1.0)).all():
            raise ModelError(f"detection of a Detector gave {P[~((P >= 0.0) & (P <= 1.0))][0]}; expected 0 to 1")
        if self.field is not None:
            P = np.where(self._answer(self.field(x, context), batch, "field") > 0.0, P, 0.0)
        return P

    def density(self, z: Array) -> Array:
        """lambda at readings ``(..., k)``."""
        if isinstance(self.clutter, float | int):
            return np.full(z.shape[:-1], self.clutter)
        found = self._answer(self.clutter(z), z.shape[:-1], "clutter")
        if not (found > 0.0).all():
            raise ModelError(f"clutter of a Detector gave {found[~(found > 0.0)][0]}; expected a density above 0")
        return found

    def scan(self, z: Any) -> tuple[Array, Any]:
        """Checked detections ``(K, k)`` and their places in what was given; rows of NaN are none.

        Raises:
            ShapeError: when detections do not fit the sensor, or one is NaN in part, or infinite.
        """
        reading = self.sensor.reading
        z = numbers(z, "scan", missing=True)
        z = z.reshape(0, reading.size) if z.size == 0 else z
        if z.ndim != 2:
            raise ShapeError(f"a scan has shape {z.shape}; expected detections (K, {reading.size}), one a row")
        z = reading.check(z, "scan", finite=False)
        known = np.isfinite(z).all(-1)
        if known.all():
            return z.copy(), np.arange(len(z))  # a copy of their own, which compiled code may be handed
        if not np.isnan(z[~known]).all():
            j = int(np.argmax(~known & ~np.isnan(z).all(-1)))
            raise ShapeError(f"detection {j} of a scan is {z[j]}; give finite numbers, or NaN in all of them for none")
        places = np.flatnonzero(known)
        return z[places], places

    def context(self, given: Any) -> Any:
        """A checked context of the sensor."""
        return context_of(given, self.sensor)

    def _answer(self, found: Any, batch: tuple[int, ...], name: str) -> Array:
        """A checked answer of a function of the user."""
        answer = np.asarray(found, dtype=np.float64)
        if answer.shape != batch and answer.ndim:
            raise ModelError(f"{name} of a Detector gave shape {answer.shape} for {batch}; expected one number each")
        return cast(Array, np.broadcast_to(answer, batch).copy())
