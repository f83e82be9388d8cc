"""Known relations between poses of a robot: files of the benchmark of graph-based SLAM of Freiburg.

    t_1 t_2 dx dy dz roll pitch yaw          the pose at t_2 in the frame of the pose at t_1; seconds, metres, radians

Source: R. Kümmerle et al., "On measuring the accuracy of SLAM algorithms", Autonomous Robots 2009.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import counted

from .trajectories import rows_of

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Relations:
    """Known relative poses in the plane.

    Attributes:
        times: times of both poses ``(K, 2)`` [s].
        poses: x, y, yaw of the second in the frame of the first ``(K, 3)``.

    Example:
        >>> Relations(np.zeros((2, 2)), np.zeros((2, 3)))
        Relations(2 relations)
    """

    times: Array
    poses: Array

    def __repr__(self) -> str:
        return f"Relations({counted(len(self.times), 'relation')})"


def read_relations(path: str | os.PathLike[str]) -> Relations:
    """The relations of a file, plain or gzipped; z, roll and pitch are left out.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line is not eight finite numbers.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "walk.relations")
        ...     _ = file.write_text("0.5 7.5 1.0 2.0 0 0 0 0.1")
        ...     read_relations(file).poses.tolist()
        [[1.0, 2.0, 0.1]]
    """
    rows = rows_of(path, "relations", 8)
    return Relations(rows[:, :2], rows[:, [2, 3, 7]])
