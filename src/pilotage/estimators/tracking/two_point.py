"""Two-point initiation: a track begins at two detections in a row that one target may have caused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core import Gaussian, Mixture, Sensor
from ...core.arrays import Array
from ...core.settings import Count, Positive, settings
from ._assignment import assigned
from ._differencing import Differencing
from ._targets import Rows, Targets
from .initiation import Initiation
from .one_point import OnePoint

SIGMAS = 3.0
"""Standard deviations of its error by which a difference may be larger than the limit."""


@dataclass(frozen=True)
class First:
    """Detections of one scan that may be the first of two.

    Attributes:
        t, sensor, context: of the scan.
        z: the detections.
        rows: the belief after each, by one-point initiation.
    """

    t: float
    sensor: Sensor
    context: Any
    z: Array
    rows: Rows

    def __getitem__(self, which: Any) -> First:
        return replace(self, z=self.z[which], rows=self.rows[which])


@settings
class TwoPoint(Initiation):
    """Two-point initiation: a track begins at two detections that a target of limited speed may have caused.

    Position and velocity are those of the two detections alone, as if nothing had been known of them before::

        p(x_2 | z_1, z_2)  ~  N(z_2 (-) h(x_2); 0, R)  integral N(x_2 (-) f(x_1); 0, Q) N(z_1 (-) h(x_1); 0, R) dx_1

    For positions and no process noise that is the difference, with its joint covariance::

        p = z_2,   v = (z_2 - z_1) / dt,     P  =  [ R, R / dt;  R / dt, 2 R / dt^2 ]

    Sensors that are not linear are solved by Gauss-Newton. What two positions do not tell, such as an acceleration, is
    that of the birth. So is all, where the sensor gives no position, such as a bearing; and the weights of models.

    Each detection that no track explains is compared with those of the last scans, of any detector, that began no
    track. Pairs that ask for more than the largest speed by three standard deviations are none; of the others the
    slowest come first, and each detection is used once. Where scans come so fast that a difference tells less than the
    limit does, `OnePoint` with that limit as its standard deviation is better.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section
    5.5.3; the diffuse prior is the limit of its one-point case.

    Args:
        birth: where targets appear, as for `OnePoint`: it tells what two positions do not.
        speed: the largest speed of a target, in units of its position per second.
        scans: how many scans a first detection waits for a second.
        rounds: of Gauss-Newton.

    Raises:
        SettingError: when a setting is out of range.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.estimators.tracking import Detector, Tracker
        >>> from pilotage.models import constant_velocity, position
        >>> car = constant_velocity(density=0.0)
        >>> birth = Gaussian.of(car.state, std={"x": 100.0, "y": 100.0, "vx": 5.0, "vy": 5.0})
        >>> tracker = Tracker(KF(car, dt=1.0), Detector(position(std=0.5)), TwoPoint(birth, speed=20.0))
        >>> _ = tracker.update([[0.0, 0.0], [50.0, 50.0]], t=0.0)
        >>> tracks = tracker.update([[3.0, 4.0], [0.0, 90.0]], t=0.5)
        >>> print(tracks.of(1).belief)
        x 3.00 +- 0.50 m, y 4.00 +- 0.50 m, vx 6.0 +- 1.4 m/s, vy 8.0 +- 1.4 m/s
    """

    points: ClassVar[int] = 2
    birth: Gaussian | Mixture
    speed: Positive
    scans: Count = 2
    rounds: Count = 20

    def begin(self, targets: Targets, sensor: Sensor, z: Array, context: Any) -> tuple[Rows, NDArray[np.int64]]:
        """No track: there are no earlier detections; see `step`."""
        return targets.none(), np.zeros(0, np.int64)

    def step(
        self, memory: Any, targets: Targets, t: float, sensor: Sensor, z: Array, context: Any
    ) -> tuple[Rows, NDArray[np.int64], Any]:
        """The beliefs of new tracks, the detection of each, and the first detections that wait for a second."""
        rows, which = targets.none(), np.zeros(0, np.int64)
        if len(z):
            rows, which = OnePoint(self.birth, self.rounds).begin(targets, sensor, z, context)
        now = First(t, sensor, context if sensor.context is None or sensor.context.size else None, z[which], rows)
        earlier: tuple[First, ...] = memory or ()
        differencing = Differencing(targets, self.birth, self.rounds)
        begun, seconds, waiting = targets.none(), list[Any](), list[First]()
        free = np.arange(len(which))
        for one in reversed(earlier):  # the latest first
            firsts, mine = self._paired(differencing, one, now[free])
            found, fine = differencing.joined(one[firsts], now[free[mine]], self.speed, SIGMAS)
            firsts, mine = firsts[fine], mine[fine]
            begun = begun.joined(found[np.flatnonzero(fine)])
            seconds.append(free[mine])
            free = np.delete(free, mine)
            waiting.append(one[np.setdiff1d(np.arange(len(one.z)), firsts)])
        waiting = [*reversed(waiting), now[free]][-self.scans :]
        places = np.concatenate([np.zeros(0, np.int64), *seconds])
        order = np.argsort(places)
        return begun[order], which[places[order]], tuple(waiting)

    def _paired(self, differencing: Differencing, first: First, second: First) -> tuple[Any, Any]:
        """Places of first and second detections that one target may have caused, each once; the slowest come first."""
        dt = second.t - first.t
        d, slack = differencing.distances(first, second)
        rows, columns = np.nonzero(d <= self.speed * dt + SIGMAS * slack) if dt > 0.0 else np.zeros((2, 0), np.int64)
        costs = (d[rows, columns] / (self.speed * dt)) ** 2 if dt > 0.0 else np.zeros(0)
        starts = np.searchsorted(rows, np.arange(len(first.z) + 1)).astype(np.int64)
        taken = assigned(starts, columns, costs - costs.max(initial=0.0) - 1.0, len(second.z))
        taken = taken[taken >= 0]
        return rows[taken], columns[taken]
