"""Traced functions: named inputs that are spaces, named results, and the exact derivative of any result by any input.

A `Kind` says, as a row of data, what functions of one use take and give: dynamics ``y = f(x, u, dt)`` have F and B, a
task has gradients and Hessians of its cost. All derivatives are taken in the tangents of the spaces.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...core.errors import ModelError
from ...core.space import Space
from .derivative import derivative, substitute
from .expression import Expr
from .graph import Graph, reachable
from .llvm import LANES, POINTERS, emit
from .machine import Code, assemble, unique
from .reals import DOUBLE, Real, real_of
from .single import Single
from .source import Signature, in_place
from .tangent import Seeds, seeds, tangent_jacobian
from .tracer import SymbolicMath
from .vectorized import Vectorized

lock = threading.RLock()
"""A trace grows when something is derived from it: by one thread at a time."""


@dataclass(frozen=True)
class Kind:
    """Inputs and results of the functions of one use.

    Args:
        name: what models of this kind are called.
        inputs: names of the inputs in the order of machine code's pointers a, b, c, p.
        each: the inputs of which each lane has its own values; the others are shared.
        first: derivatives by name, each ``(result, input)``.
        second: second derivatives by name, each ``(result, input, input)``.
        weighted: sums ``weights' result`` by name, each ``(result, carrier)``: machine code reads the weights after the
            numbers of the input `carrier`. Their second derivatives are those of a Lagrangian.
    """

    name: str
    inputs: tuple[str, ...]
    each: frozenset[str]
    first: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    second: Mapping[str, tuple[str, str, str]] = field(default_factory=dict[str, tuple[str, str, str]])
    weighted: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


DYNAMICS = Kind(
    "dynamics",
    ("x", "u", "dt", "p"),
    frozenset("xu"),
    {"F": ("y", "x"), "B": ("y", "u")},
    {"yxx": ("ysum", "x", "x"), "yxu": ("ysum", "x", "u"), "yuu": ("ysum", "u", "u")},
    {"ysum": ("y", "dt")},
)
"""y: the next state; F, B: its Jacobians; Q: covariance of the process noise; yxx, yxu, yuu: Hessians of
``weights' y``."""
SENSOR = Kind(
    "sensor",
    ("x", "context", "z", "p"),
    frozenset(("x", "context", "z")),
    {"H": ("h", "x"), "C": ("h", "context"), "E": ("e", "x"), "G": ("e", "context")},
)
"""h: the reading; w: the reading h (+) z with an error z; e: the residual z (-) h; H, C, E, G: Jacobians of h and e by
state and context; R: covariance of noise."""
TASK = Kind(
    "task",
    ("x", "u", "r", "p"),
    frozenset("xu"),
    {"lx": ("l", "x"), "lu": ("l", "u"), "gx": ("g", "x"), "gu": ("g", "u"), "Tx": ("T", "x")},
    {
        **{"lxx": ("l", "x", "x"), "lxu": ("l", "x", "u"), "luu": ("l", "u", "u"), "Txx": ("T", "x", "x")},
        **{"gxx": ("gsum", "x", "x"), "gxu": ("gsum", "x", "u"), "guu": ("gsum", "u", "u")},
    },
    {"gsum": ("g", "r")},
)
"""l: cost of a step; T: cost of the end; g: the constraint; and their gradients and Hessians; of g, those of
``weights' g``."""
SPACE = Kind("space", ("a", "b"), frozenset("ab"), {"D": ("minus", "b")})
"""plus: a (+) b; minus: a (-) b; D: the Jacobian of minus by the tangent of b."""


class Input(NamedTuple):
    """An input of a function; None for a space of plain numbers."""

    space: Space | None
    components: list[Expr]


class Value(NamedTuple):
    """A result of a function: components of a space, or plain numbers of a shape, row by row."""

    space: Space | None
    components: list[Expr]
    shape: tuple[int, ...]


def vector(components: Sequence[Expr], space: Space | None = None) -> Value:
    """A value that is a vector."""
    return Value(space, [*components], (len(components),))


def matrix(rows: Sequence[Sequence[Expr]], columns: int) -> Value:
    """A value that is a matrix."""
    return Value(None, [e for row in rows for e in row], (len(rows), columns))


class Function:
    """A traced function: a graph with named inputs and results.

    Args:
        kind: the kind of function, with its inputs and results.
        name: the name of the function.
        graph: the trace.
        inputs: inputs by name.
        values: results by name, or functions that derive them on first use.
        squares: for results that are sums of squares ``sum w r^2``, the residuals r and weights w; their second
            derivatives are those of Gauss-Newton, ``2 sum w dr dr'``.
    """

    def __init__(
        self,
        kind: Kind,
        name: str,
        graph: Graph,
        inputs: Mapping[str, Input],
        values: Mapping[str, Value | Callable[[Function], Value]],
        squares: Mapping[str, tuple[Sequence[Expr], Sequence[Expr]]] | None = None,
    ) -> None:
        self.kind, self.name, self.graph = kind, name, graph
        self.inputs = dict(inputs)
        self._values = dict(values)
        self._squares = dict(squares or {})
        self._codes: dict[tuple[str, bool, str], Code] = {}
        self._batched: dict[str, Vectorized] = {}
        self._seeds: dict[str, Seeds] = {}
        self._needs: dict[str, frozenset[str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all results, derivatives among them."""
        derived = {**self.kind.first, **self.kind.second}
        results = {*self._values, *(name for name, (value, _) in self.kind.weighted.items() if value in self._values)}
        return (*self._values, *(name for name, (value, *_) in derived.items() if value in results))

    @property
    def text(self) -> str:
        """Readable Python that computes all results but derivatives."""
        return self.source(" ".join(self._values))

    def value(self, name: str) -> Value:
        """The expressions of a result; derived when it is first asked for."""
        found = self._values.get(name)
        if isinstance(found, Value):
            return found
        with lock:
            found = self._values.get(name)
            if not isinstance(found, Value):
                found = self._derived(name) if found is None else found(self)
                self._values[name] = found
        return found

    def shapes(self, results: str) -> dict[str, tuple[int, ...]]:
        """Shapes of results by name."""
        return {name: self.value(name).shape for name in results.split()}

    def dependencies(self, name: str) -> frozenset[str]:
        """Names of the inputs that a result depends on.

        Example:
            >>> from pilotage.models import bicycle, constant_velocity
            >>> sorted(constant_velocity().dependencies("F")), sorted(bicycle().dependencies("F"))
            (['dt'], ['dt', 'p', 'u', 'x'])
        """
        if name not in self._needs:
            needed = (self.graph.nodes[i] for i in reachable(self.value(name).components))
            self._needs[name] = frozenset(e.value[0] for e in needed if e.op in ("input", "lookup", "affine"))
        return self._needs[name]

    def components(self, name: str, of: str, column: int | None = None) -> set[int]:
        """Components of an input that a result depends on, or one column of a result that is a matrix.

        Example:
            >>> from pilotage.models import unicycle
            >>> sorted(unicycle().components("B", "x"))
            [2]
        """
        value = self.value(name)
        entries = value.components if column is None else value.components[column :: value.shape[-1]]
        needed = {*reachable(entries)}
        return {i for i, e in enumerate(self.inputs[of].components) if e.index in needed}

    def code(self, results: str, lanes: bool = False, precision: str = "double") -> Code:
        """Machine code that writes these results one after another; see `llvm` for its signature.

        Code for lanes can be of "single" precision: all that it reads and writes is then of type float32.
        """
        key = results, lanes, precision
        found = self._codes.get(key)
        if found is None:
            with lock:
                found = self._codes.get(key)
                if found is None:
                    found = self._codes[key] = self._compiled(results, lanes, real_of(precision))
        return found

    def length(self, results: str) -> int:
        """How many expressions these results need."""
        with lock:
            return len(reachable([e for name in results.split() for e in self.value(name).components]))

    def single(self, results: str, parameters: Any) -> Single:
        """These results for one state as a function of the first three inputs, with these parameters."""
        a, b, c = (len(self.inputs[name].components) for name in self.kind.inputs[:3])
        return Single(self.code(results), (a, b, c), parameters)

    def source(self, results: str) -> str:
        """Readable Python that computes these results; it is what the machine code was made from.

        Example:
            >>> from pilotage.models import unicycle
            >>> print(unicycle().source("F"))
            def unicycle(x, u, dt, p, F):
            ...
        """
        with lock:
            values = [(name, self.value(name)) for name in results.split()]
            labels = {name: i.space.names for name, i in self.inputs.items() if i.space is not None}
            signature = Signature(self.name, self.kind.inputs, labels=labels)
            return in_place(signature, [(name, v.components, v.shape) for name, v in values])

    def __call__(self, results: str, *inputs: Any) -> Any:
        """Results for batches of numpy arrays or tensors: one array ``(..., *shape)``, or a tuple of several.

        Args:
            results: names of the results.
            *inputs: inputs in the order of ``kind.inputs``; None for one that is not needed. Inputs from a space are
                arrays ``(..., size)``; dt is a number, and p the list of parameters.
        """
        with lock:
            values = [self.value(name) for name in results.split()]
            if results not in self._batched:
                components = [e for v in values for e in v.components]
                self._batched[results] = Vectorized(components, self.kind.inputs)
        flat = self._batched[results](*inputs)
        out: list[Any] = []
        first = 0
        for v in values:
            part = flat[..., first : first + len(v.components)]
            out.append(part.reshape((*flat.shape[:-1], *v.shape)))
            first += len(v.components)
        return out[0] if len(out) == 1 else tuple(out)

    def _compiled(self, results: str, lanes: bool, real: Real) -> Code:
        names = results.split()
        if not names or len(set(names)) < len(names):
            raise ModelError(f"{results!r} names no results, or one twice; {self.name} has {', '.join(self.names)}")
        if real is not DOUBLE and not lanes:
            raise ModelError(f"code of {self.name} for one state is of double precision; only that for lanes is single")
        outputs = [e for name in names for e in self.value(name).components]
        places = dict(zip(self.kind.inputs, POINTERS, strict=False))
        title = unique(f"{self.name}_{'_'.join(names)}{'_lanes' if lanes else ''}")
        text = emit(title, outputs, places, self.kind.each if lanes else None, real)
        return assemble(text, title, self.shapes(results), LANES if lanes else 0, real)

    def _derived(self, name: str) -> Value:
        if name in self.kind.first:
            value, by = self.kind.first[name]
            if value in self._values and by in self.inputs:
                return self._first(self.value(value), by)
        if name in self.kind.second:
            value, *by = self.kind.second[name]
            if value in self._values or value in self.kind.weighted:
                return self._second(value, *by)
        if name in self.kind.weighted:
            return self._weighted(*self.kind.weighted[name])
        raise ModelError(f"{self.name} has no result {name!r}; it has {', '.join(self.names)}")

    def _directions(self, by: str) -> Seeds:
        """Derivatives of the components of an input along each direction of its tangent."""
        if by not in self._seeds:
            space, components = self.inputs[by]
            if space is None or not components:
                self._seeds[by] = [{e: self.graph.one} for e in components]
            else:
                self._seeds[by] = seeds(space, components)
        return self._seeds[by]

    def _first(self, value: Value, by: str) -> Value:
        directions = self._directions(by)
        if not directions:
            rows: list[list[Expr]] = [[] for _ in range(value.space.dim if value.space else len(value.components))]
        elif value.space is not None:
            rows = tangent_jacobian(value.space, value.components, directions)
        else:
            columns = [derivative(value.components, d) for d in directions]
            rows = [[column[i] for column in columns] for i in range(len(value.components))]
        if value.shape == ():
            return vector(rows[0])
        return matrix(rows, len(directions))

    def _weighted(self, name: str, carrier: str) -> Value:
        """``weights' result``."""
        value, first = self.value(name), len(self.inputs[carrier].components)
        if value.space is not None and not value.space.flat:
            raise ModelError(f"{self.name} has no second derivatives of {name!r}: its state has rotations or poses")
        weights = [self.graph.input(carrier, first + i) for i in range(len(value.components))]
        total = sum((w * e for w, e in zip(weights, value.components, strict=True)), start=self.graph.zero)
        return Value(None, [total], ())

    def _second(self, name: str, by: str, and_by: str) -> Value:
        if name in self._squares:
            rows = self._gauss_newton(name, by, and_by)
        else:
            space = self.inputs[by].space
            if by == and_by and space is not None and not space.flat:
                rows = self._curved(name, by)
            else:
                gradient = derivative_each(self.value(name).components, self._directions(by))
                columns = [derivative(gradient, d) for d in self._directions(and_by)] if gradient else []
                rows = [[column[i] for column in columns] for i in range(len(gradient))]
        return matrix(rows, len(self._directions(and_by)))

    def _gauss_newton(self, name: str, by: str, and_by: str) -> list[list[Expr]]:
        """``2 sum w dr dr'``."""
        residuals, weights = self._squares[name]
        left = [derivative([*residuals], d) for d in self._directions(by)]
        right = [derivative([*residuals], d) for d in self._directions(and_by)]
        zero = self.graph.zero
        return [
            [sum((2.0 * w * a * b for w, a, b in zip(weights, p, q, strict=True)), start=zero) for q in right]
            for p in left
        ]

    def _curved(self, name: str, by: str) -> list[list[Expr]]:
        """Second derivatives of ``delta -> value(x (+) delta)`` at 0, on a space that is not flat."""
        space, x = self.inputs[by]
        assert space is not None
        m: Any = SymbolicMath(self.graph)
        delta = [self.graph.input("delta", i) for i in range(space.dim)]
        moved = [self.graph.lift(e) for e in space.components_plus(x, delta, m)]
        along = substitute(self.value(name).components, dict(zip(x, moved, strict=True)))
        gradient = derivative_each(along, [{d: self.graph.one} for d in delta])
        origin = dict.fromkeys(delta, self.graph.zero)
        columns = [substitute(derivative(gradient, {d: self.graph.one}), origin) for d in delta]
        return [[column[i] for column in columns] for i in range(space.dim)]


def derivative_each(value: Sequence[Expr], directions: Seeds) -> list[Expr]:
    """Derivatives of one number along each of the directions."""
    return [derivative(value, d)[0] for d in directions]
