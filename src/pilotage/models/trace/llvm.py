"""LLVM's intermediate representation of a traced graph: one emitter for single states and for SIMD lanes.

Every function has the signature ``void f(real* a, real* b, real* c, real* p, real* out)``, where all numbers are of
double precision, or all of single precision; see `reals`. It reads a, b and c, then computes the results and writes
them one after another, so that `out` may be the memory of an input, though not of the parameters p. With lanes it does
so for `LANES` states side by side: arrays ``(rows, LANES)``, some lanes an instruction. What all lanes share is
computed once, before the loop, and copied to the lanes after it. Long code is a series of functions; see `parts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import final

from . import products
from .expression import Expr
from .graph import reachable
from .instructions import Instructions
from .lower import lower
from .machine import registers
from .parts import VECTORS, Plan, Step
from .reals import DOUBLE, Real

LANES = 32
"""The number of states that code for lanes processes side by side."""
POINTERS = ("a", "b", "c", "p")


class Module:
    """Text that the functions of a module share.

    Args:
        name: of its main function.
        plan: what they compute.
        places: for each input group of the graph, the pointer that holds it.
        real: the format of all numbers.
    """

    def __init__(self, name: str, plan: Plan, places: Mapping[str, str], real: Real) -> None:
        self.name, self.plan, self.places, self.real = name, plan, places, real
        self.declared: set[str] = set()
        self.tables: list[str] = []
        self.mappings: dict[tuple[int, int], list[str]] = {}
        self.registers = count()

    def table(self, kind: str, values: Sequence[str]) -> str:
        """A table of constants."""
        name = f"@table{len(self.tables)}"
        entries = ", ".join(f"{kind} {value}" for value in values)
        self.tables.append(f"{name} = private constant [{len(values)} x {kind}] [{entries}]")
        return name

    def mapping(self, e: Expr, width: int) -> str:
        """The name of a function ``f(y, n)`` that maps n numbers: some lanes of each entry."""
        function, side = e.graph.nodes[int(e.value)], min(width, widths(self.real)[1])
        name = f"@{self.name}.map{e.value}.{side}"
        if (e.value, side) not in self.mappings:
            lines = Part(self, (), side, "").loop(function, e.graph.input("each", 0))
            head = f"define internal void {name}(ptr %y, i64 %n) nounwind {{"
            self.mappings[e.value, side] = [head, *lines, "  ret void", "}"]
        return name


@final
class Part(Instructions):
    """Writes the instructions of one part of a plan.

    Args:
        module: where it is.
        steps: of the part.
        width: lanes that it computes for; 1 for one state, or for what all lanes share.
        out: the pointer that results are written to.
    """

    def __init__(self, module: Module, steps: Sequence[Step], width: int, out: str) -> None:
        super().__init__(module.real, width, module.places, module.registers, module.declared)
        self.module, self.plan, self.out = module, module.plan, out
        self.names: dict[int, str] = {}
        self.splats: dict[int, str] = {}
        self._run(steps)

    def _run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Expr):
                self._visit(step)
            elif len(step.values) == 1:
                self._store(step.values[0], step.place)
            else:
                self._copy(step.values, step.place)

    def loop(self, result: Expr, value: Expr) -> list[str]:
        """Lines that replace each of the %n numbers at %y by `result`, in which it is `value`."""
        t = self.real.kind(False, self.width)
        at = self._emit(f"getelementptr inbounds {self.real.name}, ptr %y, i64 %k")
        self.names[value.index] = self._emit(f"load {t}, ptr {at}, {self.align}")
        needed = [result.graph.nodes[i] for i in reachable([result])]
        self._run([e for e in needed if e.op != "const" and e is not value])
        self._line(f"store {t} {self.operand(result, self.width)}, ptr {at}, {self.align}")
        return repeated("k", "%n", self.width, self.lines)

    def operand(self, e: Expr, width: int, condition: bool = False) -> str:
        """The text of an argument: a register or a constant, spread over the lanes where that is needed."""
        if e.op == "const":
            return self.real.constant(e.value, width, condition)
        if e.index not in self.names:
            self.names[e.index] = self._input(e) if self._at_hand(e) else self._fetched(e)
        if width > self._lanes(e):
            if e.index not in self.splats:
                self.splats[e.index] = self._splat(self.real.kind(e.condition, 1), self.names[e.index])
            return self.splats[e.index]
        return self.names[e.index]

    def _visit(self, e: Expr) -> None:
        if e.op in VECTORS:
            self._affine(e) if e.op == "affine" else self._map(e)
            return
        written = {"input": self._input, "entry": self._entry}.get(e.op)
        self.names[e.index] = self._operation(e, self.width) if written is None else written(e)
        if e.index in self.plan.kept:
            value, t = self.names[e.index], self.real.kind(e.condition, self.width)
            if e.condition:
                words = self.real.integers(self.width)
                value, t = self._emit(f"sext {t} {value} to {words}"), words
            self._line(f"store {t} {value}, ptr {self._address('%scratch', self.plan.kept[e.index])}, {self.align}")

    def _fetched(self, e: Expr) -> str:
        """A value that an earlier part has kept."""
        if e.op == "entry":
            return self._entry(e)
        width, pointer = self._lanes(e), self._address("%scratch", self.plan.kept[e.index])
        if not e.condition:
            return self._emit(f"load {self.real.kind(False, width)}, ptr {pointer}, {self.align}")
        value = self._emit(f"load {self.real.integers(width)}, ptr {pointer}, {self.align}")
        return self._emit(f"icmp slt {self.real.integers(width)} {value}, {self.real.integer(0, width)}")

    def _affine(self, e: Expr) -> None:
        """The product of a matrix among the parameters and a vector, into scratch memory."""
        group, start, rows, columns, bias = e.value
        width, table, t = self._lanes(e), f"%{self.places[group]}", self.real.kind(False, self._lanes(e))
        staged = self.plan.products.get(e.args[0].index, self.plan.staged)
        for k, a in enumerate(e.args if staged == self.plan.staged else ()):
            x = self.operand(a, width)
            self._line(f"store {t} {x}, ptr {self._address('%scratch', staged + k * width)}, {self.align}")
        self._declared.add(products.declaration(width, self.real))
        pointers = [
            self._address("%scratch", staged),
            self._address(table, start),
            "null" if bias < 0 else self._address(table, bias),
            self._address("%scratch", self.plan.products[e.index]),
        ]
        x, A, b, y = (f"ptr {p}" for p in pointers)
        self._line(f"call void @{products.name(width, self.real)}({x}, {A}, {b}, i64 {rows}, i64 {columns}, {y})")

    def _map(self, e: Expr) -> None:
        """A function of each entry of a product, in its place."""
        width, (product,) = self._lanes(e), e.args
        y = self._address("%scratch", self.plan.products[product.index])
        self._line(f"call void {self.module.mapping(e, width)}(ptr {y}, i64 {product.value[2] * width})")

    def _entry(self, e: Expr) -> str:
        """An entry of a product."""
        width = self._lanes(e)
        pointer = self._address("%scratch", self.plan.products[e.args[0].index] + e.value * width)
        return self._emit(f"load {self.real.kind(False, width)}, ptr {pointer}, {self.align}")

    def _at_hand(self, e: Expr) -> bool:
        return e.op == "input" and self.places[e.value[0]] == "p"

    def _lanes(self, e: Expr) -> int:
        """Lanes that a value is computed for."""
        return self.width if e.index in self.plan.wide else 1

    def _splat(self, t: str, value: str) -> str:
        vector = f"<{self.width} x {t}>"
        one = self._emit(f"insertelement {vector} poison, {t} {value}, i32 0")
        return self._emit(f"shufflevector {vector} {one}, {vector} poison, <{self.width} x i32> zeroinitializer")

    def _store(self, e: Expr, place: int) -> None:
        """Write a result to its place."""
        value = self.operand(e, self.width)
        pointer = self._address(self.out, place * LANES if self.width > 1 else place)
        self._line(f"store {self.real.kind(False, self.width)} {value}, ptr {pointer}, {self.align}")

    def _copy(self, values: Sequence[Expr], place: int) -> None:
        """Write results that are parameters one after another, or constants, at once."""
        if values[0].op == "const":
            source = self.module.table(self.real.name, [self.real.constant(e.value, 1) for e in values])
        else:
            source = self._address("%p", values[0].value[1])
        target = self._address(self.out, place)
        self._declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self._line(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {self.align} {target}, ptr {self.align} {source}, "
            f"i64 {self.real.bytes * len(values)}, "
            "i1 false)",
        )

    def _input(self, e: Expr) -> str:
        (group, row), width = e.value, self._lanes(e)
        lane = width > 1
        pointer = self._address(f"%{self.places[group]}{'.lane' if lane else ''}", row * LANES if lane else row)
        return self._emit(f"load {self.real.kind(False, width)}, ptr {pointer}, {self.align}")


def emit(
    name: str, outputs: Sequence[Expr], places: Mapping[str, str], each: frozenset[str] | None, real: Real = DOUBLE
) -> str:
    """The text of a module with the function `name`, which writes `outputs`.

    Args:
        name: what the function is called.
        outputs: expressions of one graph.
        places: input groups, and the pointers (a, b, c, p) that hold them.
        each: groups of which each lane has its own values; None for code of one state.
        real: the format of all numbers, in memory and in registers.
    """
    lanes = each is not None
    lowered = [e.graph.where(e, 1.0, 0.0) if e.condition else e for e in lower(outputs, lanes, real)]
    parameters = {group for group, pointer in places.items() if pointer == "p"}
    plan = Plan(lowered, parameters, each or frozenset[str](), widths(real))
    module = Module(name, plan, places, real)
    functions: list[str] = []

    def body(parts: Sequence[Sequence[Step]], width: int, out: str) -> list[str]:
        """Lines that run these parts; those of several are functions of their own."""
        written = [Part(module, steps, width, out).lines for steps in parts]
        if len(written) == 1:
            return written[0]
        moved = ".lane" if width > 1 else ""
        given = [f"%a{moved}", f"%b{moved}", f"%c{moved}", "%p", out, "%scratch"]
        head = ", ".join(f"ptr {'noalias ' if x in ('%p', '%scratch') else ''}{x}" for x in given)
        calls: list[str] = []
        for lines in written:
            part = f"@{name}.{len(functions)}"
            functions.extend([f"define internal void {part}({head}) nounwind {{", *lines, "  ret void", "}"])
            calls.append(f"  call void {part}({', '.join(f'ptr {x}' for x in given)})")
        return calls

    lines = body(plan.shared, 1, "%results" if lanes else "%out")
    if plan.lanes:
        moved = [
            f"  %{x}.lane = getelementptr inbounds {real.name}, ptr %{x}, i64 %lane" for x in ("a", "b", "c", "out")
        ]
        lines += repeated("lane", LANES, plan.width, [*moved, *body(plan.lanes, plan.width, "%out.lane")])
    if lanes and plan.rows:
        lines += repeated(
            "shared", len(plan.rows), 1, spread(module.table("i64", [str(r * LANES) for r in plan.rows]), real)
        )
        lines.insert(0, f"  %results = alloca [{len(plan.rows)} x {real.name}], align {real.bytes}")
    if plan.size or functions:
        lines.insert(0, f"  %scratch = alloca [{plan.size} x {real.name}], align 64")
    head = f"define void @{name}(ptr %a, ptr %b, ptr %c, ptr noalias readonly %p, ptr %out) nounwind {{"
    mappings = [line for lines in module.mappings.values() for line in lines]
    whole = [head, *lines, "  ret void", "}", ""]
    return "\n".join([*module.tables, *sorted(module.declared), *mappings, *functions, *whole])


def widths(real: Real) -> tuple[int, int]:
    """Lanes that one vector instruction of the intermediate representation works on, in short and in long code.

    Two registers at once run faster than one: the processor waits less. LLVM cuts such vectors in two, which takes it
    twice as long.
    """
    register = max(256, registers().bits) // real.bits
    return 2 * register, register


def repeated(index: str, end: int | str, step: int, lines: Sequence[str]) -> list[str]:
    """Lines that run for values of %index from 0 on."""
    return [
        f"  br label %before.{index}", f"before.{index}:", f"  br label %each.{index}", f"each.{index}:",
        f"  %{index} = phi i64 [ 0, %before.{index} ], [ %next.{index}, %each.{index} ]", *lines,
        f"  %next.{index} = add i64 %{index}, {step}", f"  %more.{index} = icmp ult i64 %next.{index}, {end}",
        f"  br i1 %more.{index}, label %each.{index}, label %after.{index}", f"after.{index}:",
    ]  # fmt: skip


def spread(rows: str, real: Real) -> list[str]:
    """Lines that copy the result %shared to all lanes of its row."""
    width = widths(real)[0]
    vector = real.kind(False, width)
    lines = [
        f"  %from = getelementptr inbounds {real.name}, ptr %results, i64 %shared",
        f"  %one = load {real.name}, ptr %from, align {real.bytes}",
        f"  %first = insertelement {vector} poison, {real.name} %one, i32 0",
        f"  %all = shufflevector {vector} %first, {vector} poison, <{width} x i32> zeroinitializer",
        f"  %entry.row = getelementptr inbounds i64, ptr {rows}, i64 %shared",
        "  %row = load i64, ptr %entry.row, align 8",
        f"  %to = getelementptr inbounds {real.name}, ptr %out, i64 %row",
    ]
    for lane in range(0, LANES, width):
        lines += [
            f"  %to{lane} = getelementptr inbounds {real.name}, ptr %to, i64 {lane}",
            f"  store {vector} %all, ptr %to{lane}, align {real.bytes}",
        ]
    return lines
