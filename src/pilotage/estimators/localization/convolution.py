"""The motion of a histogram, compiled: every cell is spread by the kernel of its class.

Cells between which motion and its noise are the same form a class: those of one heading, for a robot. Seen from the
centre of a cell of class c, a step leads mu_c cells on with covariance S_c, so its kernel is

    K_c(o)  ~  exp(-(o - mu_c)' S_c^-1 (o - mu_c) / 2)      for offsets o of whole cells near mu_c,   sum K_c = 1

which has mean mu_c and covariance S_c as long as no standard deviation is below half a cell. Along an axis on which
something moves, S_c is therefore widened to a quarter of a squared cell: a heuristic, and the price of cells. Many
small steps add up to more noise than there was; *Probabilistic Robotics* (section 8.2.3) advises fewer and longer ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ...models.trace import driver

REACH = 3.5
"""Standard deviations up to which a kernel reaches."""
FAINT = 1e-5
"""Entries of a kernel with less than this share of its largest are left out."""


@dataclass(frozen=True)
class Kernels:
    """Kernels of C classes, the entries of each in turn.

    Attributes:
        starts: ``(C + 1,)``, where those of each class begin.
        offsets: ``(E, d)`` cells.
        weights: ``(E,)``.
    """

    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    weights: Array

    @classmethod
    def of(cls, mu: Array, S: Array) -> Kernels:
        """Kernels of means ``(C, d)`` and covariances ``(C, d, d)``, in cells."""
        kernels = [_kernel(mean, cov) for mean, cov in zip(mu, S, strict=True)]
        starts = np.cumsum([0, *(len(w) for _, w in kernels)])
        return cls(starts, np.concatenate([o for o, _ in kernels]), np.concatenate([w for _, w in kernels]))


def _kernel(mu: Array, S: Array) -> tuple[NDArray[np.int64], Array]:
    """Offsets ``(E, d)`` and weights ``(E,)``."""
    moves = (np.abs(mu) > 1e-9) | (np.diagonal(S) > 0.0)
    if not moves.any():
        return np.zeros((1, len(mu)), np.int64), np.ones(1)
    m, P = mu[moves], S[np.ix_(moves, moves)]
    P = P + np.diag(np.maximum(0.25 - np.diagonal(P), 0.0))
    half = np.ceil(REACH * np.sqrt(np.diagonal(P))).astype(int)
    sides = [np.arange(-h, h + 1) for h in half]
    o = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, len(m)) + np.round(m).astype(int)
    e = o - m
    w = np.exp(-0.5 * np.einsum("ni,ij,nj->n", e, np.linalg.inv(P), e))
    kept = w > FAINT * w.max()
    offsets = np.zeros((int(kept.sum()), len(mu)), np.int64)
    offsets[:, moves] = o[kept]
    return offsets, w[kept] / w[kept].sum()


def convolved(p: Array, by: tuple[int, ...], kernels: Kernels, closed: tuple[bool, ...]) -> Array:
    """Probabilities ``(n_1, ..., n_d)`` moved by the kernels of their classes; what leaves the grid is lost.

    Args:
        p: the probabilities.
        by: axes whose cells are the classes, in order; up to three others.
        kernels: one for each class.
        closed: whether each axis is a full turn.
    """
    rest = [i for i in range(p.ndim) if i not in by]
    order = [*by, *rest]
    moved = np.transpose(p, order)
    shape = (int(np.prod(moved.shape[: len(by)], dtype=int)), *[1] * (3 - len(rest)), *moved.shape[len(by) :])
    source = np.array(moved, order="C").reshape(shape)
    out = np.zeros(shape)
    offsets = np.zeros((len(kernels.weights), 3), np.int64)
    offsets[:, 3 - len(rest) :] = kernels.offsets[:, rest]
    turns = np.array([False] * (3 - len(rest)) + [closed[i] for i in rest])
    targets = _targets(moved.shape[: len(by)], [closed[i] for i in by], kernels, list(by))
    spread.compiled(source, source.sum(-1), kernels.starts, targets, offsets, kernels.weights, turns, out)
    return np.ascontiguousarray(np.transpose(out.reshape(moved.shape), np.argsort(order)))


def _targets(shape: Any, closed: list[bool], kernels: Kernels, by: list[int]) -> NDArray[np.int64]:
    """The class to which each entry leads ``(E,)``, -1 off the grid."""
    if not by:
        return np.zeros(len(kernels.weights), np.int64)
    classes = np.repeat(np.arange(len(kernels.starts) - 1), np.diff(kernels.starts))
    at = np.stack(np.unravel_index(classes, shape), axis=-1) + kernels.offsets[:, by]
    at = np.where(closed, at % np.array(shape), at)
    inside = ((at >= 0) & (at < shape)).all(-1)
    return np.where(inside, np.ravel_multi_index(tuple(np.where(inside[:, None], at, 0).T), shape), -1)


@driver("void(f8[:,:,:,::1], f8[:,:,::1], i8[::1], i8[::1], i8[:,::1], f8[::1], b1[::1], f8[:,:,:,::1])")
def spread(source, mass, starts, targets, offsets, weights, closed, out):
    """Add each row of cells of `source` to `out`, shifted and weighted by the entries of its class.

    Args:
        source, out: ``(C, n_1, n_2, n_3)``; `out` holds zeros.
        mass: sums over the last axis of `source`; rows without any are left out.
        starts, targets, offsets, weights: the kernels, and the class to which each entry leads.
        closed: whether each of the last three axes is a full turn.
    """
    classes, n1, n2, n3 = source.shape
    for c in range(classes):
        for i in range(n1):
            for j in range(n2):
                if mass[c, i, j] <= 0.0:
                    continue
                for e in range(starts[c], starts[c + 1]):
                    a, b = i + offsets[e, 0], j + offsets[e, 1]
                    a, b = a % n1 if closed[0] else a, b % n2 if closed[1] else b
                    if targets[e] < 0 or a < 0 or a >= n1 or b < 0 or b >= n2:
                        continue
                    o, w, row = offsets[e, 2], weights[e], out[targets[e], a, b]
                    if closed[2]:
                        for k in range(n3):
                            row[(k + o) % n3] += w * source[c, i, j, k]
                    else:
                        for k in range(max(0, -o), min(n3, n3 - o)):
                            row[k + o] += w * source[c, i, j, k]
