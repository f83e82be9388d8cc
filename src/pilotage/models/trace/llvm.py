"""LLVM's intermediate representation of a traced graph: one emitter for single states and for SIMD lanes.

Every function has the signature ``void f(double* a, double* b, double* c, double* p, double* out)``. It reads a, b and
c, then computes the results and writes them one after another, so that `out` may be the memory of an input, though not
of the parameters p. With lanes it does so for `LANES` states side by side: arrays ``(rows, LANES)``, some lanes an
instruction. What all lanes share is computed once, before the loop, and copied to the lanes after it. Long code is a
series of functions; see `parts`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from ...core.errors import ModelError
from . import products
from .expression import Expr
from .lower import lower
from .parts import Plan, Step

LANES = 32
"""The number of states that code for lanes processes side by side."""
WIDTHS = (8, 4)
"""Lanes that one vector instruction of the intermediate representation works on, in short and in long code.

Eight run a little faster where a register holds four. LLVM cuts them in two, which takes it twice as long.
"""

POINTERS = ("a", "b", "c", "p")
INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
INTRINSICS = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor"}
LIBRARY = {
    "sin", "cos", "tan", "exp", "log", "asin", "acos", "atan", "sinh", "cosh", "tanh", "atan2", "hypot", "pow",
}  # fmt: skip
"""Functions of the C library, by their names there."""
FLAGS = "contract nsz"
"""Liberties with floating point: fused multiply-add, and no care for the sign of zero."""


class Module:
    """Text that the functions of a module share.

    Args:
        plan: what they compute.
        places: for each input group of the graph, the pointer that holds it.
    """

    def __init__(self, plan: Plan, places: Mapping[str, str]) -> None:
        self.plan, self.places = plan, places
        self.declared: set[str] = set()
        self.tables: list[str] = []
        self.registers = count()

    def table(self, kind: str, values: Sequence[str]) -> str:
        """A table of constants."""
        name = f"@table{len(self.tables)}"
        entries = ", ".join(f"{kind} {value}" for value in values)
        self.tables.append(f"{name} = private constant [{len(values)} x {kind}] [{entries}]")
        return name


class Part:
    """Writes the instructions of one part of a plan.

    Args:
        module: where it is.
        steps: of the part.
        width: lanes that it computes for; 1 for one state, or for what all lanes share.
        out: the pointer that results are written to.
    """

    def __init__(self, module: Module, steps: Sequence[Step], width: int, out: str) -> None:
        self.module, self.plan, self.width, self.out = module, module.plan, width, out
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.splats: dict[int, str] = {}
        for step in steps:
            if isinstance(step, Expr):
                self._visit(step)
            elif len(step.values) == 1:
                self._store(step.values[0], step.place)
            else:
                self._copy(step.values, step.place)

    def operand(self, e: Expr, width: int, condition: bool = False) -> str:
        """The text of an argument: a register or a constant, spread over the lanes where that is needed."""
        if e.op == "const":
            return constant(e.value, width, condition)
        if e.index not in self.names:
            self.names[e.index] = self._input(e) if self._at_hand(e) else self._fetched(e)
        if width > self._lanes(e):
            if e.index not in self.splats:
                self.splats[e.index] = self._splat(kind(e.condition, 1), self.names[e.index])
            return self.splats[e.index]
        return self.names[e.index]

    def _visit(self, e: Expr) -> None:
        if e.op == "affine":
            self._affine(e)
            return
        self.names[e.index] = self._input(e) if e.op == "input" else self._operation(e, self.width)
        if e.index in self.plan.kept:
            value, t = self.names[e.index], kind(e.condition, self.width)
            if e.condition:
                value, t = self._emit(f"sext {t} {value} to {integers(self.width)}"), integers(self.width)
            self._line(f"store {t} {value}, ptr {self._address('%scratch', self.plan.kept[e.index])}, align 8")

    def _fetched(self, e: Expr) -> str:
        """A value that an earlier part has kept."""
        if e.op == "entry":
            return self._entry(e)
        width, pointer = self._lanes(e), self._address("%scratch", self.plan.kept[e.index])
        if not e.condition:
            return self._emit(f"load {kind(False, width)}, ptr {pointer}, align 8")
        value = self._emit(f"load {integers(width)}, ptr {pointer}, align 8")
        return self._emit(f"icmp slt {integers(width)} {value}, {integer(0, width)}")

    def _affine(self, e: Expr) -> None:
        """The product of a matrix among the parameters and a vector, into scratch memory."""
        group, start, rows, columns, bias = e.value
        width, table, t = self._lanes(e), f"%{self.module.places[group]}", kind(False, self._lanes(e))
        for k, a in enumerate(e.args):
            x = self.operand(a, width)
            self._line(f"store {t} {x}, ptr {self._address('%scratch', self.plan.staged + k * width)}, align 8")
        self.module.declared.add(products.declaration(width))
        pointers = [
            self._address("%scratch", self.plan.staged),
            self._address(table, start),
            "null" if bias < 0 else self._address(table, bias),
            self._address("%scratch", self.plan.products[e.index]),
        ]
        x, A, b, y = (f"ptr {p}" for p in pointers)
        self._line(f"call void @{products.name(width)}({x}, {A}, {b}, i64 {rows}, i64 {columns}, {y})")

    def _entry(self, e: Expr) -> str:
        """An entry of a product."""
        width = self._lanes(e)
        pointer = self._address("%scratch", self.plan.products[e.args[0].index] + e.value * width)
        return self._emit(f"load {kind(False, width)}, ptr {pointer}, align 8")

    def _at_hand(self, e: Expr) -> bool:
        return e.op == "input" and self.module.places[e.value[0]] == "p"

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
        self._line(f"store {kind(False, self.width)} {value}, ptr {pointer}, align 8")

    def _copy(self, values: Sequence[Expr], place: int) -> None:
        """Write results that are parameters one after another, or constants, at once."""
        if values[0].op == "const":
            source = self.module.table("double", [constant(e.value, False, False) for e in values])
        else:
            source = self._address("%p", values[0].value[1])
        target = self._address(self.out, place)
        self.module.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self._line(
            f"call void @llvm.memcpy.p0.p0.i64(ptr align 8 {target}, ptr align 8 {source}, i64 {8 * len(values)}, "
            "i1 false)",
        )

    def _input(self, e: Expr) -> str:
        (group, row), width = e.value, self._lanes(e)
        pointer = f"%{self.module.places[group]}{'.lane' if width > 1 else ''}"
        return self._emit(
            f"load {kind(False, width)}, ptr {self._address(pointer, row * LANES if width > 1 else row)}, align 8"
        )

    def _operation(self, e: Expr, width: int) -> str:
        op, t = e.op, kind(False, width)
        if op in INSTRUCTIONS and not (op == "rem" and width > 1):
            a, b = (self.operand(x, width) for x in e.args)
            return self._emit(f"{INSTRUCTIONS[op]} {FLAGS} {t} {a}, {b}")
        if op == "neg":
            return self._emit(f"fneg {FLAGS} {t} {self.operand(e.args[0], width)}")
        if op in COMPARISONS:
            logical = any(a.condition for a in e.args)
            a, b = (self.operand(x, width, logical) for x in e.args)
            compare = f"icmp {op}" if logical else f"fcmp {COMPARISONS[op]}"
            return self._emit(f"{compare} {kind(logical, width)} {a}, {b}")
        if op in ("and", "or", "not"):
            a = self.operand(e.args[0], width, True)
            b = constant(1.0, width, True) if op == "not" else self.operand(e.args[1], width, True)
            return self._emit(f"{'xor' if op == 'not' else op} {kind(True, width)} {a}, {b}")
        if op == "where":
            c = self.operand(e.args[0], width, True)
            a, b = (self.operand(x, width, e.condition) for x in e.args[1:])
            t = kind(e.condition, width)
            return self._emit(f"select {kind(True, width)} {c}, {t} {a}, {t} {b}")
        if op in INTRINSICS:
            name = f"llvm.{INTRINSICS[op]}.{f'v{width}f64' if width > 1 else 'f64'}"
            return self._emit(self._call(name, t, [self.operand(e.args[0], width)]))
        if op == "load":
            return self._load(e, width)
        if op == "entry":
            return self._entry(e)
        if op in BITS:
            return self._bits(e, width)
        if op in LIBRARY or op == "rem":
            args = [self.operand(a, width) for a in e.args]
            return self._each(op, args) if width > 1 else self._emit(self._scalar(op, args))
        raise ModelError(f"no machine code is known for the operation {op}; `lower` needs a rule for it")

    def _scalar(self, op: str, args: Sequence[str]) -> str:
        return f"frem double {args[0]}, {args[1]}" if op == "rem" else self._call(op, "double", args)

    def _each(self, op: str, args: Sequence[str]) -> str:
        """A function of the C library, lane by lane."""

        def one(lane: int) -> str:
            picked = [self._emit(f"extractelement {kind(False, self.width)} {a}, i32 {lane}") for a in args]
            return self._emit(self._scalar(op, picked))

        return self._gathered(one)

    def _gathered(self, one: Callable[[int], str]) -> str:
        """A vector made of what `one` says for each lane."""
        vector, t = "poison", kind(False, self.width)
        for lane in range(self.width):
            vector = self._emit(f"insertelement {t} {vector}, double {one(lane)}, i32 {lane}")
        return vector

    def _load(self, e: Expr, width: int) -> str:
        """The entry of a table at a computed place."""
        place, table = self.operand(e.args[0], width), self.module.places[e.value]

        if width == 1:
            index = self._emit(f"fptosi double {place} to i64")
            pointer = self._emit(f"getelementptr inbounds double, ptr %{table}, i64 {index}")
            return self._emit(f"load double, ptr {pointer}, align 8")
        t, pointers = kind(False, width), f"<{width} x ptr>"
        index = self._emit(f"fptosi {t} {place} to <{width} x i32>")
        at = self._emit(f"getelementptr inbounds double, ptr %{table}, <{width} x i32> {index}")
        gather, all_lanes = f"@llvm.masked.gather.v{width}f64.v{width}p0", kind(True, width)
        self.module.declared.add(f"declare {t} {gather}({pointers}, i32, {all_lanes}, {t})")
        return self._emit(
            f"call {t} {gather}({pointers} {at}, i32 8, {all_lanes} {constant(1.0, width, True)}, {t} poison)"
        )

    def _bits(self, e: Expr, width: int) -> str:
        """Functions of the bits of a float: conversions between float and integer would not become SIMD."""
        a, words = self.operand(e.args[0], width), {"t": kind(False, width), "i": integers(width)}
        words |= {name: integer(value, width) for name, value in INTEGERS.items()}
        words |= {name: constant(value, width, False) for name, value in REALS.items()}
        for template in BITS[e.op]:
            a = self._emit(template.format(a=a, **words))
        return a

    def _call(self, name: str, t: str, args: Sequence[str]) -> str:
        self.module.declared.add(f"declare {t} @{name}({', '.join([t] * len(args))})")
        return f"call {t} @{name}({', '.join(f'{t} {a}' for a in args)})"

    def _address(self, pointer: str, offset: int) -> str:
        return self._emit(f"getelementptr inbounds double, ptr {pointer}, i64 {offset}") if offset else pointer

    def _emit(self, instruction: str) -> str:
        name = f"%t{next(self.module.registers)}"
        self._line(f"{name} = {instruction}")
        return name

    def _line(self, text: str) -> None:
        self.lines.append(f"  {text}")


INTEGERS = {"fraction": 52, "mask": 0x000FFFFFFFFFFFFF, "one": 0x3FF0000000000000, "large": 0x4330000000000000}
REALS = {"shift": 6755399441056767.0, "above": 4503599627371519.0}
BITS = {
    # Added to 1.5 * 2^52 a whole number stands in the low bits of the sum; moved up it is the exponent of 2^k.
    "power_of_two": (
        "fadd {t} {a}, {shift}", "bitcast {t} {a} to {i}", "shl {i} {a}, {fraction}", "bitcast {i} {a} to {t}",
    ),
    # The exponent's bits, set into the mantissa of 2^52, are a float 2^52 larger than the exponent.
    "exponent": (
        "bitcast {t} {a} to {i}", "lshr {i} {a}, {fraction}", "or {i} {a}, {large}", "bitcast {i} {a} to {t}",
        "fsub {t} {a}, {above}",
    ),
    "mantissa": ("bitcast {t} {a} to {i}", "and {i} {a}, {mask}", "or {i} {a}, {one}", "bitcast {i} {a} to {t}"),
}  # fmt: skip
"""Functions of the bits of a float, an instruction a line; each works on the result of the one before."""


def kind(condition: bool, width: int) -> str:
    """The type of a value."""
    scalar = "i1" if condition else "double"
    return f"<{width} x {scalar}>" if width > 1 else scalar


def integers(width: int) -> str:
    """The type of integers as long as a float."""
    return f"<{width} x i64>" if width > 1 else "i64"


def constant(value: float, width: int, condition: bool) -> str:
    """A number as an operand; the bits of it, for decimals would round."""
    if condition:
        text = "true" if value else "false"
    else:
        (bits,) = struct.unpack("<Q", struct.pack("<d", math.nan if value != value else value))
        text = f"0x{bits:016X}"
    return f"<{', '.join([f'{kind(condition, 1)} {text}'] * width)}>" if width > 1 else text


def integer(value: int, width: int) -> str:
    """A whole number as an operand."""
    return f"<{', '.join([f'i64 {value}'] * width)}>" if width > 1 else str(value)


def emit(name: str, outputs: Sequence[Expr], places: Mapping[str, str], each: frozenset[str] | None) -> str:
    """The text of a module with the function `name`, which writes `outputs`.

    Args:
        name: what the function is called.
        outputs: expressions of one graph.
        places: input groups, and the pointers (a, b, c, p) that hold them.
        each: groups of which each lane has its own values; None for code of one state.
    """
    lanes = each is not None
    lowered = [e.graph.where(e, 1.0, 0.0) if e.condition else e for e in lower(outputs, lanes)]
    parameters = {group for group, pointer in places.items() if pointer == "p"}
    plan = Plan(lowered, parameters, each or frozenset[str](), WIDTHS)
    module = Module(plan, places)
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
        moved = [f"  %{x}.lane = getelementptr inbounds double, ptr %{x}, i64 %lane" for x in ("a", "b", "c", "out")]
        lines += repeated("lane", LANES, plan.width, [*moved, *body(plan.lanes, plan.width, "%out.lane")])
    if lanes and plan.rows:
        lines += repeated("shared", len(plan.rows), 1, spread(module.table("i64", [str(r * LANES) for r in plan.rows])))
        lines.insert(0, f"  %results = alloca [{len(plan.rows)} x double], align 8")
    if plan.size or functions:
        lines.insert(0, f"  %scratch = alloca [{plan.size} x double], align 64")
    head = f"define void @{name}(ptr %a, ptr %b, ptr %c, ptr noalias readonly %p, ptr %out) nounwind {{"
    whole = [head, *lines, "  ret void", "}", ""]
    return "\n".join([*module.tables, *sorted(module.declared), *functions, *whole])


def repeated(index: str, end: int, step: int, lines: Sequence[str]) -> list[str]:
    """Lines that run for values of %index from 0 on."""
    return [
        f"  br label %before.{index}", f"before.{index}:", f"  br label %each.{index}", f"each.{index}:",
        f"  %{index} = phi i64 [ 0, %before.{index} ], [ %next.{index}, %each.{index} ]", *lines,
        f"  %next.{index} = add i64 %{index}, {step}", f"  %more.{index} = icmp ult i64 %next.{index}, {end}",
        f"  br i1 %more.{index}, label %each.{index}, label %after.{index}", f"after.{index}:",
    ]  # fmt: skip


def spread(rows: str) -> list[str]:
    """Lines that copy the result %shared to all lanes of its row."""
    width = WIDTHS[0]
    vector = kind(False, width)
    lines = [
        "  %from = getelementptr inbounds double, ptr %results, i64 %shared",
        "  %one = load double, ptr %from, align 8",
        f"  %first = insertelement {vector} poison, double %one, i32 0",
        f"  %all = shufflevector {vector} %first, {vector} poison, <{width} x i32> zeroinitializer",
        f"  %entry.row = getelementptr inbounds i64, ptr {rows}, i64 %shared",
        "  %row = load i64, ptr %entry.row, align 8",
        "  %to = getelementptr inbounds double, ptr %out, i64 %row",
    ]
    for lane in range(0, LANES, width):
        lines += [
            f"  %to{lane} = getelementptr inbounds double, ptr %to, i64 {lane}",
            f"  store {vector} %all, ptr %to{lane}, align 8",
        ]
    return lines
