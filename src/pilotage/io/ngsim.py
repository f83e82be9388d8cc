"""Recorded traffic of NGSIM: csv files of vehicles on US-101, I-80, Lankershim Boulevard and Peachtree Street.

Columns that are read, in any order and case: vehicle_id, frame_id (10 a second), local_x (to the right across the
road), local_y (along it), v_length, v_width, v_class (1 motorcycle, 2 car, 3 truck), v_vel, v_acc, lane_id. The
original files are in feet; reconstructed ones are often metric. Places are those of the middle of the front.

Source: US Department of Transportation, "Next Generation Simulation (NGSIM) Vehicle Trajectories", 2006.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Space, TrackTable
from pilotage.core.errors import FormatError
from pilotage.core.settings import setting

from ._tables import FURTHEST, Faulty, a_number, csv_header, named_table

COLUMNS = (
    *("frame_id", "vehicle_id", "local_y", "local_x", "v_vel", "v_acc"),
    *("v_length", "v_width", "v_class", "lane_id"),
)
RATE, FOOT = 10.0, 0.3048
KINDS = {1: "motorcycle", 2: "car", 3: "truck"}
STATE = Space("x y [m]", "speed [m/s]", "accel [m/s^2]")


@dataclass(frozen=True, eq=False, repr=False)
class Traffic:
    """Vehicles on a road.

    Attributes:
        tracks: x along the road and y to its left [m], speed [m/s] and acceleration [m/s^2], with kinds.
        lanes: lane of each row of `tracks` ``(R,)``, 1 the leftmost.
        sizes: length and width of each vehicle [m], by id.

    Example:
        >>> Traffic(TrackTable([0.0], [3], [[1.0, 2.0, 9.0, 0.0]], space=STATE), np.array([1]), {3: (4.5, 1.8)})
        Traffic(1 vehicles, 0 to 0 s)
    """

    tracks: TrackTable
    lanes: NDArray[np.int64]
    sizes: Mapping[int, tuple[float, float]]

    def __repr__(self) -> str:
        t = self.tracks.t
        return f"Traffic({len(self.sizes)} vehicles, {f'{t[0]:.6g} to {t[-1]:.6g} s' if len(t) else 'no rows'})"


def read_ngsim(
    path: str | os.PathLike[str], units: Literal["feet", "metres"] = "feet", *, faulty: Faulty = "refuse"
) -> Traffic:
    """The traffic of a csv file, plain or gzipped. Times are ``frame_id / 10`` [s].

    Lines that repeat a vehicle at a frame with the same place, as files of pairs of vehicles do, count once.

    Args:
        path: the file.
        units: "feet", as in the original files, or "metres".
        faulty: "refuse" for an error that names the first faulty line, "drop" to leave them out with a warning.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if a column is missing, a number is none, or a vehicle is at two places in a frame.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> head = "Vehicle_ID,Frame_ID,Local_X,Local_Y,v_length,v_Width,v_Class,v_Vel,v_Acc,Lane_ID\\n"
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "i80.csv")
        ...     _ = file.write_text(head + "2,13,10,100,15,6,2,40,0,2\\n")
        ...     road = read_ngsim(file)
        >>> road.tracks.t.tolist(), road.tracks.x.round(3).tolist(), road.tracks.kind.tolist()
        ([1.3], [[30.48, -3.048, 12.192, 0.0]], ['car'])
    """
    setting(units, Literal["feet", "metres"], "units")
    named = {name.lower(): name for name in csv_header(path, "NGSIM")}
    if missing := [name for name in COLUMNS if name not in named]:
        raise FormatError(f"{path} has no column {', '.join(missing)}; it has {', '.join(named.values()) or 'none'}")
    table = named_table(path, "NGSIM", {named[name]: a_number for name in COLUMNS}, (), faulty)
    table.refuse(~np.isfinite(table.values).all(1), "a column that is read holds no finite number")
    whole = table.values[:, [0, 1, 8, 9]]
    table.refuse(
        ((np.rint(whole) != whole) | (whole < 0) | (whole > FURTHEST)).any(1),
        "the frame, id, class or lane is no whole number of 0 or more",
    )
    table.refuse((table.values[:, 6:8] <= 0.0).any(1), "the vehicle has no size")
    _, first = np.unique(table.values[:, :4], axis=0, return_index=True)
    table.keep(np.sort(first))
    table.refuse_repeated(table.values[:, 0], table.values[:, 1])
    table.warn()
    return _traffic(table.values, FOOT if units == "feet" else 1.0)


def _traffic(values: NDArray[np.float64], scale: float) -> Traffic:
    """The traffic of rows with the columns of `COLUMNS`."""
    values = values[np.lexsort((values[:, 1], values[:, 0]))]
    frame, id, along, across, speed, accel, length, width, kind, lane = values.T
    states = scale * np.stack([along, -across, speed, accel], -1) + 0.0
    kinds = np.array([KINDS.get(int(k), "other") for k in kind], dtype=np.str_)
    tracks = TrackTable(frame / RATE, id.astype(np.int64), states, space=STATE, kind=kinds)
    sizes = {int(i): (scale * float(a), scale * float(b)) for i, a, b in zip(id, length, width, strict=True)}
    return Traffic(tracks, lane.astype(np.int64), sizes)
