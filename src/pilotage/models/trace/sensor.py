"""Sensors as one function of scalar components, from which residual, Jacobians and noise are derived."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Never, final

import numpy as np

from ...core import Sensor
from ...core.covariances import symmetric_root
from ...core.diffusion import densities
from ...core.errors import ModelError, ShapeError
from ...core.sensor import mountable
from ...core.space import Space
from ...core.streams import Rng, generator
from ._functions import Body, NoiseBody, Spread, counted, square, takes, told
from .family import Family, parenthesised, remembered
from .function import SENSOR, Function, Input, matrix, vector
from .graph import Graph
from .model import Traced
from .mounting import names_read, places
from .params import Values, spelt
from .tracer import SymbolicMath
from .vectorized import array_of, common_batch, numbers_of, together

STD, SCALE = "std of the reading", "noise scale"  # no parameter of a model can be called that
NOTHING = Space()
NO_CONTEXT = np.zeros(0)


class TracedSensor(Traced, Sensor):
    """A sensor derived from a function of scalar components; `sensor` creates it.

    Attributes:
        name: the name of the function.
        state: the space that it reads; `on` moves the sensor to a larger one.
        reading: the space of the readings.
        context: the space of the context of each reading (for example, the position of a landmark); empty for none.
        params: the parameters by name.

    Example:
        >>> from pilotage.models import compass
        >>> compass(std=0.1).on(Space("x y [m]", "pose.yaw: angle")).linearize([3.0, 4.0, 0.5]).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(
        self,
        body: Body,
        *,
        needs: Space,
        reading: Space,
        context: Space = NOTHING,
        params: Mapping[str, Any],
        noise: Spread | NoiseBody,
        reads: tuple[str, ...] | None = None,
        state: Space | None = None,
        scale: float | None = None,
    ) -> None:
        super().__init__(
            body, needs=needs, reading=reading, context=context, params=params, noise=noise, reads=reads, state=state,
            scale=scale,
        )  # fmt: skip
        self.needs, self.reading = needs, reading
        self.context: Space = context  # pyright: ignore[reportIncompatibleVariableOverride]
        self.state = needs if state is None else state
        self.reads = needs.names if reads is None else reads
        self._taken = tuple(range(needs.size)) if state is None else places(self.reads, needs, state, self.name)
        self._mounted: dict[Space, TracedSensor] = {}
        values = dict(self.params)
        if not callable(noise):
            values[STD] = tuple(densities(noise, reading, f"std of {self.name}").tolist())
        if scale is not None:
            values[SCALE] = scale
        functions = (body, noise if callable(noise) else None)
        spaces = (self.state, reading, context)
        self._trace("sensor", values, functions, spaces, (self._taken,), self._traced)

    def __repr__(self) -> str:
        return f"{self.name}({spelt({('std' if k == STD else k): v for k, v in self._supply.values.items()})})"

    def on(self, space: Space) -> TracedSensor:
        """The same sensor on a larger state, where it finds its components by name."""
        if space == self.state:
            return self
        if mountable(space, self.name) not in self._mounted:
            self._mounted[space] = self._with(state=space)
        return self._mounted[space]

    def scale_noise(self, factor: float) -> TracedSensor:
        """The same sensor with noise ``factor^2 R``: standard deviations times a factor.

        Example:
            >>> from pilotage.models import gnss
            >>> gnss(std=0.5).scale_noise(2.0).noise([0.0, 0.0]).tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        noise = self._settings["noise"]
        if callable(noise):
            return self._with(scale=(self._settings["scale"] or 1.0) * factor)
        return self._with(noise=tuple((factor * densities(noise, self.reading, f"std of {self.name}")).tolist()))

    def observe(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        return self._results("h", x, c, None)

    def linearize(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        return self._function("H", x, c, None, self._supply.listed(x))

    def linearize_context(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        return self._function("C", x, c, None, self._supply.listed(x))

    @cached_property
    def linear(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether ``h = H x + b``, with H and R that depend only on the context and the parameters."""
        return all(self.dependencies(name) <= {"context", "p"} for name in ("H", "R"))

    def noise(self, x: Any, context: Any = None) -> Any:
        x, c = self._arrays(x, context)
        return self._results("R", x, c, None)

    def sample(self, x: Any, context: Any = None, *, rng: Rng = None) -> np.ndarray:
        x, c = self._arrays(x, context)
        if self._root is None or type(x) is not np.ndarray:
            return super().sample(x, context, rng=rng)
        batch = common_batch(x.shape[:-1], c.shape[:-1], f"state and context of {self.name}")
        e = generator(rng).standard_normal((*batch, self.reading.dim))
        return self._results("w", x, c, e.dot(self._root))

    @cached_property
    def _root(self) -> np.ndarray | None:
        """The symmetric root of R ``(dim, dim)``, where it is the same everywhere, and columns of 0 up to the size."""
        if self.live or self.dependencies("R") - {"p"}:
            return None
        root = symmetric_root(self.noise(self.state.identity(), np.zeros(self.context.size)))
        return np.pad(root, ((0, 0), (0, self.reading.size - self.reading.dim)))

    def _arrays(self, x: Any, context: Any) -> tuple[Any, Any]:
        x = array_of(x, self.state, f"state for {self.name}", "; mount it on a bigger state by .on(space)")
        if context is None and not self.context.size:
            return together(x, NO_CONTEXT)
        c = np.zeros(0) if context is None else numbers_of(context, f"context for {self.name}")
        if c.ndim == 0 or c.shape[-1] != self.context.size:
            raise ShapeError(
                f"the context for {self.name} has shape {tuple(c.shape)}; {self.context.size} numbers were expected"
                f"{': ' if self.context.size else ''}{', '.join(self.context.names)}"
            )
        common_batch(x.shape[:-1], c.shape[:-1], f"state and context of {self.name}")
        return together(x, c)

    def _traced(self) -> Function:
        graph = Graph()
        m: Any = SymbolicMath(graph)
        x, c = graph.inputs("x", self.state.size), graph.inputs("context", self.context.size)
        z, d, p = graph.inputs("z", self.reading.size), self.reading.dim, self._supply.layout.symbols(graph, "p")
        picked = [x[i] for i in self._taken]
        with told(self.name, x=[self.state.names[i] for i in self._taken]):
            h = counted(self._body(picked, c, p, m), self.reading.size, self.name, "components of a reading")
            h = [graph.lift(e) for e in self.reading.components_normalize(h, m)]
            rows = square(self._noise_of(picked, c, p, m), d, graph, self.name)
            scale: Any = p.__dict__.get(SCALE, 1.0)
        return Function(
            SENSOR,
            self.name,
            graph,
            {"x": Input(self.state, x), "context": Input(self.context, c), "z": Input(self.reading, z)},
            {
                "h": vector(h, self.reading),
                "R": matrix([[e * (scale * scale) for e in row] for row in rows], d),
                "e": lambda _: vector([graph.lift(e) for e in self.reading.components_minus(z, h, m)]),
                "w": lambda _: vector([graph.lift(e) for e in self.reading.components_plus(h, z[:d], m)], self.reading),
            },
        )

    def _noise_of(self, x: Sequence[Any], c: Sequence[Any], p: Values, m: Any) -> Any:
        noise = self._settings["noise"]
        if not callable(noise):
            return [std * std for std in p.__dict__[STD]]
        takes(noise, ("x", "c", "p", "m"), f"the noise function of {self.name}")
        return noise(x, c, p, m)


@final
class SensorFamily(Family[TracedSensor]):
    """All sensors that share one function; made by `sensor`.

    Calls take the parameters, `std` or `noise` (see `sensor`), and `reads`, which sets other names for the components:
    ``compass(reads="theta")``.
    """

    kind: ClassVar[str] = "sensor"

    def __init__(
        self,
        body: Body,
        params: Mapping[str, Any] | None,
        *,
        state: Space,
        reading: Space,
        context: Space,
        noise: Spread | NoiseBody,
    ) -> None:
        super().__init__(body, ("x", "c", "p", "m"), params, state=state, reading=reading)
        self.state = state
        self.reading = reading
        if not isinstance(context, Space):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ModelError(f"the context of {self.__name__} is {context!r}; a Space was expected: Space('x y [m]')")
        self.context = context
        self._noise = noise

    @property
    def functions(self) -> dict[str, Any]:
        return {"noise": self._noise if callable(self._noise) else None}

    @remembered
    def __call__(
        self,
        *unnamed: Never,
        std: Spread | None = None,
        noise: NoiseBody | None = None,
        reads: str | Sequence[str] | None = None,
        **params: Any,
    ) -> TracedSensor:
        if std is not None and noise is not None:
            raise ModelError(f"{self.__name__} takes std or noise, not both")
        return TracedSensor(
            self.__wrapped__,
            needs=self.state,
            reading=self.reading,
            context=self.context,
            params=self.values(params, unnamed),
            noise=noise if noise is not None else std if std is not None else self._noise,
            reads=names_read(reads),
        )


@parenthesised
def sensor(
    *,
    state: Space,
    reading: Space,
    params: Mapping[str, Any] | None = None,
    context: Space = NOTHING,
    std: Spread = 1.0,
    noise: NoiseBody | None = None,
) -> Callable[[Body], SensorFamily]:
    """Decorator for a sensor: ``h(x, c, p, m) -> z``, one value per stored component of the reading.

    Args:
        state: the components that the sensor needs; in a larger state, it finds them by name.
        reading: the space of readings.
        params: parameters with their default values.
        context: the space of the context of each reading, such as the position of a landmark; derivatives with respect
            to it make the sensor a factor between two variables. Default: no context.
        std: standard deviation of the noise, one number or one per tangent component of the reading; default 1, in
            the units of the reading.
        noise: a function ``(x, c, p, m)`` that returns variances or rows of a covariance, instead of `std`.

    Calls of the result take the parameters, `std` or `noise`, and `reads`, which sets other names for the components.

    Example:
        >>> from pilotage.core import Space
        >>> @sensor(state=Space("x y [m]"), reading=Space("distance [m]"), context=Space("x y [m]"), std=0.1)
        ... def beacon(x, c, p, m):
        ...     return m.hypot(c[0] - x[0], c[1] - x[1])
        >>> beacon().observe([0.0, 0.0], context=[3.0, 4.0]).tolist()
        [5.0]
    """
    chosen = std if noise is None else noise
    return lambda body: SensorFamily(body, params, state=state, reading=reading, context=context, noise=chosen)
