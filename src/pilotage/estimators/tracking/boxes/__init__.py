"""Boxes in the images of a camera, tracked: SORT, ByteTrack, OC-SORT, and parts for trackers of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....core.names import absent
from .box_tracker import BoxTracker as BoxTracker
from .box_tracker import boxes_of as boxes_of
from .byte_track import ByteTrack as ByteTrack
from .camera_motion import CameraMotion as CameraMotion
from .imm_boxes import IMMBoxes as IMMBoxes
from .motion import BoxMotion as BoxMotion
from .oc_sort import OCSORT as OCSORT
from .recipe import BoxRecipe as BoxRecipe
from .sort import SORT as SORT
from .stage import Stage as Stage

__all__ = [
    "OCSORT",
    "SORT",
    "BoxMotion",
    "BoxRecipe",
    "BoxTracker",
    "ByteTrack",
    "CameraMotion",
    "IMMBoxes",
    "Stage",
    "boxes_of",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
