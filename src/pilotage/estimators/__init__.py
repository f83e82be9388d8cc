"""Belief in, belief out: Kalman filters, particle filters and what is built on them."""

from __future__ import annotations

from .ekf import EKF as EKF
from .gaussian_filter import GaussianFilter as GaussianFilter

__all__ = ["EKF", "GaussianFilter"]
