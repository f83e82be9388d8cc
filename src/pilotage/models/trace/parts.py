"""The plan of machine code: what is computed in which order, cut into parts where it is long.

The time of LLVM grows faster than the length of a function, so that long code is made of several, which run one after
another. A value that one part computes and a later one needs is kept in scratch memory.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from .expression import Expr
from .graph import reachable

LENGTH = 900
"""Steps of a part at most, for lanes."""
SINGLE = 1000
"""Steps of a part at most of long code for one state; see `UNCUT`."""
UNCUT = 3000
"""Steps of code for one state that stay one part: what crosses from part to part costs running time."""
SHORT = 2
"""Parts of short code for lanes at most."""
VECTORS = ("affine", "map")
"""Operations whose results are vectors, which are kept in scratch memory."""
BLOCK = 8
"""Results that are written at once from so many on, where they are constants or parameters one after another."""


class Write(NamedTuple):
    """The writing of results one after another, from a place on."""

    place: int
    values: Sequence[Expr]


Step = Expr | Write
"""A node that is computed, or results that are written."""


class Plan:
    """An order of evaluation for code of one state, or for code for lanes.

    Code for lanes has two bodies: what all lanes share is computed once, as in code of one state, and the rest for
    each vector of lanes. Constants and parameters need no step: they are at hand in every part.

    Args:
        outputs: expressions of one graph.
        parameters: names of the input groups that no result overwrites; the others are read before any is written.
        each: names of the input groups of which each lane has its own values.
        widths: lanes of a vector in short code for lanes and in long.

    Attributes:
        wide: indices of the nodes of which each lane has its own value.
        rows: the outputs that all lanes share; their results are written one after another.
        shared, lanes: the parts of the two bodies, each a list of steps.
        width: lanes of a vector.
        kept: where values that a later part needs lie in scratch memory.
        staged: where the vector that a matrix is multiplied with lies in scratch memory.
        products: where products of matrices and vectors lie in scratch memory.
        size: numbers of scratch memory.
    """

    def __init__(
        self, outputs: Sequence[Expr], parameters: Container[str], each: Container[str], widths: tuple[int, int]
    ) -> None:
        nodes = outputs[0].graph.nodes if outputs else list[Expr]()
        needed = [nodes[i] for i in reachable(outputs)]
        self.wide = set[int]()
        for e in needed:
            if any(a.index in self.wide for a in e.args) or (e.op == "input" and e.value[0] in each):
                self.wide.add(e.index)
        at_hand = {e.index for e in needed if e.op == "const" or (e.op == "input" and e.value[0] in parameters)}
        done = at_hand | {e.index for e in needed if e.op == "input"}
        read = [e for e in needed if e.op == "input" and e.index not in at_hand]
        self.rows = [row for row, e in enumerate(outputs) if e.index not in self.wide]

        shared: list[Step] = [e for e in read if e.index not in self.wide]
        shared += ordered(list(enumerate(outputs[row] for row in self.rows)), done, at_hand)
        rest = [e for e in needed if e.index not in self.wide and e.index not in done]
        done.update(e.index for e in rest)
        lanes: list[Step] = [e for e in read if e.index in self.wide]
        lanes += ordered([(row, e) for row, e in enumerate(outputs) if e.index in self.wide], done, at_hand)
        shared += rest
        self.shared = cut(shared, SINGLE if len(shared) > UNCUT else UNCUT)
        self.lanes = cut(lanes, LENGTH)
        products = [e for e in needed if e.op in VECTORS]
        self.wide.update(i for e in products if e.op == "map" for i in reachable([nodes[int(e.value)]]))
        self.width = widths[len(self.lanes) > SHORT and not products]
        self.kept: dict[int, int] = {}
        self.size = 0
        self.staged, self.products = 0, dict[int, int]()
        self._keep()
        self._reserve(products)

    def _reserve(self, products: Sequence[Expr]) -> None:
        """Give scratch memory to products of matrices: to what comes out of each, and one place to what goes in."""
        self.staged = self.size
        self.size += max((len(e.args) * self._lanes(e) for e in products), default=0)
        for e in products:
            if e.op == "map":
                self.products[e.index] = self.products[e.args[0].index]
            else:
                self.products[e.index] = self.size
                self.size += e.value[2] * self._lanes(e)

    def _lanes(self, e: Expr) -> int:
        return self.width if e.index in self.wide else 1

    def _keep(self) -> None:
        """Give scratch memory to what crosses from one part to another, and again when that is used no more.

        What all lanes share is kept for every vector of them, for their parts give no such memory again.
        """
        parts = [*self.shared, *self.lanes]
        last: dict[int, int] = {}
        for k, part in enumerate(parts):
            for e in (e for step in part for e in uses(step)):
                last[e.index] = k
        free: dict[bool, list[int]] = {False: [], True: []}
        for k, part in enumerate(parts):
            for e in part:
                if isinstance(e, Expr) and last[e.index] > k and e.op not in (*VECTORS, "entry"):
                    wide = e.index in self.wide
                    if not free[wide]:
                        free[wide].append(self.size)
                        self.size += self._lanes(e)
                    self.kept[e.index] = free[wide].pop()
            for i, place in self.kept.items():
                if last[i] == k:
                    free[i in self.wide].append(place)


def ordered(results: Sequence[tuple[int, Expr]], done: set[int], at_hand: Container[int]) -> list[Step]:
    """Steps that write results, each given with its place.

    What is not done is computed where it is first needed, which keeps it in registers.
    """
    steps: list[Step] = []
    k = 0
    while k < len(results):
        place, e = results[k]
        length = block(results, k, at_hand)
        new = reachable([e], done)
        done.update(new)
        steps.extend(e.graph.nodes[i] for i in new)
        steps.append(Write(place, [e for _, e in results[k : k + length]]))
        k += length
    return steps


def block(results: Sequence[tuple[int, Expr]], start: int, at_hand: Container[int]) -> int:
    """The number of results, from one on, that can be written at once."""
    first, length = results[start][1], 1
    if first.index not in at_hand:
        return 1
    while start + length < len(results):
        e = results[start + length][1]
        if e.op != first.op or (e.op == "input" and e.value != (first.value[0], first.value[1] + length)):
            break
        length += 1
    return length if length >= BLOCK else 1


def uses(step: Step) -> Sequence[Expr]:
    """The values that a step needs."""
    return step.args if isinstance(step, Expr) else step.values


def cut(steps: list[Step], length: int) -> list[list[Step]]:
    """Parts of equal length, none longer than `length`."""
    count = -(-len(steps) // length)
    return [steps[k * len(steps) // count : (k + 1) * len(steps) // count] for k in range(count)]
