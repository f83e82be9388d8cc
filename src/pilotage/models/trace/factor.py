"""Factors: readings of several variables, with the derivative with respect to each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

from ...core.errors import ModelError
from ...core.space import Space
from ._functions import Body, Spread, takes
from .family import COPIED, parenthesised
from .sensor import NOTHING, SensorFamily


@parenthesised
def factor(
    *,
    variables: Mapping[str, Space],
    reading: Space,
    params: Mapping[str, Any] | None = None,
    context: Space = NOTHING,
    std: Spread = 1.0,
) -> Callable[[Body], SensorFamily]:
    """Decorator for a factor: ``h(a, b, ..., c, p, m) -> z``, with a list of components for each variable.

    ::

        e = z (-) h(a, b, ..., c),    H = [dh/da  dh/db  ...]        in the tangent spaces of the variables

    The result is a sensor whose state is the product of the variables, so filters can use it as well. If there are
    several variables, the component "x" of the variable "tree" is called "tree.x".

    Args:
        variables: spaces by name, in the order of the arguments.
        reading: the space of readings; for a residual without a sensor, use plain numbers, and readings of 0.
        params: parameters with their default values.
        context: the space of known numbers that come with each reading, such as a duration. Default: none.
        std: standard deviation of the noise, one number or one per tangent component of the reading; default 1, in
            the units of the reading.

    Raises:
        ModelError: if the function takes other arguments, or a variable has no space.

    Source: Dellaert and Kaess, "Factor Graphs for Robot Perception" (2017), chapter 1.

    Example:
        >>> from pilotage.core import Space
        >>> PLACE = Space("x y [m]")
        >>> @factor(variables={"a": PLACE, "b": PLACE, "scale": Space("factor")}, reading=PLACE, std=0.1)
        ... def scaled_step(a, b, scale, c, p, m):
        ...     return scale[0] * (b[0] - a[0]), scale[0] * (b[1] - a[1])
        >>> scaled_step().observe([1.0, 1.0, 3.0, 2.0, 10.0]).tolist()
        [20.0, 10.0]
        >>> scaled_step().linearize([1.0, 1.0, 3.0, 2.0, 10.0]).tolist()
        [[-10.0, 0.0, 10.0, 0.0, 2.0], [0.0, -10.0, 0.0, 10.0, 1.0]]
    """
    if not isinstance(variables, Mapping) or not all(isinstance(v, Space) for v in variables.values()):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(
            f"variables of a factor are {variables!r}; expected spaces by name: dict(place=Space('x y [m]'))"
        )
    each = [(variable, part) for variable, space in variables.items() for part in space.parts]
    several = len(variables) > 1
    state = Space(*(replace(part, name=f"{variable}.{part.name}") if several else part for variable, part in each))
    ends = [*accumulate((space.size for space in variables.values()), initial=0)]

    def declared(h: Body) -> SensorFamily:
        takes(h, (*variables, "c", "p", "m"), "a factor function")

        def body(x: Sequence[Any], c: Sequence[Any], p: Any, m: Any) -> Any:
            return h(*(x[a:b] for a, b in pairwise(ends)), c, p, m)

        for attribute in COPIED:
            setattr(body, attribute, getattr(h, attribute))
        return SensorFamily(body, params, state=state, reading=reading, context=context, noise=std)

    return declared
