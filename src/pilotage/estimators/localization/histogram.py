"""The histogram filter: exact Bayes on a grid of cells over the pose, or over any state of few components."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ...core import Dynamics, FilterStatus, Rng, Sensor, Space, generator
from ...core.arrays import Array
from ...core.declared import asked, covariance
from ...core.errors import ModelError, SettingError, ShapeError
from ...core.settings import Positive, instance, positive, settings
from ...core.streams import checked
from ...maps import OccupancyGrid
from .._clock import wanted
from .._engine import PureEngine
from .._inputs import action, check_belief, context_axes, context_of, reading_of
from .._startable import Startable
from ..cloud import CloudUpdate, expected, innovation, weigh
from ..filter import Filter
from .cells import NEGLIGIBLE, Cells, Histogram
from .convolution import Kernels, convolved

PROBES = 16
"""States at which motion is compared, to see which components it depends on."""


@settings(eq=False)
class HistogramFilter(Startable):
    """Histogram filter for states of few components, such as a pose on a map.

    ::

        predict   p_k  =  sum_j  P(cell k | cell j, u, dt)  p_j       a convolution, with one kernel for each heading
        update    p_k  ~  p(z | centre of cell k)  p_k,               sum_k p_k = 1

    It represents any belief, knows no sampling noise, and is exact up to the size of its cells, at a cost that grows
    with their number: it is made for small maps, and as a reference for particle filters. Cells that hold nothing cost
    nothing. Motion must depend on few of the components (for a robot on a plane: on its heading); it is found out
    which, and the others, of which there may be three, share kernels. Steps that are small against a cell add
    noise, see `convolution`.

    Source: Thrun, Burgard and Fox, *Probabilistic Robotics*, 2005, tables 4.1 and 8.1, and section 8.2.3 for the
    computation.

    Args:
        cells: the cells by component, ``{"x": (0.0, 8.0, 80), "y": (0.0, 6.0, 60), "yaw": 72}``: lower and upper end
            and number, or the number of a full turn. `on_map` makes them.
        dynamics: the dynamics for `start`; `predict` and `update` take them as an argument.
        dt: default step [s].
        grid: the map, whose free space a robot starts in that knows nothing.
        clearance: minimum distance of such a robot from obstacles [m].

    Example:
        >>> from pilotage.maps import Lidar
        >>> from pilotage.models import unicycle
        >>> walls = np.pad(np.zeros((38, 58)), 1, constant_values=1)
        >>> room = OccupancyGrid.from_occupied(walls, resolution=0.1).with_discs([[2.0, 1.0], [4.5, 3.0]], [0.3, 0.6])
        >>> lidar = Lidar(room, angles=30, max_range=8.0)
        >>> robot = HistogramFilter.on_map(room, unicycle(noise=(0.1, 0.1, 0.1)), dt=1.0).start()
        >>> for x in (1.0, 1.5, 2.0):
        ...     robot.predict(u=[0.5, 0.0])
        ...     found = robot.update(lidar, lidar.observe([x, 2.0, 0.0])).belief
        >>> bool(np.abs(found.moments().mean - [2.0, 2.0, 0.0]).max() < 0.1)
        True
    """

    cells: Mapping[str, Any]
    dynamics: Dynamics | None = None
    dt: Positive | None = None
    grid: OccupancyGrid | None = None
    clearance: float = 0.0

    starts_anywhere: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.cells, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"cells are {self.cells!r}; expected them by component, as in {{'x': (0.0, 8.0, 80)}}")
        positive(self.clearance, "clearance", zero=True)
        if self.dynamics is not None:
            self.cells_of(self.dynamics.state)

    @classmethod
    def on_map(
        cls,
        grid: OccupancyGrid,
        dynamics: Dynamics | None = None,
        dt: float | None = None,
        *,
        side: float = 0.1,
        angle: float = math.radians(5.0),
        clearance: float = 0.0,
    ) -> HistogramFilter:
        """A filter with cells over a whole map, of components x, y and yaw.

        Args:
            grid: the map.
            dynamics: the dynamics for `start`.
            dt: default step [s].
            side: length and width of a cell [m].
            angle: its extent in yaw [rad], rounded so that cells fill the full turn.
            clearance: minimum distance from obstacles of a robot that starts anywhere [m].
        """
        instance(grid, OccupancyGrid, "on_map")
        ny, nx = grid.shape
        corners = grid.grid_to_world(np.array([[0.0, 0.0], [nx, 0.0], [0.0, ny], [nx, ny]]))
        low, high, side = corners.min(axis=0), corners.max(axis=0), positive(side, "side")
        cells: dict[str, Any] = {
            name: (a, a + math.ceil((b - a) / side - 1e-9) * side, math.ceil((b - a) / side - 1e-9))
            for name, a, b in zip("xy", low, high, strict=True)
        }
        turns = max(1, round(2.0 * math.pi / positive(angle, "angle")))
        return cls({**cells, "yaw": turns}, dynamics, dt, grid, clearance)

    def cells_of(self, space: Space) -> Cells:
        """The cells of a state space; those of components that it lacks are not used."""
        return Cells.of(space, self.cells)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that starts with a belief, or anywhere."""
        assert self.dynamics is not None  # `start` has seen to it
        space = self.dynamics.state
        known = self.anywhere(space) if belief is None else self.histogram(belief, space)
        return Filter(PureEngine(self, self.dynamics, known, rng), t, self.dt, sensors)

    def anywhere(self, space: Space) -> Histogram:
        """The uniform belief: over the free space of the map, or over all cells where there is no map."""
        cells = self.cells_of(space)
        p = np.ones(cells.shape)
        if self.grid is not None:
            places = [space.find("x"), space.find("y")]
            one = tuple(slice(None) if i in places else slice(0, 1) for i in range(p.ndim))
            xy = cells.centers.reshape(*cells.shape, -1)[one][..., places]
            free = self.grid.is_free(xy) & (self.grid.distance_field().at(xy) >= self.clearance)
            p = p * free
        return _normalized(cells, p, "no cell lies in the free space of the map")

    def histogram(self, belief: Any, space: Space | None = None) -> Histogram:
        """`belief` as a histogram, on `space` if given: its density at the centres of cells, or particles counted."""
        check_belief(belief, space)
        if isinstance(belief, Histogram):
            return belief
        cells = self.cells_of(belief.space)
        if belief.moments().mean.ndim != 1:
            raise ShapeError("a histogram filter takes one belief, not a batch of them")
        if hasattr(belief, "points"):
            k, inside = cells.index(belief.points)
            p = np.bincount(k, np.where(inside, belief.weights, 0.0), math.prod(cells.shape)).astype(np.float64)
        else:
            logs = belief.log_prob(cells.centers)
            p = np.exp(logs - logs.max())
        return _normalized(cells, p.reshape(cells.shape), f"the belief {belief} lies outside of the cells")

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Histogram:
        """The belief `dt` seconds later under action `u`.

        Args:
            belief: a `Histogram`, or any other belief.
            dynamics: the dynamics.
            u: action ``(m,)``; None for zero.
            dt: step [s]; None for the default.
            rng: not used.

        Raises:
            ModelError: if the motion does not depend on all components but three, or leads off the cells.
        """
        checked(rng)
        instance(dynamics, Dynamics, "HistogramFilter")
        known, u, dt = self.histogram(belief, dynamics.state), action(u, dynamics.action), wanted(dt, self.dt)
        cells = known.cells
        by = _depends(dynamics, cells, u, dt)
        if len(cells.shape) - len(by) > 3:
            raise ModelError(f"motion is the same along more than three components of {cells.space}; use fewer")
        mu, S = _motion(dynamics, _classes(cells, by), u, dt)
        width = np.array(cells.width)
        kernels = Kernels.of(mu / width, S / np.outer(width, width))
        p = convolved(known.p, by, kernels, cells.closed)
        return _normalized(cells, p, "the motion leads off the cells")

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Any:
        """The next reading: mean and covariance S over the cells, including noise."""
        instance(sensor, Sensor, "HistogramFilter")
        cloud = self.histogram(belief).cloud
        return expected(cloud, sensor.on(cloud.space), context)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> CloudUpdate:
        """The result of reading `z` (NaN where not measured), with the new belief.

        If no cell can explain the reading, the belief stays the same, and `accepted` is False.
        """
        checked(rng)
        instance(sensor, Sensor, "HistogramFilter")
        known = self.histogram(belief)
        sensor = sensor.on(known.space)
        z = sensor.cleaned(reading_of(z, sensor))
        if z.ndim != 1 or context_axes(context_of(context, sensor), sensor):
            raise ShapeError(f"one reading was expected, of shape ({sensor.reading.size},), with one context")
        found = weigh(known.cloud, sensor, z, context)
        if found.status == FilterStatus.ACCEPTED:
            p = np.zeros(known.p.size)
            p[known.kept] = np.exp(found.belief.log_weights)
            after = _normalized(known.cells, p.reshape(known.p.shape), "the reading")
        else:
            after = known
        compute = partial(innovation, known.cloud, sensor, z, context)
        return CloudUpdate(after, compute, found.log_likelihood, found.status)


def _normalized(cells: Cells, p: Array, why: str) -> Histogram:
    """The histogram of positive numbers, or an error that says why there are none."""
    p = np.where(p > NEGLIGIBLE * p.max(), p, 0.0)
    total = p.sum()
    if not total > 0.0:
        raise ModelError(f"{why}: no cell has a probability above zero")
    return Histogram(cells, p / total)


def _motion(dynamics: Dynamics, x: Array, u: Array, dt: float) -> tuple[Array, Array]:
    """Displacements ``(N, d)`` of states ``(N, d)`` in one step, and their noise ``(N, d, d)``."""
    there = np.asarray(asked(dynamics, "step", x, u, dt))
    Q = covariance(dynamics.noise(x, u, dt), x.shape[-1], dynamics)
    return np.asarray(dynamics.state.minus(there, x)), np.broadcast_to(Q, (*x.shape, x.shape[-1]))


def _depends(dynamics: Dynamics, cells: Cells, u: Array, dt: float) -> tuple[int, ...]:
    """The components of the state on which displacement and noise depend."""
    draw = generator(0)
    low, size = np.array(cells.low), np.array(cells.width) * cells.shape
    x = low + draw.random((PROBES, len(low))) * size
    here, found = _motion(dynamics, x, u, dt), list[int]()
    for i in range(len(low)):
        y = x.copy()
        y[:, i] = low[i] + draw.random(PROBES) * size[i]
        there = _motion(dynamics, y, u, dt)
        if any(not np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in zip(here, there, strict=True)):
            found.append(i)
    return tuple(found)


def _classes(cells: Cells, by: tuple[int, ...]) -> Array:
    """A centre for each combination of cells along the axes `by`, ``(C, d)``."""
    places = tuple(slice(None) if i in by else slice(0, 1) for i in range(len(cells.shape)))
    return cells.centers.reshape(*cells.shape, -1)[places].reshape(-1, len(cells.shape))
