"""The sensors of a MuJoCo model as sensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..core import ModelError, Part, Quaternion, Real, Sensor, Space
from ..core.arrays import Array
from ..core.settings import positive
from ._names import clipped, distinct, listed
from ._scratch import Scratch
from .late import Late
from .mujoco import MujocoDynamics

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")

UNITS = {
    "TOUCH": "N", "ACCELEROMETER": "m/s^2", "VELOCIMETER": "m/s", "GYRO": "rad/s", "FORCE": "N", "TORQUE": "N m",
    "RANGEFINDER": "m", "TENDONPOS": "m", "TENDONVEL": "m/s", "BALLANGVEL": "rad/s", "FRAMEPOS": "m",
    "FRAMELINVEL": "m/s", "FRAMEANGVEL": "rad/s", "FRAMELINACC": "m/s^2", "FRAMEANGACC": "rad/s^2",
    "SUBTREECOM": "m", "SUBTREELINVEL": "m/s", "JOINTLIMITPOS": "rad", "JOINTLIMITVEL": "rad/s",
}  # fmt: skip
"""Units by the type of a sensor; others have none, but for joints, whose unit depends on their kind."""


class MujocoSensor(Scratch, Sensor):
    """Sensors of a MuJoCo model: ``z = sensordata(x, u) (+) N(0, std^2)``, by ``mj_forward`` at x, without a step.

    A sensor of one number keeps its name, one of several gets ``NAME.x NAME.y NAME.z`` or ``NAME.0`` and so on. Frame
    and ball-joint orientations are quaternions. A range finder that hits nothing reads infinity, as in ROS. Sensors of
    accelerations and forces depend on the action, so the `context` is then the action; it is empty for others.

    Args:
        dynamics: the model, on whose state the sensor is.
        names: the names of the sensors; default: all of the model.
        std: standard deviation of each tangent component of the reading, or one for all.

    Raises:
        ModelError: if the model has no such sensor, or none.

    Example:
        >>> rod = MujocoDynamics('''<mujoco><worldbody><body><joint name="hinge"/><geom size="0.1" pos="1 0 0"/>
        ... <site name="tip" pos="1 0 0"/></body></worldbody><sensor><framepos name="tip" objtype="site"
        ... objname="tip"/><jointvel name="rate" joint="hinge"/></sensor></mujoco>''')
        >>> tip = MujocoSensor(rod, ["tip"], std=0.01)
        >>> tip.reading, tip.observe([0.0, 2.0])
        (Space('tip.x tip.y tip.z [m]'), array([1., 0., 0.]))
    """

    def __init__(
        self, dynamics: MujocoDynamics, names: Sequence[str] | None = None, *, std: float | Sequence[float] = 0.01
    ) -> None:
        self.model, self.state = dynamics.model, dynamics.state
        known = [self.model.sensor(i).name for i in range(self.model.nsensor)]
        if not known:
            raise ModelError("the MuJoCo model has no sensors; add <sensor> to its file")
        if strange := [name for name in names or () if name not in known]:
            raise ModelError(f"there is no sensor {clipped(repr(strange[0]))}; there are {listed(known)}")
        self._chosen = list(range(len(known))) if names is None else [known.index(name) for name in names]
        labels = distinct([known[i] for i in self._chosen], "sensor")
        self.reading = Space(*(p for i, name in zip(self._chosen, labels) for p in parts_of(self.model, i, name)))
        spread = np.broadcast_to(np.asarray(std, dtype=np.float64), self.reading.dim)
        self._R = np.diag([positive(each, "std", zero=True) ** 2 for each in spread.tolist()])
        self._late = any(self.model.sensor_needstage[i] == mj.mjtStage.mjSTAGE_ACC for i in self._chosen)
        self.context = dynamics.action if self._late else Space()
        Scratch.__init__(self)

    def observe(self, x: Any, context: Any = None) -> Any:
        """The readings ``(..., size)`` at states ``(..., n)``, under the actions in `context` ``(..., m)``."""
        x = self.state.check(x, finite=False)
        u = np.zeros(self.model.nu) if context is None or not self._late else np.asarray(context, dtype=np.float64)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        xs = np.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
        us = np.broadcast_to(u, (*batch, u.shape[-1])).reshape(len(xs), u.shape[-1])
        with self._lock:
            found = [self._read(*row) for row in zip(xs, us, strict=True)]
        return self.reading.normalize(np.reshape(found, (*batch, self.reading.size)))

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance ``diag(std^2)``."""
        return self._R

    def _read(self, x: Array, u: Array) -> Array:
        m, d = self.model, self._data
        if not (np.isfinite(x).all() and np.isfinite(u).all()):
            return np.full(self.reading.size, np.nan)
        mj.mj_setState(m, d, np.concatenate([[0.0], x]), int(mj.mjtState.mjSTATE_FULLPHYSICS))
        d.ctrl[:] = u
        mj.mj_forward(m, d)
        return np.concatenate([self._one(i) for i in self._chosen])

    def _one(self, i: int) -> Array:
        start = int(self.model.sensor_adr[i])
        values = self._data.sensordata[start : start + int(self.model.sensor_dim[i])].copy()
        if kind_of(self.model, i) == "RANGEFINDER":
            values[values < 0.0] = np.inf
        return values

    @cached_property
    def _data(self) -> Any:
        return mj.MjData(self.model)


def kind_of(model: Any, i: int) -> str:
    """The type of a sensor, such as ``"GYRO"``."""
    return mj.mjtSensor(int(model.sensor_type[i])).name.removeprefix("mjSENS_")


def parts_of(model: Any, i: int, name: str) -> list[Part]:
    """The parts of a reading of one sensor."""
    size, kind = int(model.sensor_dim[i]), kind_of(model, i)
    if model.sensor_datatype[i] == mj.mjtDataType.mjDATATYPE_QUATERNION:
        return [Quaternion(name)]
    unit = UNITS.get(kind, "")
    if kind in ("JOINTPOS", "JOINTVEL"):
        hinge = model.jnt_type[model.sensor_objid[i]] == mj.mjtJoint.mjJNT_HINGE
        unit = ("rad" if hinge else "m") + ("/s" if kind == "JOINTVEL" else "")
    labels = [name] if size == 1 else [f"{name}.{a}" for a in ("xyz" if size == 3 else range(size))]
    return [Real(label, unit) for label in labels]
