"""One-point initiation: a track begins at every detection that no track explains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Gaussian, Mixture, Sensor
from ...core.arrays import Array
from ...core.settings import Count, settings
from ...core.weights import log_sum_exp
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
        starts = _starts(birth)
        x = np.broadcast_to(starts[:, None], (len(starts), len(z), birth.space.size)).copy()
        least = np.full(x.shape[:-1], np.inf)
        best, information = x, np.asarray(np.linalg.inv(birth.cov), np.float64)
        with np.errstate(all="ignore"):
            damping = np.full(x.shape[:-1], 1e-6)
            for _ in range(self.rounds):
                cost, gradient, A = _cost(birth, information, h, x, z, context)
                better = cost < least
                best, least = np.where(better[..., None], x, best), np.where(better, cost, least)
                damping = np.where(better, damping * 0.2, damping * 10.0)
                _, gradient, A = _cost(birth, information, h, best, z, context)
                scale = np.maximum(np.einsum("...ii->...i", A), 1e-300)
                broken: Any = ~np.isfinite(A).all((-1, -2)) | ~np.isfinite(gradient).all(-1)
                A = np.where(broken[..., None, None], np.eye(A.shape[-1]), A)
                A = A + damping[..., None, None] * scale[..., None] * np.eye(A.shape[-1])
                step = np.linalg.solve(A, np.where(broken[..., None], 0.0, gradient)[..., None])[..., 0]
                x = np.asarray(birth.space.plus(best, -step))
            choice = np.where(np.isfinite(least), least, np.inf).argmin(0)
            mean = best[choice, np.arange(len(z))]
            cost, _, A = _cost(birth, information, h, mean, z, context)
            fine: Any = np.isfinite(A).all((-1, -2)) & np.isfinite(least.min(0))
            A = np.where(fine[:, None, None], A, np.eye(A.shape[-1]))
            R = np.broadcast_to(np.asarray(h.noise(mean, context)), (len(z), z.shape[-1], z.shape[-1]))
            R = np.where(fine[:, None, None], R, np.eye(z.shape[-1]))
        volumes = [np.linalg.slogdet(each)[1] for each in (R, birth.cov, A)]
        logs = -0.5 * (np.where(fine, cost, np.inf) + sum(volumes) + R.shape[-1] * np.log(2.0 * np.pi))
        return mean, np.linalg.inv(A), fine, logs


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
    owners, which = np.divmod(np.arange(len(births) * len(z)), max(len(z), 1))
    rows = births[owners]
    logs, status = targets.update(rows, sensor, z[which], context)
    good = np.flatnonzero(status == ACCEPTED)
    return rows[good], which[good], owners[good], logs[good]


def _starts(birth: Gaussian) -> Array:
    """Points at the mean, and a third and one standard deviation from it along each component, ``(S, n)``."""
    axes = np.sqrt(np.diagonal(birth.cov))[:, None] * np.eye(birth.space.dim)
    steps = np.concatenate([np.zeros((1, birth.space.dim)), *(c * axes for c in (1.0, -1.0, 0.33, -0.33))])
    return np.asarray(birth.space.plus(birth.mean, steps))


def _cost(birth: Gaussian, information: Array, h: Any, x: Array, z: Array, context: Any) -> tuple[Array, Array, Array]:
    """Half the squared deviations from birth and reading, their gradient, and the Gauss-Newton matrix."""
    y = np.asarray(h.reading.minus(h.observe(x, context), z))
    H, R = np.asarray(h.linearize(x, context)), np.asarray(h.noise(x, context))
    R = np.broadcast_to(R, (*y.shape, y.shape[-1]))
    broken: Any = ~np.isfinite(R).all((-1, -2))
    W = np.linalg.inv(np.where(broken[..., None, None], np.eye(y.shape[-1]), R))
    e = np.asarray(birth.space.minus(x, birth.mean))
    Wy = np.einsum("...ij,...j->...i", W, y)
    cost = np.einsum("...i,...i", y, Wy) + np.einsum("...i,ij,...j", e, information, e)
    gradient = np.einsum("...ia,...i->...a", H, Wy) + e @ information
    A = information + np.einsum("...ia,...ij,...jb->...ab", H, W, H)
    return np.where(broken, np.inf, cost), gradient, A
