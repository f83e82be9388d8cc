"""SLAM by particles: each particle is a way of the robot with a map of its own.

- `GridRBPF`, `ParticleMapper`, `ParticleStep`: occupancy grids from the scans of a laser
"""

from __future__ import annotations

from .grid_rbpf import GridRBPF as GridRBPF
from .grid_rbpf import ParticleMapper as ParticleMapper
from .grid_rbpf import ParticleStep as ParticleStep

__all__ = ["GridRBPF", "ParticleMapper", "ParticleStep"]
