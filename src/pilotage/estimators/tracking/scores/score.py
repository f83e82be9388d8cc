"""All scores of a tracker by one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....core import TrackTable
from .clear import CLEARScores, Convention, clear
from .comparison import Comparison, compare
from .gospa import GOSPAScores, gospa
from .hota import HOTAScores, hota
from .identity import IdentityScores, identity
from .latency import LatencyScores, latency
from .nees import NEESScores, nees
from .ospa import OSPAScores, ospa
from .ospa2 import OSPA2Scores, ospa2
from .siap import SIAPScores, siap


@dataclass(frozen=True, eq=False, repr=False)
class TrackScores:
    """The scores of a tracker; printed, a table.

    Attributes:
        comparison: the tracks beside the truth.
        hota: HOTA and its parts.
        identity: IDF1, IDP and IDR.
        clear: MOTA, MOTP and the errors that they count.
        gospa: GOSPA at each instant, with its parts.
        ospa: OSPA at each instant.
        ospa2: OSPA(2) of all instants together.
        siap: SIAP scores.
        latency: time from the birth of each target to its first track.
        nees: NEES of the tracks; None without covariances.

    Example:
        >>> from pilotage.estimators.tracking import parallel
        >>> truth = parallel(rng=1).truth
        >>> score(truth, truth.between(5.0, 30.0), cutoff=5.0).rows()["latency"]
        {'mean': 5.0, 'worst': 5.0, 'never': 0}
    """

    comparison: Comparison
    hota: HOTAScores
    identity: IdentityScores
    clear: CLEARScores
    gospa: GOSPAScores
    ospa: OSPAScores
    ospa2: OSPA2Scores
    siap: SIAPScores
    latency: LatencyScores
    nees: NEESScores | None

    def rows(self) -> dict[str, dict[str, float]]:
        """The numbers of the table by their names, for each kind of score."""
        h, i, c, g, s = self.hota, self.identity, self.clear, self.gospa, self.siap
        table: dict[str, dict[str, float]] = {
            "HOTA": {"HOTA": h.hota, "DetA": h.deta, "AssA": h.assa, "LocA": h.loca}
            | {"DetRe": h.detre, "DetPr": h.detpr, "AssRe": h.assre, "AssPr": h.asspr},
            "identity": {"IDF1": i.idf1, "IDP": i.idp, "IDR": i.idr},
            "CLEAR": {"MOTA": c.mota, "MOTP": c.motp, "recall": c.recall, "precision": c.precision}
            | {"FP": c.fp, "FN": c.fn, "IDSW": c.idsw, "FM": c.fm, "MT": c.mt, "PT": c.pt, "ML": c.ml},
            "GOSPA": {"GOSPA": g.gospa, "localisation": g.localisation, "missed": g.missed, "false": g.false},
            "OSPA": {"OSPA": self.ospa.ospa, "OSPA(2)": self.ospa2.ospa},
            "SIAP": {"C": s.completeness, "A": s.ambiguity, "S": s.spuriousness, "PA": s.accuracy}
            | {"R": s.rate, "LS": s.longest},
            "latency": {"mean": self.latency.mean, "worst": self.latency.worst, "never": self.latency.never},
        }
        if self.nees is not None:
            table["NEES"] = {"NEES": self.nees.nees, "components": self.nees.dim, "inside 95 %": self.nees.inside()}
        return table

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for kind, numbers in self.rows().items():
            yield f"{kind:9} " + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())


def score(
    truth: TrackTable | Sequence[TrackTable],
    tracks: TrackTable | Sequence[TrackTable],
    *,
    distance: Any = None,
    similarity: Any = None,
    cutoff: float | None = None,
    threshold: float | None = None,
    tolerance: float = 1e-6,
    p: float = 1.0,
    convention: Convention = "trackeval",
) -> TrackScores:
    """All scores of tracks against the truth.

    Args:
        truth: the true states; a list of tables for several sequences, which are scored together.
        tracks: the tracked states; as many tables.
        distance: names of the components whose distance counts, or a function; see `compare`.
        similarity: a function in place of a distance; see `compare`.
        cutoff: distance c from which on a track counts as false; 1 for boxes, whose distance is 1 - IoU.
        threshold: similarity from which on a pair may match; None: 0.5 for boxes, and 0 for distances.
        tolerance: times closer than that are one instant [s].
        p: order of OSPA, OSPA(2) and GOSPA.
        convention: "trackeval" or "motmetrics"; see `clear`.

    Raises:
        ShapeError: if the tables do not fit each other.
        SettingError: if the cutoff is missing where there is no similarity.
        SpaceError: if the spaces have no position in common, and no distance is given.

    Example:
        >>> from pilotage.core import BOX
        >>> truth = TrackTable([0.0, 0.1, 0.2], [1, 1, 1], [[0, 0, 9, 9], [2, 0, 9, 9], [4, 0, 9, 9]], space=BOX)
        >>> tracks = TrackTable([0.0, 0.1, 0.2], [4, 4, 5], [[0, 0, 9, 9], [2, 0, 9, 9], [4, 0, 9, 9]], space=BOX)
        >>> score(truth, tracks)
        HOTA      HOTA 0.7454  DetA 1  AssA 0.5556  LocA 1  DetRe 1  DetPr 1  AssRe 0.5556  AssPr 1
        identity  IDF1 0.6667  IDP 0.6667  IDR 0.6667
        CLEAR     MOTA 0.6667  MOTP 1  recall 1  precision 1  FP 0  FN 0  IDSW 1  FM 0  MT 1  PT 0  ML 0
        GOSPA     GOSPA 0  localisation 0  missed 0  false 0
        OSPA      OSPA 0  OSPA(2) 0.6667
        SIAP      C 1  A 1  S 0  PA 0  R 10  LS 0.5
        latency   mean 0  worst 0  never 0
    """
    c = compare(
        truth,
        tracks,
        distance=distance,
        similarity=similarity,
        cutoff=cutoff,
        threshold=threshold,
        tolerance=tolerance,
    )
    covered = all(table.cov is not None for table in c.tracks)
    return TrackScores(
        c,
        hota(c),
        identity(c),
        clear(c, convention=convention),
        gospa(c, p=p),
        ospa(c, p=p),
        ospa2(c, p=p, q=p),
        siap(c),
        latency(c),
        nees(c) if covered and c.truth[0].space.common(c.tracks[0].space) else None,
    )
