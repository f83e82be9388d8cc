"""Bags of ROS 1 (.bag) and ROS 2 (.mcap, or a folder with metadata.yaml), read and written without ROS."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import ArrayLike

from pilotage.core.errors import FormatError, MissingFile, PilotageError, require
from pilotage.core.transform_tree import Stamped, TransformTree

from ._datasets import building, fresh_folder
from ._ros_writers import Writer, rosbags_classes, type_of, typestore
from .carmen import LaserLog
from .contents import missing, path_of
from .laser_bags import joined, steady
from .ros_messages import READERS, from_ros
from .ros_values import NANO, LaserScan, Odometry, RosValue, StampedPose

Value = TypeVar("Value", Odometry, LaserScan, StampedPose)
PathLike = str | os.PathLike[str]
STATIC = "tf_static"
JUMP = 1.0
"""A clock that goes back by more has jumped; messages that overtake each other are a little late [s]."""


@dataclass(frozen=True, eq=False)
class BagMessage:
    """A message of a bag; as an iterable, its time, topic and value.

    Args:
        t: time since the start of the bag [s]: by the stamp of the message, or by its receipt if it has none.
        topic: the topic.
        value: the content, as `from_ros` gives it.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import Twist
        >>> BagMessage(0.5, "/cmd_vel", Twist(np.zeros(6))).topic
        '/cmd_vel'
    """

    t: float
    topic: str
    value: RosValue

    def __iter__(self) -> Iterator[Any]:
        return iter((self.t, self.topic, self.value))


@dataclass(frozen=True, eq=False, repr=False)
class Bag:
    """The messages of a bag in the order of their receipt, with times in seconds since its earliest stamp.

    Attributes:
        start: time of that stamp [ns].
        topics: type and number of messages of each topic in the file, whether or not it is read.
        messages: the messages that were read.

    Example:
        >>> Bag(0, {"/odom": ("nav_msgs/msg/Odometry", 2)}, ())
        Bag(0 messages read, 0 s; /odom: 2 nav_msgs/msg/Odometry)
    """

    start: int
    topics: Mapping[str, tuple[str, int]]
    messages: tuple[BagMessage, ...]

    def of(self, kind: type[Value], topic: str | None = None) -> list[tuple[float, Value]]:
        """Times [s] and values of the messages of a kind, such as `Odometry`; of one topic, if it is given."""
        return [(t, v) for t, name, v in self.messages if isinstance(v, kind) and topic in (None, name)]

    def topic_of(self, kind: type[Value]) -> str | None:
        """The topic with the most messages of a kind; None if there are none."""
        found = [name for _, name, value in self.messages if isinstance(value, kind)]
        return max(sorted(set(found)), key=found.count) if found else None

    def transforms(self) -> TransformTree:
        """The tree of all frames of the bag, from TF.

        Raises:
            PilotageError: if frames have two parents or form a loop.
        """
        return TransformTree(self._stamped())

    def _stamped(self) -> Iterator[Stamped]:
        found = dict[str, list[Stamped]]()
        for _, topic, value in self.messages:
            for each in value if isinstance(value, tuple) else ():
                t = None if topic.endswith(STATIC) else (each.stamp - self.start) / NANO
                found.setdefault(each.child, []).append((each.frame, each.child, t, each.pose))
        for each in found.values():
            yield from _without_jumps(each)

    def laser_log(
        self,
        topic: str | None = None,
        *,
        odometry: str | None = None,
        fixed: str = "odom",
        base: str | None = None,
        mount: ArrayLike | None = None,
    ) -> LaserLog:
        """The scans of a laser, with the pose of the robot by its odometry at the stamp of each.

        Odometry is that of its messages, or else of TF from `fixed` to `base`; between two of them, it is interpolated.
        It is NaN in a bag that has neither. What the log lacks is counted in `LaserLog.left_out`: scans outside of the
        time of the odometry or in a gap of it of more than a second, with other beams than most, and those of a clock
        that jumped.

        Args:
            topic: topic of the laser; None for the one with the most scans.
            odometry: topic of the odometry; None for the one with the most messages.
            fixed: frame of the poses; in `map`, they are those of the localization that ran.
            base: frame of the robot; None for that of the odometry if TF knows it, else `base_link`.
            mount: x, y, yaw of the laser on the robot ``(3,)``; None for that of TF.

        Raises:
            PilotageError: if there are no scans, none lies within the time of the odometry, or nothing tells where the
                laser is on the robot.
        """
        scans = self._chosen(LaserScan, topic)
        if not scans:
            raise PilotageError(f"the bag holds no scans; {self!r}")
        return joined(scans, self._chosen(Odometry, odometry), self.transforms(), fixed=fixed, base=base, mount=mount)

    def _chosen(self, kind: type[Value], topic: str | None) -> list[tuple[float, Value]]:
        """The messages of a topic, or of the one with the most of a kind."""
        found = self.of(kind, topic or self.topic_of(kind))
        if topic and not found:
            raise PilotageError(f"the bag holds no {kind.__name__} on {topic}; {self!r}")
        return found

    def __repr__(self) -> str:
        last = max((t for t, _, _ in self.messages), default=0.0)
        topics = ", ".join(f"{name}: {count} {kind}" for name, (kind, count) in self.topics.items())
        return f"Bag({len(self.messages)} messages read, {last:.4g} s; {topics or 'no topics'})"


def _without_jumps(poses: list[Stamped]) -> list[Stamped]:
    """The poses of a frame, without those of a clock that jumped back, as that of a simulation that began again."""
    ts = [t for _, _, t, _ in poses if t is not None]
    if len(ts) < len(poses) or not any(b < a - JUMP for a, b in pairwise(ts)):
        return poses
    return [poses[i] for i in steady(ts)]


def read_bag(path: PathLike, topics: Iterable[str] | None = None) -> Bag:
    """The messages of a bag whose types `from_ros` reads; other topics are listed, and skipped.

    Args:
        path: a .bag or .mcap file, or the folder of a ROS 2 bag.
        topics: topics to read; None for all.

    Raises:
        MissingFile: if there is nothing at the path.
        FormatError: if it is no bag, is damaged or cut off, lacks one of the topics, or a message is malformed.
        MissingExtra: if rosbags is not installed.

    Example:
        >>> import numpy as np
        >>> from tempfile import TemporaryDirectory
        >>> from pilotage.io import Twist, write_bag
        >>> with TemporaryDirectory() as folder:
        ...     write_bag(Path(folder, "drive"), [BagMessage(0.0, "/cmd_vel", Twist(np.full(6, 0.5)))])
        ...     read_bag(Path(folder, "drive"))
        Bag(1 messages read, 0 s; /cmd_vel: 1 geometry_msgs/msg/Twist)
    """
    require("rosbags", extra="ros")
    file = path_of(path)
    if not file.exists():
        raise MissingFile(missing(file))
    try:
        return _read(file, None if topics is None else set(topics))
    except PilotageError:
        raise
    except Exception as error:
        # A damaged file makes the readers of bags raise almost anything, from AssertionError to struct.error.
        raise FormatError(f"{path} cannot be read as a bag: {type(error).__name__}: {error}") from error


def _read(file: Path, wanted: set[str] | None) -> Bag:
    """The bag of a file; what rosbags raises is not caught."""
    highlevel = importlib.import_module("rosbags.highlevel")
    with highlevel.AnyReader([file], default_typestore=typestore()) as reader:
        topics: dict[str, tuple[str, int]] = {}
        for each in reader.connections:
            before = topics.get(each.topic, (each.msgtype, 0))
            topics[each.topic] = (each.msgtype, before[1] + each.msgcount)
        if lost := sorted((wanted or set()) - set(topics)):
            raise FormatError(f"{file} has no topic {', '.join(lost)}; it has {', '.join(sorted(topics)) or 'none'}")
        read = [
            each
            for each in reader.connections
            if (wanted is None or each.topic in wanted) and each.msgtype.rpartition("/")[2] in READERS
        ]
        found = [
            (received, each.topic, from_ros(reader.deserialize(raw, each.msgtype)))
            for each, received, raw in (reader.messages(connections=read) if read else ())
        ]
    return _timed(topics, found)


def _timed(topics: Mapping[str, tuple[str, int]], found: list[tuple[int, str, RosValue]]) -> Bag:
    """Times since the earliest stamp; of messages without one, by their receipt, less the least delay of the others."""
    stamps = [None if topic.endswith(STATIC) else stamp_of(value) for _, topic, value in found]
    known = [(stamp, received) for stamp, (received, _, _) in zip(stamps, found, strict=True) if stamp is not None]
    delay = min((received - stamp for stamp, received in known), default=0)
    ns = [received - delay if stamp is None else stamp for stamp, (received, _, _) in zip(stamps, found, strict=True)]
    start = min(ns, default=0)
    messages = ((t - start, topic, value) for t, (_, topic, value) in zip(ns, found, strict=True))
    return Bag(start, dict(topics), tuple(BagMessage(t / NANO, topic, value) for t, topic, value in messages))


def stamp_of(value: RosValue) -> int | None:
    """The stamp of a message [ns], of TF its first one; None if it has none.

    Example:
        >>> import numpy as np
        >>> from pilotage.io import StampedPose, Twist, spatial
        >>> stamp_of(Twist(np.zeros(6))), stamp_of(StampedPose(5, "map", spatial([0, 0, 0])))
        (None, 5)
    """
    if isinstance(value, tuple):
        return value[0].stamp if value else None
    return value.stamp


def write_bag(path: PathLike, messages: Iterable[BagMessage], *, start: int = 0, kind: str = "mcap") -> None:
    """Write a ROS 2 bag: a new folder, which appears when it is complete.

    Args:
        path: the folder; it must not exist.
        messages: the messages; they are received at `start` + `t`.
        start: time of t = 0 [ns].
        kind: "mcap" or "sqlite3".

    Raises:
        FormatError: if the folder exists, or a value is no message.
        MissingExtra: if rosbags is not installed.

    Example:
        >>> import numpy as np
        >>> from tempfile import TemporaryDirectory
        >>> from pilotage.io import Twist
        >>> with TemporaryDirectory() as folder:
        ...     write_bag(Path(folder, "drive"), [BagMessage(0.0, "/cmd_vel", Twist(np.zeros(6)))])
        ...     sorted(file.name for file in Path(folder, "drive").iterdir())
        ['drive.mcap', 'metadata.yaml']
    """
    require("rosbags", extra="ros")
    target = fresh_folder(path)
    if kind not in ("mcap", "sqlite3"):
        raise FormatError(f'kind is {kind!r}; expected "mcap" or "sqlite3"')
    with building(target) as beside:
        _write(beside, messages, start, kind)


def _write(folder: Path, messages: Iterable[BagMessage], start: int, kind: str) -> None:
    rosbag2, store, writer = importlib.import_module("rosbags.rosbag2"), typestore(), Writer(rosbags_classes())
    plugin = getattr(rosbag2.StoragePlugin, kind.upper())
    connections: dict[tuple[str, str], Any] = {}
    with rosbag2.Writer(folder, version=9, storage_plugin=plugin) as bag:
        for t, topic, value in messages:
            key = (topic, type_of(value))
            if key not in connections:
                connections[key] = bag.add_connection(topic, key[1], typestore=store)
            raw = store.serialize_cdr(writer.message(value), key[1])
            bag.write(connections[key], start + round(t * NANO), raw)
