"""Readable Python from a traced graph: what the machine code computes, as a person would write it.

Two dialects say the same computation:

- `in_place`: ``def step(x, u, dt, p, y)``, scalar arithmetic, results written into the last arguments;
- `components`: ``def f(x, u, dt, p, m)`` over component lists and a namespace, for batches in numpy and torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .expression import Expr
from .graph import reachable

OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "lt": "<", "le": "<=", "eq": "==", "ne": "!=",
}  # fmt: skip
INLINE = 60  # an expression longer than this gets a line of its own


@dataclass
class Signature:
    """The name and arguments of a generated function.

    `arguments` are the names in order. `scalars` are those that are one number (`dt`) and not an array. `labels` name
    the entries of an array, for readable source: ``{"x": ("x", "y", "yaw")}``.
    """

    name: str
    arguments: tuple[str, ...]
    scalars: frozenset[str] = frozenset({"dt"})
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


class Writer:
    """Writes the statements for a set of outputs in one dialect: `lines`, after which `text` names each node."""

    def __init__(self, signature: Signature, outputs: Sequence[Expr], dialect: str) -> None:
        self.signature = signature
        self.dialect = dialect
        self.lines: list[str] = []
        self.text: dict[int, str] = {}
        self.taken: set[str] = {*signature.arguments, "m"}
        nodes = outputs[0].graph.nodes if outputs else []
        order = reachable(outputs)
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
        if lazily and e.op not in ("where", "min", "max", "lookup", "affine"):
            self.text[e.index] = f"({source})"
            return
        name = f"t{e.index}"
        self.lines.append(f"{name} = {source}")
        self.text[e.index] = name

    def _load(self, e: Expr) -> None:
        where: tuple[str, int] = e.value
        group, i = where
        if group in self.signature.scalars and i == 0:
            self.text[e.index] = group
            return
        labels = self.signature.labels.get(group, ())
        name = f"{group}_{_identifier(labels[i])}" if i < len(labels) else f"{group}{i}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        self.lines.append(f"{name} = {group}[{i}]")
        self.text[e.index] = name

    def _expression(self, e: Expr) -> str:
        a = [self.text[n.index] for n in e.args]
        if e.op in OPERATORS:
            return f"{a[0]} {OPERATORS[e.op]} {a[1]}"
        if e.op == "neg":
            return f"-{a[0]}"
        if e.op == "lookup":
            return self._lookup(e, a)
        if e.op == "affine":
            return self._affine(e, a)
        if e.op == "entry":
            return f"{a[0]}[{e.value}]"
        if self.dialect == "components":
            return _namespaced(e.op, a)
        return _scalar(e.op, a)

    def _lookup(self, e: Expr, a: list[str]) -> str:
        group, header, order = e.value
        if self.dialect == "components":
            table, x, y = f"{group}[{header}]", a[0], a[1]
            return f"m.lookup_slope({table}, {x}, {y}, {order - 1})" if order else f"m.lookup({table}, {x}, {y})"
        return f"{('lookup', 'lookup_dx', 'lookup_dy')[order]}({group}, {header}, {a[0]}, {a[1]})"

    def _affine(self, e: Expr, a: list[str]) -> str:
        group, start, rows, columns, bias = e.value
        x, vector = f"[{', '.join(a)}]", group if self.dialect == "in_place" else f"{group}.arrays"
        if self.dialect == "in_place":
            b = "" if bias < 0 else f", {vector}[{bias}:{bias + rows}]"
            return f"affine({vector}[{start}:{start + rows * columns}].reshape({rows}, {columns}), {x}{b})"
        return f"m.affine({vector}[{start}], {x}{'' if bias < 0 else f', {vector}[{bias}]'})"


def _scalar(op: str, a: list[str]) -> str:
    if op == "where":
        return f"{a[1]} if {a[0]} else {a[2]}"
    if op in ("and", "or"):
        return f"{a[0]} {op} {a[1]}"
    if op == "not":
        return f"not {a[0]}"
    if op == "pow":
        return f"{a[0]} ** {a[1]}"
    if op in ("min", "max"):
        return f"{op}({a[0]}, {a[1]})"
    if op in ("abs", "sign", "wrap"):
        return f"{op}({a[0]})"
    return f"math.{op}({', '.join(a)})"


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


def in_place(signature: Signature, results: Sequence[tuple[str, Sequence[Expr], tuple[int, ...]]]) -> str:
    """``def name(arguments..., results...)``; each result is an array of that shape that is overwritten."""
    flat: list[tuple[str, Expr]] = []
    for name, entries, shape in results:
        columns = shape[1] if len(shape) == 2 else 0
        for i, e in enumerate(entries):
            place = f"{i // columns}, {i % columns}" if columns else f"{i}" if shape else "()"
            flat.append((f"{name}[{place}]", e))
    writer = Writer(signature, [e for _, e in flat], "in_place")
    body = writer.lines + [f"{target} = {writer.text[e.index]}" for target, e in flat]
    head = f"def {signature.name}({', '.join([*signature.arguments, *(n for n, *_ in results)])}):"
    return "\n".join([head, *(f"    {line}" for line in body or ["pass"])]) + "\n"


def components(signature: Signature, outputs: Sequence[Expr]) -> str:
    """``def name(arguments..., m)`` that returns the list of outputs, each of the batch shape or a number."""
    writer = Writer(signature, outputs, "components")
    body = [*writer.lines, f"return [{', '.join(writer.text[o.index] for o in outputs)}]"]
    head = f"def {signature.name}({', '.join([*signature.arguments, 'm'])}):"
    return "\n".join([head, *(f"    {line}" for line in body)]) + "\n"
