"""Intrinsics of products: tiles of `SIDE` rows and columns where there is one lane, elements where there are many."""

# pyright: basic
from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ._memory import SIDE
from ._types import DOUBLE, NUMBERS, TILE, Factor, element, lanes_of, loaded, word


def _factor(turned: bool) -> Any:
    @intrinsic
    def factor(typing_context, A):
        kind = Factor(A.value)

        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            columns = builder.extract_value(args[0], 1)
            steps = (word(1), columns) if turned else (columns, word(1))
            made = ir.Constant(context.get_value_type(kind), ir.Undefined)
            for place, part in enumerate((builder.extract_value(args[0], 0), *steps)):
                made = builder.insert_value(made, part, place)
            return made

        return kind(A), generate

    return factor


plain, transposed = _factor(False), _factor(True)


@intrinsic
def part(typing_context, A, i, j):
    """The part of a matrix that begins with element (i, j)."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data, columns = (builder.extract_value(args[0], place) for place in (0, 1))
        index = builder.add(builder.mul(args[1], columns), args[2])
        return builder.insert_value(args[0], builder.gep(data, [builder.mul(index, word(lanes_of(A.value)))]), 0)

    return A(A, types.intp, types.intp), generate


def _within(builder: Any, first: Any, offset: int, count: Any) -> Any:
    """The index first + offset, or the last one where that is beyond."""
    index, last = builder.add(first, word(offset)), builder.sub(count, word(1))
    return builder.select(builder.icmp_signed("<", index, last), index, last)


def _packed(builder: Any, values: list[Any], places: list[int]) -> Any:
    """A vector of the values in these places."""
    few = ir.Constant(ir.VectorType(DOUBLE, len(values)), ir.Undefined)
    for place, value in enumerate(values):
        few = builder.insert_element(few, value, ir.Constant(ir.IntType(32), place))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
    return builder.shuffle_vector(few, ir.Constant(few.type, ir.Undefined), mask)


def _tile_value(lanes: Any) -> Any:
    return TILE if len(lanes) == 1 else NUMBERS


@intrinsic
def nothing(typing_context, lanes):
    """A tile of zeros."""
    value = _tile_value(lanes)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(value), [0.0] * value.count)

    return value(lanes), generate


def _elements(A: Any, lanes: Any, down: bool, along: bool, places: list[int]) -> Any:
    """Code for a tile of elements of A from (i, j) on, SIDE of them down the column and along the row where that is so.

    With many lanes it is the one element (i, j). `places` says where in the tile each goes. The arguments are A, i and
    j, the count of rows or columns of A where several are taken, and the lanes.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        held, i, j, *ends = args[:-1]
        if len(lanes) > 1:
            return loaded(builder, element(context, builder, A, held, i, j))
        rows = [_within(builder, i, p, ends[0]) for p in range(SIDE)] if down else [i]
        columns = [_within(builder, j, q, ends[-1]) for q in range(SIDE)] if along else [j]
        values = [loaded(builder, element(context, builder, A, held, r, c)) for r in rows for c in columns]
        return _packed(builder, values, places)

    return generate


@intrinsic
def down(typing_context, A, i, r, n, lanes):
    """SIDE elements of column r from row i on, each of them along a row of a tile; those beyond n repeat the last."""
    places = [p for p in range(SIDE) for _ in range(SIDE)]
    signature = _tile_value(lanes)(A, types.intp, types.intp, types.intp, lanes)
    return signature, _elements(A, lanes, True, False, places)


@intrinsic
def along(typing_context, A, r, j, m, lanes):
    """SIDE elements of row r from column j on, each of them down a column of a tile; those beyond m repeat the last."""
    signature = _tile_value(lanes)(A, types.intp, types.intp, types.intp, lanes)
    return signature, _elements(A, lanes, False, True, list(range(SIDE)) * SIDE)


@intrinsic
def tile(typing_context, A, i, j, n, m, lanes):
    """The tile of A from row i and column j on; rows and columns beyond n and m repeat the last."""
    signature = _tile_value(lanes)(A, types.intp, types.intp, types.intp, types.intp, lanes)
    return signature, _elements(A, lanes, True, True, list(range(SIDE * SIDE)))


@intrinsic
def put_tile(typing_context, A, i, j, n, m, a, lanes):
    """A from row i and column j on = a tile, but for rows and columns beyond n and m."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        held, i, j, n, m, a, _ = args
        if len(lanes) > 1:
            builder.store(a, element(context, builder, A, held, i, j), align=8)
            return context.get_dummy_value()
        for p in range(SIDE):
            row = builder.add(i, word(p))
            places = [ir.Constant(ir.IntType(32), SIDE * p + q) for q in range(SIDE)]
            with builder.if_then(builder.icmp_signed("<", row, n)):
                pointer = element(context, builder, A, held, row, j)
                with builder.if_else(builder.icmp_signed("<=", builder.add(j, word(SIDE)), m)) as (whole, some):
                    with whole:
                        mask = ir.Constant(ir.VectorType(ir.IntType(32), SIDE), places)
                        values = builder.shuffle_vector(a, ir.Constant(a.type, ir.Undefined), mask)
                        builder.store(values, builder.bitcast(pointer, values.type.as_pointer()), align=8)
                    with some:
                        for q in range(SIDE - 1):
                            with builder.if_then(builder.icmp_signed("<", builder.add(j, word(q)), m)):
                                value = builder.extract_element(a, places[q])
                                builder.store(value, builder.gep(pointer, [word(q)]), align=8)
        return context.get_dummy_value()

    return types.none(A, types.intp, types.intp, types.intp, types.intp, _tile_value(lanes), lanes), generate


@intrinsic
def turn_tile(typing_context, source, down, target, along):
    """SIDE rows of SIDE numbers, `down` bytes apart at the address source, become columns, `along` bytes apart."""

    def at(builder: Any, first: Any, step: Any, place: int) -> Any:
        kind = ir.VectorType(DOUBLE, SIDE).as_pointer()
        return builder.inttoptr(builder.add(first, builder.mul(step, word(place))), kind)

    def shuffled(builder: Any, a: Any, b: Any, places: tuple[int, ...]) -> Any:
        return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), SIDE), list(places)))

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source, down, target, along = args
        rows = [loaded(builder, at(builder, source, down, p)) for p in range(SIDE)]
        pairs = [shuffled(builder, rows[i], rows[i + 1], places) for places in EVERY_OTHER for i in (0, 2)]
        for q, (half, places) in enumerate([(0, FIRST), (2, FIRST), (0, LAST), (2, LAST)]):
            column = shuffled(builder, pairs[half], pairs[half + 1], places)
            builder.store(column, at(builder, target, along, q), align=8)
        return context.get_dummy_value()

    return types.none(types.intp, types.intp, types.intp, types.intp), generate


EVERY_OTHER, FIRST, LAST = ((0, 4, 2, 6), (1, 5, 3, 7)), (0, 1, 4, 5), (2, 3, 6, 7)
"""Places in two vectors of SIDE: the even and the odd ones of both in turn, and the halves of both."""
