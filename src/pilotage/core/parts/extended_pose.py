"""Poses with further vectors that turn with them: velocities, landmarks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..arrays import Array
from ..errors import SpaceError
from ..mathematics import Mathematics
from ._pose import Pose
from .part import NAME, Components, Part
from .se2 import SE2
from .se3 import SE3

_POSES: dict[int, type[Pose]] = {2: SE2, 3: SE3}
_REST = re.compile(rf"\[\s*({NAME}(?:\s*,\s*{NAME})*)\s*\]\s*(left)?")


@dataclass(frozen=True)
class ExtendedPose(Pose):
    """A pose with further vectors, an element of the group SE_k(d): k copies of SE(d) that share their rotation.

    ::

        X = (R, p, v, ...)      X Y = (R R_Y, p + R p_Y, v + R v_Y, ...)      plus = X Exp(d)

    With the velocity it is the extended pose SE_2(3) of inertial navigation, declared as ``"nav: SE3[v]"``; with
    landmarks, the state SE_{1+L}(2) of simultaneous localization and mapping, ``"map: SE2[tree, rock]"``. It is stored
    as position, vectors and rotation, with tangents in the same order. A vector of one letter, v, is stored as vx vy
    vz, a longer one as tree.x tree.y; v is a velocity in m/s, all others are in metres.

    Source: Barrau and Bonnabel, "The invariant extended Kalman filter as a stable observer", IEEE Trans. Automatic
    Control 62, 2017, section V; Brossard, Barrau and Bonnabel, "A code for unscented Kalman filtering on manifolds",
    ICRA 2020.

    Args:
        name: name of the part.
        minimum, maximum: bounds of position and vectors; () for none.
        vectors: names of the further vectors.
        dimension: 2 in the plane, 3 in space.

    Raises:
        SpaceError: if there is no further vector, a name is malformed, or the dimension is neither 2 nor 3.

    Example:
        >>> ExtendedPose("nav").names[:6]
        ('nav.x', 'nav.y', 'nav.z', 'nav.vx', 'nav.vy', 'nav.vz')
        >>> ExtendedPose("map", vectors=("tree",), dimension=2).names
        ('map.x', 'map.y', 'map.tree.x', 'map.tree.y', 'map.yaw')
    """

    vectors: tuple[str, ...] = ("v",)
    dimension: int = 3

    kind: ClassVar[str] = "extended pose"
    pose: ClassVar[Pose]

    def __post_init__(self) -> None:
        if self.dimension not in _POSES:
            raise SpaceError(f"{self.name} is a pose in {self.dimension} dimensions; expected 2 or 3")
        if not self.vectors or not all(re.fullmatch(NAME, vector) for vector in self.vectors):
            raise SpaceError(f"{self.name} has the vectors {self.vectors!r}; expected one or more names, as in SE3[v]")
        pose, d = _POSES[self.dimension](self.name), self.dimension
        axes = d * (1 + len(self.vectors))
        moved = [*(("d" + axis, "m") for axis in "xyz"[:d]), *self._each("d"), *pose.moved[d:]]
        for attribute, value in (
            ("pose", pose), ("axes", axes), ("limit", pose.limit), ("acts_on", d), ("moved", tuple(moved)),
            ("turning", slice(axes, axes + pose.dim - d)),
            ("paired", axes + pose.paired - d), ("stored", (*pose.stored[:d], *self._each(""), *pose.stored[d:])),
        ):  # fmt: skip
            object.__setattr__(self, attribute, value)
        super().__post_init__()

    def _each(self, mark: str) -> list[tuple[str, str]]:
        """Suffix and unit of each component of the further vectors."""
        axes = "xyz"[: self.dimension]
        short = [(f"{mark}{name}{{}}" if len(name) == 1 else f"{name}.{mark}{{}}", name) for name in self.vectors]
        return [(text.format(axis), "m/s" if name == "v" else "m") for text, name in short for axis in axes]

    def same_kind(self, other: Part) -> bool:
        if not isinstance(other, ExtendedPose):
            return False
        return self.dimension == other.dimension and len(self.vectors) == len(other.vectors)

    def alike(self, other: Part) -> bool:
        return super().alike(other) and self.names == other.names

    @classmethod
    def spelt(cls, name: str, word: str, rest: str) -> Part | None:
        """A plain pose where no vectors are named."""
        match = _REST.fullmatch(rest)
        dimension = int(word[-1])
        if match is None:
            return _POSES[dimension].spelt(name, word, rest)
        part = cls(name, vectors=tuple(re.split(r"\s*,\s*", match[1])), dimension=dimension)
        return part.perturbed(match[2] or "right")

    def __str__(self) -> str:
        return f"{self.name}: SE{self.dimension}[{', '.join(self.vectors)}]"

    def _copies(self, operation: Callable[..., Components], states: Sequence[Components], *more: Any) -> Components:
        """An operation of the pose on each vector with the common rotation, the vectors and the rotation together."""
        d, axes = self.dimension, self.axes
        results = [operation(*([*s[i : i + d], *s[axes:]] for s in states), *more) for i in range(0, axes, d)]
        return [*(c for result in results for c in result[:d]), *results[0][d:]]

    def identity(self) -> tuple[float, ...]:
        return (0.0,) * (self.axes - self.dimension) + tuple(self.pose.identity())

    def plus(self, x: Components, d: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.plus, (x, d), m)

    def minus(self, y: Components, x: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.minus, (y, x), m)

    def transport(self, x: Components, d: Components, v: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.transport, (x, d, v), m)

    def bracket(self, a: Components, b: Components) -> Components:
        return self._copies(self.pose.bracket, (a, b))

    def normalize(self, x: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.normalize, (x,), m)

    def compose(self, x: Components, y: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.compose, (x, y), m)

    def inverse(self, x: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.inverse, (x,), m)

    def adjoint(self, x: Components, d: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.adjoint, (x, d), m)

    def act(self, x: Components, p: Components, m: Mathematics) -> Components:
        return self.pose.act([*x[: self.dimension], *x[self.axes :]], p, m)

    def chord(self, xs: Components, total: Callable[[Any], Any], heaviest: Components, m: Mathematics) -> Components:
        (x, h), d = ([*s[: self.dimension], *s[self.axes :]] for s in (xs, heaviest)), self.dimension
        return [*map(total, xs[: self.axes]), *self.pose.chord(x, total, h, m)[d:]]

    def sample(self, uniform: Array, normal: Array) -> Array:
        x = super().sample(uniform, normal)
        pose, d = self.pose, self.dimension
        x[..., self.axes :] = pose.sample(uniform[..., self.axes - d :], normal[..., self.axes - d :])[..., d:]
        return x

    def misfit(self, x: Array, state: str) -> str | None:
        return self.pose.misfit(x[..., self.axes - self.dimension :], state)

    def features(self, x: Components, m: Mathematics) -> Components:
        return self._copies(self.pose.features, (x,), m)

    @property
    def width(self) -> int:
        return self.axes - self.dimension + self.pose.width
