"""Scores of a reading: how likely an innovation is, and whether it passes the gate."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import CovarianceError, FilterStatus, ModelError, Update
from ..core.arrays import Array
from ..core.covariances import log_normal
from ._algebra import LOG_TURN
from ._inputs import gate_quantiles
from ._steps import ACCEPTED, GATED, NO_READING

OVERFLOW = int(FilterStatus.OVERFLOW)


class Scores(NamedTuple):
    """The innovation of a reading, without what was not measured, and how likely it is.

    Attributes:
        e: the innovation ``(..., m)``, 0 where not measured, and where the reading is not taken.
        S: its covariance ``(..., m, m)``, that of the identity where not measured.
        nis: ``e' S^-1 e``, ``(...)``.
        log_likelihood: ``log N(e; 0, S)`` of what was measured, ``(...)``.
        status: ACCEPTED, GATED, NO_READING or OVERFLOW, integers ``(...)``.
    """

    e: Array
    S: Array
    nis: Any
    log_likelihood: Any
    status: Any

    def update(self, belief: Any, y: Array, S: Array | None = None, status: Any = None) -> Update:
        """The update to a belief, with innovation y; S and status are those of the scores, if not given.

        Raises:
            ModelError: if the likelihood of a single reading is not a finite number.
        """
        how = np.asarray(self.status if status is None else status)
        S = self.S if S is None else S
        if how.ndim:
            return Update(belief, y, S, self.nis, self.log_likelihood, status=how)
        if how == OVERFLOW:
            raise ModelError(f"the innovation of a reading is {y}, so its likelihood is not finite; check its units")
        return Update(belief, y, S, float(self.nis), float(self.log_likelihood), status=FilterStatus(int(how)))


def scored(y: Array, S: Array, seen: Any, gate: float | None = None) -> Scores:
    """The scores of innovations y ``(..., m)`` with covariance S, of which only what was `seen` ``(..., m)`` counts.

    Raises:
        CovarianceError: if S is singular.
    """
    m = y.shape[-1]
    e, S = np.where(seen, y, 0.0), np.where(seen[..., :, None] & seen[..., None, :], S, np.eye(m))
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            log_likelihood = log_normal(e, S) + 0.5 * LOG_TURN * (~seen).sum(-1)
        except CovarianceError as error:
            raise error.of_row(FilterStatus.SINGULAR_INNOVATION) from None
        nis = np.einsum("...i,...i->...", e, np.linalg.solve(S, e[..., None])[..., 0])
    count = seen.sum(-1)
    status = np.where(nis > gate_quantiles(gate, m)[count], GATED, ACCEPTED)
    status = np.where(np.isfinite(log_likelihood), status, OVERFLOW)
    status = np.where(count == 0, NO_READING, status)
    return Scores(np.where((status == ACCEPTED)[..., None], e, 0.0), S, nis, log_likelihood, status)
