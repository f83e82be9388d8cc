"""Maps of the ROS map_server: a yaml file with an image (pgm or png), or such an image alone.

With the brightness of a pixel in [0, 1] and its occupancy ``p = 1 - brightness`` (``p = brightness`` when `negate`)::

    trinary   occupied (1) if p >= occupied_thresh,  free (0) if p <= free_thresh,  else unknown (NaN)
    scale     the same beyond the thresholds, and between them (p - free_thresh) / (occupied_thresh - free_thresh)
    raw       the byte of the pixel is the occupancy in percent; above 100 means unknown

Colours are converted to their luma, in 8 bits. In the modes trinary and scale, a pixel that is not fully opaque is
unknown.

Up to ROS 2 Humble, map_server interpreted files differently, as ``server="humble"`` still does: p equal to a threshold
is unknown, a colour is the mean of its channels (in trinary including its opacity), and only in scale does transparency
make a cell unknown.

Source: nav2_map_server/src/map_io.cpp of Nav2's branch main, since pull request 5071 (2025).
"""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, FormatWarning, counted
from pilotage.core.settings import setting, shown

from ._pixels import UNKNOWN, Picture, encode_png, grey, levels_of, mean_grey, occupancies, read_picture, unknown_dark
from .atomic import write_atomic
from .contents import contents, path_of
from .pgm import encode_pgm

MODES = ("trinary", "scale", "raw")
PathLike = str | os.PathLike[str]
Server = Literal["main", "humble"]
"""The version of map_server to follow in reading an image: Nav2's branch main, or ROS 2 Humble and earlier."""


@dataclass(frozen=True)
class RosMap:
    """The contents of a map_server file, as plain values.

    Attributes:
        occupancy: occupancy of the cells as map_server reads it, ``(rows, columns)`` float32: 1 if occupied, 0 if free,
            NaN if unknown, in between in the modes "scale" and "raw"; row 0 is the lowest y (bottom of the image).
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of cell [0, 0] in the map frame.
        occupied_thresh: lowest p of an occupied cell.
        free_thresh: highest p of a free cell.
        mode: the meaning of pixels: "trinary", "scale" or "raw".
        negate: True if white pixels are occupied instead of black ones.

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
        path: the yaml file; its `image` is relative to its folder.
        server: the version of map_server to follow: "main", or "humble" for Humble and earlier. Humble treats p equal
            to a threshold, colours and transparency differently; the module docstring has the details.

    Warns:
        FormatWarning: when the grey that stands for unmapped pixels, 205, reads as free.

    Raises:
        MissingFile: if the yaml file does not exist.
        FormatError: if a field or the image is missing or not valid; the message names it.

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
        fields: the fields that a yaml file would have: `resolution`, and others that differ from the defaults of
            `RosMap`.
        server: see `read_ros_map`.

    Raises:
        MissingFile: if the image does not exist.
        FormatError: if a field or the image is not valid; the message names it.

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
    """The map of an image and of the fields in the file `path`."""
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
        ros_map: the map to write. Reading the file returns the same cells: exactly for "trinary" (cells between the
            thresholds become unknown), to one grey level for "scale", and to one percent for "raw". If no grey lies
            between the thresholds of a "trinary" map with unknown cells, the usual thresholds are written instead.
        image: name of the image, in the folder of the yaml file; its extension (.pgm or .png) selects the format.
            Default: the name of the yaml file with .pgm, or with .png for "scale", where unknown cells are transparent.

    Raises:
        FormatError: if the occupancy, resolution, origin, mode, thresholds or image name cannot be written.
        OSError: if the folder is not writable.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> write_ros_map(folder / "hall.yaml", RosMap(np.array([[0.0, 1.0]], dtype=np.float32), resolution=0.1))
        >>> sorted(file.name for file in folder.iterdir())
        ['hall.pgm', 'hall.yaml']
    """
    target = path_of(path)
    _check_writable(ros_map, target)
    ros_map = _with_room_for_unknown(ros_map)
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


def _with_room_for_unknown(ros_map: RosMap) -> RosMap:
    """The map, with the usual thresholds if its own leave no grey for its unknown cells."""
    free, occupied, p = ros_map.free_thresh, ros_map.occupied_thresh, np.asarray(ros_map.occupancy)
    if ros_map.mode != "trinary" or free < unknown_dark(free, occupied) / 255 < occupied:
        return ros_map
    classes = np.where(p >= occupied, 1.0, np.where(p <= free, 0.0, np.nan)).astype(np.float32)
    if not np.isnan(classes).any():
        return ros_map
    return replace(ros_map, occupancy=classes, occupied_thresh=RosMap.occupied_thresh, free_thresh=RosMap.free_thresh)


def _encoded(ros_map: RosMap, name: str, path: Path) -> bytes:
    """The bytes of the image, in the format that its name selects."""
    suffix = path_of(name).suffix.lower()
    if suffix not in (".pgm", ".png") or Path(name).name != name:
        raise FormatError(f"{path}: image must be a bare file name that ends in .pgm or .png, not {shown(name)}")
    p = np.asarray(ros_map.occupancy)[::-1]
    transparent = np.isnan(p) if ros_map.mode == "scale" else None
    if transparent is not None and not transparent.any():
        transparent = None
    if suffix == ".pgm" and transparent is not None:
        raise FormatError(f"{path}: mode 'scale' marks unknown cells by transparency, which .pgm lacks; use .png")
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
            f"{path}: occupancy must be an array (rows, columns) of probabilities or NaN, not of shape {p.shape}"
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
    # RecursionError for deeply nested brackets, ValueError for impossible dates and numbers of thousands of digits.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = str(getattr(error, "problem", None) or error)[:200]
        raise FormatError(f"{path}{place}: not valid yaml: {problem}") from None
    if not isinstance(fields, dict):
        raise FormatError(f"{path}: a map file must hold fields such as `image:` and `resolution:`; this one does not")
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
    if not isinstance(mode, str) or mode.lower() not in MODES:  # map_server accepts upper and lower case
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
    if os.path.isdir(file):
        raise FormatError(f"{path}: `image` must be a file name, not {shown(name)}, which is a folder")
    bare = re.split(r"[\\/]", name)[-1]  # of a path of any system
    if os.path.isfile(folder / bare):
        hint = f"; a file of that name is in the folder of the yaml file, which should say `image: {bare}`"
    else:
        hint = "" if len(name) > 255 else f" (looked for {file})"
    raise FormatError(f"{path}: its `image` {shown(name)} does not exist{hint}")
