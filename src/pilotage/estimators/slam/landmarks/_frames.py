"""The errors in which a joint belief is kept: of each component on its own, or of the whole map as it turns.

An update moves the mean by the tangent vector dx, and the covariance to the new mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pilotage.core import ModelError, Space
from pilotage.core.arrays import Array

from ._joint import JointBelief


class Frame(ABC):
    """Base of the errors of a joint belief."""

    @abstractmethod
    def move(self, joint: JointBelief, dx: Array) -> None:
        """Move the mean of a belief by dx ``(n,)``, and its covariance with it."""


class Components(Frame):
    """The error of each component on its own: ``p = p + dp``; the covariance stays what it is."""

    def move(self, joint: JointBelief, dx: Array) -> None:
        joint.x = np.asarray(joint.space.plus(joint.x, dx[: joint.d]))
        if len(joint.places):
            joint.places = joint.places + dx[joint.columns()]
        if len(joint.clones):
            parts = dx[joint.clone_starts[:, None] + np.arange(joint.d)]
            joint.clones = np.asarray(joint.space.plus(joint.clones, parts))


class Turning(Frame):
    """The error of a pose and all landmarks as one element of a group: the world turns about its origin.

    ::

        (R, x, p_j) = Exp(xi) (R^, x^, p^_j):    R = Exp(theta) R^,    x = Exp(theta) x^ + V(theta) xi_x,
                                                                      p_j = Exp(theta) p^_j + V(theta) xi_j

    To first order the error of each component is ``dp_j = theta x p^_j + xi_j``. The covariance of xi stays the same
    when the mean moves to new values, so that of the components changes by

        dp_j(new) = dp_j + theta x (p^_j(new) - p^_j)

    Args:
        space: the space of the vehicle, with a pose in the plane: x, y and a yaw, or a part of kind SE2.

    Raises:
        ModelError: if it has none.
    """

    def __init__(self, space: Space) -> None:
        try:
            found = [space.find(name, "InvariantEKFSLAM") for name in ("x", "y", "yaw")]
        except Exception as error:
            raise ModelError(
                f"{space} has no pose in the plane; InvariantEKFSLAM needs x, y and yaw, or a part of kind SE2"
            ) from error
        self.x, self.y, self.yaw = found
        owner = next((part, s, t) for part, s, t in space.layout if s.start <= found[0] < s.stop)
        self.pose = None if owner[0].flat else owner[2]
        tangent = next((s, t) for _, s, t in space.layout if s.start <= self.yaw < s.stop)
        self.theta = tangent[1].start + self.yaw - tangent[0].start

    def move(self, joint: JointBelief, dx: Array) -> None:
        before, clones, places = joint.x, joint.clones, joint.places
        d, theta = joint.d, float(dx[self.theta])
        joint.x = self._moved(joint.space, before, dx[:d])
        if len(places):
            joint.places = turned(places, dx[joint.columns()], theta)
            self._reframe_landmarks(joint, joint.places - places)
        self._reframe(joint, slice(0, d), before, joint.x)
        if len(clones):
            joint.clones = clones.copy()
        for k, start in enumerate(joint.clone_starts):
            joint.clones[k] = self._moved(joint.space, clones[k], dx[start : start + d])
            self._reframe(joint, slice(start, start + d), clones[k], joint.clones[k])

    def _moved(self, space: Space, x: Array, dx: Array) -> Array:
        """A vehicle that is moved as an element of the group."""
        after = np.asarray(space.plus(x, dx))
        if self.pose is None:  # x Exp(dx) of a pose does it
            place = [self.x, self.y]
            after[place] = turned(x[None, place], dx[None, place], float(dx[self.theta]))[0]
        return after

    def _reframe_landmarks(self, joint: JointBelief, shift: Array) -> None:
        """``P = A P A'`` with ``A = I + U e_theta'``."""
        row, pair = joint.P[self.theta], np.zeros((4, joint.n))
        pair[0, joint.columns()] = quarter(shift)
        pair[1] = row + 0.5 * row[self.theta] * pair[0]
        joint.add_product(pair, pair[[1, 0, 2, 3]])

    def _reframe(self, joint: JointBelief, own: slice, before: Array, after: Array) -> None:
        """The same for the vehicle itself or a clone, in the columns `own`."""
        space, P = joint.space, joint.P
        if self.pose is None:
            A = np.eye(joint.d)
            A[[self.x, self.y], self.theta] = quarter((after - before)[None, [self.x, self.y]])[0]
        else:
            left = space.perturbed("left")
            A = np.linalg.solve(np.asarray(space.swapped(left, after)), np.asarray(space.swapped(left, before)))
        P[own] = A @ P[own]
        P[:, own] = P[:, own] @ A.T


def quarter(p: Array) -> Array:
    """Vectors ``(L, 2)``, turned a quarter to the left."""
    return np.stack([-p[:, 1], p[:, 0]], axis=1)


def turned(p: Array, dp: Array, theta: float) -> Array:
    """``Exp(theta) p + V(theta) (dp - theta x p)``: points ``(L, 2)`` that are moved with the world."""
    xi = dp - theta * quarter(p)
    c, s = np.cos(theta), np.sin(theta)
    a, b = (np.sin(theta) / theta, (1.0 - c) / theta) if abs(theta) > 1e-8 else (1.0, 0.5 * theta)
    return c * p + s * quarter(p) + a * xi + b * quarter(xi)
