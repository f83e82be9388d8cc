"""The map of landmarks that a robot has made, and the outcome of a scan of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pilotage.core import FilterStatus, Gaussian, ShapeError, Space
from pilotage.core.arrays import Array

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class LandmarkMap:
    """Landmarks: their positions with covariances, their ids, and how well they are proven.

    Attributes:
        space: the space of a landmark, that of the sensor's context; an empty one while nothing was seen.
        ids: number of each landmark ``(N,)``.
        means: positions ``(N, c)`` [m].
        covs: covariances ``(N, c, c)`` [m^2].
        sightings: how often each was seen ``(N,)``.
        confirmed: whether each has been seen often enough to be believed ``(N,)``.

    Example:
        >>> one = LandmarkMap(Space("x y [m]"), np.array([7]), np.array([[1.0, 2.0]]), 0.01 * np.eye(2)[None],
        ...     np.array([4]), np.array([True]))
        >>> print(one, "|", one.belief(7))
        LandmarkMap(1 landmarks, 1 confirmed) | x 1.00 +- 0.10 m, y 2.00 +- 0.10 m
    """

    space: Space
    ids: Ids
    means: Array
    covs: Array
    sightings: Ids
    confirmed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"LandmarkMap({len(self)} landmarks, {int(self.confirmed.sum())} confirmed)"

    def index(self, id: int) -> int:
        """The row of a landmark.

        Raises:
            ShapeError: if the map has no landmark with this id.
        """
        rows = np.flatnonzero(self.ids == id)
        if not len(rows):
            raise ShapeError(f"landmark {id!r} is not on the map; its {len(self)} ids begin {self.ids[:5].tolist()}")
        return int(rows[0])

    def belief(self, id: int) -> Gaussian:
        """The belief of one landmark's position.

        Raises:
            ShapeError: if the map has no landmark with this id.
        """
        k = self.index(id)
        return Gaussian(self.space, self.means[k], self.covs[k])

    @property
    def proven(self) -> LandmarkMap:
        """The map of the confirmed landmarks only."""
        keep = self.confirmed
        return LandmarkMap(
            self.space, self.ids[keep], self.means[keep], self.covs[keep], self.sightings[keep], self.confirmed[keep]
        )

    @classmethod
    def empty(cls, space: Space | None = None) -> LandmarkMap:
        """A map without landmarks."""
        space = Space() if space is None else space
        c, none = space.size, np.zeros(0, np.int64)
        return cls(space, none, np.zeros((0, c)), np.zeros((0, c, c)), none, np.zeros(0, bool))


@dataclass(frozen=True, eq=False)
class MapUpdate:
    """The outcome of a scan: the landmark that each detection shows, and how well the scan was predicted.

    Attributes:
        ids: id of the landmark of each detection ``(K,)``; -1 where a detection was not used.
        new: whether the detection began this landmark ``(K,)``.
        removed: ids of landmarks that were given up, because they did not prove themselves.
        nis: ``y' S^-1 y`` of all detections that were used for the update, together.
        dof: number of components of y; nis is chi-square distributed with as many degrees of freedom.
        log_likelihood: ``log N(y; 0, S)``.
        status: ACCEPTED where anything was used, GATED where nothing was, NO_READING for an empty scan.

    Example:
        >>> found = MapUpdate(np.array([3, -1]), np.array([True, False]))
        >>> found.accepted, found.ids.tolist()
        (True, [3, -1])
    """

    ids: Ids
    new: NDArray[np.bool_]
    removed: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    nis: float = 0.0
    dof: int = 0
    log_likelihood: float = 0.0
    status: FilterStatus = FilterStatus.ACCEPTED

    @property
    def accepted(self) -> bool:
        """Whether anything of the scan was used."""
        return self.status is FilterStatus.ACCEPTED
