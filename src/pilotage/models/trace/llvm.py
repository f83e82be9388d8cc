"""LLVM's intermediate representation of a traced graph: one emitter for single states and for SIMD lanes.

Every function has the signature ``void f(double* a, double* b, double* c, double* p, double* out)``. It reads a, b and
c, then computes the results and writes them one after another, so that `out` may be the memory of an input, though not
of the parameters p. With lanes it does so for `LANES` states side by side: arrays ``(rows, LANES)``, `WIDTH` lanes an
instruction, and what all lanes share is computed once, before the loop.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence

from ...core.errors import ModelError
from .expression import Expr
from .graph import reachable
from .lower import lower

LANES = 32
"""States side by side in code for lanes."""
WIDTH = 8
"""Lanes that one vector instruction of the intermediate representation works on."""

POINTERS = ("a", "b", "c", "p")
INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
INTRINSICS = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor"}
LIBRARY = {
    "sin", "cos", "tan", "exp", "log", "asin", "acos", "atan", "sinh", "cosh", "tanh", "atan2", "hypot", "pow",
}  # fmt: skip
"""Functions of the C library, by their names there."""
COPIED = 8
"""Results that are copied as a block from so many on."""
FLAGS = "contract nsz"
"""Liberties with floating point: fused multiply-add, and no care for the sign of zero."""


class Emitter:
    """Writes the body of one function.

    Args:
        places: for each input group of the graph, the pointer that holds it.
        each: the groups of which each lane has its own values; None for code without lanes.
    """

    def __init__(self, places: Mapping[str, str], each: frozenset[str] | None) -> None:
        self.places, self.each = places, each
        self.before: list[str] = []  # what is computed once
        self.loop: list[str] = []  # what is computed for each vector of lanes
        self.names: dict[int, str] = {}
        self.wide: dict[int, bool] = {}
        self.splats: dict[int, str] = {}
        self.declared: set[str] = set()
        self.tables: list[str] = []
        self._count = 0

    def visit(self, e: Expr) -> None:
        """Write the instructions of one node, whose arguments are written already."""
        if e.op == "const":
            self.wide[e.index] = False
            return
        lanes = self.each is not None
        wide = lanes and (
            e.value[0] in (self.each or ()) if e.op == "input" else any(self.wide[a.index] for a in e.args)
        )
        self.wide[e.index] = wide
        self.names[e.index] = self._input(e, wide) if e.op == "input" else self._operation(e, wide)

    def operand(self, e: Expr, wide: bool, condition: bool = False) -> str:
        """The text of an argument: a register or a constant, spread over the lanes where that is needed."""
        if e.op == "const":
            return constant(e.value, wide, condition)
        if wide and not self.wide[e.index]:
            if e.index not in self.splats:
                scalar, vector = kind(e.condition, False), kind(e.condition, True)
                one = self._emit(False, f"insertelement {vector} poison, {scalar} {self.names[e.index]}, i32 0")
                self.splats[e.index] = self._emit(
                    False, f"shufflevector {vector} {one}, {vector} poison, <{WIDTH} x i32> zeroinitializer"
                )
            return self.splats[e.index]
        return self.names[e.index]

    def store(self, e: Expr, row: int) -> None:
        """Write a result to its place."""
        wide = self.each is not None
        value = self.operand(e, wide)
        pointer = self._address("out", row, wide)
        self._line(wide, f"store {kind(False, wide)} {value}, ptr {pointer}, align 8")

    def copy(self, row: int, outputs: Sequence[Expr]) -> None:
        """Write results that are parameters one after another, or constants, at once."""
        first = outputs[0]
        if first.op == "const":
            source = f"@table{len(self.tables)}"
            values = ", ".join(f"double {constant(e.value, False, False)}" for e in outputs)
            self.tables.append(f"{source} = private constant [{len(outputs)} x double] [{values}]")
        else:
            source = self._address(self.places[first.value[0]], first.value[1], False)
        target = self._address("out", row, False)
        self.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self._line(
            False,
            f"call void @llvm.memcpy.p0.p0.i64(ptr align 8 {target}, ptr align 8 {source}, i64 {8 * len(outputs)}, "
            "i1 false)",
        )

    def _input(self, e: Expr, wide: bool) -> str:
        group, row = e.value
        return self._emit(
            wide, f"load {kind(False, wide)}, ptr {self._address(self.places[group], row, wide)}, align 8"
        )

    def _operation(self, e: Expr, wide: bool) -> str:
        op, t = e.op, kind(False, wide)
        if op in INSTRUCTIONS and not (op == "rem" and wide):
            a, b = (self.operand(x, wide) for x in e.args)
            return self._emit(wide, f"{INSTRUCTIONS[op]} {FLAGS} {t} {a}, {b}")
        if op == "neg":
            return self._emit(wide, f"fneg {FLAGS} {t} {self.operand(e.args[0], wide)}")
        if op in COMPARISONS:
            logical = any(a.condition for a in e.args)
            a, b = (self.operand(x, wide, logical) for x in e.args)
            compare = f"icmp {op}" if logical else f"fcmp {COMPARISONS[op]}"
            return self._emit(wide, f"{compare} {kind(logical, wide)} {a}, {b}")
        if op in ("and", "or", "not"):
            a = self.operand(e.args[0], wide, True)
            b = constant(1.0, wide, True) if op == "not" else self.operand(e.args[1], wide, True)
            return self._emit(wide, f"{'xor' if op == 'not' else op} {kind(True, wide)} {a}, {b}")
        if op == "where":
            c = self.operand(e.args[0], wide, True)
            a, b = (self.operand(x, wide, e.condition) for x in e.args[1:])
            t = kind(e.condition, wide)
            return self._emit(wide, f"select {kind(True, wide)} {c}, {t} {a}, {t} {b}")
        if op in INTRINSICS:
            name = f"llvm.{INTRINSICS[op]}.{f'v{WIDTH}f64' if wide else 'f64'}"
            return self._emit(wide, self._call(name, t, [self.operand(e.args[0], wide)]))
        if op == "load":
            return self._load(e, wide)
        if op in BITS:
            return self._bits(e, wide)
        if op in LIBRARY or op == "rem":
            args = [self.operand(a, wide) for a in e.args]
            return self._each(op, args) if wide else self._emit(wide, self._scalar(op, args))
        raise ModelError(f"no machine code is known for the operation {op}; `lower` needs a rule for it")

    def _scalar(self, op: str, args: Sequence[str]) -> str:
        return f"frem double {args[0]}, {args[1]}" if op == "rem" else self._call(op, "double", args)

    def _each(self, op: str, args: Sequence[str]) -> str:
        """A function of the C library, lane by lane."""

        def one(lane: int) -> str:
            picked = [self._emit(True, f"extractelement {kind(False, True)} {a}, i32 {lane}") for a in args]
            return self._emit(True, self._scalar(op, picked))

        return self._gathered(one)

    def _gathered(self, one: Callable[[int], str]) -> str:
        """A vector made of what `one` says for each lane."""
        vector, t = "poison", kind(False, True)
        for lane in range(WIDTH):
            vector = self._emit(True, f"insertelement {t} {vector}, double {one(lane)}, i32 {lane}")
        return vector

    def _load(self, e: Expr, wide: bool) -> str:
        """The entry of a table at a computed place."""
        place, table = self.operand(e.args[0], wide), self.places[e.value]

        def one(index: str, loop: bool) -> str:
            pointer = self._emit(loop, f"getelementptr inbounds double, ptr %{table}, i64 {index}")
            return self._emit(loop, f"load double, ptr {pointer}, align 8")

        if not wide:
            return one(self._emit(False, f"fptosi double {place} to i64"), False)
        indices = self._emit(True, f"fptosi {kind(False, True)} {place} to <{WIDTH} x i32>")

        def lane(k: int) -> str:
            index = self._emit(True, f"extractelement <{WIDTH} x i32> {indices}, i32 {k}")
            return one(self._emit(True, f"zext i32 {index} to i64"), True)

        return self._gathered(lane)

    def _bits(self, e: Expr, wide: bool) -> str:
        """Functions of the bits of a float: conversions between float and integer would not become SIMD."""
        a, words = self.operand(e.args[0], wide), {"t": kind(False, wide), "i": f"<{WIDTH} x i64>" if wide else "i64"}
        words |= {name: integer(value, wide) for name, value in INTEGERS.items()}
        words |= {name: constant(value, wide, False) for name, value in REALS.items()}
        for template in BITS[e.op]:
            a = self._emit(wide, template.format(a=a, **words))
        return a

    def _call(self, name: str, t: str, args: Sequence[str]) -> str:
        self.declared.add(f"declare {t} @{name}({', '.join([t] * len(args))})")
        return f"call {t} @{name}({', '.join(f'{t} {a}' for a in args)})"

    def _address(self, pointer: str, row: int, wide: bool) -> str:
        if not wide:
            offset = f"i64 {row}" if pointer != "out" or self.each is None else f"i64 {row * LANES}"
            return (
                self._emit(False, f"getelementptr inbounds double, ptr %{pointer}, {offset}") if row else f"%{pointer}"
            )
        index = self._emit(True, f"add i64 %lane, {row * LANES}") if row else "%lane"
        return self._emit(True, f"getelementptr inbounds double, ptr %{pointer}, i64 {index}")

    def _emit(self, wide: bool, instruction: str) -> str:
        self._count += 1
        self._line(wide, f"%t{self._count} = {instruction}")
        return f"%t{self._count}"

    def _line(self, wide: bool, text: str) -> None:
        (self.loop if wide else self.before).append(f"  {text}")


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


def kind(condition: bool, wide: bool) -> str:
    """The type of a value."""
    scalar = "i1" if condition else "double"
    return f"<{WIDTH} x {scalar}>" if wide else scalar


def constant(value: float, wide: bool, condition: bool) -> str:
    """A number as an operand; the bits of it, for decimals would round."""
    if condition:
        text = "true" if value else "false"
    else:
        (bits,) = struct.unpack("<Q", struct.pack("<d", math.nan if value != value else value))
        text = f"0x{bits:016X}"
    return f"<{', '.join([f'{kind(condition, False)} {text}'] * WIDTH)}>" if wide else text


def integer(value: int, wide: bool) -> str:
    """A whole number as an operand."""
    return f"<{', '.join([f'i64 {value}'] * WIDTH)}>" if wide else str(value)


def run(outputs: Sequence[Expr], row: int, places: Mapping[str, str]) -> int:
    """How many results from `row` on are constants, or parameters that lie one after another."""
    first, length = outputs[row], 1
    if first.op == "const":
        while row + length < len(outputs) and outputs[row + length].op == "const":
            length += 1
    elif first.op == "input" and places[first.value[0]] == "p":
        group, index = first.value
        while row + length < len(outputs) and outputs[row + length].op == "input":
            if outputs[row + length].value != (group, index + length):
                break
            length += 1
    return length


def emit(name: str, outputs: Sequence[Expr], places: Mapping[str, str], each: frozenset[str] | None) -> str:
    """The text of a module with the function `name`, which writes `outputs`.

    Args:
        name: what the function is called.
        outputs: expressions of one graph.
        places: input groups, and the pointers (a, b, c, p) that hold them.
        each: groups of which each lane has its own values; None for code of one state.
    """
    lowered = lower(outputs, each is not None)
    emitter = Emitter(places, each)
    nodes = lowered[0].graph.nodes if lowered else []
    done: set[int] = set()
    done_until = 0
    # What `out` may overlap is read first; the rest is computed where it is needed, which keeps it in registers.
    for i in reachable(lowered):
        if nodes[i].op == "input" and places[nodes[i].value[0]] != "p":
            emitter.visit(nodes[i])
            done.add(i)
    for row, e in enumerate(lowered):
        if row < done_until:
            continue
        length = 0 if each is not None else run(lowered, row, places)
        if length >= COPIED:
            emitter.copy(row, lowered[row : row + length])
            done_until = row + length
            continue
        e = e.graph.where(e, 1.0, 0.0) if e.condition else e
        for i in reachable([e], done):
            emitter.visit(nodes[i])
            done.add(i)
        emitter.store(e, row)
    pointers = ("ptr %a", "ptr %b", "ptr %c", "ptr noalias readonly %p", "ptr %out")
    head = f"define void @{name}({', '.join(pointers)}) nounwind {{"
    if each is None:
        body = ["entry:", *emitter.before, "  ret void"]
    else:
        body = [
            "entry:", *emitter.before, "  br label %loop",
            "loop:", "  %lane = phi i64 [ 0, %entry ], [ %next, %loop ]", *emitter.loop,
            f"  %next = add i64 %lane, {WIDTH}", f"  %more = icmp ult i64 %next, {LANES}",
            "  br i1 %more, label %loop, label %done",
            "done:", "  ret void",
        ]  # fmt: skip
    return "\n".join([*emitter.tables, *sorted(emitter.declared), head, *body, "}", ""])
