"""Beliefs of extended objects in rows: motion, rate of points and extent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.arrays import Array
from .._clusters import Whole
from .._targets import Rows


@dataclass(frozen=True)
class Bodies:
    """Beliefs of extended objects, one a row.

    Attributes:
        motion: beliefs of their states.
        gamma: alpha and beta of the rate of points, ``(N, 2)``.
        v: degrees of freedom of the extent, ``(N,)``.
        V: its matrix, ``(N, 2, 2)``, in the frame of the heading where it is boxed.
        heading: ``(N,)`` [rad].
        doubt: variance of the heading, where motion has no yaw, ``(N,)`` [rad^2].
        kind: place of the extent among those of the filter, ``(N,)``.
    """

    motion: Rows
    gamma: Array
    v: Array
    V: Array
    heading: Array
    doubt: Array
    kind: Whole

    def __len__(self) -> int:
        return len(self.v)

    def _each(self, of: Any) -> Bodies:
        return Bodies(*(of(getattr(self, name)) for name in COLUMNS))

    def __getitem__(self, which: Any) -> Bodies:
        return self._each(lambda a: a[which])

    def copy(self) -> Bodies:
        return self._each(lambda a: a.copy())

    def joined(self, other: Bodies) -> Bodies:
        """These, and the others behind them."""
        if not len(other):
            return self
        both = (np.concatenate((getattr(self, name), getattr(other, name))) for name in COLUMNS[1:])
        return Bodies(self.motion.joined(other.motion), *both)


COLUMNS = ("motion", "gamma", "v", "V", "heading", "doubt", "kind")


def frames(heading: Array) -> Array:
    """Rotations by angles, ``(N, 2, 2)``."""
    c, s = np.cos(heading), np.sin(heading)
    return np.stack([c, -s, s, c], -1).reshape(*heading.shape, 2, 2)


def wrapped(angle: Array) -> Array:
    """Angles within half a turn."""
    return (angle + np.pi) % (2.0 * np.pi) - np.pi
