"""MuJoCo models as dynamics, with the simulator's own step, derivatives and threaded rollouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core import Dynamics, ModelError, Part, Quaternion, Real, Space, SpaceError
from ..core.arrays import Array
from ..core.diffusion import densities, diffusion
from ..core.seconds import seconds
from ..models.trace.params import Parameters
from . import _physics
from ._lost import sound
from ._model_files import loaded as loaded
from ._names import clipped, distinct, listed
from ._scratch import Scratch
from .late import Late

mj: Any = Late("mujoco", "mujoco mujoco-core mujoco-studio")
threaded: Any = Late("mujoco.rollout", "mujoco mujoco-core mujoco-studio")


class MujocoDynamics(Scratch, Dynamics):
    """A MuJoCo model: ``x = (qpos, qvel, act)``, ``x' = mj_step^k(x, u)``, ``k = ceil(dt / timestep)`` of ``dt / k``.

    The spaces come from the model. A hinge or slide joint is a real, with bounds if the joint is limited; an unlimited
    hinge is also a real, because the simulator counts its turns. A ball joint is a quaternion, and a free joint is
    three reals and a quaternion with MuJoCo's tangent (velocity in the world, rotation in the body). Hence `size` is
    nq + nv + na and `dim` is 2 nv + na. Velocities have the names ``JOINT.rate``, or ``JOINT.vx`` and so on if there
    are several. Actions are the controls, with bounds if they are limited.

    A URDF file has no actuators. Each hinge and slide of it gets a motor with the joint's name, so that the actions are
    torques [N m] and forces [N] within the efforts of the file, as in `BulletDynamics`.

    Names come from the model; a number or an underscore is added if two are equal or one is missing. `start` is the
    initial state of the model; in ``state.identity()`` the robot may be in the floor.

    A step depends only on state and action: warm starts of the constraint solver, automatic resets and sleeping are
    off. If the simulation of a state is lost (not finite, or beyond 1e10), the result is NaN. Threads that share an
    instance wait for each other, because they share the memory and the timestep of the simulator; to run in parallel,
    use batches.

    `params` holds the physics by name, and `replace` makes a model with other values, as if the file had been edited:
    `mass` of the bodies ``(nbody - 1,)`` [kg], `damping` and `frictionloss` of the degrees of freedom ``(nv,)``,
    `friction` of the geoms ``(ngeom, 3)``, `gear` of the actuators ``(nu, 6)``, `gravity` ``(3,)`` [m/s^2]. A body of
    another mass has the same shape, so its inertia grows alike.

    Args:
        model: path of an MJCF or URDF file, XML text, or an ``mujoco.MjModel`` (which is copied).
        state: a space of the same layout, for other names or for hinges that are angles:
            ``Space("theta: angle", "rate [rad/s]")``.
        noise: standard deviation per square root of a second of each tangent component, or one for all:
            ``Q = diag(noise^2) dt``. With the default of 0, a filter assumes that the simulator is exact, and its
            belief becomes too narrow.
        threads: number of threads of batched steps and rollouts; 0 runs them on the calling thread.
        meshes: False to leave out shapes that are meshes, for a file without its mesh files. What moves is the same if
            the file has inertias, as URDF files do; what collides is not.

    Raises:
        ModelError: if the file is not a model, or its state has more than positions, velocities and activations.

    Example:
        >>> swing = '''<mujoco><worldbody><body><joint name="hinge"/><geom size="0.1" pos="1 0 0"/></body></worldbody>
        ... <actuator><motor name="torque" joint="hinge"/></actuator></mujoco>'''
        >>> swing = MujocoDynamics(swing)
        >>> swing.state, swing.action
        (Space('hinge [rad]', 'hinge.rate [rad/s]'), Space('torque'))
        >>> swing.rollout([0, 1], np.zeros((20, 1)), 0.01).shape
        (21, 2)
    """

    _SCRATCH = ("_data", "_lone", "_pool", "_pool_data")

    def __init__(
        self,
        model: str | Path | Any,
        *,
        state: Space | None = None,
        noise: float | Sequence[float] = 0.0,
        threads: int = 0,
        meshes: bool = True,
    ) -> None:
        self.model = loaded(model, meshes=meshes)
        self._timestep = float(self.model.opt.timestep)
        flags = mj.mjtDisableBit
        self.model.opt.disableflags |= int(flags.mjDSBL_WARMSTART) | int(flags.mjDSBL_AUTORESET)
        # Sleeping is not part of the state; old versions do not have it.
        self.model.opt.enableflags &= ~int(getattr(mj.mjtEnableBit, "mjENBL_SLEEP", 0))
        check_state(self.model)
        self.state = fitted(state, state_space(self.model))
        self.action = action_space(self.model)
        self.noise_density = densities(noise, self.state)
        self.threads = threads
        Scratch.__init__(self)

    def __repr__(self) -> str:
        return f"MujocoDynamics({self.state!r}, {self.action!r})"

    def start(self, keyframe: str | int | None = None) -> Array:
        """The initial state ``(n,)`` of the model: ``qpos0`` at rest, or one of its keyframes.

        Raises:
            ModelError: if the keyframe does not exist, or moves mocap bodies, whose poses are not part of the state.
        """
        m = self.model
        if keyframe is None:
            return self.state.normalize(self._rest[1:])
        i = self._key(keyframe)
        if moved := moved_targets(m, i):
            raise ModelError(
                f"keyframe {clipped(repr(keyframe))} moves the mocap body {listed(moved)}, whose pose is no part of "
                "the state; write the pose as pos and quat of the body, or take mpos and mquat off the keyframe"
            )
        return self.state.normalize(np.concatenate([m.key_qpos[i], m.key_qvel[i], m.key_act[i]]))

    @cached_property
    def params(self) -> Parameters:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The physical parameters by name."""
        return _physics.parameters(self.model)

    def replace(self, **params: Any) -> MujocoDynamics:
        """The same model with other values of physical parameters; this one does not change.

        Args:
            params: a value by name; an array as in `params`, a number for all, or a mapping from the names of bodies,
                joints, geoms or actuators.

        Raises:
            ModelError: if there is no such parameter or name, or a value has the wrong shape or sign.

        Example:
            >>> pole = MujocoDynamics('''<mujoco><worldbody><body name="rod"><joint/>
            ... <geom size="0.1" pos="1 0 0" mass="1"/></body></worldbody></mujoco>''')
            >>> pole.replace(mass={"rod": 2.0}, gravity=0.0).params["mass"]
            array([2.])
        """
        with self._lock:
            model = _physics.changed(self.model, params, "MujocoDynamics")
        model.opt.timestep = self._timestep
        return MujocoDynamics(model, state=self.state, noise=self.noise_density.tolist(), threads=self.threads)

    def command(self, keyframe: str | int) -> Array:
        """The action ``(m,)`` of a keyframe: its ``ctrl``, which for position servos holds the robot there.

        Raises:
            ModelError: when there is no such keyframe.
        """
        return np.array(self.model.key_ctrl[self._key(keyframe)])

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state after `dt` seconds; batches run in the thread pool."""
        x, u = self.state.check(x, finite=False), self.action.check(u, "action", finite=False)
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        us = np.broadcast_to(u, (*batch, self.action.size))[..., None, :]
        return self._advance(np.broadcast_to(x, (*batch, self.state.size)), us, dt)[..., 0, :]

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """The states ``(..., T+1, n)``, simulated without returning to Python in between."""
        x0, us = self.state.check(x0, "initial state", finite=False), self.action.check(us, "actions", finite=False)
        batch = np.broadcast_shapes(x0.shape[:-1], us.shape[:-2])
        x0 = np.broadcast_to(x0, (*batch, self.state.size))
        us = np.broadcast_to(us, (*batch, *us.shape[-2:]))
        return np.concatenate([x0[..., None, :], self._advance(x0, us, dt)], axis=-2)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The Jacobians ``F = A_k ... A_1`` and ``B = sum_i A_k ... A_{i+1} B_i``, from MuJoCo's finite differences.

        MuJoCo does not differentiate its RK4 integrator; for such models, the differences are taken on the space.
        """
        if self.model.opt.integrator == mj.mjtIntegrator.mjINT_RK4:
            return super().linearize(x, u, dt)
        x, u = self.state.check(x), self.action.check(u, "action")
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        F = np.empty((*batch, self.state.dim, self.state.dim))
        B = np.empty((*batch, self.state.dim, self.action.size))
        x, u = np.broadcast_to(x, (*batch, x.shape[-1])), np.broadcast_to(u, (*batch, u.shape[-1]))
        with self._lock:
            steps = self._substeps(dt)
            for i in np.ndindex(batch):
                F[i], B[i] = self._transition(x[i], u[i], steps)
        return F, B

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The covariance ``diag(noise^2) dt``."""
        return diffusion(self.noise_density, x, u, dt)

    def _key(self, keyframe: str | int) -> int:
        """The number of a keyframe."""
        names = [self.model.key(i).name for i in range(self.model.nkey)]
        if keyframe not in (*names, *range(self.model.nkey)):
            raise ModelError(f"there is no keyframe {clipped(repr(keyframe))}; there are {listed(names)}")
        return keyframe if isinstance(keyframe, int) else names.index(keyframe)

    # -- simulation

    def _substeps(self, dt: float) -> int:
        """The number of steps that make `dt`; the model's timestep is set to fit."""
        if not seconds(dt, backward=True) > 0.0:
            raise ModelError(f"dt is {dt}; a simulator steps forward, by a positive number of seconds")
        steps = max(1, math.ceil(dt / self._timestep - 1e-9))
        self.model.opt.timestep = dt / steps
        return steps

    def _advance(self, x: Array, us: Array, dt: float) -> Array:
        """States after each of the actions `us` ``(..., T, m)``, from states ``(..., n)``."""
        (*batch, horizon, _), n = us.shape, self.state.size
        count = math.prod(batch)
        x, us = x.reshape(count, n), us.reshape(count, horizon, self.action.size)
        known, sane = sound(x), sound(us)
        start = np.where(known[:, None], np.insert(x, 0, 0.0, axis=1), self._rest)  # a full state begins with the time
        crowd = count > 1 and self.threads > 1
        with self._lock:
            steps = self._substeps(dt)
            if not count or not horizon:
                return np.empty((*batch, horizon, n))
            controls = np.repeat(np.where(sane[..., None], us, 0.0), steps, axis=1) if self.action.size else None
            pool, data = (self._pool, self._pool_data) if crowd else (self._lone, [self._data])
            out, _ = pool.rollout(self.model, data, start, controls, nstep=horizon * steps)
            xs = np.array(out[:, steps - 1 :: steps, 1:])
        # Once lost, a simulation stays lost.
        xs[np.logical_or.accumulate(~(known[:, None] & sane & sound(xs)), axis=1)] = np.nan
        return np.asarray(self.state.normalize(xs)).reshape(*batch, horizon, n)

    def _transition(self, x: Array, u: Array, steps: int) -> tuple[Array, Array]:
        d = self._data
        F, B = np.eye(self.state.dim), np.zeros((self.state.dim, self.action.size))
        A_i, B_i = np.empty_like(F), np.empty_like(B)
        mj.mj_setState(self.model, d, np.concatenate([[0.0], x]), int(mj.mjtState.mjSTATE_FULLPHYSICS))
        d.ctrl[:] = u
        for _ in range(steps):
            mj.mjd_transitionFD(self.model, d, 1e-6, True, A_i, B_i if self.action.size else None, None, None)
            F, B = A_i @ F, A_i @ B + B_i
            mj.mj_step(self.model, d)
        return F, B

    @cached_property
    def _rest(self) -> Array:
        """A state that every model can be simulated from."""
        return np.concatenate([[0.0], self.model.qpos0, np.zeros(self.model.nv + self.model.na)])

    @cached_property
    def _data(self) -> Any:
        return mj.MjData(self.model)

    @cached_property
    def _lone(self) -> Any:
        return threaded.Rollout(nthread=0)

    @cached_property
    def _pool(self) -> Any:
        return threaded.Rollout(nthread=self.threads)

    @cached_property
    def _pool_data(self) -> list[Any]:
        return [mj.MjData(self.model) for _ in range(self.threads)]


def check_state(model: Any) -> None:
    """Raise an error if the state of a model has more than positions, velocities and activations."""
    kept = 1 + model.nq + model.nv + model.na
    full = mj.mj_stateSize(model, int(mj.mjtState.mjSTATE_FULLPHYSICS))
    if full != kept:
        raise ModelError(
            f"the MuJoCo model keeps {full - kept} numbers of state besides positions, velocities and activations "
            "(plugins, delays); only models without these can be dynamics"
        )


def moved_targets(model: Any, key: int) -> list[str]:
    """Names of the mocap bodies that a keyframe puts where the model does not."""
    bodies = [int(body) for body in np.flatnonzero(model.body_mocapid >= 0)]
    mocap = model.body_mocapid[bodies]
    places, turns = model.key_mpos[key].reshape(-1, 3)[mocap], model.key_mquat[key].reshape(-1, 4)[mocap]
    same = np.isclose(places, model.body_pos[bodies], atol=1e-9).all(-1)
    along = np.abs((turns * model.body_quat[bodies]).sum(-1)) / np.linalg.norm(turns, axis=-1)  # q and -q are one turn
    return [
        model.body(body).name or f"{body}"
        for body, good in zip(bodies, same & (along > 1.0 - 1e-12), strict=True)
        if not good
    ]


def state_space(model: Any) -> Space:
    """The space of ``(qpos, qvel, act)``."""
    names = distinct([model.joint(i).name for i in range(model.njnt)], "joint")
    joints = [Joint(model, i, name) for i, name in enumerate(names)]
    positions = [part for joint in joints for part in joint.positions()]
    velocities = [part for joint in joints for part in joint.velocities()]
    return Space(*positions, *velocities, *map(Real, distinct([""] * model.na, "act", names)))


def action_space(model: Any) -> Space:
    """The space of ``ctrl``."""
    parts: list[Part] = []
    for i, name in enumerate(distinct([model.actuator(i).name for i in range(model.nu)], "u")):
        low, high = model.actuator_ctrlrange[i] if model.actuator_ctrllimited[i] else (-math.inf, math.inf)
        parts.append(Real(name, "", float(low), float(high)))
    return Space(*parts)


def fitted(state: Space | None, own: Space) -> Space:
    """The given space, if it has the layout of the model's own; hinges may also be angles."""
    if state is None:
        return own
    pairs = zip(state.parts, own.parts, strict=False)
    same = all(a.same_kind(b) or (a.periodic and b.linear and a.size == b.size) for a, b in pairs)
    if not same or len(state.parts) != len(own.parts):
        raise SpaceError(f"{state} does not have the layout of the MuJoCo model, which is {own}")
    return state


class Joint:
    """A joint of a model, as parts of a space."""

    def __init__(self, model: Any, index: int, name: str) -> None:
        self.name = name
        self.kind = mj.mjtJoint(model.jnt_type[index])
        limited = bool(model.jnt_limited[index])
        self.low, self.high = map(float, model.jnt_range[index]) if limited else (-math.inf, math.inf)

    def positions(self) -> list[Part]:
        """Parts of qpos."""
        if self.kind == mj.mjtJoint.mjJNT_FREE:
            return [*(Real(f"{self.name}.{a}", "m") for a in "xyz"), Quaternion(f"{self.name}.q")]
        if self.kind == mj.mjtJoint.mjJNT_BALL:
            return [Quaternion(self.name)]
        return [Real(self.name, self._unit, self.low, self.high)]

    def velocities(self) -> list[Part]:
        """Parts of qvel."""
        turning: list[Part] = [Real(f"{self.name}.w{a}", "rad/s") for a in "xyz"]
        if self.kind == mj.mjtJoint.mjJNT_FREE:
            return [*(Real(f"{self.name}.v{a}", "m/s") for a in "xyz"), *turning]
        if self.kind == mj.mjtJoint.mjJNT_BALL:
            return turning
        return [Real(f"{self.name}.rate", f"{self._unit}/s")]

    @property
    def _unit(self) -> str:
        return "rad" if self.kind == mj.mjtJoint.mjJNT_HINGE else "m"
