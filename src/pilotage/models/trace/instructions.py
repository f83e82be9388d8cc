"""The instructions of LLVM's intermediate representation for the operations of a graph, for one state or for lanes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence

from ...core.errors import ModelError
from .expression import Expr
from .reals import BITS, Real

INSTRUCTIONS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
COMPARISONS = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
INTRINSICS = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor"}
LIBRARY = {
    "sin", "cos", "tan", "exp", "log", "asin", "acos", "atan", "sinh", "cosh", "tanh", "atan2", "hypot", "pow",
}  # fmt: skip
"""Functions of the C library, by their names there."""
FLAGS = "contract nsz"
"""Liberties with floating point: fused multiply-add, and no care for the sign of zero."""


class Instructions(ABC):
    """Writes the instruction of an operation; a subclass says where its arguments are.

    Args:
        real: the format of all numbers.
        width: lanes that an instruction computes for.
        places: for each input group of the graph, the pointer that holds it.
        registers: the numbers of registers that are free.
        declared: declarations of the functions that are called, to which more are added.
    """

    def __init__(
        self, real: Real, width: int, places: Mapping[str, str], registers: Iterator[int], declared: set[str]
    ) -> None:
        self.real, self.width, self.places, self.align = real, width, places, f"align {real.bytes}"
        self.lines: list[str] = []
        self._registers, self._declared = registers, declared

    @abstractmethod
    def operand(self, e: Expr, width: int, condition: bool = False) -> str:
        """The text of an argument: a register or a constant."""

    def _operation(self, e: Expr, width: int) -> str:
        """The register that holds the result of an operation."""
        op, t = e.op, self.real.kind(False, width)
        if op in INSTRUCTIONS and not (op == "rem" and width > 1):
            a, b = (self.operand(x, width) for x in e.args)
            return self._emit(f"{INSTRUCTIONS[op]} {FLAGS} {t} {a}, {b}")
        if op == "neg":
            return self._emit(f"fneg {FLAGS} {t} {self.operand(e.args[0], width)}")
        if op in COMPARISONS:
            logical = any(a.condition for a in e.args)
            a, b = (self.operand(x, width, logical) for x in e.args)
            compare = f"icmp {op}" if logical else f"fcmp {COMPARISONS[op]}"
            return self._emit(f"{compare} {self.real.kind(logical, width)} {a}, {b}")
        if op in ("and", "or", "not"):
            a = self.operand(e.args[0], width, True)
            b = self.real.constant(1.0, width, True) if op == "not" else self.operand(e.args[1], width, True)
            return self._emit(f"{'xor' if op == 'not' else op} {self.real.kind(True, width)} {a}, {b}")
        if op == "where":
            c = self.operand(e.args[0], width, True)
            a, b = (self.operand(x, width, e.condition) for x in e.args[1:])
            t = self.real.kind(e.condition, width)
            return self._emit(f"select {self.real.kind(True, width)} {c}, {t} {a}, {t} {b}")
        if op in INTRINSICS:
            name = f"llvm.{INTRINSICS[op]}.{f'v{width}' if width > 1 else ''}{self.real.suffix}"
            return self._emit(self._call(name, t, [self.operand(e.args[0], width)]))
        if op == "load":
            return self._load(e, width)
        if op in BITS:
            return self._bits(e, width)
        if op in LIBRARY or op == "rem":
            args = [self.operand(a, width) for a in e.args]
            return self._each(op, args) if width > 1 else self._emit(self._scalar(op, args))
        raise ModelError(f"no machine code is known for the operation {op}; `lower` needs a rule for it")

    def _scalar(self, op: str, args: Sequence[str]) -> str:
        t = self.real.name
        return f"frem {t} {args[0]}, {args[1]}" if op == "rem" else self._call(f"{op}{self.real.library}", t, args)

    def _each(self, op: str, args: Sequence[str]) -> str:
        """A function of the C library, lane by lane."""

        def one(lane: int) -> str:
            picked = [self._emit(f"extractelement {self.real.kind(False, self.width)} {a}, i32 {lane}") for a in args]
            return self._emit(self._scalar(op, picked))

        return self._gathered(one)

    def _gathered(self, one: Callable[[int], str]) -> str:
        """A vector made of what `one` says for each lane."""
        vector, t = "poison", self.real.kind(False, self.width)
        for lane in range(self.width):
            vector = self._emit(f"insertelement {t} {vector}, {self.real.name} {one(lane)}, i32 {lane}")
        return vector

    def _load(self, e: Expr, width: int) -> str:
        """The entry of a table at a computed place."""
        place, table = self.operand(e.args[0], width), self.places[e.value]

        if width == 1:
            index = self._emit(f"fptosi {self.real.name} {place} to i64")
            pointer = self._emit(f"getelementptr inbounds {self.real.name}, ptr %{table}, i64 {index}")
            return self._emit(f"load {self.real.name}, ptr {pointer}, {self.align}")
        t, pointers = self.real.kind(False, width), f"<{width} x ptr>"
        index = self._emit(f"fptosi {t} {place} to <{width} x i32>")
        at = self._emit(f"getelementptr inbounds {self.real.name}, ptr %{table}, <{width} x i32> {index}")
        gather, all_lanes = f"@llvm.masked.gather.v{width}{self.real.suffix}.v{width}p0", self.real.kind(True, width)
        self._declared.add(f"declare {t} {gather}({pointers}, i32, {all_lanes}, {t})")
        return self._emit(
            f"call {t} {gather}({pointers} {at}, i32 {self.real.bytes}, "
            f"{all_lanes} {self.real.constant(1.0, width, True)}, {t} poison)"
        )

    def _bits(self, e: Expr, width: int) -> str:
        """Functions of the bits of a float: conversions between float and integer would not become SIMD."""
        a, words = self.operand(e.args[0], width), {"t": self.real.kind(False, width), "i": self.real.integers(width)}
        ones, floats = self.real.words
        words |= {name: self.real.integer(value, width) for name, value in ones.items()}
        words |= {name: self.real.constant(value, width) for name, value in floats.items()}
        for template in BITS[e.op]:
            a = self._emit(template.format(a=a, **words))
        return a

    def _call(self, name: str, t: str, args: Sequence[str]) -> str:
        """A call of a function of numbers of the kind t, which is declared."""
        self._declared.add(f"declare {t} @{name}({', '.join([t] * len(args))})")
        return f"call {t} @{name}({', '.join(f'{t} {a}' for a in args)})"

    def _address(self, pointer: str, offset: int) -> str:
        return (
            self._emit(f"getelementptr inbounds {self.real.name}, ptr {pointer}, i64 {offset}") if offset else pointer
        )

    def _emit(self, instruction: str) -> str:
        name = f"%t{next(self._registers)}"
        self._line(f"{name} = {instruction}")
        return name

    def _line(self, text: str) -> None:
        self.lines.append(f"  {text}")
