"""Exact derivatives of a trace: forward mode, one pass per direction, and substitution of what becomes known.

Where a function has a kink or a jump, one derivative is chosen, the same in all generated code:

- ``abs`` and ``sign`` at 0, ``floor`` everywhere: 0; ``wrap``: 1; ``a % b``: that between two jumps;
- ``minimum`` and ``maximum`` at a tie: that of the first argument, or of the one that is no constant. So ``clip`` has
  the derivative 1 on its bounds;
- ``where``: that of the branch taken, whatever the other one is; conditions have none;
- ``sqrt`` at 0: infinity; ``hypot`` and ``atan2`` at the origin: NaN, for there is none. Keep such places out of a
  model by ``m.where`` around the argument, as in ``m.sqrt(m.where(a > 0.0, a, 1.0))``.

Autograd of torch goes through the model itself and differs at a tie (half and half) and at the origin of ``atan2`` (0).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import ModelError
from .expression import Expr
from .graph import Graph, reachable


def derivative(outputs: Sequence[Expr], seeds: dict[Expr, Expr], order: Sequence[int] | None = None) -> list[Expr]:
    """Derivative of each output in the direction in which the inputs move by `seeds` (forward mode).

    `order` is ``reachable(outputs)``, where it is known already.
    """
    if not outputs:
        return []
    g = outputs[0].graph
    zero, nodes = g.zero, g.nodes
    tangent: dict[int, Expr] = {e.index: s for e, s in seeds.items() if s is not zero}
    fixed = {e.index for e in seeds}
    for i in reachable(outputs) if order is None else order:
        args = nodes[i].args
        if i not in fixed and any(a.index in tangent for a in args):
            slope = _rule(g, nodes[i], [tangent.get(a.index, zero) for a in args])
            if slope is not zero:
                tangent[i] = slope
    return [tangent.get(o.index, zero) for o in outputs]


def _rule(g: Graph, e: Expr, d: list[Expr]) -> Expr:
    """The derivative of one node, given those of its arguments."""
    op, a = e.op, e.args
    if op in ("add", "sub", "neg"):
        return d[0] + d[1] if op == "add" else d[0] - d[1] if op == "sub" else -d[0]
    if op == "mul":
        return d[0] * a[1] + a[0] * d[1]
    if op == "div":
        return (d[0] - e * d[1]) / a[1]
    if op == "mod":
        return d[0] - (a[0] - e) / a[1] * d[1]
    if op == "where":
        return g.where(a[0], d[1], d[2])
    if op in ("min", "max"):
        first = g.node("le", a[0], a[1]) if op == "min" else g.node("le", a[1], a[0])
        return g.where(first, d[0], d[1])
    if op == "atan2":
        return (a[1] * d[0] - a[0] * d[1]) / (a[0] * a[0] + a[1] * a[1])
    if op == "hypot":
        return (a[0] * d[0] + a[1] * d[1]) / e
    if op == "pow":
        grow = a[1] * g.power(a[0], a[1] - 1.0) * d[0]
        base = g.where(a[0] == 0.0, 1.0, a[0])  # 0^b stays 0 when b changes
        return grow if d[1] is g.zero else grow + e * g.node("log", base) * d[1]
    if op == "affine":
        return g.raw("affine", *d, value=(*e.value[:4], -1))
    if op == "entry":
        return g.raw("entry", d[0], value=e.value)
    if op == "lookup":
        group, header, order = e.value
        if order:
            return g.zero  # the slope of a bilinear patch is taken as constant
        return (
            g.node("lookup", *a, value=(group, header, 1)) * d[0]
            + g.node("lookup", *a, value=(group, header, 2)) * d[1]
        )
    if op in ("floor", "sign", "lt", "le", "eq", "ne", "and", "or", "not"):
        return g.zero
    return _slope(g, e, a[0]) * d[0]


def _slope(g: Graph, e: Expr, a: Expr) -> Expr:
    """d e / d a for the functions of one argument."""
    op = e.op
    if op == "sqrt":
        return 0.5 / e
    if op == "exp":
        return e
    if op == "log":
        return 1.0 / a
    if op == "sin":
        return g.node("cos", a)
    if op == "cos":
        return -g.node("sin", a)
    if op == "tan":
        return 1.0 + e * e
    if op in ("asin", "acos"):
        return (1.0 if op == "asin" else -1.0) / g.node("sqrt", (1.0 - a) * (1.0 + a))
    if op == "atan":
        return 1.0 / (1.0 + a * a)
    if op == "sinh":
        return g.node("cosh", a)
    if op == "cosh":
        return g.node("sinh", a)
    if op == "tanh":
        return 1.0 - e * e
    if op == "abs":
        return g.node("sign", a)
    if op == "wrap":
        return g.one
    raise ModelError(f"no derivative is known for {op}")


def substitute(outputs: Sequence[Expr], values: dict[Expr, Expr]) -> list[Expr]:
    """Rebuild `outputs` with some nodes replaced, folding what becomes constant."""
    if not outputs:
        return []
    g = outputs[0].graph
    new: dict[int, Expr] = {e.index: v for e, v in values.items()}
    for i in reachable(outputs):
        if i not in new:
            node = g.nodes[i]
            args = [new[a.index] for a in node.args]
            new[i] = _rebuild(g, node, args) if any(n is not o for n, o in zip(args, node.args, strict=True)) else node
    return [new[o.index] for o in outputs]


def _rebuild(g: Graph, node: Expr, args: list[Expr]) -> Expr:
    simple = {"add": g.add, "sub": g.sub, "mul": g.mul, "div": g.div, "neg": g.neg, "pow": g.power, "where": g.where}
    if node.op in simple:
        return simple[node.op](*args)
    return g.node(node.op, *args, value=node.value)
