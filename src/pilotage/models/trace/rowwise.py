"""Activations of the layers of a network: one expression of all entries of a product, which becomes a loop.

A product of the vector ``f(y_1), f(y_2), ...``, for the entries of another product y, is a product of the vector
``map f y``. Written out, a layer of a network would be thousands of instructions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .derivative import substitute
from .expression import Expr
from .graph import reachable


def gathered(outputs: Sequence[Expr]) -> list[Expr]:
    """`outputs`, with a node ``map`` for the vectors that are functions of the entries of a product.

    The value of a map is the index of its function, an expression of the input ``each``. Its result takes the place of
    the product, so that a vector whose parts are used elsewhere stays as it is.
    """
    if not outputs:
        return []
    g = outputs[0].graph
    needed = [g.nodes[i] for i in reachable(outputs)]
    if not any(e.op == "affine" for e in needed):
        return [*outputs]
    uses = Counter(a.index for e in needed for a in e.args) + Counter(e.index for e in outputs)
    new: dict[int, Expr] = {}
    for e in needed:
        mapped = _mapped(e, uses) if e.op == "affine" else None
        if mapped is not None:
            product, function = mapped
            args = [g.raw("map", new[product.index], value=function.index)]
        else:
            args = [new[a.index] for a in e.args]
        changed = mapped is not None or any(a is not b for a, b in zip(args, e.args, strict=True))
        new[e.index] = g.raw(e.op, *args, value=e.value) if changed else e
    return [new[o.index] for o in outputs]


def _mapped(e: Expr, uses: Mapping[int, int]) -> tuple[Expr, Expr] | None:
    """The product y and the function f of a vector that is ``f(y_1), f(y_2), ...`` and nothing else."""
    g, forms = e.graph, Forms()
    found = [forms.of(a) for a in e.args]
    key, first = found[0]
    if first is None or any(f != key or y is None for f, y in found):
        return None
    product = first.args[0]
    entries = [y for _, y in found if y is not None]
    if any(y.args[0] is not product or y.value != k for k, y in enumerate(entries)) or len(entries) != product.value[2]:
        return None
    inner = [g.nodes[i] for i in reachable(e.args, {product.index})]
    inside = Counter(a.index for each in inner for a in each.args) + Counter(a.index for a in e.args)
    if any(each.op != "const" and inside[each.index] != uses[each.index] for each in inner):
        return None
    (function,) = substitute([e.args[0]], {first: g.input("each", 0)})
    return product, function


class Forms:
    """Forms of expressions: equal for those that are the same function of an entry of a product."""

    def __init__(self) -> None:
        self._keys: dict[object, int] = {}
        self._known: dict[int, tuple[int, Expr | None]] = {}

    def of(self, e: Expr) -> tuple[int, Expr | None]:
        """A form, and the only entry that the expression depends on; None where that is none or several."""
        if e.index not in self._known:
            self._known[e.index] = self._made(e)
        return self._known[e.index]

    def _made(self, e: Expr) -> tuple[int, Expr | None]:
        if e.op == "entry":
            return self._key("entry"), e
        parts = [self.of(a) for a in e.args] if e.op not in ("affine", "map") else []
        entries = {y.index: y for _, y in parts if y is not None}
        alone = all(y is not None or a.op == "const" for a, (_, y) in zip(e.args, parts, strict=False))
        if e.op != "const" and (len(entries) != 1 or not alone):
            return self._key(e.index), None
        return self._key((e.op, e.value, *(key for key, _ in parts))), next(iter(entries.values()), None)

    def _key(self, form: object) -> int:
        return self._keys.setdefault(form, len(self._keys))
