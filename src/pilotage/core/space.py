"""Spaces: the only place in the library that knows which components are angles.

A space is a product of named parts. It defines how states are stored (`size` components), how they differ (`dim`
tangent components), and how to add and subtract them with angles that wrap correctly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ._components import Column, Componentwise
from ._runs import Curved, Straight, assembled, runs_of
from .arrays import Array, alike, all_finite, numbers, shared_axes, stack, unstack
from .errors import ShapeError, SpaceError
from .mathematics import math_for, torch_if_tensor
from .means import weighted_mean
from .parts import Part
from .settings import setting, whole
from .streams import Rng, generator


class Space(Componentwise):
    """A space of states: a product of named parts, with addition, subtraction, averages and random samples.

    Args:
        *parts: strings or `Part` objects. ``"x y [m]"`` declares reals that share unit and bounds,
            ``"speed [m/s] in [-2, 10]"`` adds bounds, and ``"yaw: angle"`` gives a name a kind: angle, quaternion, SE2,
            SE3, S2 (a direction), or a block of numbers, ``"camera: uint8[3, 64, 64]"``. A quaternion q is stored as
            q.w q.x q.y q.z, a pose p in SE2 as p.x p.y p.yaw, a pose in SE3 as p.x p.y p.z p.qw p.qx p.qy p.qz, and a
            block row by row. A pose may have further vectors, ``"nav: SE3[v]"`` (see `ExtendedPose`), and rotations
            and poses may be perturbed on the left, ``"pose: SE2 left"`` (see `LeftPerturbed`).

    All methods take numpy arrays or torch tensors with the vector on the last axis, and return the same kind of array.
    Leading axes broadcast. Spaces are immutable and hashable, and are equal if their parts are. The methods
    ``components_...`` do the same for sequences of scalar components with their mathematics `m`; the tracer uses them.

    Raises:
        SpaceError: if a string is malformed or a name occurs twice.

    Example:
        >>> space = Space("x y [m]", "yaw: angle", "speed [m/s] in [-2, 10]")
        >>> space.minus([0, 0, -3.1, 1], [0, 0, 3.1, 0]).round(3)
        array([0.   , 0.   , 0.083, 1.   ])
    """

    @cached_property
    def tangent(self) -> Space:
        """The space of the tangent vectors, where plus is addition."""
        return Space(*(t for p in self.parts for t in p.tangent()))

    @cached_property
    def curved(self) -> tuple[Space, NDArray[np.intp]]:
        """The space of the parts where plus is not addition, and their storage indices."""
        names = [p.name for p in self.parts if not p.linear]
        return self.select(names), self.indices(names)[0]

    # -- moving and comparing

    def plus(self, x: Any, d: Any) -> Any:
        """``x (+) d``: states ``(..., size)`` moved along tangent vectors ``(..., dim)``.

        Example:
            >>> Space("yaw: angle").plus([3.0], [0.5]).round(3)
            array([-2.783])
        """
        x, d = self._arrays((x, self.size, "state"), (d, self.dim, "tangent vector"))
        runs = self._runs
        if len(runs) == 1:
            return runs[0].plus(x, d)
        return assembled([run.plus(x[..., run.x], d[..., run.d]) for run in runs])

    def minus(self, y: Any, x: Any) -> Any:
        """``y (-) x``: the shortest tangent vectors ``(..., dim)`` at `x` that lead to `y`.

        ``plus(x, minus(y, x)) == y``; a quaternion and its negative count as equal.
        """
        y, x = self._arrays((y, self.size, "state"), (x, self.size, "state"))
        runs = self._runs
        if len(runs) == 1:
            return runs[0].minus(y, x)
        return assembled([run.minus(y[..., run.x], x[..., run.x]) for run in runs])

    def normalize(self, x: Any) -> Any:
        """`x` with angles wrapped to (-pi, pi], and quaternions and directions scaled to length 1."""
        (x,) = self._arrays((x, self.size, "state"))
        runs = self._runs
        if len(runs) == 1:
            return runs[0].normalize(x)
        return assembled([run.normalize(x[..., run.x]) for run in runs])

    def distance(self, x: Any, y: Any, weights: Any = None) -> Any:
        """``|W (y (-) x)|``, shape ``(...)``.

        Args:
            x: states ``(..., size)``.
            y: states ``(..., size)``.
            weights: weights W: one for each tangent component, one for each part, or a mapping from names of parts,
                with 1 for parts that are left out. None: 1 for all, so that a metre counts as much as a radian.

        Example:
            >>> float(Space("x y [m]", "yaw: angle").distance([0, 0, 0], [3, 0, 2], weights={"yaw": 2.0}))
            5.0
        """
        d = self.minus(y, x)
        if weights is not None:
            d = d * alike(self._weights(weights), d)[0]
        torch = torch_if_tensor(d)
        return np.sqrt(np.einsum("...i,...i", d, d)) if torch is None else torch.linalg.vector_norm(d, dim=-1)

    def interpolate(self, x: Any, y: Any, t: Any) -> Any:
        """``x (+) t (y (-) x)``: from `x` at t = 0 to `y` at t = 1; `t` broadcasts against the batch axes."""
        d, t = alike(self.minus(y, x), t)
        return self.plus(x, t[..., None] * d)

    def mean(self, xs: Any, weights: Any = None, axis: int = -2) -> Any:
        """The weighted mean along `axis`: the point with ``sum_i w_i (x_i (-) mean) = 0``.

        Reals are averaged in closed form, rotations and poses by Gauss-Newton, which supports the negative weights of
        sigma points. The mean is unique if the samples lie within a quarter turn of it, and otherwise one of several.

        Args:
            xs: states ``(..., N, n)``.
            weights: ``(N,)`` or ``(..., N)``; they are divided by their sum, which must be positive. None: equal
                weights.
            axis: the axis to average over; not the last.

        Raises:
            ShapeError: if axes or weights do not fit, or widely scattered poses with negative weights have no mean.

        Example:
            >>> Space("yaw: angle").mean([[3.0], [-3.0]]).round(3)
            array([3.142])
        """
        (xs,) = self._arrays((xs, self.size, "state"))
        space: Any = self  # pyright takes a cached property for another thing than a property
        return weighted_mean(space, *cast("tuple[Any, Any]", self.curved), xs, weights, axis)

    def transport(self, y: Any, x: Any) -> Array:
        """The matrices ``(..., dim, dim)`` that move tangent vectors at `y` to the tangent space at `x`.

        They are ``G = d ((y (+) e) (-) x) / d e`` at e = 0, in closed form, and the identity where plus is addition. A
        covariance P at y is ``G P G'`` at x.
        """
        d: Any = self.minus(y, x)
        base, m = alike(x, d, dtype=self.floats)[0], math_for(d)

        def column(part: Part, s: slice, t: slice, unit: list[float]) -> Sequence[Any]:
            return part.transport(unstack(base[..., s]), unstack(d[..., t]), unit, m)

        return self._matrix(d, column)

    # -- sides

    def perturbed(self, side: str) -> Space:
        """The space of the same states, with rotations and poses perturbed on one side.

        Args:
            side: "right" for ``x Exp(d)``, the usual one, or "left" for ``Exp(d) x``.

        Raises:
            SettingError: if the side is neither.

        Example:
            >>> Space("pose: SE2", "speed").perturbed("left")
            Space('pose: SE2 left', 'speed')
        """
        setting(side, Literal["right", "left"], "the side of a perturbation")
        return Space(*(p.perturbed(side) for p in self.parts))

    def swapped(self, other: Space, x: Any) -> Array:
        """The matrices ``(..., dim, dim)`` that give tangent vectors of this space at `x` as those of `other`.

        A covariance P on this space is ``T P T'`` on the other, which is exact: ``x Exp(d) = Exp(Ad_x d) x``.

        Args:
            other: the same states, some of them perturbed on the other side.
            x: states ``(..., size)``.

        Raises:
            SpaceError: if the states of the other space are not the same.
        """
        self._same_states(other)
        (x,) = self._arrays((x, self.size, "state"))
        m, sides = math_for(x), {p.name: p.side for p in other.parts}

        def column(part: Part, s: slice, t: slice, unit: list[float]) -> Sequence[Any]:
            return unit if part.side == sides[part.name] else part.swapped(unstack(x[..., s]), unit, m)

        return self._matrix(x, column)

    def _same_states(self, other: Space) -> None:
        """Refuse a space whose states are not those of this one, whatever the sides."""
        mine, theirs = self.perturbed("right").parts, other.perturbed("right").parts
        if len(mine) != len(theirs) or not all(a.alike(b) for a, b in zip(mine, theirs, strict=True)):
            raise SpaceError(f"{other} does not have the states of {self}, perturbed on one side or the other")

    # -- groups

    def identity(self) -> Array:
        """The neutral element ``(size,)``: zeros and identity rotations."""
        return np.concatenate([np.zeros(0), *(np.asarray(p.identity()) for p in self.parts)]).astype(self.dtype)

    def compose(self, x: Any, y: Any) -> Any:
        """The products ``x y`` of states ``(..., size)``, part by part: y, as seen from the frame of x.

        Raises:
            SpaceError: when a part is no group.

        Example:
            >>> Space("pose: SE2").compose([1, 0, np.pi / 2], [2, 0, 0]).round(3)
            array([1.   , 2.   , 1.571])
        """
        x, y = self._arrays((x, self.size, "state"), (y, self.size, "state"))
        return stack(self.components_compose(unstack(x), unstack(y), math_for(x, y)), x, y)

    def inverse(self, x: Any) -> Any:
        """The states with ``compose(x, inverse(x)) == identity()``.

        Raises:
            SpaceError: when a part is no group.
        """
        (x,) = self._arrays((x, self.size, "state"))
        return stack(self.components_inverse(unstack(x), math_for(x)), x)

    def act(self, x: Any, points: Any, name: str | None = None) -> Any:
        """Points ``(..., k)``, moved from the frames of states ``(..., size)`` to the frame of these states.

        Args:
            x: states with a pose, a quaternion or an angle.
            points: k = 2 in the plane, 3 in space.
            name: the part that moves the points, if there are several candidates.

        Raises:
            SpaceError: if no part moves points, or several do and `name` is missing.

        Example:
            >>> Space("pose: SE2", "speed").act([1, 0, np.pi / 2, 9.0], [2, 0]).round(3)
            array([1., 2.])
        """
        part, s, _ = self._mover(name)
        x, points = self._arrays((x, self.size, "state"), (points, part.acts_on, "point"))
        own = x[..., s]
        return stack(part.act(unstack(own), unstack(points), math_for(x, points)), own, points)

    def adjoint(self, x: Any) -> Array:
        """The matrices ``Ad`` ``(..., dim, dim)`` with ``x Exp(d) = Exp(Ad d) x``.

        Raises:
            SpaceError: when a part is no group.
        """
        (x,) = self._arrays((x, self.size, "state"))
        m = math_for(x)

        def column(part: Part, s: slice, t: slice, unit: list[float]) -> Sequence[Any]:
            return part.adjoint(unstack(x[..., s]), unit, m)

        return self._matrix(x, column)

    def _mover(self, name: str | None) -> tuple[Part, slice, slice]:
        rows = [row for row in self.layout if (row[0].acts_on if name is None else row[0].name == name)]
        if len(rows) == 1 and rows[0][0].acts_on:
            return rows[0]
        several = ", ".join(p.name for p, _, _ in self.layout if p.acts_on)
        raise SpaceError(
            f"{name or 'act'} does not say what moves the points; parts of {self} that do are: {several or 'none'}"
        )

    # -- random states, bounds, checks

    def sample(self, n: int | tuple[int, ...] | None = None, *, rng: Rng = None) -> Array:
        """Random states: uniform between finite bounds and over rotations, standard normal where unbounded.

        Args:
            n: None for one state ``(size,)``, or the number or shape of the leading axes.
            rng: seed or generator. With a single bound, the normal distribution is mirrored at it.
        """
        draw = generator(rng)
        batch = () if n is None else n if isinstance(n, (tuple, list)) else (n,)
        shape = (*(whole(count, "n", 0) for count in batch), self.size)
        uniform, normal = draw.random(shape), draw.standard_normal(shape)
        if self._box is not None:
            return self._box[0] + uniform * self._box[1]
        pieces = [p.sample(uniform[..., s], normal[..., s]) for p, s, _ in self.layout]
        return cast(Array, self.normalize(np.concatenate([uniform[..., :0], *pieces], axis=-1)).astype(self.dtype))

    def clip(self, x: Any) -> Any:
        """`x` normalised and clipped to the bounds, as numpy arrays with the dtype of the space."""
        x = self.normalize(x)
        x = math_for(x).clip(x, *alike(self.low, self.high, x)[:2])
        if torch_if_tensor(x) is not None:
            return x
        return (np.rint(x) if self.dtype.kind in "iu" else x).astype(self.dtype, copy=False)

    def contains(self, x: Any) -> Any:
        """Whether each state ``(..., size)`` lies within the bounds, bools ``(...)``; False for NaN."""
        (x,) = self._arrays((x, self.size, "state"))
        low, high, _ = alike(self.low, self.high, x)
        return ((x >= low) & (x <= high)).all(-1)

    def check(self, x: Any, name: str = "state", *, finite: bool = True) -> Array:
        """`x` as an array ``(..., size)`` with the `dtype` of the space; raises an error if it is not valid.

        Arrays with the `shape` of the space, such as images, are flattened.

        Args:
            x: the value to check.
            name: the name of the value in the error.
            finite: False if numbers may be missing, as in readings: NaN passes, and masked numbers become NaN.

        Raises:
            ShapeError: if `x` is not numeric, its last axis has the wrong length, it is masked or has a unit, a
                quaternion does not have length 1 to 1e-3, or (unless `finite` is False) a number is NaN or infinite.

        Example:
            >>> Space("x y [m]").check([1, 2])
            array([1., 2.])
        """
        array = numbers(x, name, self.dtype if self.dtype.kind == "f" else _type_of(x, self.dtype), missing=not finite)
        axes = len(self.shape)
        if axes > 1 and array.shape[-axes:] == self.shape:
            array = array.reshape(*array.shape[:-axes], self.size)
        if array.ndim == 0 or array.shape[-1] != self.size:
            raise ShapeError(f"{name} has shape {array.shape}; expected (..., {self.size}) holding {self.listing}")
        if finite and not all_finite(array):
            bad: NDArray[np.bool_] = np.asarray(~np.isfinite(array).reshape(-1, self.size).all(axis=0))
            where = ", ".join(n for p, s, _ in self.layout for n in p.spots(bad[s]))
            raise ShapeError(f"{name} is NaN or infinite in {where}; give finite numbers")
        for part, s, _ in self._strict:
            wrong = part.misfit(array[..., s], name)
            if wrong:
                raise ShapeError(wrong)
        return array.astype(self.dtype, copy=False)

    # -- what networks see

    def features(self, x: Any) -> Any:
        """States ``(..., size)`` as continuous features ``(..., width)`` for a network.

        An angle becomes its cosine and sine, a rotation its matrix. A network of these features is continuous where an
        angle wraps, and treats q and -q alike.

        Example:
            >>> Space("x [m]", "yaw: angle").features([2.0, 0.0])
            array([2., 1., 0.])
        """
        (x,) = self._arrays((x, self.size, "state"))
        m = math_for(x)
        pieces = [
            x[..., s] if p.linear else stack(p.features(unstack(x[..., s]), m), x[..., s]) for p, s, _ in self.layout
        ]
        return assembled(pieces) if pieces else x

    @cached_property
    def width(self) -> int:
        """The number of features of a state."""
        return sum(p.width for p in self.parts)

    # -- plumbing

    @cached_property
    def _runs(self) -> tuple[Straight | Curved, ...]:
        return runs_of(self.layout)

    @cached_property
    def _box(self) -> tuple[Array, Array] | None:
        """Lowest states and extents, if all components are plain numbers between bounds a finite distance apart."""
        plain = self.dtype == np.float64 and all(p.linear and type(p).sample is Part.sample for p in self.parts)
        with np.errstate(over="ignore", invalid="ignore"):
            extents = self.high - self.low
        return (self.low, extents) if plain and np.isfinite(extents).all() else None

    @cached_property
    def _strict(self) -> tuple[tuple[Part, slice, slice], ...]:
        """Parts that not all numbers are states of."""
        return tuple(row for row in self.layout if type(row[0]).misfit is not Part.misfit)

    def _arrays(self, *given: tuple[Any, int, str]) -> tuple[Any, ...]:
        """Arrays or tensors of one kind, with last axes of the right length."""
        values = alike(*(value for value, _, _ in given), dtype=self.floats)
        for value, (_, length, what) in zip(values, given, strict=True):
            if value.ndim == 0 or value.shape[-1] != length:
                raise ShapeError(
                    f"a {what} of shape {tuple(value.shape)} was given to {self}; expected (..., {length})"
                )
        if len(values) > 1 and values[0].shape[:-1] != values[1].shape[:-1]:
            shared_axes(first=tuple(values[0].shape[:-1]), second=tuple(values[1].shape[:-1]))
        return values

    def _weights(self, weights: Any) -> Array:
        """Weights of a distance for each tangent component ``(dim,)``."""
        if isinstance(weights, Mapping):
            given = cast("Mapping[str, float]", weights)
            self._places(given)
            weights = [given.get(p.name, 1.0) for p in self.parts]
        w = numbers(weights, "weights")
        if w.shape == (len(self.parts),) != (self.dim,):
            w = np.repeat(w, [p.dim for p in self.parts])
        if w.shape != (self.dim,) or not (w >= 0.0).all():
            raise ShapeError(
                f"the weights of a distance are {weights!r}; expected {self.dim} numbers, 0 or more, one for each of "
                f"{', '.join(self.tangent_names)}, or {len(self.parts)}, one for each part"
            )
        return w

    def _matrix(self, like: Any, column: Column) -> Array:
        """Matrices ``(..., dim, dim)`` of `_blocks`, over the leading axes of `like`."""
        torch, shape = torch_if_tensor(like), (*like.shape[:-1], self.dim, self.dim)
        out: Any = np.zeros(shape, dtype=self.floats) if torch is None else like.new_zeros(shape)
        out[..., np.arange(self.dim), np.arange(self.dim)] = 1.0
        for i, j, value in self._blocks(column):
            out[..., i, j] = value
        return out


def _type_of(x: Any, kept: np.dtype[Any]) -> Any:
    """The type to read numbers in that are kept as whole ones: theirs, if that is it, else floats to be checked."""
    return kept if getattr(x, "dtype", None) == kept else np.float64
