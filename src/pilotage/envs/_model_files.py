"""MuJoCo models from files: MJCF as it is, URDF with motors, and either without its meshes."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

from ..core import ModelError
from ._names import clipped
from ._urdf import is_urdf
from .late import Late

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")


def loaded(model: Any, *, meshes: bool = True) -> Any:
    """A new ``MjModel`` from a path, XML text or an ``MjModel``; a URDF file gets motors."""
    if isinstance(model, mj.MjModel):
        return copy.deepcopy(model)
    text = str(model)
    is_text = text.lstrip().startswith("<")
    if not is_text and not Path(text).is_file():
        raise ModelError(
            f"there is no MuJoCo model at {clipped(text)}; give the path of an MJCF or URDF file, or its XML text"
        )
    try:
        urdf = is_urdf(text if is_text else Path(text).read_text(encoding="utf-8"))
        if meshes and not urdf:
            return mj.MjModel.from_xml_string(text) if is_text else mj.MjModel.from_xml_path(text)
        spec = mj.MjSpec.from_string(text) if is_text else mj.MjSpec.from_file(text)
        if urdf:
            add_motors(spec)
        if not meshes:
            drop_meshes(spec)
        with warnings.catch_warnings(category=UserWarning):
            warnings.simplefilter("ignore")  # MuJoCo 4 says what of MJCF it will no longer read
            return spec.compile()
    except ValueError as error:
        hint = "; meshes=False leaves out meshes" if "opening file" in str(error) else ""
        raise ModelError(f"MuJoCo cannot read the model: {clipped(error)}{hint}") from error


def drop_meshes(spec: Any) -> None:
    """Take the shapes that are meshes off a model."""
    for part in [*(geom for geom in spec.geoms if geom.type == mj.mjtGeom.mjGEOM_MESH), *spec.meshes]:
        if hasattr(spec, "delete"):
            spec.delete(part)
        else:  # MuJoCo before 3.3
            part.delete()


def add_motors(spec: Any) -> None:
    """Put a motor on each hinge and slide of a model, within the limits of its effort."""
    for joint in spec.joints:
        if joint.type not in (mj.mjtJoint.mjJNT_HINGE, mj.mjtJoint.mjJNT_SLIDE):
            continue
        motor = spec.add_actuator(name=joint.name, target=joint.name, trntype=mj.mjtTrn.mjTRN_JOINT)
        low, high = joint.actfrcrange
        if low < high:
            motor.ctrlrange, motor.ctrllimited = (low, high), True
