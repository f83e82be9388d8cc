"""The occupancy map that a robot keeps while it drives: scans change it in place."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import Interval, by_name, instance, positive, setting

from ._storage import Fixed, Growing, Rolling, Storage, known_part, window_shape
from .cells import log_odds, read_only
from .frame import GridFrame, rays
from .inverse_beam import InverseBeamModel
from .mapping import UNSEEN, InverseModel, Scan, add_marks, clamp_of, set_beams
from .raycast import entered

if TYPE_CHECKING:
    from .occupancy import OccupancyGrid

Array = NDArray[np.float64]
LogOdds = NDArray[np.float32]

FAR = 1e9
"""Poses farther away than this [cells] are ignored, as those that are not finite."""


class OccupancyMap(GridFrame):
    """An occupancy map that scans from known poses change in place: a binary Bayes filter for each cell.

    ::

        l(cell) <- clip(l(cell) + l(cell | z) - l0, clamp),   l = log(p / (1 - p)),   l0 = log(prior / (1 - prior))

    where ``l(cell | z)`` comes from an inverse sensor model. Each scan changes a cell at most once, by the strongest
    evidence for an obstacle that any of its beams gives. Cells are unknown until a scan says something about them.

    The map grows to hold what it is told, up to 2^27 cells. With a `window` it has a fixed size and moves along with
    the sensor, by whole cells, and forgets what it leaves behind; its cells are stored cyclically, so that none is
    copied. `from_grid` makes a map that neither grows nor moves. A cell takes 5 bytes.

    Attributes:
        resolution: side of a cell [m].
        origin: x [m], y [m], yaw [rad] of the lower-left corner of the map now; corners of cells lie at multiples of
            the resolution.
        model: inverse sensor model: `InverseBeamModel`, `InverseConeModel` or `InverseLikelihoodModel`.
        clamp: lowest and highest probability that evidence can reach, so that the map can still change.
        prior: probability of occupancy of a cell about which nothing is known.

    Sources: S. Thrun, W. Burgard and D. Fox, Probabilistic Robotics, 2005, tables 4.2 and 9.1; A. Hornung et al.,
    OctoMap, 2013, section 3, for the clamp and one change a scan.

    Example:
        >>> built = OccupancyMap(0.1)
        >>> angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
        >>> for x in (0.0, 0.5):
        ...     _ = built.insert([x, 0.0, 0.0], np.full(180, 2.0), angles, max_range=5.0)
        >>> built.grid()
        OccupancyGrid(47 x 42 cells of 0.1 m, 71% known)
    """

    @by_name
    def __init__(
        self,
        resolution: float = 0.05,
        *,
        model: InverseModel | None = None,
        clamp: tuple[float, float] = (0.12, 0.97),
        prior: float = 0.5,
        window: float | tuple[float, float] | None = None,
    ) -> None:
        self.resolution = positive(resolution, "resolution")
        self._set_rule(model, clamp, prior)
        empty = np.full((0, 0) if window is None else window_shape(window, self.resolution), UNSEEN)
        self._take((0.0, 0.0, 0.0), Growing(empty) if window is None else Rolling(empty))

    @classmethod
    @by_name
    def from_grid(
        cls,
        grid: OccupancyGrid,
        *,
        model: InverseModel | None = None,
        clamp: tuple[float, float] = (0.12, 0.97),
        prior: float = 0.5,
    ) -> Self:
        """A map of the size, frame and cells of a grid; what lies off the grid is ignored."""
        return cls.over(grid, grid.log_odds, model=model, clamp=clamp, prior=prior)

    @classmethod
    def over(cls, frame: GridFrame, cells: LogOdds, **rule: Any) -> Self:
        """A map in a fixed frame that starts with log-odds `cells` ``(ny, nx)``, NaN if unknown."""
        made = cls(frame.resolution, **rule)
        kept = np.array(cells, dtype=np.float32)
        kept -= np.float32(made._l0)
        kept += np.float32(0.0)  # so that no known cell is minus zero
        kept[np.isnan(kept)] = UNSEEN
        made._take(frame.origin, Fixed(kept))
        return made

    def __repr__(self) -> str:
        ny, nx = self.shape
        known = f", {1.0 - np.isnan(self.log_odds).mean():.0%} known" if nx * ny else ""
        return f"OccupancyMap({nx} x {ny} cells of {self.resolution:g} m{known})"

    def __copy__(self) -> Self:
        """A copy that changes on its own."""
        return copy.deepcopy(self)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns now."""
        ny, nx = self._storage.cells.shape
        return ny, nx

    @property
    def log_odds(self) -> LogOdds:
        """The log-odds of the cells now, a copy, ``(ny, nx)``; NaN if unknown."""
        cells = self._storage.ordered()
        unknown = (cells == 0.0) & np.signbit(cells)
        cells += np.float32(self._l0)
        cells[unknown] = np.nan
        return cells

    def grid(self, *, occupied_thresh: float = 0.65, free_thresh: float = 0.45) -> OccupancyGrid:
        """The map now, as a grid that does not change; of a map that grows, the part about which anything is known.

        Args:
            occupied_thresh, free_thresh: probabilities that separate occupied, free and unknown cells. With these
                values and the default model, a cell that a single beam passed is free, and one in which a single beam
                ended is occupied.
        """
        from .occupancy import OccupancyGrid  # which uses this module

        cells, origin = self.log_odds, self.origin
        if isinstance(self._storage, Growing):
            rows, columns = known_part(cells)
            cells, corner = cells[rows, columns].copy(), self.grid_to_world([columns.start, rows.start])
            origin = (*corner.tolist(), origin[2])
        cells = cells if cells.size else np.full((1, 1), np.nan, dtype=np.float32)
        return OccupancyGrid(read_only(cells), self.resolution, origin, occupied_thresh, free_thresh)

    def insert(
        self, poses: ArrayLike, ranges: ArrayLike, angles: ArrayLike, max_range: float, *, min_range: float = 0.0
    ) -> Self:
        """Change the map by one scan or several, one after another; returns the map itself.

        Args:
            poses: poses of the sensor, ``(..., 3)`` x [m], y [m], yaw [rad]; poses that are not finite are ignored.
            ranges: ``(..., B)`` [m]; NaN, 0 and less than `min_range` mean not measured; `max_range` or more (also
                infinity) means nothing was seen.
            angles: ``(B,)`` of the beams relative to the yaw [rad].
            max_range, min_range: largest and smallest range of the sensor [m].

        Raises:
            ShapeError: if the shapes do not match, or the map would grow beyond 2^27 cells; the map stays as it is.
        """
        starts, directions = rays(poses, angles)
        far, least = positive(max_range, "max_range"), positive(min_range, "min_range", zero=True)
        seen = numbers(ranges, "ranges")
        if seen.shape != (*starts.shape[:-1], len(directions)):
            expected = (*starts.shape[:-1], len(directions))
            raise ShapeError(f"ranges have shape {seen.shape}; {expected} was expected, a scan for each pose")
        # Copies, because drivers take no read-only arrays.
        seen, directions = np.array(seen).reshape(-1, len(directions)), directions.copy()
        places = [self._place(*pose) for pose in starts.reshape(-1, 3).tolist()]
        self._make_room(places, seen, far)
        beams, reach = np.empty((3, len(directions))), entered(far / self.resolution)
        for (x, y, heading), scan in zip(places, seen, strict=True):
            if abs(x) < FAR and abs(y) < FAR and math.isfinite(heading):
                set_beams(beams, heading, directions, scan, least, self.resolution)
                self._add(x, y, beams, reach)
        return self

    # --- parts ---

    def _set_rule(self, model: InverseModel | None, clamp: tuple[float, float], prior: float) -> None:
        self.model, self.clamp = model or InverseBeamModel(), clamp_of(clamp)
        self.prior = setting(prior, Annotated[float, Interval(*self.clamp)], "prior")
        self._l0, low, high = (float(value) for value in log_odds([self.prior, *self.clamp]))
        base, gain = instance(self.model, InverseModel, "OccupancyMap").evidence
        self._evidence, self._limits = (base - self._l0, gain), (low - self._l0, high - self._l0)

    def _take(self, corner: tuple[float, float, float], storage: Storage) -> None:
        """Take the storage, whose cells are counted from the pose `corner`."""
        self._corner, self._storage = corner, storage
        self._set_origin()

    def _set_origin(self) -> None:
        """Set the pose of the lower-left corner of the lower-left cell."""
        (row, column), self.origin = self._storage.first, self._corner
        if row or column:
            self.origin = (*self.grid_to_world([column, row]).tolist(), self._corner[2])

    def _place(self, x: float, y: float, yaw: float) -> tuple[float, float, float]:
        """A pose in cells, counted as those of the storage: a scalar `world_to_grid`, in a tenth of its time."""
        x0, y0, yaw0 = self._corner
        c, s = math.cos(yaw0), math.sin(yaw0)
        dx, dy = (x - x0) / self.resolution, (y - y0) / self.resolution
        return c * dx + s * dy, c * dy - s * dx, yaw - yaw0

    def _make_room(self, places: list[tuple[float, float, float]], seen: Array, far: float) -> None:
        """Let the storage grow to hold what the scans can see."""
        if not isinstance(self._storage, Growing):
            return
        reach = np.minimum(np.fmax.reduce(seen, axis=1, initial=0.0), far) + self.model.beyond(self.resolution)
        middles = np.array(places).reshape(-1, 3)[:, 1::-1]
        good = (np.abs(middles) < FAR).all(axis=1)
        if good.any():
            middles, reach = middles[good], reach[good, None] / self.resolution + 1.0
            if self._storage.make_room((middles - reach).min(axis=0), (middles + reach).max(axis=0)):
                self._set_origin()

    def _add(self, x: float, y: float, beams: Array, reach: float) -> None:
        """Add one scan from (x, y) [cells]."""
        storage = self._storage
        if storage.follow(y, x):
            self._set_origin()
        row, column = storage.first
        self.model.mark(storage.marks, Scan(x - column, y - row, beams, reach, self.resolution))
        cells, _, words, box, _, _ = storage.marks
        add_marks(storage.cells, cells, words, box, *storage.start, *self._evidence, *self._limits)
