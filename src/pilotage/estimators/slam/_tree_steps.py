"""The drivers of what a Bayes tree says: steps, from the root down, and covariances, by the path up to the root."""

from __future__ import annotations

from typing import Any

from pilotage.models.trace import call, driver

from ._bayes_tree import (
    CHANGED,
    CHILD,
    CLIQUE,
    COUNT,
    DIM,
    FRONT,
    KIND,
    LIST,
    LONG,
    NEXT,
    OWN,
    PARENT,
    SIDE,
    SIZE,
    STEP,
    VALUE,
    WIDTH,
)


@driver(
    "void(i8[:,::1], i8[:,::1], i8[::1], f8[::1], f8[::1], i8[:,::1], i8[::1], i8, f8, f8, i8[::1], i8[::1], f8[::1],"
    " i8[::1])"
)
def solved(
    variables: Any, cliques: Any, lists: Any, fronts: Any, steps: Any, made: Any, orphans: Any, search: Any, far: Any,
    wildfire: Any, long: Any, count: Any, right: Any, waiting: Any,
) -> None:  # fmt: skip
    """Find the steps: of cliques just made, and of those below whose separator moved.

    Args:
        variables, cliques, lists, fronts: the tree.
        steps: of all variables.
        made, orphans: the new cliques, and those right below them.
        search: a number that was not used for `CHANGED` before.
        far: length of a step, in any component, from which on a variable is listed.
        wildfire: change of a step up to which the steps of a clique, and of those below it, are kept.
        long: variables whose steps are long; `count` of them ``(1,)``.
        right: memory for a step of a clique.
        waiting: memory for cliques.

    Source: Kaess et al., "iSAM2" (2012), algorithm 7.
    """
    for k in range(len(made) - 1, -1, -1):
        backwards(variables, made[k], lists, fronts, steps, right)
        accepted(variables, made[k], lists, steps, right, search, far, -1.0, long, count)
    n = len(orphans)
    for k in range(n):
        waiting[k] = orphans[k]
    while n > 0:
        n -= 1
        clique = cliques[waiting[n]]
        if reached(variables, clique, lists, search):
            backwards(variables, clique, lists, fronts, steps, right)
            if accepted(variables, clique, lists, steps, right, search, far, wildfire, long, count):
                c = clique[CHILD]
                while c >= 0:
                    waiting[n] = c
                    n += 1
                    c = cliques[c, NEXT]


@driver
def reached(variables: Any, clique: Any, lists: Any, search: Any) -> bool:
    """Whether the step of a variable in the separator of a clique changed."""
    for t in range(clique[LIST] + clique[OWN], clique[LIST] + clique[COUNT]):
        if variables[lists[t], CHANGED] == search:
            return True
    return False


@driver
def backwards(variables: Any, clique: Any, lists: Any, fronts: Any, steps: Any, right: Any) -> None:
    """``L' d_f = -y - Y' d_s``."""
    width, side = clique[WIDTH], clique[SIDE]
    n = width
    for t in range(clique[LIST] + clique[OWN], clique[LIST] + clique[COUNT]):
        v = lists[t]
        for r in range(variables[v, DIM]):
            right[n] = steps[variables[v, STEP] + r]
            n += 1
    for c in range(width - 1, -1, -1):
        column = fronts[clique[FRONT] + c * side : clique[FRONT] + (c + 1) * side]
        total = -column[side - 1]
        for r in range(c + 1, side - 1):
            total -= column[r] * right[r]
        right[c] = total / column[c]


@driver
def accepted(
    variables: Any, clique: Any, lists: Any, steps: Any, right: Any, search: Any, far: Any, wildfire: Any, long: Any,
    count: Any,
) -> bool:  # fmt: skip
    """Take the steps of a clique where one of them changes by more than `wildfire`, and list the long ones."""
    n, most = 0, -1.0
    for t in range(clique[LIST], clique[LIST] + clique[OWN]):
        for r in range(variables[lists[t], DIM]):
            most = max(most, abs(right[n] - steps[variables[lists[t], STEP] + r]))
            n += 1
    if wildfire >= 0.0 and most <= wildfire:
        return False
    n = 0
    for t in range(clique[LIST], clique[LIST] + clique[OWN]):
        v, longest = lists[t], 0.0
        for r in range(variables[v, DIM]):
            steps[variables[v, STEP] + r] = right[n]
            longest = max(longest, abs(right[n]))
            n += 1
        variables[v, CHANGED] = search
        if longest > far and variables[v, LONG] == 0:
            variables[v, LONG] = 1
            long[count[0]] = v
            count[0] += 1
    return True


@driver("i8(i8[:,::1], f8[::1], f8, i8[::1], i8, f8[::1])")
def longest(variables: Any, steps: Any, far: Any, long: Any, count: Any, lengths: Any) -> int:
    """Keep the variables in a list whose steps are still long, with the lengths; how many there are."""
    kept = 0
    for k in range(count):
        v, length = long[k], 0.0
        for r in range(variables[v, DIM]):
            length = max(length, abs(steps[variables[v, STEP] + r]))
        if variables[v, CLIQUE] >= 0 and length > far:
            long[kept], lengths[kept] = v, length
            kept += 1
        else:
            variables[v, LONG] = 0
    return kept


@driver("i8(i8, i8, i8[:,::1], i8[::1], f8[::1], f8[::1], f8[::1], i8)")
def moved(address: Any, kind: Any, variables: Any, chosen: Any, values: Any, steps: Any, before: Any, used: Any) -> int:
    """Move the values of variables of a kind along their steps, and keep those before; what is used for them."""
    for v in chosen:
        if variables[v, KIND] == kind:
            at, size = variables[v, VALUE], variables[v, SIZE]
            for r in range(size):
                before[used + r] = values[at + r]
            d = steps[variables[v, STEP] : variables[v, STEP] + variables[v, DIM]]
            call(address, before[used : used + size], d, d, d, values[at : at + size])
            used += size
    return used


@driver("void(i8[:,::1], i8[:,::1], i8[::1], f8[::1], i8, f8[:,::1], f8[:,::1])")
def covariance(variables: Any, cliques: Any, lists: Any, fronts: Any, v: Any, right: Any, out: Any) -> None:
    """The marginal covariance of a variable: ``L w = e``, from its clique up, and the sum of ``w w'``.

    Args:
        variables, cliques, lists, fronts: the tree.
        v: the variable.
        right: memory, zeros, with a row for each entry of a step ``(dimensions, dim)``; zeros again afterwards.
        out: the covariance ``(dim, dim)``.
    """
    dim = variables[v, DIM]
    out[:] = 0.0
    for r in range(dim):
        right[variables[v, STEP] + r, r] = 1.0
    c = variables[v, CLIQUE]
    while c >= 0:
        side, n = cliques[c, SIDE], 0
        for t in range(cliques[c, LIST], cliques[c, LIST] + cliques[c, OWN]):
            for r in range(variables[lists[t], DIM]):
                column = fronts[cliques[c, FRONT] + n * side : cliques[c, FRONT] + (n + 1) * side]
                w = right[variables[lists[t], STEP] + r]
                for a in range(dim):
                    w[a] /= column[n]
                    for b in range(a + 1):
                        out[a, b] += w[a] * w[b]
                below(variables, cliques[c], lists, column, n, w, right)
                w[:] = 0.0
                n += 1
        c = cliques[c, PARENT]
    for a in range(dim):
        for b in range(a):
            out[b, a] = out[a, b]


@driver
def below(variables: Any, clique: Any, lists: Any, column: Any, n: Any, w: Any, right: Any) -> None:
    """Subtract a column of L times w from the rows below it."""
    at = 0
    for t in range(clique[LIST], clique[LIST] + clique[COUNT]):
        for r in range(variables[lists[t], DIM]):
            if at > n:
                for a in range(len(w)):
                    right[variables[lists[t], STEP] + r, a] -= column[at] * w[a]
            at += 1
