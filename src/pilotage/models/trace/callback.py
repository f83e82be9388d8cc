"""Models that are no formula, as machine code: an address that calls the protocol's methods.

Simulators, networks and classes of users are called back by the same drivers that run traced models. They are given
copies: one that writes into its arguments, or keeps them, has no hold on a belief. What a method raises is kept, the
results become NaN, and `Code.check` raises it when the driver is done.
"""

# pyright: basic

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core import Dynamics, ModelError, Sensor
from ...core.declared import called, returned
from .llvm import LANES
from .machine import SIGNATURE, Code
from .spaces import space_function

Double = ctypes.POINTER(ctypes.c_double)
Shapes = dict[str, tuple[int, ...]]


class Method(NamedTuple):
    """One call of a model, and the results that it answers."""

    name: str
    results: Shapes
    ask: Callable[..., Any]


class CalledBack(Code):
    """Machine code that calls Python.

    Args:
        model: whose methods are called.
        results: shapes of what is to be written.
        methods: what may be asked.
        inputs: number of components of a, b and c, and whether each lane has its own.
        lanes: states side by side; 0 for one state.
    """

    calls_back = True

    def __init__(
        self, model: Any, results: Shapes, methods: Sequence[Method], inputs: Sequence[tuple[int, bool]], lanes: int
    ) -> None:
        self._model, self._inputs = model, inputs
        self._methods = [method for method in methods if method.results.keys() & results.keys()]
        thunk = SIGNATURE(self._run)
        super().__init__(ctypes.cast(thunk, ctypes.c_void_p).value or 0, results, lanes, thunk)

    def check(self) -> None:
        """Raise what a method of the model raised since the last check."""
        error, self._mine.error = getattr(self._mine, "error", None), None
        if error is not None:
            raise error

    def _run(self, a: int, b: int, c: int, p: int, out: int) -> None:
        lanes = self.lanes
        target = view(out, self.size * max(lanes, 1)).reshape(self.size, -1)
        if getattr(self._mine, "error", None) is not None:
            target[:] = np.nan
            return
        try:
            given = [self._given(*each) for each in zip((a, b, c), self._inputs, strict=True)]
            values = {name: value for method in self._methods for name, value in self._asked(method, given).items()}
            for name, value in values.items():
                first = self.offsets[name]
                target[first : first + math.prod(self.shapes[name])] = value.reshape(max(lanes, 1), -1).T
        except BaseException as error:  # also Ctrl-C: nothing passes through machine code
            if lanes and isinstance(error, (IndexError, TypeError, ValueError)):
                n = self._inputs[0][0]
                error.add_note(f"states arrive as a batch (..., {n}), whose components are x[..., 0], x[..., 1], ...")
            self._mine.error = error
            target[:] = np.nan

    def _given(self, pointer: int, described: tuple[int, bool]) -> np.ndarray:
        n, each = described
        if self.lanes and each:
            return view(pointer, n * self.lanes).reshape(n, self.lanes).T.copy()
        return view(pointer, n).copy()

    def _asked(self, method: Method, given: Sequence[Any]) -> dict[str, np.ndarray]:
        """The answers of a method, as arrays of the shapes that are wanted."""
        value = method.ask(self, *given)
        values: Any = value if len(method.results) > 1 else (value,)
        out: dict[str, np.ndarray] = {}
        for (name, shape), one in zip(method.results.items(), values, strict=True):
            if name in self.shapes:
                out[name] = self.checked(method.name, one, shape)
        return out

    def checked(self, method: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
        """The answer of a method of the model, as an array of a shape, for each lane where there are lanes.

        Raises:
            ModelError: for anything else.
        """
        wanted = (self.lanes, *shape) if self.lanes else shape
        try:
            array = None if value is None else np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            array = None
        if array is None or array.shape not in (wanted, shape):
            raise ModelError(f"{called(self._model)}.{method} returned {returned(value)}; shape {wanted} was expected")
        return np.broadcast_to(array, wanted)


def view(pointer: int, count: int) -> np.ndarray:
    """The numbers at an address."""
    if count == 0:
        return np.zeros(0)
    return np.ctypeslib.as_array(ctypes.cast(pointer, Double), (count,))


def of_dynamics(model: Dynamics) -> tuple[list[Method], list[tuple[int, bool]]]:
    """Methods and inputs of dynamics."""
    n, d, m = model.state.size, model.state.dim, model.action.dim
    methods = [
        Method("step", {"y": (n,)}, lambda _, x, u, dt: model.step(x, u, float(dt[0]))),
        Method("linearize", {"F": (d, d), "B": (d, m)}, lambda _, x, u, dt: model.linearize(x, u, float(dt[0]))),
        Method("noise", {"Q": (d, d)}, lambda _, x, u, dt: model.noise(x, u, float(dt[0]))),
    ]
    return methods, [(n, True), (model.action.size, True), (1, False)]


def of_sensor(model: Sensor) -> tuple[list[Method], list[tuple[int, bool]]]:
    """Methods and inputs of a sensor; a context that is no vector is handed over by its place in `Code.objects`.

    ::

        e = z (-) h,    E = D H,    G = D C          D: the derivative of z (-) h by h, of the space of readings
    """
    n, d, k, e = model.state.size, model.state.dim, model.reading.size, model.reading.dim
    space = model.context
    tied = 0 if space is None else space.dim

    def context(code: CalledBack, c: np.ndarray) -> Any:
        if space is not None:
            return c if space.size else None
        if not code.objects:
            return None
        places = {int(i) for i in c.ravel()}
        if len(places) == 1:
            return code.objects[places.pop()]
        raise ModelError(f"{called(model)} takes contexts that are objects; readings of one batch must share theirs")

    def expected(code: CalledBack, x: Any, c: Any, z: Any) -> np.ndarray:
        return code.checked("observe", model.observe(x, context(code, c)), (k,))

    def by_state(code: CalledBack, x: Any, c: Any, z: Any) -> np.ndarray:
        return code.checked("linearize", model.linearize(x, context(code, c)), (e, d))

    def by_context(code: CalledBack, x: Any, c: Any, z: Any) -> np.ndarray:
        C = model.linearize_context(x, context(code, c)) if tied else np.zeros((e, 0))
        return code.checked("linearize_context", C, (e, tied))

    def residual(*given: Any) -> Any:
        return model.reading.minus(given[-1], expected(*given))

    def slope(*given: Any) -> Any:
        return space_function(model.reading)("D", given[-1], expected(*given))

    methods = [
        Method("observe", {"h": (k,)}, expected),
        Method("linearize", {"H": (e, d)}, by_state),
        Method("linearize_context", {"C": (e, tied)}, by_context),
        Method("noise", {"R": (e, e)}, lambda code, x, c, z: model.noise(x, context(code, c))),
        Method("observe", {"e": (e,)}, residual),
        Method("linearize", {"E": (e, d)}, lambda *given: slope(*given) @ by_state(*given)),
        Method("linearize_context", {"G": (e, tied)}, lambda *given: slope(*given) @ by_context(*given)),
    ]
    return methods, [(n, True), (1 if space is None else space.size, True), (k, True)]


def called_back(model: Any, results: str, lanes: bool) -> CalledBack:
    """The methods of a model as machine code.

    Raises:
        ModelError: for models without one, and results that its methods do not answer.
    """
    if isinstance(model, Dynamics):
        methods, inputs = of_dynamics(model)
    elif isinstance(model, Sensor):
        methods, inputs = of_sensor(model)
    else:
        raise ModelError(f"{model!r} has no machine code; expected dynamics, a sensor, a traced task or a space")
    shapes = {name: shape for method in methods for name, shape in method.results.items()}
    missing = [name for name in results.split() if name not in shapes]
    if missing:
        raise ModelError(
            f"{called(model)} is no traced model and has no result {missing[0]!r}; its methods answer "
            f"{', '.join(shapes)}"
        )
    return CalledBack(model, {name: shapes[name] for name in results.split()}, methods, inputs, LANES if lanes else 0)
