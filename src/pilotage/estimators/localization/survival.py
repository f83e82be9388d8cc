"""Resampling that keeps hypotheses which are not refuted.

Drawn from all particles alike, equal hypotheses wander in weight until one of them has it all, though nothing spoke for
it. So hypotheses that are too light for their own share of the particles get `least` of them, of less weight, until
the robot knows where it is; weights of hypotheses change by evidence alone (Vermaak, Doucet and Perez, *Maintaining
multi-modality through mixture tracking*, ICCV 2003, section 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array
from ..resampling import Resampling, resample
from .hypotheses import Localization

Indices = NDArray[np.int64]
REFUTED = 1e-30
"""A hypothesis of less weight is gone; far below what `Localization.converged` asks of the leading one."""
MOST = 8
"""So many light hypotheses are kept."""


def resample_hypotheses(
    known: Localization, n: int, least: int, method: Resampling, draw: np.random.Generator
) -> tuple[Indices, Array]:
    """Indices of the particles that are drawn and their log-weights: about `n`, and `least` for each light hypothesis.

    Args:
        known: particles and their clusters.
        n: how many to draw.
        least: how many for a hypothesis whose own share is smaller.
        method: see `resample`.
        draw: random stream.
    """
    (cluster, masses), w = known.clusters, known.particles.weights
    light = (masses * n < least) & (masses >= REFUTED)
    light[np.flatnonzero(light)[MOST:]] = False
    parts = [np.flatnonzero(~light[cluster])] + [np.flatnonzero(cluster == g) for g in np.flatnonzero(light)]
    # Side by side, the particles of a cluster get their share of a systematic draw to within one.
    parts[0] = parts[0][np.argsort(cluster[parts[0]], kind="stable")]
    chosen, log_weights = [], []
    for part, count in zip(parts, [n] + [least] * (len(parts) - 1), strict=True):
        if not len(part):  # all hypotheses are light
            continue
        chosen.append(part[resample(w[part], count, method, draw)])
        log_weights.append(np.full(count, np.log(w[part].sum() / count)))
    return np.concatenate(chosen), np.concatenate(log_weights)
