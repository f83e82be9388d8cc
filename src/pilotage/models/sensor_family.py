"""Declaring sensors: a decorated function becomes a family, and the family makes members with parameter values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Never, final

from ..core.errors import ModelError
from ..core.settings import whole
from ..core.space import Space
from .family import Family, parenthesised
from .mounting import names_read
from .traced_sensor import TracedSensor
from .tracing.functions import Body, NoiseBody, Spread


@final
class SensorFamily(Family[TracedSensor]):
    """All sensors that share one function; made by `sensor`.

    Keyword arguments beside the parameters: `std` or `noise` (see `sensor`), and `reads`, other names for the needed
    components: ``compass(reads="theta")``.
    """

    kind: ClassVar[str] = "sensor"

    def __init__(
        self,
        body: Body,
        params: Mapping[str, Any] | None,
        *,
        state: Space,
        reading: Space,
        context: int,
        noise: Spread | NoiseBody,
    ) -> None:
        super().__init__(body, ("x", "c", "p", "m"), params, state=state, reading=reading)
        self.state = state
        self.reading = reading
        self.context = whole(context, f"context of {self.__name__}", 0)
        self._noise = noise

    @property
    def functions(self) -> dict[str, Any]:
        return {"noise": self._noise if callable(self._noise) else None}

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
            self.state,
            self.reading,
            self.context,
            self.values(params, unnamed),
            noise if noise is not None else std if std is not None else self._noise,
            names_read(reads),
        )


@parenthesised
def sensor(
    *,
    state: Space,
    reading: Space,
    params: Mapping[str, Any] | None = None,
    context: int = 0,
    std: Spread = 1.0,
    noise: NoiseBody | None = None,
) -> Callable[[Body], SensorFamily]:
    """Declare a sensor by what it reads: ``h(x, c, p, m) -> z``, one value per stored component of the reading.

    Args:
        state: the components it needs; on a larger state they are found by name.
        reading: the space of readings.
        params: parameters and their default values.
        context: how many numbers come along with each reading, such as the place of the landmark it belongs to.
        std: standard deviation of the noise, one number or one per tangent component of the reading; default 1, in
            the units of the reading.
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
    chosen = std if noise is None else noise
    return lambda body: SensorFamily(body, params, state=state, reading=reading, context=context, noise=chosen)
