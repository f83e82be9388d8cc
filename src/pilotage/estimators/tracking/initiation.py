"""Initiation: the tracks that begin at detections which no track explains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core import Sensor
from ...core.arrays import Array
from ._targets import Rows, Targets


class Initiation(ABC):
    """Base of the rules by which a `Tracker` begins tracks.

    Attributes:
        points: detections of which a new track is made.

    Example:
        >>> from pilotage.core import Gaussian
        >>> from pilotage.models import constant_velocity
        >>> space = constant_velocity().state
        >>> class AtRest(Initiation):
        ...     "A track begins at each detection (x, y), at rest, with standard deviations of 1 m and 0.1 m/s."
        ...
        ...     def begin(self, targets, sensor, z, context):
        ...         mean = np.concatenate([z, 0.0 * z], axis=1)
        ...         return targets.pack(Gaussian.of(space, mean, std=[1.0, 1.0, 0.1, 0.1])), np.arange(len(z))
    """

    points: ClassVar[int] = 1
    instead: ClassVar[str] = "; Gaussian.of(dynamics.state, mean, std=...) says where targets appear, and serves too"

    @abstractmethod
    def begin(self, targets: Targets, sensor: Sensor, z: Array, context: Any) -> tuple[Rows, NDArray[np.int64]]:
        """The beliefs of new tracks at detections ``(K, k)``, and which detections they come from.

        Args:
            targets: the filter of the tracker.
            sensor: the sensor of the detections.
            z: detections that no track explains, ``(K, k)``.
            context: context of the sensor, as checked.
        """

    def step(
        self, memory: Any, targets: Targets, t: float, sensor: Sensor, z: Array, context: Any
    ) -> tuple[Rows, NDArray[np.int64], Any]:
        """`begin`, and the memory for the next scan, for rules that remember detections of earlier scans.

        Args:
            memory: what the step before gave; None in the first. It must not be changed.
            targets, sensor, z, context: as for `begin`.
            t: time of the scan [s].
        """
        return *self.begin(targets, sensor, z, context), memory
