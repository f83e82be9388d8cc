"""The physical parameters of a MuJoCo model, and models with other values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import ModelError
from ..core.arrays import Array
from ..models.trace.params import Parameters
from ._names import clipped, distinct, listed
from .late import Late

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")


@dataclass(frozen=True)
class Field:
    """A parameter: the array of a model that holds it, and what its rows belong to.

    Attributes:
        array: function from a model to its array; writing in it changes the model.
        owner: "body", "joint" (a row for each degree of freedom), "geom" or "actuator"; empty if there are no rows.
    """

    array: Callable[[Any], Array]
    owner: str = ""

    def names(self, model: Any) -> list[str]:
        """A name for each row; the degrees of freedom of a joint share its name."""
        if self.owner == "joint":
            return [model.joint(int(model.dof_jntid[i])).name for i in range(model.nv)]
        count = {"body": model.nbody, "geom": model.ngeom, "actuator": model.nu}[self.owner]
        return [getattr(model, self.owner)(i).name for i in range(count)][self.owner == "body" :]


FIELDS = {
    "mass": Field(lambda m: m.body_mass[1:], "body"),  # the first body is the world
    "damping": Field(lambda m: m.dof_damping, "joint"),
    "frictionloss": Field(lambda m: m.dof_frictionloss, "joint"),
    "friction": Field(lambda m: m.geom_friction, "geom"),
    "gear": Field(lambda m: m.actuator_gear, "actuator"),
    "gravity": Field(lambda m: m.opt.gravity),
}
NONNEGATIVE = ("mass", "damping", "frictionloss", "friction")


def parameters(model: Any) -> Parameters:
    """The parameters of a model by name, as copies."""
    return Parameters({name: np.array(field.array(model)) for name, field in FIELDS.items()}, (), NONNEGATIVE)


def changed(model: Any, given: Mapping[str, Any], owner: str) -> Any:
    """A copy of a model with other values of some parameters, and all that MuJoCo derives from them.

    The inertia of a body grows with its mass, as that of a body of the same shape and another density.
    """
    before = parameters(model)
    before.replaced({name: before.get(name) for name in given}, owner)  # unknown names are refused
    values = {name: _filled(name, before[name], value, model) for name, value in given.items()}
    after = before.replaced(values, owner)
    made = copy.deepcopy(model)
    for name in given:
        FIELDS[name].array(made)[...] = after[name]
    made.body_inertia[1:] *= _ratio(before["mass"], after["mass"])[:, None]
    mj.mj_setConst(made, mj.MjData(made))
    return made


def _filled(name: str, before: Array, value: Any, model: Any) -> Array:
    """The whole array of a parameter, from an array, a number for all, or values by the names of its rows."""
    filled = np.array(before)
    if isinstance(value, Mapping):
        names = FIELDS[name].names(model) if FIELDS[name].owner else []
        for row, one in value.items():
            if row not in names:
                there = distinct(names, FIELDS[name].owner)
                raise ModelError(f"{name} has no {clipped(repr(row))}; there are {listed(there)}")
            filled[[i for i, each in enumerate(names) if each == row]] = one
        return filled
    try:
        filled[...] = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} is {clipped(repr(value))}; expected one number, or an array of shape {before.shape}"
        ) from error
    return filled


def _ratio(before: Array, after: Array) -> Array:
    """The factor of each mass; a body without mass cannot get one, because its inertia is not known."""
    if ((before == 0.0) & (after > 0.0)).any():
        raise ModelError("mass: a body without mass has no inertia to grow with it; give it a mass in the model file")
    return np.divide(after, before, out=np.ones_like(after), where=before > 0.0)
