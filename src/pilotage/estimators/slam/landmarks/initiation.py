"""The start of a landmark: where it is, from the first reading that shows it, or from several if one does not tell."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from pilotage.core import Sensor
from pilotage.core.arrays import Array
from pilotage.core.errors import SpaceError
from pilotage.core.settings import Count, Interval, Positive, settings

from ._linearized import Reader

RADII = 10.0 ** np.linspace(-0.5, 2.5, 7)
"""Distances from the vehicle at which searches for a landmark start [m]."""
ROUNDS = 30
"""Steps of a search at most."""
TRIED = 6
"""Starts of the search for a landmark that one reading determines: those with the least residuals."""


@settings
class DelayedInitiation:
    """When a landmark begins that no single reading determines, such as a beacon of which only ranges are read.

    Its readings are kept together with the vehicle's states at their times, which stay in the joint belief as clones.
    The positions that explain all of them are searched by least squares from a ring around the vehicle::

        p = argmin  sum_k e_k' R^-1 e_k,      e_k = z_k (-) h(x_k, p)

    The landmark begins once one minimum is precise, and no other explains the readings nearly as well: on a straight
    road there are two, on either side. Then all readings are used at once, so none is lost, and none counts twice.

    Source: Leonard, Rikoski, Newman and Bosse, "Mapping partially observable features from multiple uncertain vantage
    points", Int. J. Robotics Research 21, 2002; the readings are used as in Mourikis and Roumeliotis, "A multi-state
    constraint Kalman filter for vision-aided inertial navigation", ICRA 2007, eq. 22 to 25.

    Args:
        readings: readings of a landmark that are kept at most; beyond that, every second one is forgotten.
        precision: largest standard deviation of its position, as a share of its distance from the vehicle.
        odds: least odds against any other position.

    Example:
        >>> from pilotage.models import range_to
        >>> x = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]])
        >>> z = np.hypot(x[:, 0] - 5.0, x[:, 1] - 1.0)[:, None]
        >>> DelayedInitiation().place(Reader(range_to(std=0.01)), x, z).round(3).tolist()
        [5.0, 1.0]
    """

    readings: Count = 40
    precision: Positive = 0.1
    odds: Annotated[float, Interval(1.0, ends="[)")] = 1000.0

    def place(self, reader: Reader, xs: Array, z: Array) -> Array | None:
        """The landmark ``(c,)`` that readings ``(K, size)`` at states ``(K, n)`` determine; None if they do not yet."""
        starts = around(reader.sensor, xs[-1])
        every = len(starts), len(xs)
        places, costs, information = explained(
            reader, np.broadcast_to(xs, (*every, xs.shape[1])), np.broadcast_to(z, (*every, z.shape[1])), starts
        )
        best = int(np.argmin(costs))
        least = np.linalg.eigvalsh(information[best])[0]
        distance = float(np.linalg.norm(places[best] - centre(reader.sensor, xs).mean(0)))
        if not least > 0.0 or 1.0 / math.sqrt(least) > self.precision * distance:
            return None
        d = places - places[best]
        apart = np.einsum("si,ij,sj->s", d, information[best], d) > 25.0
        rivals = apart & (costs - costs[best] < 2.0 * math.log(self.odds))
        return None if rivals.any() else places[best]


def first_places(reader: Reader, x: Array, z: Array) -> Array:
    """The landmark ``(K, c)`` that each single reading ``(K, size)`` shows from state x; NaN if no position does.

    Example:
        >>> from pilotage.models import range_bearing
        >>> first_places(Reader(range_bearing()), np.zeros(3), np.array([[2.0, np.pi / 2]])).round(6).tolist()
        [[0.0, 2.0]]
    """
    starts = around(reader.sensor, x)
    found, at = np.full((len(z), starts.shape[1]), np.nan), reader.at(x, starts)
    starts, at = starts[at.sound], at[at.sound]
    e = np.asarray(reader.sensor.reading.minus(z[:, None], at.h))
    near = np.argsort(np.einsum("ksm,smn,ksn->ks", e, np.linalg.inv(at.R), e), axis=1)[:, :TRIED]
    pick = np.repeat(np.arange(len(z)), near.shape[1])
    states = np.broadcast_to(x, (len(pick), 1, len(x)))
    places, costs, _ = explained(reader, states, z[pick, None], starts[near.ravel()])
    costs = costs.reshape(near.shape)
    best = np.argmin(costs, axis=1)
    good = costs[np.arange(len(z)), best] < 1e-6
    found[good] = places.reshape(*near.shape, -1)[np.arange(len(z)), best][good]
    return found


def centre(sensor: Sensor, x: Array) -> Array:
    """Where the vehicle is at states ``(..., n)``, in the space of landmarks; its origin where the names differ."""
    space: Any = sensor.context
    try:
        return x[..., [sensor.state.find(name, "a landmark") for name in space.names]]
    except SpaceError:
        return np.zeros((*x.shape[:-1], space.size))


def around(sensor: Sensor, x: Array) -> Array:
    """Positions around the vehicle ``(S, c)``, in all directions and at all distances."""
    middle = centre(sensor, x)
    c = middle.shape[-1]
    if c == 2:
        angles = 2.0 * np.pi * np.arange(16) / 16.0
        ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    elif c == 3:  # Fibonacci's spiral on the sphere
        k = np.arange(48) + 0.5
        height, turn = 1.0 - 2.0 * k / 48.0, np.pi * (1.0 + math.sqrt(5.0)) * k
        wide = np.sqrt(1.0 - height**2)
        ways = np.stack([wide * np.cos(turn), wide * np.sin(turn), height], axis=1)
    else:
        ways = np.vstack([np.eye(c), -np.eye(c)])
    return middle + (RADII[:, None, None] * ways).reshape(-1, c)


def explained(reader: Reader, xs: Array, z: Array, starts: Array) -> tuple[Array, Array, Array]:
    """Minima of ``sum_k e_k' R^-1 e_k`` over positions by Levenberg-Marquardt, from each start ``(S, c)``.

    Args:
        reader: of a sensor of landmarks.
        xs: states ``(S, K, n)``.
        z: readings ``(S, K, size)``.
        starts: ``(S, c)``.

    Returns:
        Positions ``(S, c)``; costs ``(S,)``, infinite where a search led nowhere; information matrices ``(S, c, c)``.
    """
    p, c = starts.copy(), starts.shape[1]
    e, J = _residuals(reader, xs, z, p)
    cost, damping = (e**2).sum((1, 2)), np.full(len(p), 1e-3)
    for _ in range(ROUNDS):
        A = np.einsum("skmi,skmj->sij", J, J)
        g = np.einsum("skmi,skm->si", J, np.where(np.isfinite(e), e, 0.0))
        scale = np.maximum(np.trace(A, axis1=1, axis2=2), 1e-12)
        step = np.linalg.solve(A + (damping * scale)[:, None, None] * np.eye(c), g[..., None])[..., 0]
        te, tJ = _residuals(reader, xs, z, p + step)
        new = (te**2).sum((1, 2))
        better = new < cost
        gain = np.where(better, cost - new, 0.0)
        p[better] += step[better]
        e[better], J[better], cost[better] = te[better], tJ[better], new[better]
        damping = np.clip(np.where(better, 0.2, 5.0) * damping, 1e-9, 1e9)
        if ((gain <= 1e-9 * cost + 1e-12) & (better | (damping > 1e3) | (cost < 1e-12))).all():
            break
    return p, cost, np.einsum("skmi,skmj->sij", J, J)


def _residuals(reader: Reader, xs: Array, z: Array, p: Array) -> tuple[Array, Array]:
    """Whitened residuals ``(S, K, m)`` of readings at states for positions, and their derivatives ``(S, K, m, c)``.

    A position without a reading (at the sensor itself) has infinite residuals.
    """
    (S, K), m = xs.shape[:2], reader.m
    places = np.repeat(p[:, None], K, 1).reshape(S * K, -1)
    at = reader.at(xs.reshape(S * K, -1), places, z.reshape(S * K, -1), vehicle=False)
    e = np.full((S * K, m), np.inf)
    J = np.zeros((S * K, m, p.shape[1]))
    ok = at.sound
    L = np.linalg.cholesky(at.R[ok])
    e[ok] = np.linalg.solve(L, at.e[ok][..., None])[..., 0]
    J[ok] = np.linalg.solve(L, at.C[ok])
    return e.reshape(S, K, m), J.reshape(S, K, m, -1)
