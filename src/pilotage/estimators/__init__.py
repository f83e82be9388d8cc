"""Estimators: Kalman filters, particle filters, smoothers, localization, tracking and pose graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .ekf import EKF as EKF
from .filter import Filter as Filter
from .imm import IMM as IMM
from .kf import KF as KF
from .rts import smooth as smooth
from .ukf import UKF as UKF

if TYPE_CHECKING:
    from .particle import ParticleFilter as ParticleFilter
    from .resampling import resample as resample

__all__ = ["EKF", "IMM", "KF", "UKF", "Filter", "ParticleFilter", "resample", "smooth"]

# These bring compiled kernels of their own, so the compiler is loaded with them: only for those who want them.
if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__, {"ParticleFilter": "particle", "resample": "resampling"})


def __dir__() -> list[str]:
    return sorted(__all__)
