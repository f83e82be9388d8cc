"""Estimators: Kalman filters, particle filters, smoothers, localization, tracking and pose graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .adaptive import AdaptiveEKF as AdaptiveEKF
from .bank import Bank as Bank
from .ckf import CKF as CKF
from .consistency import Check as Check
from .consistency import ConsistencyReport as ConsistencyReport
from .consistency import Suggestion as Suggestion
from .consistency import Verdict as Verdict
from .consistency import consistency as consistency
from .ekf import EKF as EKF
from .em import Identified as Identified
from .em import expectation_maximization as expectation_maximization
from .fading import FadingEKF as FadingEKF
from .filter import Filter as Filter
from .fixed_lag import FixedLagSmoother as FixedLagSmoother
from .ghkf import GHKF as GHKF
from .gpb1 import GPB1 as GPB1
from .gpb2 import GPB2 as GPB2
from .iekf import IEKF as IEKF
from .imm import IMM as IMM
from .inekf import InvariantEKF as InvariantEKF
from .information import InformationKF as InformationKF
from .information_belief import Information as Information
from .kf import KF as KF
from .luenberger import Luenberger as Luenberger
from .luenberger import observer_gain as observer_gain
from .multiple_model import MultipleModel as MultipleModel
from .noise_belief import NoiseBelief as NoiseBelief
from .observability import Observability as Observability
from .observability import observability as observability
from .rts import smooth as smooth
from .schmidt import SchmidtEKF as SchmidtEKF
from .sigma_points import CubaturePoints as CubaturePoints
from .sigma_points import GaussHermitePoints as GaussHermitePoints
from .sigma_points import JulierPoints as JulierPoints
from .sigma_points import MerwePoints as MerwePoints
from .sigma_points import SimplexPoints as SimplexPoints
from .sqrt_ekf import SquareRootEKF as SquareRootEKF
from .sqrt_kf import SquareRootKF as SquareRootKF
from .sqrt_ukf import SquareRootUKF as SquareRootUKF
from .steady import steady_state as steady_state
from .ukf import UKF as UKF
from .variational import VariationalEKF as VariationalEKF

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
    "GPB1",
    "GPB2",
    "IEKF",
    "IMM",
    "KF",
    "UKF",
    "AdaptiveEKF",
    "AuxiliaryParticleFilter",
    "Bank",
    "Check",
    "ConsistencyReport",
    "CubaturePoints",
    "EnsembleKF",
    "FadingEKF",
    "Filter",
    "FixedLagSmoother",
    "GaussHermitePoints",
    "GaussianParticles",
    "GuidedParticleFilter",
    "Identified",
    "Information",
    "InformationKF",
    "InvariantEKF",
    "JulierPoints",
    "KLDSampling",
    "Luenberger",
    "MerwePoints",
    "MultipleModel",
    "NoiseBelief",
    "Observability",
    "ParticleFilter",
    "RaoBlackwellizedParticleFilter",
    "SchmidtEKF",
    "SimplexPoints",
    "SquareRootEKF",
    "SquareRootKF",
    "SquareRootUKF",
    "Suggestion",
    "VariationalEKF",
    "Verdict",
    "consistency",
    "expectation_maximization",
    "observability",
    "observer_gain",
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
