"""Motion of a camera between images: text files of affine motions, as those for BoT-SORT, or homographies."""

from __future__ import annotations

import os

import numpy as np

from pilotage.core import FormatError
from pilotage.core.arrays import Array
from pilotage.core.settings import whole

from ._tables import Faulty, number_table, whole_column
from .contents import text_lines

AFFINE, HOMOGRAPHY = 6, 9


def read_camera_motion(
    path: str | os.PathLike[str], *, frames: int, first: int = 1, faulty: Faulty = "refuse"
) -> Array:
    """The motion of a camera from each frame to the next, of a file with a line for each frame.

    A line holds the number of a frame, and the motion that carries points of the frame before to it, row by row: six
    numbers of an affine motion ``(2, 3)``, or nine of a homography ``(3, 3)``, separated by blanks or commas. In frames
    without a line the camera stands still; lines of other frames are left out.

    Args:
        path: the file, plain or gzipped.
        frames: how many frames there are.
        first: number of the first frame.
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Returns:
        ``(frames, 3, 3)`` for `BoxTracker.run`.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line does not hold seven or ten numbers, or a frame occurs twice.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "motion.txt")
        ...     _ = file.write_text("2 1 0 7.5 0 1 -2\\n")
        ...     read_camera_motion(file, frames=3)[1].tolist()
        [[1.0, 0.0, 7.5], [0.0, 1.0, -2.0], [0.0, 0.0, 1.0]]
    """
    frames = whole(frames, "frames")
    separator = "," if any("," in line for line in text_lines(path, "camera motion")) else None
    table = number_table(path, "camera motion", range(1 + AFFINE, 2 + HOMOGRAPHY), faulty, separator)
    width = table.values.shape[1] - 1
    if len(table.lines) and width not in (AFFINE, HOMOGRAPHY):
        raise FormatError(f"{path}, line {table.lines[0]}: {width} numbers of a frame; expected 6 or 9")
    whole_column(table, 0, "frame", -np.inf)
    table.refuse(~np.isfinite(table.values).all(1), "it is no motion of finite numbers")
    table.refuse_repeated(np.zeros(len(table.lines)), table.values[:, 0])
    table.warn()
    found = np.tile(np.eye(3), (frames, 1, 1))
    at = table.values[:, 0].astype(np.int64) - first
    inside = (at >= 0) & (at < frames)
    found[at[inside], : width // 3] = table.values[inside, 1:].reshape(-1, width // 3, 3)
    return found
