"""Boxes in an image, and how much they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, numbers
from .errors import ShapeError
from .space import Space

BOX = Space("left top width height [px]")
"""The space of boxes in an image: left and upper edge, width and height, in pixels; x to the right, y down."""


def boxes_from_corners(corners: Any) -> Array:
    """Boxes as in `BOX` from their corners, as many detectors report them: left, top, right, bottom.

    Args:
        corners: ``(..., 4)``; rows of NaN stay so.

    Returns:
        Boxes ``(..., 4)``: left, top, width, height.

    Raises:
        ShapeError: if the last axis has not four numbers, or right is before left, or bottom above top, which tells of
            boxes that have width and height already.

    Example:
        >>> boxes_from_corners([[10, 20, 40, 80]])
        array([[10., 20., 30., 60.]])
    """
    given = numbers(corners, "corners", missing=True)
    given = given.reshape(0, 4) if given.size == 0 and given.ndim == 1 else given
    if given.ndim < 1 or given.shape[-1] != 4:
        raise ShapeError(f"corners have shape {given.shape}; expected (..., 4) holding left, top, right, bottom")
    sides = given[..., 2:] - given[..., :2]
    if (sides < 0.0).any():
        wrong = given[(sides < 0.0).any(-1)].reshape(-1, 4)[0]
        raise ShapeError(
            f"corners are {wrong}; expected left, top, right, bottom, the last two not below the first: boxes of left, "
            "top, width and height are used as they are"
        )
    return np.concatenate([given[..., :2], sides], axis=-1)


def iou(a: Any, b: Any) -> Array:
    """The intersection over union of boxes, ``|A & B| / |A | B|``, each of `a` with each of `b`.

    Args:
        a: boxes ``(..., N, 4)``: left, top, width, height, as in `BOX`.
        b: boxes ``(..., M, 4)``; leading axes broadcast.

    Returns:
        Numbers ``(..., N, M)`` from 0 to 1. Boxes without area overlap with nothing.

    Raises:
        ShapeError: if the last axis has not four numbers.

    Example:
        >>> iou([[0, 0, 2, 2]], [[1, 0, 2, 2], [5, 5, 1, 1]]).round(3)
        array([[0.333, 0.   ]])
    """
    return overlaps(_boxes(a)[..., :, None, :], _boxes(b)[..., None, :, :])


def giou(a: Any, b: Any) -> Array:
    """The generalised intersection over union of boxes, each of `a` with each of `b`.

    ::

        GIoU = IoU - (|C| - |A | B|) / |C|,      C: the smallest box around A and B

    Unlike IoU, it tells near boxes from far ones where they do not overlap.

    Source: Rezatofighi et al., "Generalized intersection over union", CVPR 2019, algorithm 1.

    Args:
        a: boxes ``(..., N, 4)``: left, top, width, height, as in `BOX`.
        b: boxes ``(..., M, 4)``; leading axes broadcast.

    Returns:
        Numbers ``(..., N, M)`` above -1 and up to 1.

    Raises:
        ShapeError: if the last axis has not four numbers.

    Example:
        >>> giou([[0, 0, 1, 1]], [[0, 0, 1, 1], [3, 0, 1, 1]])
        array([[ 1. , -0.5]])
    """
    a, b = _boxes(a)[..., :, None, :], _boxes(b)[..., None, :, :]
    _, union = _areas(a, b)
    right, low = (np.maximum(a[..., k] + a[..., k + 2], b[..., k] + b[..., k + 2]) for k in (0, 1))
    around = (right - np.minimum(a[..., 0], b[..., 0])) * (low - np.minimum(a[..., 1], b[..., 1]))
    return overlaps(a, b) - _share(around - union, around)


def overlaps(a: Array, b: Array) -> Array:
    """The intersection over union ``(...)`` of boxes ``(..., 4)`` with boxes ``(..., 4)``.

    Example:
        >>> overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[0.0, 0.0, 2.0, 1.0]]))
        array([0.5])
    """
    return np.minimum(_share(*_areas(a, b)), 1.0)  # rounding


def _boxes(given: Any) -> Array:
    boxes = numbers(given, "boxes")
    if boxes.size == 0 and boxes.ndim == 1:
        return boxes.reshape(0, 4)
    if boxes.ndim < 2 or boxes.shape[-1] != 4:
        raise ShapeError(f"boxes have shape {boxes.shape}; expected (..., N, 4) holding left, top, width, height")
    return boxes


def _areas(a: Array, b: Array) -> tuple[Array, Array]:
    """Areas ``(...)`` of the intersection and the union of boxes ``(..., 4)``."""
    sides: list[Array] = []
    for k in (0, 1):
        near = np.maximum(a[..., k], b[..., k])
        far = np.minimum(a[..., k] + a[..., k + 2], b[..., k] + b[..., k + 2])
        sides.append(np.maximum(far - near, 0.0))
    inside = sides[0] * sides[1]
    return inside, a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - inside


def _share(part: Array, whole: Array) -> Array:
    """``part / whole``, and 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0.0)
