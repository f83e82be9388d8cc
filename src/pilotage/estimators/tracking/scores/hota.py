"""HOTA: higher order tracking accuracy, with its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.arrays import Array
from .._assignment import assigned
from .comparison import Comparison, Integers, compared

ALPHAS = np.arange(0.05, 0.99, 0.05)
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False, repr=False)
class HOTAScores:
    """HOTA and its parts at each threshold alpha; the properties are their means.

    Attributes:
        alphas: thresholds of the similarity ``(A,)``.
        tp: true positives ``(A,)``.
        fp: false positives ``(A,)``.
        fn: false negatives ``(A,)``.
        assa_alpha: association accuracy ``(A,)``.
        assre_alpha: association recall ``(A,)``.
        asspr_alpha: association precision ``(A,)``.
        loca_alpha: mean similarity of the true positives ``(A,)``; 1 where there is none.

    Example:
        >>> one = np.ones(1)
        >>> HOTAScores(0.5 * one, 3 * one, 0 * one, one, one, one, one, one)
        HOTAScores(HOTA 0.866, DetA 0.750, AssA 1.000, LocA 1.000)
    """

    alphas: Array
    tp: Array
    fp: Array
    fn: Array
    assa_alpha: Array
    assre_alpha: Array
    asspr_alpha: Array
    loca_alpha: Array

    @property
    def deta_alpha(self) -> Array:
        """Detection accuracy ``(A,)``: ``TP / (TP + FN + FP)``."""
        return self.tp / np.maximum(1, self.tp + self.fn + self.fp)

    @property
    def hota_alpha(self) -> Array:
        """HOTA ``(A,)``: ``sqrt(DetA AssA)``."""
        return np.sqrt(self.deta_alpha * self.assa_alpha)

    @property
    def hota(self) -> float:
        """HOTA, the mean over alpha."""
        return float(self.hota_alpha.mean())

    @property
    def deta(self) -> float:
        """Detection accuracy, the mean over alpha."""
        return float(self.deta_alpha.mean())

    @property
    def assa(self) -> float:
        """Association accuracy, the mean over alpha."""
        return float(self.assa_alpha.mean())

    @property
    def detre(self) -> float:
        """Detection recall ``TP / (TP + FN)``, the mean over alpha."""
        return float((self.tp / np.maximum(1, self.tp + self.fn)).mean())

    @property
    def detpr(self) -> float:
        """Detection precision ``TP / (TP + FP)``, the mean over alpha."""
        return float((self.tp / np.maximum(1, self.tp + self.fp)).mean())

    @property
    def assre(self) -> float:
        """Association recall, the mean over alpha."""
        return float(self.assre_alpha.mean())

    @property
    def asspr(self) -> float:
        """Association precision, the mean over alpha."""
        return float(self.asspr_alpha.mean())

    @property
    def loca(self) -> float:
        """Localisation accuracy, the mean over alpha."""
        return float(self.loca_alpha.mean())

    def __repr__(self) -> str:
        names = {"HOTA": self.hota, "DetA": self.deta, "AssA": self.assa, "LocA": self.loca}
        return f"HOTAScores({', '.join(f'{name} {value:.3f}' for name, value in names.items())})"


def hota(comparison: Comparison, *, alphas: Any = None) -> HOTAScores:
    """HOTA: the geometric mean of how well targets are detected and how well detections are joined to tracks.

    ::

        HOTA_alpha = sqrt(DetA AssA),    DetA = TP / (TP + FN + FP)
        AssA       = 1 / TP  sum over true positives c of  TPA(c) / (TPA(c) + FNA(c) + FPA(c))

    TPA(c) counts the true positives with the target and the track of c, FNA(c) the other rows of its target, FPA(c) the
    other rows of its track. At each instant, the matching maximises the sum of similarities, weighted by how well
    target and track agree over all instants; pairs with a similarity of alpha or more are true positives.

    Source: Luiten et al., "HOTA: a higher order metric for evaluating multi-object tracking", International Journal of
    Computer Vision 129, 2021, equations 7 to 18; equal to TrackEval.

    Args:
        comparison: tracks beside the truth, from `compare`.
        alphas: thresholds ``(A,)`` of the similarity; None: 0.05, 0.1, ..., 0.95.

    Example:
        >>> from pilotage.core import Space, TrackTable
        >>> from pilotage.estimators.tracking.scores import compare
        >>> truth = TrackTable([0.0, 1.0], [1, 1], [[0.0], [1.0]], space=Space("x [m]"))
        >>> tracks = TrackTable([0.0, 1.0], [5, 6], [[0.0], [1.0]], space=Space("x [m]"))
        >>> hota(compare(truth, tracks, cutoff=2.0))
        HOTAScores(HOTA 0.707, DetA 1.000, AssA 0.500, LocA 1.000)
    """
    c = compared(comparison, "hota")
    levels = ALPHAS if alphas is None else np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    target, track, link = c.links
    rows = c.target_rows[target] + c.track_rows[track]
    agreement = np.bincount(link, _shares(c), minlength=len(target))
    weights = (agreement / (rows - agreement))[link] * c.similarity
    edges = assigned(c.starts, c.column, -weights, len(c.track_index))
    edges = edges[edges >= 0]
    counts = [link[edges[c.similarity[edges] >= alpha - EPS]] for alpha in levels]
    joined = np.array([np.bincount(hits, minlength=len(target)) for hits in counts])
    return _scores(c, levels, edges, joined, rows)


def _shares(c: Comparison) -> Array:
    """The similarity of each pair, as a share of all similarity of its two rows."""
    total = np.bincount(c.row, c.similarity, len(c.truth_target))[c.row] - c.similarity
    total += np.bincount(c.column, c.similarity, len(c.track_index))[c.column]
    return np.divide(c.similarity, total, out=np.zeros_like(total), where=total > EPS)


def _scores(c: Comparison, alphas: Array, edges: Integers, joined: Any, rows: Integers) -> HOTAScores:
    """Scores from the number of true positives of each link at each alpha ``(A, L)``."""
    target, track, _ = c.links
    tp = joined.sum(1)
    most = np.maximum(1, tp)
    s = c.similarity[edges]
    hits = s >= alphas[:, None] - EPS
    return HOTAScores(
        alphas,
        tp,
        len(c.track_index) - tp,
        len(c.truth_target) - tp,
        (joined * (joined / np.maximum(1, rows - joined))).sum(1) / most,
        (joined * (joined / np.maximum(1, c.target_rows[target]))).sum(1) / most,
        (joined * (joined / np.maximum(1, c.track_rows[track]))).sum(1) / most,
        np.maximum(1e-10, np.where(hits, s, 0.0).sum(1)) / np.maximum(1e-10, tp),
    )
