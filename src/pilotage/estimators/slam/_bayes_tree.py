"""The drivers of a Bayes tree, of which the part above some variables can be eliminated again.

    sum over terms of  d' H d + 2 g' d,     each in the steps d of some variables

A clique has frontal variables f and its separator s, later variables that they are tied to. It keeps the dense front

    [L   .   .]     L L' = H_ff,    Y = H_sf L^-T,    y = L^-1 g_f
    [Y   R   .]
    [y'  r'  .]     R = H_ss - Y Y',    r = g_s - Y y

column by column, with what is left for the separator, R and r: a term of its parent. Its key is its first variable.
"""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import driver

from ._factorize import eliminate

KIND, DIM, SIZE, VALUE, STEP, CLIQUE, MOVED, LONG, PLACE, LOCAL, CHANGED = range(11)
"""Columns of the table of variables: the kind; numbers in the tangent and in storage; where the value and the step
begin; the clique, or -1; whether it is linearised again; whether it is listed for that; its place in the last front,
and among the variables that are eliminated; the last search that changed its step."""
OWN, COUNT, WIDTH, SIDE, LIST, FRONT, PARENT, CHILD, NEXT, TERM, SEEN = range(11)
"""Columns of the table of cliques: frontal variables and all variables; columns of the frontal ones, and of the front;
where the variables and the front begin; the parent, the first child, the next child of the parent, the first factor,
or -1; the last search that came by."""
GROUP, TIED, EDGE, LINKS, DATA, FOLLOWING, FRESH = range(7)
"""Columns of the table of factors: the sensor; how many variables; columns of the term; where the variables and the
term begin; the next factor of the clique, or -1; whether it was not linearised before."""
SMALLEST = 1e-14
"""Share of the information of a column that is rounding."""


@driver("void(i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], i8, i8[::1], i8[::1], i8[::1], i8[::1], i8[::1])")
def affected(
    variables: Any, cliques: Any, factors: Any, lists: Any, touched: Any, search: Any, removed: Any, again: Any,
    terms: Any, orphans: Any, counts: Any,
) -> None:  # fmt: skip
    """The cliques of some variables and those above, and all cliques with a variable that moved.

    Args:
        variables, cliques, factors, lists: the tree.
        touched: variables.
        search: a number that was not used for `SEEN` before.
        removed, again, terms, orphans: results: these cliques, their frontal variables and factors, and the cliques
            right below them.
        counts: how many of each ``(4,)``.
    """
    n = 0
    for v in touched:
        c = variables[v, CLIQUE]
        while c >= 0 and cliques[c, SEEN] != search:
            cliques[c, SEEN] = search
            removed[n] = c
            n += 1
            c = cliques[c, PARENT]
    k = 0
    while k < n:
        c = cliques[removed[k], CHILD]
        while c >= 0:
            if cliques[c, SEEN] != search and separates(variables, cliques[c], lists):
                cliques[c, SEEN] = search
                removed[n] = c
                n += 1
            c = cliques[c, NEXT]
        k += 1
    counts[0], counts[1], counts[2], counts[3] = n, 0, 0, 0
    for k in range(n):
        c = removed[k]
        for t in range(cliques[c, LIST], cliques[c, LIST] + cliques[c, OWN]):
            again[counts[1]] = lists[t]
            counts[1] += 1
        f = cliques[c, TERM]
        while f >= 0:
            terms[counts[2]] = f
            counts[2] += 1
            f = factors[f, FOLLOWING]
        c = cliques[c, CHILD]
        while c >= 0:
            if cliques[c, SEEN] != search:
                orphans[counts[3]] = c
                counts[3] += 1
            c = cliques[c, NEXT]


@driver
def separates(variables: Any, clique: Any, lists: Any) -> bool:
    """Whether a variable that moved is in the separator of a clique."""
    for t in range(clique[LIST] + clique[OWN], clique[LIST] + clique[COUNT]):  # noqa: SIM110
        if variables[lists[t], MOVED] != 0:
            return True
    return False


@driver("i8(i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], i8[::1])")
def tied(
    variables: Any, cliques: Any, factors: Any, lists: Any, links: Any, terms: Any, orphans: Any, elements: Any,
    pool: Any,
) -> int:  # fmt: skip
    """The variables of factors and of separators as elements of `_minimum_degree.order`; how many there are in all."""
    end = 0
    for k in range(len(terms)):
        elements[k, 0], elements[k, 1] = end, factors[terms[k], TIED]
        for t in range(factors[terms[k], LINKS], factors[terms[k], LINKS] + factors[terms[k], TIED]):
            pool[end] = variables[links[t], LOCAL]
            end += 1
    for k in range(len(orphans)):
        c = orphans[k]
        elements[len(terms) + k, 0], elements[len(terms) + k, 1] = end, cliques[c, COUNT] - cliques[c, OWN]
        for t in range(cliques[c, LIST] + cliques[c, OWN], cliques[c, LIST] + cliques[c, COUNT]):
            pool[end] = variables[lists[t], LOCAL]
            end += 1
    return end


@driver("void(i8[:,::1], i8[::1], i8[:,::1], i8[::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1])")
def laid(variables: Any, again: Any, ordered: Any, pool: Any, elements: Any, made: Any, lists: Any, ends: Any) -> None:
    """Lay out the cliques of an order.

    Args:
        variables: the table.
        again: the variables that are eliminated.
        ordered, pool, elements: results of `_minimum_degree.order`; of the elements, those of cliques.
        made: results, a table of cliques, whose parents are numbers of its rows.
        lists: where the variables of cliques are kept.
        ends: what is used of the lists and of the fronts ``(2,)``.
    """
    for k in range(len(made)):
        at, columns = ordered[k, 0], 0
        made[k, OWN], made[k, COUNT], made[k, LIST], made[k, FRONT] = ordered[k, 1], ordered[k, 2], ends[0], ends[1]
        for t in range(ordered[k, 2]):
            v = again[pool[at + t]]
            lists[ends[0] + t] = v
            columns += variables[v, DIM]
            if t == ordered[k, 1] - 1:
                made[k, WIDTH] = columns
        made[k, SIDE], made[k, PARENT] = columns + 1, elements[k, 3]
        ends[0] += ordered[k, 2]
        ends[1] += made[k, SIDE] * made[k, SIDE]


@driver(
    "i8(i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], i8[:,::1], f8[::1], f8[::1],"
    " i8[::1], i8[::1])"
)
def eliminated(
    variables: Any, cliques: Any, factors: Any, lists: Any, links: Any, terms: Any, orphans: Any, elements: Any,
    made: Any, data: Any, fronts: Any, rows: Any, heads: Any,
) -> int:  # fmt: skip
    """Fill and eliminate the fronts of cliques; the variable that is not determined, or -1.

    Args:
        variables, cliques, factors, lists, links, data, fronts: the tree.
        terms, orphans, elements, made: what they are made of; see `laid`.
        rows: memory for the rows of a front.
        heads: memory for a list of the elements of each clique, and then the element after each.
    """
    K, T = len(made), len(terms) + len(orphans)
    heads[: 2 * K + T] = -1
    for e in range(T + K):
        owner = elements[e, 3]
        if owner >= 0:
            heads[K + e] = heads[owner]
            heads[owner] = e
    for k in range(K):
        side = made[k, SIDE]
        F = fronts[made[k, FRONT] : made[k, FRONT] + side * side]
        F[:] = 0.0
        place = 0
        for t in range(made[k, LIST], made[k, LIST] + made[k, COUNT]):
            variables[lists[t], PLACE] = place
            place += variables[lists[t], DIM]
        e = heads[k]
        while e >= 0:
            if e < len(terms):
                f = terms[e]
                added(F, side, data[factors[f, DATA] :], factors[f, EDGE], 0, links[factors[f, LINKS] :],
                      factors[f, TIED], variables, rows)  # fmt: skip
            elif e < T:
                left(F, side, cliques[orphans[e - len(terms)]], lists, fronts, variables, rows)
            else:
                left(F, side, made[e - T], lists, fronts, variables, rows)
            e = heads[K + e]
        bad = determined(F, side, made[k, WIDTH])
        if bad >= 0:
            t = made[k, LIST]
            while bad >= variables[lists[t], DIM]:
                bad -= variables[lists[t], DIM]
                t += 1
            return lists[t]
    return -1


@driver
def left(F: Any, side: Any, clique: Any, lists: Any, fronts: Any, variables: Any, rows: Any) -> None:
    """Add what a clique leaves for its separator to a front."""
    at, own = clique[LIST] + clique[OWN], clique[COUNT] - clique[OWN]
    added(F, side, fronts[clique[FRONT] :], clique[SIDE], clique[WIDTH], lists[at:], own, variables, rows)


@driver
def added(
    F: Any, side: Any, term: Any, edge: Any, skipped: Any, tied: Any, count: Any, variables: Any, rows: Any
) -> None:
    """Add the columns of a term, but for those skipped, to a front."""
    n = skipped
    for t in range(count):
        place = variables[tied[t], PLACE]
        for r in range(variables[tied[t], DIM]):
            rows[n] = place + r
            n += 1
    rows[n] = side - 1
    for c in range(skipped, n):
        column = rows[c]
        for r in range(c, edge):
            if rows[r] >= column:
                F[column * side + rows[r]] += term[c * edge + r]
            else:
                F[rows[r] * side + column] += term[c * edge + r]


@driver
def determined(F: Any, side: Any, width: Any) -> int:
    """Eliminate the first columns of a front; the first of them that its terms leave free to move, or -1."""
    for c in range(width):
        F[(side - 1) * side + c] = F[c * side + c]  # above the diagonal, where nothing is read
    bad = eliminate(F, side, width, side)
    if bad >= 0:
        return bad
    for c in range(width):
        if not F[c * side + c] ** 2 > SMALLEST * F[(side - 1) * side + c]:
            return c
    return -1


@driver("void(i8[:,::1], i8[:,::1], i8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], i8[:,::1], i8[::1])")
def grown(
    variables: Any, cliques: Any, factors: Any, lists: Any, removed: Any, terms: Any, orphans: Any,
    elements: Any, made: Any, waste: Any,
) -> None:  # fmt: skip
    """Put new cliques in the place of those removed; what these had of the lists and the fronts is waste ``(2,)``."""
    for k in range(len(removed)):
        c = removed[k]
        waste[0] += cliques[c, COUNT]
        waste[1] += cliques[c, SIDE] * cliques[c, SIDE]
        cliques[c, LIST] = cliques[c, FRONT] = -1
    for k in range(len(made)):
        key = lists[made[k, LIST]]
        for t in range(made[k, LIST], made[k, LIST] + made[k, OWN]):
            variables[lists[t], CLIQUE] = key
        for column in range(FRONT + 1):
            cliques[key, column] = made[k, column]
        cliques[key, CHILD] = cliques[key, TERM] = cliques[key, SEEN] = -1
    for k in range(len(made)):
        parent = made[k, PARENT]
        adopted(lists[made[k, LIST]], lists[made[parent, LIST]] if parent >= 0 else -1, cliques)
    for k in range(len(orphans)):
        adopted(orphans[k], lists[made[elements[len(terms) + k, 3], LIST]], cliques)
    for k in range(len(terms)):
        key, f = lists[made[elements[k, 3], LIST]], terms[k]
        factors[f, FOLLOWING], factors[f, FRESH] = cliques[key, TERM], 0
        cliques[key, TERM] = f


@driver
def adopted(c: Any, parent: Any, cliques: Any) -> None:
    """Make a clique the child of another; -1 for the root."""
    cliques[c, PARENT], cliques[c, NEXT] = parent, -1
    if parent >= 0:
        cliques[c, NEXT] = cliques[parent, CHILD]
        cliques[parent, CHILD] = c
