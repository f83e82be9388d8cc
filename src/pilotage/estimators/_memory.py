"""The memory of drivers of filters: records of addresses and sizes, and vectors and matrices over lanes.

A driver is one text for a single filter and for `LANES` filters side by side. Its last argument is `ONE` or `BLOCK`.
With `ONE` an element ``A[i, j]`` of a matrix is a number; with `BLOCK` it is a number in each lane: arithmetic,
comparisons and the functions below work lane by lane.

    x, at = vector(at, n, lanes)        # n numbers at the address `at`; then `at` is where they end
    P, at = matrix(at, n, m, lanes)
    a = fill(0.0, lanes)
    a += P[i, j] * x[j]
    root = sqrt(select(a > 0.0, a, 1.0))

A factor of a product is ``plain(P)`` or ``transposed(P)``.
"""

from __future__ import annotations

import numpy as np

from ..models.trace import Intrinsic

ONE, BLOCK = (0,), (0, 0)
SIDE = 4
"""Rows and columns of a tile, which is what `gemm` adds up at once with `ONE`; with `BLOCK` it is one element."""

SPACE = np.dtype([(name, np.int64) for name in ("size", "dim", "plus", "minus", "wraps")])
"""A space: length of a point and of a tangent vector, code of plus and minus, address of what wraps (see `ukf`)."""

MODEL = np.dtype([(n, np.int64) for n in ("all", "value", "noise", "inputs", "space", "parameters", "gates", "given")])
"""Dynamics or a sensor: code of what a linear filter needs (``y F Q``, ``h e H R``), of the value alone, of the noise
alone; length of the action or context; addresses of the `SPACE` of its values, of its parameters, of the gates; whether
its noise is given behind each context, in place of its own."""

JOB = np.dtype(
    [
        (n, np.int64)
        for n in (
            "predict",
            "update",
            "state",
            "dynamics",
            "sensor",
            "settings",
            "dt",
            "belief",
            "scratch",
            "status",
            "idle",
            "numbers",
            "transport",
        )
    ]
)
"""A filter at work: code of its inner steps; addresses of the state's `SPACE`, of two `MODEL`, of the estimator's
settings, of the seconds of a step, of belief, scratch and status, of an action of zeros; how many numbers a belief
has; code of the transport on the state's space, 0 where the steps need none."""

_HERE, _TILES = f"{__package__}._intrinsics", f"{__package__}._tiles"
space_at = Intrinsic("space_at", _HERE)
model_at = Intrinsic("model_at", _HERE)
job_at = Intrinsic("job_at", _HERE)
vector = Intrinsic("vector", _HERE)
matrix = Intrinsic("matrix", _HERE)
row = Intrinsic("row", _HERE)
part = Intrinsic("part", _TILES)
plain = Intrinsic("plain", _TILES)
transposed = Intrinsic("transposed", _TILES)
nothing = Intrinsic("nothing", _TILES)
down = Intrinsic("down", _TILES)
along = Intrinsic("along", _TILES)
tile = Intrinsic("tile", _TILES)
put_tile = Intrinsic("put_tile", _TILES)
turn_tile = Intrinsic("turn_tile", _TILES)
address = Intrinsic("address", _HERE)
table = Intrinsic("table", _HERE)
integers = Intrinsic("integers", _HERE)
fill = Intrinsic("fill", _HERE)
select = Intrinsic("select", _HERE)
sqrt = Intrinsic("sqrt", _HERE)
log = Intrinsic("log", _HERE)
absolute = Intrinsic("absolute", _HERE)
everywhere = Intrinsic("everywhere", _HERE)
accepted = Intrinsic("accepted", _HERE)
mark = Intrinsic("mark", _HERE)
opposite = Intrinsic("opposite", _HERE)
