"""Maps of ROS's map_server: a yaml file beside an image (pgm or png), or such an image alone.

With the brightness of a pixel in [0, 1] and its occupancy ``p = 1 - brightness`` (``p = brightness`` when `negate`)::

    trinary   occupied (1) if p >= occupied_thresh,  free (0) if p <= free_thresh,  else unknown (NaN)
    scale     the same at both ends, between them (p - free_thresh) / (occupied_thresh - free_thresh)
    raw       the byte of the pixel is the occupancy in percent; above 100 unknown

Colours count by their luma, in 8 bits. In the modes trinary and scale a pixel that is not wholly opaque is unknown.

Up to ROS 2 Humble a file meant something else, and ``server="humble"`` still reads it so: p on a threshold was unknown,
colours counted by the mean of their channels, in trinary opacity was one of these, and transparency made cells unknown
in scale only.

Source: nav2_map_server/src/map_io.cpp of Nav2's branch main, since pull request 5071 (2025).
"""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, FormatWarning, counted
from pilotage.core.settings import setting, shown

from ._pixels import UNKNOWN, Picture, encode_png, grey, levels_of, mean_grey, occupancies, read_picture
from .atomic import write_atomic
from .contents import contents, path_of
from .pgm import encode_pgm

MODES = ("trinary", "scale", "raw")
PathLike = str | os.PathLike[str]
Server = Literal["main", "humble"]
"""The map_server whose reading of an image is followed: that of Nav2's branch main, or of ROS 2 Humble and before."""


@dataclass(frozen=True)
class RosMap:
    """The contents of a map_server file, as plain values.

    Attributes:
        occupancy: what map_server makes of the image, ``(rows, columns)`` float32: 1 where occupied, 0 where free, NaN
            where unknown, in between in the modes "scale" and "raw"; row 0 is the lowest y (the bottom of the image).
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of cell [0, 0] in the map frame.
        occupied_thresh: from it on, a pixel means an occupied cell.
        free_thresh: up to it, a pixel means a free cell.
        mode: how pixels are read and written: "trinary", "scale" or "raw".
        negate: white is occupied instead of black.

    Example:
        >>> RosMap(np.zeros((2, 3), dtype=np.float32), resolution=0.05).occupied_thresh
        0.65
    """

    occupancy: NDArray[np.float32]
    resolution: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    occupied_thresh: float = 0.65
    free_thresh: float = 0.196
    mode: str = "trinary"
    negate: bool = False


def read_ros_map(path: PathLike, *, server: Server = "main") -> RosMap:
    """Read a map_server yaml file and its image.

    Args:
        path: the yaml file; its `image` is looked up relative to it.
        server: the map_server whose reading is followed: "main", or "humble" and before; the top of this file says how
            they differ.

    Warns:
        FormatWarning: when the grey that stands for unmapped pixels, 205, reads as free.

    Raises:
        MissingFile: when the yaml file does not exist.
        FormatError: naming the file and the field that is missing or wrong, or what is wrong with the image.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "room.yaml"
        >>> write_ros_map(file, RosMap(np.array([[0.0, 1.0, np.nan]], dtype=np.float32), resolution=0.05))
        >>> read_ros_map(file).occupancy
        array([[ 0.,  1., nan]], dtype=float32)
    """
    fields = _read_yaml(path)
    return _read_image(_image_path(fields, path), fields, path, server)


def read_map_image(path: PathLike, fields: dict[str, Any], *, server: Server = "main") -> RosMap:
    """Read an image without its yaml file.

    Args:
        path: the image, pgm or png.
        fields: what a yaml file would say: `resolution`, and where they differ from `RosMap` the other fields.
        server: see `read_ros_map`.

    Raises:
        MissingFile: when there is no such image.
        FormatError: naming the file and the field that is wrong, or what is wrong with the image.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "floor.pgm"
        >>> _ = file.write_bytes(b"P2 3 1 255  254 0 205")
        >>> read_map_image(file, {"resolution": 0.05}).occupancy
        array([[ 0.,  1., nan]], dtype=float32)
    """
    usual = {
        "origin": list(RosMap.origin),
        "occupied_thresh": RosMap.occupied_thresh,
        "free_thresh": RosMap.free_thresh,
    }
    return _read_image(path_of(path), usual | fields, path, server)


def _read_image(image: Path, fields: dict[str, Any], path: PathLike, server: Server) -> RosMap:
    """The map of an image and of the fields beside it, which `path` holds."""
    setting(server, Server, "server")
    resolution = _number(fields, "resolution", path)
    if resolution <= 0:
        raise FormatError(f"{path}: resolution must be positive [m/cell], not {resolution}")
    occupied, free = _thresholds(fields, path)
    mode = _mode(fields, path)
    negate = _flag(fields, "negate", path)
    origin = _origin(fields, path)
    read, picture = _as_main if server == "main" else _as_humble, read_picture(image)
    if mode == "trinary" and not negate:
        _warn_of_grey(picture, free, path)
    occupancy = read(picture, mode, negate, occupied, free)
    return RosMap(occupancy, resolution, origin, occupied, free, mode, negate)


def _warn_of_grey(picture: Picture, free: float, path: PathLike) -> None:
    """Tell that the grey of unmapped pixels reads as free: Nav2's own maps said 0.25 until its pull request 5138."""
    count = int((grey(picture) == UNKNOWN).sum()) if free >= (255 - UNKNOWN) / 255 else 0
    if count:
        warnings.warn(
            f"{path}: {counted(count, 'pixel')} of grey {UNKNOWN}, which map_saver writes for unknown, read as free, "
            f"for free_thresh is {free}; {RosMap.free_thresh} would keep them unknown",
            FormatWarning,
            stacklevel=2,
        )


def _as_main(picture: Picture, mode: str, negate: bool, occupied: float, free: float) -> NDArray[np.float32]:
    occupancy = occupancies(255, mode, negate, occupied, free)[grey(picture)[::-1]]
    if mode != "raw" and picture.alpha is not None:
        occupancy[picture.alpha[::-1] < 255] = np.nan
    return occupancy


def _as_humble(picture: Picture, mode: str, negate: bool, occupied: float, free: float) -> NDArray[np.float32]:
    levels, white = mean_grey(picture, with_alpha=mode == "trinary")
    occupancy = occupancies(white, mode, negate, occupied, free, strict=True)[levels[::-1]]
    if mode == "scale" and picture.alpha is not None:
        occupancy[picture.alpha[::-1] < 255] = np.nan
    return occupancy


def write_ros_map(path: PathLike, ros_map: RosMap, image: str | None = None) -> None:
    """Write a map_server yaml file and its image; each replaces its old file in one step.

    Args:
        path: the yaml file.
        ros_map: what to write. Reading it back gives the same cells: exactly for "trinary" (cells between the
            thresholds become unknown), to one grey level for "scale", to one percent for "raw".
        image: name of the image, which is written beside the yaml file; its ending (.pgm or .png) chooses the format.
            Default: the yaml's name with .pgm, or .png for "scale", which needs transparency for unknown cells.

    Raises:
        FormatError: for an occupancy, resolution, origin, mode, threshold or image format that cannot be written.
        OSError: when the folder cannot be written.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> write_ros_map(folder / "hall.yaml", RosMap(np.array([[0.0, 1.0]], dtype=np.float32), resolution=0.1))
        >>> sorted(file.name for file in folder.iterdir())
        ['hall.pgm', 'hall.yaml']
    """
    target = path_of(path)
    _check_writable(ros_map, target)
    name = image or target.with_suffix(".png" if ros_map.mode == "scale" else ".pgm").name
    data = _encoded(ros_map, name, target)
    fields = {
        "image": name,
        "mode": ros_map.mode,
        "resolution": float(ros_map.resolution),
        "origin": [float(value) for value in ros_map.origin],
        "negate": int(ros_map.negate),
        "occupied_thresh": float(ros_map.occupied_thresh),
        "free_thresh": float(ros_map.free_thresh),
    }
    write_atomic(target.parent / name, data)
    write_atomic(target, yaml.safe_dump(fields, sort_keys=False, default_flow_style=None))


def _encoded(ros_map: RosMap, name: str, path: Path) -> bytes:
    """The image as a file of the format that its name chooses."""
    suffix = path_of(name).suffix.lower()
    if suffix not in (".pgm", ".png") or Path(name).name != name:
        raise FormatError(f"{path}: a map image is a name without folders that ends in .pgm or .png, not {shown(name)}")
    p = np.asarray(ros_map.occupancy)[::-1]
    transparent = np.isnan(p) if ros_map.mode == "scale" else None
    if transparent is not None and not transparent.any():
        transparent = None
    if suffix == ".pgm" and transparent is not None:
        raise FormatError(f"{path}: mode 'scale' marks unknown cells by transparency; a .pgm has none, use .png")
    pixels = levels_of(p, ros_map.mode, ros_map.negate, ros_map.occupied_thresh, ros_map.free_thresh)
    if suffix == ".png":
        return encode_png(pixels, transparent)
    return encode_pgm(pixels, comment=f"resolution {ros_map.resolution} m/cell")


def _check_writable(ros_map: RosMap, path: Path) -> None:
    if ros_map.mode not in MODES:
        raise FormatError(f"{path}: mode must be one of {', '.join(MODES)}, not {shown(ros_map.mode)}")
    p = np.asarray(ros_map.occupancy)
    if p.ndim != 2 or p.size == 0 or ((p < 0.0) | (p > 1.0)).any():
        raise FormatError(
            f"{path}: occupancy must be (rows, columns) of probabilities or NaN; shape {p.shape} was given"
        )
    origin = [_finite(part, "origin", path) for part in ros_map.origin]
    if not (_finite(ros_map.resolution, "resolution", path) > 0.0 and len(origin) == 3):
        raise FormatError(
            f"{path}: a map needs a positive resolution and an origin (x, y, yaw), "
            f"not {shown(ros_map.resolution)} and {shown(ros_map.origin)}"
        )
    _thresholds(vars(ros_map), path)


# --- fields of the yaml file ---


def _read_yaml(path: PathLike) -> dict[str, Any]:
    try:
        fields = yaml.safe_load(contents(path))
    # Brackets within brackets without end, dates that are none, numbers of thousands of digits.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = str(getattr(error, "problem", None) or error)[:200]
        raise FormatError(f"{path}{place}: not valid yaml: {problem}") from None
    if not isinstance(fields, dict):
        raise FormatError(f"{path}: a map file holds fields such as `image:` and `resolution:`, this one does not")
    return fields


def _field(fields: dict[str, Any], name: str, path: PathLike) -> Any:
    if fields.get(name) is None:
        raise FormatError(f"{path}: the field `{name}` is missing")
    return fields[name]


def _number(fields: dict[str, Any], name: str, path: PathLike) -> float:
    return _finite(_field(fields, name, path), name, path)


def _finite(value: Any, name: str, path: PathLike) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not math.isfinite(number):
        raise FormatError(f"{path}: `{name}` must be a finite number, not {shown(value)}")
    return number


def _flag(fields: dict[str, Any], name: str, path: PathLike) -> bool:
    value = fields.get(name, 0)
    flag = _QUOTED.get(value.lower()) if isinstance(value, str) else value
    if flag not in (0, 1):
        raise FormatError(f"{path}: `{name}` must be 0 or 1, not {shown(value)}")
    return bool(flag)


_QUOTED = {"0": 0, "false": 0, "no": 0, "off": 0, "1": 1, "true": 1, "yes": 1, "on": 1}
"""Flags between quotation marks, which map_server reads like those without."""


def _origin(fields: dict[str, Any], path: PathLike) -> tuple[float, float, float]:
    value = _field(fields, "origin", path)
    if not isinstance(value, list) or len(value) != 3:
        raise FormatError(f"{path}: `origin` must be [x, y, yaw] in m, m, rad, not {shown(value)}")
    x, y, yaw = (_finite(part, "origin", path) for part in value)
    return x, y, yaw


def _thresholds(fields: dict[str, Any], path: PathLike) -> tuple[float, float]:
    occupied = _number(fields, "occupied_thresh", path)
    free = _number(fields, "free_thresh", path)
    if not 0.0 <= free < occupied <= 1.0:
        raise FormatError(
            f"{path}: thresholds must satisfy 0 <= free_thresh < occupied_thresh <= 1, not {free} and {occupied}"
        )
    return occupied, free


def _mode(fields: dict[str, Any], path: PathLike) -> str:
    mode = fields.get("mode", "trinary")
    if not isinstance(mode, str) or mode.lower() not in MODES:  # map_server takes them in any case
        raise FormatError(f"{path}: `mode` must be one of {', '.join(MODES)}, not {shown(mode)}")
    return mode.lower()


def _image_path(fields: dict[str, Any], path: PathLike) -> Path:
    name = _field(fields, "image", path)
    if not isinstance(name, str):
        raise FormatError(f"{path}: `image` must be a file name, not {shown(name)}")
    folder = path_of(path).parent
    file = folder / path_of(name)
    if os.path.isfile(file):
        return file
    bare = re.split(r"[\\/]", name)[-1]  # of a path of any system
    if os.path.isfile(folder / bare):
        hint = f"; a file of that name lies beside the yaml file, which should say `image: {bare}`"
    else:
        hint = "" if len(name) > 255 else f" (looked for {file})"
    raise FormatError(f"{path}: its `image` {shown(name)} does not exist{hint}")
