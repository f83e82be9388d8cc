"""Belief in, belief out: Kalman filters, particle filters and what is built on them."""

from __future__ import annotations

from .ekf import EKF as EKF
from .gaussian_filter import GaussianFilter as GaussianFilter
from .kf import KF as KF
from .ukf import UKF as UKF

__all__ = ["EKF", "KF", "UKF", "GaussianFilter"]
