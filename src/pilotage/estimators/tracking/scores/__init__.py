"""Scores of trackers: tracks beside the truth, compared once, and scored in every usual way.

`score` computes them all. Its parts take a `Comparison`, which `compare` makes of two track tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....core.names import absent
from .clear import CLEARScores as CLEARScores
from .clear import clear as clear
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .distractors import without_distractors as without_distractors
from .gospa import GOSPAScores as GOSPAScores
from .gospa import gospa as gospa
from .hota import HOTAScores as HOTAScores
from .hota import hota as hota
from .identity import IdentityScores as IdentityScores
from .identity import identity as identity
from .latency import LatencyScores as LatencyScores
from .latency import latency as latency
from .nees import NEESScores as NEESScores
from .nees import nees as nees
from .ospa import OSPAScores as OSPAScores
from .ospa import ospa as ospa
from .ospa2 import OSPA2Scores as OSPA2Scores
from .ospa2 import ospa2 as ospa2
from .score import TrackScores as TrackScores
from .score import score as score
from .siap import SIAPScores as SIAPScores
from .siap import siap as siap

__all__ = [
    "CLEARScores",
    "Comparison",
    "GOSPAScores",
    "HOTAScores",
    "IdentityScores",
    "LatencyScores",
    "NEESScores",
    "OSPA2Scores",
    "OSPAScores",
    "SIAPScores",
    "TrackScores",
    "clear",
    "compare",
    "gospa",
    "hota",
    "identity",
    "latency",
    "nees",
    "ospa",
    "ospa2",
    "score",
    "siap",
    "without_distractors",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
