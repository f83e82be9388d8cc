"""The scans of a laser and the odometry of its robot, joined from the messages of a bag at the stamps of the scans."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Space
from pilotage.core.arrays import Array, numbers
from pilotage.core.errors import PilotageError, ShapeError
from pilotage.core.transform_tree import Joint, TransformTree

from .carmen import LaserLog
from .plane_poses import planar
from .ros_values import LaserScan, Odometry

Scans = Sequence[tuple[float, LaserScan]]
Wheels = Sequence[tuple[float, Odometry]]
Indices = NDArray[np.int64]
PLANE = Space("pose: SE2")
GAP = 1.0
"""Odometry is not interpolated over longer gaps [s]."""
FLAT = 0.9
"""Least cosine between the axes of the robot and of its laser, upright or upside down."""


def joined(scans: Scans, wheels: Wheels, tree: TransformTree, *, fixed: str, base: str | None, mount: Any) -> LaserLog:
    """The log of scans, with the odometry of the wheels, or else of TF: see `Bag.laser_log`."""
    scans, left = _alike(scans)
    child = wheels[0][1].child.lstrip("/") if wheels else ""
    base = base or (child if child in tree.frames else "base_link")
    place, upright = _place(scans[0], tree, base, mount)
    ts = np.array([t for t, _ in scans])
    odometry, known = _odometry(ts, wheels, tree, fixed, base)
    if not known.any():
        raise PilotageError("no scan lies within the time of the odometry; do their clocks differ?")
    if not known.all():
        left["without odometry"] = int((~known).sum())
    ts, odometry, first = ts[known], odometry[known], scans[0][1]
    by_tf = _by_tf(ts, tree, fixed, base)
    robot = odometry if by_tf is None or not by_tf.all() else planar(tree.lookup(fixed, base, ts))
    ranges = np.stack([_seen(scan) for (_, scan), good in zip(scans, known, strict=True) if good])
    angles = first.angles if upright else -first.angles[::-1]
    poses = np.asarray(PLANE.compose(robot, place))
    far = first.most if 0.0 < first.most < np.inf else np.inf
    return LaserLog(ts, poses, odometry, ranges if upright else ranges[:, ::-1], angles, place, far, left)


def steady(ts: Sequence[float]) -> Indices:
    """The indices of the most times that increase: a clock that jumps leaves times that go back, or one far ahead.

    Source: C. Schensted, "Longest increasing and decreasing subsequences", Canadian Journal of Mathematics, 1961.

    Example:
        >>> steady([1.0, 2.0, 900.0, 3.0, 3.0, 0.0, 4.0]).tolist()
        [0, 1, 3, 6]
    """
    ends, at, before = list[float](), list[int](), list[int]()
    for i, t in enumerate(ts):
        length = bisect_left(ends, t)
        before.append(at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(t)
            at.append(i)
        elif t < ends[length]:
            ends[length], at[length] = t, i
    chain = at[-1:]
    while chain and before[chain[-1]] >= 0:
        chain.append(before[chain[-1]])
    return np.array(chain[::-1], dtype=np.int64)


def _alike(scans: Scans) -> tuple[Scans, dict[str, int]]:
    """The scans of one laser in the order of their stamps, and how many others there were."""
    left = dict[str, int]()
    kinds = Counter(_kind(scan) for _, scan in scans if len(scan.ranges))
    if not kinds:
        raise PilotageError("all scans are empty; expected some with beams")
    kind = kinds.most_common(1)[0][0]
    alike = [each for each in scans if _kind(each[1]) == kind]
    kept = [alike[i] for i in steady([t for t, _ in alike])]
    for name, count in (
        ("with other beams", len(scans) - len(alike)),
        ("of a clock that jumps", len(alike) - len(kept)),
    ):
        if count:
            left[name] = count
    return kept, left


def _kind(scan: LaserScan) -> tuple[int, float, float, str]:
    return len(scan.ranges), round(scan.start, 4), round(scan.step, 6), scan.frame


def _seen(scan: LaserScan) -> Array:
    """Ranges ``(B,)``: infinite where nothing was seen, NaN where a beam failed, or met something too near."""
    far = scan.most if scan.most > 0.0 else np.inf
    return np.where(scan.ranges >= far, np.inf, np.where(scan.ranges >= max(scan.least, 1e-6), scan.ranges, np.nan))


def _place(scan: tuple[float, LaserScan], tree: TransformTree, base: str, mount: Any) -> tuple[Array, bool]:
    """x, y, yaw of the laser on the robot, and whether it is upright, and not upside down."""
    if mount is not None:
        given = numbers(mount, "mount")
        if given.shape != (3,) or not np.isfinite(given).all():
            raise ShapeError(f"mount is {given.tolist()}; expected x, y, yaw of the laser on the robot")
        return np.array(given), True
    t, frame = scan[0], scan[1].frame.lstrip("/")
    if frame == base:
        return np.zeros(3), True
    try:
        low, high = tree.span(base, frame)
        pose = tree.lookup(base, frame, min(max(t, low), high))
    except PilotageError as error:
        raise PilotageError(
            f"TF does not tell where the laser {frame!r} is on {base!r}: {error}; give its x, y, yaw as mount"
        ) from None
    up = float(1.0 - 2.0 * (pose[4] ** 2 + pose[5] ** 2))  # the cosine between the z axes
    if abs(up) < FLAT:
        raise PilotageError(
            f"the laser {frame!r} is tilted by {np.degrees(np.arccos(up)):.0f} deg; expected a level one"
        )
    return planar(pose), up > 0.0


def _odometry(ts: Array, wheels: Wheels, tree: TransformTree, fixed: str, base: str) -> tuple[Array, NDArray[np.bool_]]:
    """Poses of the robot by its odometry at times ``(T, 3)``, and where it is known; NaN where nothing tells it."""
    if wheels:
        kept = [wheels[i] for i in steady([t for t, _ in wheels])]
        poses = np.stack([each.pose for _, each in kept])
        poses[:, 3:] /= np.linalg.norm(poses[:, 3:], axis=1, keepdims=True)
        joint = Joint("", np.array([t for t, _ in kept]), poses)
        return planar(joint.at(ts)), _covered(ts, joint.ts)
    found, known = np.full((len(ts), 3), np.nan), _by_tf(ts, tree, fixed, base)
    if known is None:
        return found, np.ones(len(ts), dtype=bool)
    found[known] = planar(tree.lookup(fixed, base, ts[known]))
    return found, known


def _by_tf(ts: Array, tree: TransformTree, fixed: str, base: str) -> NDArray[np.bool_] | None:
    """The times at which TF knows the robot in the fixed frame; None if it does not connect the two."""
    try:
        times = tree.times(fixed, base)
        tree.lookup(fixed, base, np.zeros(0))
    except PilotageError:
        return None
    return np.logical_and.reduce([np.ones(len(ts), dtype=bool), *(_covered(ts, each) for each in times)])


def _covered(ts: Array, known: Array) -> NDArray[np.bool_]:
    """Whether each time lies between two known ones that are not far apart."""
    if len(known) < 2:
        return np.isin(ts, known)
    after = np.clip(np.searchsorted(known, ts), 1, len(known) - 1)
    return (ts >= known[0]) & (ts <= known[-1]) & (known[after] - known[after - 1] <= GAP)
