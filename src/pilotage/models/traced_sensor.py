"""Sensors written once: a function of scalar components from which reading, Jacobian, noise and kernels are derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Sensor
from ..core.diffusion import densities
from ..core.errors import ShapeError
from ..core.mathematics import math_for
from ..core.space import Space
from .layout import Layout, Supply
from .mounting import places
from .params import Parameters, Values, spelt
from .portable import portable, restored
from .sharing import derived, one_per_recipe
from .tracing.emit import Signature, in_place
from .tracing.functions import Body, NoiseBody, Spread, counted, square, takes, told
from .tracing.tangent import seeds, tangent_jacobian
from .tracing.tracer import Expr, Graph, SymbolicMath
from .tracing.vectorized import Vectorized, array_of, common_batch, numbers_of, stacked, together, unstacked

STD = "std of the reading"  # no parameter of a model can be called that


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

    Example:
        >>> from pilotage.models import compass
        >>> compass(std=0.1).on(Space("x y [m]", "pose.yaw: angle")).linearize([3.0, 4.0, 0.5]).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(
        self,
        body: Body,
        needs: Space,
        reading: Space,
        context_size: int,
        params: Mapping[str, Any],
        noise: Spread | NoiseBody,
        reads: tuple[str, ...] | None = None,
        state: Space | None = None,
    ) -> None:
        self.name = body.__name__
        self.needs = needs
        self.reads = needs.names if reads is None else reads
        self.state = needs if state is None else state
        self.reading = reading
        self.context_size = context_size
        self.params = params if isinstance(params, Parameters) else Parameters(params)
        values = dict(self.params)
        if not callable(noise):
            values[STD] = tuple(densities(noise, reading, f"std of {self.name}").tolist())
        self._noise: Any = noise if callable(noise) else values[STD]
        self._supply = Supply(values)
        taken = tuple(range(needs.size)) if state is None else places(self.reads, needs, state, self.name)
        body_of_noise = noise if callable(noise) else None
        self.kernel_key = self._recipe = Recipe(
            body, self.state, taken, reading, context_size, body_of_noise, self._supply.layout.key
        )
        self._attached: dict[Space, TracedSensor] = {}
        # What is wrong with the function shows here, and not in the first filter that derives it.
        self._trace = _traced(self._recipe, self._supply.layout)

    def __repr__(self) -> str:
        return f"{self.name}({spelt({('std' if k == STD else k): v for k, v in self._supply.values.items()})})"

    def __reduce__(self) -> Any:
        mounted = None if self.state is self.needs else self.state
        functions = portable(self._recipe.body, self._noise)
        return _again, (functions, self.needs, self.reading, self.context_size, self.params, self.reads, mounted)

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
        return stacked(
            _reading(self._recipe, unstacked(x), unstacked(c), self._supply.numbers(x), math_for(x)), batch, x
        )

    def linearize(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        flat = self._trace.linearized(x, c, self._supply.listed(x))
        return flat.reshape(*flat.shape[:-1], self.reading.dim, self.state.dim)

    def noise(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        flat = self._trace.noise(x, c, self._supply.listed(x))
        return flat.reshape(*flat.shape[:-1], self.reading.dim, self.reading.dim)

    def vector(self, dt: float | None = None) -> np.ndarray:
        """Parameters as compiled code reads them."""
        return self._supply.vector()

    def generated(self, slot: str) -> str | None:
        """Source of a slot of `pilotage.models.binding.slots` for this sensor."""
        return self._trace.source(slot)

    def _arrays(self, x: Any, context: Any) -> tuple[Any, Any]:
        x = array_of(x, self.state, f"state for {self.name}", "; mount it on a bigger state by .on(space)")
        c = np.zeros(0) if context is None else numbers_of(context, f"context for {self.name}")
        if c.ndim == 0 or c.shape[-1] != self.context_size:
            raise ShapeError(
                f"{self.name} needs a context of {self.context_size} numbers; one of shape {tuple(c.shape)} was given"
            )
        return together(x, c)


def _again(
    functions: Any, needs: Space, reading: Space, context_size: int, params: Any, *mounting: Any
) -> TracedSensor:
    """A sensor that was pickled or copied."""
    body, noise = restored(functions)
    return TracedSensor(body, needs, reading, context_size, params, noise, *mounting)


class SensorTrace:
    """One trace of a recipe: reading, Jacobian and noise as expressions, and the source made from them."""

    def __init__(self, recipe: Recipe, layout: Layout) -> None:
        self.recipe = recipe
        graph = Graph()
        m: Any = SymbolicMath(graph)
        self.x = graph.inputs("x", recipe.state.size)
        self.c = graph.inputs("context", recipe.context_size)
        p = layout.symbols(graph, "s")
        with told(recipe.body.__name__, x=[recipe.state.names[i] for i in recipe.taken]):
            self.z = [graph.lift(e) for e in _reading(recipe, self.x, self.c, p, m)]
            self.R = square(self._stated_noise(p, m), recipe.reading.dim, graph, recipe.body.__name__)

    def _stated_noise(self, p: Values, m: Any) -> Any:
        body = self.recipe.noise_body
        if body is None:
            return [std * std for std in p.__dict__[STD]]
        takes(body, ("x", "c", "p", "m"), f"the noise function of {self.recipe.body.__name__}")
        return body([self.x[i] for i in self.recipe.taken], self.c, p, m)

    @derived
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

    @derived
    def linearized(self) -> Vectorized:
        return Vectorized([e for row in self.H for e in row], ("x", "context", "s"))

    @derived
    def noise(self) -> Vectorized:
        return Vectorized([e for row in self.R for e in row], ("x", "context", "s"))


_traced = one_per_recipe(SensorTrace)


def _reading(recipe: Recipe, x: Sequence[Any], c: Sequence[Any], p: Values, m: Any) -> Sequence[Any]:
    z = recipe.body([x[i] for i in recipe.taken], c, p, m)
    z = counted(z, recipe.reading.size, recipe.body.__name__, "components of a reading")
    return recipe.reading.components_normalize(z, m)
