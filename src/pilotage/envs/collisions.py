"""Collisions of a MuJoCo model with itself and with its world, as the constraint of a planning problem."""

from __future__ import annotations

import math
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Problem, Space
from ..core.arrays import Array
from ..core.settings import positive
from ._names import distinct
from .late import Late
from .mujoco import Joint, loaded

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")
FAR = 1.0
"""The slack where nothing is near; only its sign matters."""


class CollisionConstraint:
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
        self.clearance = positive(clearance, "clearance", zero=True)
        self.resolution = positive(resolution, "resolution")
        # Each of the two geoms of a contact adds its margin.
        self.model.geom_margin[:] = self.clearance
        self.model.geom_gap[:] = 0.0
        names = distinct([self.model.joint(i).name for i in range(self.model.njnt)], "joint")
        self.space = Space(*(p for i, name in enumerate(names) for p in Joint(self.model, i, name).positions()))
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"CollisionConstraint({self.space!r}, clearance={self.clearance:g})"

    def __call__(self, x: Any) -> Array:
        """Values ``(..., 1)`` [m] at states ``(..., n)``; a positive one is a collision."""
        x = np.asarray(x, dtype=np.float64)
        with self._lock:
            values = [-self._room(q) for q in x.reshape(-1, x.shape[-1])]
        return np.array(values).reshape(*x.shape[:-1], 1)

    def edges_allowed(self, a: Any, b: Any) -> NDArray[np.bool_]:
        """Whether edges from states ``(..., n)`` to states ``(..., n)`` are clear at points `resolution` apart."""
        a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
        pairs = zip(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), strict=True)
        with self._lock:
            return np.array([self._edge(*pair) for pair in pairs], dtype=np.bool_).reshape(a.shape[:-1])

    def describe(self, x: Any) -> str:
        """A sentence on the deepest collision at a state ``(n,)``; empty if there is none."""
        with self._lock:
            room = self._room(np.asarray(x, dtype=np.float64))
            if room >= 0.0:
                return ""
            contact = self._data.contact[int(self._data.contact.dist.argmin())]
            pair = [self.model.geom(int(i)).name or f"geom {i}" for i in contact.geom]
        gap = room + self.clearance
        if gap >= 0.0:
            return f"is too near: {pair[0]} and {pair[1]} are {gap:.3f} m apart, {self.clearance:g} m are asked for"
        return f"is in collision: {pair[0]} and {pair[1]} overlap by {-gap:.3f} m"

    def problem(self, start: Any, goal: Any, *, weights: Any = None) -> Problem:
        """The planning problem from a start to a goal, for the planners of `pilotage.planners.sampling`.

        Args:
            start: positions ``(n,)``, or a belief.
            goal: positions, a belief, several positions ``(K, n)``, or a region; see `Problem`.
            weights: weights of the joints in the metric; default 1.
        """
        return Problem(self.space, start, goal, self, weights=weights, resolution=self.resolution)

    def _room(self, q: Array) -> float:
        """The least distance of two geoms that may not touch, less the clearance; negative for NaN."""
        if not np.isfinite(q).all():
            return -FAR
        model, data = self.model, self._data
        data.qpos[:] = q
        mj.mj_kinematics(model, data)
        mj.mj_collision(model, data)
        return float(data.contact.dist.min()) - self.clearance if data.ncon else FAR

    def _edge(self, a: Array, b: Array) -> bool:
        """Whether one edge is clear: its ends, its middle, the quarters, and so on."""
        if self._room(a) < 0.0 or self._room(b) < 0.0:
            return False
        count = max(math.ceil(float(self.space.distance(a, b)) / self.resolution - 1e-9), 1)
        inner = np.arange(1, count)
        order = inner[np.argsort(-(inner & -inner), kind="stable")]  # by the power of two in the number of the point
        points = self.space.interpolate(a, b, order / count)
        return all(self._room(q) >= 0.0 for q in points)

    @cached_property
    def _data(self) -> Any:
        return mj.MjData(self.model)

    def __getstate__(self) -> dict[str, Any]:
        """The state that is sent to another process: the model, without scratch memory."""
        return {name: value for name, value in self.__dict__.items() if name not in {"_data", "_lock"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())
