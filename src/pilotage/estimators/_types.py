"""The types of `_memory` in numba's terms: numbers of lanes and tiles, vectors and matrices in memory."""

# pyright: basic
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from ..models.trace import LANES
from ._memory import SIDE

DOUBLE, WORD, BIT = ir.DoubleType(), ir.IntType(64), ir.IntType(1)


class Numbers(types.Type):
    """A number in each lane, or in each place of a tile."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"Numbers({count})")


class Mask(types.Type):
    """A truth in each lane."""

    def __init__(self) -> None:
        super().__init__("Mask")


class Vector(types.Type):
    """``v[i]`` is a number, or a number in each lane."""

    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__(f"Vector({value})")


class Matrix(types.Type):
    """``A[i, j]`` is a number, or a number in each lane."""

    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__(f"Matrix({value})")


class Factor(types.Type):
    """A matrix or its transpose, as a factor of a product: the steps down a column and along a row are known."""

    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__(f"Factor({value})")


NUMBERS, TILE, MASK = Numbers(LANES), Numbers(SIDE * SIDE), Mask()


@register_model(Numbers)
class NumbersModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(DOUBLE, kind.count))


@register_model(Mask)
class MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(BIT, LANES))


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, DOUBLE.as_pointer())


@register_model(Matrix)
class MatrixModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("data", types.CPointer(types.float64)), ("columns", types.intp)])


@register_model(Factor)
class FactorModel(models.StructModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        steps = [("down", types.intp), ("along", types.intp)]
        super().__init__(manager, kind, [("data", types.CPointer(types.float64)), *steps])


def value_type(lanes: Any) -> Any:
    return types.float64 if len(lanes) == 1 else NUMBERS


def lanes_of(value: Any) -> int:
    return LANES if isinstance(value, Numbers) else 1


def word(n: int) -> Any:
    return ir.Constant(WORD, n)


def element(context: Any, builder: Any, kind: Any, held: Any, row: Any, column: Any) -> Any:
    """Pointer to an element of a matrix or factor."""
    data, down = (builder.extract_value(held, place) for place in (0, 1))
    along = builder.extract_value(held, 2) if isinstance(kind, Factor) else word(1)
    index = builder.add(builder.mul(row, down), builder.mul(column, along))
    pointer = builder.gep(data, [builder.mul(index, word(lanes_of(kind.value)))])
    return builder.bitcast(pointer, context.get_value_type(kind.value).as_pointer())


def loaded(builder: Any, pointer: Any) -> Any:
    load = builder.load(pointer)
    load.align = 8
    return load
