"""Recorded tracks of pedestrians: text files of ETH and UCY as they are used for predicting trajectories.

Format, as in github.com/abduallahmohamed/Social-STGCNN and before it in Social GAN; each line is a person at a frame:

    frame  id  x  y               separated by tabs or spaces; 10 frames are a sample of 0.4 s; x, y in metres

Sources: S. Pellegrini, A. Ess, K. Schindler, L. van Gool, "You'll never walk alone", ICCV 2009 (ETH); A. Lerner,
Y. Chrysanthou, D. Lischinski, "Crowds by example", Computer Graphics Forum 26(3), 2007 (UCY).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Space, TrackTable
from pilotage.core.errors import FormatError

from .contents import text_lines

Array = NDArray[np.float64]
STEP, PERIOD, MOST = 10, 0.4, 100_000
"""Frames and seconds from one sample to the next; samples of the longest recording that is read."""


@dataclass(frozen=True, eq=False, repr=False)
class PedestrianTracks:
    """The tracks of the pedestrians of a recording.

    Attributes:
        ids: numbers of the people ``(N,)``.
        places: x and y of each person at each sample ``(T, N, 2)`` [m]; NaN where there is none.
        period: time from one sample to the next [s].

    Example:
        >>> PedestrianTracks(np.array([1]), np.zeros((6, 1, 2)))
        PedestrianTracks(1 people, 2 s)
    """

    ids: NDArray[np.int64]
    places: Array
    period: float = PERIOD

    @property
    def seconds(self) -> float:
        """The duration of the recording [s]."""
        return (len(self.places) - 1) * self.period

    def tracks(self) -> TrackTable:
        """The same as a table: x and y of each person at each sample [m]."""
        k, person = np.nonzero(np.isfinite(self.places).all(-1))
        return TrackTable(
            self.period * k, self.ids[person], self.places[k, person], space=Space("x y [m]"), kind="pedestrian"
        )

    def __repr__(self) -> str:
        return f"PedestrianTracks({len(self.ids)} people, {self.seconds:.4g} s)"


def read_pedestrians(path: str | os.PathLike[str]) -> PedestrianTracks:
    """The tracks of a file, plain or gzipped. Samples at which nobody was seen are rows of NaN.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a line is not a frame, an id and a place, the frame is not one of a sample, or a person is at
            two places at once.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "street.txt")
        ...     _ = file.write_text("0 1 0.0 2.0\\n10 1 0.4 2.0\\n10 7 5.0 1.0\\n")
        ...     walked = read_pedestrians(file)
        >>> walked.ids.tolist(), walked.places[:, 1].tolist()
        ([1, 7], [[nan, nan], [5.0, 1.0]])
    """
    rows = [_row(path, i, line) for i, line in enumerate(text_lines(path, "pedestrian"), 1) if line.strip()]
    if not rows:
        raise FormatError(f"{path} holds no lines; expected frame, id, x, y")
    frame, person, *xy = np.array(rows).T
    k = np.rint((frame - frame.min()) / STEP).astype(np.int64)
    if k.max() >= MOST or (STEP * k != frame - frame.min()).any():
        raise FormatError(
            f"{path}: the frames are not {STEP} apart, up to {MOST} of them; expected one each {PERIOD} s"
        )
    ids, column = np.unique(person.astype(np.int64), return_inverse=True)
    if len(np.unique(k * len(ids) + column)) < len(k):
        raise FormatError(f"{path}: a person is at two places in one frame; expected one line for each")
    places = np.full((int(k.max()) + 1, len(ids), 2), np.nan)
    places[k, column] = np.stack(xy, -1)
    return PedestrianTracks(ids, places)


def _row(path: str | os.PathLike[str], i: int, line: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    if len(row) != 4 or not np.isfinite(row).all() or not row[1].is_integer() or max(map(abs, row)) > 1e9:
        raise FormatError(f"{Path(path)}, line {i}: {line[:40]!r} is not a frame, an id, and x and y in metres")
    return row
