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
    from .auxiliary import AuxiliaryParticleFilter as AuxiliaryParticleFilter
    from .ensemble import EnsembleKF as EnsembleKF
    from .gaussian_particles import GaussianParticles as GaussianParticles
    from .guided import GuidedParticleFilter as GuidedParticleFilter
    from .kld import KLDSampling as KLDSampling
    from .particle import ParticleFilter as ParticleFilter
    from .particle_smoother import smooth_particles as smooth_particles
    from .rao_blackwell import RaoBlackwellizedParticleFilter as RaoBlackwellizedParticleFilter
    from .resampling import resample as resample

__all__ = [
    "CKF",
    "EKF",
    "GHKF",
    "IEKF",
    "IMM",
    "KF",
    "UKF",
    "AuxiliaryParticleFilter",
    "CubaturePoints",
    "EnsembleKF",
    "FadingEKF",
    "Filter",
    "GaussHermitePoints",
    "GaussianParticles",
    "GuidedParticleFilter",
    "JulierPoints",
    "KLDSampling",
    "MerwePoints",
    "ParticleFilter",
    "RaoBlackwellizedParticleFilter",
    "SchmidtEKF",
    "SimplexPoints",
    "SquareRootEKF",
    "SquareRootUKF",
    "resample",
    "smooth",
    "smooth_particles",
    "steady_state",
]

# These bring compiled kernels of their own, so the compiler is loaded with them: only for those who want them.
LATER = {
    "AuxiliaryParticleFilter": "auxiliary",
    "EnsembleKF": "ensemble",
    "GaussianParticles": "gaussian_particles",
    "GuidedParticleFilter": "guided",
    "KLDSampling": "kld",
    "ParticleFilter": "particle",
    "RaoBlackwellizedParticleFilter": "rao_blackwell",
    "resample": "resampling",
    "smooth_particles": "particle_smoother",
}
if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__, LATER)


def __dir__() -> list[str]:
    return sorted(__all__)
