"""Splitting: a target that comes out of another, such as one of a formation that was seen as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core import Gaussian, Space
from ...core.arrays import Array
from ...core.errors import SettingError
from ...core.settings import Positive, setting, settings
from ._deviation import separation
from ._intervals import Probability
from .gate import Gate


@settings
class Splitting:
    """Splitting of tracks, for `Tracker`: where one target becomes two, the new track knows from which it came.

    A track k that begins where a confirmed track i is, while i has a detection of its own, may come out of it::

        d' (P_k + P_i + R)^-1 d  within the gate,      d  =  x_k (-) x_i,      R  =  diag(resolution^2)

    As soon as k is confirmed, and i still is a target, i is told to be its parent. Of several the nearest is.

    Source: Blackman and Popoli, "Design and Analysis of Modern Tracking Systems", 1999, section 6.2.4, on tracks that
    are spawned by others.

    Args:
        gate: the gate, or its probability.
        resolution: how far apart two targets may be that the detector sees as one, by component of the state, such as
            ``{"x": 10.0, "y": 10.0}``; None for not at all.

    Raises:
        SettingError: when a setting is out of range.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.1)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 5.0, "vy": 5.0})
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5)), birth, split=Splitting())
        >>> for t in range(10):                                     # they part after 4 s
        ...     two = [[2.0 * t, 0.0], [2.0 * t, 1.0 * (t - 4)]]
        ...     tracks = tracker.update(two[: 1 + (t > 4)], t=float(t))
        ...     for event in tracks.events:
        ...         print(t, event)
        0 1 born
        3 1 confirmed
        5 2 born
        8 2 confirmed
        8 2 split (1)
        >>> tracks.of(2).parent
        1
    """

    gate: Gate | Probability = 0.99
    resolution: Any = None

    def __post_init__(self) -> None:
        if self.resolution is not None:
            if not isinstance(self.resolution, Mapping):
                raise SettingError(
                    f"resolution of Splitting is {self.resolution!r}; expected a mapping of names of components to "
                    'distances, such as {"x": 10.0, "y": 10.0}'
                )
            for name, distance in self.resolution.items():
                setting(distance, Positive, f"resolution of {name} of Splitting")

    def parents(self, new: Gaussian, old: Gaussian) -> Any:
        """The place of the parent of each new track among the old ones, -1 for none; ``(K,)``.

        Example:
            >>> plane = Space("x y [m]")
            >>> old = Gaussian.of(plane, [[0.0, 0.0], [50.0, 0.0]], std=1.0)
            >>> Splitting().parents(Gaussian.of(plane, [[51.0, 1.0], [25.0, 0.0]], std=1.0), old).tolist()
            [1, -1]
        """
        P = np.asarray(new.cov)[:, None] + np.asarray(old.cov) + self._blur(new.space)
        distances = separation(np.asarray(new.space.minus(np.asarray(new.mean)[:, None], old.mean)), P)
        gate = Gate.of(self.gate)
        nearest = distances.argmin(1)
        return np.where(distances.min(1) <= gate.limit(new.space.dim), nearest, -1)

    def _blur(self, space: Space) -> Array:
        """R, on the tangent space."""
        std, names = np.zeros(space.dim), space.tangent.names
        for name, distance in (self.resolution or {}).items():
            if name not in names:
                raise SettingError(f"resolution of Splitting names {name!r}; tracks have {', '.join(names)}")
            std[names.index(name)] = distance
        return np.diag(std**2)
