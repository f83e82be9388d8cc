"""NEES of tracks: whether their covariances fit their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....core import ShapeError, SpaceError
from ....core.arrays import Array
from ....core.settings import Fraction, setting
from .clear import matches
from .comparison import Comparison, compared


@dataclass(frozen=True, eq=False, repr=False)
class NEESScores:
    """Normalised estimation errors squared of the matched tracks.

    Attributes:
        values: NEES of each match ``(M,)``, in the order of the rows of the truth.
        times: times of the matches ``(M,)`` [s].
        dim: number of components.

    Example:
        >>> NEESScores(np.array([2.0, 1.0]), np.zeros(2), 2)
        NEESScores(NEES 1.5 for 2 components, 100 % of them below 5.99 where 95 % should be)
    """

    values: Array
    times: Array
    dim: int

    @property
    def nees(self) -> float:
        """The mean NEES; `dim` for a consistent tracker, more for one that is too sure. NaN without a match."""
        return float(self.values.mean()) if len(self.values) else float("nan")

    def inside(self, level: float = 0.95) -> float:
        """The share of the matches whose NEES is below the chi-square quantile of that level."""
        return float((self.values <= self._bound(level)).mean()) if len(self.values) else float("nan")

    def _bound(self, level: float) -> float:
        from scipy.special import gammaincinv

        return 2.0 * float(gammaincinv(0.5 * self.dim, setting(level, Fraction, "level")))

    def __repr__(self) -> str:
        share, bound = 100.0 * self.inside(), self._bound(0.95)
        return (
            f"NEESScores(NEES {self.nees:.4g} for {self.dim} components, {share:.3g} % of them below {bound:.2f} where "
            "95 % should be)"
        )


def nees(comparison: Comparison) -> NEESScores:
    """NEES of the tracks that are matched with a target.

    ::

        NEES = e' P^-1 e,    e = x_true (-) x_track,   P: covariance of the track

    It is computed over the parts that truth and tracks have in common, in the tangent space of the track. The matches
    are those of `clear`. Errors of one track follow from each other, so the number of independent values is lower than
    that of matches.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with applications to tracking and navigation", 2001, 5.4.2.

    Args:
        comparison: tracks with covariances beside the truth, from `compare`.

    Raises:
        ShapeError: if the tracks have no covariances, or singular ones.
        SpaceError: if truth and tracks have no part in common.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0], [1], [[0.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0], [5], [[1.0]], space=Space("x [m]"), cov=[[[0.25]]])
        >>> nees(compare(truth, tracks, cutoff=2.0)).values
        array([4.])
    """
    c = compared(comparison, "nees")
    edges = matches(c)
    edges = edges[edges >= 0]
    truth, tracks = c.truth[0].space, c.tracks[0].space
    shared = truth.common(tracks)
    (i, _), (j, d) = truth.indices(shared), tracks.indices(shared)
    if not shared:
        raise SpaceError(f"{truth} and {tracks} have no part in common; NEES compares parts of the same name")
    if any(table.cov is None for table in c.tracks):
        raise ShapeError("NEES needs tracks with covariances; make the table with cov=...")
    x = np.concatenate([table.x for table in c.truth])[c.row[edges]][:, i]
    y = np.concatenate([table.x for table in c.tracks])[c.column[edges]][:, j]
    P = np.concatenate([np.asarray(table.cov) for table in c.tracks])[c.column[edges]][:, d[:, None], d]
    e = tracks.select(shared).minus(x, y)
    try:
        values = np.einsum("mi,mi->m", e, np.linalg.solve(P, e[..., None])[..., 0])
    except np.linalg.LinAlgError:
        raise ShapeError("a covariance of a track is singular; its NEES is not defined") from None
    return NEESScores(values, c.times[c.truth_instant[c.row[edges]]], len(d))
