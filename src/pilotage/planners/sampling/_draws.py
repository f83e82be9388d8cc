"""Samples of a space: uniform, Halton, and those that a path cheaper than a known one may visit."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.problem import Problem
from ._bound import Floor

Array = NDArray[np.float64]
Sequence = Literal["uniform", "halton"]
"""Random numbers, or a Halton sequence with a random shift."""
MOST_ROUNDS = 50
"""Rounds of rejection before a batch of samples is given up as too short."""


class Draws:
    """A stream of states of a problem's space, the same for the same seed.

    ::

        phi_b(i) = sum_k a_k b^(-k-1)   for   i = sum_k a_k b^k        the Halton sequence, b a prime for each component
        u = (phi_b(i) + shift) mod 1

    Attributes:
        volume: the volume of what the last samples were drawn from, in the metric.
    """

    def __init__(self, problem: Problem, kind: Sequence, stream: np.random.Generator) -> None:
        self.problem, self.kind, self.stream, self.drawn = problem, kind, stream, 0
        self.shift = stream.random(problem.space.size)
        self.floor = Floor(problem)
        self.volume = self.whole = measure(problem)

    def take(self, count: int) -> Array:
        """The next states ``(count, n)``."""
        if self.kind == "uniform":
            return np.ascontiguousarray(self.problem.space.sample(count, rng=self.stream))
        from scipy.special import ndtri  # heavy, and only rotations need it

        space = self.problem.space
        u = halton(self.drawn, count, space.size) + self.shift
        u -= np.floor(u)
        self.drawn += count
        normal = ndtri(np.clip(u, 1e-12, 1.0 - 1e-12))
        parts = [part.sample(u[:, s], normal[:, s]) for part, s, _ in space.layout]
        return np.ascontiguousarray(space.normalize(np.concatenate(parts, axis=-1)))

    def promising(self, count: int, starts: Array, goals: Array, cost: float) -> Array:
        """States ``(<= count, n)`` on which a path of less than this cost may lie: ``floor(start, x, goal) < cost``.

        Where the metric is Euclidean and there is one start and one goal, they are drawn from the ellipsoid itself;
        elsewhere those outside are rejected.
        """
        if not math.isfinite(cost):
            return self.take(count)
        inside = self.problem.space.linear and len(starts) == len(goals) == 1 and self.kind == "uniform"
        found, missing, tried = list[Array](), count, 0
        for _ in range(MOST_ROUNDS):
            more = self._ellipsoid(missing, starts[0], goals[0], cost) if inside else self.take(max(missing, count))
            kept = more[self.through(more, starts, goals) < cost][:missing]
            found.append(kept)
            tried += len(more)
            missing -= len(kept)
            if not missing:
                break
        if not inside:
            self.volume = self.whole * max(count - missing, 1) / max(tried, 1)
        else:
            self.volume = min(self.whole, self._ellipsoid_volume(starts[0], goals[0], cost))
        return np.ascontiguousarray(np.concatenate(found))

    def _ellipsoid_volume(self, start: Array, goal: Array, cost: float) -> float:
        """The volume of the ellipsoid in the metric."""
        n, length = self.problem.space.dim, float(self.problem.distance(start, goal))
        return unit_ball(n) * 0.5**n * cost * max(cost**2 - length**2, 0.0) ** (0.5 * (n - 1))

    def through(self, x: Array, starts: Array, goals: Array) -> Array:
        """Lower bounds ``(K,)`` of the costs of paths from a start through states ``(K, n)`` to a goal."""
        return self.floor(starts[:, None], x).min(0) + self.floor(x, goals[:, None]).min(0)

    def _ellipsoid(self, count: int, start: Array, goal: Array, cost: float) -> Array:
        """Uniform samples of the ellipsoid ``|w (x - start)| + |w (goal - x)| <= cost`` within the bounds.

        ::

            x = C L u + centre,  u uniform in the unit ball,  L = diag(cost, sqrt(cost^2 - c^2), ...) / 2,
            C the rotation whose first column points from start to goal, c their distance
        """
        space, w = self.problem.space, self.problem.weights
        a, b = w * start, w * goal
        n, length = len(a), float(np.linalg.norm(b - a))
        ball = self.stream.standard_normal((count, n))
        ball *= self.stream.random((count, 1)) ** (1.0 / n) / np.linalg.norm(ball, axis=-1, keepdims=True)
        ball[:, 0] *= 0.5 * cost
        ball[:, 1:] *= 0.5 * math.sqrt(max(cost**2 - length**2, 0.0))
        x = (_reflected(ball, (b - a) / length) + 0.5 * (a + b)) / w
        return x[np.asarray(space.contains(x))]


def _reflected(v: Array, axis: Array) -> Array:
    """Vectors ``(K, n)`` under the Householder reflection that takes the first unit vector to an axis."""
    normal = axis.copy()
    normal[0] -= 1.0
    square = float(normal @ normal)
    return v if square < 1e-24 else v - np.outer(v @ normal, 2.0 * normal / square)


def halton(first: int, count: int, width: int) -> Array:
    """Numbers ``(count, width)`` of the Halton sequence, from index first + 1 on.

    Source: J. Halton, On the efficiency of certain quasi-random sequences of points, 1960.
    """
    out, i = np.zeros((count, width)), np.arange(first + 1, first + count + 1)
    for k, base in enumerate(_primes(width)):
        left, scale = i.copy(), 1.0 / base
        while left.any():
            out[:, k] += scale * (left % base)
            left //= base
            scale /= base
    return out


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % p for p in found):
            found.append(candidate)
        candidate += 1
    return found


def unit_ball(n: int) -> float:
    """The volume of the unit ball in n dimensions."""
    return math.pi ** (0.5 * n) / math.gamma(0.5 * n + 1.0)


def measure(problem: Problem) -> Any:
    """The volume of the bounds in the metric of the problem; turns count a whole turn."""
    extents = np.concatenate([(1.0 if p.linear else 2.0) * np.asarray(p.extents) for p in problem.space.parts])
    return float(np.prod(problem.weights * extents))
