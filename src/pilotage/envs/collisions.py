"""Collisions of a MuJoCo model with itself and with its world, as the constraint of a planning problem."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core import Space
from ..core.arrays import Array
from ._collisions import FAR, Collisions, Contact
from ._model_files import loaded
from ._names import distinct
from .late import Late
from .mujoco import Joint

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")


class CollisionConstraint(Collisions):
    """The constraint that no two geoms of a MuJoCo model are closer than a clearance.

    ::

        g(q) = clearance - min over contacts of their distance <= 0        contacts: mj_kinematics, mj_collision at q

    States q are the positions of all joints, ``qpos``; joint limits are the bounds of the `space`. Which geoms may
    touch is what the model says: those of a body and its parent may, and so may pairs with ``<exclude>``, and geoms
    whose ``contype`` and ``conaffinity`` do not match. Edges are checked at points `resolution` apart, from the middle
    outwards. MuJoCo finds no contact where the axis of a capsule runs exactly through the middle of a box; right beside
    it, it does. Calls of one instance wait for each other, because they share the memory of the simulator.

    Args:
        model: path of an MJCF or URDF file, XML text, or an ``mujoco.MjModel`` (which is copied).
        clearance: distance that all geoms must keep [m].
        resolution: largest change of the positions between two checks along an edge, in the norm of the space.

    Attributes:
        model: the ``mujoco.MjModel``.
        space: the space of ``qpos``.

    Raises:
        ModelError: if the file is not a model.

    Example:
        >>> arm = '''<mujoco><worldbody><geom name="wall" type="box" size="0.1 1 1" pos="1 0 0"/><body>
        ... <joint name="turn" range="-170 170"/><geom name="rod" type="capsule" fromto="0.2 0 0 0.95 0 0" size="0.02"/>
        ... </body></worldbody></mujoco>'''
        >>> clear = CollisionConstraint(arm)
        >>> clear([[0.0], [1.5]])[:, 0] <= 0, clear.describe([0.0])
        (array([False,  True]), 'is in collision: rod and wall overlap by 0.070 m')
    """

    def __init__(self, model: str | Path | Any, *, clearance: float = 0.0, resolution: float = 0.05) -> None:
        self.model = loaded(model)
        names = distinct([self.model.joint(i).name for i in range(self.model.njnt)], "joint")
        space = Space(*(p for i, name in enumerate(names) for p in Joint(self.model, i, name).positions()))
        super().__init__(space, clearance, resolution)
        # Each of the two geoms of a contact adds its margin.
        self.model.geom_margin[:] = self.clearance
        self.model.geom_gap[:] = 0.0

    def _room(self, q: Array) -> float:
        """The least distance of two geoms that may not touch, less the clearance; negative for NaN."""
        if not np.isfinite(q).all():
            return -FAR
        model, data = self.model, self._data
        data.qpos[:] = q
        mj.mj_kinematics(model, data)
        mj.mj_collision(model, data)
        return float(data.contact.dist.min()) - self.clearance if data.ncon else FAR

    def _contacts(self, q: Array) -> list[Contact]:
        if self._room(q) >= 0.0:
            return []
        return [
            Contact(*self._names(c.geom), gap=float(c.dist), point=c.pos.copy(), normal=c.frame[:3].copy())
            for c in self._data.contact
        ]

    def _names(self, geoms: Any) -> tuple[str, str]:
        one, other = (self.model.geom(int(i)).name or f"geom {i}" for i in geoms)
        return one, other

    @cached_property
    def _data(self) -> Any:
        return mj.MjData(self.model)
