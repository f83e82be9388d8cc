"""The laws of a space: properties of `plus`, `minus` and `mean` on every manifold."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pilotage.core import Rng, Space, SpaceError, generator, jacobian, numpy_math
from pilotage.core.arrays import Array

from .sentences import made

BATCHES: tuple[tuple[int, ...], ...] = ((), (1,), (3, 1, 2))
REGIMES = ("generic", "zero", "tiny", "small", "near half a turn")
TOLERANCE = 1e-12


def check_space(space: Space, *, rng: Rng = 0) -> None:
    """Check a space against its laws, for several batch shapes, near zero and near half a turn.

    The laws are: ``x (+) 0 = x``, ``x (+) (y (-) x) = y``, ``(x (+) d) (-) x = d`` inside the injectivity radius;
    batches equal loops; arrays equal scalar components; the weighted residuals of the mean add up to zero; `distance`
    is symmetric; `interpolate` starts and ends at its arguments; `transport` is the derivative that it is defined as,
    and `rate` agrees with it for short steps; groups satisfy the group axioms; features are continuous; samples lie
    within the bounds. If torch is loaded, tensors equal arrays. Tolerances for spaces in float32 are those of float32.

    Raises:
        AssertionError: if a law fails; the message gives the law, the error and the regime.

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
            where = Place(f"on {space}, batch {batch}, {regime} tangents", _slack(space))
            _check_moves(space, x, d, where)
            _check_batch(space, x, d, where)
            _check_mean(space, x, d, where)
            _check_transport(space, x, d, where, regime)
            _check_products(space, x, d, where)
            _check_features(space, x, d, where)
            if "torch" in sys.modules:
                _check_torch(space, x, d, where)


def tangents(space: Space, batch: tuple[int, ...], regime: str, draw: np.random.Generator) -> Array:
    """Random tangent vectors ``(*batch, dim)`` whose rotations lie inside the injectivity radius."""
    d = draw.standard_normal((*batch, space.dim))
    if regime in ("zero", "tiny", "small"):
        return d * {"zero": 0.0, "tiny": 1e-9, "small": 1e-2}[regime]
    for part, _, t in space.layout:
        w = d[..., t][..., part.turning]
        if w.shape[-1]:
            reach = draw.uniform(0.0, 3.0, w[..., :1].shape) if regime == "generic" else part.reach
            w[...] = w / np.linalg.norm(w, axis=-1, keepdims=True) * reach
    return d


class Place(NamedTuple):
    """The description of a case in which a law is checked, and the factor of its tolerance."""

    text: str
    slack: float

    def __str__(self) -> str:
        return self.text


def _slack(space: Space) -> float:
    return 1.0 if space.floats == np.float64 else float(np.finfo(np.float32).eps / np.finfo(np.float64).eps)


def _close(a: Any, b: Any, law: str, where: Place, tolerance: float = TOLERANCE) -> None:
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{law} fails {where}: the shapes {a.shape} and {b.shape} differ"
    tolerance = where.slack * tolerance
    gap = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    worst = float(gap.max(initial=0.0))
    assert worst <= tolerance, f"{law} fails {where}: off by {worst:.2e}, allowed {tolerance:.0e}"


def _zero(d: Any, law: str, where: Place, tolerance: float = TOLERANCE) -> None:
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
    where = Place(f"on {space}", _slack(space))
    _close(space.normalize(x), x, "normalize(sample) = sample", where)
    _close(space.clip(x), x, "clip(sample) = sample", where)
    assert space.check(x).dtype == space.check(space.identity()).dtype == space.dtype


def _check_moves(space: Space, x: Array, d: Array, where: Place) -> None:
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


def _check_batch(space: Space, x: Array, d: Array, where: Place) -> None:
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


def _check_mean(space: Space, x: Array, d: Array, where: Place) -> None:
    _zero(space.minus(space.mean(x[..., None, :]), x), "the mean of one point is the point", where)
    pair = np.stack([space.plus(x, 0.4 * d), space.plus(x, -0.4 * d)], axis=-2)
    _zero(space.minus(space.mean(pair), x), "the mean of x (+) d and x (-) d is x", where, 1e-11)
    # Sigma points of a small spread with a negative weight in the middle.
    spread = 0.2 * np.concatenate([np.zeros((1, space.dim)), np.eye(space.dim), -np.eye(space.dim)])
    points = space.plus(x[..., None, :], spread)
    weights = np.full(len(spread), 1.0 / space.dim)
    weights[0] = -1.0
    _zero(space.minus(space.mean(points, weights), x), "the mean with a negative weight is exact", where, 1e-11)
    uneven = np.stack([x, space.plus(x, 0.3 * d), space.plus(x, 0.3 * np.roll(d, 1, axis=-1))], axis=0)
    w = np.array([0.5, 0.3, 0.2])
    mean = space.mean(uneven, w, axis=0)
    residual = (w.reshape(-1, *(1,) * d.ndim) * space.minus(uneven, mean)).sum(0)
    _zero(residual, "the weighted residuals of the mean add up to zero", where, 1e-11)


def _check_transport(space: Space, x: Array, d: Array, where: Place, regime: str) -> None:
    y = space.plus(x, d)
    G = space.transport(y, x)
    if regime == "near half a turn" or G.dtype == np.float32:
        return  # differences would leave the injectivity radius, or drown in rounding
    here = jacobian(lambda z: space.minus(z, x), y, space, space.tangent)
    _close(here, G, "transport is the derivative of (y (+) e) (-) x", where, 1e-6)
    if regime == "small":
        rows = [G[..., i, :].sum(-1) for i in range(space.dim)]
        rates = space.components_rate(_columns(x), _columns(d), [1.0] * space.dim, numpy_math)
        for rate, row in zip(rates, rows, strict=True):
            _close(np.broadcast_to(rate, row.shape), row, "rate is transport up to fourth order", where, 1e-7)


def _columns(x: Array) -> list[Any]:
    return [x[..., i] for i in range(x.shape[-1])]


def _check_products(space: Space, x: Array, d: Array, where: Place) -> None:
    try:
        inverse = space.inverse(x)
    except SpaceError:
        return  # some part is no group
    one, y = space.identity(), space.plus(x, 0.5 * d)
    z = space.plus(one, -0.3 * d)
    _zero(space.minus(space.compose(x, inverse), one), "x inverse(x) = identity", where, 1e-11)
    _zero(space.minus(space.compose(x, one), x), "x identity = x", where, 1e-11)
    left = space.compose(space.compose(x, y), z)
    _zero(space.minus(space.compose(x, space.compose(y, z)), left), "compose is associative", where, 1e-11)
    half = 0.5 * d
    right, left = space.perturbed("right"), space.perturbed("left")
    moved = space.compose(x, space.plus(one, half))
    _zero(space.minus(right.plus(x, half), moved), "x Exp(d) = x (+) d on the right", where, 1e-11)
    turned = (space.adjoint(x) @ half[..., None])[..., 0]
    exactly = "Exp(Ad d) x = x Exp(d)"
    _zero(space.minus(space.compose(space.plus(one, turned), x), moved), exactly, where, 1e-10)
    _zero(space.minus(left.plus(x, turned), moved), f"{exactly} = x (+) Ad d on the left", where, 1e-10)
    there = (right.swapped(left, x) @ half[..., None])[..., 0]
    _close(there, turned, "swapped to the left is the adjoint", where, 1e-10)
    back = (left.swapped(right, x) @ there[..., None])[..., 0]
    _close(back, half, "swapped to the right is its inverse", where, 1e-10)
    for part in space.parts:
        if part.acts_on:
            p = np.arange(1.0, part.acts_on + 1.0)
            both = space.act(space.compose(x, y), p, part.name)
            _close(space.act(x, space.act(y, p, part.name), part.name), both, "(x y) p = x (y p)", where, 1e-11)


def _check_features(space: Space, x: Array, d: Array, where: Place) -> None:
    f = space.features(x)
    assert f.shape == (*x.shape[:-1], space.width), f"features have shape {f.shape} {where}, width is {space.width}"
    near = space.plus(x, np.full(space.dim, 1e-7))
    _close(space.features(near), f, "features have no seam", where, 1e-5)


def _check_torch(space: Space, x: Array, d: Array, where: Place) -> None:
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
