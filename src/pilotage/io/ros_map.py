"""Maps of ROS's map_server: a yaml file beside an image (pgm or png).

Meaning of pixels, thresholds and modes as in nav2_map_server/src/map_io.cpp: with the shade of a pixel in [0, 1]
and its occupancy ``p = 1 - shade`` (``p = shade`` when `negate`)::

    trinary   occupied (1) if p > occupied_thresh,  free (0) if p < free_thresh,  else unknown (NaN)
    scale     the same at both ends, between them (p - free_thresh) / (occupied_thresh - free_thresh);
              unknown where the image is transparent
    raw       the byte of the pixel is the occupancy in percent; above 100 unknown
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pilotage.core.errors import FormatError

from .atomic import write_atomic
from .contents import contents, path_of
from .pgm import encode_pgm, read_pgm

MODES = ("trinary", "scale", "raw")
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class RosMap:
    """The contents of a map_server file, as plain values.

    Attributes:
        occupancy: probability that a cell is occupied, ``(rows, columns)`` float32 in [0, 1], NaN where unknown;
            row 0 is the lowest y (the bottom of the image).
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of cell [0, 0] in the map frame.
        occupied_thresh: above it, a cell counts as occupied.
        free_thresh: below it, a cell counts as free.
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


def read_ros_map(path: PathLike) -> RosMap:
    """Read a map_server yaml file and its image.

    Args:
        path: the yaml file; its `image` is looked up relative to it.

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
    resolution = _number(fields, "resolution", path)
    if resolution <= 0:
        raise FormatError(f"{path}: resolution must be positive [m/cell], not {resolution}")
    occupied, free = _thresholds(fields, path)
    mode = _mode(fields, path)
    negate = _flag(fields, "negate", path)
    levels, white, opaque = _read_image(_image_path(fields, path), average_alpha=mode == "trinary")
    occupancy = _occupancies(white, mode, negate, occupied, free)[levels[::-1]]
    if mode == "scale" and opaque is not None:
        occupancy[~opaque[::-1]] = np.nan
    return RosMap(occupancy, resolution, _origin(fields, path), occupied, free, mode, negate)


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
    suffix = path_of(name).suffix.lower()
    if suffix not in (".pgm", ".png") or Path(name).name != name:
        raise FormatError(f"{target}: a map image is a name without folders that ends in .pgm or .png, not {name!r}")
    pixels, alpha = _pixels(ros_map)
    if suffix == ".pgm":
        if not alpha.all():
            raise FormatError(f"{target}: mode 'scale' marks unknown cells by transparency; a .pgm has none, use .png")
        data = encode_pgm(pixels[::-1], comment=f"resolution {ros_map.resolution} m/cell")
    else:
        data = _encode_png(pixels[::-1], alpha[::-1])
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


# --- fields of the yaml file ---


def _read_yaml(path: PathLike) -> dict[str, Any]:
    try:
        fields = yaml.safe_load(contents(path))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:  # brackets within brackets, without end
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise FormatError(f"{path}{place}: not valid yaml: {getattr(error, 'problem', None) or error}") from None
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
    except (TypeError, ValueError):
        number = float("nan")
    if not math.isfinite(number):
        raise FormatError(f"{path}: `{name}` must be a finite number, not {value!r}")
    return number


def _flag(fields: dict[str, Any], name: str, path: PathLike) -> bool:
    value = fields.get(name, 0)
    if value not in (0, 1):
        raise FormatError(f"{path}: `{name}` must be 0 or 1, not {value!r}")
    return bool(value)


def _origin(fields: dict[str, Any], path: PathLike) -> tuple[float, float, float]:
    value = _field(fields, "origin", path)
    if not isinstance(value, list) or len(value) != 3:
        raise FormatError(f"{path}: `origin` must be [x, y, yaw] in m, m, rad, not {value!r}")
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
    if str(mode).lower() not in MODES:  # map_server takes them in any case
        raise FormatError(f"{path}: `mode` must be one of {', '.join(MODES)}, not {mode!r}")
    return str(mode).lower()


def _image_path(fields: dict[str, Any], path: PathLike) -> Path:
    name = _field(fields, "image", path)
    if not isinstance(name, str):
        raise FormatError(f"{path}: `image` must be a file name, not {name!r}")
    image = Path(path).parent / name
    if not image.is_file():
        raise FormatError(f"{path}: its `image` {name!r} does not exist (looked for {image})")
    return image


# --- pixels ---


def _read_image(
    path: Path, average_alpha: bool
) -> tuple[NDArray[np.unsignedinteger[Any]], int, NDArray[np.bool_] | None]:
    """Brightness of every pixel as a whole number, top row first; that of white; opacity, None without alpha."""
    with open(path, "rb") as file:
        magic = file.read(2)
    if magic in (b"P5", b"P2") or path.suffix.lower() == ".pgm":
        return read_pgm(path), 255, None
    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":
                return _deep_pixels(picture, path), 65535, None
            has_alpha = "A" in picture.getbands() or "transparency" in picture.info
            if picture.mode in ("1", "L") and not has_alpha:
                return np.asarray(picture.convert("L")), 255, None
            pixels = np.asarray(picture.convert("RGBA"))
    except FormatError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FormatError(f"{path}: cannot be read as an image: {error}") from None
    # map_server averages alpha in with the colours in trinary mode; kept, so that the same file means the same map.
    channels = 4 if average_alpha and has_alpha else 3
    return pixels[..., :channels].sum(axis=-1, dtype=np.uint16), 255 * channels, pixels[..., 3] == 255


def _deep_pixels(picture: Image.Image, path: Path) -> NDArray[np.uint16]:
    """Grey of 16 bits; Pillow calls it "I;16", in a png of older versions "I"."""
    if not picture.mode.startswith("I;16") and (picture.mode, picture.format) != ("I", "PNG"):
        raise FormatError(f"{path}: a map image has 1, 8 or 16 bits a channel, not pixels of the kind {picture.mode!r}")
    return np.asarray(picture).astype(np.uint16)


def _occupancies(white: int, mode: str, negate: bool, occupied: float, free: float) -> NDArray[np.float32]:
    """Probability for each brightness 0 to `white`; see the table at the top of this file."""
    shade = np.arange(white + 1) / white
    if mode == "raw":
        percent = np.rint(shade * 255)
        return np.where(percent <= 100, percent / 100, np.nan).astype(np.float32)
    p = shade if negate else 1.0 - shade
    between = (p - free) / (occupied - free) if mode == "scale" else np.nan
    return np.where(p > occupied, 1.0, np.where(p < free, 0.0, between)).astype(np.float32)


def _check_writable(ros_map: RosMap, path: Path) -> None:
    if ros_map.mode not in MODES:
        raise FormatError(f"{path}: mode must be one of {', '.join(MODES)}, not {ros_map.mode!r}")
    p = np.asarray(ros_map.occupancy)
    if p.ndim != 2 or p.size == 0 or ((p < 0.0) | (p > 1.0)).any():
        raise FormatError(
            f"{path}: occupancy must be (rows, columns) of probabilities or NaN; shape {p.shape} was given"
        )
    origin = [_finite(part, "origin", path) for part in ros_map.origin]
    if not (_finite(ros_map.resolution, "resolution", path) > 0.0 and len(origin) == 3):
        raise FormatError(
            f"{path}: a map needs a positive resolution and an origin (x, y, yaw), "
            f"not {ros_map.resolution} and {ros_map.origin}"
        )
    if not 0.0 <= ros_map.free_thresh < ros_map.occupied_thresh <= 1.0:
        raise FormatError(
            f"{path}: thresholds must satisfy 0 <= free_thresh < occupied_thresh <= 1, "
            f"not {ros_map.free_thresh} and {ros_map.occupied_thresh}"
        )


def _pixels(ros_map: RosMap) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pixels and opacity that read back as `ros_map.occupancy`."""
    p = np.asarray(ros_map.occupancy, dtype=np.float64)
    unknown = np.isnan(p)
    free, occupied = ros_map.free_thresh, ros_map.occupied_thresh
    opaque = np.ones(p.shape, dtype=np.bool_)
    if ros_map.mode == "raw":
        return np.where(unknown, 255, np.rint(p * 100)).astype(np.uint8), opaque
    if ros_map.mode == "scale":
        shown = np.where(p >= 1.0, 1.0, np.where(p <= 0.0, 0.0, free + p * (occupied - free)))
        opaque = ~unknown
    else:
        shown = np.where(p > occupied, 1.0, np.where(p < free, 1 / 255, _unknown_level(free, occupied)))
    shade = np.where(unknown & opaque, 1.0 - _unknown_level(free, occupied), 1.0 - np.nan_to_num(shown))
    return np.rint(255 * (1.0 - shade if ros_map.negate else shade)).astype(np.uint8), opaque


def _unknown_level(free: float, occupied: float) -> float:
    """Occupancy that reads as unknown: the customary grey 205, or the middle where the thresholds exclude that."""
    customary = 50 / 255
    return customary if free <= customary <= occupied else (free + occupied) / 2


def _encode_png(pixels: NDArray[np.uint8], alpha: NDArray[np.bool_]) -> bytes:
    buffer = io.BytesIO()
    layers = [pixels] if alpha.all() else [pixels, np.where(alpha, 255, 0).astype(np.uint8)]
    Image.merge("L" if len(layers) == 1 else "LA", [Image.fromarray(np.ascontiguousarray(a)) for a in layers]).save(
        buffer, format="PNG"
    )
    return buffer.getvalue()
