"""The base of the collision constraints of simulators: values, edges, reasons, and the planning problem."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core import Problem, Space
from ..core.arrays import Array
from ..core.settings import positive
from ._scratch import Scratch

FAR = 1.0
"""The slack where nothing is near; only its sign matters."""


class Contact(NamedTuple):
    """Two shapes that are near each other.

    Attributes:
        first, second: their names.
        gap: distance between them [m]; negative where they overlap.
        point: the place in the middle of the gap ``(3,)`` [m].
        normal: direction from the first to the second ``(3,)``.
    """

    first: str
    second: str
    gap: float
    point: Array
    normal: Array


class Collisions(Scratch, ABC):
    """A constraint on positions ``(..., n)``: ``g(q) = clearance - smallest gap <= 0``.

    Args:
        space: the space of positions.
        clearance: distance that all shapes must keep [m].
        resolution: largest change of the positions between two checks along an edge, in the norm of the space.
    """

    def __init__(self, space: Space, clearance: float, resolution: float) -> None:
        self.space = space
        self.clearance = positive(clearance, "clearance", zero=True)
        self.resolution = positive(resolution, "resolution")
        Scratch.__init__(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.space!r}, clearance={self.clearance:g})"

    @abstractmethod
    def _room(self, q: Array) -> float:
        """The smallest gap of two shapes that may not touch, less the clearance; negative for NaN."""

    @abstractmethod
    def _contacts(self, q: Array) -> list[Contact]:
        """The pairs that are nearer than the clearance."""

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

    def contacts(self, x: Any) -> list[Contact]:
        """The pairs of shapes that are nearer than the clearance at a state ``(n,)``, the deepest first."""
        x = self.space.check(x)
        with self._lock:
            return sorted(self._contacts(x), key=lambda contact: contact.gap)

    def describe(self, x: Any) -> str:
        """A sentence on the deepest collision at a state ``(n,)``; empty if there is none."""
        near = self.contacts(x)
        if not near or near[0].gap >= self.clearance:
            return ""
        first, second, gap, *_ = near[0]
        if gap >= 0.0:
            return f"is too near: {first} and {second} are {gap:.3f} m apart, {self.clearance:g} m are asked for"
        return f"is in collision: {first} and {second} overlap by {-gap:.3f} m"

    def problem(self, start: Any, goal: Any, *, weights: Any = None) -> Problem:
        """The planning problem from a start to a goal, for the planners of `pilotage.planners.sampling`.

        Args:
            start: positions ``(n,)``, or a belief.
            goal: positions, a belief, several positions ``(K, n)``, or a region; see `Problem`.
            weights: weights of the joints in the metric; default 1.
        """
        return Problem(self.space, start, goal, self, weights=weights, resolution=self.resolution)

    def _edge(self, a: Array, b: Array) -> bool:
        """Whether one edge is clear: its ends, its middle, the quarters, and so on."""
        if self._room(a) < 0.0 or self._room(b) < 0.0:
            return False
        count = max(math.ceil(float(self.space.distance(a, b)) / self.resolution - 1e-9), 1)
        inner = np.arange(1, count)
        order = inner[np.argsort(-(inner & -inner), kind="stable")]  # by the power of two in the number of the point
        points = self.space.interpolate(a, b, order / count)
        return all(self._room(q) >= 0.0 for q in points)
