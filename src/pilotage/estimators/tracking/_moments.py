"""The moments of groups of beliefs in rows, in compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.arrays import Array
from ...models.trace import call, driver
from .._memory import job_at
from .._mixing import Mixing, mix
from .._rows import record


class Moments:
    """The moments of groups of beliefs, in compiled code; see `Targets.merge`.

    Args:
        filter, model: the filter, which knows how it keeps a belief, and the dynamics, which know the space.
    """

    def __init__(self, filter: Any, model: Any) -> None:
        self._filter, self._model, self._most = filter, model, 0

    def _room(self, most: int) -> None:
        """Memory for groups of at most so many rows."""
        self._most = most = max(most, 2 * self._most, 8)
        mixing = Mixing([(self._filter, self._model)])
        self._kept = mixing
        _, _, places, tangents, transports, linear, layouts, _, _ = mixing.memory
        size = self._model.state.size + self._model.state.dim**2
        self._memory = (
            np.zeros((most + 1) * most),
            np.repeat(places, most, axis=1),
            np.repeat(tangents, most, axis=1),
            int(transports[0]),
            int(linear[0]),
            layouts[0].copy(),
            np.zeros((most, size)),
            np.zeros(size),
        )
        self._job = record(self._filter, self._model)
        self._jobs = np.full(most, self._job.at, np.int64)

    def __call__(self, rows: Array, starts: Any, shares: Array) -> Array:
        most = int(np.diff(starts).max(initial=0))
        if most > self._most:
            self._room(most)
        out = np.empty((len(starts) - 1, rows.shape[1]))
        if len(out):
            merge_rows.compiled(self._jobs, np.ascontiguousarray(rows), starts, shares, out, *self._memory)
        return out


@driver(
    "void(i8[::1], f8[:,::1], i8[::1], f8[::1], f8[:,::1], f8[::1], i8[:,:,::1], i8[:,:,::1], i8, i8, i8[::1], "
    "f8[:,::1], f8[::1])"
)
def merge_rows(jobs, rows, starts, shares, out, room, places, tangents, transport, linear, layout, moments, mixed):
    """out[i] = the moments of rows starts[i] to starts[i + 1] with these shares, as one belief; see `mix`."""
    job, numbers = job_at(jobs[0]), rows.shape[1]
    first = rows.ctypes.data
    for i in range(out.shape[0]):
        count = starts[i + 1] - starts[i]
        if count == 1:
            for k in range(numbers):
                out[i, k] = rows[starts[i], k]
            continue
        share = room[: (count + 1) * count].reshape((count + 1, count))
        for h in range(count):
            share[h, 0] = shares[starts[i] + h]
            at = np.int64(first) + 8 * numbers * (starts[i] + h)
            call(layout[0], jobs[0], at, moments[h], job.dt, job.scratch)
        mix(jobs[:count], 0, share, places, tangents, transport, linear, moments[:count], mixed)
        call(layout[1], jobs[0], out[i], mixed, job.dt, job.scratch)
