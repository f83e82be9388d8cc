"""The laws of a space: what `plus`, `minus` and `mean` must satisfy on every manifold."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Rng, Space, generator

from .sentences import made

Array = NDArray[np.float64]

BATCHES: tuple[tuple[int, ...], ...] = ((), (1,), (3, 1, 2))
REGIMES = ("generic", "zero", "tiny", "small", "near half a turn")
TOLERANCE = 1e-12


def check_space(space: Space, *, rng: Rng = 0) -> None:
    """Check a space against the laws of its kind, for several batch shapes, near zero and near half a turn.

    ``x (+) 0 = x``, ``x (+) (y (-) x) = y``, ``(x (+) d) (-) x = d`` inside the injectivity radius, batches equal
    loops, arrays equal scalar components, the mean annuls the weighted residuals, `distance` is symmetric,
    `interpolate` meets its ends, samples lie inside the bounds; and, when torch is loaded, tensors equal arrays.

    Raises:
        AssertionError: with a sentence that names the law, the error and the regime.

    Example:
        >>> check_space(Space("x y [m]", "yaw: angle"))
    """
    made(space, "plus", "minus", "mean", "sample")
    draw = generator(rng)
    _check_description(space)
    _check_samples(space, draw)
    for batch in BATCHES:
        for regime in REGIMES:
            x = space.sample(batch, rng=draw)
            d = tangents(space, batch, regime, draw)
            where = f"on {space}, batch {batch}, {regime} tangents"
            _check_group(space, x, d, where)
            _check_batch(space, x, d, where)
            _check_mean(space, x, d, where)
            if "torch" in sys.modules:
                _check_torch(space, x, d, where)


def tangents(space: Space, batch: tuple[int, ...], regime: str, draw: np.random.Generator) -> Array:
    """Random tangent vectors ``(*batch, dim)`` whose rotations lie inside the injectivity radius."""
    d = draw.standard_normal((*batch, space.dim))
    if regime in ("zero", "tiny", "small"):
        return d * {"zero": 0.0, "tiny": 1e-9, "small": 1e-2}[regime]
    for t in _rotations(space):
        w = d[..., t]
        reach = draw.uniform(0.0, 3.0, w[..., :1].shape) if regime == "generic" else math.pi - 1e-6
        d[..., t] = w / np.linalg.norm(w, axis=-1, keepdims=True) * reach
    return d


def _rotations(space: Space) -> Iterator[slice]:
    """Tangent slices of the rotations."""
    for part, _, t in space.layout:
        turning = {"real": 0, "angle": 1, "SE2": 1}.get(part.kind, 3)
        if turning:
            yield slice(t.stop - turning, t.stop)


def _close(a: Any, b: Any, law: str, where: str, tolerance: float = TOLERANCE) -> None:
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{law} fails {where}: the shapes {a.shape} and {b.shape} differ"
    gap = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    worst = float(gap.max(initial=0.0))
    assert worst <= tolerance, f"{law} fails {where}: off by {worst:.2e}, allowed {tolerance:.0e}"


def _zero(d: Any, law: str, where: str, tolerance: float = TOLERANCE) -> None:
    _close(d, np.zeros_like(d), law, where, tolerance)


def _check_description(space: Space) -> None:
    for attribute in ("names", "units", "low", "high"):
        count = len(getattr(space, attribute))
        assert count == space.size, f"{space} has {count} {attribute} for {space.size} stored components"
    for attribute in ("tangent_names", "tangent_units"):
        count = len(getattr(space, attribute))
        assert count == space.dim, f"{space} has {count} {attribute} for {space.dim} tangent components"
    assert len(set(space.names)) == space.size, f"{space} has two components of one name"
    again = eval(repr(space), {"Space": Space, "inf": math.inf})
    copied = pickle.loads(pickle.dumps(space))
    for other, how in ((again, "its repr"), (copied, "pickle")):
        assert other == space, f"{space} does not come back from {how}, but as {other}"
        assert hash(other) == hash(space), f"{space} and its equal from {how} hash differently"


def _check_samples(space: Space, draw: np.random.Generator) -> None:
    x = space.sample(100, rng=draw)
    assert space.contains(x).all(), f"{space} draws samples outside its bounds"
    where = f"on {space}"
    _close(space.normalize(x), x, "normalize(sample) = sample", where)
    _close(space.clip(x), x, "clip(sample) = sample", where)
    space.check(x)
    space.check(space.identity())


def _check_group(space: Space, x: Array, d: Array, where: str) -> None:
    zero = np.zeros(space.dim)
    _close(space.plus(x, zero), x, "plus(x, 0) = x", where)
    y = space.plus(x, d)
    _close(space.minus(y, x), d, "minus(plus(x, d), x) = d", where, 1e-11)
    _zero(space.minus(space.plus(x, space.minus(y, x)), y), "plus(x, minus(y, x)) = y", where)
    _close(space.normalize(y), y, "plus stays on the manifold", where)
    _close(space.distance(x, y), space.distance(y, x), "distance(x, y) = distance(y, x)", where, 1e-11)
    _zero(space.minus(space.interpolate(x, y, 0.0), x), "interpolate(x, y, 0) = x", where)
    _zero(space.minus(space.interpolate(x, y, 1.0), y), "interpolate(x, y, 1) = y", where)
    half = space.interpolate(x, y, 0.5)
    _close(space.distance(x, half), space.distance(half, y), "the midpoint is as far from both ends", where, 1e-11)


def _check_batch(space: Space, x: Array, d: Array, where: str) -> None:
    from pilotage.core import numpy_math

    y = space.plus(x, d)
    flat_x, flat_d, flat_y = (a.reshape(-1, a.shape[-1]) for a in (x, d, y))
    for one_x, one_d, one_y in zip(flat_x, flat_d, flat_y, strict=True):
        _close(space.plus(one_x, one_d), one_y, "plus on a batch = plus one by one", where)
        parts = space.components_plus(list(one_x), list(one_d), numpy_math)
        _close(np.array(parts, dtype=float), one_y, "plus on arrays = plus on components", where)
        parts = space.components_minus(list(one_y), list(one_x), numpy_math)
        _close(np.array(parts, dtype=float), space.minus(one_y, one_x), "minus on arrays = minus on components", where)
    wide = space.plus(x[..., None, :], d[..., None, :, :] if d.ndim > 1 else d[None, :])
    assert wide.shape[-1] == space.size, f"plus does not broadcast {where}: shape {wide.shape}"


def _check_mean(space: Space, x: Array, d: Array, where: str) -> None:
    _zero(space.minus(space.mean(x[..., None, :]), x), "the mean of one point is the point", where)
    pair = np.stack([space.plus(x, 0.4 * d), space.plus(x, -0.4 * d)], axis=-2)
    _zero(space.minus(space.mean(pair), x), "the mean of x (+) d and x (-) d is x", where, 1e-11)
    # Sigma points of a small spread with a negative weight in the middle.
    spread = 0.2 * np.concatenate([np.zeros((1, space.dim)), np.eye(space.dim), -np.eye(space.dim)])
    points = space.plus(x[..., None, :], spread)
    weights = np.full(len(spread), 1.0 / space.dim)
    weights[0] = -1.0
    _zero(space.minus(space.mean(points, weights), x), "the mean bears negative weights", where, 1e-11)
    uneven = np.stack([x, space.plus(x, 0.3 * d), space.plus(x, 0.3 * np.roll(d, 1, axis=-1))], axis=0)
    w = np.array([0.5, 0.3, 0.2])
    mean = space.mean(uneven, w, axis=0)
    residual = (w.reshape(-1, *(1,) * d.ndim) * space.minus(uneven, mean)).sum(0)
    _zero(residual, "the weighted residuals of the mean add up to zero", where, 1e-11)


def _check_torch(space: Space, x: Array, d: Array, where: str) -> None:
    torch = sys.modules["torch"]
    tx, td = torch.from_numpy(x.copy()), torch.from_numpy(d.copy())
    y = space.plus(x, d)
    ty = torch.from_numpy(y)
    laws: tuple[tuple[str, Callable[[], Any], Any], ...] = (
        ("plus", lambda: space.plus(tx, td), y),
        ("minus", lambda: space.minus(ty, tx), space.minus(y, x)),
        ("normalize", lambda: space.normalize(tx), space.normalize(x)),
        ("distance", lambda: space.distance(tx, ty), space.distance(x, y)),
    )
    for name, tensors, arrays in laws:
        out = tensors()
        assert isinstance(out, torch.Tensor), f"{name} of tensors gives {type(out).__name__} {where}"
        _close(out.numpy(), arrays, f"{name} on tensors = {name} on arrays", where)
