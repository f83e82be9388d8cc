"""Laser logs of CARMEN: text, plain or gzipped, one message a line.

Format: Montemerlo, Roy and Thrun, "Perspectives on Standardization in Mobile Robot Programming: The Carnegie Mellon
Navigation (CARMEN) Toolkit", IROS 2003, and the header of its log files. The line that is read is

    FLASER n r_1 ... r_n x y yaw odom_x odom_y odom_yaw time host time

with ranges and positions in metres. Other messages are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, counted

from .contents import text_lines

Array = NDArray[np.float64]
TAIL = 9
"""Words of a line behind the ranges."""


@dataclass(frozen=True, eq=False, repr=False)
class LaserLog:
    """The scans of a laser on a robot that drives in the plane.

    Attributes:
        ts: times ``(T,)`` [s], as the log has them; some logs have none that are of use.
        poses: x [m], y [m], yaw [rad] of the laser, ``(T, 3)``: corrected, where the log was corrected by SLAM.
        odometry: x, y, yaw of the robot by its wheels ``(T, 3)``; in many corrected logs the same as `poses`. NaN if
            there is none.
        ranges: ``(T, B)`` [m].
        angles: directions of the beams ``(B,)`` [rad], from right to left; 0 is ahead.
        mount: x, y, yaw of the laser on the robot ``(3,)``.
        max_range: largest range that the laser measures [m], infinite if the log does not say; it saw nothing up to
            there where a range is infinite.
        left_out: number of scans of the file that are none of the log, by what was wrong with them.

    Example:
        >>> LaserLog(np.zeros(2), np.zeros((2, 3)), np.zeros((2, 3)), np.ones((2, 180)), beam_angles(180))
        LaserLog(2 scans of 180 beams)
    """

    ts: Array
    poses: Array
    odometry: Array
    ranges: Array
    angles: Array
    mount: Array = field(default_factory=lambda: np.zeros(3))
    max_range: float = np.inf
    left_out: Mapping[str, int] = field(default_factory=lambda: dict[str, int]())

    def __repr__(self) -> str:
        return f"LaserLog({counted(len(self.ts), 'scan')} of {counted(len(self.angles), 'beam')})"


def beam_angles(count: int) -> Array:
    """Directions of the beams of a laser that sees half a circle, ``(count,)`` [rad].

    An odd number of beams covers both ends; an even number leaves out the last one, as the drivers of SICK lasers do.

    Example:
        >>> np.degrees(beam_angles(5)).tolist(), np.degrees(beam_angles(4)).tolist()
        ([-90.0, -45.0, 0.0, 45.0, 90.0], [-90.0, -45.0, 0.0, 45.0])
    """
    return np.linspace(-0.5 * np.pi, 0.5 * np.pi, count, endpoint=count % 2 == 1)


def read_carmen(path: str | os.PathLike[str]) -> LaserLog:
    """The front laser scans of a CARMEN log, plain or gzipped.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a scan is incomplete or holds something else than numbers, or scans differ in their number of
            beams, or there is none.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "walk.log")
        ...     _ = file.write_text("FLASER 3 1.0 2.5 4.0 0.0 0.0 0.5 0.0 0.0 0.5 0.1 host 0.1")
        ...     read_carmen(file)
        LaserLog(1 scan of 3 beams)
    """
    lines = text_lines(path, "CARMEN", errors="replace")
    rows = [_numbers(line.split(), f"{path}, line {i}") for i, line in enumerate(lines, 1) if line[:7] == "FLASER "]
    widths = sorted({len(row) for row in rows})
    if len(widths) != 1:
        found = f"scans of {', '.join(str(width - TAIL + 2) for width in widths)} beams" if rows else "no scan (FLASER)"
        raise FormatError(f"{path} holds {found}; expected scans of one number of beams")
    table, beams = np.array(rows), widths[0] - TAIL + 2
    ranges, poses, odometry = table[:, :beams], table[:, beams : beams + 3], table[:, beams + 3 : beams + 6]
    return LaserLog(table[:, -1], poses, odometry, ranges, beam_angles(beams))


def _numbers(words: list[str], place: str) -> list[float]:
    """Ranges, pose, odometry and time of a line."""
    try:
        count = int(words[1])
        row = [float(word) for word in (*words[2 : 2 + count + 6], words[-1])]
    except (ValueError, IndexError):
        raise FormatError(f"{place}: {' '.join(words[:4])} ... is not a scan; expected FLASER n r_1 ... r_n") from None
    if len(words) != count + 2 + TAIL or not np.isfinite(row).all():
        raise FormatError(f"{place}: a scan of {count} ranges has {len(words)} words; expected {count + 2 + TAIL}")
    return row
