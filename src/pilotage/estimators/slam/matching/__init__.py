"""Scan matching: the pose of a scan relative to other scans, with its covariance and what it does not tell.

- `Surface`, `scan_surface`, `join`: the points of scans with lines through their neighbours
- `PointToLineICP`: iterative closest points, from a good guess
- `LikelihoodFieldMatcher`: Gauss-Newton on a likelihood field
- `CorrelativeMatcher`: the best pose in a window, from any guess in it
- `Match`, `MatchStatus`, `Judgement`: the result, and how it is judged
"""

from __future__ import annotations

from .correlative import CorrelativeMatcher as CorrelativeMatcher
from .icp import PointToLineICP as PointToLineICP
from .likelihood_field import LikelihoodFieldMatcher as LikelihoodFieldMatcher
from .match import Judgement as Judgement
from .match import Match as Match
from .match import MatchStatus as MatchStatus
from .surface import Surface as Surface
from .surface import join as join
from .surface import scan_surface as scan_surface

__all__ = [
    "CorrelativeMatcher",
    "Judgement",
    "LikelihoodFieldMatcher",
    "Match",
    "MatchStatus",
    "PointToLineICP",
    "Surface",
    "join",
    "scan_surface",
]
