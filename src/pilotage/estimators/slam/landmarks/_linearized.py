"""Sensors of landmarks and dynamics, evaluated by their machine code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Dynamics, Sensor
from pilotage.core.arrays import Array
from pilotage.models.trace import ParameterMemory, code_of

from ._drivers import evaluate, move


class Reader:
    """A sensor of landmarks, ready to be evaluated at many of them.

    Args:
        sensor: mounted on the state of the vehicle.
    """

    def __init__(self, sensor: Sensor) -> None:
        self.sensor, self._memory = sensor, ParameterMemory(sensor)
        self._codes = {results: code_of(sensor, results) for results in ("h H C R", "e H C R", "e C R")}
        self.m = sensor.reading.dim

    def at(self, x: Array, places: Array, z: Array | None = None, *, vehicle: bool = True) -> Linearized:
        """The sensor at landmarks ``(L, c)``, seen from one state ``(n,)`` or one each ``(L, n)``.

        Args:
            x: the state or states.
            places: the landmarks.
            z: readings ``(L, size)``, for innovations in place of expected readings.
            vehicle: whether derivatives by the vehicle are needed; without them, readings must be given.
        """
        code = self._codes["h H C R" if z is None else "e H C R" if vehicle else "e C R"]
        self._memory.refresh()
        out = np.empty((len(places), code.size))
        read = np.zeros((1, self.sensor.reading.size)) if z is None else z
        xs, places, read = (np.ascontiguousarray(np.atleast_2d(each), np.float64) for each in (x, places, read))
        evaluate.compiled(code.address, xs, places, read, self._memory.vector, out)
        code.check()
        return Linearized(out, {name: (code.offsets[name], shape) for name, shape in code.shapes.items()})


class Linearized:
    """A sensor at some landmarks: expected readings or innovations, and derivatives.

    Attributes:
        h: expected readings ``(L, size)``, if no readings were given.
        e: innovations ``(L, m)``, if they were.
        H: derivatives by the vehicle ``(L, m, d)``, if they were asked for.
        C: derivatives by the landmark ``(L, m, c)``.
        R: noise ``(L, m, m)``.
        sound: where all of these are finite ``(L,)``.
    """

    h: Array
    e: Array
    H: Array
    C: Array
    R: Array

    def __init__(self, out: Array, places: dict[str, tuple[int, tuple[int, ...]]]) -> None:
        self._names = tuple(places)
        for name, (first, shape) in places.items():
            part = out[:, first : first + math.prod(shape)]
            setattr(self, name, np.ascontiguousarray(part).reshape(len(out), *shape))
        self.sound: NDArray[np.bool_] = np.asarray(np.isfinite(out).all(1))

    def __getitem__(self, rows: Any) -> Linearized:
        """Those at some of the landmarks."""
        picked = object.__new__(Linearized)
        picked._names, picked.sound = self._names, self.sound[rows]
        for name in self._names:
            setattr(picked, name, getattr(self, name)[rows])
        return picked


class Mover:
    """Dynamics, ready to be evaluated: the state after a step, its derivative and its noise."""

    def __init__(self, dynamics: Dynamics) -> None:
        self.dynamics, self._code = dynamics, code_of(dynamics, "y F Q")
        self._memories: dict[float, ParameterMemory] = {}
        self._out = np.empty(self._code.size)

    def step(self, x: Array, u: Array, dt: float) -> tuple[Array, Array, Array]:
        """State ``(n,)``, F and Q ``(d, d)`` after `dt` seconds under an action ``(m,)``."""
        memory = self._memories.get(dt if self.dynamics.parameters_depend_on_dt else 0.0)
        if memory is None:
            if len(self._memories) > 64:
                self._memories.clear()
            memory = self._memories[dt if self.dynamics.parameters_depend_on_dt else 0.0] = ParameterMemory(
                self.dynamics, dt
            )
        memory.refresh()
        move.compiled(self._code.address, x, np.ascontiguousarray(u), np.array([dt]), memory.vector, self._out)
        self._code.check()
        n, d, offsets = len(x), self.dynamics.state.dim, self._code.offsets
        F, Q = (self._out[offsets[name] : offsets[name] + d * d].reshape(d, d) for name in ("F", "Q"))
        return self._out[offsets["y"] : offsets["y"] + n].copy(), F, Q
