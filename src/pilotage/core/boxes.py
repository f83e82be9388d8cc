"""Boxes in an image, and how much they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, numbers
from .errors import ShapeError
from .space import Space

BOX = Space("left top width height [px]")
"""The space of boxes in an image: left and upper edge, width and height, in pixels; x to the right, y down."""


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
    inside, union, _ = _areas(_boxes(a), _boxes(b))
    return np.divide(inside, union, out=np.zeros_like(inside), where=union > 0.0)


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
    inside, union, around = _areas(_boxes(a), _boxes(b))
    overlap = np.divide(inside, union, out=np.zeros_like(inside), where=union > 0.0)
    return overlap - np.divide(around - union, around, out=np.zeros_like(inside), where=around > 0.0)


def _boxes(given: Any) -> Array:
    boxes = numbers(given, "boxes")
    if boxes.size == 0 and boxes.ndim == 1:
        return boxes.reshape(0, 4)
    if boxes.ndim < 2 or boxes.shape[-1] != 4:
        raise ShapeError(f"boxes have shape {boxes.shape}; expected (..., N, 4) holding left, top, width, height")
    return boxes


def _areas(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Areas ``(..., N, M)`` of the intersection, the union, and the smallest box around both."""
    a, b = a[..., :, None, :], b[..., None, :, :]
    low, high = a[..., :2], a[..., :2] + a[..., 2:]
    other_low, other_high = b[..., :2], b[..., :2] + b[..., 2:]
    inside = np.maximum(np.minimum(high, other_high) - np.maximum(low, other_low), 0.0).prod(-1)
    around = (np.maximum(high, other_high) - np.minimum(low, other_low)).prod(-1)
    return inside, a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - inside, around
