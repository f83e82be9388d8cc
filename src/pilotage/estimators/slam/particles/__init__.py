"""SLAM by particles: each particle is a way of the robot with a map of its own.

- `FastSLAM`: landmarks; versions 1 and 2
- `GridRBPF`, `ParticleMapper`, `ParticleStep`: occupancy grids from the scans of a laser
"""

from __future__ import annotations

from .fast_slam import FastSLAM as FastSLAM
from .grid_rbpf import GridRBPF as GridRBPF
from .particle_mapper import ParticleMapper as ParticleMapper
from .particle_mapper import ParticleStep as ParticleStep

__all__ = ["FastSLAM", "GridRBPF", "ParticleMapper", "ParticleStep"]
