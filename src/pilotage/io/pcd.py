"""Point clouds in the format of the Point Cloud Library: `.pcd` files, as text, binary or compressed; plain or gzipped.

Format: https://pointclouds.org/documentation/tutorials/pcd_file_format.html. A header in text,

    VERSION 0.7
    FIELDS x y z intensity
    SIZE 4 4 4 1                     bytes of each number
    TYPE F F F U                     float, signed, unsigned
    COUNT 1 1 1 1                    numbers a field
    WIDTH 640
    HEIGHT 1
    VIEWPOINT 0 0 0 1 0 0 0          x y z qw qx qy qz of the sensor
    POINTS 640
    DATA binary

is followed by the points: lines of numbers, records, or LZF-compressed columns behind their two sizes of 32 bits.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, ShapeError, counted
from pilotage.core.settings import instance, setting

from ._lzf import compressed, decompressed
from .atomic import write_atomic
from .contents import contents

PathLike = str | os.PathLike[str]
Array = NDArray[np.float64]
Encoding = Literal["ascii", "binary", "binary_compressed"]

KINDS = {"F": "f", "I": "i", "U": "u"}
NEEDED = ("FIELDS", "SIZE", "TYPE", "WIDTH", "HEIGHT", "POINTS")
LONGEST_HEADER, LONGEST_NUMBER, LARGEST_POINT = 1 << 16, 64, 1 << 20
STILL = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False, repr=False)
class PointCloud:
    """A point cloud with named fields.

    Attributes:
        fields: numbers by name, such as x, y, z, intensity: ``(N,)``, or ``(N, count)`` for fields of several numbers.
        shape: rows and columns ``(H, W)`` of a depth camera, ``H W = N``; None for a cloud without order.
        viewpoint: x, y, z [m], qw, qx, qy, qz of the sensor ``(7,)``.

    Raises:
        ShapeError: if the fields have different lengths, or the shape or the viewpoint does not fit.

    Example:
        >>> cloud = PointCloud.of([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
        >>> cloud, cloud.points[1]
        (PointCloud(2 points: x, y, z), array([3., 4., 5.]))
    """

    fields: dict[str, NDArray[Any]]
    shape: tuple[int, int] | None = None
    viewpoint: tuple[float, ...] = STILL

    def __post_init__(self) -> None:
        fields = {name: np.asarray(values) for name, values in self.fields.items()}
        lengths = {values.shape[:1] for values in fields.values()}
        if len(lengths) != 1 or lengths == {()} or any(values.ndim > 2 for values in fields.values()):
            shapes = {name: values.shape for name, values in fields.items()}
            raise ShapeError(f"the fields of a point cloud have shapes {shapes}; expected (N,) or (N, count) for all")
        object.__setattr__(self, "fields", fields)
        if self.shape is not None and math.prod(self.shape) != len(self):
            raise ShapeError(f"a point cloud of {counted(len(self), 'point')} cannot have the shape {self.shape}")
        if len(self.viewpoint) != 7 or not np.isfinite(self.viewpoint).all():
            raise ShapeError(f"the viewpoint of a point cloud is {self.viewpoint}; expected x y z qw qx qy qz")

    @classmethod
    def of(cls, points: Any) -> PointCloud:
        """A cloud of points ``(N, 3)`` in single precision, as most programs expect."""
        p = np.asarray(points, dtype=np.float32)
        if p.ndim != 2 or p.shape[1] != 3:
            raise ShapeError(f"points of a cloud must have shape (N, 3), not {p.shape}")
        return cls({name: p[:, axis] for axis, name in enumerate("xyz")})

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __repr__(self) -> str:
        return f"PointCloud({counted(len(self), 'point')}: {', '.join(self.fields)})"

    @property
    def points(self) -> Array:
        """The coordinates ``(N, 3)``; NaN where nothing was measured.

        Raises:
            ShapeError: if the cloud has no x, y or z.
        """
        if missing := [name for name in "xyz" if name not in self.fields]:
            raise ShapeError(f"{self!r} has no field {missing[0]}, so its points have no positions")
        return np.stack([self.fields[name] for name in "xyz"], axis=-1).astype(np.float64)


def read_pcd(path: PathLike) -> PointCloud:
    """The point cloud of a file. Fields named _ are padding and left out.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if it is not valid; the message says what is wrong.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.pcd"
        >>> head = "FIELDS x y z\\nSIZE 4 4 4\\nTYPE F F F\\nWIDTH 1\\nHEIGHT 1\\nPOINTS 1\\nDATA ascii\\n"
        >>> _ = file.write_text(head + "0.5 1 nan\\n")
        >>> read_pcd(file).points
        array([[0.5, 1. , nan]])
    """
    data = contents(path)
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path}: a damaged gzip file: {error}") from None
    header, start = _header(data, path)
    kind, count = _point_type(header, path), _size(header, path)
    read = {"ascii": _from_text, "binary": _from_records, "binary_compressed": _from_columns}
    encoding = header["DATA"][0]
    if encoding not in read:
        raise FormatError(f"{path}: DATA is {encoding[:40]}; expected {', '.join(read)}")
    fields = read[encoding](data[start:], kind, count, path)
    width, height = (int(header[name][0]) for name in ("WIDTH", "HEIGHT"))
    kept = {name: values for name, values in fields.items() if not name.startswith("_ ")}
    if not kept:
        raise FormatError(f"{path}: all fields are padding")
    return PointCloud(kept, (height, width) if height > 1 else None, _viewpoint(header, path))


def write_pcd(path: PathLike, cloud: PointCloud, encoding: Encoding = "binary") -> None:
    """Write a point cloud.

    Args:
        path: the file.
        cloud: the cloud.
        encoding: "ascii" is text without loss of digits; "binary_compressed" is the smallest.

    Raises:
        MissingFile: if the folder does not exist.
        SettingError: if `cloud` is not a `PointCloud`, or the encoding is none of these.
        FormatError: if a field has a name with blanks, or numbers that the format does not have, such as complex ones.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.pcd"
        >>> write_pcd(file, PointCloud.of([[0.5, 1.0, 2.0], [3.0, 4.0, 5.0]]), "ascii")
        >>> file.read_text().splitlines()[-2:]
        ['0.5 1.0 2.0', '3.0 4.0 5.0']
    """
    cloud, encoding = instance(cloud, PointCloud, "write_pcd"), setting(encoding, Encoding, "encoding")
    columns = {name: _column(name, values) for name, values in cloud.fields.items()}
    height, width = cloud.shape or (1, len(cloud))
    kinds = {"f": "F", "i": "I", "u": "U"}
    lines = {
        "VERSION": ["0.7"],
        "FIELDS": columns,
        "SIZE": [values.itemsize for values in columns.values()],
        "TYPE": [kinds[values.dtype.kind] for values in columns.values()],
        "COUNT": [values.shape[1] for values in columns.values()],
        "WIDTH": [width],
        "HEIGHT": [height],
        "VIEWPOINT": [f"{float(value):.17g}" for value in cloud.viewpoint],
        "POINTS": [len(cloud)],
        "DATA": [encoding],
    }
    head = "".join(f"{name} {' '.join(map(str, values))}\n" for name, values in lines.items())
    write = {"ascii": _to_text, "binary": _to_records, "binary_compressed": _to_columns}[encoding]
    write_atomic(path, f"# .PCD v0.7 - Point Cloud Data file format\n{head}".encode() + write(list(columns.values())))


# --- reading ---


def _header(data: bytes, path: PathLike) -> tuple[dict[str, list[str]], int]:
    """The words of the header by their first, and where the points begin."""
    found: dict[str, list[str]] = {}
    at = 0
    while at < min(len(data), LONGEST_HEADER):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        words = data[at:end].partition(b"#")[0].decode("ascii", "replace").split()
        at = end + 1
        if words:
            found[words[0]] = words[1:]
        if words and words[0] == "DATA":
            break
    missing = [name for name in (*NEEDED, "DATA") if not found.get(name)]
    if missing:
        raise FormatError(f"{path}: the header of a .pcd file lacks {missing[0]}")
    return found, at


def _point_type(header: dict[str, list[str]], path: PathLike) -> np.dtype[Any]:
    """The record of one point; a field of several numbers is an array in it."""
    names = header["FIELDS"]
    counts = header.get("COUNT", ["1"] * len(names))
    if not len(names) == len(header["SIZE"]) == len(header["TYPE"]) == len(counts):
        raise FormatError(f"{path}: FIELDS, SIZE, TYPE and COUNT have different numbers of words")
    rows: list[tuple[str, str, tuple[int, ...]]] = []
    for n, (name, size, kind, count) in enumerate(zip(names, header["SIZE"], header["TYPE"], counts, strict=True)):
        numbers = f"{KINDS.get(kind, '?')}{size}"
        if numbers not in ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            raise FormatError(
                f"{path}: field {name[:40]} has TYPE {kind[:40]} and SIZE {size[:40]}, which is no number"
            )
        if not count.isdigit() or not 0 < len(count) < 8 or not 0 < int(count) <= LARGEST_POINT:
            raise FormatError(f"{path}: COUNT of field {name[:40]} is {count[:40]}; expected 1 or more")
        rows.append((f"_ {n}" if name == "_" else name, f"<{numbers}", (int(count),)))
    if len({name for name, _, _ in rows}) < len(rows):
        raise FormatError(f"{path}: two fields have the same name")
    size = sum(np.dtype(numbers).itemsize * count for _, numbers, (count,) in rows)
    if size > LARGEST_POINT:
        raise FormatError(f"{path}: a point has {size} bytes; expected at most {LARGEST_POINT}")
    return np.dtype(rows)


def _size(header: dict[str, list[str]], path: PathLike) -> int:
    """The number of points."""
    sizes = {name: header[name][0] for name in ("WIDTH", "HEIGHT", "POINTS")}
    for name, text in sizes.items():
        if not text.isdigit() or len(text) > 15:
            raise FormatError(f"{path}: {name} is {text[:40]}; expected a whole number")
    width, height, points = (int(text) for text in sizes.values())
    if width * height != points:
        raise FormatError(f"{path}: WIDTH {width} times HEIGHT {height} is not POINTS {points}")
    return points


def _viewpoint(header: dict[str, list[str]], path: PathLike) -> tuple[float, ...]:
    words = header.get("VIEWPOINT", [])
    try:
        found = tuple(float(word) for word in words) or STILL
    except ValueError:
        found = ()
    if len(found) != 7 or not np.isfinite(found).all():
        raise FormatError(f"{path}: VIEWPOINT is {' '.join(words)[:80]}; expected x y z qw qx qy qz")
    return found


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """A field ``(N, count)``, as ``(N,)`` if it is one number."""
    return values[:, 0] if values.shape[1] == 1 else values


def _names(kind: np.dtype[Any]) -> list[tuple[str, np.dtype[Any], int]]:
    """Names, numbers and counts of the fields."""
    found: list[tuple[str, np.dtype[Any], int]] = []
    for name in kind.names or ():
        numbers, (count,) = kind[name].subdtype or (kind[name], (1,))
        found.append((name, numbers, int(count)))
    return found


def _from_text(body: bytes, kind: np.dtype[Any], points: int, path: PathLike) -> dict[str, NDArray[Any]]:
    lines = [words for line in body.splitlines() if (words := line.split())]
    fields = _names(kind)
    width = sum(count for _, _, count in fields)
    if len(lines) < points:
        raise FormatError(
            f"{path}: the header promises {counted(points, 'point')}, the file holds {len(lines)}: truncated"
        )
    lines = lines[:points]
    for n, words in enumerate(lines):
        if len(words) != width or max(map(len, words)) > LONGEST_NUMBER:
            raise FormatError(f"{path}: point {n + 1} has {counted(len(words), 'word')}; expected {width} numbers")
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for name, numbers, count in fields:
        table = np.array([words[at : at + count] for words in lines], dtype=np.bytes_).reshape(points, count)
        try:
            found[name] = _plain(table.astype(numbers))
        except (ValueError, OverflowError) as error:
            raise FormatError(f"{path}: field {name}: {str(error)[:100]}") from None
        at += count
    return found


def _from_records(body: bytes, kind: np.dtype[Any], points: int, path: PathLike) -> dict[str, NDArray[Any]]:
    if len(body) < points * kind.itemsize:
        held = len(body) // kind.itemsize
        raise FormatError(f"{path}: the header promises {counted(points, 'point')}, the file holds {held}: truncated")
    records = np.frombuffer(body, kind, points)
    return {name: _plain(records[name]).copy() for name, _, _ in _names(kind)}


def _from_columns(body: bytes, kind: np.dtype[Any], points: int, path: PathLike) -> dict[str, NDArray[Any]]:
    packed, size = struct.unpack_from("<II", body) if len(body) >= 8 else (0, 0)
    if len(body) < 8 + packed or size != points * kind.itemsize:
        raise FormatError(
            f"{path}: {counted(points, 'point')} have {points * kind.itemsize} bytes, but {size} are said to be "
            f"compressed in {packed}, of which the file holds {max(len(body) - 8, 0)}"
        )
    raw = decompressed(body[8 : 8 + packed], size)
    if raw is None:
        raise FormatError(f"{path}: the compressed points are damaged, or do not hold {size} bytes")
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for name, numbers, count in _names(kind):
        end = at + points * count * numbers.itemsize
        found[name] = _plain(raw[at:end].view(numbers).reshape(points, count))
        at = end
    return found


# --- writing ---


def _column(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """A field as ``(N, count)`` in the numbers of a file."""
    if not name or name.split() != [name] or not name.isascii() or "#" in name:
        raise FormatError(f"the field name {name!r} cannot be written; expected one word")
    if values.dtype.kind not in "fiu" or values.dtype.itemsize > 8 or values.dtype == np.float16:
        raise FormatError(f"field {name} holds {values.dtype}; a .pcd file has floats of 4 or 8 bytes and integers")
    table = values.reshape(len(values), -1 if len(values) else math.prod(values.shape[1:]))
    return np.ascontiguousarray(table, dtype=values.dtype.newbyteorder("<"))


def _to_text(columns: list[NDArray[Any]]) -> bytes:
    words = [[str(value) for value in column[:, k]] for column in columns for k in range(column.shape[1])]
    return "".join(" ".join(row) + "\n" for row in zip(*words, strict=True)).encode()


def _to_records(columns: list[NDArray[Any]]) -> bytes:
    return np.hstack(
        [column.view(np.uint8).reshape(len(column), column.shape[1] * column.itemsize) for column in columns]
    ).tobytes()


def _to_columns(columns: list[NDArray[Any]]) -> bytes:
    raw = b"".join(column.tobytes() for column in columns)
    packed = compressed(np.frombuffer(raw, np.uint8).copy()).tobytes()
    return struct.pack("<II", len(packed), len(raw)) + packed
