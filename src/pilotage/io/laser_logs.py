"""Laser logs of any format that Pilotage reads, by what the file holds."""

from __future__ import annotations

import os
from collections.abc import Callable

from .bags import read_bag
from .carmen import LaserLog, read_carmen
from .contents import path_of, text_lines
from .gfs_json import read_gfs_json

PathLike = str | os.PathLike[str]
READERS: list[tuple[Callable[[str], bool], Callable[[PathLike], LaserLog]]] = [
    (lambda begin: begin.lstrip().startswith("{"), read_gfs_json),
    (lambda begin: True, read_carmen),
]
"""Whether a reader is for a file that begins so, and the reader; the first one that is for it reads it. `pilotage slam`
takes a new format when a reader that returns a `LaserLog` is listed here."""


def is_bag(path: PathLike) -> bool:
    """Whether a path is that of a bag: a .bag or .mcap file, or a folder.

    Example:
        >>> is_bag("drive.mcap"), is_bag("walk.log")
        (True, False)
    """
    file = path_of(path)
    return file.suffix in (".bag", ".mcap") or file.is_dir()


def read_laser_log(path: PathLike) -> LaserLog:
    """The scans and odometry of a laser log: CARMEN, JSON of GMapping's files, plain or gzipped; or a bag of ROS.

    Of a bag with several lasers, it is the one with the most scans; `Bag.laser_log` has more options.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if the file is not valid.
        PilotageError: see `Bag.laser_log`.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "walk.log")
        ...     _ = file.write_text("FLASER 3 1.0 2.5 4.0 0.0 0.0 0.5 0.0 0.0 0.5 0.1 host 0.1")
        ...     read_laser_log(file)
        LaserLog(1 scan of 3 beams)
    """
    if is_bag(path):
        return read_bag(path).laser_log()
    lines = text_lines(path, "laser log", errors="replace")
    begin = next((line for line in lines if line.strip()), "")
    return next(read for fits, read in READERS if fits(begin))(path)
