"""Laser logs with raw odometry as JSON, converted from the files of GMapping (gfs).

    {"map": {"<time>": {"range": [r_1, ..., r_n], "theta": yaw, "x": x, "y": y}, ...}}

Times are Unix seconds, ranges and positions metres. The poses are those of the wheels, not corrected.

Source of the format: github.com/xiaofeng419/SLAM-2D-LIDAR-SCAN, DataSet/PreprocessedData.
"""

from __future__ import annotations

import json
import os

import numpy as np

from pilotage.core.errors import FormatError

from .carmen import LaserLog, beam_angles
from .contents import text_lines


def read_gfs_json(path: str | os.PathLike[str]) -> LaserLog:
    """The scans of a JSON file, plain or gzipped, in the order of their times; `poses` are those of the odometry.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if it is not JSON of this form, a number is missing or not finite, or scans differ in their number
            of beams.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "walk.json")
        ...     _ = file.write_text('{"map": {"7.5": {"range": [1.0, 2.5, 4.0], "theta": 0.1, "x": 3.0, "y": 4.0}}}')
        ...     read_gfs_json(file)
        LaserLog(1 scan of 3 beams)
    """
    try:
        scans = json.loads("\n".join(text_lines(path, "JSON")))["map"]
        times = sorted(scans, key=float)
        ts = np.array([float(t) for t in times])
        poses = np.array([[float(scans[t][axis]) for axis in ("x", "y", "theta")] for t in times])
        ranges = np.array([scans[t]["range"] for t in times], dtype=np.float64)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(f'{path} is not a log {{"map": {{time: {{range, x, y, theta}}}}}}: {error!r:.100}') from None
    if ranges.ndim != 2 or not ranges.size or not (np.isfinite(poses).all() and np.isfinite(ts).all()):
        raise FormatError(f"{path} holds no scans, or times or poses that are not finite")
    return LaserLog(ts, poses, poses, ranges, beam_angles(ranges.shape[1]))
