"""One-point initiation: a track begins at every detection that no track explains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Gaussian, Mixture, Sensor
from ...core.arrays import Array
from ...core.settings import Count, settings
from ...core.weights import log_sum_exp
from ._laplace import explained, mode, offsets, squares
from ._targets import Rows, Targets
from .initiation import Initiation

ACCEPTED = 0


@settings
class OnePoint(Initiation):
    """One-point initiation: the belief of a new track is that of where targets appear, updated with its detection.

    ::

        p(x | z)  ~  p_birth(x) N(z (-) h(x); 0, R)

    For a linear sensor that is the update of the filter. Otherwise its mode is found first, by Gauss-Newton from the
    mean of the birth and from points one and a third of a standard deviation around it along each component, and the
    covariance is ``(P_birth^-1 + H' R^-1 H)^-1`` there: a wide birth needs no linearization at its mean. Velocities,
    which one detection does not tell, stay those of the birth.

    Source: Musicki and Song, "Track initialization: prior target velocity and acceleration moments", IEEE Trans.
    Aerospace and Electronic Systems 49, 2013.

    Args:
        birth: where targets appear, and how fast they go: a `Gaussian`, or for a filter of several models a `Mixture`.
        rounds: of Gauss-Newton.

    Example:
        >>> from pilotage.models import constant_velocity
        >>> space = constant_velocity().state
        >>> OnePoint(Gaussian.of(space, std={"x": 100.0, "y": 100.0, "vx": 5.0, "vy": 5.0})).rounds
        20
    """

    birth: Gaussian | Mixture
    rounds: Count = 20

    def begin(self, targets: Targets, sensor: Sensor, z: Array, context: Any) -> tuple[Rows, NDArray[np.int64]]:
        """The beliefs of new tracks, one for each detection that the sensor can explain."""
        rows, which, _ = self.weighed(targets, sensor, z, context)
        return rows, which

    def weighed(
        self, targets: Targets, sensor: Sensor, z: Array, context: Any
    ) -> tuple[Rows, NDArray[np.int64], Array]:
        """The same, with the log-density of each detection: exact for a linear sensor, else that of Laplace."""
        mounted = targets.mounted(sensor)
        if all(h.linear for h in mounted):
            rows, which, _, logs = _updated(targets, targets.packed(self.birth), sensor, z, context)
            return rows, which, logs
        parts = self.birth.components if isinstance(self.birth, Mixture) else (self.birth,)
        given = context if sensor.context is None or sensor.context.size else None
        found, logs, good = list[Gaussian](), np.zeros((len(z), len(parts))), np.ones(len(z), bool)
        for j, (part, h) in enumerate(zip(parts, mounted, strict=True)):
            mean, cov, fine, logs[:, j] = self._mode(part.moments(), h, z, given)
            found.append(Gaussian.trusted(h.state, mean, cov))
            good &= fine
        belief: Any = found[0]
        if isinstance(self.birth, Mixture):
            logs = logs + self.birth.log_weights
            belief = Mixture.trusted(tuple(found), logs - log_sum_exp(logs)[:, None])
        kept = np.flatnonzero(good)
        rows = targets.pack(belief)[kept] if len(kept) else targets.none()
        return rows, kept, log_sum_exp(logs)[kept]

    def _mode(self, birth: Gaussian, h: Any, z: Array, context: Any) -> tuple[Array, Array, Array, Array]:
        """Mean and covariance of each detection's track ``(K, ...)``, whether it was found, and its log-density."""
        information = np.asarray(np.linalg.inv(birth.cov), np.float64)

        def cost(x: Array) -> tuple[Array, Array, Array]:
            square, gradient, A = squares(*explained(h, x, z, context))
            e = np.asarray(birth.space.minus(x, birth.mean))
            return square + np.einsum("...i,ij,...j", e, information, e), gradient + e @ information, information + A

        starts = np.asarray(birth.space.plus(birth.mean, offsets(birth)))
        x = np.broadcast_to(starts[:, None], (len(starts), len(z), birth.space.size)).copy()
        mean, least, A, fine = mode(birth.space, cost, x, self.rounds)
        R = explained(h, mean, z, context)[2]
        R = np.where(fine[:, None, None], R, np.eye(z.shape[-1]))
        volumes = [np.linalg.slogdet(each)[1] for each in (R, birth.cov, A)]
        logs = -0.5 * (np.where(fine, least, np.inf) + sum(volumes) + R.shape[-1] * np.log(2.0 * np.pi))
        return mean, np.asarray(np.linalg.inv(A), np.float64), fine, logs


def weighed_all(
    targets: Targets, births: Rows, sensor: Sensor, z: Array, context: Any
) -> tuple[Rows, NDArray[np.int64], NDArray[np.int64], Array]:
    """Beliefs of each birth at each detection, their detections and births, and the log-densities; see `weighed`."""
    if all(h.linear for h in targets.mounted(sensor)):
        return _updated(targets, births, sensor, z, context)
    rows, none = targets.none(), np.zeros(0, np.int64)
    columns, owners, logs = [none], [none], [np.zeros(0)]
    for i in range(len(births)):
        each, which, found = OnePoint(targets.unpack(births[[i]])[0]).weighed(targets, sensor, z, context)
        rows = rows.joined(each)
        columns.append(which)
        owners.append(np.full(len(which), i))
        logs.append(found)
    return rows, np.concatenate(columns), np.concatenate(owners), np.concatenate(logs)


def _updated(
    targets: Targets, births: Rows, sensor: Sensor, z: Array, context: Any
) -> tuple[Rows, NDArray[np.int64], NDArray[np.int64], Array]:
    """`weighed_all` by updates of the filter."""
    count = len(births) * len(z)
    owners, which = np.zeros(count, np.int64), np.arange(count)
    if len(births) > 1:
        owners, which = np.divmod(which, max(len(z), 1))
    rows = births[owners]
    logs, status = targets.update(rows, sensor, z[which], context)
    if not status.any():
        return rows, which, owners, logs
    good = np.flatnonzero(status == ACCEPTED)
    return rows[good], which[good], owners[good], logs[good]
