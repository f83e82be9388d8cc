"""Fusion of tracks: trackers send what they know of their targets, and a fuser makes one picture of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....core.names import absent
from .covariance_intersection import CovarianceIntersection as CovarianceIntersection
from .covariance_intersection import covariance_intersection as covariance_intersection
from .cross_covariance_fusion import cross_covariance_fusion as cross_covariance_fusion
from .cross_covariance_fusion import predicted_cross_covariance as predicted_cross_covariance
from .cross_covariance_fusion import updated_cross_covariance as updated_cross_covariance
from .fusion import Fusion as Fusion
from .independent_fusion import IndependentFusion as IndependentFusion
from .independent_fusion import independent_fusion as independent_fusion
from .information_fusion import InformationFusion as InformationFusion
from .information_fusion import information_fusion as information_fusion
from .inverse_intersection import InverseCovarianceIntersection as InverseCovarianceIntersection
from .inverse_intersection import inverse_covariance_intersection as inverse_covariance_intersection
from .track_fuser import TrackFuser as TrackFuser

__all__ = [
    "CovarianceIntersection",
    "Fusion",
    "IndependentFusion",
    "InformationFusion",
    "InverseCovarianceIntersection",
    "TrackFuser",
    "covariance_intersection",
    "cross_covariance_fusion",
    "independent_fusion",
    "information_fusion",
    "inverse_covariance_intersection",
    "predicted_cross_covariance",
    "updated_cross_covariance",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
