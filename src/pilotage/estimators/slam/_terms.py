"""The drivers of the terms of factors: each is linearised into ``d' H d + 2 g' d`` of its own, kept beside its reading.

The numbers of a factor are its term, [H . ; g' .] column by column, the reading z, its information W, and a known
context.
"""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import call, driver

from ._bayes_tree import DATA, EDGE, FRESH, GROUP, LINKS, MOVED, SIZE, TIED, VALUE


@driver(
    "void(i8, i8, i8[::1], f8[::1], i8, f8[::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], f8[::1], f8[::1], f8[::1],"
    " f8[::1], f8[::1])"
)
def linearized(
    address: Any, group: Any, sizes: Any, p: Any, kernel: Any, loss: Any, variables: Any, factors: Any, links: Any,
    terms: Any, values: Any, data: Any, x: Any, out: Any, weighted: Any,
) -> None:  # fmt: skip
    """Linearise the factors of a sensor that are new, or of which a variable moved.

    Args:
        address: machine code of "e E G".
        group: the number of the sensor.
        sizes: numbers of the state, of a reading, of a residual, of a known context, and columns of E ``(5,)``.
        p: parameters of the sensor.
        kernel: machine code of "rho w" of the robust kernel; 0 where there is none.
        loss: memory for the square, rho and its slope w.
        variables, factors, links: the tables, and the variables of each factor.
        terms: factors, of any sensors.
        values: of all variables.
        data: numbers of all factors.
        x, out, weighted: memory for the variables of a factor, "e E G", and a row of ``W [E G e]``.
    """
    for f in terms:
        if factors[f, GROUP] == group and renewed(f, variables, factors, links):
            at = 0
            for t in range(factors[f, LINKS], factors[f, LINKS] + factors[f, TIED]):
                v = links[t]
                for r in range(variables[v, SIZE]):
                    x[at + r] = values[variables[v, VALUE] + r]
                at += variables[v, SIZE]
            edge, m = factors[f, EDGE], sizes[2]
            z = factors[f, DATA] + edge * edge
            w = z + sizes[1]
            for r in range(sizes[3]):
                x[at + r] = data[w + m * m + r]
            call(address, x, x[sizes[0] :], data[z:], p, out)
            W = data[w : w + m * m]
            slope = 1.0
            if kernel != 0:
                loss[0] = 0.0
                for a in range(m):
                    for b in range(m):
                        loss[0] += out[a] * W[a * m + b] * out[b]
                call(kernel, loss, loss, loss, loss, loss[1:])
                slope = loss[2]
            product(out, W, slope, m, sizes[4], edge, weighted, data[factors[f, DATA] : z])


@driver
def renewed(f: Any, variables: Any, factors: Any, links: Any) -> bool:
    """Whether a factor is new, or one of its variables moved."""
    if factors[f, FRESH] != 0:
        return True
    for t in range(factors[f, LINKS], factors[f, LINKS] + factors[f, TIED]):  # noqa: SIM110
        if variables[links[t], MOVED] != 0:
            return True
    return False


@driver
def entry(out: Any, m: Any, d: Any, n: Any, r: Any, c: Any) -> float:
    """Entry (r, c) of [E G e], where E has d columns and both have n."""
    if c < d:
        return out[m + r * d + c]
    if c < n:
        return out[m + m * d + r * (n - d) + c - d]
    return out[r]


@driver
def product(out: Any, W: Any, slope: Any, m: Any, d: Any, edge: Any, weighted: Any, term: Any) -> None:
    """The columns of ``[E G e]' w W [E G e]``, on and below the diagonal."""
    n = edge - 1
    for c in range(n):
        for a in range(m):
            weighted[a] = 0.0
            for b in range(m):
                weighted[a] += slope * W[a * m + b] * entry(out, m, d, n, b, c)
        for r in range(c, edge):
            total = 0.0
            for a in range(m):
                total += weighted[a] * entry(out, m, d, n, a, r)
            term[c * edge + r] = total


@driver("i8(i8[:,::1], i8, i8, i8, i8, i8[::1], i8[::1], i8)", "i8(i8[:,::1], i8, i8, i8, i8, f8[::1], f8[::1], i8)")
def compacted(table: Any, rows: Any, place: Any, length: Any, power: Any, old: Any, new: Any, used: Any) -> int:
    """Move the blocks of the rows of a table to the beginning of other memory; what is used of it then.

    Args:
        table: whose column `place` says where a block begins, and is -1 where there is none.
        rows: how many rows there are.
        place, length: columns.
        power: of the length: 1, or 2 where it is the side of a square.
        old, new: memory.
        used: of the new memory, 0.
    """
    for k in range(rows):
        if table[k, place] >= 0:
            n = table[k, length] ** power
            for t in range(n):
                new[used + t] = old[table[k, place] + t]
            table[k, place] = used
            used += n
    return used
