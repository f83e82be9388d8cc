"""Geodesy: geodetic coordinates on the WGS84 ellipsoid, and local frames in metres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.arrays import Array, numbers
from ..core.errors import ShapeError

A = 6378137.0
"""Semi-major axis of WGS84 [m]."""
FLATTENING = 1.0 / 298.257223563
B = A * (1.0 - FLATTENING)
E2 = FLATTENING * (2.0 - FLATTENING)
"""Square of the first eccentricity."""


def ecef(geodetic: Any) -> Array:
    """Earth-centred coordinates ``(..., 3)`` [m] of geodetic ones ``(..., 3)``.

    ::

        N = a / sqrt(1 - e^2 sin^2 lat)
        (x, y, z) = ((N + h) cos lat cos lon, (N + h) cos lat sin lon, ((1 - e^2) N + h) sin lat)

    Args:
        geodetic: latitude [rad], longitude [rad], height above the ellipsoid [m].

    Raises:
        ShapeError: if a latitude is beyond a pole, as one in degrees mostly is.

    Source: Groves, "Principles of GNSS, Inertial, and Multisensor Integrated Navigation Systems" (2nd ed. 2013), eq.
    2.112.

    Example:
        >>> ecef([0.0, 0.0, 10.0]).tolist()
        [6378147.0, 0.0, 0.0]
    """
    given = _triples(geodetic, "geodetic coordinates", "latitude, longitude [rad], height [m]")
    lat, lon, h = np.moveaxis(given, -1, 0)
    check_latitude(lat)
    N = A / np.sqrt(1.0 - E2 * np.sin(lat) ** 2)
    reach = (N + h) * np.cos(lat)
    return np.stack([reach * np.cos(lon), reach * np.sin(lon), ((1.0 - E2) * N + h) * np.sin(lat)], axis=-1)


def check_latitude(latitude: Any) -> None:
    """Refuse latitudes beyond a pole, as those in degrees mostly are."""
    given = np.asarray(latitude)
    if (wrong := np.abs(given) > 0.5 * np.pi + 1e-9).any():
        raise ShapeError(
            f"the latitude is {given[wrong].flat[0]:g}; expected radians, -pi/2 to pi/2; use numpy.radians"
        )


def geodetic(ecef: Any) -> Array:
    """Latitude [rad], longitude [rad] and height [m], ``(..., 3)``, of Earth-centred coordinates ``(..., 3)`` [m].

    Bowring's formula gives the latitude; the parametric latitude of its result, put in again, leaves errors below
    1e-8 m from the depths of the sea to orbits of satellites. The height is exact at the poles, too.

    Source: Bowring, "Transformation from spatial to geographical coordinates", Survey Review 23 (1976); Groves (2013),
    eq. C.37 to C.40.

    Example:
        >>> geodetic([0.0, 6378137.0, 0.0]).round(6).tolist()
        [0.0, 1.570796, 0.0]
    """
    x, y, z = np.moveaxis(_triples(ecef, "Earth-centred coordinates", "x, y, z [m]"), -1, 0)
    r = np.hypot(x, y)
    reduced = np.arctan2(A * z, B * r)
    lat = reduced
    for _ in range(3):
        e2 = E2 / (1.0 - E2)
        lat = np.arctan2(z + e2 * B * np.sin(reduced) ** 3, r - E2 * A * np.cos(reduced) ** 3)
        reduced = np.arctan2(B * np.sin(lat), A * np.cos(lat))
    s, c = np.sin(lat), np.cos(lat)
    height = r * c + z * s - A * np.sqrt(1.0 - E2 * s * s)
    return np.stack([lat, np.arctan2(y, x), height], axis=-1)


@dataclass(frozen=True)
class LocalFrame:
    """A local frame x east, y north, z up, that touches the ellipsoid's level at its origin.

    ::

                 ^ z up                 enu = E (ecef - ecef_0)
                 |   / y north                [-sin lon            cos lon           0      ]
                 |  /                   E =   [-sin lat cos lon   -sin lat sin lon   cos lat]
             origin---> x east                [ cos lat cos lon    cos lat sin lon   sin lat]

    It is a Cartesian frame: the ellipsoid falls away from its plane by about ``d^2 / (2 a)``, 8 cm at 1 km.

    Attributes:
        latitude, longitude: of the origin [rad].
        height: of the origin above the ellipsoid [m].

    Source: Groves (2013), eq. 2.150 and 2.160.

    Example:
        >>> import math
        >>> depot = LocalFrame(math.radians(51.04), math.radians(13.79))
        >>> depot.enu([math.radians(51.05), math.radians(13.79), 0.0]).round(1).tolist()      # 0.01 deg north
        [0.0, 1112.5, -0.1]
    """

    latitude: float
    longitude: float
    height: float = 0.0
    _origin: Array = field(init=False, repr=False, compare=False)
    _axes: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lat, lon = float(self.latitude), float(self.longitude)
        s, c, k, n = np.sin(lat), np.cos(lat), np.cos(lon), np.sin(lon)
        object.__setattr__(self, "_origin", ecef([lat, lon, self.height]))
        object.__setattr__(self, "_axes", np.array([[-n, k, 0.0], [-s * k, -s * n, c], [c * k, c * n, s]]))

    def enu(self, geodetic: Any) -> Array:
        """LocalFrame coordinates ``(..., 3)`` [m] of latitude [rad], longitude [rad], height [m], ``(..., 3)``."""
        return (ecef(geodetic) - self._origin) @ self._axes.T

    def geodetic(self, enu: Any) -> Array:
        """Latitude [rad], longitude [rad], height [m], ``(..., 3)``, of local coordinates ``(..., 3)`` [m]."""
        return geodetic(_triples(enu, "local coordinates", "east, north, up [m]") @ self._axes + self._origin)


def normal_gravity(latitude: float, height: float = 0.0) -> float:
    """The gravity of the ellipsoid [m/s^2] at a latitude [rad] and a height of up to some kilometres [m].

    ::

        g0 = 9.7803253359 (1 + 0.001931853 sin^2 lat) / sqrt(1 - e^2 sin^2 lat)
        g  = g0 (1 - 2 (1 + f + m - 2 f sin^2 lat) h / a + 3 h^2 / a^2),     m = 0.00344978650684

    Raises:
        ShapeError: if the latitude is beyond a pole, as one in degrees mostly is.

    Source: Somigliana's formula and its expansion in height, NIMA TR8350.2 (2000), eq. 4-1 and 4-3.

    Example:
        >>> round(normal_gravity(0.0), 4), round(normal_gravity(1.5707963), 4)
        (9.7803, 9.8322)
    """
    check_latitude(latitude)
    s2 = float(np.sin(latitude) ** 2)
    surface = 9.7803253359 * (1.0 + 0.00193185265241 * s2) / np.sqrt(1.0 - E2 * s2)
    fall = 2.0 * (1.0 + FLATTENING + 0.00344978650684 - 2.0 * FLATTENING * s2)
    return float(surface * (1.0 - fall * height / A + 3.0 * (height / A) ** 2))


def _triples(given: Any, name: str, meaning: str) -> Array:
    array = numbers(given, name)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise ShapeError(f"{name} have shape {array.shape}; expected (..., 3): {meaning}")
    return array
