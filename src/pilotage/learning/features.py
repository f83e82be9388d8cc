"""What a network sees of a state: numbers without seams, of size one."""

from __future__ import annotations

from typing import Any

import torch

from ..core import SE2, SE3, Angle, Quaternion, Space

_QUATERNIC = (Quaternion, SE3)


def seamless(space: Space, x: torch.Tensor) -> torch.Tensor:
    """States ``(..., size)`` as features ``(..., k)``: an angle as its cosine and sine, a rotation as its matrix.

    A network fed with these is continuous where an angle wraps, and gives q and -q the same answer.

    Example:
        >>> seamless(Space("x [m]", "yaw: angle"), torch.tensor([2.0, 0.0]))
        tensor([2., 1., 0.])
    """
    columns: list[torch.Tensor] = []
    for part, s, _ in space.layout:
        own = x[..., s]
        if isinstance(part, Angle):
            columns += [own.cos(), own.sin()]
        elif isinstance(part, SE2):
            columns += [own[..., :2], own[..., 2:].cos(), own[..., 2:].sin()]
        elif isinstance(part, _QUATERNIC):
            columns += [own[..., :-4], matrix(own[..., -4:])]
        else:
            columns.append(own)
    return torch.cat(columns, -1) if columns else x.new_zeros((*x.shape[:-1], 0))


def width(space: Space) -> int:
    """How many features a state of this space has.

    Example:
        >>> width(Space("x y [m]", "q: quaternion"))
        11
    """
    return seamless(space, torch.zeros(space.size)).shape[-1]


def matrix(q: torch.Tensor) -> torch.Tensor:
    """Rotation matrices of quaternions ``(..., 4)`` wxyz, row by row ``(..., 9)``."""
    w, x, y, z = q.unbind(-1)
    rows: list[Any] = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1)
