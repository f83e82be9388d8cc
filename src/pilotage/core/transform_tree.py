"""Trees of coordinate frames over time, as TF of ROS keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array, frozen, numbers
from .errors import PilotageError, ShapeError
from .space import Space

POSE = Space("pose: SE3")
UNIT = 0.01
"""Largest distance of the norm of a quaternion from 1."""
Stamped = tuple[str, str, float | None, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Joint:
    """The pose of a frame in its parent, over time.

    Attributes:
        parent: name of the parent.
        ts: times ``(K,)``, increasing [s]; empty if the pose is constant.
        poses: x, y, z, qw, qx, qy, qz at these times ``(K, 7)``, or ``(1, 7)`` if it is constant.

    Example:
        >>> Joint("odom", np.array([0.0, 2.0]), np.array([[0, 0, 0, 1, 0, 0, 0], [4, 0, 0, 1, 0, 0, 0.0]])).at(0.5)[:3]
        array([1., 0., 0.])
    """

    parent: str
    ts: Array
    poses: Array

    def at(self, t: Any) -> Array:
        """The poses ``(..., 7)`` at times ``(...)`` [s], between two known ones by the geodesic of SE(3)."""
        times = np.asarray(t, dtype=np.float64)
        if not len(self.ts):
            return np.broadcast_to(self.poses[0], (*times.shape, 7))
        after = np.clip(np.searchsorted(self.ts, times), 1, max(len(self.ts) - 1, 1))
        before = after - 1
        after = np.minimum(after, len(self.ts) - 1)
        gap = self.ts[after] - self.ts[before]
        share = np.where(gap > 0.0, (times - self.ts[before]) / np.where(gap > 0.0, gap, 1.0), 0.0)
        start = self.poses[before]
        return np.asarray(POSE.plus(start, share[..., None] * POSE.minus(self.poses[after], start)))


class TransformTree:
    """The poses of frames in one another, over time.

    ::

        T(target, source) = T(root, target)^-1 T(root, source)        T(root, f) = T(root, parent) T(parent, f)

    A pose between two known times is ``X0 Exp(s Log(X0^-1 X1))``, s the share of the time between them. By REP-105,
    the frames of a mobile robot are ``map -> odom -> base_link -> sensors``: `odom` drifts without jumps, and `map`
    corrects it, with jumps.

    Args:
        transforms: tuples of parent, child, time [s], and pose of the child in the parent ``(7,)``: x, y, z [m], qw,
            qx, qy, qz. A time of None means a constant pose, which counts before others of its frame. They may be
            given in any order; of several at one time, the last one counts.

    Attributes:
        joints: `Joint` of each frame that has a parent.

    Raises:
        ShapeError: if a pose is not seven finite numbers with a unit quaternion, or a time is not finite.
        PilotageError: if a frame has two parents, or frames form a loop.

    Source: T. Foote, "tf: The transform library", TePRA 2013; REP-103; REP-105.

    Example:
        >>> ahead = [2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
        >>> tree = TransformTree([("odom", "base_link", 0.0, [0, 0, 0, 1, 0, 0, 0]), ("odom", "base_link", 1.0, ahead),
        ...                       ("base_link", "laser", None, [0.1, 0, 0.2, 1, 0, 0, 0])])
        >>> tree.lookup("odom", "laser", 0.25).round(3).tolist()
        [0.6, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0]
        >>> tree
        TransformTree(odom -> base_link -> laser)
    """

    def __init__(self, transforms: Iterable[Stamped] = ()) -> None:
        found: dict[str, tuple[str, dict[float, Array], bool]] = {}
        for parent, child, t, pose in transforms:
            checked, constant = _pose(pose, parent, child), t is None
            time = 0.0 if t is None else float(t)
            if not np.isfinite(time):
                raise ShapeError(f"the time of {child!r} in {parent!r} is {time}; give seconds")
            before = found.setdefault(child, (parent, {}, constant))
            if before[0] != parent:
                raise PilotageError(f"frame {child!r} has two parents, {before[0]!r} and {parent!r}; leave one out")
            if constant:
                found[child] = (parent, {time: checked}, True)
            elif not before[2]:
                before[1][time] = checked
        self.joints: Mapping[str, Joint] = {child: _joint(*each) for child, each in found.items()}
        for frame in self.joints:
            self._line(frame)

    @property
    def frames(self) -> list[str]:
        """The names of all frames, in alphabetical order."""
        return sorted({*self.joints, *(joint.parent for joint in self.joints.values())})

    def lookup(self, target: str, source: str, t: Any) -> Array:
        """The poses ``(..., 7)`` of frame `source` in frame `target` at times ``(...)`` [s].

        Raises:
            PilotageError: if a frame is unknown, the frames are not connected, or a time lies outside of those known.
        """
        times = numbers(t, "times of a transform")
        lines = [self._line(self._known(frame)) for frame in (target, source)]
        if lines[0][-1] != lines[1][-1]:
            raise PilotageError(
                f"{target!r} and {source!r} are not connected: the one is in {lines[0][-1]!r}, the other in "
                f"{lines[1][-1]!r}"
            )
        shared = {*lines[0]} & {*lines[1]}
        down, up = (self._chain([f for f in line if f not in shared], times) for line in lines)
        return np.asarray(POSE.compose(POSE.inverse(down), up))

    def span(self, target: str, source: str) -> tuple[float, float]:
        """The first and the last time at which `lookup` knows a pose [s]; infinite if it is constant."""
        moving = self.times(target, source)
        first, last = (np.array([ts[k] for ts in moving]) for k in (0, -1))
        return float(first.max(initial=-np.inf)), float(last.min(initial=np.inf))

    def times(self, target: str, source: str) -> list[Array]:
        """The times at which each moving frame between two is known [s].

        Raises:
            PilotageError: if a frame is unknown.
        """
        lines = [self._line(self._known(frame)) for frame in (target, source)]
        return [self.joints[f].ts for f in {*lines[0]} ^ {*lines[1]} if f in self.joints and len(self.joints[f].ts)]

    def _known(self, frame: str) -> str:
        if frame not in self.frames:
            raise PilotageError(f"there is no frame {frame!r}; there are {', '.join(self.frames) or 'none'}")
        return frame

    def _line(self, frame: str) -> list[str]:
        """The frame, its parent, and so on to the root."""
        line = [frame]
        while line[-1] in self.joints:
            line.append(self.joints[line[-1]].parent)
            if line[-1] in line[:-1]:
                raise PilotageError(f"frames form a loop: {' -> '.join(reversed(line))}; leave one out")
        return line

    def _chain(self, frames: list[str], times: Array) -> Array:
        """The pose of the first of these frames in the parent of the last one."""
        pose = np.broadcast_to(POSE.identity(), (*times.shape, 7))
        for frame in frames:
            joint = self.joints[frame]
            _refuse_beyond(joint, frame, times)
            pose = np.asarray(POSE.compose(joint.at(times), pose))
        return pose

    def __repr__(self) -> str:
        roots = [frame for frame in self.frames if frame not in self.joints]
        return f"TransformTree({', '.join(self._drawn(root) for root in roots)})"

    def _drawn(self, frame: str) -> str:
        below = [self._drawn(child) for child, joint in self.joints.items() if joint.parent == frame]
        return f"{frame} -> {below[0]}" if len(below) == 1 else f"{frame} -> ({', '.join(below)})" if below else frame


def _pose(pose: Any, parent: str, child: str) -> Array:
    found = numbers(pose, f"the pose of {child!r} in {parent!r}")
    if found.shape != (7,) or not np.isfinite(found).all() or abs(np.linalg.norm(found[3:]) - 1.0) > UNIT:
        raise ShapeError(
            f"the pose of {child!r} in {parent!r} is {found.tolist()}; expected x, y, z and a unit quaternion wxyz"
        )
    return np.concatenate([found[:3], found[3:] / np.linalg.norm(found[3:])])


def _joint(parent: str, poses: dict[float, Array], constant: bool) -> Joint:
    ts = sorted(poses)
    return Joint(parent, frozen([] if constant else ts), frozen([poses[t] for t in ts]))


def _refuse_beyond(joint: Joint, frame: str, times: Array) -> None:
    if not len(joint.ts) or not times.size:
        return
    first, last = joint.ts[0], joint.ts[-1]
    wrong = ~((times >= first) & (times <= last))
    if wrong.any():
        raise PilotageError(
            f"the pose of {frame!r} in {joint.parent!r} at {times[wrong].flat[0]:.9g} s is not known; it is from "
            f"{first:.9g} to {last:.9g} s"
        )
