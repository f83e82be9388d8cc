"""Runs of components: neighbouring parts that arrays are moved along together.

Parts on which plus is addition, up to whole turns, are handled by one operation on whole arrays; of every other part,
the functions of scalar components are run on the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import stack, unstack
from .mathematics import math_for, numpy_math, torch_if_tensor
from .parts import Part

Layout = Sequence[tuple[Part, slice, slice]]


class Straight:
    """Neighbouring parts on which plus is addition, up to whole turns."""

    def __init__(self, rows: Layout) -> None:
        self.x = slice(rows[0][1].start, rows[-1][1].stop) if rows else slice(0, 0)
        self.d = slice(rows[0][2].start, rows[-1][2].stop) if rows else slice(0, 0)
        self.size = self.x.stop - self.x.start
        self.turns: NDArray[np.intp] = np.array(
            [s.start - self.x.start for part, s, _ in rows if part.periodic], dtype=np.intp
        )

    def plus(self, x: Any, d: Any) -> Any:
        return self.wrapped(x + d)

    def minus(self, y: Any, x: Any) -> Any:
        return self.wrapped(y - x)

    def normalize(self, x: Any) -> Any:
        return self.wrapped(x + 0.0)  # a fresh array, for reals too

    def wrapped(self, x: Any) -> Any:
        """A fresh array with its angles wrapped."""
        if len(self.turns) == 0:
            return x
        torch = torch_if_tensor(x)
        if torch is None:
            x[..., self.turns] = numpy_math.wrap(x[..., self.turns])
            return x
        mask = torch.zeros(self.size, dtype=torch.bool, device=x.device)
        mask[torch.as_tensor(self.turns, device=x.device)] = True
        return torch.where(mask, math_for(x).wrap(x), x)


class Curved:
    """One part on which plus is not addition."""

    def __init__(self, part: Part, x: slice, d: slice) -> None:
        self.part, self.x, self.d = part, x, d

    def plus(self, x: Any, d: Any) -> Any:
        return stack(self.part.plus(unstack(x), unstack(d), math_for(x, d)), x, d)

    def minus(self, y: Any, x: Any) -> Any:
        return stack(self.part.minus(unstack(y), unstack(x), math_for(y, x)), y, x)

    def normalize(self, x: Any) -> Any:
        return stack(self.part.normalize(unstack(x), math_for(x)), x)


def runs_of(layout: Layout) -> tuple[Straight | Curved, ...]:
    """The runs of a layout, in order."""
    runs: list[Straight | Curved] = []
    straight: list[tuple[Part, slice, slice]] = []
    for row in layout:
        if row[0].flat:
            straight.append(row)
            continue
        if straight:
            runs.append(Straight(straight))
            straight = []
        runs.append(Curved(*row))
    if straight or not runs:
        runs.append(Straight(straight))
    return tuple(runs)


def assembled(pieces: Sequence[Any]) -> Any:
    """Pieces of one batch shape side by side on the last axis."""
    if len(pieces) == 1:
        return pieces[0]
    torch = torch_if_tensor(*pieces)
    return np.concatenate(pieces, axis=-1) if torch is None else torch.cat(pieces, dim=-1)
