"""The intrinsics of `_memory`, in numba's terms."""

# pyright: basic, reportOptionalCall=false
from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin
from numba.np.numpy_support import from_dtype

from ..models.trace import LANES
from ._memory import JOB, MODEL, SPACE
from ._types import (
    DOUBLE,
    MASK,
    NUMBERS,
    WORD,
    Mask,
    Matrix,
    Numbers,
    Vector,
    element,
    lanes_of,
    loaded,
    value_type,
    word,
)

FLAGS = ("contract", "nsz")


# -- memory


def _record(dtype: Any) -> Any:
    kind = from_dtype(dtype)

    @intrinsic
    def at(typing_context, address):
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(kind))

        return kind(types.intp), generate

    return at


space_at, model_at, job_at = _record(SPACE), _record(MODEL), _record(JOB)


@intrinsic
def vector(typing_context, address, n, lanes):
    """A vector of n at an address, and the address behind it."""
    value = value_type(lanes)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        behind = builder.add(args[0], builder.mul(args[1], word(8 * lanes_of(value))))
        view = builder.inttoptr(args[0], DOUBLE.as_pointer())
        return context.make_tuple(builder, sig.return_type, (view, behind))

    return types.Tuple((Vector(value), types.intp))(types.intp, types.intp, lanes), generate


@intrinsic
def matrix(typing_context, address, n, m, lanes):
    """A matrix (n, m) at an address, and the address behind it."""
    value = value_type(lanes)
    kind = Matrix(value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        behind = builder.add(args[0], builder.mul(builder.mul(args[1], args[2]), word(8 * lanes_of(value))))
        pair = ir.Constant(context.get_value_type(kind), ir.Undefined)
        pair = builder.insert_value(pair, builder.inttoptr(args[0], DOUBLE.as_pointer()), 0)
        pair = builder.insert_value(pair, args[2], 1)
        return context.make_tuple(builder, sig.return_type, (pair, behind))

    return types.Tuple((kind, types.intp))(types.intp, types.intp, types.intp, lanes), generate


@intrinsic
def row(typing_context, A, i):
    """Row i of a matrix, as a vector."""
    kind = Vector(A.value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        index = builder.mul(args[1], builder.mul(builder.extract_value(args[0], 1), word(lanes_of(A.value))))
        return builder.gep(builder.extract_value(args[0], 0), [index])

    return kind(A, types.intp), generate


@intrinsic
def address(typing_context, v):
    """The address where a vector or matrix begins."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = args[0] if isinstance(v, Vector) else builder.extract_value(args[0], 0)
        return builder.ptrtoint(pointer, WORD)

    return types.intp(v), generate


def _array(dtype: Any, axes: int) -> Any:
    kind = types.Array(dtype, axes, "C")

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = context.make_array(kind)(context, builder)
        shape, item = list(args[1:]), word(8)
        strides = [item]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        data = builder.inttoptr(args[0], context.get_data_type(dtype).as_pointer())
        context.populate_array(array, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None)
        return array._getvalue()

    return kind, generate


@intrinsic
def table(typing_context, address, n, m):
    """A plain array (n, m) at an address."""
    kind, generate = _array(types.float64, 2)
    return kind(types.intp, types.intp, types.intp), generate


@intrinsic
def integers(typing_context, address, n):
    """A plain array (n,) of integers at an address."""
    kind, generate = _array(types.int64, 1)
    return kind(types.intp, types.intp), generate


def _place(context: Any, builder: Any, kind: Any, held: Any, indices: list[Any]) -> Any:
    """Pointer to an element."""
    if not isinstance(kind, Vector):
        return element(context, builder, kind, held, *indices)
    pointer = builder.gep(held, [builder.mul(indices[0], word(lanes_of(kind.value)))])
    return builder.bitcast(pointer, context.get_value_type(kind.value).as_pointer())


def _indices(builder: Any, kind: Any, index: Any) -> list[Any]:
    return [builder.extract_value(index, i) for i in (0, 1)] if isinstance(kind, Matrix) else [index]


def _index_type(kind: Any, index: Any) -> Any:
    if isinstance(kind, Matrix) and isinstance(index, types.BaseTuple) and len(index) == 2:
        return types.UniTuple(types.intp, 2)
    return types.intp if isinstance(kind, Vector) and isinstance(index, types.Integer) else None


@infer_global(operator.getitem)
class GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        index = _index_type(*args)
        return None if index is None else signature(args[0].value, args[0], index)


@infer_global(operator.setitem)
class SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        index = _index_type(*args[:2])
        return None if index is None else signature(types.none, args[0], index, args[0].value)


def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return loaded(builder, _place(context, builder, sig.args[0], args[0], _indices(builder, sig.args[0], args[1])))


def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = _place(context, builder, sig.args[0], args[0], _indices(builder, sig.args[0], args[1]))
    builder.store(args[2], place, align=8)
    return context.get_dummy_value()


lower_builtin(operator.getitem, Vector, types.Integer)(_get)
lower_builtin(operator.getitem, Matrix, types.UniTuple)(_get)
lower_builtin(operator.setitem, Vector, types.Integer, types.Any)(_set)
lower_builtin(operator.setitem, Matrix, types.UniTuple, types.Any)(_set)


# -- arithmetic over lanes


def _spread(builder: Any, kind: Any, value: Any, count: int = LANES) -> Any:
    """A number as the same number in each lane."""
    if isinstance(kind, Numbers):
        return value
    wide = ir.VectorType(value.type, count)
    one = builder.insert_element(ir.Constant(wide, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(wide, ir.Undefined), zeros)


def _numbers(args: Any) -> Any:
    """The type of numbers in lanes or tiles among two arguments, where the other is that, too, or a single number."""
    found = {a for a in args if isinstance(a, Numbers)}
    fits = len(args) == 2 and len(found) == 1 and all(isinstance(a, (Numbers, types.Float)) for a in args)
    return found.pop() if fits else None


def _arithmetic(symbol: Any, method: str) -> None:
    @infer_global(symbol)
    class Binary(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            kind = _numbers(args)
            return None if kind is None else signature(kind, *args)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        a, b = (_spread(builder, k, v, sig.return_type.count) for k, v in zip(sig.args, args, strict=True))
        return getattr(builder, method)(a, b, flags=FLAGS)

    for kinds in ((Numbers, Numbers), (Numbers, types.Float), (types.Float, Numbers)):
        lower_builtin(symbol, *kinds)(lower)


def _comparison(symbol: Any, sign: str) -> None:
    @infer_global(symbol)
    class Compare(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(MASK, *args) if _numbers(args) == NUMBERS else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        a, b = (_spread(builder, k, v) for k, v in zip(sig.args, args, strict=True))
        return (builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered)(sign, a, b)

    for kinds in ((Numbers, Numbers), (Numbers, types.Float), (types.Float, Numbers)):
        lower_builtin(symbol, *kinds)(lower)


for _symbol, _method in (
    (operator.add, "fadd"), (operator.iadd, "fadd"), (operator.sub, "fsub"), (operator.isub, "fsub"),
    (operator.mul, "fmul"), (operator.imul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    _arithmetic(_symbol, _method)
for _symbol, _sign in (
    (operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"),
    (operator.ge, ">="), (operator.eq, "=="), (operator.ne, "!="),
):  # fmt: skip
    _comparison(_symbol, _sign)


def _logic(symbol: Any, method: str) -> None:
    @infer_global(symbol)
    class Logic(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(MASK, *args) if all(isinstance(a, Mask) for a in args) else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, method)(*args)

    lower_builtin(symbol, Mask, Mask)(lower)


_logic(operator.and_, "and_")
_logic(operator.or_, "or_")


@intrinsic
def fill(typing_context, number, lanes):
    """The number in each lane."""
    value = value_type(lanes)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return args[0] if value == types.float64 else _spread(builder, types.float64, args[0])

    return value(types.float64, lanes), generate


@intrinsic
def select(typing_context, mask, a, b):
    """a where the mask is true, b elsewhere."""
    value = NUMBERS if isinstance(mask, Mask) else types.float64
    kinds = [k if isinstance(k, Numbers) else types.float64 for k in (a, b)]

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        this, other = args[1:]
        if value is NUMBERS:
            this, other = (_spread(builder, k, v) for k, v in zip(kinds, args[1:], strict=True))
        return builder.select(args[0], this, other)

    return value(mask, *kinds), generate


def _function(name: str) -> Any:
    @intrinsic
    def function(typing_context, v):
        kind = NUMBERS if isinstance(v, Numbers) else types.float64

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = context.get_value_type(kind)
            suffix = f"v{LANES}f64" if kind is NUMBERS else "f64"
            callee = builder.module.declare_intrinsic(f"llvm.{name}.{suffix}", fnty=ir.FunctionType(value, [value]))
            return builder.call(callee, args)

        return kind(kind), generate

    return function


sqrt, log, absolute = _function("sqrt"), _function("log"), _function("fabs")


@intrinsic
def opposite(typing_context, mask):
    """True where the mask is false."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.not_(args[0])

    return mask(mask), generate


@intrinsic
def everywhere(typing_context, mask):
    """Whether the mask is true in all lanes."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if not isinstance(mask, Mask):
            return args[0]
        bits = builder.bitcast(args[0], ir.IntType(LANES))
        return builder.icmp_unsigned("==", bits, ir.Constant(ir.IntType(LANES), -1))

    return types.boolean(mask), generate


@intrinsic
def accepted(typing_context, status, lanes):
    """Whether the status at an address is 0."""
    many = len(lanes) > 1

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.VectorType(WORD, LANES) if many else WORD
        load = builder.load(builder.inttoptr(args[0], kind.as_pointer()))
        load.align = 8
        return builder.icmp_signed("==", load, ir.Constant(kind, [0] * LANES if many else 0))

    return (MASK if many else types.boolean)(types.intp, lanes), generate


@intrinsic
def mark(typing_context, status, mask, code):
    """The status at an address becomes `code` where it is 0 and the mask is true."""
    many = isinstance(mask, Mask)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = ir.VectorType(WORD, LANES) if many else WORD
        pointer = builder.inttoptr(args[0], kind.as_pointer())
        load = builder.load(pointer)
        load.align = 8
        new = args[2]
        if many:
            new = _spread(builder, types.int64, new)
        free = builder.icmp_signed("==", load, ir.Constant(kind, [0] * LANES if many else 0))
        builder.store(builder.select(builder.and_(free, args[1]), new, load), pointer, align=8)
        return context.get_dummy_value()

    return types.none(types.intp, mask, types.intp), generate
