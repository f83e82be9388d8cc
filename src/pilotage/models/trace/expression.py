"""Expressions: what a model computes with while it is traced. Each is one scalar that is not known yet."""

from __future__ import annotations

import linecache
import operator
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from ...core.errors import ModelError

if TYPE_CHECKING:
    from .graph import Graph

UFUNCS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": lambda a, b: a / b,
    "remainder": operator.mod,
    "power": lambda a, b: a**b,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
}
"""Arithmetic that numpy numbers begin, as in ``np.float64(2.0) * x``."""
OURS = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "absolute": "abs", "fabs": "abs",
    "max": "maximum", "min": "minimum", "fmax": "maximum", "fmin": "minimum", "if_else": "where",
}  # fmt: skip
"""Functions that the mathematics of models calls by another name than numpy or other toolkits."""
CONDITIONS = {"lt", "le", "eq", "ne", "and", "or", "not"}
TRACER = {f"{__package__}.{name}" for name in ("expression", "graph", "tracer")}


class NoSuchPart(ModelError, AttributeError):
    """An attribute or a method that a model asks of one of its values."""


class Expr:
    """One node of a `Graph`: a scalar that is not known yet. Arithmetic on it makes new nodes.

    Attributes:
        graph: the graph it belongs to.
        index: its place in ``graph.nodes``; arguments have smaller ones.
        op: what makes it, such as "add"; "input" and "const" need no arguments.
        args: the expressions it is made from.
        value: the number of a constant, ``(group, index)`` of an input, the place of a raster that is read.
        condition: whether it is true or false, and not a number.
    """

    __slots__ = ("args", "condition", "graph", "index", "op", "value")

    def __init__(self, graph: Graph, index: int, op: str, args: tuple[Expr, ...], value: Any) -> None:
        self.graph = graph
        self.index = index
        self.op = op
        self.args = args
        self.value = value
        self.condition = op in CONDITIONS or (op == "where" and args[1].condition and args[2].condition)

    def __add__(self, other: Any) -> Expr:
        return self.graph.add(self, self.graph.lift(other))

    def __radd__(self, other: Any) -> Expr:
        return self.graph.add(self.graph.lift(other), self)

    def __sub__(self, other: Any) -> Expr:
        return self.graph.sub(self, self.graph.lift(other))

    def __rsub__(self, other: Any) -> Expr:
        return self.graph.sub(self.graph.lift(other), self)

    def __mul__(self, other: Any) -> Expr:
        return self.graph.mul(self, self.graph.lift(other))

    def __rmul__(self, other: Any) -> Expr:
        return self.graph.mul(self.graph.lift(other), self)

    def __truediv__(self, other: Any) -> Expr:
        return self.graph.div(self, self.graph.lift(other))

    def __rtruediv__(self, other: Any) -> Expr:
        return self.graph.div(self.graph.lift(other), self)

    def __pow__(self, other: Any) -> Expr:
        return self.graph.power(self, self.graph.lift(other))

    def __rpow__(self, other: Any) -> Expr:
        return self.graph.power(self.graph.lift(other), self)

    def __mod__(self, other: Any) -> Expr:
        return self.graph.node("mod", self, other)

    def __rmod__(self, other: Any) -> Expr:
        return self.graph.node("mod", other, self)

    def __neg__(self) -> Expr:
        return self.graph.neg(self)

    def __pos__(self) -> Expr:
        return self

    def __abs__(self) -> Expr:
        return self.graph.node("abs", self)

    def __lt__(self, other: Any) -> Expr:
        return self.graph.node("lt", self, other)

    def __le__(self, other: Any) -> Expr:
        return self.graph.node("le", self, other)

    def __gt__(self, other: Any) -> Expr:
        return self.graph.node("lt", other, self)

    def __ge__(self, other: Any) -> Expr:
        return self.graph.node("le", other, self)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return self.graph.node("eq", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return self.graph.node("ne", self, other)

    def __and__(self, other: Any) -> Expr:
        return self.graph.node("and", self, other)

    def __or__(self, other: Any) -> Expr:
        return self.graph.node("or", self, other)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Expr:
        return self.graph.node("not", self)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise ModelError(
            f"{where_called()} decides with `if`, `and`, `or`, `not`, `max` or `min` on a value that is only known "
            "when the model runs; write m.where(condition, a, b), m.maximum or m.minimum (and & | ~ between conditions)"
        )

    def __floordiv__(self, other: Any) -> Expr:
        raise ModelError(f"{where_called()} uses //, which torch cannot differentiate; write m.floor(a / b)")

    def __xor__(self, other: Any) -> Expr:
        raise ModelError(f"{where_called()} uses ^, which is no power in Python; write a ** b")

    __rfloordiv__, __rxor__ = __floordiv__, __xor__

    def _no_number(self, *_: Any) -> Any:
        raise ModelError(
            f"{where_called()} turns a model value into a plain number; use the functions of the namespace, "
            "m.sin(a) instead of math.sin(a), and arithmetic only"
        )

    def _no_list(self, *_: Any, **__: Any) -> Any:
        raise ModelError(
            f"{where_called()} takes a model value for a list or an array; each is a single number, so write vectors "
            "as lists of values and products as sums over them"
        )

    def __getattr__(self, name: str) -> Any:
        raise NoSuchPart(
            f"{where_called()} asks .{name} of a model value; each is a single number and has nothing but arithmetic "
            "and comparisons, functions are those of the namespace m"
        )

    __float__ = __int__ = __index__ = __complex__ = _no_number
    __round__ = __trunc__ = __floor__ = __ceil__ = _no_number
    __iter__ = __len__ = __getitem__ = __array__ = _no_list

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = UFUNCS.get(ufunc.__name__)
        if method != "__call__" or plain is None or any(np.ndim(a) for a in inputs if not isinstance(a, Expr)):
            self._refuse(str(ufunc.__name__))
        a, b = (self.graph.lift(v) for v in inputs)
        return plain(a, b)

    def __array_function__(self, function: Any, *_: Any) -> Any:
        self._refuse(function.__name__)

    def _refuse(self, name: str) -> Never:
        """Name the function to call in place of one of numpy's."""
        ours = OURS.get(name, name)
        hint = f"m.{ours}" if self.graph.knows(ours) else "the functions of the namespace m, and numbers one by one"
        raise ModelError(f"{where_called()} calls np.{name} on a model value; use {hint}")

    def __repr__(self) -> str:
        return self._text(3)

    def _text(self, depth: int) -> str:
        if self.op == "const":
            return repr(self.value)
        if self.op == "input":
            return f"{self.value[0]}[{self.value[1]}]"
        return f"{self.op}({', '.join(a._text(depth - 1) for a in self.args)})" if depth else f"{self.op}(...)"


def _not_of_the_model(module: str) -> bool:
    return module in TRACER or module.split(".")[0] == "numpy"


def where_called() -> str:
    """File, line and text of the innermost frame outside the tracer and numpy: the line of the model that errs."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and _not_of_the_model(str(frame.f_globals.get("__name__"))):
        frame = frame.f_back
    return _line(frame.f_code.co_filename, frame.f_lineno)


def where_raised(error: BaseException) -> str:
    """The same of the innermost line that an error came through: the line of the model that raised it."""
    step, name, line = error.__traceback__, "", 0
    while step is not None:
        if not _not_of_the_model(str(step.tb_frame.f_globals.get("__name__"))):
            name, line = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    return _line(name, line)


def _line(name: str, line: int) -> str:
    return f"{name}, line {line} (`{linecache.getline(name, line).strip()}`)"
