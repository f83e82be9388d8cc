"""From rates to a step, on the space: x' = x (+) displacement. Written on scalar components, so traced like a model.

Rates are in the tangent. On groups the Runge-Kutta rules are those of Munthe-Kaas: each stage works in the exponential
coordinates of the starting state, where a body rate k has the coordinate rate ``dexp^-1(k)`` (Munthe-Kaas, "High order
Runge-Kutta methods on manifolds", Applied Numerical Mathematics 29, 1999); that correction is
`Space.components_rate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core.errors import ModelError
from ...core.space import Space

Rates = Callable[[Sequence[Any]], Sequence[Any]]
"""State components to rates in the tangent, action and parameters bound."""


def euler(rates: Rates, space: Space, x: Sequence[Any], dt: Any, m: Any) -> Sequence[Any]:
    """First order: x' = x (+) f(x) dt."""
    return space.components_plus(x, _scaled(rates(x), dt), m)


def midpoint(rates: Rates, space: Space, x: Sequence[Any], dt: Any, m: Any) -> Sequence[Any]:
    """Second order: the rate half a step ahead carries the whole step."""
    half = _scaled(rates(x), 0.5 * dt)
    k = space.components_rate(x, half, _ahead(rates, space, x, half, m), m)
    return space.components_plus(x, _scaled(k, dt), m)


def rk4(rates: Rates, space: Space, x: Sequence[Any], dt: Any, m: Any) -> Sequence[Any]:
    """Fourth order, the classical rule."""
    k1 = rates(x)
    d2 = _scaled(k1, 0.5 * dt)
    k2 = space.components_rate(x, d2, _ahead(rates, space, x, d2, m), m)
    d3 = _scaled(k2, 0.5 * dt)
    k3 = space.components_rate(x, d3, _ahead(rates, space, x, d3, m), m)
    d4 = _scaled(k3, dt)
    k4 = space.components_rate(x, d4, _ahead(rates, space, x, d4, m), m)
    mean = [(a + 2.0 * (b + c) + d) * (1.0 / 6.0) for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
    return space.components_plus(x, _scaled(mean, dt), m)


INTEGRATORS: dict[str, Callable[..., Sequence[Any]]] = {"euler": euler, "midpoint": midpoint, "rk4": rk4}


def integrator(name: str) -> Callable[..., Sequence[Any]]:
    """The rule of that name."""
    if not isinstance(name, str) or name not in INTEGRATORS:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"there is no integrator {name!r}; choose one of {', '.join(INTEGRATORS)}")
    return INTEGRATORS[name]


def _scaled(rates: Sequence[Any], dt: Any) -> list[Any]:
    return [k * dt for k in rates]


def _ahead(rates: Rates, space: Space, x: Sequence[Any], d: Sequence[Any], m: Any) -> Sequence[Any]:
    return rates(space.components_plus(x, d, m))
