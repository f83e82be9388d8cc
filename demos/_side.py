"""MuJoCo models seen from the side: the outlines of their shapes in the plane of x and z."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from pilotage.core import require
from pilotage.core.arrays import Array
from pilotage.viz.palette import INK, SHADE

mujoco: Any = require("mujoco", extra="envs")

BOX, CAPSULE, SPHERE = (int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}")) for name in ("BOX", "CAPSULE", "SPHERE"))
ROUND = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 9)
"""Angles of the points of a half circle."""


def outlines(model: Any, x: Array) -> list[Array]:
    """The outlines ``(N, 2)`` of the capsules, spheres and boxes of a model in a state."""
    data = mujoco.MjData(model)
    data.qpos[:] = x[: model.nq]
    mujoco.mj_kinematics(model, data)
    found: list[Array] = []
    for kind, size, place, turn in zip(model.geom_type, model.geom_size, data.geom_xpos, data.geom_xmat, strict=True):
        shape = silhouette(kind, size, turn.reshape(3, 3))
        if shape is not None:
            found.append(place[[0, 2]] + shape)
    return found


def silhouette(kind: int, size: Array, turn: Array) -> Array | None:
    """The outline of a shape around its middle; None for planes and other shapes."""
    if kind == BOX:
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * size[[0, 2]]
        return corners @ turn[np.ix_([0, 2], [0, 2])].T
    if kind not in (CAPSULE, SPHERE):
        return None
    along = turn[[0, 2], 2] if kind == CAPSULE else np.zeros(2)
    heading = np.arctan2(along[1], along[0])
    ends = [
        sign * size[1] * along + size[0] * np.stack([np.cos(a), np.sin(a)], -1)
        for sign, a in ((1.0, heading + ROUND), (-1.0, heading + np.pi + ROUND))
    ]
    return np.concatenate(ends)


class SideView:
    """The shapes of a model on axes, which move with its state.

    Attributes:
        patches: the shapes, for an animation.
    """

    def __init__(self, ax: Axes, model: Any, x: Array, *, colors: Sequence[str] = (INK,), **style: Any) -> None:
        self.model = model
        settings = {"edgecolor": SHADE, "linewidth": 0.6, "zorder": 3, **style}
        self.patches = [
            Polygon(shape, closed=True, facecolor=colors[i % len(colors)], **settings)
            for i, shape in enumerate(outlines(model, x))
        ]
        for patch in self.patches:
            ax.add_patch(patch)

    def show(self, x: Array) -> None:
        """Move the shapes to a state."""
        for patch, shape in zip(self.patches, outlines(self.model, x), strict=True):
            patch.set_xy(shape)
