"""Extended objects as they are seen from one place, and the share of each that others hide."""

from __future__ import annotations

import numpy as np

from ....core.arrays import Array
from .._state import Scan
from ._bodies import Bodies
from ._body_targets import BodyTargets, context_of


def visible(targets: BodyTargets, bodies: Bodies, scan: Scan, hiding: Bodies, existence: Array) -> Array:
    """The share of each object that others do not hide, ``(N,)``."""
    if targets.sight is None or not len(hiding) or not len(bodies):
        return np.ones(len(bodies))
    place = targets.sight.at(scan.context)
    own, other = sizes_of(targets, bodies, scan, place, 2.0), sizes_of(targets, hiding, scan, place, 0.0)
    return targets.sight.visible(place, *own, *other, existence)


def sizes_of(targets: BodyTargets, bodies: Bodies, scan: Scan, place: Array, stds: float) -> tuple[Array, Array]:
    """Centres, and half the extents across and along the line of sight, across with uncertainty of the place."""
    h, context = targets.mounted(scan.detector.sensor)[0], context_of(scan)
    _, mean, cov = targets.moments(bodies)
    z, H = np.asarray(h.observe(mean, context)), np.asarray(h.linearize(mean, context))
    d = z - place
    along = d / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], -1)
    T, P = targets.frames(bodies), H @ cov @ np.swapaxes(H, -1, -2)
    X = T @ targets.extent(bodies) @ np.swapaxes(T, -1, -2)
    widths = [np.einsum("na,nab,nb->n", u, A, u) for u, A in ((across, X), (along, X), (across, P))]
    one, two, std = np.sqrt(np.maximum(widths, 0.0))
    return z, np.stack([one + stds * std, two], -1)
