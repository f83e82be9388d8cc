"""Source from a traced graph: straight-line Python that a person can read and numba can compile.

Three dialects say the same computation:

- `in_place`: ``def step(x, u, dt, p, y)``, scalar arithmetic, results written into the last arguments;
- `lanes` (in `emit_lanes`): the same over ``LANES`` states side by side, in loops that the compiler vectorises;
- `components`: ``def f(x, u, dt, p, m)`` over component lists and a namespace, for batches in numpy and torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .expression import Expr
from .graph import reachable

OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "lt": "<", "le": "<=", "eq": "==", "ne": "!=",
}  # fmt: skip
INLINE = 60  # an expression longer than this gets a line of its own


@dataclass
class Signature:
    """What a generated function is called and takes.

    `arguments` are the names in order. `scalars` are those that are one number (`dt`) and not an array. `labels` name
    the entries of an array, for readable source: ``{"x": ("x", "y", "yaw")}``.
    """

    name: str
    arguments: tuple[str, ...]
    scalars: frozenset[str] = frozenset({"dt"})
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    shared: frozenset[str] = frozenset({"dt", "p", "s", "c"})
    """Arguments that all lanes share; the others have a trailing lane axis in the `lanes` dialect."""


class Writer:
    """Writes the statements for a set of outputs in one dialect: `lines`, after which `text` names each node.

    Nodes that are `known` have a text already, and no line is written for them or for what only they need.
    """

    def __init__(
        self, signature: Signature, outputs: Sequence[Expr], dialect: str, known: Mapping[int, str] | None = None
    ) -> None:
        self.signature = signature
        self.dialect = dialect
        self.lines: list[str] = []
        self.text: dict[int, str] = dict(known or {})
        self.taken: set[str] = {*signature.arguments, *self.text.values(), "lane", "m"}
        nodes = outputs[0].graph.nodes if outputs else []
        order = reachable(outputs, self.text)
        self.uses: dict[int, int] = {}
        for i in order:
            for a in nodes[i].args:
                self.uses[a.index] = self.uses.get(a.index, 0) + 1
        for o in outputs:
            self.uses[o.index] = self.uses.get(o.index, 0) + 1
        for i in order:
            self._visit(nodes[i])

    def _visit(self, e: Expr) -> None:
        if e.op == "const":
            self.text[e.index] = literal(e.value)
            return
        if e.op == "input":
            self._load(e)
            return
        source = self._expression(e)
        lazily = self.uses.get(e.index, 0) == 1 and len(source) <= INLINE and self.dialect == "in_place"
        if lazily and e.op not in ("where", "min", "max", "lookup"):
            self.text[e.index] = f"({source})"
            return
        name = f"t{e.index}"
        self.lines.append(f"{name} = {source}")
        self.text[e.index] = name

    def _load(self, e: Expr) -> None:
        where: tuple[str, int] = e.value
        group, i = where
        if group in self.signature.scalars:
            self.text[e.index] = group
            return
        labels = self.signature.labels.get(group, ())
        name = f"{group}_{_identifier(labels[i])}" if i < len(labels) else f"{group}{i}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        lane = ", lane" if self.dialect == "lanes" and group not in self.signature.shared else ""
        self.lines.append(f"{name} = {group}[{i}{lane}]")
        self.text[e.index] = name

    def _expression(self, e: Expr) -> str:
        a = [self.text[n.index] for n in e.args]
        if e.op in OPERATORS and (e.op, self.dialect) != ("mod", "lanes"):
            return f"{a[0]} {OPERATORS[e.op]} {a[1]}"
        if e.op == "neg":
            return f"-{a[0]}"
        if e.op == "lookup":
            return self._lookup(e, a)
        if e.op in ("min", "max") and self.dialect != "components":
            return _extreme("<" if e.op == "min" else ">", *a, known=e.args[1].op == "const")
        if self.dialect == "components":
            return _namespaced(e.op, a)
        return _scalar(e.op, a, self.dialect)

    def _lookup(self, e: Expr, a: list[str]) -> str:
        group, header, order = e.value
        if self.dialect == "components":
            table, x, y = f"{group}[{header}]", a[0], a[1]
            return f"m.lookup_slope({table}, {x}, {y}, {order - 1})" if order else f"m.lookup({table}, {x}, {y})"
        return f"{('lookup', 'lookup_dx', 'lookup_dy')[order]}({group}, {header}, {a[0]}, {a[1]})"


def _scalar(op: str, a: list[str], dialect: str) -> str:
    if op == "where":
        return f"{a[1]} if {a[0]} else {a[2]}"
    if op in ("and", "or"):
        return f"{a[0]} {op} {a[1]}"
    if op == "not":
        return f"not {a[0]}"
    if op == "pow":
        return f"{a[0]} ** {a[1]}"
    if op == "abs":
        return f"math.fabs({a[0]})"
    if op == "sign":
        return f"scalar_sign({a[0]})"
    if dialect == "lanes" and op != "sqrt":
        return f"lane_{op}({', '.join(a)})"  # libm's functions keep a loop from being vectorised
    return f"{'scalar_' if op in ('wrap', 'floor') else 'math.'}{op}({', '.join(a)})"


def _extreme(order: str, a: str, b: str, known: bool) -> str:
    """The lesser or greater of two, NaN if either is; of a constant that is known."""
    return f"{b} if {b} {order} {a} else {a}" if known else f"{b} if ({b} {order} {a}) | ({b} != {b}) else {a}"


def _namespaced(op: str, a: list[str]) -> str:
    if op in ("and", "or"):
        return f"{a[0]} {'&' if op == 'and' else '|'} {a[1]}"
    if op == "not":
        return f"{a[0]} == False"  # and not ~, which makes -2 of a plain True
    if op == "pow":
        return f"{a[0]} ** {a[1]}"
    name = {"min": "minimum", "max": "maximum"}.get(op, op)
    return f"m.{name}({', '.join(a)})"


def literal(value: float) -> str:
    """A number as source."""
    if math.isnan(value):
        return "math.nan"
    if math.isinf(value):
        return "math.inf" if value > 0 else "(-math.inf)"
    return repr(value) if math.copysign(1.0, value) > 0 else f"({value!r})"


def _identifier(label: str) -> str:
    return re.sub(r"\W", "_", label)


def in_place(signature: Signature, results: Sequence[tuple[str, Sequence[Expr] | Sequence[Sequence[Expr]]]]) -> str:
    """``def name(arguments..., results...)``; each result is an array ``(n,)`` or ``(r, c)`` that is overwritten."""
    writer, flat = _written(signature, results, "in_place")
    body = writer.lines + [f"{target} = {writer.text[e.index]}" for target, e in flat]
    head = f"def {signature.name}({', '.join([*signature.arguments, *(n for n, _ in results)])}):"
    return "\n".join([head, *(f"    {line}" for line in body or ["pass"])]) + "\n"


def scalar(signature: Signature, result: Expr) -> str:
    """``def name(arguments...) -> float``."""
    writer = Writer(signature, [result], "in_place")
    body = [*writer.lines, f"return {writer.text[result.index]}"]
    head = f"def {signature.name}({', '.join(signature.arguments)}):"
    return "\n".join([head, *(f"    {line}" for line in body)]) + "\n"


def components(signature: Signature, outputs: Sequence[Expr]) -> str:
    """``def name(arguments..., m)`` that returns the list of outputs, each of the batch shape or a number."""
    writer = Writer(signature, outputs, "components")
    body = [*writer.lines, f"return [{', '.join(writer.text[o.index] for o in outputs)}]"]
    head = f"def {signature.name}({', '.join([*signature.arguments, 'm'])}):"
    return "\n".join([head, *(f"    {line}" for line in body)]) + "\n"


def _written(
    signature: Signature, results: Sequence[tuple[str, Sequence[Expr] | Sequence[Sequence[Expr]]]], dialect: str
) -> tuple[Writer, list[tuple[str, Expr]]]:
    flat: list[tuple[str, Expr]] = []
    for name, value in results:
        for i, row in enumerate(value):
            if isinstance(row, Expr):
                flat.append((f"{name}[{i}]", row))
            else:
                flat.extend((f"{name}[{i}, {j}]", e) for j, e in enumerate(row))
    return Writer(signature, [e for _, e in flat], dialect), flat
