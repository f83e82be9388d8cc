"""The conversion between pixels of map images and occupancies; `ros_map` holds the table of modes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pilotage.core.chunks import in_chunks
from pilotage.core.errors import FormatError
from pilotage.core.settings import shown

from .pgm import read_pgm

Levels = NDArray[np.unsignedinteger[Any]]

LUMA = np.array([0.212656, 0.715158, 0.072186], dtype=np.float32)
"""Weights of red, green and blue in the brightness of a colour (ITU-R BT.709), as in ImageMagick."""

UNKNOWN = 205
"""Grey that map_saver writes for unknown cells."""


class Picture(NamedTuple):
    """Brightness of pixels ``(rows, columns)`` or of their colours ``(rows, columns, 3)``, top row first; the number
    that stands for white; opacity ``(rows, columns)`` from 0 to 255, None without it."""

    levels: Levels
    white: int
    alpha: NDArray[np.uint8] | None = None


def read_picture(path: Path) -> Picture:
    """The pixels of an image.

    Raises:
        FormatError: if the file is not an image with pixels of 1, 8 or 16 bits.
    """
    with open(path, "rb") as file:
        magic = file.read(2)
    if magic in (b"P5", b"P2") or path.suffix.lower() == ".pgm":
        return Picture(read_pgm(path), 255)
    try:
        with Image.open(path) as image:
            return _pixels_of(image, path)
    except FormatError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FormatError(f"{path}: cannot be read as an image: {str(error)[:200]}") from None


def _pixels_of(image: Image.Image, path: Path) -> Picture:
    if image.mode[0] in "IF":
        return Picture(_deep_pixels(image, path), 65535)
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    if image.mode in ("1", "L") and not has_alpha:
        return Picture(np.asarray(image.convert("L")), 255)
    if not has_alpha:
        return Picture(np.asarray(image.convert("RGB")), 255)
    pixels = np.asarray(image.convert("RGBA"))
    return Picture(pixels[..., :3], 255, pixels[..., 3])


def _deep_pixels(image: Image.Image, path: Path) -> NDArray[np.uint16]:
    """Grey pixels of 16 bits; Pillow calls them "I;16", and older versions "I" in a png."""
    if not image.mode.startswith("I;16") and (image.mode, image.format) != ("I", "PNG"):
        kind = shown(image.mode)
        raise FormatError(f"{path}: a map image must have 1, 8 or 16 bits per channel, not pixels of the kind {kind}")
    return np.asarray(image).astype(np.uint16)


def grey(picture: Picture) -> NDArray[np.uint8]:
    """Brightness of every pixel in 8 bits, colours weighted by `LUMA`."""
    levels = picture.levels
    if levels.ndim == 3:
        return np.rint(levels @ LUMA).astype(np.uint8)
    if picture.white == 255:
        return np.asarray(levels, dtype=np.uint8)
    return np.rint(levels * np.float32(255 / picture.white)).astype(np.uint8)


def mean_grey(picture: Picture, with_alpha: bool) -> tuple[Levels, int]:
    """The sum of the channels of every pixel, with the opacity if `with_alpha`, and the sum for white."""
    levels = picture.levels
    if levels.ndim == 2:
        return levels, picture.white
    total = levels.sum(axis=-1, dtype=np.uint16)
    if picture.alpha is None or not with_alpha:
        return total, 3 * picture.white
    return total + picture.alpha, 4 * picture.white


def occupancies(
    white: int, mode: str, negate: bool, occupied: float, free: float, strict: bool = False
) -> NDArray[np.float32]:
    """Occupancy for each brightness from 0 to `white`; if `strict`, a value equal to a threshold is unknown."""
    level = np.arange(white + 1)
    if mode == "raw":
        percent = np.rint(level * (255 / white))
        return np.where(percent <= 100, percent / 100, np.nan).astype(np.float32)
    p = (level if negate else white - level) / white
    if strict:
        occupied, free = float(np.nextafter(occupied, 2.0)), float(np.nextafter(free, -1.0))
    between = (p - free) / (occupied - free) if mode == "scale" else np.nan
    return np.where(p >= occupied, 1.0, np.where(p <= free, 0.0, between)).astype(np.float32)


def levels_of(p: NDArray[Any], mode: str, negate: bool, occupied: float, free: float) -> NDArray[np.uint8]:
    """The pixels for the occupancies `p` of any shape; the inverse of `occupancies`."""
    encode = {"trinary": _trinary_levels, "scale": _scale_levels, "raw": _raw_levels}[mode]
    out = in_chunks(lambda part: encode(part.astype(np.float64), occupied, free), p, np.uint8)
    return np.subtract(255, out, out=out) if negate and mode != "raw" else out


_TINY = 1e-9
"""Percents nearer than this to a whole number are that number."""


def _raw_levels(p: NDArray[np.float64], occupied: float, free: float) -> NDArray[np.float64]:
    """Percents, on the side of the thresholds on which p is; unknown where there is no whole percent between them."""
    low, high = np.floor(100.0 * free + _TINY), np.ceil(100.0 * occupied - _TINY)
    percent = np.rint(p * 100)
    between = np.clip(percent, low + 1, high - 1) if low + 1 <= high - 1 else 255
    sure = np.where(p >= occupied, np.maximum(percent, high), np.minimum(percent, low))
    return np.where(np.isnan(p), 255, np.where((p >= occupied) | (p <= free), sure, between))


def _scale_levels(p: NDArray[np.float64], occupied: float, free: float) -> NDArray[np.float64]:
    dark = np.rint(255 * (free + p * (occupied - free)))
    # Values that are not certain stay strictly between the thresholds.
    dark = np.clip(dark, np.floor(255 * free) + 1, np.ceil(255 * occupied) - 1)
    return 255 - np.where(p >= 1.0, 255, np.where(p <= 0.0, 0, np.nan_to_num(dark)))


def _trinary_levels(p: NDArray[np.float64], occupied: float, free: float) -> NDArray[np.float64]:
    lightest = 1 if 255 * free >= 1 else 0  # map_saver writes 254 for free cells
    return 255 - np.where(p >= occupied, 255, np.where(p <= free, lightest, unknown_dark(free, occupied)))


def unknown_dark(free: float, occupied: float) -> float:
    """A darkness that means unknown: the usual grey, or the middle between the thresholds if they exclude it."""
    dark = 255 - UNKNOWN
    return dark if free < dark / 255 < occupied else np.rint(255 * (free + occupied) / 2)


def encode_png(pixels: NDArray[np.uint8], transparent: NDArray[np.bool_] | None = None) -> bytes:
    """A grey image as a png file; `transparent` marks the transparent pixels."""
    image = Image.fromarray(pixels)
    if transparent is not None:
        image.putalpha(Image.fromarray(np.where(transparent, np.uint8(0), np.uint8(255))))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
