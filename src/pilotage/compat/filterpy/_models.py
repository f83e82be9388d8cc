"""Functions and matrices of filterpy's objects as dynamics and sensors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import Dynamics, ModelError, Sensor, Space, require
from ...core.arrays import Array

SENSOR = "z"
"""The name under which a converted filter knows its sensor."""


def filterpy_kalman() -> Any:
    """filterpy's Kalman filters, or the error that says how to install it."""
    return require("filterpy.kalman", "peers")


def numbered(letter: str, count: int) -> Space:
    """The space of `count` numbers that nobody named."""
    return Space(*(f"{letter}{i + 1}" for i in range(count)))


def square(matrix: Any, size: int) -> Array:
    """A covariance ``(size, size)``, which filterpy also takes as one variance."""
    given = np.asarray(matrix, dtype=np.float64)
    return np.diag(np.broadcast_to(given, size)) if given.ndim < 2 else given


def columns(B: Any, size: int) -> Array:
    """The matrix of the action ``(size, m)``, which filterpy writes as None or 0 where there is none."""
    return np.zeros((size, 0)) if B is None or np.ndim(B) == 0 else np.asarray(B, dtype=np.float64).reshape(size, -1)


def each(function: Callable[..., Any], size: int, *given: Any) -> Array:
    """Answers ``(..., size)`` of a function that takes one row of each array."""
    arrays = [np.asarray(a, dtype=np.float64) for a in given]
    axes = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    flat = [np.broadcast_to(a, (*axes, a.shape[-1])).reshape(int(np.prod(axes)), a.shape[-1]) for a in arrays]
    answers = [np.ravel(function(*(row.copy() for row in group))) for group in zip(*flat, strict=True)]
    for answer in answers:
        if answer.shape != (size,):
            raise ModelError(f"{called(function)} returned {answer.size} numbers; expected {size}")
    return np.array(answers, dtype=np.float64).reshape(*axes, size)


def called(function: Any) -> str:
    """The name of a user's function."""
    return getattr(function, "__name__", type(function).__name__)


class Transition(Dynamics):
    """The dynamics of filterpy's `fx`, a function of one state and the seconds, with noise `Q`."""

    def __init__(self, fx: Callable[[Array, float], Any], Q: Array, state: Space) -> None:
        self.fx, self.Q, self.state, self.action = fx, Q, state, Space()

    def __repr__(self) -> str:
        return f"Transition({called(self.fx)})"

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return each(lambda row: self.fx(row, dt), self.state.size, x)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return self.Q


class Prediction(Dynamics):
    """The dynamics of an `ExtendedKalmanFilter` whose `predict` or `predict_x` somebody wrote: state, F and Q of it."""

    def __init__(self, theirs: Any, state: Space, action: Space) -> None:
        self.theirs, self.state, self.action = copy.deepcopy(theirs), state, action
        self.shape = np.shape(theirs.x)

    def __repr__(self) -> str:
        return f"Prediction({type(self.theirs).__name__})"

    def _predicted(self, x: Array, u: Array) -> Any:
        """Their filter, one step after it was sure of `x`."""
        theirs = copy.copy(self.theirs)
        theirs.x = np.reshape(x, self.shape).copy()
        if self.action.size:
            theirs.predict(u=np.reshape(u, (-1, 1)) if len(self.shape) == 2 else u)
        else:
            theirs.predict()
        return theirs

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return each(lambda x, u: self._predicted(x, u).x, self.state.size, x, u)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        d = self.state.dim
        F = each(lambda x, u: self._predicted(x, u).F, d * d, x, u)
        return F.reshape(*F.shape[:-1], d, d), super().linearize(x, u, dt)[1]

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        d = self.state.dim
        Q = each(lambda x, u: square(self._predicted(x, u).Q, d), d * d, x, u)
        return Q.reshape(*Q.shape[:-1], d, d)


class Observation(Sensor):
    """The sensor of filterpy's `hx`, a function of one state, with noise `R`; `jacobian` is its `HJacobian`."""

    def __init__(
        self,
        hx: Callable[[Array], Any],
        R: Array,
        state: Space,
        reading: Space,
        shape: tuple[int, ...],
        jacobian: Callable[[Array], Any] | None = None,
    ) -> None:
        self.hx, self.R, self.state, self.reading = hx, R, state, reading
        self.shape, self.jacobian, self.context = shape, jacobian, Space()

    def __repr__(self) -> str:
        return f"Observation({called(self.hx)})"

    def observe(self, x: Any, context: Any = None) -> Any:
        return each(lambda row: self.hx(row.reshape(self.shape)), self.reading.size, x)

    def linearize(self, x: Any, context: Any = None) -> Any:
        jacobian, m, d = self.jacobian, self.reading.dim, self.state.dim
        if jacobian is None:
            return super().linearize(x, context)
        H = each(lambda row: jacobian(row.reshape(self.shape)), m * d, x)
        return H.reshape(*H.shape[:-1], m, d)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.R
