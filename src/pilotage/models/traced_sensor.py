"""Sensors written once: a function of scalar components from which reading, Jacobian, noise and kernels are derived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ..core import Sensor
from ..core.errors import ModelError, ShapeError
from ..core.mathematics import math_for
from ..core.space import Space
from .emit import Signature, in_place
from .mounting import names_read, places
from .params import Layout, Values, call_signature, merged
from .tangent import seeds, tangent_jacobian
from .traced_dynamics import Body, NoiseBody, counted, densities, square
from .tracer import Expr, Graph, SymbolicMath
from .vectorized import Vectorized, array_of, common_batch, stacked, unstacked

STD = "reading_std"


@dataclass(frozen=True)
class Recipe:
    """What determines the generated code of a sensor."""

    body: Body
    state: Space
    taken: tuple[int, ...]
    reading: Space
    context_size: int
    noise_body: NoiseBody | None
    layout_key: tuple[Any, ...]


class TracedSensor(Sensor):
    """A sensor derived from one function of scalar components; made by `sensor`.

    Attributes:
        name: the function's name.
        state: the space it reads from; `on` moves it to a larger one.
        reading: the space of its readings.
        context_size: how many numbers `context` has (a landmark's place, say); 0 for none.
        params: its parameters by name.
    """

    def __init__(
        self,
        body: Body,
        needs: Space,
        reading: Space,
        context_size: int,
        params: Mapping[str, Any],
        noise: Sequence[float] | NoiseBody,
        reads: tuple[str, ...] | None = None,
        state: Space | None = None,
    ) -> None:
        self.name = body.__name__
        self.needs = needs
        self.reads = needs.names if reads is None else reads
        self.state = needs if state is None else state
        self.reading = reading
        self.context_size = context_size
        self.params = dict(params)
        values = dict(params)
        if not callable(noise):
            values[STD] = densities(noise, reading.dim, f"std of {self.name}", reading.tangent_names)
        self._noise = noise
        self._values = values
        self._layout = Layout(values)
        taken = tuple(range(needs.size)) if state is None else places(self.reads, needs, state, self.name)
        body_of_noise = noise if callable(noise) else None
        self.kernel_key = self._recipe = Recipe(
            body, self.state, taken, reading, context_size, body_of_noise, self._layout.key
        )
        self._attached: dict[Space, TracedSensor] = {}
        _ = self._trace  # what is wrong with the function shows here, and not in the first filter that derives it

    def __repr__(self) -> str:
        given = {("std" if k == STD else k): v for k, v in self._values.items() if np.size(v) <= 4}
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in given.items())})"

    def on(self, space: Space) -> TracedSensor:
        """The same sensor on a state that has the needed components among others, found by name."""
        if space == self.state:
            return self
        if space not in self._attached:
            self._attached[space] = TracedSensor(
                self._recipe.body,
                self.needs,
                self.reading,
                self.context_size,
                self.params,
                self._noise,
                self.reads,
                space,
            )
        return self._attached[space]

    def observe(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        batch = common_batch(x.shape[:-1], c.shape[:-1], f"state and context of {self.name}")
        return stacked(_reading(self._recipe, unstacked(x), unstacked(c), self._numbers, math_for(x)), batch, x)

    def linearize(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        flat = self._trace.linearized(x, c, self._layout.listed(self._values))
        return flat.reshape(*flat.shape[:-1], self.reading.dim, self.state.dim)

    def noise(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        flat = self._trace.noise(x, c, self._layout.listed(self._values))
        return flat.reshape(*flat.shape[:-1], self.reading.dim, self.reading.dim)

    def vector(self, dt: float | None = None) -> np.ndarray:
        """Parameters as compiled code reads them."""
        return self._vector

    def generated(self, slot: str) -> str | None:
        """Source of a slot of `pilotage.models.slots` for this sensor."""
        return self._trace.source(slot)

    def _arrays(self, x: Any, context: Any) -> tuple[Any, Any]:
        x = array_of(x, self.state, f"state for {self.name}")
        if context is None:
            context = np.zeros(0)
        c = context if hasattr(context, "detach") else np.asarray(context, dtype=float)
        if c.ndim == 0 or c.shape[-1] != self.context_size:
            raise ShapeError(
                f"{self.name} needs a context of {self.context_size} numbers; one of shape {tuple(c.shape)} was given"
            )
        return x, c

    @cached_property
    def _vector(self) -> np.ndarray:
        return self._layout.vector(self._values)

    @cached_property
    def _numbers(self) -> Values:
        return self._layout.numbers(self._values)

    @property
    def _trace(self) -> SensorTrace:
        return _traces(self._recipe)(self._layout)


class SensorTrace:
    """One trace of a recipe: reading, Jacobian and noise as expressions, and the source made from them."""

    def __init__(self, recipe: Recipe, layout: Layout) -> None:
        self.recipe = recipe
        graph = Graph()
        m: Any = SymbolicMath(graph)
        self.x = graph.inputs("x", recipe.state.size)
        self.c = graph.inputs("context", recipe.context_size)
        p = layout.symbols(graph, "s")
        self.z = [graph.lift(e) for e in _reading(recipe, self.x, self.c, p, m)]
        d = recipe.reading.dim
        taken = [self.x[i] for i in recipe.taken]
        stated = (
            [std * std for std in p.__dict__[STD]]
            if recipe.noise_body is None
            else recipe.noise_body(taken, self.c, p, m)
        )
        self.R = square(stated, d, graph, recipe.body.__name__)

    @cached_property
    def H(self) -> list[list[Expr]]:
        return tangent_jacobian(self.recipe.reading, self.z, seeds(self.recipe.state, self.x))

    def source(self, slot: str) -> str | None:
        signature = Signature(slot, ("x", "context", "s"), labels={"x": self.recipe.state.names})
        if slot == "observe":
            return in_place(signature, [("z", self.z)])
        if slot == "linearized_observe":
            return in_place(signature, [("z", self.z), ("H", self.H), ("R", self.R)])
        if slot == "reading_noise":
            return in_place(signature, [("R", self.R)])
        return None

    @cached_property
    def linearized(self) -> Vectorized:
        return Vectorized([e for row in self.H for e in row], ("x", "context", "s"))

    @cached_property
    def noise(self) -> Vectorized:
        return Vectorized([e for row in self.R for e in row], ("x", "context", "s"))


@lru_cache(maxsize=512)
def _traces(recipe: Recipe) -> Callable[[Layout], SensorTrace]:
    made: list[SensorTrace] = []

    def get(layout: Layout) -> SensorTrace:
        if not made:
            made.append(SensorTrace(recipe, layout))
        return made[0]

    return get


def _reading(recipe: Recipe, x: Sequence[Any], c: Sequence[Any], p: Values, m: Any) -> Sequence[Any]:
    z = recipe.body([x[i] for i in recipe.taken], c, p, m)
    z = counted(z, recipe.reading.size, recipe.body.__name__, "components of a reading")
    return recipe.reading.components_normalize(z, m)


class SensorFamily:
    """All sensors that share one function; call it with `std` (or `noise`) and parameter values to get one."""

    def __init__(self, body: Body, **settings: Any) -> None:
        self._body = body
        self._settings = settings
        self.__name__ = self.__qualname__ = body.__name__
        self.__doc__ = body.__doc__
        self.__module__ = body.__module__
        self.__wrapped__ = body
        self.__signature__ = call_signature(self.__call__, settings["params"])

    def __repr__(self) -> str:
        return f"<sensor {self.__name__}(std, {', '.join(self._settings['params'])})>"

    def __call__(
        self,
        *,
        std: Any = None,
        noise: NoiseBody | None = None,
        reads: str | Sequence[str] | None = None,
        **params: Any,
    ) -> TracedSensor:
        s = self._settings
        if std is not None and noise is not None:
            raise ModelError(f"{self.__name__} takes std or noise, not both")
        chosen = noise if noise is not None else std if std is not None else s["std"]
        params = merged(s["params"], params, self.__name__, ("std", "noise", "reads"))
        return TracedSensor(self._body, s["state"], s["reading"], s["context"], params, chosen, names_read(reads))


def sensor(
    *,
    state: Space,
    reading: Space,
    params: Mapping[str, Any] | None = None,
    context: int = 0,
    std: float | Sequence[float] = 1.0,
    noise: NoiseBody | None = None,
) -> Callable[[Body], SensorFamily]:
    """Declare a sensor by what it reads: ``h(x, c, p, m) -> z``, one value per stored component of the reading.

    Args:
        state: the components it needs; on a larger state they are found by name.
        reading: the space of readings.
        params: parameters and their default values.
        context: how many numbers come along with each reading, such as the place of the landmark it belongs to.
        std: standard deviation of the noise, one number or one per tangent component of the reading.
        noise: a function ``(x, c, p, m)`` that returns variances or rows of a covariance, instead of `std`.

    The family takes `std` or `noise`, the parameters, and `reads`: other names for the needed components.

    Example:
        >>> from pilotage.core import Space
        >>> @sensor(state=Space("x y [m]"), reading=Space("distance [m]"), context=2, std=0.1)
        ... def beacon(x, c, p, m):
        ...     return m.hypot(c[0] - x[0], c[1] - x[1])
        >>> beacon().observe([0.0, 0.0], context=[3.0, 4.0]).tolist()
        [5.0]
    """
    settings = {
        "state": state,
        "reading": reading,
        "params": dict(params or {}),
        "context": context,
        "std": noise if noise is not None else std,
    }
    return lambda body: SensorFamily(body, **settings)
