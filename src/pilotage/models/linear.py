"""Linear models given by matrices: dynamics in continuous or discrete time, and sensors.

They are traced models with the matrices as parameters, so a new matrix or a new time step compiles nothing.
"""

# pyright: reportConstantRedefinition=false
# Matrices keep the capital letters of the literature, and some are computed in steps.

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..core import Dynamics
from ..core.arrays import Array, numbers
from ..core.diffusion import densities
from ..core.errors import ModelError
from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.seconds import seconds
from ..core.space import Space
from .trace.dynamics import TracedDynamics
from .trace.machine import Code
from .trace.params import Values
from .trace.sensor import TracedSensor

KEPT = 64  # time steps whose matrices are kept, until that many others have come; irregular clocks never repeat one


class LinearDynamics(Dynamics):
    """Linear dynamics ``dx/dt = A x + B u + G w``, w white noise of spectral density `Qc`; exact for any time step.

    ::

        x(t + dt) = F x(t) + Bd u + e,    F = exp(A dt),   Bd = int_0^dt exp(A s) ds B,   e ~ N(0, Q)
        Q = int_0^dt exp(A s) G Qc G' exp(A s)' ds

    The action is constant during the step. States ``(..., n)``, actions ``(..., m)``, numpy or torch.

    Args:
        A: ``(n, n)`` [1/s].
        B: ``(n, m)``; None for no action.
        G: ``(n, k)``, how the noise enters; None for the identity.
        Qc: ``(k, k)`` spectral density, symmetric positive semidefinite; a vector ``(k,)`` is its diagonal, and a
            number the same for all; None for no noise.
        state: the space of states, made of reals and angles; default x1, x2, ... without units.
        action: the space of actions; default u1, u2, ...

    Source: Van Loan, "Computing integrals involving the matrix exponential", IEEE Trans. Automatic Control 23 (1978),
    on a step that is halved until it is short and then doubled, so that fast stable modes do not overflow.

    Raises:
        ModelError: if the shapes do not match, or the state has rotations.

    Example:
        >>> cart = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], G=[[0], [1]], Qc=[[4.0]])
        >>> cart.step([0.0, 1.0], [2.0], 1.0).tolist()
        [2.0, 3.0]
        >>> cart.noise([0.0, 1.0], [2.0], 1.0).round(3).tolist()
        [[1.333, 2.0], [2.0, 4.0]]
    """

    takes_tensors = True

    def __init__(
        self,
        A: Any,
        B: Any = None,
        *,
        G: Any = None,
        Qc: Any = None,
        state: Space | None = None,
        action: Space | None = None,
    ) -> None:
        self.A = matrix(A, "A")
        n = self.A.shape[0]
        fit(self.A, (n, n), "A")
        self._settle(n, B, state, action)
        self.G = matrix(np.eye(n) if G is None else G, "G", rows=n)
        self.Qc = covariance(np.zeros((self.G.shape[1],) * 2) if Qc is None else Qc, "Qc", self.G.shape[1])
        self._fixed: tuple[Array, Array, Array] | None = None
        self._dt: float | None = None

    def _settle(self, n: int, B: Any, state: Space | None, action: Space | None) -> None:
        self.B = matrix(np.zeros((n, 0)) if B is None else B, "B", rows=n)
        self.state = _space("x", n) if state is None else state
        self.action = _space("u", self.B.shape[1]) if action is None else action
        if self.state.size != n or not self.state.flat:
            raise ModelError(f"the state of a linear model needs {n} reals or angles; {self.state} was given")
        if self.action.size != self.B.shape[1]:
            raise ModelError(f"B has {self.B.shape[1]} columns, but the action has {self.action.size} components")
        self._scale, self._steps = np.ones(n), dict[float, TracedDynamics]()
        self.parameters_depend_on_dt, self.linear = True, True

    @classmethod
    def discrete(
        cls,
        F: Any,
        B: Any = None,
        *,
        Q: Any = None,
        dt: float | None = None,
        state: Space | None = None,
        action: Space | None = None,
    ) -> LinearDynamics:
        """Linear dynamics in discrete time: ``x(t + dt) = F x + B u + e``, ``e ~ N(0, Q)``.

        Args:
            F: ``(n, n)``.
            B: ``(n, m)``; None for no action.
            Q: covariance ``(n, n)`` of the noise; a vector ``(n,)`` of variances, or one variance; 0 for no noise.
            dt: the time step of F, B and Q [s]; any other step raises an error. None: the step is not checked.
            state: the space of states.
            action: the space of actions.

        Raises:
            ModelError: if the shapes do not match, or Q is not given.

        Example:
            >>> LinearDynamics.discrete([[0.5]], Q=[[0.1]]).step([4.0], [], 1.0).tolist()
            [2.0]
        """
        self = cls.__new__(cls)
        F = matrix(F, "F")
        n = F.shape[0]
        fit(F, (n, n), "F")
        if Q is None:
            raise ModelError("Q is not given; write discrete(F, Q=Q), and Q=0 for no noise: the matrix after F is B")
        self._settle(n, B, state, action)
        Q = covariance(Q, "Q", n)
        self.parameters_depend_on_dt = False
        self._fixed, self._dt = (F, self.B, Q), None if dt is None else float(seconds(dt))
        return self

    def __repr__(self) -> str:
        kind = "LinearDynamics" if self._fixed is None else "LinearDynamics.discrete"
        return f"{kind}({', '.join(self.state.names)}; {', '.join(self.action.names) or 'no action'})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LinearDynamics) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def _key(self) -> tuple[Any, ...]:
        matrices = (self.A, self.B, self.G, self.Qc) if self._fixed is None else self._fixed
        given = (*matrices, self._scale)
        return self.state, self.action, getattr(self, "_dt", None), *((m.shape, m.tobytes()) for m in given)

    def discretized(self, dt: float) -> tuple[Array, Array, Array]:
        """``(F, B, Q)`` of a step of `dt` seconds, ``(n, n), (n, m), (n, n)``."""
        dt = float(seconds(dt, backward=True))
        if self._fixed is None:
            with np.errstate(over="ignore", invalid="ignore"):
                F, B, Q = van_loan(self.A, self.B, self.G @ self.Qc @ self.G.T, dt)
            if not all(np.isfinite(M).all() for M in (F, B, Q)):
                raise ModelError(
                    f"exp(A dt) overflows: the model is too unstable for a step of {dt} s; take shorter ones"
                )
            return F, B, Q * np.outer(self._scale, self._scale)
        if self._dt is not None and not np.isclose(dt, self._dt, rtol=1e-9, atol=0.0):
            raise ModelError(f"this linear model holds for steps of {self._dt} s; a step of {dt} s was asked for")
        F, B, Q = self._fixed
        return F, B, Q * np.outer(self._scale, self._scale)

    def scale_noise(self, factors: Any) -> LinearDynamics:
        """The same motion with process noise ``D Q D``: its standard deviations times one factor, or one each ``(n,)``.

        Example:
            >>> LinearDynamics([[0.0]], Qc=[[2.0]]).scale_noise(3.0).noise([0.0], [], 1.0).tolist()
            [[18.0]]
        """
        new = copy.copy(self)
        for derived in {"_any", "_key"} & set(vars(new)):
            delattr(new, derived)
        new._scale, new._steps = self._scale * densities(factors, self.state, "factors of noise"), {}
        return new

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return self._at(dt).step(x, u, dt)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        return self._at(dt).linearize(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return self._at(seconds(dt)).noise(x, u, dt)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        return self._at(dt).rollout(x0, us, dt)

    def vector(self, dt: float | None = None) -> Array:
        """The matrices of a step of `dt` seconds, in the order that compiled code reads them."""
        if dt is None and self._fixed is not None:
            return self._any.vector()
        if dt is None:
            raise ModelError("the matrices of linear dynamics depend on the time step; call parameters(dynamics, dt)")
        return self._at(dt).vector(dt)

    def code(self, results: str, lanes: bool = False, precision: str = "double") -> Code:
        """Machine code of linear dynamics of this size; the matrices are its parameters."""
        return self._any.code(results, lanes, precision)

    def source(self, results: str) -> str:
        """Readable Python that computes these results."""
        return self._any.source(results)

    def dependencies(self, result: str) -> frozenset[str]:
        """Names of the inputs that a result depends on; the matrices are parameters."""
        return self._any.dependencies(result)

    @cached_property
    def _any(self) -> TracedDynamics:
        """The model of some time step: what is generated is the same for all."""
        return self._at(0.0 if self._dt is None else self._dt)

    def _at(self, dt: float) -> TracedDynamics:
        dt = float(seconds(dt, backward=True))
        model = self._steps.get(dt)
        if model is None:
            F, B, Q = self.discretized(dt)
            params = {"F": F, "B": B, "Q": Q} if B.shape[1] else {"F": F, "Q": Q}
            model = TracedDynamics(
                linear_dynamics, state=self.state, action=self.action, params=params, rule="step", noise=_given_noise
            )
            # A full table is replaced, not emptied: another thread may be reading it.
            self._steps = {**(self._steps if len(self._steps) < KEPT else {}), dt: model}
        return model


def linear_dynamics(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Components:
    """``F x + B u``; its name is what errors call the model."""
    moved = [_dot(row, x) for row in p.F]
    return [a + _dot(row, u) for a, row in zip(moved, p.B, strict=True)] if len(u) else moved


def _given_noise(x: Components, u: Components, dt: Any, p: Values, m: Mathematics) -> Any:
    return p.Q


class LinearSensor(TracedSensor):
    """A linear sensor: ``z = H x + e``, ``e ~ N(0, R)``.

    Args:
        H: ``(k, n)``.
        R: covariance ``(k, k)``, symmetric positive semidefinite; a vector ``(k,)`` of variances, or one variance.
        state: the space of x, made of n reals or angles; default x1, x2, ... In a larger state, they are found by name.
        reading: the space of readings; default z1, z2, ...

    Raises:
        ModelError: if the shapes do not match.

    Example:
        >>> LinearSensor([[1.0, 0.0]], R=0.04, state=Space("x [m]", "v [m/s]")).observe([3.0, 1.0]).tolist()
        [3.0]
    """

    def __init__(self, H: Any, R: Any, *, state: Space | None = None, reading: Space | None = None) -> None:
        H = matrix(H, "H")
        k, n = H.shape
        R = covariance(R, "R", k)
        state = _space("x", n) if state is None else state
        reading = _space("z", k) if reading is None else reading
        for space, size, what in ((state, n, "state"), (reading, k, "reading")):
            if space.size != size or not space.flat:
                raise ModelError(f"H is {k} x {n}: the {what} needs {size} reals or angles; {space} was given")
        super().__init__(linear_sensor, needs=state, reading=reading, params={"H": H, "R": R}, noise=_reading_noise)

    def scale_noise(self, factor: float) -> TracedSensor:
        """The same sensor with noise ``factor^2 R``."""
        return self.replace(R=factor * factor * self.params["R"]).on(self.state)

    def __reduce__(self) -> Any:
        mounted = None if self.state is self.needs else self.state
        return _linear_sensor, (self.params["H"], self.params["R"], self.needs, self.reading, mounted)

    def _with(self, **settings: Any) -> Any:
        if "params" in settings:
            return LinearSensor(
                settings["params"]["H"], settings["params"]["R"], state=self.needs, reading=self.reading
            )
        made = TracedSensor.__new__(LinearSensor)
        TracedSensor.__init__(made, self._body, **{**self._settings, **settings})
        return made

    def __repr__(self) -> str:
        return f"LinearSensor({', '.join(self.reading.names)} from {', '.join(self.needs.names)})"


def _linear_sensor(H: Array, R: Array, state: Space, reading: Space, mounted: Space | None) -> TracedSensor:
    """A sensor that was pickled or copied."""
    made = LinearSensor(H, R, state=state, reading=reading)
    return made if mounted is None else made.on(mounted)


def linear_sensor(x: Components, c: Components, p: Values, m: Mathematics) -> Components:
    """``H x``; its name is what errors call the sensor."""
    return [_dot(row, x) for row in p.H]


def _reading_noise(x: Components, c: Components, p: Values, m: Mathematics) -> Any:
    return p.R


def van_loan(A: Array, B: Array, D: Array, dt: float) -> tuple[Array, Array, Array]:
    """``F = exp(A dt)``, ``int exp(A s) ds B``, and ``Q = int exp(A s) D exp(A s)' ds`` over 0 to `dt`.

    Example:
        >>> F, B, Q = van_loan(np.array([[-1.0]]), np.array([[1.0]]), np.array([[2.0]]), 1e3)
        >>> F.round(6).tolist(), B.round(6).tolist(), Q.round(6).tolist()
        ([[0.0]], [[1.0]], [[1.0]])
    """
    n, k = B.shape
    halvings = max(0, int(np.ceil(np.log2(max(np.linalg.norm(A, 1) * abs(dt), 1e-300)))))
    h = dt / 2**halvings
    held = _expm(np.block([[A, B], [np.zeros((k, n + k))]]) * h)
    both = _expm(np.block([[-A, D], [np.zeros((n, n)), A.T]]) * h)
    F, Bd = held[:n, :n], held[:n, n:]
    Q = F @ both[:n, n:]
    for _ in range(halvings):
        Q, Bd, F = Q + F @ Q @ F.T, Bd + F @ Bd, F @ F
    return F, Bd, 0.5 * (Q + Q.T)


def matrix(value: Any, name: str, rows: int | None = None) -> Array:
    """`value` as a finite matrix with that many rows, or a sentence."""
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ModelError(f"{name} must be a matrix of numbers, not {value!r}") from None
    if array.ndim != 2 or not len(array) or (rows is not None and len(array) != rows):
        raise ModelError(f"{name} has shape {array.shape}; a matrix with {rows or 'one or more'} rows was expected")
    if not np.isfinite(array).all():
        raise ModelError(f"{name} has entries that are NaN or infinite")
    return array


def covariance(value: Any, name: str, size: int) -> Array:
    """`value` as a symmetric positive semidefinite matrix, or a sentence; one variance, or a vector, is a diagonal."""
    given = numbers(value, name)
    if given.ndim == 0 or given.shape == (size,):
        given = np.diag(np.broadcast_to(given, size))
    array = fit(matrix(given, name), (size, size), name)
    scale = max(1e-300, float(np.abs(array).max(initial=0.0)))
    if np.abs(array - array.T).max(initial=0.0) > 1e-9 * scale:
        raise ModelError(f"{name} is not symmetric; a covariance was expected")
    array = 0.5 * (array + array.T)
    if size and np.linalg.eigvalsh(array)[0] < -1e-9 * scale:
        raise ModelError(
            f"{name} has the negative eigenvalue {np.linalg.eigvalsh(array)[0]:.3g}; a covariance has none"
        )
    return array


def fit(array: Array, shape: tuple[int, ...], name: str) -> Array:
    """`array` when it has that shape, or a sentence."""
    if array.shape != shape:
        raise ModelError(f"{name} has shape {array.shape}; {shape} was expected")
    return array


def _space(letter: str, count: int) -> Space:
    return Space(*(f"{letter}{i + 1}" for i in range(count)))


def _dot(row: Sequence[Any], x: Components) -> Any:
    total = row[0] * x[0]
    for a, b in zip(row[1:], x[1:], strict=True):
        total = total + a * b
    return total


def _expm(A: Array) -> Array:
    # Imported here: it would take a third of the time of importing an estimator.
    from scipy.linalg import expm  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    return np.asarray(expm(A), dtype=np.float64)
