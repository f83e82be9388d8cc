"""Traced expressions evaluated on whole batches, in numpy or torch."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...core.arrays import alike, numbers
from ...core.errors import ShapeError
from ...core.mathematics import math_for
from ...core.space import Space
from .source import Signature, components
from .tracer import Expr


def numbers_of(value: Any, what: str) -> Any:
    """`value` as an array of numbers, or a sentence; tensors pass as they are."""
    return value if hasattr(value, "detach") else numbers(value, what)


def array_of(value: Any, space: Space, what: str, hint: str = "") -> Any:
    """`value` as an array ``(..., size)`` of numbers, NaN among them, or a sentence; tensors pass as they are.

    The sentence about a wrong length ends with the `hint`.
    """
    value = numbers_of(value, what)
    if value.ndim == 0 or value.shape[-1] != space.size:
        try:
            space.check(np.zeros(value.shape), what)
        except ShapeError as error:
            raise ShapeError(f"{error}{hint}") from None
    return value


def finite(value: Any, space: Space, what: str) -> Any:
    """`value` as states ``(..., size)`` without NaN, or a sentence; of tensors only the length is looked at."""
    return array_of(value, space, what) if hasattr(value, "detach") else space.check(value, what)


def together(*values: Any) -> tuple[Any, ...]:
    """`values` as they are where all are arrays; where one is a tensor, all as tensors of its precision and device."""
    return alike(*values) if any(hasattr(value, "detach") for value in values) else values


def common_batch(first: tuple[int, ...], second: tuple[int, ...], what: str) -> tuple[int, ...]:
    """The batch axes that two inputs broadcast to, or a sentence."""
    if not first or not second:  # as a rule; numpy takes longer to say so
        return tuple(first or second)
    try:
        return np.broadcast_shapes(tuple(first), tuple(second))
    except ValueError:
        raise ShapeError(
            f"{what} have the batch axes {tuple(first)} and {tuple(second)}, which do not broadcast; give them equal "
            "axes, or axes of length 1"
        ) from None


def unstacked(x: Any) -> Sequence[Any]:
    """Components of the last axis."""
    return x.unbind(-1) if hasattr(x, "unbind") else [x[..., i] for i in range(x.shape[-1])]


def stacked(values: Sequence[Any], batch: tuple[int, ...], like: Any) -> Any:
    """Components along a new last axis, each broadcast to the batch shape; of the array kind of `like`."""
    if hasattr(like, "detach"):
        torch = sys.modules["torch"]
        tensors = [
            v if torch.is_tensor(v) else torch.as_tensor(v, dtype=like.dtype, device=like.device) for v in values
        ]
        if not tensors:
            return like.new_zeros((*batch, 0))
        return torch.stack([t.expand(batch) for t in tensors], -1)
    out = np.empty((*batch, len(values)))
    for i, value in enumerate(values):
        out[..., i] = value
    return out


BATCHED = {"x", "u", "context", "z", "r", "a", "b"}
"""Inputs that are arrays ``(..., size)``; the others, dt and p, are shared by a batch."""


class Vectorized:
    """A list of expressions as one function of batches.

    Args:
        outputs: the expressions.
        arguments: names of the input groups, in order.
    """

    def __init__(self, outputs: Sequence[Expr], arguments: tuple[str, ...]) -> None:
        self.outputs = list(outputs)
        self.arguments = arguments

    @cached_property
    def _function(self) -> Any:
        text = components(Signature("f", self.arguments), self.outputs)
        namespace: dict[str, Any] = {"math": math}
        exec(compile(text, "<traced>", "exec"), namespace)  # source made by this package from a trace
        return namespace["f"]

    def __call__(self, *inputs: Any) -> Any:
        """Values ``(..., number of outputs)``; inputs that are not needed may be None."""
        batch: tuple[int, ...] = ()
        given: list[Any] = []
        like: Any = None
        for name, value in zip(self.arguments, inputs, strict=True):
            if value is None or name not in BATCHED:
                given.append(value)
                continue
            batch = common_batch(batch, value.shape[:-1], f"the inputs {', '.join(self.arguments)}")
            like = value if like is None or hasattr(value, "detach") else like
            given.append(unstacked(value))
        if not self.outputs:
            return stacked([], batch, like)
        return stacked(self._function(*given, math_for(like)), batch, like)
