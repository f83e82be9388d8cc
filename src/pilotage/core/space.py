"""Spaces: the only place that knows what an angle is.

A space is a product of named parts. It tells how states are stored (`size` components), how they differ (`dim`
tangent components), and how to add and subtract without ever tearing an angle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import alike, frozen, stack, unstack
from .errors import ShapeError, SpaceError
from .grammar import parse, spell
from .mathematics import Component, Mathematics, math_for, numpy_math, torch_if_tensor
from .means import weighted_mean
from .parts import Angle, Part, Real
from .poses import SE2
from .states import checked, drawn
from .streams import Rng

Array = NDArray[np.float64]


class Space:
    """A product of named parts, on which states are added, subtracted, averaged and drawn.

    Args:
        *parts: strings or `Part` objects. ``"x y [m]"`` declares reals that share unit and bounds,
            ``"speed [m/s] in [-2, 10]"`` bounds them, and ``"yaw: angle"`` names one of the kinds angle, quaternion,
            SE2 and SE3. A quaternion q is stored q.w q.x q.y q.z; a pose p in SE2 p.x p.y p.yaw, in SE3
            p.x p.y p.z p.qw p.qx p.qy p.qz.

    All methods take numpy arrays or torch tensors with the vector on the last axis and return the same kind; leading
    axes broadcast. Spaces are frozen, compare by their parts, and hash.

    Raises:
        SpaceError: on a malformed string or a name used twice.

    Example:
        >>> space = Space("x y [m]", "yaw: angle", "speed [m/s] in [-2, 10]")
        >>> space.minus([0, 0, -3.1, 1], [0, 0, 3.1, 0]).round(3)
        array([0.   , 0.   , 0.083, 1.   ])
    """

    parts: tuple[Part, ...]

    def __init__(self, *parts: str | Part) -> None:
        self.parts = tuple(p for given in parts for p in parse(given))
        counts: dict[str, int] = {}
        for name in (*self.names, *(p.name for p in self.parts if p.size > 1)):
            counts[name] = counts.get(name, 0) + 1
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise SpaceError(f"the name {twice[0]!r} is used twice; names in a space must differ")

    # -- what the space is made of

    @cached_property
    def size(self) -> int:
        """Number of stored components."""
        return sum(p.size for p in self.parts)

    @cached_property
    def dim(self) -> int:
        """Number of tangent components."""
        return sum(p.dim for p in self.parts)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the stored components."""
        return tuple(n for p in self.parts for n in p.names)

    @cached_property
    def tangent_names(self) -> tuple[str, ...]:
        """Names of the tangent components."""
        return tuple(n for p in self.parts for n in p.tangent_names)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Units of the stored components."""
        return tuple(u for p in self.parts for u in p.units)

    @cached_property
    def tangent_units(self) -> tuple[str, ...]:
        """Units of the tangent components."""
        return tuple(u for p in self.parts for u in p.tangent_units)

    @cached_property
    def low(self) -> Array:
        """Lower bounds of the stored components, -inf where free."""
        return frozen([b for p in self.parts for b in p.low])

    @cached_property
    def high(self) -> Array:
        """Upper bounds of the stored components, inf where free."""
        return frozen([b for p in self.parts for b in p.high])

    @cached_property
    def flat(self) -> bool:
        """True when all parts are reals or angles: storage and tangent have the same layout."""
        return all(p.flat for p in self.parts)

    @cached_property
    def linear(self) -> bool:
        """True when all parts are reals: ``plus`` is addition."""
        return all(isinstance(p, Real) for p in self.parts)

    @cached_property
    def angles(self) -> NDArray[np.intp]:
        """Storage indices of the parts that are angles."""
        return np.array([s.start for p, s, _ in self.layout if isinstance(p, Angle)], dtype=np.intp)

    @cached_property
    def quaternions(self) -> tuple[slice, ...]:
        """Where quaternions are stored: in the last four places of every part that has one."""
        return tuple(slice(s.stop - 4, s.stop) for p, s, _ in self.layout if not p.flat and not isinstance(p, SE2))

    @cached_property
    def tangent(self) -> Space:
        """The tangent vectors as a space of reals."""
        return Space(*(Real(n, u) for n, u in zip(self.tangent_names, self.tangent_units, strict=True)))

    @cached_property
    def layout(self) -> tuple[tuple[Part, slice, slice], ...]:
        """Each part with the slices it takes of storage and tangent."""
        rows: list[tuple[Part, slice, slice]] = []
        i = j = 0
        for p in self.parts:
            rows.append((p, slice(i, i + p.size), slice(j, j + p.dim)))
            i, j = i + p.size, j + p.dim
        return tuple(rows)

    def index(self, name: str) -> int:
        """Where the stored component `name` lies on the last axis.

        Example:
            >>> Space("x y [m]", "pose: SE2").index("pose.yaw")
            4
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise SpaceError(f"there is no component {name!r}; this space has {', '.join(self.names)}") from None

    def tangent_index(self, name: str) -> int:
        """Where the tangent component `name` lies on the last axis of a tangent vector."""
        try:
            return self.tangent_names.index(name)
        except ValueError:
            raise SpaceError(
                f"there is no tangent component {name!r}; this space has {', '.join(self.tangent_names)}"
            ) from None

    # -- new spaces from this one

    def select(self, names: str | Iterable[str]) -> Space:
        """The space of some parts, in the order given. A rotation or pose is selected whole, by its part's name.

        Example:
            >>> Space("x y [m]", "yaw: angle").select("yaw x")
            Space('yaw: angle', 'x [m]')
        """
        return Space(*(self.parts[i] for i in self._find(names)))

    def indices(self, names: str | Iterable[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Storage and tangent indices of the parts `names`, in the order given; see `select`."""
        rows = [self.layout[i] for i in self._find(names)]
        storage = [i for _, s, _ in rows for i in range(s.start, s.stop)]
        tangent = [j for _, _, t in rows for j in range(t.start, t.stop)]
        return np.array(storage, dtype=np.intp), np.array(tangent, dtype=np.intp)

    def _find(self, names: str | Iterable[str]) -> list[int]:
        wanted = names.split() if isinstance(names, str) else list(names)
        known = {p.name: i for i, p in enumerate(self.parts)}
        for name in wanted:
            if name in known:
                continue
            if name in self.names:
                part = next(p for p in self.parts if name in p.names)
                raise SpaceError(f"{name} is one component of {part}; select {part.name} as a whole")
            raise SpaceError(f"there is no part {name!r}; this space has {', '.join(known)}")
        return [known[name] for name in wanted]

    def bounded(self, limits: Mapping[str, tuple[float, float]] | None = None, /, **more: tuple[float, float]) -> Space:
        """This space with new bounds on some components: ``space.bounded(speed=(0, 3))``.

        Names with dots go in a mapping: ``space.bounded({"pose.x": (0, 10)})``.
        """
        parts = {p.name: p for p in self.parts}
        for name, pair in {**(limits or {}), **more}.items():
            self.index(name)
            try:
                low, high = (float(bound) for bound in pair)
            except (TypeError, ValueError):
                raise SpaceError(f"the bounds of {name} are two numbers (low, high), not {pair!r}") from None
            part = next(p for p in parts.values() if name in p.names)
            parts[part.name] = part.bounded(name, low, high)
        return Space(*parts.values())

    def join(self, *others: Space) -> Space:
        """The product of this space and others, in that order; the same as ``self * other``."""
        for other in others:
            if not isinstance(other, Space):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SpaceError(f"spaces are joined with spaces, not with {other!r}; Space('y [m]') makes one")
        return Space(*self.parts, *(p for other in others for p in other.parts))

    def __mul__(self, other: Space) -> Space:
        return self.join(other)

    def prefixed(self, prefix: str) -> Space:
        """The same space with every part named ``prefix.name``, so that it can be joined to another of its kind."""
        return Space(*(replace(p, name=f"{prefix}.{p.name}") for p in self.parts))

    # -- on sequences of scalar components

    def components_plus(self, xs: Sequence[Component], ds: Sequence[Component], m: Mathematics) -> list[Component]:
        """`plus` on sequences of scalar components; what the tracer runs."""
        return [c for p, s, t in self.layout for c in p.plus(xs[s], ds[t], m)]

    def components_minus(self, ys: Sequence[Component], xs: Sequence[Component], m: Mathematics) -> list[Component]:
        """`minus` on sequences of scalar components; what the tracer runs."""
        return [c for p, s, _ in self.layout for c in p.minus(ys[s], xs[s], m)]

    def components_bracket(self, a: Sequence[Component], b: Sequence[Component], m: Mathematics) -> list[Component]:
        """Lie bracket ``[a, b]`` of two tangent vectors, for perturbations on the right."""
        return [c for p, _, t in self.layout for c in p.bracket(a[t], b[t], m)]

    def components_normalize(self, xs: Sequence[Component], m: Mathematics) -> list[Component]:
        """`normalize` on a sequence of scalar components."""
        return [c for p, s, _ in self.layout for c in p.normalize(xs[s], m)]

    def rate(self, d: Sequence[Component], v: Sequence[Component], m: Mathematics) -> list[Component]:
        """Rate of the coordinates d of ``x (+) d`` when the point moves with body velocity v; see `Part.rate`."""
        return [c for p, _, t in self.layout for c in p.rate(d[t], v[t], m)]

    # -- on arrays

    def plus(self, x: Any, d: Any) -> Any:
        """``x (+) d``: states ``(..., size)`` moved along tangent vectors ``(..., dim)``.

        Example:
            >>> Space("yaw: angle").plus([3.0], [0.5]).round(3)
            array([-2.783])
        """
        x, d = self._arrays((x, self.size, "state"), (d, self.dim, "tangent vector"))
        if self.flat:
            return self._wrapped(x + d)
        m = math_for(x, d)
        return stack(self.components_plus(unstack(x), unstack(d), m), x, d)

    def minus(self, y: Any, x: Any) -> Any:
        """``y (-) x``: the tangent vectors ``(..., dim)`` at `x` that lead to `y`, by the short way.

        ``plus(x, minus(y, x)) == y``; a quaternion and its negative count as equal.
        """
        y, x = self._arrays((y, self.size, "state"), (x, self.size, "state"))
        if self.flat:
            return self._wrapped(y - x)
        m = math_for(y, x)
        return stack(self.components_minus(unstack(y), unstack(x), m), y, x)

    def normalize(self, x: Any) -> Any:
        """`x` with angles wrapped to (-pi, pi] and quaternions of length 1."""
        (x,) = self._arrays((x, self.size, "state"))
        if self.flat:
            return self._wrapped(x + 0.0)  # a fresh array, for reals too
        return stack(self.components_normalize(unstack(x), math_for(x)), x)

    def distance(self, x: Any, y: Any) -> Any:
        """Euclidean norm of ``y (-) x``, shape ``(...)``; metres and radians are weighed alike."""
        d = self.minus(y, x)
        torch = torch_if_tensor(d)
        return np.sqrt(np.einsum("...i,...i", d, d)) if torch is None else torch.linalg.vector_norm(d, dim=-1)

    def interpolate(self, x: Any, y: Any, t: Any) -> Any:
        """``x (+) t (y (-) x)``: from `x` at t = 0 to `y` at t = 1; `t` broadcasts against the batch axes."""
        d, t = alike(self.minus(y, x), t)
        return self.plus(x, t[..., None] * d)

    def mean(self, xs: Any, weights: Any = None, axis: int = -2) -> Any:
        """Weighted mean along `axis`: the point with ``sum_i w_i (x_i (-) mean) = 0``.

        Reals in closed form; rotations and poses by Gauss-Newton, which bears the negative weights of sigma points.
        Unique when the samples lie within a quarter turn of the mean; scattered more widely, one of several points.

        Args:
            xs: states ``(..., N, n)``.
            weights: ``(N,)`` or ``(..., N)``; they are divided by their sum, which must be positive. None: equal.
            axis: the axis that is averaged; not the last.

        Raises:
            ShapeError: when axes or weights do not fit, or widely scattered poses have no mean under negative weights.

        Example:
            >>> Space("yaw: angle").mean([[3.0], [-3.0]]).round(3)
            array([3.142])
        """
        (xs,) = self._arrays((xs, self.size, "state"))
        return weighted_mean(self, xs, weights, axis)

    @cached_property
    def curved(self) -> tuple[Space, NDArray[np.intp]]:
        """The space of the parts that are not reals, and where they are stored."""
        rows = [(p, s) for p, s, _ in self.layout if not isinstance(p, Real)]
        where = np.array([i for _, s in rows for i in range(s.start, s.stop)], dtype=np.intp)
        return Space(*(p for p, _ in rows)), where

    def identity(self) -> Array:
        """The neutral element ``(size,)``: zeros, and unit quaternions that turn nothing."""
        return np.array([c for p in self.parts for c in p.identity()])

    def sample(self, n: int | tuple[int, ...] | None = None, *, rng: Rng = None) -> Array:
        """Random states: uniform between finite bounds and over rotations, standard normal where free.

        Args:
            n: None for one state ``(size,)``, or a count or shape of batch axes in front.
            rng: seed or generator. A half-open bound is kept by mirroring the normal at it.
        """
        return drawn(self, n, rng)

    def clip(self, x: Any) -> Any:
        """`x` normalised and moved inside the bounds."""
        x = self.normalize(x)
        return math_for(x).clip(x, *alike(self.low, self.high, x)[:2])

    def contains(self, x: Any) -> Any:
        """Whether each state ``(..., size)`` lies inside the bounds, shape ``(...)`` of bool; one of NaN does not."""
        (x,) = self._arrays((x, self.size, "state"))
        low, high, _ = alike(self.low, self.high, x)
        return ((x >= low) & (x <= high)).all(-1)

    def check(self, x: Any, name: str = "state", *, finite: bool = True) -> Array:
        """`x` as float64 array ``(..., size)``, or a sentence that says what is wrong with it.

        Raises:
            ShapeError: when `x` is not numeric, its last axis has the wrong length, a quaternion is not of length 1
                to 1e-3, or (unless `finite` is False) something is NaN or infinite.

        Example:
            >>> Space("x y [m]").check([1, 2])
            array([1., 2.])
        """
        return checked(self, x, name, finite)

    # -- array plumbing

    def _arrays(self, *given: tuple[Any, int, str]) -> tuple[Any, ...]:
        """Arrays or tensors of one kind, with last axes of the right length."""
        values = alike(*(value for value, _, _ in given))
        for value, (_, length, what) in zip(values, given, strict=True):
            if value.ndim == 0 or value.shape[-1] != length:
                raise ShapeError(
                    f"a {what} of shape {tuple(value.shape)} was given to {self}; expected (..., {length})"
                )
        return values

    def _wrapped(self, x: Any) -> Any:
        """A fresh array of a flat space, with its angles wrapped."""
        if len(self.angles) == 0:
            return x
        torch = torch_if_tensor(x)
        if torch is None:
            x[..., self.angles] = numpy_math.wrap(x[..., self.angles])
            return x
        mask = torch.zeros(self.size, dtype=torch.bool, device=x.device)
        mask[torch.as_tensor(self.angles, device=x.device)] = True
        return torch.where(mask, math_for(x).wrap(x), x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.parts)

    def __setattr__(self, name: str, value: Any) -> None:
        if "parts" in self.__dict__:
            raise AttributeError(f"a Space is frozen; {name} cannot be set, build a new one")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return spell(self.parts)
