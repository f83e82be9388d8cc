"""SLAM from laser scans, kept while the robot drives.

- `ScanSLAM`, `ScanMapper`, `ScanStep`: the system, what robot code holds, and what a scan has changed
- `LoopCloser`: where to search for closures, and when to believe them
- `Keyframes`: the scans of the map, their poses, and the measurements between them
"""

from __future__ import annotations

from .keyframes import Keyframes as Keyframes
from .loops import LoopCloser as LoopCloser
from .scan_slam import ScanMapper as ScanMapper
from .scan_slam import ScanSLAM as ScanSLAM
from .scan_slam import ScanStep as ScanStep

__all__ = ["Keyframes", "LoopCloser", "ScanMapper", "ScanSLAM", "ScanStep"]
