"""Disturbances: the ways in which the true plant differs from the model, as small values that can be combined.

::

    mismatch   parameters of the plant times factors             the model of the controller keeps its own
    wind       ______/\\_/\\/\\___/\\    a random push, white or coloured, at every tick
    impulse    __________|_______    one jump at a given time
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..core.arrays import Array
from ..core.dynamics import Dynamics
from ..core.errors import SettingError
from ..core.settings import Finite, NonNegative, Positive, setting, settings, shown
from ..core.space import Space


@runtime_checkable
class Disturbance(Protocol):
    """A disturbance changes the parameters of the plant, or pushes its state after each tick, or both."""

    def applied(self, plant: Dynamics) -> Dynamics:
        """The plant under the disturbance."""
        ...

    def pushes(self, space: Space, ticks: int, dt: float, rng: np.random.Generator) -> Array | float:
        """The push after each tick in the tangent of the state, ``(ticks, d)``; 0 for none."""
        ...


@settings
class Mismatch:
    """Model mismatch: parameters of the plant differ from those of the model by factors.

    Args:
        factors: a factor for each parameter by name.

    Raises:
        SettingError: if the plant has no such parameter.

    Example:
        >>> from pilotage.models import pendulum
        >>> Mismatch({"mass": 1.2}).applied(pendulum()).params["mass"]
        1.2
    """

    factors: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, factor in self.factors.items():
            setting(factor, Positive, f"factor of {name}")

    def applied(self, plant: Dynamics) -> Dynamics:
        """The plant with its own parameters times the factors."""
        params, replace = plant.params, getattr(plant, "replace", None)
        for name in self.factors:
            if name not in params or replace is None:
                known = ", ".join(params) or "none"
                raise SettingError(f"mismatch of {name!r}: {plant!r} has no such parameter; it has {known}")
        changed = {name: np.multiply(params[name], factor).tolist() for name, factor in self.factors.items()}
        return plant if replace is None else replace(**{n: _like(v) for n, v in changed.items()})

    def pushes(self, space: Space, ticks: int, dt: float, rng: np.random.Generator) -> float:
        """None."""
        return 0.0


@settings
class Wind:
    """A random push on one component of the state, such as a speed.

    ::

        x_i <- x_i + w dt        w' = -w / correlation + white noise,  stationary std         coloured
        x_i <- x_i + e           e ~ N(0, std^2 dt)                                           white, correlation = 0

    Args:
        component: name of a component of the tangent of the state.
        std: standard deviation of the push [unit of the component per s]; of white noise, per square root of s.
        correlation: time constant [s]; 0 for white noise.
        mean: mean of the push [unit per s].

    Example:
        >>> from pilotage.models import pendulum
        >>> space = pendulum().state
        >>> Wind("theta_rate", std=0.5).pushes(space, 3, 0.1, np.random.default_rng(0)).round(3).tolist()
        [[0.0, 0.02], [0.0, -0.021], [0.0, 0.101]]
    """

    component: str
    std: NonNegative = 0.0
    correlation: NonNegative = 0.0
    mean: Finite = 0.0

    def applied(self, plant: Dynamics) -> Dynamics:
        """The plant itself, if it has the component."""
        _component(plant.state, self.component)
        return plant

    def pushes(self, space: Space, ticks: int, dt: float, rng: np.random.Generator) -> Array:
        """Pushes ``(ticks, d)``."""
        e, found = rng.standard_normal(ticks), np.zeros((ticks, space.dim))
        found[:, _component(space, self.component)] = self.mean * dt + self._gusts(e, dt)
        return found

    def _gusts(self, e: Array, dt: float) -> Array:
        if self.correlation == 0.0:
            return self.std * np.sqrt(dt) * e
        a = np.exp(-dt / self.correlation)
        w = np.empty_like(e)
        for k in range(len(e)):
            w[k] = self.std * e[k] if k == 0 else a * w[k - 1] + self.std * np.sqrt(1.0 - a * a) * e[k]
        return w * dt


@settings
class Impulse:
    """A jump of one component of the state at a given time.

    Args:
        component: name of a component of the tangent of the state.
        size: the jump, in the unit of the component.
        at: time [s]; the jump follows the tick in which it falls.

    Example:
        >>> from pilotage.models import pendulum
        >>> Impulse("theta_rate", 2.0, at=0.15).pushes(pendulum().state, 3, 0.1, np.random.default_rng(0)).tolist()
        [[0.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
    """

    component: str
    size: Finite
    at: NonNegative = 0.0

    def applied(self, plant: Dynamics) -> Dynamics:
        """The plant itself, if it has the component."""
        _component(plant.state, self.component)
        return plant

    def pushes(self, space: Space, ticks: int, dt: float, rng: np.random.Generator) -> Array:
        """Pushes ``(ticks, d)``."""
        found, tick = np.zeros((ticks, space.dim)), int(self.at / dt + 1e-9)
        if tick < ticks:
            found[tick, _component(space, self.component)] = self.size
        return found


KINDS = {"wind": Wind, "impulse": Impulse}


def disturbance_of(given: Any, where: str = "disturbance") -> Disturbance:
    """The disturbance that a mapping with one key describes, as in a suite; a disturbance is returned as it is.

    Example:
        >>> disturbance_of({"mismatch": {"mass": 1.2}})
        Mismatch(factors={'mass': 1.2})
    """
    if isinstance(given, Disturbance):
        return given
    known = ", ".join(["mismatch", *KINDS])
    if not isinstance(given, Mapping) or len(given) != 1:
        raise SettingError(f"{where} is {shown(given)}; expected a mapping with one key: {known}")
    ((kind, values),) = given.items()
    if not isinstance(values, Mapping):
        raise SettingError(f"{where}: {kind} is {shown(values)}; expected a mapping from names to numbers")
    if kind == "mismatch":
        return Mismatch(dict(values))
    if kind not in KINDS:
        raise SettingError(f"{where}: there is no disturbance {kind!r}; there are {known}")
    return KINDS[kind](**values)


def disturbed(plant: Dynamics, disturbances: Sequence[Disturbance]) -> Dynamics:
    """The plant under all disturbances."""
    for each in disturbances:
        plant = each.applied(plant)
    return plant


def _component(space: Space, name: str) -> int:
    if name not in space.tangent_names:
        raise SettingError(f"there is no component {name!r} to push; there are {', '.join(space.tangent_names)}")
    return space.tangent_names.index(name)


def _like(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
