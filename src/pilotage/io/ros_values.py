"""Values of ROS messages: frozen records with arrays.

Conventions are those of REP-103 and REP-105. Quaternions are xyzw in messages and wxyz here; covariances ``(6, 6)`` are
of x, y, z and rotations about these fixed axes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import Array, frozen

from .ros_map import RosMap

NANO = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Odometry:
    """The pose and velocity of a robot by its odometry (nav_msgs/Odometry).

    Attributes:
        stamp: time [ns].
        frame, child: frame of the pose, usually `odom`, and of the velocity, usually `base_link`.
        pose: x, y, z [m], qw, qx, qy, qz ``(7,)``, with covariance `pose_cov` ``(6, 6)``.
        twist: velocity [m/s] and turn rate [rad/s] ``(6,)``, with covariance `twist_cov` ``(6, 6)``.

    Example:
        >>> from pilotage.io import spatial
        >>> Odometry(0, "odom", "base_link", spatial([1.0, 2.0, 0.0]), np.eye(6), np.zeros(6), np.eye(6)).pose[:2]
        array([1., 2.])
    """

    stamp: int
    frame: str
    child: str
    pose: Array
    pose_cov: Array
    twist: Array
    twist_cov: Array


@dataclass(frozen=True, eq=False)
class StampedTransform:
    """The pose of a frame in its parent (geometry_msgs/TransformStamped); a TFMessage is a tuple of them.

    Attributes:
        stamp: time [ns].
        frame, child: the parent and the child.
        pose: x, y, z [m], qw, qx, qy, qz of the child in the parent ``(7,)``.

    Example:
        >>> from pilotage.io import spatial
        >>> StampedTransform(0, "odom", "base_link", spatial([1.0, 2.0, 0.0])).child
        'base_link'
    """

    stamp: int
    frame: str
    child: str
    pose: Array


@dataclass(frozen=True, eq=False)
class LaserScan:
    """A scan of a laser (sensor_msgs/LaserScan).

    Attributes:
        stamp: time of the first beam [ns].
        frame: frame of the laser.
        start, step: direction of the first beam, and from one beam to the next [rad].
        ranges: ``(B,)`` [m]; infinity where nothing was seen, NaN where a beam failed.
        least, most: ranges that the laser can measure [m].
        beam_time, scan_time: time from one beam to the next, and from one scan to the next [s].
        intensities: ``(B,)`` or ``(0,)``.

    Example:
        >>> scan = LaserScan(0, "laser", -0.1, 0.1, np.array([1.0, 2.0, np.inf]), 0.1, 8.0)
        >>> scan.angles.round(3).tolist()
        [-0.1, 0.0, 0.1]
    """

    stamp: int
    frame: str
    start: float
    step: float
    ranges: Array
    least: float
    most: float
    beam_time: float = 0.0
    scan_time: float = 0.0
    intensities: Array = field(default_factory=lambda: frozen([]))

    @property
    def angles(self) -> Array:
        """Directions of the beams ``(B,)`` [rad]."""
        return np.asarray(self.start + self.step * np.arange(len(self.ranges)), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class StampedPose:
    """A pose with its covariance (geometry_msgs/PoseWithCovarianceStamped; PoseStamped without one).

    Attributes:
        stamp: time [ns].
        frame: frame of the pose, usually `map`.
        pose: x, y, z [m], qw, qx, qy, qz ``(7,)``.
        cov: covariance ``(6, 6)``, or None.

    Example:
        >>> from pilotage.io import spatial
        >>> StampedPose(0, "map", spatial([1.0, 2.0, 0.0]), np.eye(6)).frame
        'map'
    """

    stamp: int
    frame: str
    pose: Array
    cov: Array | None = None


@dataclass(frozen=True, eq=False)
class StampedPath:
    """A path (nav_msgs/Path).

    Attributes:
        stamp: time [ns].
        frame: frame of the poses.
        stamps: times of the poses ``(K,)`` [ns].
        poses: x, y, z [m], qw, qx, qy, qz ``(K, 7)``.

    Example:
        >>> from pilotage.io import spatial
        >>> StampedPath(0, "map", np.zeros(2, np.int64), np.stack([spatial([0, 0, 0]), spatial([1, 0, 0])])).poses.shape
        (2, 7)
    """

    stamp: int
    frame: str
    stamps: NDArray[np.int64]
    poses: Array


@dataclass(frozen=True, eq=False)
class StampedMap:
    """A map (nav_msgs/OccupancyGrid).

    Attributes:
        stamp: time [ns].
        frame: frame of the map.
        map: occupancy from 0 to 1, NaN if unknown, with resolution and origin.

    Example:
        >>> StampedMap(0, "map", RosMap(np.zeros((2, 3), np.float32), 0.05)).map.resolution
        0.05
    """

    stamp: int
    frame: str
    map: RosMap


@dataclass(frozen=True, eq=False)
class Twist:
    """A velocity or a command (geometry_msgs/Twist, without a stamp, or TwistStamped).

    Attributes:
        velocity: of translation [m/s] and of rotation [rad/s] ``(6,)``; a robot in the plane uses the first and the
            last one.
        stamp: time [ns], or None.
        frame: frame of the velocity.

    Example:
        >>> Twist(np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.1])).velocity[0]
        np.float64(0.5)
    """

    velocity: Array
    stamp: int | None = None
    frame: str = ""


RosValue = Odometry | tuple[StampedTransform, ...] | LaserScan | StampedPose | StampedPath | StampedMap | Twist
