"""Machine code and parameters of any model."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np

from ...core.compiled import Compiled
from ...core.errors import ModelError
from ...core.space import Space
from .callback import called_back
from .machine import Code
from .reals import real_of
from .spaces import space_function

EMPTY = np.zeros(0)


def code_of(model: Any, results: str, lanes: bool = False, precision: str = "double") -> Code:
    """Machine code that writes the given results of a model one after another.

    Args:
        model: dynamics (y F B Q), a sensor (h H R C e E G; a traced one w, too), a traced task (l lx lu lxx lxu luu g
            gx gu T Tx Txx), or a space (plus minus D transport). For dynamics and sensors that are not traced, the code
            calls their methods.
        results: names of the results, in the order in which they are written.
        lanes: whether the code processes `LANES` states side by side.
        precision: "double", or "single" for lanes: then all arrays are of type float32, shared ones too.

    Raises:
        ModelError: if the model has no such result, or no code of single precision.

    Example:
        >>> from pilotage.models import bicycle
        >>> code = code_of(bicycle(), "y F Q")
        >>> code.size, code.offsets["F"], code.shapes["F"]
        (36, 4, (4, 4))
    """
    if isinstance(model, Space):
        return space_function(model).code(results, lanes, precision)
    if has_code(model.__class__):
        more = () if precision == "double" else (precision,)
        return cast(Code, model.code(results, lanes, *more))
    if precision != "double":
        raise ModelError(f"{model!r} is no traced model, and has no code of {precision} precision; expected double")
    return called_back(model, results, lanes)


def parameters(model: Any, dt: float | None = None) -> np.ndarray:
    """The parameter vector that machine code of `model` reads; empty for models that are not traced.

    Example:
        >>> from pilotage.models import gnss
        >>> parameters(gnss(std=1.5))
        array([1.5, 1.5])
    """
    return model.vector(dt) if has_code(model.__class__) else EMPTY


class ParameterMemory:
    """The parameter vector of a model at a fixed address, for machine code that is called many times.

    Args:
        model: dynamics, a sensor or a task.
        dt: seconds of a step, if the parameters depend on it.
        precision: "double", or "single" for numbers of type float32.

    Raises:
        ModelError: for parameters among which single precision cannot count.

    Attributes:
        vector: the numbers that machine code reads.
        live: whether tensors among the parameters may change in place; `refresh` reads them again.

    Example:
        >>> from pilotage.models import gnss
        >>> memory = ParameterMemory(gnss(std=1.5))
        >>> memory.vector, memory.live
        (array([1.5, 1.5]), False)
    """

    def __init__(self, model: Any, dt: float | None = None, precision: str = "double") -> None:
        self._model, self._dt = model, dt
        given, real = parameters(model, dt), real_of(precision)
        places = 2 ** (real.fraction + 1)  # in tables, which are computed as floats
        if len(given) > places:
            raise ModelError(
                f"{model!r} has {len(given)} parameters, rasters included; expected at most {places} for {precision} "
                "precision"
            )
        self.vector = np.array(given, dtype=real.dtype)
        self.live = model.live

    def refresh(self) -> None:
        """Read parameters that may have changed in place."""
        if self.live:
            self.vector[:] = parameters(self._model, self._dt)


@cache
def has_code(kind: type) -> bool:
    """Whether models of this class keep the contract `Compiled`."""
    return issubclass(kind, Compiled)
