"""Estimators: Kalman filters, particle filters, smoothers, localization, tracking and pose graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .ckf import CKF as CKF
from .ekf import EKF as EKF
from .fading import FadingEKF as FadingEKF
from .filter import Filter as Filter
from .ghkf import GHKF as GHKF
from .iekf import IEKF as IEKF
from .imm import IMM as IMM
from .inekf import InvariantEKF as InvariantEKF
from .kf import KF as KF
from .rts import smooth as smooth
from .schmidt import SchmidtEKF as SchmidtEKF
from .sigma_points import CubaturePoints as CubaturePoints
from .sigma_points import GaussHermitePoints as GaussHermitePoints
from .sigma_points import JulierPoints as JulierPoints
from .sigma_points import MerwePoints as MerwePoints
from .sigma_points import SimplexPoints as SimplexPoints
from .sqrt_ekf import SquareRootEKF as SquareRootEKF
from .sqrt_ukf import SquareRootUKF as SquareRootUKF
from .steady import steady_state as steady_state
from .ukf import UKF as UKF

if TYPE_CHECKING:
    from .ensemble import EnsembleKF as EnsembleKF
    from .particle import ParticleFilter as ParticleFilter
    from .resampling import resample as resample

__all__ = [
    "CKF",
    "EKF",
    "GHKF",
    "IEKF",
    "IMM",
    "KF",
    "UKF",
    "CubaturePoints",
    "EnsembleKF",
    "FadingEKF",
    "Filter",
    "GaussHermitePoints",
    "InvariantEKF",
    "JulierPoints",
    "MerwePoints",
    "ParticleFilter",
    "SchmidtEKF",
    "SimplexPoints",
    "SquareRootEKF",
    "SquareRootUKF",
    "resample",
    "smooth",
    "steady_state",
]

# These bring compiled kernels of their own, so the compiler is loaded with them: only for those who want them.
if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__, {"EnsembleKF": "ensemble", "ParticleFilter": "particle", "resample": "resampling"})


def __dir__() -> list[str]:
    return sorted(__all__)
