"""PyBullet robots as dynamics."""

from __future__ import annotations

import math
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core import Dynamics, ModelError, Part, Quaternion, Real, Space, SpaceError
from ..core.arrays import Array
from ..core.diffusion import densities, diffusion
from ..core.seconds import seconds
from ..core.settings import setting
from ._lost import sound
from ._names import clipped, distinct, listed
from ._urdf import Inertial, described, edited, missing_meshes
from .late import Late

bullet: Any = Late("pybullet", only="on Python 3.11; PyBullet publishes no wheels for later versions")

TIMESTEP = 1.0 / 240.0
"""Bullet's own default, the longest step its solver is tuned for [s]."""

UNLIMITED = 1e12
"""A practically unlimited speed and stop force of a joint; Bullet's limits are 100 rad/s (m/s) and 100 N s a step."""

Drive = Literal["torque", "velocity"]
UNITS = {"torque": ("N m", "N"), "velocity": ("rad/s", "m/s")}
"""Units of the actions at hinges and slides."""

WEIGHTLESS = 1e-12
"""Mass [kg] of a free base without ``<inertial>``; with none Bullet would fix it to the world."""


class BulletDynamics(Dynamics):
    """A robot from a URDF file: ``x' = stepSimulation^k(x, u)`` with ``k = ceil(240 dt)`` steps of ``dt / k``.

    The state holds the joint positions, then the joint velocities ``JOINT.rate``. If the base is free, the state begins
    with the position and quaternion of its link (wxyz as everywhere in Pilotage, xyzw inside Bullet), and has its
    velocity and angular rate in the world before the joint velocities. The actions are the torque [N m] or force [N] on
    each joint, with the efforts of the URDF as bounds. Every instance has its own physics server, without a window, and
    passes its client id in every call.

    The robot follows the file instead of Bullet's assumptions: inertia tensors come from the file, a link without
    ``<inertial>`` has no mass (Bullet prints that it has 1 kg), joints have the ``damping`` and ``friction`` of
    ``<dynamics>`` and rigid stops, and there is no other damping and no speed limit. Links of the robot do not collide
    with each other, and the ``velocity`` of a ``<limit>`` is not enforced.

    A step depends only on state and action: the state is set before and read after it, warm starts are off, and
    contacts of the previous call are discarded. There is no floor and nothing else but the
    `scenery`. Batches are loops; for large ones prefer MuJoCo, whose rollouts run in threads.
    Threads that share an instance wait for each other.

    Args:
        urdf: path of a URDF file, or its text.
        fixed: whether the base is fixed to the world.
        joints: names of the actuated joints; default: all movable joints.
        state: a space of the same layout, for other names or for joints that are angles.
        gravity: acceleration of gravity [m/s^2].
        noise: standard deviation per square root of a second of each tangent component, or one for all.
        meshes: False to leave out shapes that are meshes, for a file without its mesh files.
        locked: names of joints that are held at zero, such as those that mimic others.
        drive: "torque", or "velocity" for motors that hold a joint speed [rad/s, m/s] with at most the effort of the
            file; the actions are then the speeds, with the ``velocity`` of the file as bounds.
        scenery: URDF files or texts of what stands in the world; see `boxes_urdf`.

    Raises:
        ModelError: if the file is missing, is not a URDF, or uses features that Bullet does not support (impossible
            inertia, ``<mimic>``, joints other than hinges and slides), if a moving link has no mass, or if a joint does
            not exist.

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
        meshes: bool = True,
        locked: Sequence[str] = (),
        drive: Drive = "torque",
        scenery: Sequence[str | Path] = (),
    ) -> None:
        self._made_with = {
            "urdf": urdf, "fixed": fixed, "joints": joints, "state": state, "gravity": tuple(gravity), "noise": noise,
            "meshes": meshes, "locked": tuple(locked), "drive": drive, "scenery": tuple(scenery),
        }  # fmt: skip
        self.drive = setting(drive, Drive, "drive")
        self._lock = threading.Lock()
        self._server = Server()
        self.client: int = self._server.client
        self._server.setGravity(*gravity)
        self._server.setPhysicsEngineParameter(warmStartingFactor=0.0, deterministicOverlappingPairs=1)
        self.fixed = fixed
        self.body = self._loaded(urdf, meshes, locked)
        self.scenery = [self._placed(each) for each in scenery]
        self._joints = self._moving()
        self._named = dict(zip(self._joints, distinct([self._about(j)[1].decode() for j in self._joints], "joint")))
        self._driven = self._chosen(joints)
        self._free_joints()
        self._frame = self._server.getDynamicsInfo(self.body, -1)[3:5]
        self.state = self._fitted(state, self._space())
        self.action = self._efforts(drive)
        self._strengths = np.minimum(self._efforts("torque").high, UNLIMITED).tolist()
        self.noise_density = densities(noise, self.state)

    def __repr__(self) -> str:
        return f"BulletDynamics({self.state!r}, {self.action!r})"

    def __reduce__(self) -> Any:
        """The constructor call, since another process needs its own physics server."""
        return partial(BulletDynamics, **self._made_with), ()

    def close(self) -> None:
        """Disconnect from the physics server; garbage collection does this as well."""
        self._server.close()

    def start(self) -> Array:
        """The initial state ``(n,)``: at rest, with joints at zero or the nearest limit."""
        return self.state.clip(self.state.identity())

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state after `dt` seconds; NaN if it, what it came from or the action is not finite, or beyond 1e10."""
        x, u = self.state.check(x, finite=False), self.action.check(u, "action", finite=False)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        x, u = np.broadcast_to(x, (*batch, x.shape[-1])), np.broadcast_to(u, (*batch, u.shape[-1]))
        out = np.full((*batch, self.state.size), np.nan)
        with self._lock:
            steps = self._substeps(dt)
            for i in np.ndindex(batch):
                if sound(x[i]) and sound(u[i]):
                    out[i] = self._simulated(x[i], u[i], steps)
            out[~sound(out)] = np.nan
        return self.state.normalize(out)

    def at(self, x: Any) -> AbstractContextManager[Server]:
        """The physics server with the robot in a state ``(n,)``, for queries such as ``rayTest`` in a with block."""
        return self._at(self.state.check(x))

    @contextmanager
    def _at(self, x: Array) -> Iterator[Server]:
        with self._lock:
            self._put(x)
            yield self._server

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The covariance ``diag(noise^2) dt``."""
        return diffusion(self.noise_density, x, u, dt)

    # -- simulation

    def _substeps(self, dt: float) -> int:
        if not seconds(dt, backward=True) > 0.0:
            raise ModelError(f"dt is {dt}; a simulator steps forward, by a positive number of seconds")
        steps = max(1, math.ceil(dt / TIMESTEP - 1e-9))
        self._server.setTimeStep(dt / steps)
        return steps

    def _simulated(self, x: Array, u: Array, steps: int) -> Array:
        self._forget_contacts()
        self._put(x)
        for _ in range(steps):
            self._push(u.tolist())
            self._server.stepSimulation()
        return self._got()

    def _push(self, u: list[float]) -> None:
        """Give the actions to the motors, for one step."""
        control = self._server.setJointMotorControlArray
        if self.drive == "torque":
            control(self.body, self._driven, bullet.TORQUE_CONTROL, forces=u)
        else:
            control(self.body, self._driven, bullet.VELOCITY_CONTROL, targetVelocities=u, forces=self._strengths)

    def _forget_contacts(self) -> None:
        """Move the robot out of reach and look for contacts; Bullet would start from those of the last step."""
        if self._server.getContactPoints(self.body):
            place, turn = self._server.getBasePositionAndOrientation(self.body)
            self._server.resetBasePositionAndOrientation(self.body, (0.0, 0.0, 1e9), turn)
            self._server.performCollisionDetection()
            self._server.resetBasePositionAndOrientation(self.body, place, turn)

    def _put(self, x: Array) -> None:
        n, base = len(self._joints), 0 if self.fixed else 7
        moving = x[base + n :]
        if not self.fixed:
            w, i, j, k = x[3:7]
            place, turn = bullet.multiplyTransforms(x[:3], (i, j, k, w), *self._frame)
            velocity = moving[:3] + np.cross(moving[3:6], place - x[:3])
            self._server.resetBasePositionAndOrientation(self.body, place, turn)
            self._server.resetBaseVelocity(self.body, velocity, moving[3:6])
            moving = moving[6:]
        for joint, position, rate in zip(self._joints, x[base : base + n].tolist(), moving.tolist(), strict=True):
            self._server.resetJointState(self.body, joint, position, rate)

    def _got(self) -> Array:
        joints = [self._server.getJointState(self.body, joint) for joint in self._joints]
        positions, rates = [joint[0] for joint in joints], [joint[1] for joint in joints]
        if self.fixed:
            return np.array([*positions, *rates])
        found = self._server.getBasePositionAndOrientation(self.body)
        place, (i, j, k, w) = bullet.multiplyTransforms(*found, *bullet.invertTransform(*self._frame))
        velocity, turning = self._server.getBaseVelocity(self.body)
        velocity += np.cross(turning, np.subtract(place, found[0]))  # Bullet's own is that of the centre of mass
        return np.array([*place, w, i, j, k, *positions, *velocity, *turning, *rates])

    # -- the robot

    def _loaded(self, urdf: str | Path, meshes: bool, locked: Sequence[str]) -> int:
        text = text_of(urdf)
        if not meshes or locked:
            text = edited(text, meshes=meshes, locked=locked)
        links = described(text, fixed=self.fixed)
        body = self._read(urdf, text, fixed=self.fixed)
        names = [self._server.getBodyInfo(body)[0]]
        names += [self._server.getJointInfo(body, joint)[12] for joint in range(self._server.getNumJoints(body))]
        for link, name in enumerate(names, -1):
            self._weigh(body, link, name.decode(), links[name.decode()])
        return body

    def _read(self, urdf: str | Path, text: str, *, fixed: bool) -> int:
        """Load the text of a URDF file, whose meshes lie where they do for the file itself."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(str(urdf))
            is_file = not str(urdf).lstrip().startswith("<")
            if not is_file or text != text_of(urdf):
                for beside in path.resolve().parent.iterdir() if is_file else ():
                    (Path(folder) / beside.name).symlink_to(beside)
                path = Path(folder) / ".edited.urdf"
                path.write_text(text, encoding="utf-8")
            try:
                return self._server.loadURDF(str(path), useFixedBase=fixed, flags=bullet.URDF_USE_INERTIA_FROM_FILE)
            except bullet.error as error:
                missing = missing_meshes(path)
                raise ModelError(
                    "Bullet cannot load the URDF, and has printed why: a mesh that is not where the file says"
                    + (f": {clipped(listed(missing))}" if missing else ", maybe")
                ) from error

    def _placed(self, urdf: str | Path) -> int:
        """A fixed body of the world."""
        return self._read(urdf, text_of(urdf), fixed=True)

    def _weigh(self, body: int, link: int, name: str, inertial: Inertial | None) -> None:
        """Set the mass of the file, since Bullet gives 1 kg to a link without mass, and no inertia to unusual ones."""
        base = link < 0
        if inertial is None:
            mass = WEIGHTLESS if base and not self.fixed else 0.0
            self._server.changeDynamics(body, link, mass=mass, localInertiaDiagonal=(0.0, 0.0, 0.0))
        elif not (base and self.fixed):
            given, found = inertial.moments, sorted(self._server.getDynamicsInfo(body, link)[2])
            if not np.allclose(given, found, 1e-6, 1e-6 * max(map(abs, given))):
                raise ModelError(
                    f"the inertia of link {name!r} is that of no body: of its principal moments "
                    f"{', '.join(f'{moment:.4g}' for moment in given)} kg m^2, one is more than the other two together"
                )

    def _about(self, joint: int) -> Any:
        return self._server.getJointInfo(self.body, joint)

    def _moving(self) -> list[int]:
        count = self._server.getNumJoints(self.body)
        kinds = {joint: self._about(joint)[2] for joint in range(count)}
        return [joint for joint, kind in kinds.items() if kind in (bullet.JOINT_REVOLUTE, bullet.JOINT_PRISMATIC)]

    def _chosen(self, names: Sequence[str] | None) -> list[int]:
        known = {self._about(joint)[1].decode(): joint for joint in self._joints}
        for name in names or ():
            if name not in known:
                raise ModelError(f"there is no moving joint {clipped(repr(name))}; there are {listed(known)}")
        return self._joints if names is None else [known[name] for name in names]

    def _free_joints(self) -> None:
        """Remove what Bullet adds: motors that hold joints, damping of links, a speed limit, and soft stops."""
        for link in range(-1, self._server.getNumJoints(self.body)):
            self._server.changeDynamics(self.body, link, linearDamping=0.0, angularDamping=0.0)
            self._server.changeDynamics(self.body, link, maxJointVelocity=UNLIMITED)
            self._server.changeDynamics(self.body, link, jointLimitForce=UNLIMITED)  # ignored in a joint call
        for joint in self._joints:
            friction = self._about(joint)[7]  # a motor that brakes with at most this is Coulomb's friction
            self._server.setJointMotorControl2(self.body, joint, bullet.VELOCITY_CONTROL, force=friction)

    def _space(self) -> Space:
        places: list[Part] = [] if self.fixed else [*(Real(f"base.{a}", "m") for a in "xyz"), Quaternion("base.q")]
        speeds: list[Part] = []
        if not self.fixed:
            speeds = [*(Real(f"base.v{a}", "m/s") for a in "xyz"), *(Real(f"base.w{a}", "rad/s") for a in "xyz")]
        for joint, name in self._named.items():
            info = self._about(joint)
            unit = "rad" if info[2] == bullet.JOINT_REVOLUTE else "m"
            low, high = (info[8], info[9]) if info[8] < info[9] else (-math.inf, math.inf)
            places.append(Real(name, unit, low, high))
            speeds.append(Real(f"{name}.rate", f"{unit}/s"))
        return Space(*places, *speeds)

    def _efforts(self, drive: Drive) -> Space:
        """The space of torques and forces, or of joint speeds."""
        parts: list[Part] = []
        for joint in self._driven:
            info, units = self._about(joint), UNITS[drive]
            limit = info[10 if drive == "torque" else 11]
            limit = limit if limit > 0.0 else math.inf
            parts.append(Real(self._named[joint], units[info[2] != bullet.JOINT_REVOLUTE], -limit, limit))
        return Space(*parts)

    def _fitted(self, state: Space | None, own: Space) -> Space:
        if state is None:
            return own
        if [part.size for part in state.parts] != [part.size for part in own.parts] or state.dim != own.dim:
            raise SpaceError(f"{state} does not have the layout of the robot, which is {own}")
        return state


class Server:
    """A physics server without a window, with the functions of `pybullet` bound to it."""

    def __init__(self) -> None:
        self.client: int = bullet.connect(bullet.DIRECT)
        self.close = weakref.finalize(self, _disconnect, self.client)

    def __getattr__(self, name: str) -> Any:
        found = partial(getattr(bullet, name), physicsClientId=self.client)
        setattr(self, name, found)
        return found


def _disconnect(client: int) -> None:
    if bullet.isConnected(physicsClientId=client):
        bullet.disconnect(physicsClientId=client)


def text_of(urdf: str | Path) -> str:
    """The text of a URDF file, which may be given itself.

    Raises:
        ModelError: if there is no such file, or it is no text.
    """
    text = str(urdf)
    if text.lstrip().startswith("<"):
        return text
    if not Path(text).is_file():
        raise ModelError(f"there is no URDF at {clipped(text)}; give the path of a file, or its XML text")
    try:
        return Path(text).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"the URDF at {clipped(text)} is no text in UTF-8: {clipped(error)}") from error
