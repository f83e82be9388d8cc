"""Machine code for products of a matrix and a vector, ``y = A x + b``, shared by all models of a process.

A product is a loop, and not one instruction for each of its terms: a layer of a network has thousands of them. For
lanes, the vector holds some lanes of each component; for one state, columns lie side by side. A tile of rows is
computed at once, as many as the registers hold, so that each component of x is read once for so many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from .reals import Real

TILES = (8, 4, 2, 1)
"""Rows that may be computed at once."""
COLUMNS = 4
"""Columns side by side where there is one state."""
FLAGS = "contract nsz reassoc"


class Registers(NamedTuple):
    """The vector registers of a processor."""

    bits: int
    number: int

    def tiles(self, width: int, real: Real) -> Sequence[int]:
        """Numbers of rows to compute at once: first as many as fit with an x, and then fewer for what is left."""
        each = -(-max(width, COLUMNS) * real.bits // self.bits)
        return [rows for rows in TILES if rows == 1 or (rows + 1) * each < self.number]


def name(width: int, real: Real) -> str:
    """The name of the function for vectors of so many lanes."""
    return f"pilotage_affine_{real.precision}_{width}"


def called(text: str) -> set[tuple[str, int]]:
    """Precision and number of lanes of the functions that a module calls."""
    return {(precision, int(width)) for precision, width in re.findall(r"@pilotage_affine_([a-z]+)_(\d+)", text)}


def declaration(width: int, real: Real) -> str:
    """Its declaration: x, A, b (or null), numbers of rows and columns, and y."""
    return f"declare void @{name(width, real)}(ptr, ptr, ptr, i64, i64, ptr)"


def module(width: int, real: Real, registers: Registers) -> str:
    """The text of a module with the function for a number of lanes."""
    t = real.name
    reduction = f"declare {t} @llvm.vector.reduce.fadd.v{COLUMNS}{real.suffix}({t}, {real.kind(False, COLUMNS)})"
    return "\n".join([reduction, *Product(width, real).text(registers.tiles(width, real))])


class Product(NamedTuple):
    """Writes the function for vectors of so many lanes."""

    width: int
    real: Real

    def text(self, tiles: Sequence[int]) -> Iterator[str]:
        """The function: a loop over rows for each number of rows in `tiles`, the greatest first."""
        yield (
            f"define void @{name(*self)}(ptr noalias readonly %x, ptr noalias readonly %A, ptr readonly %b, i64 %m, "
            "i64 %n, ptr noalias %y) nounwind {"
        )
        yield from [
            "start:",
            "  %plain = icmp eq ptr %b, null",
            f"  %whole = and i64 %n, {-COLUMNS}",
            f"  br label %rows{tiles[0]}.head",
        ]
        before, first = "start", "0"
        for count, following in pairwise([*tiles, 0]):
            tag = f"rows{count}"
            yield from self._rows(tag, count, before, first, f"rows{following}.head" if following else "end")
            before, first = f"{tag}.head", f"%r.{tag}"
        yield from ["end:", "  ret void", "}"]

    def _rows(self, tag: str, count: int, before: str, first: str, after: str) -> Iterator[str]:
        """A loop that computes `count` rows at once while as many are left."""
        r, t = f"%r.{tag}", self.real.name
        yield f"{tag}.head:"
        yield f"  {r} = phi i64 [ {first}, %{before} ], [ %next.{tag}, %{tag}.done ]"
        yield f"  %next.{tag} = add i64 {r}, {count}"
        yield f"  %more.{tag} = icmp ule i64 %next.{tag}, %m"
        yield f"  br i1 %more.{tag}, label %{tag}.begin, label %{after}"
        yield f"{tag}.begin:"
        for k in range(count):
            yield f"  %row.{tag}.{k} = add i64 {r}, {k}"
            yield f"  %at.{tag}.{k} = mul i64 %row.{tag}.{k}, %n"
            yield f"  %A.{tag}.{k} = getelementptr inbounds {t}, ptr %A, i64 %at.{tag}.{k}"
        if self.width == 1:
            yield from self._columns(tag, count, COLUMNS, f"{tag}.begin", "0", "%whole", f"{tag}.fold", None)
            yield f"{tag}.fold:"
            for k in range(count):
                vector = self.real.kind(False, COLUMNS)
                yield (
                    f"  %sum.{tag}.{k} = call {FLAGS} {t} @llvm.vector.reduce.fadd.v{COLUMNS}{self.real.suffix}"
                    f"({t} 0.0, {vector} %acc.{tag}.{COLUMNS}.{k})"
                )
            yield f"  br label %{tag}.rest"
            yield f"{tag}.rest:"
            sums = [f"%sum.{tag}.{k}" for k in range(count)]
            yield from self._columns(tag, count, 1, f"{tag}.rest", "%whole", "%n", f"{tag}.bias", sums)
        else:
            yield from self._columns(tag, count, 1, f"{tag}.begin", "0", "%n", f"{tag}.bias", None)
        yield from self._biases(tag, count)

    def _columns(
        self,
        tag: str,
        count: int,
        side: int,
        before: str,
        first: str,
        end: str,
        after: str,
        sums: Sequence[str] | None,
    ) -> Iterator[str]:
        """A loop over columns, `side` of them at once, which adds to the sums of `count` rows."""
        lanes, one, width = max(side, self.width), self.real.name, self.width
        t = self.real.kind(False, lanes)
        zero = "zeroinitializer" if lanes > 1 else "0.0"
        label = f"{tag}.columns.{side}"
        c, more = f"%c.{tag}.{side}", f"%more.{tag}.{side}"
        yield f"  br label %{label}"
        yield f"{label}:"
        yield f"  {c} = phi i64 [ {first}, %{before} ], [ %next.{tag}.{side}, %{label}.body ]"
        for k in range(count):
            begin = sums[k] if sums else zero
            yield f"  %acc.{tag}.{side}.{k} = phi {t} [ {begin}, %{before} ], [ %new.{tag}.{side}.{k}, %{label}.body ]"
        yield f"  {more} = icmp ult i64 {c}, {end}"
        yield f"  br i1 {more}, label %{label}.body, label %{after}"
        yield f"{label}.body:"
        yield f"  %place.{tag}.{side} = mul i64 {c}, {width}"
        yield f"  %xp.{tag}.{side} = getelementptr inbounds {one}, ptr %x, i64 %place.{tag}.{side}"
        yield f"  %xv.{tag}.{side} = load {t}, ptr %xp.{tag}.{side}, align {self.real.bytes}"
        for k in range(count):
            s = f"{tag}.{side}.{k}"
            yield f"  %ap.{s} = getelementptr inbounds {one}, ptr %A.{tag}.{k}, i64 {c}"
            if lanes > side:
                yield f"  %a1.{s} = load {one}, ptr %ap.{s}, align {self.real.bytes}"
                yield from self._spread(f"%av.{s}", f"%a1.{s}")
            else:
                yield f"  %av.{s} = load {t}, ptr %ap.{s}, align {self.real.bytes}"
            yield f"  %term.{s} = fmul {FLAGS} {t} %av.{s}, %xv.{tag}.{side}"
            yield f"  %new.{s} = fadd {FLAGS} {t} %term.{s}, %acc.{s}"
        yield f"  %next.{tag}.{side} = add i64 {c}, {side}"
        yield f"  br label %{label}"

    def _biases(self, tag: str, count: int) -> Iterator[str]:
        """The rows, with b added, written to y."""
        width, one, t = self.width, self.real.name, self.real.kind(False, self.width)
        yield f"{tag}.bias:"
        yield f"  br i1 %plain, label %{tag}.write, label %{tag}.add"
        yield f"{tag}.add:"
        for k in range(count):
            s = f"{tag}.{k}"
            yield f"  %bp.{s} = getelementptr inbounds {one}, ptr %b, i64 %row.{s}"
            yield f"  %b1.{s} = load {one}, ptr %bp.{s}, align {self.real.bytes}"
            if width > 1:
                yield from self._spread(f"%bv.{s}", f"%b1.{s}")
            yield f"  %with.{s} = fadd {FLAGS} {t} %acc.{tag}.1.{k}, {f'%bv.{s}' if width > 1 else f'%b1.{s}'}"
        yield f"  br label %{tag}.write"
        yield f"{tag}.write:"
        for k in range(count):
            s = f"{tag}.{k}"
            yield f"  %out.{s} = phi {t} [ %acc.{tag}.1.{k}, %{tag}.bias ], [ %with.{s}, %{tag}.add ]"
        for k in range(count):
            s = f"{tag}.{k}"
            yield f"  %to.{s} = mul i64 %row.{s}, {width}"
            yield f"  %yp.{s} = getelementptr inbounds {one}, ptr %y, i64 %to.{s}"
            yield f"  store {t} %out.{s}, ptr %yp.{s}, align {self.real.bytes}"
        yield f"  br label %{tag}.done"
        yield f"{tag}.done:"
        yield f"  br label %{tag}.head"

    def _spread(self, to: str, one: str) -> Iterator[str]:
        """The number `one` in all lanes."""
        t = self.real.kind(False, self.width)
        yield f"  {to}.first = insertelement {t} poison, {self.real.name} {one}, i32 0"
        yield f"  {to} = shufflevector {t} {to}.first, {t} poison, <{self.width} x i32> zeroinitializer"
