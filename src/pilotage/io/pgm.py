"""Portable grey maps (PGM), the images of ROS maps: binary P5 and plain P2.

Format: https://netpbm.sourceforge.net/doc/pgm.html
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError

from .contents import contents

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([^\s#]+)")
_MAX_PIXELS = 1 << 30
"""A map of a billion cells is a damaged header, not a map."""


def read_pgm(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Pixels ``(rows, columns)`` of a PGM file, top row first, scaled so that 255 is white.

    Args:
        path: a P5 (binary, 8 or 16 bit) or P2 (text) file.

    Raises:
        FormatError: naming the file and the field that is wrong, or how many pixels are missing.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "two.pgm"
        >>> _ = file.write_bytes(b"P2 2 1 255  0 254")
        >>> read_pgm(file)
        array([[  0, 254]], dtype=uint8)
    """
    data = contents(path)
    magic, (width, height, peak), start = _header(data, path)
    if magic == b"P5":
        values = _binary_pixels(data, start, width * height, peak, path)
    else:
        values = _text_pixels(data, start, width * height, path)
    if int(values.max()) > peak:
        raise FormatError(f"{path}: a pixel has the value {int(values.max())}, but the header says at most {peak}")
    if peak != 255:
        values = np.rint(values * (255.0 / peak))
    return values.astype(np.uint8).reshape(height, width)


def _header(data: bytes, path: str | os.PathLike[str]) -> tuple[bytes, tuple[int, int, int], int]:
    """Magic, (width, height, largest value) and the offset behind the last header token."""
    magic = data[:2]
    if magic not in (b"P5", b"P2"):
        raise FormatError(f"{path}: a PGM file starts with P5 or P2, this one with {data[:2]!r}")
    at = 2
    numbers: list[int] = []
    for field in ("width", "height", "largest value"):
        token = _TOKEN.match(data, at)
        if token is None:
            raise FormatError(f"{path}: the PGM header ends before its {field}")
        text = token.group(1)
        if not text.isdigit() or len(text) > 9 or int(text) == 0:
            raise FormatError(f"{path}: the PGM header's {field} must be a positive integer, not {text[:20]!r}")
        numbers.append(int(text))
        at = token.end()
    width, height, peak = numbers
    if peak > 65535:
        raise FormatError(f"{path}: the PGM header's largest value must be at most 65535, not {peak}")
    if width * height > _MAX_PIXELS:
        raise FormatError(f"{path}: the PGM header promises {width} x {height} pixels, more than {_MAX_PIXELS}")
    return magic, (width, height, peak), at


def _binary_pixels(data: bytes, start: int, count: int, peak: int, path: str | os.PathLike[str]) -> NDArray[Any]:
    """`count` samples after the single white space that ends the header; two bytes each, high first, above 255."""
    kind = np.dtype(np.uint8) if peak < 256 else np.dtype(">u2")
    held = len(data) - start - 1
    if data[start : start + 2] == b"\r\n" and held == count * kind.itemsize + 1:
        start, held = start + 1, held - 1  # one byte too many: the header was written with the line ends of Windows
    if held < count * kind.itemsize:
        raise FormatError(
            f"{path}: the PGM header promises {count} pixels, the file holds {max(held, 0) // kind.itemsize}: truncated"
        )
    return np.frombuffer(data, kind, count, start + 1)


def _text_pixels(data: bytes, start: int, count: int, path: str | os.PathLike[str]) -> NDArray[np.int64]:
    """`count` decimal numbers; comments run from # to the end of the line."""
    body = re.sub(rb"#[^\n\r]*", b"", data[start:])
    tokens = body.split()
    if len(tokens) < count:
        raise FormatError(f"{path}: the PGM header promises {count} pixels, the file holds {len(tokens)}: truncated")
    try:
        values = np.array([int(token) for token in tokens[:count]], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{path}: a pixel is not a number: {str(error)[:100]}") from None
    if int(values.min()) < 0:
        raise FormatError(f"{path}: a pixel has the value {int(values.min())}, but the least is 0")
    return values


def encode_pgm(pixels: NDArray[np.uint8], comment: str = "") -> bytes:
    """A P5 file as bytes.

    Args:
        pixels: ``(rows, columns)`` uint8, top row first.
        comment: one line for the header.

    Example:
        >>> encode_pgm(np.array([[0, 254]], dtype=np.uint8))
        b'P5\\n2 1\\n255\\n\\x00\\xfe'
    """
    remark = "".join(f"# {line}\n" for line in comment.splitlines())
    height, width = pixels.shape
    head = f"P5\n{remark}{width} {height}\n255\n".encode()
    return b"".join((head, np.ascontiguousarray(pixels, dtype=np.uint8).data))
