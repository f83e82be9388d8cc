"""The surroundings of a PyBullet robot: boxes as scenery, a lidar of ray tests, and collisions as a constraint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..core import ModelError, Sensor, Space
from ..core.arrays import Array, numbers
from ..core.rotations import rotate
from ..core.settings import positive
from ..core.streams import Rng, generator
from ._collisions import FAR, Collisions, Contact
from .bullet import BulletDynamics, Server, bullet

UNSEEN = 64
"""Collision group of a robot whose lidar does not see it."""
REACH = 0.5
"""Distance within which gaps are measured [m]."""


def boxes_urdf(boxes: ArrayLike, *, friction: float = 1.0, name: str = "boxes") -> str:
    """The URDF text of fixed boxes, for the `scenery` of a `BulletDynamics`.

    Args:
        boxes: rows of centre x, y, z and size along x, y, z ``(K, 6)`` [m].
        friction: coefficient of lateral friction.
        name: name of the body.

    Example:
        >>> floor = boxes_urdf([[0, 0, -0.5, 20, 20, 1]], name="floor")
        >>> floor.startswith('<robot name="floor">')
        True
    """
    rows = np.atleast_2d(numbers(boxes, "boxes"))
    if rows.ndim != 2 or rows.shape[1] != 6 or not (np.isfinite(rows).all() and (rows[:, 3:] > 0.0).all()):
        raise ModelError(f"boxes are {rows.tolist()}; expected rows of centre x, y, z and positive sizes x, y, z")
    shapes = "".join(
        f'<collision><origin xyz="{x} {y} {z}"/><geometry><box size="{a} {b} {c}"/></geometry></collision>'
        for x, y, z, a, b, c in rows.tolist()
    )
    surface = f'<contact><lateral_friction value="{positive(friction, "friction", zero=True)}"/></contact>'
    fixed = '<inertial><mass value="0"/><inertia ixx="0" iyy="0" izz="0" ixy="0" ixz="0" iyz="0"/></inertial>'
    return f'<robot name="{name}"><link name="{name}">{fixed}{shapes}{surface}</link></robot>'


class BulletLidar(Sensor):
    """Ranges to the scenery by ray tests: ``z_i = range along (cos a_i, sin a_i, 0) in the frame of the base``.

    A range is `max_range` if nothing is within it, as of `pilotage.maps.Lidar`. Such a range has no error, and no error
    makes another one longer than that. The robot itself is not seen.

    Args:
        robot: the robot, with its scenery.
        angles: directions of the beams ``(B,)`` [rad].
        max_range: largest range [m].
        mount: place of the lidar in the frame of the base [m].
        std: standard deviation of a range [m].

    Example:
        >>> from pilotage.envs import BulletDynamics
        >>> ball = '''<robot name="ball"><link name="ball"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1"
        ... ixy="0" ixz="0" iyz="0"/></inertial></link></robot>'''
        >>> ball = BulletDynamics(ball, fixed=False, scenery=[boxes_urdf([[3, 0, 0, 1, 9, 9]])])
        >>> BulletLidar(ball, [0.0, np.pi], max_range=10.0).observe(ball.start()).round(6)
        array([ 2.5, 10. ])
    """

    context = Space()

    def __init__(
        self,
        robot: BulletDynamics,
        angles: ArrayLike,
        *,
        max_range: float = 10.0,
        mount: Sequence[float] = (0.0, 0.0, 0.0),
        std: float = 0.02,
    ) -> None:
        self.robot, self.state = robot, robot.state
        self.angles = np.atleast_1d(numbers(angles, "angles"))
        self.max_range, self.std = positive(max_range, "max_range"), positive(std, "std", zero=True)
        self._mount = np.asarray(mount, dtype=np.float64)
        names = " ".join(f"range_{i}" for i in range(len(self.angles)))
        self.reading = Space(f"{names} [m] in [0, {self.max_range}]")
        self._beams = np.stack([np.cos(self.angles), np.sin(self.angles), np.zeros(len(self.angles))], -1)

    def observe(self, x: Any, context: Any = None) -> Any:
        """The ranges ``(..., B)``."""
        x = np.asarray(x, dtype=np.float64)
        rows = x.reshape(-1, x.shape[-1])
        return np.reshape([self._scan(row) for row in rows], (*x.shape[:-1], len(self.angles)))

    def sample(self, x: Any, context: Any = None, *, rng: Rng = None) -> Array:
        """Random ranges ``(..., B)`` within the reading's bounds; a beam that hits nothing reads `max_range`."""
        z = np.asarray(self.observe(x, context), dtype=np.float64)
        errors = self.std * generator(rng).standard_normal(z.shape)
        return np.where(z < self.max_range, np.clip(z + errors, 0.0, self.max_range), z)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance, the same for every beam."""
        return np.eye(len(self.angles)) * self.std**2

    def _scan(self, x: Array) -> Array:
        place, q = (np.zeros(3), [1.0, 0.0, 0.0, 0.0]) if self.robot.fixed else (x[:3], x[3:7].tolist())
        start = place + np.array(rotate(q, self._mount.tolist()))
        ends = start + self.max_range * np.array([rotate(q, beam) for beam in self._beams.tolist()])
        with self.robot.at(x) as server:
            hide(server, self.robot.body)
            hits = server.rayTestBatch([start.tolist()] * len(ends), ends.tolist(), collisionFilterMask=~UNSEEN)
        shares = np.array([hit[2] for hit in hits])
        return shares * self.max_range


def hide(server: Server, body: int) -> None:
    """Put a robot into a group of its own, which collides as before."""
    for link in range(-1, server.getNumJoints(body)):
        server.setCollisionFilterGroupMask(body, link, UNSEEN, -1)


class BulletCollisionConstraint(Collisions):
    """The constraint that a robot in PyBullet keeps a clearance to the scenery, and its links to each other.

    ::

        g(q) = clearance - smallest gap <= 0            gaps: getClosestPoints at q

    States q are the positions: of the base, if it is free, and of the joints. Links that are joined, also by links
    without shapes or by joints that are fixed, may touch. Gaps above 0.5 m count as 1 m.

    Args:
        robot: the robot, with its scenery; it is shared.
        clearance: distance that all shapes must keep [m].
        resolution: largest change of the positions between two checks along an edge, in the norm of the space.
        within: whether the links of the robot must keep clear of each other.

    Example:
        >>> ball = '''<robot name="ball"><link name="ball"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1"
        ... ixy="0" ixz="0" iyz="0"/></inertial><collision><geometry><sphere radius="0.2"/></geometry></collision>
        ... </link></robot>'''
        >>> ball = BulletDynamics(ball, fixed=False, scenery=[boxes_urdf([[1, 0, 0, 1, 9, 9]], name="wall")])
        >>> clear = BulletCollisionConstraint(ball, clearance=0.1)
        >>> clear([0.1, 0, 0, 1, 0, 0, 0]).round(6), clear.describe([0.4, 0, 0, 1, 0, 0, 0])
        (array([-0.1]), 'is in collision: ball and wall overlap by 0.100 m')
    """

    def __init__(
        self, robot: BulletDynamics, *, clearance: float = 0.0, resolution: float = 0.05, within: bool = True
    ) -> None:
        positions = len(robot.state.parts) // 2 - (0 if robot.fixed else 1)  # a quaternion has three rates
        super().__init__(Space(*robot.state.parts[:positions]), clearance, resolution)
        self.robot, self._moving = robot, robot.state.size - self.space.size
        with robot.at(robot.start()) as server:
            self._apart = strangers(server, robot.body) if within else []

    def _room(self, q: Array) -> float:
        if not np.isfinite(q).all():
            return -FAR
        near = self._measured(q, REACH + self.clearance)
        return min((point[8] for point, *_ in near), default=FAR + self.clearance) - self.clearance

    def _contacts(self, q: Array) -> list[Contact]:
        return [
            Contact(one, other, point[8], 0.5 * np.add(point[5], point[6]), -np.array(point[7]))
            for point, one, other in self._measured(q, REACH + self.clearance)
            if point[8] < self.clearance
        ]

    def _measured(self, q: Array, reach: float) -> list[tuple[Any, str, str]]:
        """Points of Bullet nearer than `reach`, with the names of both links."""
        body = self.robot.body
        with self.robot.at(np.concatenate([q, np.zeros(self._moving)])) as server:
            found = [p for other in self.robot.scenery for p in server.getClosestPoints(body, other, reach)]
            for a, b in self._apart:
                found += server.getClosestPoints(body, body, reach, a, b)
            return [(p, named(server, p[1], p[3]), named(server, p[2], p[4])) for p in found]


def named(server: Server, body: int, link: int) -> str:
    """The name of a link."""
    return (server.getBodyInfo(body)[0] if link < 0 else server.getJointInfo(body, link)[12]).decode()


def strangers(server: Server, body: int) -> list[tuple[int, int]]:
    """Pairs of links with shapes that no joint connects, also not by links without shapes or by fixed joints."""
    count = server.getNumJoints(body)
    solid = {link for link in range(-1, count) if server.getCollisionShapeData(body, link)}
    parents, stiff = {}, {}
    for link in range(count):
        about = server.getJointInfo(body, link)
        parents[link], stiff[link] = about[16], about[2] == bullet.JOINT_FIXED

    def carrier(link: int) -> int:
        """The nearest link towards the base that a link is fixed to, which moves by itself."""
        while link >= 0 and stiff[link]:
            link = parents[link]
        return link

    def before(link: int) -> int:
        """The carrier of the next link towards the base that has a shape."""
        link = parents.get(carrier(link), -1)
        while link >= 0 and link not in solid:
            link = parents[link]
        return carrier(link)

    return [
        (a, b)
        for a in sorted(solid)
        for b in sorted(solid)
        if a < b and carrier(a) != carrier(b) and carrier(a) != before(b) and carrier(b) != before(a)
    ]
