"""People who walk through a hall, recorded or simulated, seen in a window of time."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.errors import MissingFile
from ...io import read_pedestrians
from ...planners import PredictedTrack

PERIOD, SAMPLES = 0.4, 541
"""Seconds between samples of the tracks, and the number of samples, those of the recording."""
DT = 0.1
"""Seconds of a tick of the tasks."""
PERSON, FAR = 0.3, 1e3
"""Radius of a person, and the place of one who is not there [m]."""
AHEAD = np.arange(0.0, 3.1, 0.3)
"""Times of predictions [s]."""
VELOCITY, UNSEEN, DENSITY = 0.06, 1.0, 0.05
"""Standard deviation of a velocity that was seen, and of one that was not [m/s]; spectral density of the acceleration
[m^2/s^3]. The first and the last fit the errors of predictions in students003 over 0.4 to 2.8 s to 12 %."""


def recorded() -> Array:
    """The tracks of the recording students003 of UCY ``(541, 434, 2)`` [m], from the folder that `PILOTAGE_DATA` names.

    Raises:
        MissingFile: if the file is not there.
    """
    root = os.environ.get("PILOTAGE_DATA")
    file = Path(root or ".") / "traffic" / "pedestrians_eth_ucy" / "students003.txt.gz"
    if not file.is_file():
        where = f"{file} does not exist" if root else "PILOTAGE_DATA is not set"
        raise MissingFile(f"the recording students003 is not there: {where}; PILOTAGE_DATA names the folder of traffic")
    return read_pedestrians(file).places


def simulated(people: int = 30) -> Array:
    """Tracks ``(541, people, 2)`` [m] of people who walk to and fro across the middle of the hall, at a steady pace.

    Example:
        >>> simulated(3).shape
        (541, 3, 2)
    """
    rng, t = np.random.default_rng(0), PERIOD * np.arange(SAMPLES)[:, None]
    begin, lane = rng.uniform(0.0, 30.0, people), rng.uniform(4.0, 9.0, people)
    pace, phase = rng.normal(1.0, 0.2, people), rng.uniform(-math.pi, math.pi, people)
    x = 0.5 + np.abs((begin + pace * t) % 30.0 - 15.0)  # they turn back at the walls
    return np.stack([x, lane + 0.5 * np.sin(0.3 * t + phase)], -1)


@dataclass(frozen=True, eq=False)
class Crowd:
    """The people of a window of time.

    Attributes:
        places: x and y of each person at each sample ``(samples, people, 2)`` [m]; NaN where there is none.
        start: time of the tracks at which the window begins [s], `PERIOD` or more.

    Example:
        >>> Crowd(simulated(3), start=0.4).discs(1.0).shape
        (3, 3)
    """

    places: Array
    start: float

    def at(self, t: float) -> Array:
        """The places of all people at the time t of the window ``(people, 2)``; NaN for those who are not there."""
        place = min(max((self.start + t) / PERIOD, 0.0), len(self.places) - 1.001)
        k = int(place)
        return self.places[k] + (place - k) * (self.places[k + 1] - self.places[k])

    def present(self, t: float) -> Array:
        """The places of those who are there ``(K, 2)``."""
        found = self.at(t)
        return found[np.isfinite(found[:, 0])]

    def discs(self, t: float) -> Array:
        """Those who are there as discs ``(K, 3)``, for a lidar."""
        found = self.present(t)
        return np.column_stack([found, np.full(len(found), PERSON)])

    def nearest(self, x: Any, t: float, steps: int, carry: Any = None) -> tuple[Array, Any]:
        """References ``(steps + 1, 2)``: the place of the person who is nearest to x at that time, or one far away."""
        return np.array([self._nearest(np.asarray(x)[:2], t + k * DT) for k in range(steps + 1)]), carry

    def _nearest(self, place: Array, t: float) -> Array:
        found = self.present(t)
        return found[np.argmin(np.hypot(*(found - place).T))] if len(found) else np.array([FAR, FAR])

    def tracks(self, t: float) -> list[PredictedTrack]:
        """The people predicted at constant velocity from their places at the time t and a sample before.

        ::

            c(t + s) = c + v s,   v = (c(t) - c(t - period)) / period
            P(t + s) = (sv^2 s^2 + q s^3 / 3) I      white acceleration of density q; sv^2: variance of the velocity

        Somebody who has just come is predicted to stay, with the variance of any pace.
        """
        c = self.at(t)
        v, there = (c - self.at(t - PERIOD)) / PERIOD, np.flatnonzero(np.isfinite(c[:, 0]))
        std = np.where(np.isnan(v[:, 0]), UNSEEN, VELOCITY)
        variance = std[:, None] ** 2 * AHEAD**2 + DENSITY * AHEAD**3 / 3.0
        means = c[:, None] + np.nan_to_num(v)[:, None] * AHEAD[:, None]
        return [PredictedTrack(t + AHEAD, means[i], variance[i, :, None, None] * np.eye(2), PERSON) for i in there]
