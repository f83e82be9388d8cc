"""Directions of descent: Adam, nonlinear conjugate gradients and L-BFGS; each is told the gradient of a new point."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ...core.arrays import Array

Optimiser = Literal["adam", "cg", "lbfgs"]


class Adam:
    """``d = -rate m / sqrt(v)``, m and v the running means of the gradient and of its square, without their bias.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """

    searches = False

    def __init__(self, rate: Array) -> None:
        self.rate, self.m, self.v, self.k = rate, 0.0 * rate, 0.0 * rate, 0

    def __call__(self, u: Array, g: Array) -> Array:
        """The step from the point `u` with the gradient `g`."""
        self.k += 1
        self.m, self.v = 0.9 * self.m + 0.1 * g, 0.999 * self.v + 0.001 * g * g
        mean, square = self.m / (1.0 - 0.9**self.k), self.v / (1.0 - 0.999**self.k)
        return -self.rate * mean / (np.sqrt(square) + 1e-8)


class ConjugateGradient:
    """``d = -g + beta d``,  ``beta = max(0, g' (g - g_last) / g_last' g_last)``.

    Its length is twice that of the last step, for an equal change of the cost to first order.

    Source: Polak and Ribiere, with the restart of Nocedal and Wright, "Numerical optimization" (2006), equations 5.44,
    5.45 and 3.60.
    """

    searches = True

    def __init__(self, rate: Array) -> None:
        self.rate = rate
        self.last: tuple[Array, Array, Array] | None = None

    def __call__(self, u: Array, g: Array) -> Array:
        """The direction from the point `u` with the gradient `g`; the first step changes an action by its rate."""
        if self.last is None:
            d, length = -g, first_length(self.rate, g)
        else:
            v, slope, before = self.last
            beta = max(float((g * (g - slope)).sum() / (slope * slope).sum()), 0.0)
            d = np.where(g == 0.0, 0.0, beta * before - g)
            d = d if (d * g).sum() < 0.0 else -g
            step = float(np.linalg.norm(u - v) / np.linalg.norm(before))
            length = 2.0 * step * float((slope * before).sum() / min((g * d).sum(), -1e-300))
        self.last = u, g, d
        return length * d


class LBFGS:
    """``d = -H g``, H the inverse Hessian of the last changes of point and gradient, by the two-loop recursion.

    Source: Nocedal and Wright, "Numerical optimization" (2006), algorithm 7.4, equation 7.20.
    """

    searches = True

    def __init__(self, rate: Array, memory: int = 10) -> None:
        self.rate, self.memory = rate, memory
        self.pairs: list[tuple[Array, Array]] = []
        self.last: tuple[Array, Array] | None = None

    def __call__(self, u: Array, g: Array) -> Array:
        """The direction from the point `u` with the gradient `g`, among the actions that are free."""
        if self.last is not None:
            s, y = u - self.last[0], g - self.last[1]
            if (s * y).sum() > 1e-12 * np.sqrt((s * s).sum() * (y * y).sum()):
                self.pairs = [*self.pairs, (s, y)][-self.memory :]
        self.last = u.copy(), g.copy()
        if not self.pairs:
            return -first_length(self.rate, g) * g
        d, shares = -g, list[float]()
        for s, y in reversed(self.pairs):
            shares.append(float((s * d).sum() / (s * y).sum()))
            d = d - shares[-1] * y
        s, y = self.pairs[-1]
        d = d * float((s * y).sum() / (y * y).sum())
        for s, y in self.pairs:
            d = d + s * (shares.pop() - float((y * d).sum() / (s * y).sum()))
        d = np.where(g == 0.0, 0.0, d)
        return d if (d * g).sum() < 0.0 else -g


def first_length(rate: Array, g: Array) -> float:
    """The length of a step against the gradient `g` that changes no action by more than its rate."""
    return float((rate / np.maximum(np.abs(g), 1e-300)).min())


OPTIMISERS = {"adam": Adam, "cg": ConjugateGradient, "lbfgs": LBFGS}
