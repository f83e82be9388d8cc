"""A PyBullet robot as dynamics."""

from __future__ import annotations

import math
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core import Dynamics, ModelError, Part, Quaternion, Real, Space, SpaceError
from ..core.arrays import Array
from ..core.diffusion import densities, diffusion
from ..core.seconds import seconds
from .late import Late

bullet: Any = Late("pybullet")

TIMESTEP = 1.0 / 240.0
"""Bullet's own default, the longest step its solver is tuned for [s]."""


class BulletDynamics(Dynamics):
    """One robot from a URDF file: ``x' = stepSimulation^k(x, u)`` with ``k = ceil(240 dt)`` steps of ``dt / k``.

    State: joint positions, then joint velocities ``JOINT.rate``; with a free base, its place, its quaternion (wxyz as
    everywhere here, xyzw inside Bullet) and in front of the joint velocities its velocity and turn rate in the world.
    Action: torque [N m] or force [N] on each joint, bounded by the efforts of the URDF. Every instance has a physics
    server of its own, without a window, and gives its client id with every call.

    A step depends on state and action alone: state is set before and read after it, warm starts are off. Batches are
    loops; for large ones prefer MuJoCo, whose rollouts run in threads. Threads that share an instance wait for each
    other.

    Args:
        urdf: path of a URDF file, or its text.
        fixed: whether the base is fixed to the world.
        joints: names of the driven joints; default: all that move.
        state: a space of the same layout, for other names or for joints that are angles.
        gravity: [m/s^2].
        noise: standard deviation per square root of a second of each tangent component, or one for all.

    Raises:
        ModelError: for a file that Bullet cannot load, or a joint that is not there.

    Example:
        >>> swing = '''<robot name="swing"><link name="world"/><link name="rod"><inertial><origin xyz="0 0 -1"/>
        ... <mass value="1"/><inertia ixx="1e-3" iyy="1e-3" izz="1e-3" ixy="0" ixz="0" iyz="0"/></inertial></link>
        ... <joint name="hinge" type="continuous"><parent link="world"/><child link="rod"/><axis xyz="0 1 0"/>
        ... <limit effort="2" velocity="50"/></joint></robot>'''
        >>> swing = BulletDynamics(swing)
        >>> swing.state, swing.action
        (Space('hinge [rad]', 'hinge.rate [rad/s]'), Space('hinge [N m] in [-2, 2]'))
        >>> swing.step([0.1, 0.0], [0.0], 0.01).round(4).tolist()
        [0.0999, -0.0098]
    """

    def __init__(
        self,
        urdf: str | Path,
        *,
        fixed: bool = True,
        joints: Sequence[str] | None = None,
        state: Space | None = None,
        gravity: Sequence[float] = (0.0, 0.0, -9.81),
        noise: float | Sequence[float] = 0.0,
    ) -> None:
        self._made_with = (urdf, fixed, joints, state, tuple(gravity), noise)
        self._lock = threading.Lock()
        self.client: int = bullet.connect(bullet.DIRECT)
        self._closed = weakref.finalize(self, _disconnect, self.client)
        bullet.setGravity(*gravity, physicsClientId=self.client)
        bullet.setPhysicsEngineParameter(
            warmStartingFactor=0.0, deterministicOverlappingPairs=1, physicsClientId=self.client
        )
        self.fixed = fixed
        self.body = self._loaded(urdf)
        self._joints = self._moving()
        self._driven = self._chosen(joints)
        self._let_go()
        self.state = self._fitted(state, self._space())
        self.action = self._efforts()
        self.noise_density = densities(noise, self.state)

    def __repr__(self) -> str:
        return f"BulletDynamics({self.state!r}, {self.action!r})"

    def __reduce__(self) -> Any:
        """Another process makes its own physics server."""
        return _remade, self._made_with

    def close(self) -> None:
        """Disconnect from the physics server; garbage collection does it too."""
        self._closed()

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state `dt` seconds later; NaN after a state or action that is not finite."""
        x, u = self.state.check(x, finite=False), self.action.check(u, "action", finite=False)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        x, u = np.broadcast_to(x, (*batch, x.shape[-1])), np.broadcast_to(u, (*batch, u.shape[-1]))
        out = np.full((*batch, self.state.size), np.nan)
        with self._lock:
            steps = self._substeps(dt)
            for i in np.ndindex(batch):
                if np.isfinite(x[i]).all() and np.isfinite(u[i]).all():
                    out[i] = self._simulated(x[i], u[i], steps)
        return self.state.normalize(out)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """``diag(noise^2) dt``."""
        return diffusion(self.noise_density, x, u, dt)

    # -- simulation

    def _substeps(self, dt: float) -> int:
        if not seconds(dt, backward=True) > 0.0:
            raise ModelError(f"dt is {dt}; a simulator steps forward, by a positive number of seconds")
        steps = max(1, math.ceil(dt / TIMESTEP - 1e-9))
        bullet.setTimeStep(dt / steps, physicsClientId=self.client)
        return steps

    def _simulated(self, x: Array, u: Array, steps: int) -> Array:
        self._put(x)
        for _ in range(steps):
            for joint, effort in zip(self._driven, u.tolist(), strict=True):
                bullet.setJointMotorControl2(
                    self.body, joint, bullet.TORQUE_CONTROL, force=effort, physicsClientId=self.client
                )
            bullet.stepSimulation(physicsClientId=self.client)
        return self._got()

    def _put(self, x: Array) -> None:
        n, base = len(self._joints), 0 if self.fixed else 7
        moving = x[base + n :]
        if not self.fixed:
            w, i, j, k = x[3:7]
            bullet.resetBasePositionAndOrientation(self.body, x[:3], (i, j, k, w), physicsClientId=self.client)
            bullet.resetBaseVelocity(self.body, moving[:3], moving[3:6], physicsClientId=self.client)
            moving = moving[6:]
        for joint, position, rate in zip(self._joints, x[base : base + n].tolist(), moving.tolist(), strict=True):
            bullet.resetJointState(self.body, joint, position, rate, physicsClientId=self.client)

    def _got(self) -> Array:
        found = bullet.getJointStates(self.body, self._joints, physicsClientId=self.client)
        positions, rates = [joint[0] for joint in found], [joint[1] for joint in found]
        if self.fixed:
            return np.array([*positions, *rates])
        place, (i, j, k, w) = bullet.getBasePositionAndOrientation(self.body, physicsClientId=self.client)
        velocity, turning = bullet.getBaseVelocity(self.body, physicsClientId=self.client)
        return np.array([*place, w, i, j, k, *positions, *velocity, *turning, *rates])

    # -- the robot

    def _loaded(self, urdf: str | Path) -> int:
        text = str(urdf)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(text)
            if text.lstrip().startswith("<"):
                path = Path(folder) / "robot.urdf"
                path.write_text(text, encoding="utf-8")
            elif not path.is_file():
                raise ModelError(f"there is no URDF at {text}; give the path of a file, or its XML text")
            try:
                return bullet.loadURDF(str(path), useFixedBase=self.fixed, physicsClientId=self.client)
            except bullet.error as error:
                raise ModelError(f"Bullet cannot load the URDF: {error}") from error

    def _about(self, joint: int) -> Any:
        return bullet.getJointInfo(self.body, joint, physicsClientId=self.client)

    def _moving(self) -> list[int]:
        count = bullet.getNumJoints(self.body, physicsClientId=self.client)
        kinds = {joint: self._about(joint)[2] for joint in range(count)}
        strange = [joint for joint, kind in kinds.items() if kind in (bullet.JOINT_SPHERICAL, bullet.JOINT_PLANAR)]
        if strange:
            raise ModelError(
                f"the joint {self._name(strange[0])} is spherical or planar; only hinges and slides are known"
            )
        return [joint for joint, kind in kinds.items() if kind in (bullet.JOINT_REVOLUTE, bullet.JOINT_PRISMATIC)]

    def _chosen(self, names: Sequence[str] | None) -> list[int]:
        known = {self._name(joint): joint for joint in self._joints}
        for name in names or ():
            if name not in known:
                raise ModelError(f"there is no moving joint {name!r}; there are {', '.join(known)}")
        return self._joints if names is None else [known[name] for name in names]

    def _let_go(self) -> None:
        """Switch off the motors that hold joints by default, and the damping that Bullet adds to every link."""
        for joint in range(-1, bullet.getNumJoints(self.body, physicsClientId=self.client)):
            bullet.changeDynamics(self.body, joint, linearDamping=0.0, angularDamping=0.0, physicsClientId=self.client)
        for joint in self._joints:
            bullet.setJointMotorControl2(
                self.body, joint, bullet.VELOCITY_CONTROL, force=0.0, physicsClientId=self.client
            )

    def _name(self, joint: int) -> str:
        return self._about(joint)[1].decode()

    def _space(self) -> Space:
        places: list[Part] = [] if self.fixed else [*(Real(f"base.{a}", "m") for a in "xyz"), Quaternion("base.q")]
        speeds: list[Part] = []
        if not self.fixed:
            speeds = [*(Real(f"base.v{a}", "m/s") for a in "xyz"), *(Real(f"base.w{a}", "rad/s") for a in "xyz")]
        for joint in self._joints:
            info, name = self._about(joint), self._name(joint)
            unit = "rad" if info[2] == bullet.JOINT_REVOLUTE else "m"
            low, high = (info[8], info[9]) if info[8] < info[9] else (-math.inf, math.inf)
            places.append(Real(name, unit, low, high))
            speeds.append(Real(f"{name}.rate", f"{unit}/s"))
        return Space(*places, *speeds)

    def _efforts(self) -> Space:
        parts: list[Part] = []
        for joint in self._driven:
            info = self._about(joint)
            limit = info[10] if info[10] > 0.0 else math.inf
            parts.append(Real(self._name(joint), "N m" if info[2] == bullet.JOINT_REVOLUTE else "N", -limit, limit))
        return Space(*parts)

    def _fitted(self, state: Space | None, own: Space) -> Space:
        if state is None:
            return own
        if [part.size for part in state.parts] != [part.size for part in own.parts] or state.dim != own.dim:
            raise SpaceError(f"{state} does not have the layout of the robot, which is {own}")
        return state


def _disconnect(client: int) -> None:
    if bullet.isConnected(physicsClientId=client):
        bullet.disconnect(physicsClientId=client)


def _remade(urdf: Any, fixed: bool, joints: Any, state: Any, gravity: Any, noise: Any) -> BulletDynamics:
    return BulletDynamics(urdf, fixed=fixed, joints=joints, state=state, gravity=gravity, noise=noise)
