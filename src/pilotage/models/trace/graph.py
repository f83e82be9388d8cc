"""The graph of a trace: hash-consed expressions, folded as they are made."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from ...core.errors import ModelError
from ...core.mathematics import numpy_math
from .expression import Expr, where_called

UNARY = {
    "sqrt", "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "abs", "sign", "floor", "wrap",
}  # fmt: skip
"""Functions of one argument; operation and function of the mathematics have one name."""
BINARY = {"atan2": "atan2", "hypot": "hypot", "minimum": "min", "maximum": "max"}
"""Functions of two arguments, and the operations they are."""
OTHERS = {"affine", "clip", "lookup", "lookup_slope", "pi", "where"}
LOGIC = {"and", "or", "not"}
PLAIN = {"dt", "p"}
"""Inputs that are plain numbers of Python where a model runs on arrays: the time step and parameters."""
COMMUTES = {"add", "mul", "hypot", "eq", "ne", "and", "or"}
FOLD: dict[str, Callable[..., Any]] = {
    **{name: getattr(numpy_math, name) for name in UNARY},
    **{operation: getattr(numpy_math, name) for name, operation in BINARY.items()},
    "neg": operator.neg,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": np.divide,
    "mod": operator.mod,
    "pow": np.power,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}
"""Operations that are computed while tracing, when all arguments are constants."""


class Graph:
    """All nodes of one trace. Equal nodes are the same object, whichever thread makes them.

    Constants fold, and so do ``0 * a`` and ``a - a``, to zero: a NaN or an infinity in `a` is not seen there.

    Attributes:
        nodes: every node after its arguments.
        zero, one: the constants.
    """

    def __init__(self) -> None:
        self.nodes: list[Expr] = []
        self._known: dict[Any, Expr] = {}
        self._lock = threading.Lock()
        self.zero = self.const(0.0)
        self.one = self.const(1.0)

    def const(self, value: float) -> Expr:
        """A number. 0.0 and -0.0 are two, though equal; all NaN are one."""
        value = float(value)
        return self._kept(("const", repr(value)), "const", (), value)

    def input(self, group: str, index: int) -> Expr:
        """The entry `index` of the array `group` that generated code is called with."""
        return self.raw("input", value=(group, index))

    def inputs(self, group: str, count: int) -> list[Expr]:
        """The first `count` entries of the array `group`."""
        return [self.input(group, i) for i in range(count)]

    def lift(self, value: Any) -> Expr:
        """A number becomes a constant of this graph."""
        if isinstance(value, Expr):
            if value.graph is not self:
                raise ModelError("a value of one trace is used in another; do not keep model values between calls")
            return value
        if not isinstance(value, (str, bytes)) and not getattr(value, "ndim", 0):
            try:
                return self.const(float(value))
            except (TypeError, ValueError):
                pass
        raise ModelError(
            f"{where_called()} combines a model value with {type(value).__name__} ({value!r}); a number was expected"
        )

    def knows(self, name: str) -> bool:
        """Whether the mathematics of models has a function of that name."""
        return name in UNARY or name in BINARY or name in OTHERS

    def node(self, op: str, *args: Any, value: Any = None) -> Expr:
        """The operation `op` on expressions or numbers, folded where that can be."""
        lifted = tuple(self.lift(a) for a in args)
        if op in LOGIC:
            self._conditions(*lifted)
        elif op not in ("eq", "ne") or not all(a.condition for a in lifted):
            lifted = self._numbers(*lifted)
        if op in FOLD and value is None and all(a.op == "const" for a in lifted):
            return self._folded(op, lifted)
        if op in LOGIC:
            known = self._logic(op, lifted)
            if known is not None:
                return known
        if op == "abs" and lifted[0].op == "neg":
            lifted = lifted[0].args
        if op in ("min", "max") and lifted[0].op == "const":
            lifted = lifted[::-1]  # at a tie the derivative is that of the first: of the one that can vary
        return self.raw(op, *lifted, value=value)

    def neg(self, a: Expr) -> Expr:
        if a.op == "neg":
            return a.args[0]
        if a.op == "sub":
            return self.sub(a.args[1], a.args[0])
        return self.node("neg", a)

    def add(self, a: Expr, b: Expr) -> Expr:
        a, b = self._numbers(a, b)
        if a is self.zero:
            return b
        if b is self.zero:
            return a
        if b.op == "neg":
            return self.sub(a, b.args[0])
        if a.op == "neg":
            return self.sub(b, a.args[0])
        return self.node("add", a, b)

    def sub(self, a: Expr, b: Expr) -> Expr:
        a, b = self._numbers(a, b)
        if b is self.zero:
            return a
        if a is b:
            return self.zero
        if a is self.zero:
            return self.neg(b)
        if b.op == "neg":
            return self.add(a, b.args[0])
        return self.node("sub", a, b)

    def mul(self, a: Expr, b: Expr) -> Expr:
        a, b = self._numbers(a, b)
        if a is self.zero or b is self.zero:
            return self.zero
        if a is self.one:
            return b
        if b is self.one:
            return a
        if a.op == "neg":
            return self.neg(self.mul(a.args[0], b))
        if b.op == "neg":
            return self.neg(self.mul(a, b.args[0]))
        if a.op == "const" and a.value == -1.0:
            return self.neg(b)
        if b.op == "const" and b.value == -1.0:
            return self.neg(a)
        return self.node("mul", a, b)

    def div(self, a: Expr, b: Expr) -> Expr:
        a, b = self._numbers(a, b)
        if b is self.one:
            return a
        if a is self.zero and b.op != "const":
            return self.zero
        if b.op == "const" and math.frexp(b.value)[0] in (0.5, -0.5) and math.isfinite(1.0 / b.value):
            return self.mul(a, self.const(1.0 / b.value))  # a power of two: the same to the last bit, and cheaper
        return self.node("div", a, b)

    def power(self, a: Expr, b: Expr) -> Expr:
        a, b = self._numbers(a, b)
        n = b.value if b.op == "const" else math.nan
        if n == 0.5:
            return self.node("sqrt", a)
        if n.is_integer() and abs(n) <= 8:
            result = self.one
            for _ in range(abs(int(n))):
                result = self.mul(result, a)
            return result if n >= 0 else self.div(self.one, result)
        return self.node("pow", a, b)

    def affine(self, matrix: tuple[str, int, int, int, int], xs: Sequence[Expr]) -> list[Expr]:
        """The entries of ``A x + b``, for parameters A and b.

        Args:
            matrix: the input group of A and b, where A begins in it, its rows and columns, and where b begins, or -1.
            xs: the entries of x.
        """
        product = self.raw("affine", *xs, value=matrix)
        return [self.raw("entry", product, value=row) for row in range(matrix[2])]

    def numbers(self, values: Sequence[Any]) -> list[Expr]:
        """Values as numbers of this graph; conditions count 1 or 0."""
        return [self.where(e, self.one, self.zero) if e.condition else e for e in map(self.lift, values)]

    def where(self, c: Any, a: Any, b: Any) -> Expr:
        c, a, b = self.lift(c), self.lift(a), self.lift(b)
        self._conditions(c)
        if a.condition != b.condition:
            a, b = self._numbers(a, b)
        if a is b or (c.op == "const" and c.value):
            return a
        return b if c.op == "const" else self.raw("where", c, a, b)

    def raw(self, op: str, *args: Expr, value: Any = None) -> Expr:
        """The operation `op` on expressions, as it is: nothing folds."""
        indices = tuple(a.index for a in args)
        return self._kept((op, tuple(sorted(indices)) if op in COMMUTES else indices, value), op, args, value)

    def _kept(self, key: Any, op: str, args: tuple[Expr, ...], value: Any) -> Expr:
        found = self._known.get(key)
        if found is not None:
            return found
        with self._lock:  # two threads that derive from one trace must not give one index twice
            found = self._known.get(key)
            if found is None:
                found = Expr(self, len(self.nodes), op, args, value)
                self.nodes.append(found)
                self._known[key] = found
        return found

    def _numbers(self, *args: Expr) -> tuple[Expr, ...]:
        """Arguments of arithmetic: a condition among numbers is 1 or 0. Of conditions alone numpy makes no numbers."""
        conditions = [a.condition for a in args]
        if True not in conditions:
            return args
        if False not in conditions:
            raise ModelError(
                f"{where_called()} calculates with conditions; write m.where(condition, 1.0, 0.0) for a number, and "
                "& | ~ between conditions"
            )
        return tuple(self.where(a, self.one, self.zero) if a.condition else a for a in args)

    def _conditions(self, *args: Expr) -> None:
        """Refuse numbers where a choice is made: torch has no truth of a number, numpy no `&` of two."""
        if not all(a.condition or a.op == "const" for a in args):
            raise ModelError(f"{where_called()} takes a number for a condition; compare it first, as in (a > 0.5)")

    def _folded(self, op: str, args: tuple[Expr, ...]) -> Expr:
        with np.errstate(all="ignore"):
            return self.const(float(FOLD[op](*(np.float64(a.value) for a in args))))

    def _logic(self, op: str, args: tuple[Expr, ...]) -> Expr | None:
        """A condition of which a part is known; None when none is."""
        if op == "not":
            if args[0].op == "const":
                return self.const(float(not args[0].value))
            if {self.nodes[i].value[0] for i in reachable(args) if self.nodes[i].op == "input"} <= PLAIN:
                raise ModelError(
                    f"{where_called()} inverts by ~ what depends on parameters or the time step only; to Python these "
                    "are plain numbers, and ~True is -2: write the opposite comparison"
                )
            return None
        for a, b in (args, args[::-1]):
            if a.op == "const":
                return b if bool(a.value) == (op == "and") else self.const(float(op == "or"))
        return None


def reachable(outputs: Sequence[Expr], known: Container[int] = ()) -> list[int]:
    """Indices of all nodes that the outputs need, arguments first; none that are `known`, nor what only they need."""
    if not outputs:
        return []
    nodes = outputs[0].graph.nodes
    seen: set[int] = set()
    stack = [o.index for o in outputs]
    while stack:
        i = stack.pop()
        if i not in seen and i not in known:
            seen.add(i)
            stack.extend(a.index for a in nodes[i].args)
    return sorted(seen)  # a node is made after its arguments, so the order of making is an order of evaluation
