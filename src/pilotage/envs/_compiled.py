"""The tick of a world and the readings of its sensors, where all models have machine code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Dynamics, Sensor, Space, Task
from ..core.arrays import Array
from ..core.compiled import Compiled
from ..core.covariances import symmetric_root
from ..models import TracedSensor
from ..models.trace import ParameterMemory, call, code_of, driver

NOTHING = np.zeros(1)
EVEN = 1e-9
"""Share of a resolution by which rounding may lengthen a way that is a whole number of them long."""
MOST = 10_000
"""The largest number of pieces of the way of a tick."""


@driver
def scatter(plus, y, root, z, e):
    """y = y (+) root z."""
    for i in range(z.shape[0]):
        e[i] = 0.0
        for j in range(z.shape[0]):
            e[i] += root[i, j] * z[j]
    call(plus, y, e, e, e, y)


@driver
def broken(codes, allowed, y, u, w):
    """Whether a value of the constraint at (y, u) is above `allowed` or NaN."""
    call(codes[2, 0], y, u, w, codes[2, 1], w)
    kept = True
    for k in range(codes[2, 2]):
        kept = kept and w[k] <= allowed
    return not kept


@driver
def broken_between(codes, judged, resolution, allowed, x, y, u, w, d, p):
    """Whether the constraint is broken at y, or at points `resolution` apart on the way there; y becomes the first."""
    if codes[2, 2] == 0:
        return False
    at_end = broken(codes, allowed, y, u, w)
    call(codes[4, 0], y, x, w, w, d)
    length = 0.0
    for k in judged:
        length += d[k] * d[k]
    pieces = min(np.ceil(np.sqrt(length) / resolution - EVEN), MOST)
    for j in range(1, pieces):
        for k in range(d.shape[0]):
            w[k] = d[k] * (j / pieces)
        call(codes[3, 0], x, w, w, w, p)
        if broken(codes, allowed, p, u, w):
            for k in range(y.shape[0]):
                y[k] = p[k]
            return True
    return at_end


@driver(
    "void(i8[:,::1], i8[::1], f8[:,:,::1], f8[::1], f8[::1], f8[::1], f8[::1],"
    " f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1], f8[:,::1])"
)
def move_rows(codes, judged, roots, numbers, w, d, p, xs, us, zs, ys, found):
    """y = step(x, u) (+) root z for each row, or where a constraint breaks on the way, and the cost of the tick.

    Args:
        codes: code and parameters of step, and the bytes from the parameters of a row to those of the next; code and
            parameters of cost, of constraint and how many it has, of (+) and (-).
        judged: components of the tangent on which the constraint depends.
        roots: of the covariance of the process noise: one (1, d, d), or one for each row (B, d, d).
        numbers: seconds of a tick, resolution, largest value of a constraint that is kept.
        w, d, p: scratch.
        xs, us, zs, ys: states (B, n), actions (B, m), noise (B, dim) or (B, 0) for none, states a tick later.
        found: cost, 1 where y is lost or the constraint broken, 1 where y is lost, which is not finite, (B, 3).
    """
    for i in range(xs.shape[0]):
        x, u, y = xs[i], us[i], ys[i]
        call(codes[1, 0], x, u, numbers, codes[1, 1], found[i])
        call(codes[0, 0], x, u, numbers, codes[0, 1] + i * codes[0, 2], y)
        if zs.shape[1] > 0:
            scatter(codes[3, 0], y, roots[i if roots.shape[0] > 1 else 0], zs[i], w)
        lost = False
        for k in range(y.shape[0]):
            lost |= not np.isfinite(y[k])
        found[i, 2] = lost
        found[i, 1] = lost or broken_between(codes, judged, numbers[1], numbers[2], x, y, u, w, d, p)


@driver("void(i8[::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1])")
def see_rows(codes, root, context, w, xs, zs, readings):
    """reading = observe(x, context) (+) root z for each row; codes: of the sensor, its parameters, of (+)."""
    for i in range(xs.shape[0]):
        call(codes[0], xs[i], context, w, codes[1], readings[i])
        scatter(codes[2], readings[i], root, zs[i], w)


class Moves:
    """Moves states ``(B, n)`` by compiled models; see `moves_of`.

    Args:
        dynamics, task: of the same states and actions.
        dt: seconds of a tick.
        judged: see `Simulation`.
        limits: its `resolution` and `max_violation`.
        others: dynamics like these with other parameters, for each row; default: the same for all.

    Attributes:
        noise: components of the process noise; 0 where there is none.
    """

    def __init__(
        self,
        dynamics: Any,
        task: Any,
        dt: float,
        judged: NDArray[np.int64],
        limits: tuple[float, float],
        others: Sequence[Any] = (),
    ) -> None:
        state, each = dynamics.state, others or (dynamics,)
        self._kept = [code_of(dynamics, "y"), code_of(task, "l"), code_of(task, "g")]
        self._kept += [code_of(state, "plus"), code_of(state, "minus")]
        self._memory = ParameterMemory(task), ParameterMemory(task)
        self._params = np.array([ParameterMemory(one, dt).vector for one in each])
        self._codes = np.zeros((5, 3), dtype=np.int64)
        self._codes[:, 0] = [code.address for code in self._kept]
        self._codes[:3, 1] = [self._params.ctypes.data, *(memory.vector.ctypes.data for memory in self._memory)]
        self._own = bool(others)
        self._codes[0, 2] = self._params.strides[0] if self._own else 0
        self._codes[2, 2] = constraints = self._kept[2].size
        self._roots = np.array([self._root(one, dt) for one in each])
        self.noise = state.dim if self._roots.any() else 0
        self._numbers = np.array([dt, *limits])
        self._scratch = np.empty(max(state.dim, constraints, 1)), np.empty(state.dim), np.empty(state.size)
        self._judged, self._run = np.array(judged, dtype=np.int64), move_rows.compiled

    def __call__(self, x: Array, u: Array, z: Array, which: Any = slice(None)) -> tuple[Array, Array]:
        """States a tick later, and what `move_rows` found of each, ``(B, 3)``; z: normal ``(B, noise)``.

        If each row has parameters of its own, `which` says which rows of all these are.
        """
        y, found, codes, roots = np.empty(x.shape), np.empty((len(x), 3)), self._codes, self._roots
        if self._own and not isinstance(which, slice):
            params, roots, codes = self._params[which], roots[which], codes.copy()
            codes[0, 1] = params.ctypes.data
        self._run(codes, self._judged, roots, self._numbers, *self._scratch, x, u, z, y, found)
        return y, found

    def vary(self, row: int, dynamics: Any, dt: float) -> None:
        """Give a row the parameters of these dynamics, which have the same code."""
        self._params[row], self._roots[row] = ParameterMemory(dynamics, dt).vector, self._root(dynamics, dt)
        self.noise = self._roots.shape[-1] if self._roots.any() else 0

    @staticmethod
    def _root(dynamics: Any, dt: float) -> Array:
        """The root of the covariance of the process noise."""
        Q = dynamics.noise(dynamics.state.identity(), dynamics.action.identity(), dt)
        return symmetric_root(np.asarray(Q, dtype=np.float64))


class Sight:
    """Reads states ``(B, n)`` by a compiled sensor with its context."""

    def __init__(self, sensor: Any, context: Any) -> None:
        self._codes = code_of(sensor, "h"), code_of(sensor.reading, "plus")
        self._memory = ParameterMemory(sensor)
        self._table = np.array(
            [self._codes[0].address, self._memory.vector.ctypes.data, self._codes[1].address], dtype=np.int64
        )
        self._context = NOTHING if context is None else np.array(context, dtype=np.float64)
        R = sensor.noise(sensor.state.identity(), context)
        self._root = np.ascontiguousarray(symmetric_root(R))
        self._size = sensor.reading.size
        self._w = np.empty(max(sensor.reading.dim, 1))
        self._run = see_rows.compiled

    def __call__(self, x: Array, z: Array) -> Array:
        """Readings ``(B, size)`` with noise z ``(B, dim)``."""
        readings = np.empty((len(x), self._size))
        self._run(self._table, self._root, self._context, self._w, x, z, readings)
        return readings


def moves_of(
    dynamics: Dynamics,
    task: Task,
    dt: float,
    judged: NDArray[np.int64],
    limits: tuple[float, float],
    others: Sequence[Dynamics] = (),
) -> Moves | None:
    """Machine code of a tick; None where a model has none, or noise or costs that change from tick to tick."""
    known = compiled(task, "", set()) and not task.stage.size
    known = known and all(same_code(one, dynamics) for one in (dynamics, *others))
    fits = known and plain(dynamics.state) and plain(dynamics.action)
    return Moves(dynamics, task, dt, judged, limits, others) if fits else None


def same_code(one: Dynamics, other: Dynamics) -> bool:
    """Whether two dynamics have machine code, the same one, and differ in their parameters alone."""
    known = all(compiled(each, "Q", {"dt", "p"}) for each in (one, other))
    return known and code_of(one, "y").address == code_of(other, "y").address


def sight_of(sensor: Sensor, context: Any) -> Sight | None:
    """Machine code of a sensor; None where it has none, or noise that changes with the state."""
    known = compiled(sensor, "R", {"context", "p"}) and normal(sensor)
    size = sensor.context.size if sensor.context is not None else 0
    given = np.shape([] if context is None else context) == (size,)
    return Sight(sensor, context) if known and given and plain(sensor.reading) else None


def normal(sensor: Sensor) -> bool:
    """Whether readings are drawn as ``observe(x) (+) N(0, R)``."""
    return type(sensor).sample in (Sensor.sample, TracedSensor.sample)


def compiled(model: Any, noise: str, causes: set[str]) -> bool:
    """Whether a model has machine code with parameters that stay, and noise of these causes alone."""
    if not isinstance(model, Compiled) or getattr(model, "live", False):
        return False
    return not noise or model.dependencies(noise) <= causes


def plain(space: Space) -> bool:
    """Whether points of a space are numbers of float64, not images."""
    return space.dtype == np.float64
