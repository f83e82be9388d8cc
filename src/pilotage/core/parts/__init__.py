"""Kinds of parts. A new kind is a file here, and a line in this register."""

from __future__ import annotations

from .angle import Angle as Angle
from .block import DTYPES
from .block import Block as Block
from .extended_pose import ExtendedPose as ExtendedPose
from .left import LeftPerturbed as LeftPerturbed
from .part import Components as Components
from .part import Part as Part
from .quaternion import Quaternion as Quaternion
from .real import Real as Real
from .se2 import SE2 as SE2
from .se3 import SE3 as SE3
from .sphere import Sphere as Sphere

__all__ = ["SE2", "SE3", "Angle", "Block", "ExtendedPose", "LeftPerturbed", "Part", "Quaternion", "Real", "Sphere"]

KINDS: dict[str, type[Part]] = {
    **{kind.kind: kind for kind in (Real, Angle, Quaternion, Sphere)},
    **dict.fromkeys((SE2.kind, SE3.kind), ExtendedPose),
    **dict.fromkeys(DTYPES, Block),
}
"""The kinds by the words that declare them after a colon."""
