"""The `lanes` dialect: generated functions over ``LANES`` states side by side, for rollouts of many samples.

What a loop must be to become SIMD: block-local arrays, no calls, no branches, no reads at computed places. So whatever
all lanes share is worked out before the loops, functions come from `lane_math`, and where a raster is read the loop is
cut: one loop finds the places, a short one reads them, the next goes on with the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .emit import Signature, Writer
from .expression import Expr
from .graph import reachable


def lanes(signature: Signature, results: Sequence[tuple[str, Sequence[Expr]]]) -> str:
    """``def name(arguments..., results...)`` with arrays ``(n, LANES)``, but for the arguments that lanes share."""
    targets = [(f"{name}[{i}, lane]", e) for name, row in results for i, e in enumerate(row)]
    outputs = [e for _, e in targets]
    nodes = outputs[0].graph.nodes if outputs else []
    stages = _stages(signature, outputs)
    common = Writer(signature, _shared_roots(nodes, stages), "lanes")
    known, body = common.text, common.lines
    lookups = [nodes[i] for i in stages if _is_scattered_read(nodes[i], stages)]
    if lookups:
        body.append(f"work = np.empty(({3 * len(lookups)}, LANES))")
        body += [line for table in sorted({e.value[:2] for e in lookups}) for line in _header(*table)]
    for stage in range(1, max((stages[e.index] for e in lookups), default=0) + 1):
        reads = [(3 * k, e) for k, e in enumerate(lookups) if stages[e.index] == stage]
        body += _read(signature, reads, known)
        known |= {e.index: f"work[{row}, lane]" for row, e in reads}
    writer = Writer(signature, outputs, "lanes", known)
    body += _loop([*writer.lines, *(f"{target} = {writer.text[e.index]}" for target, e in targets)])
    head = f"def {signature.name}({', '.join([*signature.arguments, *(n for n, _ in results)])}):"
    return "\n".join([head, *(f"    {line}" for line in body)]) + "\n"


def _stages(signature: Signature, outputs: Sequence[Expr]) -> dict[int, int]:
    """For each node needed: -1 when all lanes share it, else how many readings of rasters come before or with it."""
    stages: dict[int, int] = {}
    nodes = outputs[0].graph.nodes if outputs else []
    for i in reachable(outputs):
        e = nodes[i]
        if e.op == "input":
            stages[i] = -1 if e.value[0] in signature.shared else 0
            continue
        stages[i] = max((stages[a.index] for a in e.args), default=-1)
        if _is_scattered_read(e, stages):
            stages[i] += 1
    return stages


def _is_scattered_read(e: Expr, stages: Mapping[int, int]) -> bool:
    """Whether the lanes read a raster at places of their own. Its slopes (order 1, 2) have no place in rollouts."""
    return e.op == "lookup" and e.value[2] == 0 and stages[e.index] >= 0


def _shared_roots(nodes: Sequence[Expr], stages: Mapping[int, int]) -> list[Expr]:
    """What all lanes share and some lane needs."""
    wanted = {a.index for i, stage in stages.items() if stage >= 0 for a in nodes[i].args}
    return [nodes[i] for i in sorted(wanted) if stages[i] < 0]


def _header(group: str, header: int) -> list[str]:
    """The numbers that describe a raster, as names; see `scalar.raster_cell`."""
    r = f"{group}{header}"
    names = ("x", "y", "cos", "sin", "scale", "columns", "rows", "start")
    return [
        *(f"{r}_{name} = {group}[{header + k}]" for k, name in enumerate(names)),
        f"{r}_right = 1 if {r}_columns > 1.0 else 0",
        f"{r}_up = int({r}_columns) if {r}_rows > 1.0 else 0",
    ]


def _read(signature: Signature, reads: Sequence[tuple[int, Expr]], known: Mapping[int, str]) -> list[str]:
    """Values of rasters: three rows of `work` hold cell and place within, then the first of them the value."""
    writer = Writer(signature, [a for _, e in reads for a in e.args], "lanes", known)
    places, values = list(writer.lines), list[str]()
    for row, e in reads:
        group, header, _ = e.value
        r, (x, y) = f"{group}{header}", (writer.text[a.index] for a in e.args)
        i, j, i0, j0 = (f"{name}{e.index}" for name in ("i", "j", "column", "row"))
        places += [
            f"{i} = lane_along({x} - {r}_x, {y} - {r}_y, {r}_cos, {r}_sin, {r}_scale, {r}_columns)",
            f"{j} = lane_along({y} - {r}_y, {x} - {r}_x, {r}_cos, -{r}_sin, {r}_scale, {r}_rows)",
            f"{i0} = lane_cell({i}, {r}_columns)",
            f"{j0} = lane_cell({j}, {r}_rows)",
            f"work[{row}, lane] = {r}_start + {j0} * {r}_columns + {i0}",
            f"work[{row + 1}, lane] = {i} - {i0}",
            f"work[{row + 2}, lane] = {j} - {j0}",
        ]
        place = ", ".join(f"work[{row + k}, lane]" for k in range(3))
        values.append(f"work[{row}, lane] = lane_bilinear({group}, {place}, {r}_right, {r}_up)")
    return [*_loop(places), *_loop(values)]


def _loop(lines: Sequence[str]) -> list[str]:
    return ["for lane in range(LANES):", *(f"    {line}" for line in lines or ["pass"])]
