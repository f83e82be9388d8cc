"""The records of `_memory`, made of spaces, models and estimators. They keep alive what their addresses point to."""

from __future__ import annotations

from ctypes import addressof, c_char
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import Space
from ..models.trace import LANES, Code, Driver, ParameterMemory, code_of, parameters
from ._inputs import EMPTY
from ._memory import JOB, MODEL, SPACE

ENOUGH = 40
"""Square matrices of the largest dimension that fit into the scratch of an inner step."""


class Record:
    """A record with an address, whose fields are read and set by name.

    Attributes:
        at: the address.
    """

    def __init__(self, dtype: np.dtype[Any], **fields: int) -> None:
        self._memory, self._places = np.zeros(len(PLACES[dtype]), np.int64), PLACES[dtype]
        self.at = where(self._memory)
        self.kept: list[Any] = []
        for name, value in fields.items():
            self[name] = value

    def __getitem__(self, name: str) -> int:
        return int(self._memory[self._places[name]])

    def __setitem__(self, name: str, value: int) -> None:
        self._memory[self._places[name]] = value

    def point(self, name: str, target: Any) -> None:
        """Let a field point to an array, a record or a model's code, and keep it."""
        self.kept.append(target)
        self._memory[self._places[name]] = where(target)


PLACES = {dtype: {name: place for place, name in enumerate(dtype.names or ())} for dtype in (SPACE, MODEL, JOB)}
"""The place of each field among the integers of a record: numpy takes ten times as long to find it."""


def where(target: Any) -> int:
    """The address of an array, a record or machine code."""
    if isinstance(target, np.ndarray):
        if target.size and target.flags.writeable:
            return addressof(c_char.from_buffer(target.data))  # a fifth of the time that `ctypes.data` takes
        return int(target.ctypes.data)
    return int(target.at if isinstance(target, Record) else target.address)


@lru_cache(maxsize=512)
def space_record(space: Space, lanes: bool) -> Record:
    """The `SPACE` of a space."""
    record = Record(SPACE, size=space.size, dim=space.dim)
    record.point("plus", code_of(space, "plus", lanes))
    record.point("minus", code_of(space, "minus", lanes))
    record.point("wraps", wrapped(space))
    return record


def wrapped(space: Space) -> np.ndarray:
    """1 for tangent components that lead back to where they began, such as angles, else 0; ``(dim,)``."""
    beyond = 4.0 * np.eye(space.dim)  # more than half a turn
    identity = space.identity()
    back = np.diagonal(space.minus(space.plus(identity, beyond), identity)) if space.dim else EMPTY
    return np.array(np.abs(back - 4.0) > 1e-6, dtype=np.float64)


class Model(Record):
    """The `MODEL` of dynamics or a sensor.

    Args:
        model: dynamics, or a sensor mounted on the state.
        space: where its values live.
        inputs: length of the action or context.
        results: names of all results together, the value, the noise; "" for what is not needed.
        lanes: for a block of lanes.
        gates: largest NIS for each number of measured components.
    """

    def __init__(
        self,
        model: Any,
        space: Space,
        inputs: int,
        results: tuple[str, str, str],
        lanes: bool,
        gates: np.ndarray = EMPTY,
    ) -> None:
        super().__init__(MODEL, inputs=inputs)
        self.model, self.codes = model, list[Code]()
        for name, wanted in zip(("all", "value", "noise"), results, strict=True):
            if wanted:
                self.codes.append(code_of(model, wanted, lanes))
                self.point(name, self.codes[-1])
        self.point("space", space_record(space, lanes))
        self.point("gates", gates.copy())
        self.calls_back = any(code.calls_back for code in self.codes)
        self.live = model.live
        if not model.parameters_depend_on_dt:  # else they are read when dt is known
            self.pace(None)

    def pace(self, dt: float | None) -> None:
        """Read the parameters for steps of so many seconds."""
        self._parameters = ParameterMemory(self.model, dt)
        self["parameters"] = where(self._parameters.vector)

    def refresh(self) -> None:
        """Read parameters that may have changed in place."""
        self._parameters.refresh()

    def tell(self, contexts: Any) -> None:
        """The contexts of a sensor that takes objects, of which machine code is handed the places."""
        for code in self.codes:
            code.objects = contexts

    def check(self) -> None:
        """Raise what the model's own methods raised."""
        for code in self.codes:
            code.check()


def job(
    inner: tuple[Driver, Driver],
    state: Space,
    lanes: bool,
    numbers: int,
    settings: np.ndarray,
    largest: int = 0,
    found: int = 0,
    transports: bool = False,
    vectors: int = 0,
) -> Record:
    """A `JOB` with memory of its own.

    Args:
        inner: how it predicts and updates.
        state: the space of its beliefs.
        lanes: for a block of lanes.
        numbers: of a belief.
        settings: those of the estimator.
        largest: size of the largest reading.
        found: numbers that an update finds.
        transports: whether it needs the transport on that space.
        vectors: that its inner steps need beside matrices.
    """
    width = LANES if lanes else 1
    record = Record(JOB, numbers=numbers)
    record.point("predict", inner[0])
    record.point("update", inner[1])
    record.point("state", space_record(state, lanes))
    record.point("settings", settings)
    if transports and not state.flat:
        record.point("transport", code_of(state, "transport", lanes))
    record.point("dt", np.zeros(1))
    record.point("status", np.zeros(width, dtype=np.int64))
    record.point("belief", np.zeros((numbers + found, width)))
    record.point("scratch", scratch(state, largest, width, vectors))
    return record


def scratch(state: Space, largest: int, width: int, vectors: int) -> np.ndarray:
    """Memory for an inner step, and for what it is given."""
    side = max(state.size, state.dim, largest) + 1
    return np.empty(((ENOUGH * (side + 1) + vectors) * side, width))


def paces(dynamics: Any, dts: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Parameters of the dynamics, for all steps or for each; where nothing moves they are not read."""
    if not dynamics.parameters_depend_on_dt:
        return np.array(parameters(dynamics), dtype=np.float64)[None]
    moving = dts[moves > 0]
    if not len(moving):
        return np.zeros((1, 0))
    each = {float(dt): parameters(dynamics, float(dt)) for dt in np.unique(moving)}
    first = next(iter(each.values()))
    if len(each) == 1:
        return np.array(first, dtype=np.float64)[None]
    return np.stack([each.get(float(dt), first) for dt in dts])
