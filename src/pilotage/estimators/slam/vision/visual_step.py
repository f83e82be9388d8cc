"""The outcome of a frame of visual odometry."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian

Array = NDArray[np.float64]


class VisualStatus(enum.Enum):
    """The outcome of a frame."""

    INITIALIZING = "initializing"
    DEGENERATE = "degenerate"
    TRACKING = "tracking"
    LOST = "lost"


@dataclass(frozen=True, eq=False)
class VisualStep:
    """The outcome of a frame.

    Attributes:
        status: the outcome.
        reason: the same in words.
        pose: pose of the camera ``(size,)``; the last one known where it is lost or initializing.
        belief: the pose with its covariance, relative to the start of the map; None where it is lost or initializing.
        keyframe: whether the frame became a keyframe.
        wrong: ids whose readings do not agree.
        map: number of the map, from 0 on: a camera that was lost for long begins a new one.

    Example:
        >>> from pilotage.estimators.slam.vision import Camera, VisualOdometry
        >>> VisualOdometry(Camera()).start().add([0], [[320.0, 240.0]]).reason
        'waits for a second view: 1 feature'
    """

    status: VisualStatus
    reason: str
    pose: Array
    belief: Gaussian | None
    keyframe: bool
    wrong: tuple[int, ...]
    map: int
