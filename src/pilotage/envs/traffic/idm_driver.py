"""The driver of the own car that follows by IDM and changes lanes by MOBIL, as the others do."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.errors import ShapeError
from ...core.settings import settings
from ._flow import COLUMNS, EGO, ESPEED, EY, EYAW, STEADY, TARGET, TICK, intend
from .road import Road
from .state import EGO_DRIVER, rows


@settings
class IDMDriver:
    """A policy that knows where all cars are: `idm` along the road, `mobil` once a second across it.

    ::

        accel = min over the lanes that the car is in, or steers to, of idm(v, gap, v_ahead)
        curvature = tan(yaw_wanted - yaw) / (v dt),   sin(yaw_wanted) = clip((y_target - y) / 1 s) / v

    Attributes:
        road: the lanes.
        driver: desired speed [m/s], time gap [s], acceleration and comfortable braking [m/s^2], least gap [m] and
            politeness.
        changes: whether it changes lanes.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> traffic = ReactiveTraffic()
        >>> x, driver, target = traffic.start(0), IDMDriver(traffic.road), None
        >>> for tick in range(50):
        ...     u, target = driver(x, target)
        ...     x = traffic.step(x, u, 0.1)
        >>> bool(x[0] > 20.0)
        True
    """

    road: Road = Road()
    driver: tuple[float, float, float, float, float, float] = EGO_DRIVER
    changes: bool = True

    def __call__(self, x: Any, target: Any = None) -> tuple[Array, Array]:
        """The actions ``(..., 2)`` in states ``(..., n)``, and y that the driver steers to ``(...)``.

        Pass the second result on to the next call; None at the start of an episode.
        """
        x = np.asarray(x, dtype=np.float64)
        if x.ndim == 0 or x.shape[-1] < EGO or (x.shape[-1] - EGO) % COLUMNS:
            raise ShapeError(f"x of IDMDriver has shape {x.shape}; expected states of traffic (..., {EGO} + 13 M)")
        xs = rows(x, x.shape[-1], "x")
        aims = np.full(x.shape[:-1], np.nan) if target is None else np.asarray(target, dtype=np.float64)
        if aims.shape != x.shape[:-1]:
            raise ShapeError(f"target of IDMDriver has shape {aims.shape}; expected {x.shape[:-1]}, as it was returned")
        aims = np.array(aims, order="C").reshape(-1)
        count = (x.shape[-1] - EGO) // COLUMNS + 1
        row, out = np.zeros(COLUMNS), np.empty((len(xs), 3))
        row[TARGET + 1 :] = self.driver
        tick = np.rint(xs[:, TICK]) % 10 == 0
        free = tick & (abs(xs[:, EY] - aims) <= STEADY) if self.changes else np.zeros(len(xs), dtype=bool)
        intend(xs, row, self.road.packed, aims, free, np.empty((count, COLUMNS)), np.empty(count, np.int64), out)
        turn = np.clip(out[:, 1] - xs[:, EYAW], -0.04, 0.04)
        curvature = np.tan(turn) / np.maximum(0.1 * xs[:, ESPEED], 0.1)
        us = np.stack([np.clip(out[:, 0], -6.2, 6.2), np.clip(curvature, -0.065, 0.065)], -1)
        return us.reshape(*x.shape[:-1], 2), out[:, 2].reshape(x.shape[:-1])
