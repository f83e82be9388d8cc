"""A URDF file, read beside the simulator: what it asks for, so that nothing else is simulated without notice."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..core import ModelError
from ._names import clipped, listed

KINDS = ("revolute", "continuous", "prismatic", "fixed")


class Inertial(NamedTuple):
    """Mass [kg] and principal moments of inertia [kg m^2] of a link, in ascending order."""

    mass: float
    moments: tuple[float, float, float]


def described(text: str, *, fixed: bool) -> dict[str, Inertial | None]:
    """Masses of the links in the text of a URDF file; None for a link without ``<inertial>``, which weighs nothing.

    Raises:
        ModelError: if it is no URDF, has a joint that is no hinge, slide or fixed, or a part that moves and weighs
            nothing.

    Example:
        >>> described("<robot><link name='box'/></robot>", fixed=True)
        {'box': None}
    """
    robot = _parsed(text)
    links = {_named(link): _inertial(link) for link in robot.findall("link")}
    if not links:
        raise ModelError("the URDF has no links; a robot has one at least, its base")
    joints = robot.findall("joint")
    for joint in joints:
        _check_joint(joint, links)
    base = next((name for name in links if name not in {_end(joint, "child") for joint in joints}), "")
    carriers = _carriers(base, joints)
    if apart := [name for name in links if name not in carriers]:
        raise ModelError(f"no joints lead from the base {base!r} to {listed(apart)}; all links of a URDF make one tree")
    _check_masses(links, carriers, base if fixed else None)
    if not fixed and (own := links[base]) and own.mass == 0.0:
        raise ModelError(f"the base {base!r} weighs 0 kg, by which Bullet means a fixed base; remove its <inertial>")
    return links


def is_urdf(text: str) -> bool:
    """Whether XML text is a URDF file.

    Example:
        >>> is_urdf("<robot name='box'/>"), is_urdf("<mujoco/>"), is_urdf("<mujoco")
        (True, False, False)
    """
    try:
        return ET.fromstring(text).tag == "robot"
    except ET.ParseError:
        return False


def edited(text: str, *, meshes: bool, locked: Sequence[str]) -> str:
    """The text of a URDF file without shapes that are meshes, if `meshes` is False, and with some joints fixed.

    Example:
        >>> edited("<robot><link><visual><geometry><mesh/></geometry></visual></link></robot>", meshes=False, locked=())
        '<robot><link /></robot>'
    """
    robot = _parsed(text)
    if not meshes:
        for link in robot.findall("link"):
            for shape in (*link.findall("visual"), *link.findall("collision")):
                if shape.find("geometry/mesh") is not None:
                    link.remove(shape)
    joints = {_named(joint): joint for joint in robot.findall("joint")}
    for name in locked:
        if name not in joints:
            raise ModelError(f"there is no joint {clipped(repr(name))} to lock; there are {listed(joints)}")
        joints[name].set("type", "fixed")
        for part in joints[name].findall("mimic"):
            joints[name].remove(part)
    return ET.tostring(robot, encoding="unicode")


def missing_meshes(path: Path) -> list[str]:
    """Meshes of a URDF file that are in no folder where Bullet looks: those above the file, the working one, two up."""
    robot = _parsed(path.read_text(encoding="utf-8"))
    names = dict.fromkeys(mesh.get("filename", "") for mesh in robot.iter("mesh"))
    folders = [*path.resolve().parents, Path(), Path(".."), Path("../..")]
    plain = {name: re.sub(r"^(package|model|file)://", "", name) for name in names}
    return [name for name in names if not any((folder / plain[name]).is_file() for folder in folders)]


def _parsed(text: str) -> ET.Element:
    try:
        robot = ET.fromstring(text)
    except ET.ParseError as error:
        raise ModelError(f"the URDF is not XML: {error}") from error
    if robot.tag != "robot":
        raise ModelError(f"a URDF begins with <robot>; this file begins with <{robot.tag}>")
    return robot


def _check_joint(joint: ET.Element, links: Mapping[str, object]) -> None:
    kind, name = joint.get("type"), _named(joint)
    if kind not in KINDS:
        raise ModelError(f"joint {name!r} is {kind}; Bullet is given {', '.join(KINDS)} joints only")
    if kind in ("revolute", "prismatic") and joint.find("limit") is None:
        other = ", or make it continuous" if kind == "revolute" else ""
        raise ModelError(f"joint {name!r} is {kind} and has no <limit>; give it one, with lower and upper{other}")
    if joint.find("mimic") is not None:
        raise ModelError(f"joint {name!r} mimics another, which Bullet does not do; remove <mimic>, or fix the joint")
    for end in ("parent", "child"):
        if _end(joint, end) not in links:
            raise ModelError(f"the {end} of joint {name!r} is {_end(joint, end)!r}, which is no link of the URDF")


def _carriers(base: str, joints: Sequence[ET.Element]) -> dict[str, str]:
    """For each link that `base` carries, the link that it is fixed to, which moves by itself."""
    carriers, reached = {base: base}, [base]
    for parent in reached:
        for joint in joints:
            child = _end(joint, "child")
            if _end(joint, "parent") == parent and child not in carriers:
                carriers[child] = carriers[parent] if joint.get("type") == "fixed" else child
                reached.append(child)
    return carriers


def _check_masses(links: Mapping[str, Inertial | None], carriers: Mapping[str, str], fixed: str | None) -> None:
    """Refuse a part that moves and weighs nothing: a link together with all that is fixed to it."""
    masses = dict.fromkeys(carriers.values(), 0.0)
    for name, inertial in links.items():
        masses[carriers[name]] += inertial.mass if inertial else 0.0
    for name, mass in masses.items():
        if not mass > 0.0 and name != fixed:
            raise ModelError(f"link {name!r} moves and has no mass; give it an <inertial> with <mass> and <inertia>")


def _inertial(link: ET.Element) -> Inertial | None:
    found = link.find("inertial")
    if found is None:
        return None
    mass, tensor = found.find("mass"), found.find("inertia")
    if mass is None or tensor is None:
        raise ModelError(f"the <inertial> of link {_named(link)!r} needs both <mass> and <inertia>")
    try:
        xx, yy, zz, xy, xz, yz = (float(tensor.get(f"i{ab}", "0")) for ab in ("xx", "yy", "zz", "xy", "xz", "yz"))
        weight = float(mass.get("value", "nan"))
        a, b, c = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).tolist()
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ModelError(f"mass and inertia of link {_named(link)!r} must be numbers: {error}") from error
    if not (weight >= 0.0 and np.isfinite([weight, a, b, c]).all()):
        raise ModelError(f"mass and inertia of link {_named(link)!r} must be finite, and its mass not negative")
    return Inertial(weight, (a, b, c))


def _named(element: ET.Element) -> str:
    return element.get("name", "")


def _end(joint: ET.Element, end: str) -> str:
    found = joint.find(end)
    return "" if found is None else found.get("link", "")
