"""Parameters of a traced model as functions of a network: their ranges, what the network sees, and the model code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..core import ModelError, SettingError, Space
from ..core.settings import setting
from ..models import discrete_dynamics
from ..models.trace.dynamics import DynamicsFamily, TracedDynamics
from ..models.trace.params import Values
from ..models.trace.portable import variants
from ._shape import Shape, mean_of

Ranges = tuple[tuple[str, float, float, float], ...]
"""Name, lowest, highest and first value of each parameter."""


def ranges_of(prior: TracedDynamics, varying: Mapping[str, tuple[float, float]]) -> Ranges:
    """Name, range and first value of each parameter."""
    if not isinstance(varying, Mapping) or not varying:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SettingError(f"varying is {varying!r}; expected ranges of parameters by name, such as {{'mass': (1, 2)}}")
    found: list[tuple[str, float, float, float]] = []
    for name, ends in varying.items():
        first = prior.params.get(name)
        if not isinstance(first, int | float):
            numbers = ", ".join(n for n, v in prior.params.items() if isinstance(v, int | float)) or "none"
            raise ModelError(f"{prior.name} has no parameter {name!r} that is one number; it has {numbers}")
        low, high = setting(ends, tuple[float, float], f"varying {name}")
        if not -math.inf < low < first < high < math.inf:
            raise SettingError(
                f"varying {name} is {ends}, but the prior has {first}; expected a finite range around it, such as "
                f"({first - 1.0:g}, {first + 1.0:g})"
            )
        found.append((name, low, high, float(first)))
    return tuple(found)


def seen_by(prior: TracedDynamics, inputs: tuple[str, ...] | None) -> tuple[tuple[Space, Any], tuple[Space, Any]]:
    """The parts of state and action that the network sees, as spaces, and where they are stored."""
    spaces = (prior.state, prior.action)
    known = [(*(part.name for part in space.parts), *space.names) for space in spaces]
    names = (*known[0], *known[1]) if inputs is None else inputs
    for name in names:
        if name not in (*known[0], *known[1]):
            has = ", ".join((*spaces[0].names, *spaces[1].names))
            raise ModelError(f"{prior.name} has no {name!r} for the network to see; it has {has}")
    if inputs is None:
        return (spaces[0], slice(None)), (spaces[1], slice(None))
    chosen = [[name for name in names if name in each] for each in known]
    one, two = ((s.select(c), s.indices(c)[0].tolist()) for s, c in zip(spaces, chosen, strict=True))
    return one, two


@variants
def family(
    prior: TracedDynamics,
    ranges: Ranges,
    inputs: tuple[str, ...] | None,
    shape: Shape,
    density: tuple[float, ...] | None,
) -> DynamicsFamily:
    """The models with this prior and a network of this shape behind these parameters."""
    seen = seen_by(prior, inputs)
    params = dict[str, Any](prior.params) | shape.defaults()
    noise, action_noise, _ = (density, None, None) if density is not None else prior.spread
    names = [name for name, *_ in ranges]

    def within(g: Sequence[Any], m: Any) -> list[Any]:
        rows = [(low, high, math.log((start - low) / (high - start))) for _, low, high, start in ranges]
        return [lo + (hi - lo) * (0.5 + 0.5 * m.tanh(0.5 * (e + a))) for e, (lo, hi, a) in zip(g, rows, strict=True)]

    def parametric(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        phi: list[Any] = []
        for (space, at), v in zip(seen, (x, u), strict=True):
            phi += space.components_features(v[at] if isinstance(at, slice) else [v[i] for i in at], m)
        values = mean_of([within(g, m) for g in shape(phi, p, m)[0]])
        return prior.advance(x, u, dt, Values({**p.__dict__, **dict(zip(names, values, strict=True))}), m)

    made: Any = discrete_dynamics(
        state=prior.state, action=prior.action, params=params, noise=noise, action_noise=action_noise
    )
    return made(parametric)
