"""The layout of a product of named parts: sizes, names, units, bounds, and where each part is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, frozen
from .errors import SpaceError
from .parts import Part
from .parts.grammar import parse, spell


def listed(names: Any) -> list[str]:
    """Names of parts as a list: of one text, or of several.

    Example:
        >>> listed("x yaw")
        ['x', 'yaw']
    """
    given = names.split() if isinstance(names, str) else names
    found: list[Any] = list(given) if hasattr(given, "__iter__") else [given]
    if not all(isinstance(name, str) for name in found):
        raise SpaceError(f"parts are chosen by name, as in 'x yaw' or ['x', 'yaw'], not by {names!r}")
    return found


class Product:
    """The description of `Space`, which adds the geometry."""

    parts: tuple[Part, ...]

    def __init__(self, *parts: str | Part) -> None:
        self.parts = tuple(p for given in parts for p in parse(given))
        seen: set[str] = set()
        for word in (word for part in self.parts for word in part.words):
            if word in seen:
                raise SpaceError(f"the name {word!r} is used twice; names in a space must differ")
            seen.add(word)

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
        return frozen(np.concatenate([np.zeros(0), *(np.asarray(p.low) for p in self.parts)]))

    @cached_property
    def high(self) -> Array:
        """Upper bounds of the stored components, inf where free."""
        return frozen(np.concatenate([np.zeros(0), *(np.asarray(p.high) for p in self.parts)]))

    @cached_property
    def extents(self) -> Array:
        """Largest difference of two states along each tangent component ``(dim,)``; inf where free.

        Half a turn of what turns; of reals and of the axes of poses, the distance of the bounds.

        Example:
            >>> from pilotage.core import Space
            >>> Space("x [m] in [0, 5]", "yaw: angle", "speed").extents.round(3)
            array([5.   , 3.142,   inf])
        """
        return frozen(np.concatenate([np.zeros(0), *(p.extents for p in self.parts)]))

    @cached_property
    def flat(self) -> bool:
        """True when plus is addition, up to whole turns: storage and tangent have the same layout."""
        return all(p.flat for p in self.parts)

    @cached_property
    def linear(self) -> bool:
        """True when plus is addition: all parts are reals or blocks."""
        return all(p.linear for p in self.parts)

    @cached_property
    def reals(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Storage and tangent indices of the parts on which plus is addition: reals and blocks."""
        return self.indices([p.name for p in self.parts if p.linear])

    @cached_property
    def angles(self) -> NDArray[np.intp]:
        """Storage indices of the parts that are angles."""
        return np.array([s.start for p, s, _ in self.layout if p.periodic], dtype=np.intp)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type states are kept in: float64, or that of the blocks where there is nothing else.

        Example:
            >>> from pilotage.core import Space
            >>> Space("camera: uint8[3, 64, 64]").dtype
            dtype('uint8')
        """
        return np.result_type(*(p.dtype for p in self.parts)) if self.parts else np.dtype(np.float64)

    @cached_property
    def floats(self) -> np.dtype[Any]:
        """The type that differences, sums and means are computed in: float32 for short numbers, else float64."""
        short = self.dtype.itemsize <= 2 or self.dtype == np.float32
        return np.dtype(np.float32 if short else np.float64)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """``(size,)``, or the shape of the only block, as people and simulators see it."""
        return self.parts[0].shape if len(self.parts) == 1 else (self.size,)

    @cached_property
    def layout(self) -> tuple[tuple[Part, slice, slice], ...]:
        """Each part with the slices it takes of storage and tangent."""
        rows: list[tuple[Part, slice, slice]] = []
        i = j = 0
        for p in self.parts:
            rows.append((p, slice(i, i + p.size), slice(j, j + p.dim)))
            i, j = i + p.size, j + p.dim
        return tuple(rows)

    @cached_property
    def listing(self) -> str:
        """The stored components in a sentence."""
        return ", ".join(p.listing for p in self.parts) or "nothing"

    # -- components and parts by name

    def index(self, name: str) -> int:
        """The index of the stored component `name` on the last axis.

        Example:
            >>> from pilotage.core import Space
            >>> Space("x y [m]", "pose: SE2").index("pose.yaw")
            4
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise SpaceError(f"there is no component {name!r}; this space has {self.listing}") from None

    def find(self, name: str, reader: str = "") -> int:
        """Index of the stored component called `name`, or of the only one called ``something.name``.

        A part under a name, as `prefixed` makes them, and a further vector of a pose are something beside the robot:
        their components are meant only where no part under fewer names has one so called.

        Args:
            name: a component, ``"yaw"`` or ``"pose.yaw"``.
            reader: who needs it, for the sentence of the error.

        Raises:
            SpaceError: when there is none or could be several.

        Example:
            >>> from pilotage.core import Space
            >>> Space("pose: SE2", "speed").find("yaw")
            2
            >>> (Space("pose: SE2") * Space("x y [m]").prefixed("tree7")).find("x")
            0
        """
        if name in self.names:
            return self.index(name)
        called = [i for i, candidate in enumerate(self.names) if candidate.endswith(f".{name}")]
        hits = [i for i in called if self._depths[i] == min(self._depths[k] for k in called)]
        if len(hits) == 1:
            return hits[0]
        if not hits:
            why = f", which {reader} reads" if reader else ""
            raise SpaceError(f"the state has no component {name!r}{why}; it has {self.listing}")
        several = ", ".join(self.names[i] for i in hits)
        why = f", which {reader} reads," if reader else ""
        raise SpaceError(f"{name!r}{why} could be any of {several}; name the component in full")

    @cached_property
    def _depths(self) -> tuple[int, ...]:
        """The number of names that each stored component is under, the name of a part not counted."""
        names = ((p.name, name) for p in self.parts for name in p.names)
        return tuple(part.count(".") + name[len(part) + 1 :].count(".") for part, name in names)

    def select(self, names: str | Iterable[str]) -> Self:
        """The space of some parts, in the order given. A rotation or pose is selected whole, by its part's name.

        Example:
            >>> from pilotage.core import Space
            >>> Space("x y [m]", "yaw: angle").select("yaw x")
            Space('yaw: angle', 'x [m]')
        """
        return type(self)(*(self.parts[i] for i in self._places(names)))

    def same_kinds(self, other: Product) -> bool:
        """Whether another space has the geometry of this one, part by part, whatever names, units and bounds.

        Example:
            >>> from pilotage.core import Space
            >>> Space("x y [m]", "yaw: angle").same_kinds(Space("east north", "heading: angle"))
            True
        """
        pairs = zip(self.parts, other.parts, strict=False)
        return len(self.parts) == len(other.parts) and all(a.same_kind(b) for a, b in pairs)

    def common(self, other: Product) -> list[str]:
        """Names of the parts, in the order of this space, that another space has too.

        Raises:
            SpaceError: when a part of the same name is of another kind or unit there.
        """
        theirs = {part.name: part for part in other.parts}
        for part in self.parts:
            if part.name in theirs and not part.alike(theirs[part.name]):
                raise SpaceError(f"{part.name} is '{part}' in one space and '{theirs[part.name]}' in the other")
        return [part.name for part in self.parts if part.name in theirs]

    def indices(self, names: str | Iterable[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Storage and tangent indices of the parts `names`, in the order given; see `select`."""
        rows = [self.layout[i] for i in self._places(names)]
        storage = [i for _, s, _ in rows for i in range(s.start, s.stop)]
        tangent = [j for _, _, t in rows for j in range(t.start, t.stop)]
        return np.array(storage, dtype=np.intp), np.array(tangent, dtype=np.intp)

    def _places(self, names: str | Iterable[str]) -> list[int]:
        wanted, known = listed(names), self._known
        for name in wanted:
            if name in known:
                continue
            part = next((p for p in self.parts if name in p.names), None)
            if part is not None:
                raise SpaceError(f"{name} is one component of {part}; select {part.name} as a whole")
            raise SpaceError(f"there is no part {name!r}; this space has {', '.join(known)}")
        return [known[name] for name in wanted]

    @cached_property
    def _known(self) -> dict[str, int]:
        """Places of the parts by name."""
        return {p.name: i for i, p in enumerate(self.parts)}

    # -- new spaces from this one

    def bounded(self, limits: Mapping[str, tuple[float, float]] | None = None, /, **more: tuple[float, float]) -> Self:
        """This space with new bounds on some components: ``space.bounded(speed=(0, 3))``.

        Names with dots go in a mapping: ``space.bounded({"pose.x": (0, 10)})``.
        """
        parts = list(self.parts)
        for name, pair in {**(limits or {}), **more}.items():
            try:
                low, high = (float(bound) for bound in pair)
            except (TypeError, ValueError):
                raise SpaceError(f"the bounds of {name} are two numbers (low, high), not {pair!r}") from None
            i = next((i for i, p in enumerate(parts) if name in p.words or name in p.names), None)
            if i is None:
                raise SpaceError(f"there is no component {name!r}; this space has {self.listing}")
            parts[i] = parts[i].bounded(name, low, high)
        return type(self)(*parts)

    def prefixed(self, name: str) -> Self:
        """This space under a name, for one of many things in a joint state.

        Example:
            >>> from pilotage.core import Space
            >>> Space("pose: SE2") * Space("x y [m]").prefixed("tree7")
            Space('pose: SE2', 'tree7.x tree7.y [m]')
        """
        return type(self)(*(replace(part, name=f"{name}.{part.name}") for part in self.parts))

    def join(self, *others: Self) -> Self:
        """The product of this space and others, in that order; the same as ``self * other``."""
        for other in others:
            if not isinstance(other, Product):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SpaceError(f"spaces are joined with spaces, not with {other!r}; Space('y [m]') makes one")
        return type(self)(*self.parts, *(p for other in others for p in other.parts))

    def __mul__(self, other: Self) -> Self:
        return self.join(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Product) and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.parts)

    def __setattr__(self, name: str, value: Any) -> None:
        if "parts" in self.__dict__:
            raise AttributeError(f"a Space is frozen; {name} cannot be set, build a new one")
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[type[Self], tuple[Part, ...]]:
        return type(self), self.parts

    def __repr__(self) -> str:
        return spell(self.parts)
