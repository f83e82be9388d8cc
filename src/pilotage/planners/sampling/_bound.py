"""A lower bound of the cost of any path between two states."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.problem import Problem

Array = NDArray[np.float64]


class Floor:
    """A metric that no path undercuts.

    On flat parts it is the metric of the problem. The length of ``y (-) x`` on poses is no metric: a path of many short
    moves may be shorter than the one long move. Below it lie the straight way of the position and the angle of the
    rotation, which are, with the smallest of their weights.
    """

    def __init__(self, problem: Problem) -> None:
        self.space, self.weights = problem.space, problem.weights

    @cached_property
    def _moves(self) -> list[tuple[slice, float]]:
        """Where the position of each pose that is perturbed on the right is stored, and its weight."""
        found: list[tuple[slice, float]] = []
        for part, s, t in self.space.layout:
            axes = part.dim - (part.turning.stop - part.turning.start)
            if not part.flat and part.side == "right" and axes == part.acts_on:
                found.append((slice(s.start, s.start + axes), float(self.weights[t][:axes].min())))
        return found

    @cached_property
    def _scales(self) -> tuple[Array, list[tuple[slice, float]]]:
        """Weights of flat components (0 elsewhere), and where rotations are in the tangent, with their weights."""
        flat, turns = np.zeros(self.space.dim), list[tuple[slice, float]]()
        for part, _, t in self.space.layout:
            if part.flat:
                flat[t] = self.weights[t]
            elif part.turning.stop > part.turning.start:
                turning = slice(t.start + part.turning.start, t.start + part.turning.stop)
                turns.append((turning, float(self.weights[turning].min())))
        return flat, turns

    def __call__(self, a: Any, b: Any) -> Array:
        """Lower bounds ``(...)`` of the costs of paths from states ``(..., n)`` to states ``(..., n)``."""
        a, b = np.asarray(a), np.asarray(b)
        d, (flat, turns) = np.asarray(self.space.minus(b, a)), self._scales
        total = ((flat * d) ** 2).sum(-1)
        for turning, weight in turns:
            total = total + ((weight * d[..., turning]) ** 2).sum(-1)
        for stored, weight in self._moves:
            total = total + ((weight * (b[..., stored] - a[..., stored])) ** 2).sum(-1)
        return np.sqrt(total)
