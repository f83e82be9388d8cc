"""Machine code for products of a matrix and a vector, ``y = A x + b``, shared by all models of a process.

A product is a loop, and not one instruction for each of its terms: a layer of a network has thousands of them. For
lanes, the vector holds some lanes of each component; for one state, columns lie side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ROWS = 8
"""Rows that are computed at once, so that each component of x is read once for so many."""
COLUMNS = 4
"""Columns side by side where there is one state."""
FLAGS = "contract nsz reassoc"


def name(width: int) -> str:
    """The name of the function for vectors of so many lanes."""
    return f"pilotage_affine_{width}"


def declaration(width: int) -> str:
    """Its declaration: x, A, b (or null), numbers of rows and columns, and y."""
    return f"declare void @{name(width)}(ptr, ptr, ptr, i64, i64, ptr)"


def module(widths: Sequence[int]) -> str:
    """The text of a module with a function for each number of lanes."""
    reduction = f"declare double @llvm.vector.reduce.fadd.v{COLUMNS}f64(double, <{COLUMNS} x double>)"
    return "\n".join([reduction, *(line for width in widths for line in _function(width))])


def _function(width: int) -> Iterator[str]:
    yield (
        f"define void @{name(width)}(ptr noalias readonly %x, ptr noalias readonly %A, ptr readonly %b, i64 %m, "
        "i64 %n, ptr noalias %y) nounwind {"
    )
    yield from [
        "start:",
        "  %plain = icmp eq ptr %b, null",
        f"  %whole = and i64 %n, {-COLUMNS}",
        "  br label %many.head",
        *_rows("many", ROWS, width, "start", "%r.many", "one.head"),
        *_rows("one", 1, width, "many.head", "%r.many", "end"),
        "end:",
        "  ret void",
        "}",
    ]


def _rows(tag: str, count: int, width: int, before: str, first: str, after: str) -> Iterator[str]:
    """A loop that computes `count` rows at once while as many are left."""
    start = "0" if tag == "many" else first
    r = f"%r.{tag}"
    yield f"{tag}.head:"
    yield f"  {r} = phi i64 [ {start}, %{before} ], [ %next.{tag}, %{tag}.done ]"
    yield f"  %next.{tag} = add i64 {r}, {count}"
    yield f"  %more.{tag} = icmp ule i64 %next.{tag}, %m"
    yield f"  br i1 %more.{tag}, label %{tag}.begin, label %{after}"
    yield f"{tag}.begin:"
    for k in range(count):
        yield f"  %row.{tag}.{k} = add i64 {r}, {k}"
        yield f"  %at.{tag}.{k} = mul i64 %row.{tag}.{k}, %n"
        yield f"  %A.{tag}.{k} = getelementptr inbounds double, ptr %A, i64 %at.{tag}.{k}"
    if width == 1:
        yield from _columns(tag, count, COLUMNS, 1, f"{tag}.begin", "0", "%whole", f"{tag}.fold", None)
        yield f"{tag}.fold:"
        for k in range(count):
            vector = f"<{COLUMNS} x double>"
            yield (
                f"  %sum.{tag}.{k} = call {FLAGS} double @llvm.vector.reduce.fadd.v{COLUMNS}f64(double 0.0, {vector} "
                f"%acc.{tag}.{COLUMNS}.{k})"
            )
        yield f"  br label %{tag}.rest"
        yield f"{tag}.rest:"
        sums = [f"%sum.{tag}.{k}" for k in range(count)]
        yield from _columns(tag, count, 1, 1, f"{tag}.rest", "%whole", "%n", f"{tag}.bias", sums)
    else:
        yield from _columns(tag, count, 1, width, f"{tag}.begin", "0", "%n", f"{tag}.bias", None)
    yield from _biases(tag, count, width)


def _columns(
    tag: str,
    count: int,
    side: int,
    width: int,
    before: str,
    first: str,
    end: str,
    after: str,
    sums: Sequence[str] | None,
) -> Iterator[str]:
    """A loop over columns, `side` of them at once, which adds to the sums of `count` rows."""
    lanes = max(side, width)
    t = f"<{lanes} x double>" if lanes > 1 else "double"
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
    yield f"  %xp.{tag}.{side} = getelementptr inbounds double, ptr %x, i64 %place.{tag}.{side}"
    yield f"  %xv.{tag}.{side} = load {t}, ptr %xp.{tag}.{side}, align 8"
    for k in range(count):
        s = f"{tag}.{side}.{k}"
        yield f"  %ap.{s} = getelementptr inbounds double, ptr %A.{tag}.{k}, i64 {c}"
        if lanes > side:
            yield f"  %a1.{s} = load double, ptr %ap.{s}, align 8"
            yield from _spread(f"%av.{s}", f"%a1.{s}", width)
        else:
            yield f"  %av.{s} = load {t}, ptr %ap.{s}, align 8"
        yield f"  %term.{s} = fmul {FLAGS} {t} %av.{s}, %xv.{tag}.{side}"
        yield f"  %new.{s} = fadd {FLAGS} {t} %term.{s}, %acc.{s}"
    yield f"  %next.{tag}.{side} = add i64 {c}, {side}"
    yield f"  br label %{label}"


def _biases(tag: str, count: int, width: int) -> Iterator[str]:
    """The rows, with b added, written to y."""
    t = f"<{width} x double>" if width > 1 else "double"
    yield f"{tag}.bias:"
    yield f"  br i1 %plain, label %{tag}.write, label %{tag}.add"
    yield f"{tag}.add:"
    for k in range(count):
        s = f"{tag}.{k}"
        yield f"  %bp.{s} = getelementptr inbounds double, ptr %b, i64 %row.{s}"
        yield f"  %b1.{s} = load double, ptr %bp.{s}, align 8"
        if width > 1:
            yield from _spread(f"%bv.{s}", f"%b1.{s}", width)
        yield f"  %with.{s} = fadd {FLAGS} {t} %acc.{tag}.1.{k}, {f'%bv.{s}' if width > 1 else f'%b1.{s}'}"
    yield f"  br label %{tag}.write"
    yield f"{tag}.write:"
    for k in range(count):
        s = f"{tag}.{k}"
        yield f"  %out.{s} = phi {t} [ %acc.{tag}.1.{k}, %{tag}.bias ], [ %with.{s}, %{tag}.add ]"
    for k in range(count):
        s = f"{tag}.{k}"
        yield f"  %to.{s} = mul i64 %row.{s}, {width}"
        yield f"  %yp.{s} = getelementptr inbounds double, ptr %y, i64 %to.{s}"
        yield f"  store {t} %out.{s}, ptr %yp.{s}, align 8"
    yield f"  br label %{tag}.done"
    yield f"{tag}.done:"
    yield f"  br label %{tag}.head"


def _spread(to: str, one: str, width: int) -> Iterator[str]:
    """The number `one` in all lanes."""
    t = f"<{width} x double>"
    yield f"  {to}.first = insertelement {t} poison, double {one}, i32 0"
    yield f"  {to} = shufflevector {t} {to}.first, {t} poison, <{width} x i32> zeroinitializer"
